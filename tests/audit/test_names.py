"""Names of people are records of their own: a decision says who it was by a digest that nobody can guess, and can do without the name."""

import json

import builders as a
from audit import recorded
from decision import world as w
from domicile import audit
from domicile.audit import Bag, Ledger, Same, Value, Values, laws, names, questions, replay
from domicile.audit.decisions import of_values
from domicile.residency import Law

RESTING = w.world(further={"exceptions": (a.exception(),)}, policies=(a.policy(telemetry=("PH",)),))
"""On an exception that ana asked for and gil approved."""
PEOPLE = ("ana", "gil")


def named(name: str) -> Value:
    return names.value(name, f"salt of {name}")


def of_resting() -> tuple[audit.Record, dict[str, Value]]:
    """The decision, and the values that it names."""
    found = recorded.account(w.snapshot(RESTING), bag=Bag(named=named))
    body, values = json.loads(json.dumps([{**found.body, "context": recorded.CONTEXT}, dict(found.values)]))
    return recorded.read(body), values


def without(values: dict[str, Value], *people: str) -> Values:
    return Values(
        {digest: each for digest, each in values.items() if each.get("name") not in people or "salt" not in each}
    )


def test_no_record_but_that_of_the_name_has_it() -> None:
    record, values = of_resting()
    rest = json.dumps([dict(record.body), {d: v for d, v in values.items() if not names.is_name(v)}])
    assert not [name for name in PEOPLE if f'"{name}"' in rest]
    assert {each["name"] for each in values.values() if names.is_name(each)} >= set(PEOPLE)


def test_each_name_is_a_record_of_its_own() -> None:
    _, values = of_resting()
    found = [list(each.body["values"].values()) for each in of_values(values)]
    assert all(len(part) == 1 for part in found if any(map(names.is_name, part)))


def test_it_is_decided_again_alike_without_the_names() -> None:
    record, values = of_resting()
    assert replay(record, without(values, *PEOPLE)) == Same()


def test_who_reads_is_told_the_name_or_that_it_is_not_kept() -> None:
    record, values = of_resting()
    (with_names,) = questions.approvals(record, Values(values))
    assert with_names["stamps"] == {"domicile.dev/approved-by": "gil", "domicile.dev/requested-by": "ana"}
    (without_ana,) = questions.approvals(record, without(values, "ana"))
    digest = audit.digest_of(named("ana"))
    assert without_ana["stamps"] == {
        "domicile.dev/approved-by": "gil",
        "domicile.dev/requested-by": f"{digest[:19]} (the name is not kept)",
    }


def test_what_is_said_of_a_change_is_told_with_names_too() -> None:
    bag = Bag(named=named)
    content = laws.changes({}, Law(exceptions=(a.exception(),)), bag)
    assert content is not None
    assert "ana" not in json.dumps(dict(content.body))
    (change,) = content.body["changes"]
    said = "ResidencyException/ticket-4711: Added+ApprovalGiven (approved-by gil, requested-by ana)"
    assert laws.said(change, Values(bag.values)) == said


def test_a_name_has_one_digest_in_a_log_and_another_in_the_next() -> None:
    one, two = Bag(named=named), Bag(named=lambda name: names.value(name, "another"))
    assert one.name("ana") == one.name("ana") != two.name("ana")
    assert one.name("ana") != one.name("gil")


def test_where_names_are_taken_for_digests_they_stay_as_they_are() -> None:
    bag = Bag()
    assert (names.stamps({"domicile.dev/requested-by": "ana"}, bag), bag.values) == (
        {"domicile.dev/requested-by": "ana"},
        {},
    )


def test_what_names_nobody_is_recorded_as_it_is() -> None:
    bag = Bag(named=named)
    said = {"domicile.dev/requested-by": "", "domicile.dev/reviewed": "yes", "example.com/owned-by": "ana"}
    assert names.stamps(said, bag) == {"domicile.dev/requested-by": "", "domicile.dev/reviewed": "yes"}


def test_the_digest_of_something_else_is_no_name() -> None:
    value = {"entries": {}}
    digest = audit.digest_of(value)
    assert names.named(digest, Values({digest: value})) == digest
    assert names.named("ana", Values({})) == "ana"


def test_who_goes_on_with_a_log_knows_the_names() -> None:
    ledger, value = Ledger(), named("ana")
    ledger.take("", audit.VALUES, "Values", {"values": {audit.digest_of(value): value}})
    assert ledger.names == {"ana": value}
