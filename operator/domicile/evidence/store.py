"""The embedded store: a log of segments on a volume, for one process. What was acknowledged is on the disk, whatever ends the process.

A batch is all that waits while the disk is busy: its lines, and a checkpoint that signs the root over all records so far, written and
synced together. What stands after the last checkpoint was never acknowledged: once the rest is found to be as it was written, it is put
aside, and the log goes on before it. What is not in order before that was changed by somebody, or lost by the disk, and the log is not
opened: a person has to look.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

from domicile.evidence import checkpoint, dsse, keys, records
from domicile.evidence.checkpoint import Checkpoint
from domicile.evidence.keys import PublicKey, Signer
from domicile.evidence.merkle import leaf
from domicile.evidence.records import Content, Place
from domicile.evidence.verifying import CHECKPOINT, Read, Report, Segment, Witnessed, verify

_log = logging.getLogger(__name__)

SEGMENT_BYTES: Final = 64 << 20
"""A segment that has so many is the last of its name: a new one is begun."""
_SUFFIX: Final = ".jsonl"
_NAME: Final = re.compile(rf"[0-9]{{20}}{re.escape(_SUFFIX)}")
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
        self._writer = ThreadPoolExecutor(1, "evidence")
        self._shut = ""
        """Why nothing is recorded any more; empty while it is."""
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
        """Record it. It is on the disk when this returns. Raises StoreDown where that is not certain, StaleEpoch where a later term
        has begun to record, and records.NotRecordable for what has no form as a record."""
        return (await self.append_all((content,), epoch))[0]

    async def append_all(self, contents: Sequence[Content], epoch: int) -> tuple[Receipt, ...]:
        """Record them one after the other, with nothing between them: all of them are on the disk, or none counts. Raises as `append`
        does."""
        for content in contents:
            records.check(content, epoch)
        if self._shut:
            raise StoreDown(self._shut)
        if epoch < self._epoch:
            raise StaleEpoch(f"epoch {epoch} is over: epoch {self._epoch} has recorded")
        self._epoch = epoch
        if not contents:
            return ()
        waiting = _Waiting(tuple(contents), epoch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="evidence")
        return await waiting.receipts

    async def close(self) -> None:
        """Let what waits be written, and give the log free for another process."""
        self._shut = self._shut or "the log was closed"
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        self._writer.shutdown()
        self._segments.close()

    async def _write_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                batch = self._batch(waiting)
                await asyncio.get_running_loop().run_in_executor(
                    self._writer, self._segments.append, batch.lines, len(self._tree)
                )
            except BaseException as error:
                if not isinstance(error, Exception):
                    # Cancelled: the disk goes on meanwhile, and nobody will know how far it came.
                    self._shut = "recording was broken off: the log has to be opened anew"
                _log.exception("evidence cannot be recorded")
                for each in (*waiting, *(self._waiting if self._shut else ())):
                    each.settle(StoreDown(f"evidence cannot be recorded: {error}"))
                if not isinstance(error, Exception):
                    raise
                continue
            for each in batch.leaves:
                self._tree.append(each)
            self._last = batch.receipts[-1].digest
            receipts = iter(batch.receipts)
            for each in waiting:
                each.settle(tuple(islice(receipts, len(each.contents))))

    def _batch(self, waiting: Iterable["_Waiting"]) -> "_Batch":
        receipts, lines, leaves, last = list[Receipt](), list[bytes](), list[bytes](), self._last
        every = ((content, each.epoch) for each in waiting for content in each.contents)
        for sequence, (content, epoch) in enumerate(every, start=len(self._tree)):
            payload = records.payload(content, Place(sequence, last, self._clock(), epoch, self._origin))
            envelope, last = records.sealed(payload, self._signer), records.digest(payload)
            receipts.append(Receipt(sequence, last))
            leaves.append(leaf(envelope.signed))
            lines.append(envelope.line())
        state = Checkpoint(self._origin, len(self._tree) + len(leaves), self._tree.root_with(leaves))
        lines.append(dsse.canonical({"checkpoint": checkpoint.signed(state, self._signer)}))
        return _Batch(tuple(receipts), tuple(leaves), b"".join(line + b"\n" for line in lines))


@dataclass(frozen=True)
class _Waiting:
    contents: tuple[Content, ...]
    epoch: int
    receipts: asyncio.Future[tuple[Receipt, ...]]

    def settle(self, outcome: tuple[Receipt, ...] | StoreDown) -> None:
        """Unless who waits has gone."""
        if self.receipts.done():
            return
        if isinstance(outcome, StoreDown):
            self.receipts.set_exception(outcome)
        else:
            self.receipts.set_result(outcome)


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
        self._rest = b""
        """What stands after them."""

    def paths(self) -> tuple[Path, ...]:
        """All segments, in order."""
        return tuple(sorted(path for path in self._directory.iterdir() if _NAME.fullmatch(path.name)))

    def acknowledged(self) -> Iterator[Segment]:
        """All that was acknowledged: up to the last checkpoint."""
        for path in self.paths():
            content = path.read_bytes()
            if path == self._path:
                self._end = _acknowledged(content)
                content, self._rest = content[: self._end], content[self._end :]
            yield Segment(path.name, content)

    def go_on(self) -> None:
        """Have on the disk what was read, and put aside what stands after it, which was never acknowledged."""
        if self._path is not None:
            if self._rest:
                _log.warning("%s ends with %d bytes that were never acknowledged", self._path, len(self._rest))
                self._put_aside(self._path)
            _sync(self._path)
            _sync(self._directory)
            self._roll()

    @property
    def odd(self) -> bytes | None:
        """The first whole line after the last checkpoint that is no record, None if there is none: it may have been a checkpoint."""
        *lines, _ = self._rest.split(b"\n")
        for line in lines:
            try:
                records.place(dsse.parsed(line))
            except dsse.Malformed:
                return line
        return None

    def append(self, lines: bytes, sequence: int) -> None:
        """Have the lines on the disk; `sequence` is that of the first record in them. Raises OSError where that is not certain: then
        they do not count, and the next ones stand in their place."""
        try:
            if self._file is None:
                self._file = self._opened(sequence)
            _write(self._file, lines)
            os.fsync(self._file)
        except BaseException:
            # What of it is on the disk is not known, and after a failed sync a kernel may say of lost pages that they are clean: the
            # file is opened anew, and cut to where it was.
            self._close_file()
            with contextlib.suppress(OSError):
                if self._path is not None:
                    os.truncate(self._path, self._end)
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

    def _put_aside(self, path: Path) -> None:
        number = len(list(self._directory.glob("*.torn-*")))
        aside = path.with_suffix(f".torn-{number}")
        with aside.open("xb") as file:
            file.write(self._rest)
        _sync(aside)
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


def open_log(
    directory: Path,
    origin: str,
    signer: Signer,
    clock: Callable[[], datetime],
    *,
    signed_before: Iterable[PublicKey] = (),
    witnesses: Iterable[Witnessed] = (),
    read: Read | None = None,
    segment_bytes: int = SEGMENT_BYTES,
) -> Log:
    """Open the log in a directory, which is made where it is missing. `signed_before` are the keys that signed it besides the signer's,
    `witnesses` checkpoints that others kept; `read` is given each record that is there already. Raises StoreDown where another process has it open or it cannot be read, and LogDamaged where
    it is not as it was written."""
    if not checkpoint.is_name(origin):
        raise StoreDown(f"a log cannot be named {origin!r}: signed notes have names without spaces and plus signs")
    keyring = keys.by_id((signer.public, *signed_before))
    if keyring[signer.public.keyid].until is not None:
        raise StoreDown(f"key {signer.public.keyid} was revoked: nothing can be recorded with it")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        segments = Segments(directory, segment_bytes)
    except OSError as error:
        raise StoreDown(f"the log in {directory} cannot be opened: {error}") from error
    try:
        report = verify(origin, segments.acknowledged(), keyring, witnesses, read)
        _refuse_damage(directory, report, segments.odd)
        segments.go_on()
    except OSError as error:
        segments.close()
        raise StoreDown(f"the log in {directory} cannot be read: {error}") from error
    except BaseException:
        segments.close()
        raise
    return Log(segments, origin, signer, clock, report)


def _refuse_damage(directory: Path, report: Report, odd: bytes | None) -> None:
    for found in report.findings:
        if found.reason == "ClockWentBack":
            # Told, and gone on with: clocks are set, and it is for an auditor to ask why.
            _log.warning("the log in %s: %s", directory, found.message)
    if damage := [found for found in report.findings if found.reason != "ClockWentBack"]:
        first, *others = damage
        more = f", and {len(others)} more" if others else ""
        raise LogDamaged(f"the log in {directory} is not as it was written: {first.message}{more}")
    if odd is not None:
        raise LogDamaged(
            f"the log in {directory} is not as it was written: a line after its last checkpoint is no record, and may have been one"
        )


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
