"""Which terms a hub knows as its own."""

import pytest

from domicile.fleet.terms import Term, Terms, parse

OURS = Terms(Term(4, "a4"), (Term(2, "a2"), Term(3, "a3")))

KNOWN = {
    "the current one": (Term(4, "a4"), True),
    "one before it": (Term(2, "a2"), True),
    "one to which a copy of the hub counted as well": (Term(4, "b4"), False),
    "an earlier one that a copy counted to": (Term(3, "b3"), False),
    "a later one": (Term(5, "a5"), False),
    "one that is forgotten": (Term(1, "a1"), False),
}


@pytest.mark.parametrize(("term", "known"), KNOWN.values(), ids=KNOWN)
def test_a_hub_knows_the_terms_that_it_kept(term: Term, known: bool) -> None:
    assert OURS.know(term) is known


def test_the_next_term_is_one_later_and_remembers_the_last() -> None:
    begun = OURS.begin("a5")
    assert begun == Terms(Term(5, "a5"), (Term(2, "a2"), Term(3, "a3"), Term(4, "a4")))


def test_a_term_after_a_confirmed_epoch_is_later_than_both_and_knows_all_up_to_it() -> None:
    begun = OURS.begin_after(9, "b")
    assert (begun.current, begun.confirmed) == (Term(10, "b"), 9)
    assert begun.know(Term(9, "whoever"))
    assert not begun.know(Term(10, "whoever"))
    assert begun.begin_after(2, "c") == Terms(Term(11, "c"), (*begun.past, begun.current), confirmed=9)


def test_what_is_long_past_is_forgotten() -> None:
    terms = Terms(Term(0, "t0"))
    for epoch in range(1, 400):
        terms = terms.begin(f"t{epoch}")
    assert len(terms.past) == 256
    assert (terms.know(Term(143, "t143")), terms.know(Term(142, "t142"))) == (True, False)


def test_what_was_written_is_read() -> None:
    assert OURS.wire() == "2/a2 3/a3 4/a4"
    assert parse(OURS.wire()) == OURS
    assert parse("0/t0", confirmed=7) == Terms(Term(0, "t0"), confirmed=7)


@pytest.mark.parametrize("wire", ["", " ", "4", "4/", "/a4", "x/a4", "-1/a4", "²/a4", "3/a3 x 4/a4"])
def test_anything_else_is_not(wire: str) -> None:
    assert parse(wire) is None
