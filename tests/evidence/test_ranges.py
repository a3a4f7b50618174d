"""Records as ranges, compared with sets of them."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domicile.evidence import ranges
from domicile.evidence.ranges import Ranges

RECORDS = st.sets(st.integers(0, 40))


def records(those: Ranges) -> set[int]:
    return {each for first, end in those for each in range(first, end)}


@given(RECORDS)
def test_they_are_in_order_apart_and_as_few_as_can_be(those: set[int]) -> None:
    found = ranges.of(those)
    assert records(found) == those
    assert ranges.count(found) == len(those)
    assert all(first < end for first, end in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 5)), max_size=8))
def test_ranges_that_overlap_are_joined(parts: list[tuple[int, int]]) -> None:
    given_parts = [(first, first + length) for first, length in parts]
    assert ranges.joined(given_parts) == ranges.of(each for part in given_parts for each in range(*part))


@given(RECORDS, RECORDS)
def test_those_without_others(those: set[int], others: set[int]) -> None:
    assert ranges.without(ranges.of(those), ranges.of(others)) == ranges.of(those - others)


class Counted(tuple[tuple[int, int], ...]):
    """Ranges that count how many of them were looked at."""

    looked = 0

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        Counted.looked += len(found) if isinstance(at, slice) else 1
        return found


def test_each_range_is_looked_at_a_few_times_however_many_there_are() -> None:
    """A log that keeps details elsewhere may have one for every other record."""
    those = ranges.of(range(0, 4_000, 2))
    Counted.looked = 0
    assert ranges.without(those, Counted(those)) == ()
    assert Counted.looked <= 8 * len(those)


@given(RECORDS, st.integers(0, 42), st.integers(0, 5))
def test_which_they_hold_and_touch(those: set[int], first: int, length: int) -> None:
    found = ranges.of(those)
    assert ranges.hold(found, first) == (first in those)
    assert ranges.touch(found, first, first + length) == bool(those & set(range(first, first + length)))
