"""Patterns of matches(): which are taken, and how large they are reckoned to be."""

import pytest

from domicile.residency.cel import patterns
from residency.cel.known import answer, refused

REFUSED: dict[str, tuple[str, str]] = {
    "of facts": ("'a'.matches(cluster.name)", "column 20: the pattern of matches() must be written out: it is a text"),
    "as a function": ("matches('a', cluster.name)", "the pattern of matches() must be written out"),
    "of 129": ("'a'.matches('" + "a" * 129 + "')", "column 13: the pattern has 129 characters, 128 are allowed"),
    "that counts": ("'a'.matches('a{101}')", "the pattern counts to 101, all {} multiplied: 100 is allowed"),
    "that counts counts": ("'a'.matches('((a{5}){3,5}){0,5}')", "the pattern counts to 125"),
    "with classes of all letters": (
        r"'a'.matches('\\pL')",
        r"column 13: the pattern has \p, \P, \C, \Q or a zero: name",
    ),
    "with a zero": (r"'a'.matches('\x00')", r"the pattern has \p, \P, \C, \Q or a zero"),
    "that is none": (
        "'a'.matches('(')",
        "column 13: the pattern cannot be read: invalid regular expression: missing )",
    ),
}


@pytest.mark.parametrize(("source", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(source: str, why: str) -> None:
    assert why in refused(source)


TAKEN: dict[str, tuple[str, bool]] = {
    "a host": ("cluster.registries.exists(r, r.host.matches('^r[0-9]{1,2}[.]example$'))", True),
    "any host of a domain": ("cluster.registries.exists(r, r.host.matches('^[a-z0-9-]+[.]example$'))", True),
    "a name": (r"model.name.matches('^\\w+-scorer$')", True),
    "a number": ("cluster.certifications.exists(c, c.number.matches('^[A-Z]{2}-[0-9]{4,8}$'))", False),
    "a class": ("model.dataClasses.exists(d, d.matches('^(customer|health)[.]'))", True),
    "of 128": ("'a'.matches('" + "a" * 128 + "')", False),
    "that counts to a hundred": ("'aaaaa'.matches('^((a{5}){0,4}){5}$')", True),
}


@pytest.mark.parametrize(("source", "expected"), TAKEN.values(), ids=TAKEN.keys())
def test_taken(source: str, expected: bool) -> None:
    assert answer(source) is expected


SIZES: dict[str, tuple[str, int, int]] = {
    # The pattern, its size, and how much of a text of 1,000 it reads.
    "plain": ("abc", 3, 1000),
    "from the beginning": ("^abc", 4, 4),
    "counted": ("^a{2,10}", 18, 18),
    "a range counted": ("^[0-9]{10}", 20, 20),
    "any counted": ("^.{10}", 86, 16),
    "a class counted": (r"^\d{10}", 87, 17),
    "a choice counted": ("^[0-9a-zA-Z]{10}", 126, 26),
    "without end": ("^[a-z]+", 7, 1000),
    "without end, counted": ("^a{2,}", 8, 1000),
    "another beginning": ("^a|b", 4, 1000),
    "counted to none": ("^a{0}b{0,0}", 13, 13),
    "counted once": ("^a{1}", 6, 6),
    "any counted after much": ("^abcdefghijkl.{2}", 33, 19),
    "a choice after a choice counted": ("^[a-z][0-9a-z]{2}", 33, 19),
    "groups, counted to none": ("^(a{0}b){5}", 55, 55),
    "groups": ("^(ab{2}){5}", 110, 110),
}


@pytest.mark.parametrize(("found", "size", "reads"), SIZES.values(), ids=SIZES.keys())
def test_sizes(found: str, size: int, reads: int) -> None:
    assert (patterns.size(found), patterns.reads(found, 1000)) == (size, reads)
