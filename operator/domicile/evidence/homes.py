"""Where records are kept that a log has only what they hash to of: files on a volume of the region that they are of.

The log says which records are kept there, and they are signed as all are. So nothing can be put in, changed or left out unnoticed, and what a
process did not live to record does no harm."""

import contextlib
import os
from collections.abc import Collection, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final

from domicile.evidence.disk import replace, sync, write
from domicile.evidence.storage import StoreDown
from domicile.evidence.withheld import leaf_of

NAME: Final = "kept.jsonl"
"""Name of the file: an envelope a line."""


class Files:
    """A file in a directory, which is made where it is missing. The process that has the log open is the only one to write it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / NAME

    def keep(self, lines: Sequence[bytes]) -> None:
        """Have them on the disk. Raises StoreDown where that is not certain."""
        with self._told("written"):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                end = os.lseek(file, 0, os.SEEK_END)
                try:
                    # A line that a process did not live to end is ended: it is none, and what follows is one.
                    write(file, b"".join(b"\n%b\n" % line for line in lines))
                    os.fsync(file)
                except OSError:
                    with contextlib.suppress(OSError):
                        os.ftruncate(file, end)
                    raise
            finally:
                os.close(file)
            sync(self._path.parent)

    def remove(self, leaves: Collection[bytes]) -> None:
        """Write the file anew without these, and put it in the place of the one before. Raises StoreDown."""
        gone = frozenset(leaves)
        if not gone:
            return
        with self._told("written"):
            if not self._path.exists():
                return
            lines = [line for line in kept(self._path) if leaf_of(line) not in gone]
            replace(self._path, b"".join(b"%b\n" % line for line in lines))

    def kept(self) -> Iterator[bytes]:
        """All lines. Raises StoreDown."""
        with self._told("read"):
            if self._path.exists():
                yield from kept(self._path)

    def close(self) -> None:
        """Nothing is held open between two calls."""

    @contextlib.contextmanager
    def _told(self, done: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreDown(f"what is kept in {self._path} cannot be {done}: {error}") from error


def kept(path: Path) -> Iterator[bytes]:
    """The lines of such a file. Raises OSError."""
    with path.open("rb") as file:
        yield from filter(None, (line.rstrip(b"\n") for line in file))
