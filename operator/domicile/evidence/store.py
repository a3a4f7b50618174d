"""The embedded store: a log of segments on a volume, for one process. What was acknowledged is on the disk, whatever ends the process.

A batch is all that waits while the disk is busy: its lines, and a checkpoint that signs the root over all records so far, written and
synced together. What stands after the last checkpoint was never acknowledged. It is put aside when the log is opened, and not read as part
of it; what is not in order before that was changed by somebody, and the log is not opened.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from domicile.evidence import checkpoint, dsse, keys, records
from domicile.evidence.checkpoint import Checkpoint
from domicile.evidence.keys import PublicKey, Signer
from domicile.evidence.merkle import leaf
from domicile.evidence.records import Content, Place
from domicile.evidence.verifying import CHECKPOINT, Report, Segment, Witnessed, verify

_log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 64 << 20
"""A segment that has so many is the last of its name: a new one is begun."""
_SUFFIX: Final = ".jsonl"
_LOCK: Final = "lock"


class StoreDown(Exception):
    """Nothing can be recorded now, and so nothing may be done."""


class StaleEpoch(Exception):
    """Somebody recorded in a later term of the hub: who appends leads no more."""


class LogDamaged(Exception):
    """The log on the disk is not as it was written."""


@dataclass(frozen=True)
class Receipt:
    """A record is on the disk."""

    sequence: int
    digest: str
    """Of its payload."""


class Log:
    """A log that is open for appending. `open_log` makes one."""

    def __init__(
        self, segments: "Segments", origin: str, signer: Signer, clock: Callable[[], datetime], at: Report
    ) -> None:
        self._segments, self._origin, self._signer, self._clock = segments, origin, signer, clock
        self._tree, self._last, self._epoch = at.tree, at.last, at.epoch
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tree)

    def note(self) -> str:
        """A checkpoint of all that is on the disk."""
        return checkpoint.signed(Checkpoint(self._origin, len(self._tree), self._tree.root()), self._signer)

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """A proof for who kept the checkpoint of `old` records that the log begins with these."""
        return self._tree.consistency(old, len(self._tree))

    async def append(self, content: Content, epoch: int) -> Receipt:
        """Record it. It is on the disk when this returns. Raises StoreDown where that is not certain, and StaleEpoch where a later term
        has begun to record."""
        if epoch < self._epoch:
            raise StaleEpoch(f"epoch {epoch} is over: epoch {self._epoch} has recorded")
        self._epoch = epoch
        waiting = _Waiting(content, epoch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="evidence")
        return await waiting.receipt

    async def close(self) -> None:
        """Let what waits be written, and give the log free for another process."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        self._segments.close()

    async def _write_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            batch = self._batch(waiting)
            try:
                await asyncio.to_thread(self._segments.append, batch.lines, len(self._tree))
            except OSError as error:
                _log.error("evidence cannot be recorded: %s", error)
                for each in waiting:
                    each.settle(StoreDown(f"evidence cannot be recorded: {error}"))
                continue
            for each in batch.leaves:
                self._tree.append(each)
            self._last = batch.receipts[-1].digest
            for each, receipt in zip(waiting, batch.receipts, strict=True):
                each.settle(receipt)

    def _batch(self, waiting: Iterable["_Waiting"]) -> "_Batch":
        receipts, lines, leaves, last = list[Receipt](), list[bytes](), list[bytes](), self._last
        for sequence, each in enumerate(waiting, start=len(self._tree)):
            payload = records.payload(each.content, Place(sequence, last, self._clock(), each.epoch))
            envelope, last = records.sealed(payload, self._signer), records.digest(payload)
            receipts.append(Receipt(sequence, last))
            leaves.append(leaf(envelope.signed))
            lines.append(envelope.line())
        state = Checkpoint(self._origin, len(self._tree) + len(leaves), self._tree.root_with(leaves))
        lines.append(dsse.canonical({"checkpoint": checkpoint.signed(state, self._signer)}))
        return _Batch(tuple(receipts), tuple(leaves), b"".join(line + b"\n" for line in lines))


@dataclass(frozen=True)
class _Waiting:
    content: Content
    epoch: int
    receipt: asyncio.Future[Receipt]

    def settle(self, outcome: Receipt | StoreDown) -> None:
        """Unless who waits has gone."""
        if self.receipt.done():
            return
        if isinstance(outcome, StoreDown):
            self.receipt.set_exception(outcome)
        else:
            self.receipt.set_result(outcome)


@dataclass(frozen=True)
class _Batch:
    """Nothing of it counts before it is on the disk."""

    receipts: tuple[Receipt, ...]
    leaves: tuple[bytes, ...]
    lines: bytes


class Segments:
    """The files, of which one process writes the last."""

    def __init__(self, directory: Path, segment_bytes: int) -> None:
        self._directory, self._segment_bytes = directory, segment_bytes
        self._lock = _locked(directory)
        self._file: int | None = None
        self._path = max(self.paths(), default=None)
        """The segment that is written; None where a new one is to be begun."""
        self._end = 0
        """How many bytes of it are known to be on the disk."""

    def paths(self) -> tuple[Path, ...]:
        """All segments, in order."""
        return tuple(sorted(self._directory.glob(f"*{_SUFFIX}")))

    def recovered(self) -> tuple[Segment, ...]:
        """All that was acknowledged. What stands after it in the last segment is put aside, and cut off."""
        found = [Segment(path.name, path.read_bytes()) for path in self.paths()]
        if self._path is not None:
            content = found[-1].content
            self._end = _acknowledged(content)
            found[-1] = Segment(self._path.name, content[: self._end])
            if self._end < len(content):
                _log.warning("%s ends with %d bytes that were never acknowledged", self._path, len(content) - self._end)
                self._put_aside(content[self._end :])
            self._roll()
        return tuple(found)

    def append(self, lines: bytes, sequence: int) -> None:
        """Have the lines on the disk; `sequence` is that of the first record in them. Raises OSError where that is not certain: then
        they do not count, and the next ones stand in their place."""
        try:
            if self._file is None:
                self._file = self._opened(sequence)
            _write(self._file, lines)
            os.fsync(self._file)
        except OSError:
            # What of it is on the disk is not known, and after a failed sync a kernel may say of lost pages that they are clean: the
            # file is opened anew, and cut to where it was.
            self._close_file()
            raise
        self._end += len(lines)
        self._roll()

    def close(self) -> None:
        """Close the files, and let another process have them."""
        self._close_file()
        os.close(self._lock)

    def _opened(self, sequence: int) -> int:
        if self._path is None:
            path = self._directory / f"{sequence:020}{_SUFFIX}"
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            _sync(self._directory)
            self._path, self._end = path, 0
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            os.ftruncate(opened, self._end)
        except OSError:
            os.close(opened)
            raise
        return opened

    def _put_aside(self, rest: bytes) -> None:
        assert self._path is not None
        aside = self._path.with_suffix(f".torn-at-{self._end}")
        aside.write_bytes(rest)
        _sync(aside)
        os.truncate(self._path, self._end)
        _sync(self._path)
        _sync(self._directory)

    def _roll(self) -> None:
        if self._end >= self._segment_bytes:
            self._close_file()
            self._path, self._end = None, 0

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = None


def open_log(
    directory: Path,
    origin: str,
    signer: Signer,
    clock: Callable[[], datetime],
    *,
    signed_before: Iterable[PublicKey] = (),
    witnesses: Iterable[Witnessed] = (),
    segment_bytes: int = SEGMENT_BYTES,
) -> Log:
    """Open the log in a directory, which is made where it is missing. `signed_before` are the keys that signed it besides the signer's,
    `witnesses` checkpoints that others kept. Raises StoreDown where another process has it open or it cannot be read, and LogDamaged where
    it is not as it was written."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        segments = Segments(directory, segment_bytes)
    except OSError as error:
        raise StoreDown(f"the log in {directory} cannot be opened: {error}") from error
    try:
        keyring = keys.by_id((signer.public, *signed_before))
        report = verify(origin, segments.recovered(), keyring, witnesses)
    except OSError as error:
        segments.close()
        raise StoreDown(f"the log in {directory} cannot be read: {error}") from error
    for found in report.findings:
        if found.reason == "ClockWentBack":
            # Told, and gone on with: clocks are set, and it is for an auditor to ask why.
            _log.warning("the log in %s: %s", directory, found.message)
    if damage := [found for found in report.findings if found.reason != "ClockWentBack"]:
        segments.close()
        first, *others = damage
        more = f", and {len(others)} more" if others else ""
        raise LogDamaged(f"the log in {directory} is not as it was written: {first.message}{more}")
    return Log(segments, origin, signer, clock, report)


def _acknowledged(content: bytes) -> int:
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


def _write(file: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
