"""A log as files on a volume, for one process. What was acknowledged is on the disk, whatever ends the process.

A segment is named by its first record, and the last one is written: a batch and its checkpoint are synced together. What stands after the
last checkpoint was never acknowledged: once the rest is found to be as it was written, it is put aside, and the log goes on before it.
"""

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Final

from domicile.evidence import dsse, ranges, records
from domicile.evidence.checkpoint import CHECKPOINT
from domicile.evidence.disk import replace, sync, write
from domicile.evidence.dsse import Malformed
from domicile.evidence.findings import Segment
from domicile.evidence.ranges import Ranges
from domicile.evidence.storage import Batch, LogDamaged, StoreDown
from domicile.evidence.withheld import WITHHELD, without

_log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 64 << 20
"""A segment that has so many is the last of its name: a new one is begun."""
_SUFFIX: Final = ".jsonl"
NAME: Final = re.compile(rf"[0-9]{{20}}{re.escape(_SUFFIX)}")
_LOCK: Final = "lock"
_ASIDE: Final = "*.torn-[0-9]*"
"""Name of what was never acknowledged."""


class Segments:
    """The files in a directory, which is made where it is missing. Raises StoreDown where another process has it open, or it cannot be
    had."""

    def __init__(self, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._directory, self._segment_bytes = directory, segment_bytes
        with self._told("opened"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(directory)
        self._file: int | None = None
        self._path: Path | None = None
        """The segment that is written; None where a new one is to be begun."""
        self._end = 0
        """How many bytes of it are known to be on the disk."""
        self._rest = b""
        """What stands after them."""

    @property
    def where(self) -> str:
        """The directory."""
        return str(self._directory)

    @property
    def epoch(self) -> int:
        """None is too old: while this process has the lock, no other can write."""
        return 0

    def acknowledged(self) -> Iterator[Segment]:
        """All that was acknowledged: up to the last checkpoint."""
        with self._told("read"):
            found = paths(self._directory)
        for path in found:
            with self._told("read"):
                content = path.read_bytes()
            if path == found[-1]:
                self._path = path
                self._end = acknowledged(content)
                content, self._rest = content[: self._end], content[self._end :]
            yield Segment(path.name, content)

    def go_on(self, size: int, root: bytes) -> None:
        """Have on the disk what was read, and put aside what stands after it, which was never acknowledged."""
        if self._path is None:
            return
        with self._told("read"):
            if self._rest:
                _log.warning("%s ends with %d bytes that were never acknowledged", self._path, len(self._rest))
                self._put_aside(self._path)
            sync(self._path)
            sync(self._directory)
        self._roll()

    @property
    def odd(self) -> bytes | None:
        """The first whole line after the last checkpoint that is no record, None if there is none: it may have been a checkpoint."""
        *lines, _ = self._rest.split(b"\n")
        for line in lines:
            if line.startswith(WITHHELD):
                continue
            try:
                records.place(dsse.parsed(line))
            except dsse.Malformed:
                return line
        return None

    def append(self, batch: Batch) -> None:
        """Have it on the disk. Raises StoreDown where that is not certain: then it does not count, and the next one stands in its place."""
        try:
            with self._told("written"):
                if self._file is None:
                    self._file = self._opened(batch.first)
                write(self._file, batch.lines)
                os.fsync(self._file)
        except BaseException:
            # What of it is on the disk is not known, and after a failed sync a kernel may say of lost pages that they are clean: the
            # file is opened anew, and cut to where it was.
            self._close_file()
            with contextlib.suppress(OSError):
                if self._path is not None:
                    os.truncate(self._path, self._end)
            raise
        self._end += len(batch.lines)
        self._roll()

    def holds(self, batch: Batch) -> bool:
        """No: what could not be written is cut off before anything else is."""
        return False

    def withhold(self, gone: Ranges) -> None:
        """Write each file anew that has some of these records, and put it in the place of the one before."""
        if not gone:
            return
        self._close_file()
        with self._told("written"):
            for path, end in self._files():
                if ranges.touch(gone, int(path.stem), end):
                    self._write_without(path, gone)
            # They may have what was to be recorded once more, such as a name.
            for aside in self._directory.glob(_ASIDE):
                aside.unlink()
            sync(self._directory)

    def _files(self) -> Iterator[tuple[Path, int]]:
        """Each segment, and the first record after it that it cannot have."""
        found = paths(self._directory)
        return zip(found, [*(int(path.stem) for path in found[1:]), records.GREATEST], strict=False)

    def _write_without(self, path: Path, gone: Ranges) -> None:
        content = path.read_bytes()
        if path == self._path:
            content = content[: self._end]
        try:
            kept = without(content, gone)
        except Malformed as error:
            raise LogDamaged(f"the log in {self.where} is not as it was written: {path.name}: {error}") from error
        replace(path, kept)
        if path == self._path:
            self._end = len(kept)

    def close(self) -> None:
        """Close the files, and let another process have them."""
        self._close_file()
        os.close(self._lock)

    @contextlib.contextmanager
    def _told(self, done: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreDown(f"the log in {self.where} cannot be {done}: {error}") from error

    def _opened(self, sequence: int) -> int:
        if self._path is None:
            path = self._directory / f"{sequence:020}{_SUFFIX}"
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            sync(self._directory)
            self._path, self._end = path, 0
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.ftruncate(opened, self._end)
        except OSError:
            os.close(opened)
            raise
        return opened

    def _put_aside(self, path: Path) -> None:
        numbers = [int(each.suffix.rpartition("-")[2]) for each in self._directory.glob(_ASIDE)]
        aside = path.with_suffix(f".torn-{max(numbers, default=-1) + 1}")
        with aside.open("xb") as file:
            file.write(self._rest)
        sync(aside)
        os.truncate(path, self._end)

    def _roll(self) -> None:
        if self._end >= self._segment_bytes:
            self._close_file()
            self._path, self._end = None, 0

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None


def paths(directory: Path) -> list[Path]:
    """The segments in a directory, in order. Raises OSError."""
    return sorted(path for path in directory.iterdir() if NAME.fullmatch(path.name))


def acknowledged(content: bytes) -> int:
    """Up to the end of the last whole checkpoint: it is written last, so all before it was."""
    end = content.rfind(b"\n") + 1
    while end:
        begin = content.rfind(b"\n", 0, end - 1) + 1
        if content.startswith(CHECKPOINT, begin):
            return end
        end = begin
    return 0


def _locked(directory: Path) -> int:
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise StoreDown(f"another process has the log in {directory} open") from error
    return lock
