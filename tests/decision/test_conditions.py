"""Conditions: when their time moves, and what Ready says of several."""

from datetime import timedelta

import pytest

import builders as a
from domicile.decision.conditions import Claim, settled, summary

LATER = a.NOW + timedelta(minutes=5, microseconds=7)
GOOD = Claim("Ready", "True", "Serving", "serving on sg")


def test_the_time_moves_with_the_status_and_with_nothing_else() -> None:
    first = settled((GOOD,), (), 1, a.NOW)
    reworded = settled((Claim("Ready", "True", "Serving", "serving on ph"),), first, 2, LATER)
    assert (reworded[0].last_transition_time, reworded[0].observed_generation) == (a.NOW, 2)
    changed = settled((Claim("Ready", "False", "Failing", "x"),), reworded, 2, LATER)
    assert changed[0].last_transition_time == a.NOW + timedelta(minutes=5)


YES, NO, MAYBE = (Claim(s, s, s, s) for s in ("True", "False", "Unknown"))
SUMS = {
    "all good": ((YES, YES), "True", "True"),
    "one bad": ((YES, NO), "False", "False"),
    "bad before unknown": ((MAYBE, NO, YES), "False", "False"),
    "one unknown": ((YES, MAYBE), "Unknown", "Unknown"),
    "the first of the bad": ((Claim("a", "False", "First", ""), NO), "False", "First"),
}


@pytest.mark.parametrize(("parts", "status", "reason"), SUMS.values(), ids=SUMS.keys())
def test_ready_is_what_its_parts_are(parts, status, reason) -> None:
    ready = summary(parts)
    assert (ready.type, ready.status, ready.reason) == ("Ready", status, reason)
