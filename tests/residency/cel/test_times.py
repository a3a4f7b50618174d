"""What may be asked of the time, and the moments at which the answer changes."""

from datetime import UTC, datetime, timedelta

import pytest

from builders import NOW
from domicile.residency.cel.times import TICK, Times, union
from residency.cel.known import facts, readable, refused

HOUR = timedelta(hours=1)
NONE = Times()
AT = datetime(2027, 1, 1, tzinfo=UTC)
T = "timestamp('2027-01-01T00:00:00Z')"


def at(*moments: datetime) -> Times:
    return Times(written=frozenset(moments))


def after_ends(*spans: timedelta) -> Times:
    return Times(cluster=frozenset(spans))


CHANGES: dict[str, tuple[str, Times]] = {
    "before": (f"now < {T}", at(AT)),
    "up to": (f"now <= {T}", at(AT + TICK)),
    "after": (f"now > {T}", at(AT + TICK)),
    "from": (f"now >= {T}", at(AT)),
    "before, the other way round": (f"{T} > now", at(AT)),
    "up to, the other way round": (f"{T} >= now", at(AT + TICK)),
    "after, the other way round": (f"{T} < now", at(AT + TICK)),
    "from, the other way round": (f"{T} <= now", at(AT)),
    "in another zone": ("now < timestamp('2027-01-01T08:00:00+08:00')", at(AT)),
    "with a fraction": ("now < timestamp('2027-01-01T00:00:00.25Z')", at(AT + timedelta(milliseconds=250))),
    "later": (f"now < {T} + duration('1h')", at(AT + HOUR)),
    "later, the other way round": (f"now < duration('1h') + {T}", at(AT + HOUR)),
    "earlier": (f"now + duration('1h') < {T}", at(AT - HOUR)),
    "twice": (f"now - duration('1h') < {T} + duration('30m') + duration('-30m')", at(AT + HOUR)),
    "of all units": (f"now < {T} + duration('1h2m3s4ms5us')", at(AT + timedelta(0, 3723, 4005))),
    "as late as can be": (f"now < {T} + duration('876600h')", at(AT + timedelta(days=36525))),
    "of two": (f"now >= {T} && !(now > {T} + duration('1h'))", at(AT, AT + HOUR + TICK)),
    "of ends": ("cluster.contracts.exists(c, timestamp(c.validUntil) - duration('1h') > now)", after_ends(-HOUR)),
    "of ends, passed": (
        "cluster.contracts.exists(c, timestamp(c.validUntil) < now + duration('1h'))",
        after_ends(TICK - HOUR),
    ),
    "of the hub's ends": (
        "hub.contracts.exists(c, timestamp(c.validUntil) > now)",
        Times(hub=frozenset({timedelta()})),
    ),
    "of both": (
        "hub.contracts.exists(c, timestamp(c.validUntil) > now && cluster.name == 'sg')",
        Times(cluster=frozenset({timedelta()}), hub=frozenset({timedelta()})),
    ),
    "none": ("cluster.name == 'now'", NONE),
    "none, of times alone": (f"cluster.contracts.exists(c, timestamp(c.validUntil) > {T} + duration('1h'))", NONE),
    "none, of parts of times": (f"{T}.getFullYear() == 2027 && {T}.getHours() == 0", NONE),
    "none, of a span": (f"cluster.contracts.exists(c, timestamp(c.validUntil) - {T} > duration('1h'))", NONE),
}


@pytest.mark.parametrize(("source", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_when_the_answer_changes(source: str, expected: Times) -> None:
    assert readable(source).times == expected


@pytest.mark.parametrize("name", [name for name, (_, times) in CHANGES.items() if times.written])
def test_the_answer_changes_then_and_at_no_time_near(name: str) -> None:
    source, times = CHANGES[name]
    rule = readable(source)
    for moment in times.written:
        before, then = (rule.evaluate({**facts(), "now": moment - tick}) for tick in (TICK, timedelta()))
        assert before is not then
        assert rule.evaluate({**facts(), "now": moment + TICK}) is then
        assert rule.evaluate({**facts(), "now": moment - 2 * TICK}) is before


def test_whose_end_it_is_may_be_a_question_of_time_too() -> None:
    rule = readable(
        f"cluster.contracts.exists(a, hub.contracts.exists(b, timestamp((now < {T} ? a : b).validUntil) > now))"
    )
    ended, lasting = ({"contracts": [{"validUntil": f"{year}-12-01T00:00:00Z"}]} for year in (2026, 2028))
    known = {**facts(), "cluster": ended, "hub": lasting}
    assert rule.evaluate({**known, "now": AT - TICK}) is False
    assert rule.evaluate({**known, "now": AT}) is True
    assert rule.times.written == {AT}
    later = f"cluster.contracts.exists(c, timestamp((now < {T} ? c : c).validUntil) + duration('1h') > now)"
    assert readable(later).times == Times(frozenset({AT}), frozenset({HOUR}))


def test_moments_are_in_utc_whatever_they_are_written_in() -> None:
    (moment,) = readable("now < timestamp('2027-01-01T08:00:00+08:00')").times.written
    assert moment.tzinfo is UTC


HOW = "now may only be compared, by < <= > >=, with timestamp('2027-01-31T00:00:00Z') or timestamp(c.validUntil)"
REFUSED: dict[str, tuple[str, str]] = {
    "its hour": ("now.getHours() < 18", f"line 1, column 1: {HOW}"),
    "is it": (f"now == {T}", HOW),
    "is it not": (f"now != {T}", HOW),
    "is it in a list": (f"now in [{T}]", HOW),
    "itself": ("now <= now", HOW),
    "itself, later": ("now <= now + duration('1h')", HOW),
    "a span": (f"now - {T} > duration('1h')", HOW),
    "a time by choice": (f"now < (model.accelerators > 0 ? {T} : {T})", HOW),
    "by a choice": (f"(model.accelerators > 0 ? now : {T}) < {T}", HOW),
    "a span of facts": (f"cluster.contracts.exists(c, now < {T} + duration(c.reference))", HOW),
    "a span of facts, sooner": ("cluster.contracts.exists(c, now + duration(c.party) < timestamp(c.validUntil))", HOW),
    "a time of other facts": ("cluster.contracts.exists(c, now < timestamp(c.reference))", HOW),
    "a time of two facts": (f"cluster.contracts.exists(c, {T} < timestamp(c.validUntil) + (now - {T}))", HOW),
    "no time": ("now < timestamp('tomorrow')", "line 1, column 17: this is no time: write it as 2027-01-31T00:00:00Z"),
    "a time without a zone": ("now < timestamp('2027-01-01T00:00:00')", "this is no time"),
    "a time that is none": ("now < timestamp('2027-02-30T00:00:00Z')", "this is no time"),
    "a time before all": ("now < timestamp('0001-01-01T00:00:00+08:00')", "this is no time"),
    "a time too fine": ("now < timestamp('2027-01-01T00:00:00.0000001Z')", "with six digits of a second at most"),
    "a time beyond all": (
        "now < timestamp('9999-12-31T00:00:00Z') + duration('48h')",
        "line 1, column 5: this is no time: it is beyond the year 9999",
    ),
    "no span": (
        f"now < {T} + duration('a while')",
        "column 52: this is no span of time: write it as 720h, 90m or 30s, in whole numbers",
    ),
    "a part of a unit": (f"now < {T} + duration('1.5h')", "in whole numbers"),
    "a span too fine": (f"now < {T} + duration('10ns')", "this is no span of time"),
    "a span too long": (f"now < {T} + duration('876601h')", "a span of time is at most 876600h"),
    "a span far too long": (f"now < {T} + duration('{'999999999h' * 30}')", "a span of time is at most 876600h"),
    "no time, without now": ("timestamp('x').getHours() == 1", "this is no time"),
    "no span, without now": ("duration('x').getHours() == 1", "this is no span of time"),
}


@pytest.mark.parametrize(("source", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_else_is_asked_of_the_time_is_refused(source: str, why: str) -> None:
    assert why in refused(source)


def test_the_next_moment() -> None:
    times = union([at(NOW - HOUR, NOW, NOW + 5 * HOUR), after_ends(-HOUR), Times(hub=frozenset({HOUR}))])
    assert times.ahead(NOW, (), ()) == NOW + 5 * HOUR
    assert times.ahead(NOW, (NOW + HOUR, NOW + 4 * HOUR), ()) == NOW + 3 * HOUR
    assert times.ahead(NOW, (), (NOW + HOUR,)) == NOW + 2 * HOUR
    assert times.ahead(NOW + 5 * HOUR, (), ()) is None
    assert NONE.ahead(NOW, (NOW + HOUR,), (NOW + HOUR,)) is None


def test_an_end_at_the_end_of_all_times_has_no_moment_after_it() -> None:
    assert after_ends(HOUR).ahead(NOW, (datetime.max.replace(tzinfo=UTC),), ()) is None
