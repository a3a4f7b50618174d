"""What policies rest on: to loosen a group of jurisdictions or a data classification goes on the record."""

from typing import Any

import pytest

from chart import objects
from chart.conftest import Hub
from chart.objects import SHARED_NAMESPACE, Manifest, annotated
from chart.persons import DRY, People, Person, made

pytestmark = pytest.mark.fleet

REASON = "the treaty was joined in November"
CONFIRMED = annotated(confirmed_change=REASON)
FLOOR: Manifest = {"namespace": SHARED_NAMESPACE, "dataClasses": ["customer.pii", "card.pan"]}
LOOSENS = "this change loosens every policy that rests on"


@pytest.fixture(scope="module")
def group(people: People) -> Manifest:
    """Nothing changes it: what is tried on it is tried dry."""
    return made(people.gil, objects.group())


@pytest.fixture(scope="module")
def classification(people: People) -> Manifest:
    return made(people.gil, objects.classification())


@pytest.fixture(scope="module")
def both(hub: Hub, people: People, classification: Manifest) -> Person:
    """Of governance, and may take away from the classification."""
    found = hub.person("bea", "governance")
    people.give_for_one("bea", classification, "dataclassifications", "declassify")
    return found


WIDER: dict[str, tuple[list[str], str]] = {
    "a member more": (["SG", "MY", "ID"], "(member ID)"),
    "another member": (["SG", "ID"], "(member ID)"),
    "a part of a member": (["SG", "MY-14"], "(member MY-14)"),
}


@pytest.mark.parametrize(("members", "named"), WIDER.values(), ids=WIDER.keys())
def test_widening_a_group_needs_a_confirmation(people: People, group: Manifest, members: list[str], named: str) -> None:
    change = {"spec": {"members": members}}
    for person in (people.gus, people.root):
        reply = person.patch(group, change, **DRY)
        assert reply.status == 403
        assert LOOSENS in reply.said
        assert named in reply.said
    confirmed = people.gus.patch(group, {**change, **CONFIRMED}, **DRY)
    assert confirmed.annotations() == {"confirmed-change": REASON, "confirmed-by": "gus"}


NARROWER: dict[str, Manifest] = {
    "a member less": {"spec": {"members": ["SG"]}},
    "another order": {"spec": {"members": ["MY", "SG"]}},
    "the source": {"spec": {"source": "another charter"}},
    "a label": {"metadata": {"labels": {"seen": "yes"}}},
}


@pytest.mark.parametrize("change", NARROWER.values(), ids=NARROWER.keys())
def test_narrowing_a_group_needs_none(people: People, group: Manifest, change: Manifest) -> None:
    assert people.gus.patch(group, change, **DRY).annotations() == {}


def test_a_group_can_be_deleted(people: People) -> None:
    assert people.gus.delete(made(people.gil, objects.group())).status == 200


LESS: dict[str, tuple[Manifest, str]] = {
    "a class of a floor is gone": (
        {"floors": [{**FLOOR, "dataClasses": ["card.pan"]}]},
        f"floor of {SHARED_NAMESPACE}",
    ),
    "another class in its place": (
        {"floors": [{**FLOOR, "dataClasses": ["card.pan", "public"]}]},
        f"floor of {SHARED_NAMESPACE}",
    ),
    "a floor is gone": ({"floors": []}, f"floor of {SHARED_NAMESPACE}"),
    "all floors are gone": ({"floors": None}, f"floor of {SHARED_NAMESPACE}"),
    "a floor is another namespace's": ({"floors": [{**FLOOR, "namespace": "other"}]}, f"floor of {SHARED_NAMESPACE}"),
    # A model that declares the upper class no longer has the floor's lower one.
    "an order is longer": (
        {"orders": [{"name": "customers", "classes": ["public", "customer.pii", "health"]}]},
        "orders",
    ),
    # What is above no longer brings in the policies for what is below.
    "the orders are gone": ({"orders": None}, "orders"),
}


@pytest.mark.parametrize(("change", "named"), LESS.values(), ids=LESS.keys())
def test_taking_away_from_a_classification_needs_a_right_of_its_own_and_a_reason(
    people: People, both: Person, classification: Manifest, change: Manifest, named: str
) -> None:
    refused = people.gus.patch(classification, {"spec": change, **CONFIRMED}, **DRY)
    assert refused.status == 403
    assert f"gus may not take away from a data classification ({named})" in refused.said
    for person in (both, people.root):
        reply = person.patch(classification, {"spec": change}, **DRY)
        assert reply.status == 403
        assert LOOSENS in reply.said
    confirmed = both.patch(classification, {"spec": change, **CONFIRMED}, **DRY)
    assert confirmed.annotations() == {"confirmed-change": REASON, "confirmed-by": "bea"}


MORE: dict[str, Manifest] = {
    "a class more": {"floors": [{**FLOOR, "dataClasses": ["customer.pii", "card.pan", "health"]}]},
    "a floor more": {"floors": [FLOOR, {"namespace": "other", "dataClasses": ["health"]}]},
    "another order of the same": {"floors": [{**FLOOR, "dataClasses": ["card.pan", "customer.pii"]}]},
}


@pytest.mark.parametrize("change", MORE.values(), ids=MORE.keys())
def test_adding_to_a_classification_needs_nothing(people: People, classification: Manifest, change: Any) -> None:
    assert people.gus.patch(classification, {"spec": change}, **DRY).annotations() == {}


def test_deleting_a_classification_needs_the_right(people: People, both: Person, classification: Manifest) -> None:
    refused = people.gus.delete(classification, **DRY)
    assert refused.status == 403
    assert "gus may not delete data classification" in refused.said
    assert both.delete(classification, **DRY).status == 200


FORGED: dict[str, Manifest] = {
    "a reason without a change": CONFIRMED,
    "a reason that is too short": {"spec": {"source": "x"}, **annotated(confirmed_change="because")},
}


@pytest.mark.parametrize("change", FORGED.values(), ids=FORGED.keys())
def test_the_record_cannot_be_forged(people: People, group: Manifest, change: Manifest) -> None:
    for person in (people.gus, people.root, people.operator):
        assert person.patch(group, change, **DRY).status == 403


def test_who_confirmed_is_taken_away_where_nothing_was(people: People, group: Manifest) -> None:
    assert people.gus.patch(group, annotated(confirmed_by="eve"), **DRY).annotations() == {}


def test_a_new_object_has_nothing_confirmed(people: People) -> None:
    for wanted in (objects.group(confirmed_by="eve"), objects.classification(confirmed_by="eve")):
        assert people.gus.create(wanted, **DRY).annotations() == {}


def test_who_confirms_is_written_over(people: People, group: Manifest) -> None:
    change = {"spec": {"members": ["SG", "MY", "ID"]}, **annotated(confirmed_change=REASON, confirmed_by="eve")}
    assert people.gus.patch(group, change, **DRY).annotations()["confirmed-by"] == "gus"
