"""Records by their sequence, as ranges: most that is said of many records is said of some that follow each other. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Ranges = tuple[tuple[int, int], ...]
"""In order and apart: the first record of each range, and the one after its last."""


def of(sequences: Iterable[int]) -> Ranges:
    """These records."""
    return joined((one, one + 1) for one in sequences)


def joined(parts: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges that may overlap or touch, as ranges that do not."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(parts):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((first, end))
    return tuple(found)


def hold(those: Ranges, sequence: int) -> bool:
    """Whether a record is among those."""
    at = bisect_right(those, sequence, key=lambda each: each[0]) - 1
    return at >= 0 and sequence < those[at][1]


def touch(those: Ranges, first: int, end: int) -> bool:
    """Whether any of the records from `first` up to `end` is among those."""
    at = bisect_right(those, first, key=lambda each: each[0]) - 1
    return any(begin < end and first < stop for begin, stop in those[max(at, 0) : at + 2])


def without(those: Ranges, others: Ranges) -> Ranges:
    """Those that are not among the others. Each is looked at once: a log may have a range for every other record."""
    found: list[tuple[int, int]] = []
    at = 0
    for first, end in those:
        while at < len(others) and others[at][1] <= first:
            at += 1
        left, look = first, at
        while look < len(others) and others[look][0] < end:
            begin, stop = others[look]
            if left < begin:
                found.append((left, begin))
            left = max(left, stop)
            look += 1
        if left < end:
            found.append((left, end))
    return tuple(found)


def common(those: Ranges, others: Ranges) -> Ranges:
    """Those that are among the others as well."""
    return without(those, without(those, others))


def each(those: Ranges) -> Iterator[int]:
    """One by one."""
    for first, end in those:
        yield from range(first, end)


def count(those: Ranges) -> int:
    """How many they are."""
    return sum(end - first for first, end in those)
