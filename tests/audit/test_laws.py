"""What governance changed, as it is recorded: once, in a word that can be looked for, with who the API server says did it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

import builders as a
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY
from domicile.audit import Bag, Ledger, Values, changes, laws
from domicile.residency import Law

BEFORE = Law(
    policies=(a.policy(),),
    records=(a.record(),),
    exceptions=(a.exception(approved=False, annotations={REQUESTED_BY: "ana"}),),
)


def recorded(*states: Law) -> Ledger:
    """What is known after these states of the law were recorded, one after the other."""
    ledger = Ledger()
    for law in states:
        content = changes(ledger.law, law, Bag())
        if content is not None:
            ledger.take("sha256:0", content.kind, content.subject, content.body)
    return ledger


def told(before: Law, after: Law) -> list[Mapping[str, Any]]:
    content = changes(recorded(before).law, after, Bag())
    return [] if content is None else content.body["changes"]


@dataclass(frozen=True)
class Case:
    change: Callable[[Law], Law]
    said: str


CASES = {
    "a policy that only reports now": Case(
        lambda law: replace(law, policies=(a.policy(spec={"mode": "Audit"}),)),
        "ResidencyPolicy/sg-customer-data: Changed+ModeSwitched, now in mode Audit",
    ),
    "a policy that allows another country": Case(
        lambda law: replace(law, policies=(a.policy(everywhere=("PH",)),)), "ResidencyPolicy/sg-customer-data: Changed"
    ),
    "a policy more": Case(
        lambda law: replace(law, policies=(*law.policies, a.policy("another"))), "ResidencyPolicy/another: Added"
    ),
    "a policy that is deleted": Case(
        lambda law: replace(law, policies=()), "ResidencyPolicy/sg-customer-data: Removed"
    ),
    "an exception that is approved": Case(
        lambda law: replace(law, exceptions=(a.exception(),)),
        "ResidencyException/ticket-4711: Changed+ApprovalGiven (approved-by gil, requested-by ana)",
    ),
    "a record that is approved from the beginning": Case(
        lambda law: replace(law, records=(*law.records, a.record("register-18"))),
        "ResidencyRecord/register-18: Added+ApprovalGiven (approved-by gil)",
    ),
    "a record that somebody else approves": Case(
        lambda law: replace(law, records=(a.record(annotations={APPROVED_BY: "hal"}),)),
        "ResidencyRecord/register-17: Changed+ApprovalGiven (approved-by hal)",
    ),
    "a record that nobody approves any more": Case(
        lambda law: replace(law, records=(a.record(annotations={}),)),
        "ResidencyRecord/register-17: Changed+ApprovalWithdrawn",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_change_is_told_in_its_word(case: Case) -> None:
    assert [laws.said(change, Values({})) for change in told(BEFORE, case.change(BEFORE))] == [case.said]


def test_what_did_not_change_is_not_recorded_again() -> None:
    assert changes(recorded(BEFORE).law, BEFORE, Bag()) is None


def test_what_was_removed_is_known_no_more() -> None:
    gone = recorded(BEFORE, Law())
    assert gone.law == {}
    assert changes(gone.law, Law(), Bag()) is None


def test_a_change_names_what_was_before_and_what_is_after() -> None:
    (change,) = told(BEFORE, replace(BEFORE, policies=(a.policy(everywhere=("PH",)),)))
    assert change["before"] != change["digest"]
    assert change["before"] == recorded(BEFORE).law["ResidencyPolicy/sg-customer-data"]["digest"]


def test_the_whole_law_and_all_that_is_in_it_is_among_the_values() -> None:
    bag = Bag()
    content = changes({}, BEFORE, bag)
    assert content is not None
    assert {content.body["law"], *(each["digest"] for each in content.body["changes"])} <= bag.values.keys()
