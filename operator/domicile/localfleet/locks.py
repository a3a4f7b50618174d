"""File locks between processes: one build at a time, one change of a fleet at a time, one real node a machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from domicile.localfleet import errors

POLL_SECONDS = 0.1


@contextmanager
def held(path: Path, *, within: float, waiting: Callable[[str], None] | None = None) -> Generator[int]:
    """Hold the lock at `path`; the kernel lets go of it when this process dies, however it dies.

    Yields the descriptor: a child that inherits it holds the lock too, until it ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, within, waiting)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, within: float, waiting: Callable[[str], None] | None) -> None:
    started, told = time.monotonic(), False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        if not told and waiting:
            waiting(f"waiting for process {holder}, which holds {path.name}")
            told = True
        if time.monotonic() - started > within:
            raise errors.WaitedTooLong(f"{path} is held by process {holder} for more than {within:.0f} s")
        time.sleep(POLL_SECONDS)
