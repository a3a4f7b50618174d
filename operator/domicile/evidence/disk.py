"""Having bytes on a disk for good. Raises OSError, all of it."""

import os
from pathlib import Path


def write(file: int, content: bytes) -> None:
    """All of it, into an open file."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def sync(path: Path) -> None:
    """Have on the disk what was written to a file, or the names in a directory."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def replace(path: Path, content: bytes) -> None:
    """Have this in the place of a file: all of it, or what there was. Only the owner may read it."""
    new = path.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    sync(new)
    new.replace(path)
    sync(path.parent)
