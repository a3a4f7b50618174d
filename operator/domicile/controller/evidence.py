"""Evidence, as the controller keeps it: what is decided is on record before anything of it is done, and what came of it after.

While nothing can be recorded nothing is placed. What has to go goes all the same, and is recorded once that can be done again."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from domicile import audit, decision
from domicile.audit import Ended, Intent, Ledger, running
from domicile.decision import Plan, Snapshot
from domicile.decision.plan import Act
from domicile.evidence import records
from domicile.evidence.dsse import Envelope
from domicile.evidence.findings import PROOFS, Read, Witnessed
from domicile.evidence.records import Content, NotRecordable, Place
from domicile.evidence.store import Log, LogDamaged, StaleEpoch, StoreDown
from domicile.residency import Law

log = logging.getLogger(__name__)

_FIRST_TRY, _LAST_TRY = 1.0, 30.0
"""Seconds between two attempts to record again."""
_OPENED_WITHIN = 5.0
"""Seconds that a process waits for its log before it begins to look after models."""
_NOT_OPEN = "the log is not open yet"
_NO_FORM = (ValueError, TypeError, RecursionError)
"""What is raised where something that was seen has no form as a record, NotRecordable among it. It must not keep from going what has to."""


class Opening(Protocol):
    """Opens the log of a hub."""

    def __call__(self, hub: str, epoch: int, read: Read) -> Log:
        """The log of the hub with that UID, for that term; `read` is given what is in it. Raises StoreDown, StaleEpoch or LogDamaged."""
        ...


class NotRecorded(Exception):
    """It could not be recorded, and so must not be done."""


@dataclass(frozen=True)
class Recorded:
    """A decision, by which its acts are known."""

    uid: str
    """Of the model."""
    subject: str
    intents: Mapping[audit.ActKey, Intent] = field(default_factory=dict[audit.ActKey, Intent])
    """Empty where nothing could be recorded."""
    digest: str = ""
    """Of the record; empty where none was made."""


def unrecorded(seen: Snapshot) -> Recorded:
    """Of a model of which nothing was recorded."""
    return Recorded(seen.ref.uid, audit.subject_of(seen.ref))


@dataclass
class Evidence:
    """One log, of one process that leads."""

    opening: Opening
    hub: Callable[[], str]
    """UID of the hub; empty while it is not known."""
    epoch: Callable[[], int]
    """Of the term that goes on."""
    models: Callable[[], Collection[str]]
    """UIDs of the models that there are."""
    about: Mapping[str, str]
    """Who records: identity and version."""
    clock: Callable[[], datetime]
    changed: Callable[[], None]
    """Called when recording became impossible, or possible again."""
    regions: Collection[str] = ()
    """Jurisdictions of which the details are kept in places of their own."""
    salt: Callable[[], str] = field(default=lambda: secrets.token_hex(16))
    """Chance, so that nobody finds a name by its digest."""
    down: str = _NOT_OPEN
    """Why nothing can be recorded; empty while it can. The first reason stands until it can again."""
    _witnesses: dict[str, str] = field(default_factory=dict[str, str])
    """By member: the checkpoint that it keeps."""
    _against: dict[str, str] = field(default_factory=dict[str, str])
    """By member: what its checkpoint says against the log."""
    _log: Log | None = None
    _homes: tuple[Law | None, Mapping[str, str]] = (None, MappingProxyType({}))
    """Of which law that is, and where it has details of members kept, by UID."""
    _ledger: Ledger = field(default_factory=Ledger)
    _kept: audit.Kept = field(default_factory=audit.Kept)
    _standing: dict[str, Recorded] = field(default_factory=dict[str, Recorded])
    """By UID of the model: the last decision. Its acts are done again by it, as long as it stands."""
    _law: Law | None = None
    """The last one of which nothing is to be recorded any more."""
    _inherited: dict[str, tuple[Intent, ...]] = field(default_factory=dict[str, tuple[Intent, ...]])
    """By UID of the model: acts that another process began, until all of them are settled."""
    _owed: list[Content] = field(default_factory=list[Content])
    """What was done and could not be recorded yet."""
    _tried: asyncio.Event = field(default_factory=asyncio.Event)
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def unrecordable(self) -> str:
        """Why nothing can be placed for want of a record: there is none, or members know of another one. Empty where it can."""
        return self.down or next((self._against[member] for member in sorted(self._against)), "")

    @property
    def head(self) -> str:
        """A checkpoint for members to keep; empty while there is none that they could."""
        return "" if self._log is None or self.unrecordable else self._log.note()

    def kept(self, member: str, note: str) -> None:
        """A member keeps that checkpoint of the log, or none. Where the log does not go on from it nothing is placed anywhere: records
        were lost, or history was written anew, and a person has to look."""
        if note:
            self._witnesses[member] = note
        else:
            self._witnesses.pop(member, None)
        self._compare(member)

    def _compare(self, member: str) -> None:
        before = self.unrecordable
        self._against.pop(member, None)
        note = self._witnesses.get(member, "")
        found = self._log.held_against(Witnessed(member, note)) if self._log is not None and note else ()
        for each in found:
            log.error("%s keeps a checkpoint that does not fit the log: %s", member, each.message)
            # What is not signed with our keys anybody may have put there: that must not hold all the others up.
            if each.reason in PROOFS:
                self._against[member] = each.message
        if bool(before) != bool(self.unrecordable):
            self.changed()

    async def keep(self) -> None:
        """Open the log, and whenever recording fails, try until it can be done again. Until cancelled."""
        while True:
            self._again.clear()
            wait = _FIRST_TRY
            while self.down:
                await self._try()
                self._tried.set()
                if self.down:
                    await asyncio.sleep(wait)
                    wait = min(wait * 2, _LAST_TRY)
            await self._again.wait()

    async def tried(self) -> None:
        """Wait until it was tried to open the log, for some seconds at the most: a long log takes longer, and what has to go does not
        wait for it."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._tried.wait(), _OPENED_WITHIN)

    async def close(self) -> None:
        """Give the log free for another process."""
        if self._log is not None:
            await self._log.close()
            self._log = None

    async def settle(self, seen: Snapshot) -> None:
        """Before anything else is done with the model: find out what became of what another process began on it."""
        uid = seen.ref.uid
        if uid not in self._inherited or self.unrecordable:
            return
        await self._end(uid, audit.settle(self._left_of(uid), seen))
        if not self._left_of(uid):
            del self._inherited[uid]

    async def decided(self, plan: Plan, seen: Snapshot, now: datetime) -> Recorded:
        """Record a decision, and where the model's pods are now; nothing is recorded where that says nothing new. While it is known that nothing
        can be, one that places nothing is let pass without a record. Raises NotRecorded where it cannot be recorded otherwise, also because
        another process leads."""
        uid = seen.ref.uid
        keys = [key for act in plan.acts if (key := audit.key_of(act)) is not None]
        standing = self._standing.get(uid)
        if plan.status == seen.model.status and (not keys or (standing and set(keys) <= standing.intents.keys())):
            await self._ran(seen)
            return standing or unrecorded(seen)
        if self.unrecordable:
            if any(isinstance(act, decision.Place) for act in plan.acts):
                raise NotRecorded(self.unrecordable)
            return unrecorded(seen)
        begun = dict(self._open_of(uid))
        no_more = audit.overtaken((intent for key, intent in begun.items() if key not in keys), seen)
        carried = {str(i): [begun[key].decision, begun[key].act] for i, key in enumerate(keys) if key in begun}
        context = {"uid": uid, "carried": carried, **self.about}
        try:
            bag = self._bag(seen.engine.law)
            law = self._changes(seen.engine.law, bag)
            ran = self._running(seen, bag)
            *values, decided = audit.contents(audit.account(seen, plan, now, bag), context)
            ends = [audit.ended(uid, intent, how) for intent, how in no_more]
            digests = await self._append([*values, *law, *ends, *ran, decided])
        except (StoreDown, *_NO_FORM) as error:
            raise NotRecorded(str(error)) from error
        self._standing[uid] = replace(unrecorded(seen), intents=dict(self._open_of(uid)), digest=digests[-1])
        return self._standing[uid]

    async def _ran(self, seen: Snapshot) -> None:
        """Record where the model's pods are, without a decision. Where that cannot be done the next look does it."""
        if self.unrecordable:
            return
        bag = self._bag(seen.engine.law)
        found = self._running(seen, bag)
        if found:
            with contextlib.suppress(StoreDown):
                await self._append([*audit.of_values(bag.values, bag.apart), *found])

    def _running(self, seen: Snapshot, bag: audit.Bag) -> tuple[Content, ...]:
        """Where the model's pods are, as far as it is not recorded. What has no form as a record is left out: nothing waits for it."""
        subject = audit.subject_of(seen.ref)
        found: list[Content] = []
        for body in running.changed(self._ledger.running.get(seen.ref.uid, {}), seen):
            try:
                content = running.ran(subject, running.apart(body, bag))
                records.check(content, self.epoch())
                found.append(content)
            except _NO_FORM:
                log.exception("the nodes of %s on %s have no form as a record", subject, body["cluster"][0])
        return tuple(found)

    async def law(self, law: Law) -> None:
        """Record what governance changed since it was last recorded."""
        bag = self._bag(law)
        found = () if self.unrecordable else self._changes(law, bag)
        if found:
            # Once recording is possible again everything is looked at anew.
            with contextlib.suppress(StoreDown):
                await self._append([*audit.of_values(bag.values, bag.apart), *found])

    def _changes(self, law: Law, bag: audit.Bag) -> tuple[Content, ...]:
        if law is self._law:
            return ()
        found = audit.changes(self._ledger.law, law, bag)
        if found is None:
            self._law = law
            return ()
        return (found,)

    def _bag(self, law: Law) -> audit.Bag:
        if self._homes[0] is not law:
            self._homes = (law, audit.homes_of(law, self.regions))
        return audit.Bag(self._ledger.recorded, self._kept, self._named, self._homes[1])

    def _named(self, name: str) -> audit.Value:
        """What is recorded of a name: the same as before, unless that was removed."""
        found = self._ledger.names.get(name)
        if found is None:
            found = self._ledger.names[name] = audit.value_of_name(name, self.salt())
        return found

    async def done(self, decided: Recorded, act: Act, *wrote: str) -> None:
        """Record that an act was carried out, and what was written for it. Once it was, only what is written again is."""
        key = audit.key_of(act) or ()
        begun = self._open_of(decided.uid).get(key)
        intent = decided.intents.get(key, begun)
        if intent is None:
            await self._tell(audit.late(decided.uid, decided.subject, act, self.clock(), wrote))
        elif wrote or begun == intent:
            await self._tell(audit.ended(decided.uid, intent, "Done", wrote))
        if isinstance(act, decision.ReleaseFinalizer):
            self._standing.pop(decided.uid, None)

    async def failed(self, decided: Recorded, act: Act, reason: str, message: str) -> None:
        """Record that an act was tried, and why it did not go through."""
        key = audit.key_of(act) or ()
        intent = decided.intents.get(key, self._open_of(decided.uid).get(key))
        if intent is not None:
            await self._tell(audit.attempted(decided.uid, intent, reason, message))

    def _open_of(self, uid: str) -> Mapping[audit.ActKey, Intent]:
        """Acts on the model that were begun and not ended."""
        return self._ledger.open.get(uid, {})

    def _left_of(self, uid: str) -> list[Intent]:
        """Of those that another process began."""
        begun = self._open_of(uid)
        return [intent for intent in self._inherited[uid] if begun.get(intent.key) == intent]

    async def _end(self, uid: str, settled: Sequence[tuple[Intent, Ended]]) -> None:
        for intent, how in settled:
            await self._tell(audit.ended(uid, intent, how))

    async def _tell(self, outcome: Content) -> None:
        """Record what is so already. Where that cannot be done now, it is owed."""
        try:
            # What is owed and has no form would keep all that is owed from being written.
            records.check(outcome, self.epoch())
            if not self.down:
                await self._append([outcome])
                return
        except StoreDown:
            pass
        except NotRecordable:
            log.exception("%s of %s has no form as a record", outcome.kind, outcome.subject)
            return
        self._owed.append(outcome)

    async def _append(self, contents: Sequence[Content]) -> Sequence[str]:
        """Digests of the records. Raises StoreDown, also where another process leads, and NotRecordable."""
        if self._log is None:
            raise StoreDown(self.down)
        try:
            receipts = await self._log.append_all(contents, self.epoch())
        except (StoreDown, StaleEpoch, LogDamaged) as error:
            self._fail(str(error))
            raise StoreDown(str(error)) from error
        for content, receipt in zip(contents, receipts, strict=True):
            if content.home:
                continue  # What says so before it counts.
            self._ledger.take(receipt.digest, content.kind, content.subject, content.body, receipt.sequence)
        return [receipt.digest for receipt in receipts]

    def _fail(self, why: str) -> None:
        if self.down in ("", _NOT_OPEN):
            log.error("nothing can be recorded, and so nothing is placed: %s", why)
            self.down = why
            self._again.set()
            self.changed()

    async def _try(self) -> None:
        """Have the log open, and record that there is somebody who records, and what is owed."""
        try:
            if self._log is not None and self._log.ended:
                await self.close()
            if self._log is None:
                await self._open()
            await self._append([self._term()])
            while self._owed:
                await self._pay()
        except (StoreDown, StaleEpoch, LogDamaged) as error:
            self._fail(str(error))
            return
        self.down = ""
        log.info("decisions are recorded: the log has %d records", len(self._log) if self._log is not None else 0)
        self.changed()

    async def _pay(self) -> None:
        owed, self._owed = self._owed, []
        try:
            await self._append(owed)
        except BaseException:
            self._owed = [*owed, *self._owed]
            raise

    async def _open(self) -> None:
        hub, ledger = self.hub(), Ledger()
        if not hub:
            raise StoreDown("the hub's namespace kube-system is not known")

        def read(envelope: Envelope, place: Place) -> None:
            try:
                found = audit.record(envelope, place)
                ledger.take(found.digest, found.kind, found.subject, found.body, found.sequence)
            except audit.ODD as error:
                raise LogDamaged(audit.odd(place, error)) from error

        opened = await asyncio.get_running_loop().run_in_executor(None, lambda: self.opening(hub, self.epoch(), read))
        self._log = opened
        ledger.forget(opened.removed)
        self._ledger, self._law = ledger, None
        for member in self._witnesses:
            self._compare(member)
        there = frozenset(self.models())
        self._inherited = {uid: tuple(acts.values()) for uid, acts in ledger.open.items() if uid in there}
        for uid, acts in ledger.open.items():
            if uid in there:
                continue
            self._owed += [audit.ended(uid, intent, how) for intent, how in audit.of_the_gone(acts.values())]

    def _term(self) -> Content:
        body = {**self.about, "epoch": self.epoch()}
        return Content(audit.TERM, f"Hub/{self.hub()}", audit.digest_of(body), body)
