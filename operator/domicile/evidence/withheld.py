"""Records that are withheld: a log shows of them what they hash to and no more, so that its chain and its tree go on. A record that is not
withheld says which they are and why: they were removed, or are kept elsewhere. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from domicile.evidence import dsse, ranges, records
from domicile.evidence.base64text import decoded, encoded
from domicile.evidence.checkpoint import CHECKPOINT
from domicile.evidence.dsse import Envelope, Malformed, canonical, read_object
from domicile.evidence.merkle import leaf
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, REMOVED, Content, NotRecordable

WITHHELD: Final = b'{"withheld":'
"""How a line begins that stands for records which are withheld."""
_MARKS: Final = tuple(b'"kind":"%b"' % kind.encode() for kind in (REMOVED, ELSEWHERE))
_MOST: Final = 1_000
"""Records that one line stands for, and that one record says are kept elsewhere."""


@dataclass(frozen=True)
class Withheld:
    """Records that follow each other, and are withheld."""

    first: int
    leaves: tuple[bytes, ...]
    """Of the tree: one a record."""
    last: str
    """Digest of the last one's payload, which the record after it names."""

    @property
    def end(self) -> int:
        """The record after them."""
        return self.first + len(self.leaves)

    def line(self) -> bytes:
        """As it stands in a log."""
        said = {"first": self.first, "last": self.last, "leaves": [encoded(each) for each in self.leaves]}
        return canonical({"withheld": said})


def parsed(line: bytes) -> Withheld:
    """What such a line says. Raises Malformed."""
    said = read_object(line).get("withheld")
    if not isinstance(said, dict):
        raise Malformed("it does not say what is withheld")
    found = cast("Mapping[str, Any]", said)
    first, last, leaves = (found.get(key) for key in ("first", "last", "leaves"))
    if type(first) is not int or not isinstance(last, str) or not isinstance(leaves, list) or not leaves:
        raise Malformed("it does not say which records are withheld")
    try:
        hashes = tuple(decoded(each) for each in cast("list[Any]", leaves))
    except (TypeError, ValueError) as error:
        raise Malformed(f"what a record hashes to cannot be read: {error}") from error
    read = Withheld(first, hashes, last)
    if not records.is_digest(last):
        raise Malformed("it does not say what the record after them names")
    if not 0 <= first < records.GREATEST or any(len(each) != 32 for each in hashes) or read.line() != line:
        raise Malformed("it is not written as such lines are here")
    return read


def without(lines: bytes, gone: Ranges) -> bytes:
    """The lines of a log, with these records withheld. Checkpoints between withheld records are left out: the next one says as much. Raises
    Malformed for a line that is none."""
    kept: list[bytes] = []
    run: list[_Hashed] = []
    pending: list[bytes] = []
    """The checkpoint after the run, which goes if the run goes on."""
    for line in lines.split(b"\n")[:-1]:
        if line.startswith(CHECKPOINT):
            if run:
                pending = [line]
            else:
                kept.append(line)
            continue
        for each in _hashed(line):
            goes = each.shown is None or ranges.hold(gone, each.sequence)
            if run and not (goes and run[-1].sequence + 1 == each.sequence):
                kept += [*_ended(run), *pending]
                run = []
            pending = []
            if each.shown is None or goes:
                run.append(each)
            else:
                kept.append(each.shown)
    kept += [*_ended(run), *pending]
    return b"".join(line + b"\n" for line in kept)


@dataclass(frozen=True)
class _Hashed:
    """A record of a log, or what stands for it."""

    sequence: int
    leaf: bytes
    digest: str
    """Of its payload; empty where that is not known."""
    shown: bytes | None
    """Its line; None where it is withheld."""


def _hashed(line: bytes) -> Iterator[_Hashed]:
    if line.startswith(WITHHELD):
        found = parsed(line)
        for sequence, each in enumerate(found.leaves, start=found.first):
            yield _Hashed(sequence, each, found.last if sequence + 1 == found.end else "", None)
        return
    envelope = dsse.parsed(line)
    sequence = records.place(envelope).sequence
    yield _Hashed(sequence, leaf(envelope.signed), records.digest(envelope.payload), line)


def leaf_of(line: bytes) -> bytes | None:
    """What a record hashes to in the tree; None of a line that is none."""
    try:
        return leaf(dsse.parsed(line).signed)
    except Malformed:
        return None


def _ended(run: list[_Hashed]) -> Iterator[bytes]:
    """The lines that stand for a run of withheld records. Each has to know the digest of its last record: a run is cut only where that is
    known."""
    part: list[_Hashed] = []
    for each in run:
        part.append(each)
        if each.digest and (len(part) >= _MOST or each is run[-1]):
            yield Withheld(part[0].sequence, tuple(one.leaf for one in part), each.digest).line()
            part = []


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < records.GREATEST:
        raise ValueError(f"{value!r} is no number of records")
    return value


def check_homes(contents: Sequence[Content], homes: Collection[str]) -> None:
    """Raise NotRecordable where something is to be kept elsewhere, and that is not said just before it, or it stands last, where no record
    says later what was before it."""
    left, home = 0, ""
    for each in contents:
        home = home if left else ""
        left = max(0, left - 1)
        if each.home != home:
            said = (
                f"what is to be kept in {each.home!r} is not said to be"
                if each.home
                else f"{home!r} is to keep less than is said"
            )
            raise NotRecordable(said)
        if each.kind == ELSEWHERE and not home:
            left, home = each.body["next"], each.body["home"]
            if home not in homes:
                raise NotRecordable(f"nothing can be kept in {home!r}")
    if home:
        raise NotRecordable("what is kept elsewhere stands last")


@dataclass
class Register:
    """Which records of a log are withheld, and which of them others account for."""

    _withheld: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _removed: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _elsewhere: dict[str, list[tuple[int, int]]] = field(default_factory=dict[str, list[tuple[int, int]]])

    def take(self, envelope: Envelope, sequence: int) -> None:
        """Go on by a record that is shown. Raises Malformed where it should say what is withheld, and cannot be read."""
        if not any(mark in envelope.payload for mark in _MARKS):
            return
        predicate = envelope.statement["predicate"]
        kind, body = predicate.get("kind"), predicate.get("body")
        try:
            if kind == REMOVED:
                # Only what was before it: nothing is removed that is not there yet.
                parts = [(_number(first), _number(end)) for first, end in body["ranges"]]
                self._removed += [(first, end) for first, end in parts if first < end <= sequence]
            elif kind == ELSEWHERE:
                first, home = sequence + 1, body["home"]
                if not isinstance(home, str):
                    raise TypeError(f"{home!r} is no name")
                self._elsewhere.setdefault(home, []).append((first, first + min(_number(body["next"]), _MOST)))
        except (LookupError, TypeError, ValueError) as error:
            raise Malformed(f"it is of kind {kind}, and does not say which records are withheld") from error

    def withhold(self, sequence: int) -> None:
        """Go on by a record that is withheld."""
        first, end = self._withheld.pop() if self._withheld else (sequence, sequence)
        if end != sequence:
            self._withheld.append((first, end))
            first = sequence
        self._withheld.append((first, sequence + 1))

    @property
    def removed(self) -> Ranges:
        """Those that are kept no longer, as it is said."""
        return ranges.joined(self._removed)

    @property
    def elsewhere(self) -> Mapping[str, Ranges]:
        """Those that are kept in another place, as it is said, by its name."""
        return {home: ranges.joined(found) for home, found in self._elsewhere.items()}

    def unaccounted(self) -> Ranges:
        """Those that are withheld, and nothing says why."""
        said = ranges.joined([*self._removed, *(each for found in self._elsewhere.values() for each in found)])
        return ranges.without(ranges.joined(self._withheld), said)

    def still_shown(self) -> Ranges:
        """Those that were to be removed, and are there."""
        return ranges.without(self.removed, ranges.joined(self._withheld))

    def kept_in(self, home: str) -> Ranges:
        """Those that are withheld because they are kept there, and were not removed."""
        there = self.elsewhere.get(home, ())
        return ranges.without(ranges.common(there, ranges.joined(self._withheld)), self.removed)
