"""The moments at which time alone can change what an expression says. That they can be told beforehand is why `now` may only
be compared, and only with a time that is written down: in the policy, or as the end of a certificate or contract."""

import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from domicile.residency.cel.functions import MOVES, ORDER
from domicile.residency.cel.syntax import Call, Const, Field, Name, Node, Refused, parts

NOW: Final = "now"
END: Final = "validUntil"
"""The field of certificates and contracts that is a time."""
TICK: Final = timedelta(microseconds=1)
"""No time is finer."""
FURTHEST: Final = timedelta(days=36525)
_HOW: Final = (
    "now may only be compared, by < <= > >=, with timestamp('2027-01-31T00:00:00Z') or timestamp(c.validUntil),"
    " each plus or minus duration('720h') if need be"
)
_COMPARES: Final = frozenset(overload for overload in ORDER if overload.endswith("_timestamp"))
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
_SPAN: Final = re.compile(r"(-?)((?:[0-9]{1,9}(?:h|m|s|ms|us))+)")
_UNITS: Final = {
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
    "us": TICK,
}


@dataclass(frozen=True)
class Times:
    """What the answer changes at. Too many may be named, none is left out."""

    written: frozenset[datetime] = frozenset()
    """Moments in the expression."""
    cluster: frozenset[timedelta] = frozenset()
    """How long after each `validUntil` of the cluster."""
    hub: frozenset[timedelta] = frozenset()
    """How long after each `validUntil` of the hub."""

    def __or__(self, other: "Times") -> "Times":
        return Times(self.written | other.written, self.cluster | other.cluster, self.hub | other.hub)

    def ahead(self, now: datetime, cluster: Collection[datetime], hub: Collection[datetime]) -> datetime | None:
        """The next moment after `now`, for those ends of the cluster's certificates and contracts and of the hub's."""
        found = {*self.written, *_sums(cluster, self.cluster), *_sums(hub, self.hub)}
        return min((moment for moment in found if moment > now), default=None)


def union(found: Iterable[Times]) -> Times:
    """All of them."""
    every = Times()
    for each in found:
        every |= each
    return every


def _sums(ends: Collection[datetime], spans: frozenset[timedelta]) -> Iterable[datetime]:
    for span in spans:
        for end in ends:
            with suppress(OverflowError):  # Beyond the year 9999 there is no time, in expressions either.
                yield end + span


def times(node: Node) -> Times:
    """The moments of an expression; refuses what else it may ask of `now`."""
    match node:
        case Name(at, name):
            if name == NOW:
                raise Refused(at, _HOW)
            return Times()
        case Call(_, _, overload, (left, right)) if overload in _COMPARES and _asks(left, right):
            return _compared(node, _sum(left), _sum(right))
        case Call(at, _, "string_to_timestamp", (Const() as text,)):
            time(at, text)
            return Times()
        case Call(at, _, "string_to_duration", (Const() as text,)):
            span(at, text)
            return Times()
        case _:
            return union(times(part) for part in parts(node))


def time(at: int, written: Const) -> datetime:
    """A time that is written out; refuses what is none."""
    text = str(written.value)
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(at, "this is no time: write it as 2027-01-31T00:00:00Z, with six digits of a second at most")


def span(at: int, written: Const) -> timedelta:
    """A span of time that is written out; refuses what is none."""
    text = str(written.value)
    if not (found := _SPAN.fullmatch(text)):
        raise Refused(at, "this is no span of time: write it as 720h, 90m or 30s, in whole numbers")
    amounts = re.findall(r"([0-9]+)([a-z]+)", found[2])
    try:
        every = sum((int(number) * _UNITS[unit] for number, unit in amounts), timedelta())
    except OverflowError:
        every = timedelta.max
    if every > FURTHEST:
        raise Refused(at, f"a span of time is at most {FURTHEST // timedelta(hours=1)}h")
    return -every if found[1] else every


def _asks(*nodes: Node) -> bool:
    """Whether they ask for the time, in whatever way."""
    return any(node.name == NOW if isinstance(node, Name) else _asks(*parts(node)) for node in nodes)


@dataclass(frozen=True)
class _Sum:
    """A time: now, one that is written out, or the end of a fact, and a span."""

    of: datetime | str
    span: timedelta
    rest: tuple[Node, ...] = ()
    """What else it asks for."""


def _sum(node: Node) -> _Sum:
    match node:
        case Name(_, name) if name == NOW:
            return _Sum(NOW, timedelta())
        case Call(_, _, "string_to_timestamp", (Const() as text,)):
            return _Sum(time(text.at, text), timedelta())
        case Call(_, _, "string_to_timestamp", (Field(_, of, name),)) if name == END:
            return _Sum(END, timedelta(), (of,))
        case Call(_, _, overload, (one, other)) if overload in MOVES:
            moved, by = (other, one) if overload == "add_duration_timestamp" else (one, other)
            before = _sum(moved)
            match by:
                case Call(_, _, "string_to_duration", (Const() as text,)):
                    after = span(text.at, text)
                case _:
                    raise Refused(by.at, _HOW)
            return _Sum(before.of, before.span + (-after if overload.startswith("subtract") else after), before.rest)
        case _:
            raise Refused(node.at, _HOW)


_LATER: Final = frozenset({("less_equals", True), ("greater", True), ("less", False), ("greater_equals", False)})
"""The comparisons, with whether `now` stands on the left, that still say at the very moment what they said before it."""


def _compared(call: Call, left: _Sum, right: _Sum) -> Times:
    first = left.of == NOW
    ours, other = (left, right) if first else (right, left)
    if ours.of != NOW or other.of == NOW:
        raise Refused(call.at, _HOW)
    later = TICK if (call.overload.removesuffix("_timestamp"), first) in _LATER else timedelta()
    after = other.span - ours.span + later
    if isinstance(other.of, str):
        found = Times(cluster=frozenset({after}), hub=frozenset({after}))
        return union((found, *(times(each) for each in other.rest)))  # Whose end it is may be a question of time too.
    try:
        return Times(frozenset({other.of + after}))
    except OverflowError:
        raise Refused(call.at, "this is no time: it is beyond the year 9999") from None
