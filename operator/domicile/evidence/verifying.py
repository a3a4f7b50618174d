"""Whether a log is as it was written: offline, from its segments, the public keys, and checkpoints that others kept. Pure.

Each way of tampering has a finding of its own. What was found does not end the look: all of it is told.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from domicile.evidence import checkpoint, dsse, ranges, records, withheld
from domicile.evidence.checkpoint import CHECKPOINT, Checkpoint, NotACheckpoint, Note
from domicile.evidence.dsse import Malformed, canonical, read_object, shown
from domicile.evidence.findings import Finding, Read, Reason, Report, Segment, Witnessed
from domicile.evidence.keys import PublicKey
from domicile.evidence.merkle import Tree, leaf
from domicile.evidence.records import Place
from domicile.evidence.withheld import WITHHELD, Register

MOST_OF_A_SORT: Final = 100
"""Findings of one reason that are told one by one. Of the rest it is said how many there are."""


def verify(
    origin: str,
    segments: Iterable[Segment],
    keys: Mapping[str, PublicKey],
    witnesses: Iterable[Witnessed] = (),
    read: Read | None = None,
    apart: Mapping[str, Iterable[bytes]] | None = None,
) -> Report:
    """Look through a log, which `origin` names. `keys` are those that signed it, by keyid, and `apart` the lines of what is kept elsewhere, by
    its name. Raises nothing for what is in it."""
    homes = apart or {}
    look = _Look(origin, keys, read or _unread, apart=_by_leaf(homes.values()))
    for segment in segments:
        look.through(segment)
    look.end(homes)
    agreeing = [(each.where, size) for each in witnesses if (size := look.witness(each)) is not None]
    root = look.tree.root() if look.whole else None
    register = look.register
    kept = ((home, ranges.count(register.kept_in(home))) for home in sorted(register.elsewhere))
    return Report(
        tuple(look.told()),
        look.expected,
        root,
        tuple(agreeing),
        removed=ranges.count(ranges.without(register.removed, register.still_shown())),
        elsewhere=tuple((home, number) for home, number in kept if number),
        register=register,
        tree=look.tree,
        last=look.digest or records.NOTHING,
        epoch=look.last.epoch if look.last else 0,
    )


def _by_leaf(homes: Iterable[Iterable[bytes]]) -> dict[bytes, list[bytes]]:
    """What is kept elsewhere, by what it hashes to. What cannot be read hashes to nothing, and is told as missing."""
    found: dict[bytes, list[bytes]] = {}
    for line in chain.from_iterable(homes):
        if (hashed := withheld.leaf_of(line)) is not None:
            found.setdefault(hashed, []).append(line)
    return found


def origin(segments: Iterable[Segment]) -> str | None:
    """What the first record that is shown says that its log is called; None where there is none."""
    for segment in segments:
        for line in segment.content.split(b"\n"):
            with suppress(Malformed):
                return records.place(dsse.parsed(line)).origin
    return None


def held_against(origin: str, tree: Tree, keys: Mapping[str, PublicKey], kept: Witnessed) -> tuple[Finding, ...]:
    """What a checkpoint that somebody kept says against a log of these records; empty if the log agrees with it. Those of PROOFS nobody
    can say who has none of the keys."""
    look = _Look(origin, keys, _unread, tree=tree, expected=len(tree))
    look.witness(kept)
    return tuple(look.findings)


def _unread(envelope: dsse.Envelope, place: Place) -> None:
    """For who wants to know only whether the log is in order."""


@dataclass
class _Look:
    origin: str
    keys: Mapping[str, PublicKey]
    read: Read
    findings: list[Finding] = field(default_factory=list[Finding])
    counted: Counter[Reason] = field(default_factory=Counter[Reason])
    tree: Tree = field(default_factory=Tree)
    """Of the records from the first up to where something is missing or cannot be read."""
    whole: bool = True
    """Whether that is all of them."""
    expected: int = 0
    """Sequence of the next record."""
    sealed: int = 0
    """Up to which record there was a checkpoint."""
    odd: int = 0
    """Lines since the last record that could not be read, each of which may have been one."""
    gaps: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])
    """Records that were passed over, in order: the first, the one after the last, and where."""
    last: Place | None = None
    """Of the record that was read last, unless what came after it could not be."""
    digest: str | None = records.NOTHING
    """Of the record before; None where it could not be read."""
    register: Register = field(default_factory=Register)
    apart: Mapping[bytes, Sequence[bytes]] = field(default_factory=dict[bytes, Sequence[bytes]])
    """Lines of what is kept elsewhere, by what they hash to."""
    segment: str = ""
    """Its name."""
    before: str = ""
    """Name of the one before it."""
    begins: bool = False
    """Whether no record of the segment was seen yet."""

    def through(self, segment: Segment) -> None:
        """Go on with a segment."""
        self.before, self.segment, self.begins = self.segment, segment.name, True
        *lines, rest = segment.content.split(b"\n")
        for number, line in enumerate(lines, start=1):
            where = f"{segment.name}:{number}"
            if line.startswith(CHECKPOINT):
                self._checkpoint(line, where)
            elif line.startswith(WITHHELD):
                self._withheld(line, where)
            else:
                self._record(line, where)
        if rest:
            self._found("Unreadable", f"{segment.name} ends in the middle of a line")

    def end(self, given: Iterable[str] = ()) -> None:
        """Say what is missing, which may have come later, and what the log should have come to. `given` are the places of which all that is
        kept there was given."""
        for first, end, where in self.gaps:
            self._found("Missing", f"{_are(first, end)} missing {where}")
        for first, end in self.register.unaccounted():
            self._found("Withheld", f"{_are(first, end)} withheld, and no record says why")
        for home in given:
            for first, end in self.register.kept_in(home):
                self._found("Missing", f"{_are(first, end)} kept in {home}, and missing from what was given of it")
        if self.sealed < self.expected:
            self._found(
                "Unsealed",
                f"no checkpoint stands behind record {self.expected - 1}: it was never acknowledged, or its checkpoint was taken away",
            )
        for key in self.keys.values():
            if key.until is not None:
                self._revoked(key, key.until)

    def told(self) -> Iterable[Finding]:
        """The findings, and how many more there are of a sort."""
        yield from self.findings
        for reason, count in self.counted.items():
            if count > MOST_OF_A_SORT:
                yield Finding(reason, f"and {count - MOST_OF_A_SORT} more of this sort")

    def witness(self, kept: Witnessed) -> int | None:
        """How many records it is of, where the log agrees with it."""
        try:
            note = checkpoint.parsed(kept.note)
        except NotACheckpoint as error:
            self._found("CheckpointInvalid", f"the checkpoint that {kept.where} kept cannot be read: {error}")
            return None
        state = note.checkpoint
        if not self._signed(note, f"the checkpoint that {kept.where} kept"):
            return None
        if state.size > self.expected:
            self._found(
                "TailCut",
                f"the log has {self.expected} records, and {kept.where} kept a checkpoint of {state.size}: its tail was cut, or it was"
                " put back from an older copy",
            )
            return None
        if state.size > len(self.tree):
            return None  # What is missing is told already, and there is no root to compare.
        if self.tree.root(state.size) != state.root:
            self._found(
                "Rewritten",
                f"the first {state.size} records are not those of the checkpoint that {kept.where} kept: history was rewritten",
            )
            return None
        return state.size

    def _revoked(self, key: PublicKey, until: int) -> None:
        if until > self.expected:
            self._found(
                "TailCut",
                f"the log has {self.expected} records, and {key.keyid} was revoked at record {until}: its tail was cut",
            )
        elif key.root is not None and until <= len(self.tree) and self.tree.root(until) != key.root:
            self._found(
                "Rewritten",
                f"the first {until} records are not those that there were when {key.keyid} was revoked: history was rewritten",
            )

    def _found(self, reason: Reason, message: str) -> None:
        self.counted[reason] += 1
        if self.counted[reason] <= MOST_OF_A_SORT:
            self.findings.append(Finding(reason, message))

    def _record(self, line: bytes, where: str) -> None:
        try:
            envelope = dsse.parsed(line)
            place = records.place(envelope) if self._genuine(envelope, where) else None
        except Malformed as error:
            self._unreadable(where, error)
            return
        if place is None:
            self._broken_off()
        else:
            self._placed(envelope, place, where)

    def _unreadable(self, where: str, error: Malformed) -> None:
        self._found("Unreadable", f"{where}, which is to be record {self._next}, cannot be read: {error}")
        self._broken_off()

    def _broken_off(self) -> None:
        """What was read may have been a record."""
        self.whole, self.last, self.digest, self.begins = False, None, None, False
        self.odd += 1

    def _withheld(self, line: bytes, where: str) -> None:
        try:
            found = withheld.parsed(line)
        except Malformed as error:
            self._unreadable(where, error)
            return
        if found.first < self.expected:
            said = f"{_are(found.first, found.end)} withheld, and the line that says so ({where}) stands after record {self.expected - 1}"
            self._found("OutOfOrder", said)
            return
        if found.first > self._next:
            self._passed_over(self._next, found.first, where)
        self.begins, self.odd = False, 0
        for sequence, each in enumerate(found.leaves, start=found.first):
            if given := self.apart.get(each):
                # Somebody may have put another one beside it, with the same payload and no signature that is one.
                self._record(next(filter(self._is_signed, given), given[0]), where)
                continue
            self.digest = found.last if sequence + 1 == found.end else None
            self.register.withhold(sequence)
            if self.whole:
                self.tree.append(each)
            self.expected = sequence + 1

    @property
    def _next(self) -> int:
        return self.expected + self.odd

    def _placed(self, envelope: dsse.Envelope, place: Place, where: str) -> None:
        if place.origin != self.origin:
            self._found("OfAnotherLog", f"record {place.sequence} ({where}) is of another log: {shown(place.origin)}")
        self._signed_in_time(envelope, place, where)
        if place.sequence < self.expected:
            self._late(place, where)
            return
        in_step = place.sequence == self.expected and not self.odd
        if place.sequence > self._next:
            self._passed_over(self._next, place.sequence, where)
        self._follows(place, in_step, where)
        self.last, self.digest, self.begins, self.odd = place, records.digest(envelope.payload), False, 0
        if self.whole:
            self.tree.append(leaf(envelope.signed))
        self.expected = place.sequence + 1
        try:
            self.register.take(envelope, place.sequence)
        except Malformed as error:
            self._found("Unreadable", f"record {place.sequence} ({where}) cannot be read: {error}")
        self.read(envelope, place)

    def _is_signed(self, line: bytes) -> bool:
        envelope = dsse.parsed(line)
        known = [(self.keys.get(each.keyid), each.value) for each in envelope.signatures]
        return all(key is not None and key.checks(value, envelope.signed) for key, value in known)

    def _genuine(self, envelope: dsse.Envelope, where: str) -> bool:
        for each in envelope.signatures:
            key = self.keys.get(each.keyid)
            if key is None:
                said = f"{where} is signed with {shown(each.keyid)}, which is none of the keys that are given"
                self._found("KeyUnknown", said)
                return False
            if not key.checks(each.value, envelope.signed):
                said = f"{where}, which is to be record {self._next}, is not as it was signed"
                self._found("SignatureInvalid", said)
                return False
        return True

    def _signed_in_time(self, envelope: dsse.Envelope, place: Place, where: str) -> None:
        for key in (self.keys[each.keyid] for each in envelope.signatures):
            if key.until is not None and place.sequence >= key.until:
                self._found(
                    "KeyRevoked",
                    f"record {place.sequence} ({where}) is signed with {key.keyid}, which was revoked at record {key.until}: it was"
                    " forged with a key that was stolen, or written after the key was to be out of use",
                )

    def _late(self, place: Place, where: str) -> None:
        """A record whose place is before the one that was read last. What is there a second time takes nothing from what was read."""
        at = bisect_right(self.gaps, place.sequence, key=lambda gap: gap[0]) - 1
        if at >= 0 and place.sequence < self.gaps[at][1]:
            first, end, passed = self.gaps[at]
            halves = [(first, place.sequence, passed), (place.sequence + 1, end, passed)]
            self.gaps[at : at + 1] = [half for half in halves if half[0] < half[1]]
            said = f"record {place.sequence} ({where}) stands after record {self.expected - 1}"
            self._found("OutOfOrder", said)
            return
        self._found("Repeated", f"record {place.sequence} ({where}) is there a second time")

    def _passed_over(self, first: int, to: int, where: str) -> None:
        self.whole = False
        at = f"before record {to} ({where})"
        if self.begins and self.before:
            at = f"at the end of {self.before}, which was cut or put back from an older copy"
        self.gaps.append((first, to, at))

    def _follows(self, place: Place, in_step: bool, where: str) -> None:
        said = f"record {place.sequence} ({where})"
        if in_step and self.digest is not None and place.previous != self.digest:
            first = place.sequence == 0
            how = (
                "is the first and names one before it"
                if first
                else "does not follow the one before it: it names another"
            )
            self._found("ChainBroken", f"{said} {how}")
        before = self.last
        if before is None:
            return
        if place.time < before.time:
            self._found("ClockWentBack", f"{said} is of {place.time}, and the one before it of {before.time}")
        if place.epoch < before.epoch:
            self._found("EpochWentBack", f"{said} is of epoch {place.epoch}, and the one before it of {before.epoch}")

    def _checkpoint(self, line: bytes, where: str) -> None:
        try:
            text = read_object(line)["checkpoint"]
            if not isinstance(text, str) or canonical({"checkpoint": text}) != line:
                raise NotACheckpoint("it is not written as checkpoints are here")
            note = checkpoint.parsed(text)
        except (Malformed, NotACheckpoint) as error:
            self.whole = False
            self._found("CheckpointInvalid", f"the checkpoint at {where} cannot be read: {error}")
            return
        if not self._signed(note, f"the checkpoint at {where}"):
            return
        self.sealed = self.expected
        if self.whole:
            self._compare(note.checkpoint, where)

    def _compare(self, state: Checkpoint, where: str) -> None:
        if state.size != self.expected:
            self._found(
                "CheckpointInvalid",
                f"the checkpoint at {where} is of {state.size} records, and there are {self.expected}",
            )
        elif state.root != self.tree.root():
            self._found("CheckpointInvalid", f"the checkpoint at {where} is of other records than those before it")

    def _signed(self, note: Note, what: str) -> bool:
        state = note.checkpoint
        if state.origin != self.origin:
            self._found("CheckpointInvalid", f"{what} is of another log: {shown(state.origin)}")
            return False
        signers = [key for key in self.keys.values() if note.signed_by(key)]
        if not signers:
            self._found("CheckpointInvalid", f"{what} is signed with none of the keys that are given")
            return False
        if all(key.until is not None and state.size > key.until for key in signers):
            said = f"{what}, of {state.size} records, is signed with a key that was revoked before"
            self._found("KeyRevoked", said)
            return False
        return True


def _are(first: int, end: int) -> str:
    return f"record {first} is" if end - first == 1 else f"records {first} to {end - 1} are"
