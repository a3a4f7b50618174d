"""Which records need not be kept any longer, by rules and legal holds. Pure.

A record goes when it is older than its rule says, no hold is on it, and nothing that stays needs it: what stays can be read, verified and
decided again as before. What stays is, of each model, also what was in force when the time began that has to be kept: the last decision, and
the decision and the permit by which it was on a cluster. What governance changed stays for good."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, cast

from domicile.audit import questions
from domicile.audit.decisions import DECISION, VALUES
from domicile.audit.laws import LAW
from domicile.audit.ledger import OUTCOME
from domicile.audit.names import is_name
from domicile.audit.questions import Stay
from domicile.audit.rules import Hold, Retention
from domicile.audit.running import RUNNING
from domicile.audit.trail import ODD, TERM, Record, Trail, odd, record
from domicile.audit.values import Values
from domicile.evidence import ranges
from domicile.evidence.dsse import Envelope
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, REMOVED, Place, is_digest

_FOR_GOOD: Final = frozenset({LAW, REMOVED})
_OF_MODELS: Final = frozenset({DECISION, OUTCOME, RUNNING})


@dataclass
class Archive:
    """A log, read for what its records need of each other."""

    trail: Trail = field(default_factory=Trail)
    records: dict[int, Record] = field(default_factory=dict[int, Record])
    """By sequence: those that are about a model."""
    times: dict[int, tuple[datetime, str]] = field(default_factory=dict[int, tuple[datetime, str]])
    """Of all records: when, and of which kind."""
    needs: dict[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    """Of a record: those that have what it names."""
    names: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])
    """Of each name: what stands for it, and the record that has it."""
    _said: tuple[int, int] = (0, 0)
    """The last record that said that the next ones are kept elsewhere, and the last of these."""
    _has: dict[str, int] = field(default_factory=dict[str, int])
    """By digest of a value or a record: the record that has it."""

    def take(self, envelope: Envelope, place: Place) -> None:
        """Go on by a record. Raises ValueError for what is none of this version."""
        try:
            found = record(envelope, place)
            self.trail.take(envelope, place)
            self._take(found)
        except ODD as error:
            raise ValueError(odd(place, error)) from error
        if self.trail.odd:
            raise ValueError(self.trail.odd[0])

    def _take(self, found: Record) -> None:
        sequence = found.sequence
        self.times[sequence] = found.time, found.kind
        if found.kind == VALUES:
            values = found.body["values"]
            self._has.update(dict.fromkeys(values, sequence))
            for digest, each in values.items():
                if is_name(each):
                    self.names.setdefault(each["name"], {})[digest] = sequence
        if found.kind in _OF_MODELS:
            self.records[sequence] = found
        self._has[found.digest] = sequence
        needs = {self._has[each] for each in _digests(found.body) if each in self._has}
        if found.kind == ELSEWHERE:
            needs = set[int]()
            self._said = (sequence, sequence + found.body["next"])
        elif self._said[0] < sequence <= self._said[1]:
            needs.add(self._said[0])
        self.needs[sequence] = tuple(sorted(needs - {sequence}))


def removable(archive: Archive, retention: Retention, now: datetime) -> Ranges:
    """The records that need not be kept any longer. Those that are withheld already are not among them."""
    stays, ran = questions.stays(archive.trail), _ran(archive.trail)
    kept = {*_roots(archive, retention, now), *_in_force(archive.trail, retention, now, stays, ran)}
    follows = _followed(archive, stays, ran)
    left = list(kept)
    while left:
        one = left.pop()
        new = {*archive.needs.get(one, ()), *follows.get(one, ())} - kept
        kept |= new
        left += new
    return ranges.of(sequence for sequence in archive.times if sequence not in kept)


_Ran = Mapping[tuple[str, str], Sequence[Record]]
"""Records of nodes, by UID of the model and of the member."""


def _followed(archive: Archive, stays: Iterable[Stay], ran: _Ran) -> Mapping[int, Sequence[int]]:
    """What has to be told of a decision, where that is: what came of it, and how a stay began and ended that it is of."""
    found: dict[int, list[int]] = {}
    for sequence, each in archive.records.items():
        if each.kind == OUTCOME:
            for decision in archive.needs[sequence]:
                found.setdefault(decision, []).append(sequence)
    decided: dict[str, list[int]] = {}
    for each in archive.trail.decisions.values():
        decided.setdefault(questions.uid_of(each), []).append(each.sequence)
    for stay in stays:
        # Whatever is told of a time in which it was there tells that it was: then it has to tell from when until when.
        begin, end = stay.begun.sequence, None if stay.ended is None else stay.ended.sequence
        for sequence in decided.get(stay.uid, ()):
            if begin <= sequence and (end is None or sequence < end):
                found.setdefault(sequence, []).extend([begin, *([] if end is None else [end])])
    for there in ran.values():
        for each, after in pairwise(there):
            if each.body["nodes"]:
                found.setdefault(each.sequence, []).append(after.sequence)
    return found


def _ran(trail: Trail) -> _Ran:
    found: dict[tuple[str, str], list[Record]] = {}
    for each in trail.running:
        found.setdefault((each.body["uid"], each.body["cluster"][1]), []).append(each)
    return found


def naming(archive: Archive, name: str, holds: Iterable[Hold] = ()) -> Ranges:
    """The records of a name. Without them nobody can tell who it was. Raises ValueError where it would be recorded again, since somebody or
    something that is still there bears it, and where a legal hold is on a decision that names it."""
    known = archive.names.get(name, {})
    for hold in holds:
        for each in archive.trail.decisions.values():
            if hold.on(each) and known.keys() & _named_by(each, archive.trail.values):
                raise ValueError(f"{hold.name} is on record {each.sequence}, which names {name}")
    for key, each in archive.trail.ledger.law.items():
        if known.keys() & set(_digests(each)):
            raise ValueError(f"{key} names {name}, and is still there: the name would be recorded again")
    for each in _there(archive.trail):
        if known.keys() & set(_digests(archive.trail.values.kept(each.body["seen"]["model"]))):
            raise ValueError(f"{each.subject} names {name}, and is still there: the name would be recorded again")
    return ranges.of(known.values())


def _named_by(decision: Record, values: Values) -> set[str]:
    """All digests that a decision comes to, through the values that it names."""
    found = set(_digests(decision.body))
    left = list(found)
    while left:
        new = set(_digests(values.kept(left.pop()))) - found
        found |= new
        left += new
    return found


def _roots(archive: Archive, retention: Retention, now: datetime) -> Iterator[int]:
    """What stays by itself."""
    trail = archive.trail
    for sequence, (time, kind) in archive.times.items():
        found = archive.records.get(sequence)
        model = "" if found is None else found.model
        young = time > now - (retention.kept_for(model) if model else retention.keep)
        held = found is not None and bool(model) and any(hold.on(found) for hold in retention.holds)
        if kind in _FOR_GOOD or held or (young and kind not in (VALUES, ELSEWHERE)):
            yield sequence
    terms = [sequence for sequence, (_, kind) in archive.times.items() if kind == TERM]
    yield from terms[-1:]
    yield from list(archive.times)[-1:]
    digests = {intent.decision for acts in trail.ledger.open.values() for intent in acts.values()}
    yield from (each.sequence for digest, each in trail.decisions.items() if digest in digests)


def _in_force(trail: Trail, retention: Retention, now: datetime, stays: Iterable[Stay], ran: _Ran) -> Iterator[int]:
    """What was in force when the time began that has to be kept, and what is now."""
    judged = questions.judged(trail)
    # What is known of nodes now is in the last record of each member.
    yield from (each[-1].sequence for (uid, _), each in ran.items() if uid in trail.ledger.running)
    for stay in stays:
        begin = now - retention.kept_for(stay.model)
        if stay.until is not None and stay.until <= begin:
            continue
        yield stay.begun.sequence
        yield from (
            each.sequence for each in questions.from_then(begin, [each.permitted.decision for each in stay.placings])
        )
        yield from (each.sequence for each in questions.from_then(begin, judged.get(stay.uid, ())))
        yield from (each.sequence for each in questions.from_then(begin, ran.get((stay.uid, stay.cluster_uid), ())))
    yield from (each.sequence for each in _there(trail))
    # By the last decision of all before a moment it is told which exceptions were in force then.
    before = [each for each in trail.decisions.values() if each.time <= now - retention.keep]
    yield from (each.sequence for each in before[-1:])


def _there(trail: Trail) -> Iterator[Record]:
    """The last decision on each model that there still is."""
    gone = {questions.uid_of(each) for each in trail.late if each.body["act"] == "Release"}
    last = {questions.uid_of(each): each for each in trail.decisions.values()}
    return (each for uid, each in last.items() if uid not in gone and "LetGo" not in each.body["what"])


def _digests(value: Any) -> Iterator[str]:
    """All digests in a value, as keys or as values."""
    match value:
        case str():
            if is_digest(value):
                yield value
        case Mapping():
            for key, each in cast("Mapping[str, Any]", value).items():
                yield from _digests(key)
                yield from _digests(each)
        case list() | tuple():
            for each in cast("list[Any]", value):
                yield from _digests(each)
        case _:
            return
