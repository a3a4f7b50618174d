"""Dropping a data class of a model: a right of its own, a reason on the record, and who did it."""

from collections.abc import Callable
from typing import Any

import pytest

from chart import objects
from chart.conftest import Hub
from chart.objects import OTHER_NAMESPACE, SHARED_NAMESPACE, Manifest, annotated
from chart.persons import DRY, People, Person, Reply, made

pytestmark = pytest.mark.fleet

DROP: Manifest = {"spec": {"dataClasses": ["card.pan"]}}
WHY = annotated(declassified_because="the training set was replaced")
MAY_NOT = "may not drop a data class (customer.pii): that needs the verb declassify on sovereignmodels in namespace chart-test"
NEEDS = "dropping a data class (customer.pii) needs a reason on the record"


@pytest.fixture
def model(people: People) -> Manifest:
    return made(people.ali, objects.of_several_classes())


def replaced(of: Manifest, classes: list[str]) -> Manifest:
    annotations = {**of["metadata"]["annotations"], **WHY["metadata"]["annotations"]}
    return {
        **of,
        "metadata": {**of["metadata"], "annotations": annotations},
        "spec": {**of["spec"], "dataClasses": classes},
    }


WAYS: dict[str, Callable[[Person, Manifest], Reply]] = {
    "merge patch": lambda person, of: person.patch(of, {**DROP, **WHY}),
    "JSON patch": lambda person, of: person.patch(
        of,
        [
            {"op": "remove", "path": "/spec/dataClasses/0"},
            {
                "op": "add",
                "path": "/metadata/annotations/domicile.dev~1declassified-because",
                "value": "the training set was replaced",
            },
        ],
        "json",
    ),
    "replace": lambda person, of: person.replace(replaced(of, ["card.pan"])),
    "another class in its place": lambda person, of: person.replace(replaced(of, ["card.pan", "public"])),
    "who did it forged": lambda person, of: person.patch(
        of, {**DROP, **annotated(declassified_because="the training set was replaced", declassified_by="eve")}
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_who_may(people: People, model: Manifest, way: Callable[[Person, Manifest], Reply]) -> None:
    for person in (people.ali, people.operator):
        reply = way(person, model)
        assert reply.status == 403
        assert person is people.operator or MAY_NOT in reply.said
    assert way(people.dora, model).annotations() == {
        "requested-by": "ali",
        "declassified-because": "the training set was replaced",
        "declassified-by": "dora",
    }


def test_the_right_is_one_of_a_namespace(hub: Hub) -> None:
    both = hub.person("both", "team", "declassifier")
    here, there = objects.of_several_classes(), objects.of_several_classes()
    there["metadata"]["namespace"] = OTHER_NAMESPACE
    made(both, here)
    made(both, there)
    assert both.patch(here, {**DROP, **WHY}).status == 200
    assert MAY_NOT.replace(SHARED_NAMESPACE, OTHER_NAMESPACE) in both.patch(there, {**DROP, **WHY}).said


def test_the_right_can_be_given_for_one_model(hub: Hub, people: People) -> None:
    first, second = (made(people.ali, objects.of_several_classes()) for _ in range(2))
    one = hub.person("one", "team")
    people.give_for_one("one", first, "sovereignmodels", "declassify")
    assert one.patch(first, {**DROP, **WHY}).annotations()["declassified-by"] == "one"
    assert MAY_NOT in one.patch(second, {**DROP, **WHY}).said


REASONS: dict[str, str | None] = {
    "none": None,
    "an empty one": "",
    "one that is too short": "because",
    "blanks": " " * 20,
}


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS.keys())
def test_it_needs_a_reason(people: People, model: Manifest, reason: str | None) -> None:
    for person in (people.dora, people.root):
        reply = person.patch(model, {**DROP, **annotated(declassified_because=reason)})
        assert reply.status == 403
        assert NEEDS in reply.said


def test_each_time_needs_a_reason_of_its_own(people: People, model: Manifest) -> None:
    assert people.ali.patch(model, WHY).status == 200  # says nothing yet
    assert NEEDS in people.dora.patch(model, {**DROP, **WHY}).said
    other = annotated(declassified_because="by order of the court")
    assert people.dora.patch(model, {**DROP, **other}).status == 200
    assert people.ali.patch(model, {"spec": {"dataClasses": ["card.pan", "customer.pii"]}}).status == 200
    assert NEEDS in people.dora.patch(model, {**DROP, **other}).said
    assert NEEDS in people.dora.patch(model, DROP).said


FREE: dict[str, Manifest] = {
    "a class is added": {"spec": {"dataClasses": ["customer.pii", "card.pan", "health/record"]}},
    "the order": {"spec": {"dataClasses": ["card.pan", "customer.pii"]}},
    "the replicas": {"spec": {"replicas": {"min": 2}}},
    "a label": {"metadata": {"labels": {"seen": "yes"}}},
}


@pytest.mark.parametrize("change", FREE.values(), ids=FREE.keys())
def test_everything_else_is_the_team_s(people: People, model: Manifest, change: Any) -> None:
    assert people.ali.patch(model, change, **DRY).annotations() == {"requested-by": "ali"}


def test_the_reason_is_kept_until_another_class_is_dropped(people: People, model: Manifest) -> None:
    assert people.dora.patch(model, {**DROP, **WHY}).status == 200
    for person in (people.ali, people.dora, people.root):
        reply = person.patch(model, annotated(declassified_because="by order of the court"))
        assert reply.status == 403
        assert "says why 'dora' dropped a data class of this model, and cannot be changed or removed" in reply.said
