"""What of a log has to be kept in mind: the values that are in it, and the acts that were begun and have no end."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

import builders as a
from audit.recorded import CONTEXT
from domicile import audit
from domicile.audit import Ended, Intent, Ledger
from domicile.decision import AddFinalizer, Place, ReleaseFinalizer, Withdraw
from domicile.evidence.records import Content
from domicile.residency import permit
from domicile.serving import workload

SUBJECT = "SovereignModel/retail-banking/fraud-scorer"
UID = CONTEXT["uid"]
PERMIT, WORKLOAD = "sha256:" + "9e" * 32, "sha256:" + "3c" * 32
PLACE = {"act": "Place", "cluster": ["sg", a.uid("sg")], "permit": PERMIT, "workload": WORKLOAD}
WITHDRAW = {"act": "Withdraw", "cluster": ["ph", a.uid("ph")]}
RELEASE = {"act": "Release"}
PLACED, WITHDRAWN = ("Place", a.uid("sg"), PERMIT, WORKLOAD), ("Withdraw", a.uid("ph"))


def begun(
    ledger: Ledger,
    *acts: Mapping[str, Any],
    uid: str = UID,
    digest: str = "d1",
    carried: Mapping[str, Any] | None = None,
) -> Ledger:
    body = {"acts": list(acts), "context": {**CONTEXT, "uid": uid, "carried": carried or {}}}
    ledger.take(digest, audit.DECISION, SUBJECT, body)
    return ledger


def told(ledger: Ledger, *contents: Content) -> Ledger:
    for content in contents:
        ledger.take("o", content.kind, content.subject, content.body)
    return ledger


def only(ledger: Ledger, key: audit.ActKey) -> Intent:
    return ledger.open[UID][key]


ACTS: dict[str, tuple[Mapping[str, Any], Intent]] = {
    "placing": (PLACE, Intent("d1", 0, SUBJECT, PLACED, "sg")),
    "withdrawing": (WITHDRAW, Intent("d1", 0, SUBJECT, WITHDRAWN, "ph")),
    "letting go": (RELEASE, Intent("d1", 0, SUBJECT, ("Release",), "")),
}


@pytest.mark.parametrize(("act", "intent"), ACTS.values(), ids=ACTS)
def test_an_act_is_open_once_its_decision_is_recorded(act: Mapping[str, Any], intent: Intent) -> None:
    assert begun(Ledger(), act).open == {UID: {intent.key: intent}}


ENDS: Sequence[Ended] = ("Done", "FoundDone", "FoundUndone", "Overtaken")


@pytest.mark.parametrize("how", ENDS)
def test_an_act_that_ended_is_open_no_more(how: Ended) -> None:
    ledger = begun(Ledger(), PLACE, WITHDRAW)
    told(ledger, audit.ended(UID, only(ledger, PLACED), how))
    assert ledger.open[UID].keys() == {WITHDRAWN}


def test_where_all_ended_nothing_is_kept_of_the_model() -> None:
    ledger = begun(Ledger(), PLACE)
    assert told(ledger, audit.ended(UID, only(ledger, PLACED), "Done")).open == {}


def test_an_attempt_that_failed_ends_nothing() -> None:
    ledger = begun(Ledger(), PLACE)
    told(ledger, audit.attempted(UID, only(ledger, PLACED), "Forbidden", "no quota"))
    assert ledger.open[UID].keys() == {PLACED}


def test_an_act_that_goes_on_under_another_decision_is_open_under_the_first() -> None:
    ledger = begun(begun(Ledger(), PLACE), WITHDRAW, PLACE, digest="d2", carried={"1": ["d1", 0]})
    assert {key: (i.decision, i.act) for key, i in ledger.open[UID].items()} == {
        PLACED: ("d1", 0),
        WITHDRAWN: ("d2", 0),
    }


def test_an_outcome_of_another_decision_ends_nothing() -> None:
    ledger = begun(Ledger(), PLACE)
    stranger = Intent("d0", 0, SUBJECT, PLACED, "sg")
    assert told(ledger, audit.ended(UID, stranger, "Done")).open[UID].keys() == {PLACED}


def test_an_outcome_of_a_model_of_which_nothing_is_open_ends_nothing() -> None:
    ledger = begun(Ledger(), PLACE)
    before = {uid: dict(acts) for uid, acts in ledger.open.items()}
    assert told(ledger, audit.ended("another", only(ledger, PLACED), "Done")).open == before


def test_two_models_do_not_end_each_others_acts() -> None:
    ledger = begun(begun(Ledger(), PLACE), PLACE, uid="another", digest="d2")
    told(ledger, audit.ended(UID, only(ledger, PLACED), "Done"))
    assert ledger.open.keys() == {"another"}


def test_the_values_that_are_recorded_are_known() -> None:
    ledger = Ledger()
    ledger.take("v", audit.VALUES, "Values", {"values": {"sha256:1": {}, "sha256:2": {}}})
    assert set(ledger.recorded) == {"sha256:1", "sha256:2"}


def test_records_of_other_kinds_are_passed_over() -> None:
    ledger = Ledger()
    ledger.take("t", audit.TERM, "Hub/h", {"epoch": 3})
    assert ledger == Ledger()


INTENT = Intent("d1", 2, SUBJECT, PLACED, "sg")
CONTENTS: dict[str, tuple[Content, dict[str, Any]]] = {
    "an attempt": (
        audit.attempted(UID, INTENT, "Forbidden", "no quota"),
        {"outcome": "Failed", "reason": "Forbidden", "message": "no quota"},
    ),
    "an end": (
        audit.ended(UID, INTENT, "Done", ("InferenceService", "NetworkPolicy")),
        {"outcome": "Done", "wrote": ["InferenceService", "NetworkPolicy"]},
    ),
    "what was found": (audit.ended(UID, INTENT, "FoundDone"), {"outcome": "FoundDone", "wrote": []}),
}


@pytest.mark.parametrize(("content", "said"), CONTENTS.values(), ids=CONTENTS)
def test_an_outcome_names_the_act_that_it_is_of(content: Content, said: dict[str, Any]) -> None:
    assert content.body == {"uid": UID, "decision": "d1", "act": 2, "cluster": "sg", **said}
    assert (content.kind, content.subject) == (audit.OUTCOME, SUBJECT)


WITHOUT: dict[str, tuple[Any, str, list[str]]] = {
    "placed": (
        Place(permit(a.model_ref(), a.lawful(), a.grounds()), workload(a.model(), {})), "Place", [a.uid("sg")]
    ),
    "withdrawn": (Withdraw(a.member("ph")), "Withdraw", [a.uid("ph")]),
    "let go": (ReleaseFinalizer(), "Release", []),
    "of no known sort": (AddFinalizer(), "Unknown", []),
}  # fmt: skip


@pytest.mark.parametrize(("act", "kind", "of"), WITHOUT.values(), ids=WITHOUT)
def test_what_was_done_without_a_record_is_told_with_its_moment(act: Any, kind: str, of: list[str]) -> None:
    body = audit.late(UID, SUBJECT, act, a.YESTERDAY, ("InferenceService",)).body
    assert (body["decision"], body["act"], body["of"][:1], body["done"], body["wrote"]) == (
        None, kind, of, "2026-11-22T09:00:00.000000Z", ["InferenceService"]
    )  # fmt: skip


def test_what_was_done_without_a_record_ends_nothing() -> None:
    ledger = begun(Ledger(), WITHDRAW)
    told(ledger, audit.late(UID, SUBJECT, Withdraw(a.member("ph")), a.NOW))
    assert ledger.open[UID].keys() == {WITHDRAWN}
