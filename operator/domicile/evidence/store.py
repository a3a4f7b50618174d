"""A log that is appended to: what was acknowledged is kept for good, in order and signed, whatever ends the process.

A batch is all that waits while the storage is busy: its lines, and a checkpoint that signs the root over all records so far, written
together. What is not in order when the log is opened was changed by somebody, or lost by the storage, and the log is not opened: a person
has to look.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from domicile.evidence import checkpoint, dsse, keys, ranges, records
from domicile.evidence.checkpoint import Checkpoint
from domicile.evidence.dsse import Envelope
from domicile.evidence.findings import Finding, Read, Report, Witnessed
from domicile.evidence.keys import PublicKey, Signer
from domicile.evidence.merkle import leaf
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import REMOVED, Content, Place
from domicile.evidence.storage import Batch, Home, LogDamaged, StaleEpoch, Storage, StoreDown
from domicile.evidence.verifying import held_against, verify
from domicile.evidence.withheld import Withheld, check_homes

_log = logging.getLogger(__name__)
_RANGES: Final = 10_000
"""In one record of what was removed."""
A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True)
class Receipt:
    """A record is kept."""

    sequence: int
    digest: str
    """Of its payload."""


class Log:
    """A log that is open for appending. `open_log` makes one."""

    def __init__(
        self,
        storage: Storage,
        origin: str,
        signer: Signer,
        keyring: Mapping[str, PublicKey],
        clock: Callable[[], datetime],
        at: Report,
        read: Read | None,
        homes: Mapping[str, Home],
    ) -> None:
        self._storage, self._origin, self._signer, self._clock = storage, origin, signer, clock
        self._keyring = keyring
        self._tree, self._last, self._epoch = at.tree, at.last, max(at.epoch, storage.epoch)
        self._register, self._found, self._homes = at.register, len(at.tree), homes
        self._unread = at.elsewhere
        self._read = read
        self._waiting: list[_Waiting] = []
        self._writer = ThreadPoolExecutor(1, "evidence")
        self._shut: StoreDown | StaleEpoch | LogDamaged | None = None
        """Why nothing is recorded any more; None while it is."""
        self._doubtful: _Batch | None = None
        """Of which it is not known whether it is kept."""
        self._writing: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._tree)

    @property
    def epoch(self) -> int:
        """In older terms than this nothing is recorded."""
        return self._epoch

    @property
    def removed(self) -> Ranges:
        """Records that are kept no longer, as it is said in it, as it was opened: nobody may count on them."""
        return self._register.removed

    @property
    def elsewhere(self) -> tuple[tuple[str, int], ...]:
        """Where records are kept that were not read, and how many, as it was opened."""
        return self._unread

    @property
    def ended(self) -> bool:
        """Whether nothing is recorded in it any more: it has to be opened anew."""
        return self._shut is not None

    def note(self) -> str:
        """A checkpoint of all that is kept."""
        return checkpoint.signed(Checkpoint(self._origin, len(self._tree), self._tree.root()), self._signer)

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """A proof for who kept the checkpoint of `old` records that the log begins with these."""
        return self._tree.consistency(old, len(self._tree))

    def held_against(self, kept: Witnessed) -> tuple[Finding, ...]:
        """What a checkpoint that somebody kept says against this log; empty if the log agrees with it. See verifying.PROOFS."""
        return held_against(self._origin, self._tree, self._keyring, kept)

    async def append(self, content: Content, epoch: int) -> Receipt:
        """Record it. It is kept for good when this returns. Raises StoreDown where that is not certain, StaleEpoch where somebody else
        opened the log or a later term has begun to record, LogDamaged where the storage is not as it was left, and records.NotRecordable for
        what has no form as a record. What is found later to be kept after all, `read` of `open_log` is given."""
        return (await self.append_all((content,), epoch))[0]

    async def append_all(self, contents: Sequence[Content], epoch: int) -> tuple[Receipt, ...]:
        """Record them one after the other, with nothing between them: all of them are kept, or none counts. Raises as `append`
        does."""
        bodies = tuple(records.check(content, epoch) for content in contents)
        check_homes(contents, self._homes)
        if self._shut is not None:
            raise type(self._shut)(*self._shut.args)
        if epoch < self._epoch:
            raise StaleEpoch(f"epoch {epoch} is over: epoch {self._epoch} has begun")
        self._epoch = epoch
        if not contents:
            return ()
        waiting = _Waiting(tuple(contents), bodies, epoch, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all(), name="evidence")
        return await waiting.receipts

    async def remove(self, gone: Ranges, why: Mapping[str, Any], epoch: int) -> None:
        """Keep these records no longer. That, and `why`, is a record itself before anything goes, unless it was recorded before, by somebody who
        did not live to do it. Of what was appended since this log was opened nothing can be removed. Raises as `append` does, and ValueError
        for records that there were not when it was opened."""
        if gone and not 0 <= gone[0][0] <= gone[-1][1] <= self._found:
            raise ValueError(f"there were {self._found} records, and not those from {gone[0][0]} to {gone[-1][1] - 1}")
        apart = {home: ranges.common(kept, gone) for home, kept in self._register.elsewhere.items()}
        for home, kept in apart.items():
            if kept and home not in self._homes:
                raise StoreDown(
                    f"{ranges.count(kept)} of the records are kept in {home}, and where that is was not given"
                )
        for home in self._homes.values():
            await self._blocking(home.remove, ())
        await self._blocking(self._storage.withhold, ())  # Whether it can be done at all, before it is said that it is.
        new = ranges.without(gone, self._register.removed)
        for begin in range(0, len(new), _RANGES):
            body = {**why, "ranges": [list(each) for each in new[begin : begin + _RANGES]]}
            await self.append(Content(REMOVED, "Log", records.digest(dsse.canonical(body)), body), epoch)
        for home, kept in apart.items():
            if kept:
                await self._blocking(self._homes[home].remove, [self._tree.leaf(each) for each in ranges.each(kept)])
        await self._blocking(self._storage.withhold, gone)

    async def close(self) -> None:
        """Let what waits be written, and give the log free for another process."""
        self._shut = self._shut or StoreDown("the log was closed")
        while self._writing is not None and not self._writing.done():
            await asyncio.wait([self._writing])
        self._writer.shutdown()
        for each in (self._storage, *self._homes.values()):
            each.close()

    async def _write_all(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await self._settle_doubt()
                batch = self._batch(waiting)
                for home, lines in batch.apart.items():
                    await self._blocking(self._homes[home].keep, lines)
                self._doubtful = batch
                await self._blocking(self._storage.append, batch.kept)
            except BaseException as error:
                _log.exception("evidence cannot be recorded")
                told = self._told(error)
                for each in (*waiting, *(self._waiting if self._shut else ())):
                    each.settle(type(told)(*told.args))
                if not isinstance(error, Exception):
                    raise
                continue
            self._count(batch)
            receipts = iter(batch.receipts)
            for each in waiting:
                each.settle(tuple(islice(receipts, len(each.contents))))

    def _told(self, error: BaseException) -> StoreDown | StaleEpoch | LogDamaged:
        """What who waits is told, and everybody after them where it cannot be mended."""
        if isinstance(error, StaleEpoch | LogDamaged):
            self._shut = error
            return error
        if not isinstance(error, Exception):
            # Cancelled: the storage goes on meanwhile, and nobody will know how far it came.
            self._shut = StoreDown("recording was broken off: the log has to be opened anew")
        return StoreDown(f"evidence cannot be recorded: {error}")

    async def _settle_doubt(self) -> None:
        """What could not be recorded for certain may have been all the same."""
        if (batch := self._doubtful) is None:
            return
        if not await self._blocking(self._storage.holds, batch.kept):
            self._doubtful = None
            return
        self._count(batch)
        _log.warning("records %d to %d are kept after all", batch.kept.first, batch.kept.size - 1)
        if self._read is not None:
            for envelope, place in batch.made:
                self._read(envelope, place)

    async def _blocking(self, call: Callable[[A], T], given: A) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, given)

    def _count(self, batch: "_Batch") -> None:
        self._doubtful = None
        for each in batch.leaves:
            self._tree.append(each)
        self._last = batch.receipts[-1].digest

    def _batch(self, waiting: Sequence["_Waiting"]) -> "_Batch":
        receipts, lines, leaves, last = list[Receipt](), list[bytes](), list[bytes](), self._last
        made, apart, run = list[tuple[Envelope, Place]](), dict[str, list[bytes]](), list[bytes]()
        every = ((*said, each.epoch) for each in waiting for said in zip(each.contents, each.bodies, strict=True))
        for sequence, (content, body, epoch) in enumerate(every, start=len(self._tree)):
            place = Place(sequence, last, self._clock(), epoch, self._origin)
            payload = records.payload(content, place, body)
            envelope, last = records.sealed(payload, self._signer), records.digest(payload)
            receipts.append(Receipt(sequence, last))
            leaves.append(leaf(envelope.signed))
            if content.home:
                apart.setdefault(content.home, []).append(envelope.line())
                run.append(leaves[-1])
                continue
            if run:
                lines.append(Withheld(sequence - len(run), tuple(run), place.previous).line())
                run = []
            lines.append(envelope.line())
            made.append((envelope, place))
        state = Checkpoint(self._origin, len(self._tree) + len(leaves), self._tree.root_with(leaves))
        lines.append(dsse.canonical({"checkpoint": checkpoint.signed(state, self._signer)}))
        kept = Batch(
            len(self._tree), state.size, state.root, b"".join(line + b"\n" for line in lines), waiting[-1].epoch
        )
        return _Batch(tuple(receipts), tuple(leaves), tuple(made), apart, kept)


@dataclass(frozen=True)
class _Waiting:
    contents: tuple[Content, ...]
    bodies: tuple[bytes, ...]
    """Of the contents, as they are written."""
    epoch: int
    receipts: asyncio.Future[tuple[Receipt, ...]]

    def settle(self, outcome: tuple[Receipt, ...] | Exception) -> None:
        """Unless who waits has gone."""
        if self.receipts.done():
            return
        if isinstance(outcome, Exception):
            self.receipts.set_exception(outcome)
        else:
            self.receipts.set_result(outcome)


@dataclass(frozen=True)
class _Batch:
    """Nothing of it counts before it is kept."""

    receipts: tuple[Receipt, ...]
    leaves: tuple[bytes, ...]
    made: tuple[tuple[Envelope, Place], ...]
    """The records that the log has itself."""
    apart: Mapping[str, Sequence[bytes]]
    """Lines of those that it has not, by where they are kept."""
    kept: Batch


def open_log(
    storage: Storage,
    origin: str,
    signer: Signer,
    clock: Callable[[], datetime],
    *,
    signed_before: Iterable[PublicKey] = (),
    witnesses: Iterable[Witnessed] = (),
    read: Read | None = None,
    homes: Mapping[str, Home] | None = None,
    read_homes: bool = False,
) -> Log:
    """Open the log that is kept in a storage, which is the log's from then on, and is closed where this raises. `signed_before` are the keys
    that signed it besides the signer's, `witnesses` checkpoints that others kept; `read` is given each record that is there already, and
    later each that is found to be kept though `append` could not tell; `homes` are where records are kept that it has not itself, by name, of
    which `read` is given none, unless `read_homes` asks for them. Blocks while all of it is read. Raises StoreDown where it cannot be
    read, LogDamaged where it is not as it was written, and StaleEpoch where somebody else opened it meanwhile."""
    try:
        if not checkpoint.is_name(origin):
            raise StoreDown(f"a log cannot be named {origin!r}: signed notes have names without spaces and plus signs")
        keyring = keys.by_id((signer.public, *signed_before))
        if keyring[signer.public.keyid].until is not None:
            raise StoreDown(f"key {signer.public.keyid} was revoked: nothing can be recorded with it")
        apart = {home: each.kept() for home, each in (homes or {}).items()} if read_homes else None
        report = verify(origin, storage.acknowledged(), keyring, witnesses, read, apart)
        _refuse_damage(storage.where, report, storage.odd)
        storage.go_on(len(report.tree), report.tree.root())
    except BaseException:
        for each in (storage, *(homes or {}).values()):
            each.close()
        raise
    return Log(storage, origin, signer, keyring, clock, report, read, homes or {})


def _refuse_damage(where: str, report: Report, odd: bytes | None) -> None:
    for found in report.findings:
        if found.reason == "ClockWentBack":
            # Told, and gone on with: clocks are set, and it is for an auditor to ask why.
            _log.warning("the log in %s: %s", where, found.message)
    if damage := [found for found in report.findings if found.reason != "ClockWentBack"]:
        first, *others = damage
        more = f", and {len(others)} more" if others else ""
        raise LogDamaged(f"the log in {where} is not as it was written: {first.message}{more}")
    if odd is not None:
        raise LogDamaged(
            f"the log in {where} is not as it was written: a line after its last checkpoint is no record, and may have been one"
        )
