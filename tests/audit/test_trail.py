"""A log as it is read: decisions with what came of them, and what cannot be read told and passed over."""

from typing import Any

import pytest

import builders as a
from audit.test_ledger import PLACE, SUBJECT, UID, WITHDRAW
from domicile import audit
from domicile.audit import Intent, Record, Trail, ValueMissing
from domicile.decision import Withdraw
from domicile.evidence import records
from domicile.evidence.dsse import Envelope
from domicile.evidence.records import Content, Place
from evidence.logs import ORIGIN, OURS

DIGEST = "sha256:" + "ab" * 32


class Writing:
    """Seals contents as a log does, and has them read."""

    def __init__(self) -> None:
        self.trail, self._next = Trail(), 0

    def add(self, content: Content) -> Record:
        envelope, place = self.sealed(content)
        self.trail.take(envelope, place)
        return audit.record(envelope, place)

    def sealed(self, content: Content) -> tuple[Envelope, Place]:
        place = Place(self._next, DIGEST, a.NOW, 3, ORIGIN)
        self._next += 1
        return records.sealed(records.payload(content, place), OURS), place

    def decision(self, *acts: Any, carried: dict[str, Any] | None = None) -> Record:
        context = {"uid": UID, "carried": carried or {}}
        return self.add(Content(audit.DECISION, SUBJECT, DIGEST, {"acts": list(acts), "context": context}))


def intent(decision: Record, act: int = 0) -> Intent:
    return Intent(decision.digest, act, SUBJECT, ("Place",), "sg")


def test_a_record_says_where_it_stands_and_what_it_is_about() -> None:
    found = Writing().add(Content("Term", "Hub/h", DIGEST, {"epoch": 3}))
    assert found == Record(0, found.digest, a.NOW, 3, "Term", "Hub/h", DIGEST, {"epoch": 3})


def test_the_digest_of_a_record_is_that_of_its_payload() -> None:
    writing = Writing()
    envelope, place = writing.sealed(Content("Term", "Hub/h", DIGEST, {}))
    assert audit.record(envelope, place).digest == records.digest(envelope.payload)


def test_an_act_has_what_came_of_it() -> None:
    writing = Writing()
    decided = writing.decision(PLACE, WITHDRAW)
    failed = writing.add(audit.attempted(UID, intent(decided), "Forbidden", "no quota"))
    done = writing.add(audit.ended(UID, intent(decided), "Done"))
    assert writing.trail.acts_of(decided) == ((PLACE, (failed, done)), (WITHDRAW, ()))


def test_an_act_that_goes_on_under_another_decision_has_what_came_of_the_first() -> None:
    writing = Writing()
    first = writing.decision(PLACE)
    second = writing.decision(WITHDRAW, PLACE, carried={"1": [first.digest, 0]})
    done = writing.add(audit.ended(UID, intent(first), "Done"))
    assert writing.trail.acts_of(second) == ((WITHDRAW, ()), (PLACE, (done,)))


def test_what_is_open_at_the_end_is_known() -> None:
    writing = Writing()
    decided = writing.decision(PLACE, WITHDRAW)
    writing.add(audit.ended(UID, intent(decided), "Done"))
    assert [each.act for each in writing.trail.ledger.open[UID].values()] == [1]


def test_what_was_done_without_a_record_stands_by_itself() -> None:
    writing = Writing()
    late = writing.add(audit.late(UID, SUBJECT, Withdraw(a.member("ph")), a.NOW))
    assert (writing.trail.late, writing.trail.outcomes) == ([late], {})


def test_values_can_be_asked_for_by_digest() -> None:
    writing, bag = Writing(), audit.Bag()
    digest = bag.put({"a": 1})
    writing.add(Content(audit.VALUES, "Values", DIGEST, {"values": bag.values}))
    assert writing.trail.values.get(digest) == {"a": 1}


def test_a_value_under_a_digest_that_is_not_its_own_is_found() -> None:
    writing = Writing()
    writing.add(Content(audit.VALUES, "Values", DIGEST, {"values": {DIGEST: {"a": 1}}}))
    with pytest.raises(ValueMissing):
        writing.trail.values.get(DIGEST)


def test_records_of_other_kinds_are_kept_apart() -> None:
    writing = Writing()
    term = writing.add(Content(audit.TERM, "Hub/h", DIGEST, {"epoch": 3}))
    body = {"uid": UID, "cluster": ["sg", "s"], "nodes": []}
    ran = writing.add(Content(audit.RUNNING, SUBJECT, DIGEST, body))
    assert (writing.trail.others, writing.trail.running) == ([term], [ran])


ODD: dict[str, tuple[str, dict[str, Any]]] = {
    "a decision without acts": (audit.DECISION, {"context": {"uid": UID, "carried": {}}}),
    "a decision without a context": (audit.DECISION, {"acts": []}),
    "acts that are a number": (audit.DECISION, {"acts": 7, "context": {"uid": UID, "carried": {}}}),
    "an act without a cluster": (audit.DECISION, {"acts": [{"act": "Place"}], "context": {"uid": UID, "carried": {}}}),
    "an outcome of nothing": (audit.OUTCOME, {"outcome": "Done", "uid": UID}),
    "an outcome by a list": (audit.OUTCOME, {"outcome": "Done", "uid": UID, "decision": [], "act": 0}),
    "nodes of no model": (audit.RUNNING, {"cluster": ["sg", "s"], "nodes": []}),
    "nodes of no cluster": (audit.RUNNING, {"uid": UID, "cluster": ["sg"], "nodes": []}),
    "a node without a name": (audit.RUNNING, {"uid": UID, "cluster": ["sg", "s"], "nodes": [{"pods": 1}]}),
    "values that are a number": (audit.VALUES, {"values": 7}),
    "no values": (audit.VALUES, {}),
}


@pytest.mark.parametrize(("kind", "body"), ODD.values(), ids=ODD)
def test_what_is_not_as_records_are_is_told_and_passed_over(kind: str, body: dict[str, Any]) -> None:
    writing = Writing()
    writing.add(Content(kind, SUBJECT, DIGEST, body))
    decided = writing.decision(PLACE)
    assert [odd.partition(":")[0] for odd in writing.trail.odd] == ["record 0 is not as records of this version are"]
    assert list(writing.trail.decisions) == [decided.digest]
