"""A policy that models run under is not loosened or deleted without a reason on the record, and who gave it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart import objects
from chart.conftest import ROOT
from chart.objects import Manifest, annotated, own_annotations
from chart.persons import DRY, People, Person, Reply, in_use, made

pytestmark = pytest.mark.fleet

BASIS = {"type": "Law", "source": "RA 10173", "asOf": "2026-04-01"}
RULES: list[Manifest] = [
    {"name": "assured", "onUnmet": "Deny", "expression": "cluster.name != ''", "basis": BASIS},
    {"name": "registered", "onUnmet": "RequireRecord", "record": "outsourcing", "basis": BASIS},
]
PLACES = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "registry", "telemetry", "hub")
PEERS = ("callers", "egress")
SPEC: Manifest = {
    "mode": "Enforce",
    "appliesTo": {"dataClasses": ["customer.pii"], "namespaceSelector": {"matchLabels": {"unit": "retail"}}},
    "allow": {
        **{place: ["SG", "MY"] for place in PLACES},
        "hosts": ["a.example", "b.example"],
        **{way: ["gateway", "dns"] for way in PEERS},
    },
    "rules": RULES,
    "exceptions": "Forbid",
    "onContradiction": "Deny",
    "warnBefore": "720h",
    "basis": BASIS,
}
REASON = "the regulator's letter of 23 November"
CONFIRMED = annotated(confirmed_change=REASON)


def ruled(**changes: Any) -> Manifest:
    """The first rule changed."""
    return {"rules": [{**RULES[0], **changes}, RULES[1]]}


# A merge patch of spec, and what the refusal names.
WEAKER: dict[str, tuple[Manifest, str]] = {
    **{f"allow.{each} gets a country": ({"allow": {each: ["SG", "MY", "ID"]}}, f"allow.{each}") for each in PLACES},
    "allow.hosts gets a host": ({"allow": {"hosts": ["a.example", "c.example"]}}, "allow.hosts"),
    **{f"allow.{each} gets a peer": ({"allow": {each: ["gateway", "web-proxy"]}}, f"allow.{each}") for each in PEERS},
    "allow.workers is another country": ({"allow": {"workers": ["PH"]}}, "allow.workers"),
    "allow.workers gets a group": ({"allow": {"workers": ["SG", "group:asean"]}}, "allow.workers"),
    "two lists": ({"allow": {"registry": ["DE"], "keyStore": ["DE"]}}, "(allow.keyStore, allow.registry)"),
    "a rule is gone": ({"rules": RULES[:1]}, "(rule registered)"),
    "all rules are gone": ({"rules": None}, "(rule assured, rule registered)"),
    "a rule's expression": (ruled(expression="true"), "(rule assured)"),
    "a rule only advises": (ruled(onUnmet="Advise"), "(rule assured)"),
    "a rule's name, which exceptions name": (ruled(name="assured-2"), "(rule assured)"),
    "a rule's basis": (ruled(basis={**BASIS, "type": "OrgPolicy"}), "(rule assured)"),
    "a rule's message": (ruled(message="it is fine"), "(rule assured)"),
    "it only reports": ({"mode": "Audit"}, "(mode)"),
    "it is for other classes": ({"appliesTo": {"dataClasses": ["card.pan"]}}, "(appliesTo)"),
    # What it covers more, it may permit.
    "it is for more classes": ({"appliesTo": {"dataClasses": ["customer.pii", "card.pan"]}}, "(appliesTo)"),
    "it is for all classes": ({"appliesTo": {"dataClasses": []}}, "(appliesTo)"),
    "it is for other namespaces": (
        {"appliesTo": {"namespaceSelector": {"matchLabels": {"unit": "none"}}}},
        "(appliesTo)",
    ),
    "exceptions are allowed": ({"exceptions": "Allow"}, "(exceptions)"),
    "exceptions are left out, which allows them": ({"exceptions": None}, "(exceptions)"),
    "a contradiction is only reported": ({"onContradiction": "Report"}, "(onContradiction)"),
    "stronger here and weaker there": ({"allow": {"workers": ["SG"]}, "mode": "Audit"}, "(mode)"),
    # A part of a country is less, and not plainly: the list has what it had not.
    "a part of a country": ({"allow": {"workers": ["SG", "MY-14"]}}, "(allow.workers)"),
}
STRONGER: dict[str, Manifest] = {
    **{f"allow.{each} loses a country": {"allow": {each: ["MY"]}} for each in PLACES},
    **{f"allow.{each} is emptied": {"allow": {each: []}} for each in PLACES},
    "allow.workers is left out, which is nowhere": {"allow": {"workers": None}},
    "allow.hub is left out, which is nowhere": {"allow": {"hub": None}},
    "allow.workers in another order": {"allow": {"workers": ["MY", "SG"]}},
    "allow.hosts loses a host": {"allow": {"hosts": ["b.example"]}},
    **{f"allow.{each} loses a peer": {"allow": {each: ["dns"]}} for each in PEERS},
    **{f"allow.{each} is emptied": {"allow": {each: []}} for each in PEERS},
    "a rule more": {"rules": [*RULES, {**RULES[0], "name": "more"}]},
    "a rule more, in front": {"rules": [{**RULES[1], "name": "more"}, *RULES]},
    "its own basis": {"basis": {**BASIS, "clause": "21"}},
    "its own basis is gone": {"basis": None},
    "the warning": {"warnBefore": "24h"},
}
LOOSE: Manifest = {
    **SPEC,
    "mode": "Audit",
    "allow": {"workers": ["SG"]},
    "rules": [],
    "exceptions": "Allow",
    "onContradiction": "Report",
}
STRONGER_THAN_LOOSE: dict[str, Manifest] = {
    "it decides": {"mode": "Enforce"},
    "exceptions are forbidden": {"exceptions": "Forbid"},
    "a contradiction denies": {"onContradiction": "Deny"},
    "a first rule": {"rules": RULES},
    "all of it": {key: SPEC[key] for key in ("mode", "rules", "exceptions", "onContradiction")},
}


def policy(people: People, spec: Manifest, status: str | None = "True") -> Manifest:
    there = made(people.gil, objects.fresh("ResidencyPolicy", copy.deepcopy(spec)))
    return in_use(people.operator, there, status)


@pytest.fixture(scope="module")
def used(people: People) -> Manifest:
    """Nothing changes it: what is tried on it is tried dry."""
    return policy(people, SPEC)


@pytest.fixture(scope="module")
def loose(people: People) -> Manifest:
    return policy(people, LOOSE)


@pytest.mark.parametrize(("change", "named"), WEAKER.values(), ids=WEAKER.keys())
def test_weakening_needs_a_confirmation(people: People, used: Manifest, change: Manifest, named: str) -> None:
    for person in (people.gus, people.root):
        reply = person.patch(used, {"spec": change}, **DRY)
        assert reply.status == 403
        assert "this change is not plainly a strengthening of it" in reply.said
        assert named in reply.said
    confirmed = people.gus.patch(used, {"spec": change, **CONFIRMED}, **DRY)
    assert confirmed.annotations() == {"confirmed-change": REASON, "confirmed-by": "gus"}


@pytest.mark.parametrize("change", STRONGER.values(), ids=STRONGER.keys())
def test_strengthening_needs_none(people: People, used: Manifest, change: Manifest) -> None:
    assert people.gus.patch(used, {"spec": change}, **DRY).annotations() == {}


@pytest.mark.parametrize("change", STRONGER_THAN_LOOSE.values(), ids=STRONGER_THAN_LOOSE.keys())
def test_strengthening_a_loose_one_needs_none(people: People, loose: Manifest, change: Manifest) -> None:
    assert people.gus.patch(loose, {"spec": change}, **DRY).annotations() == {}


def test_each_field_of_the_kind_has_been_thought_of() -> None:
    """A field that is added to the kind needs a case here; until it has one, the guard asks for a confirmation."""
    crd = yaml.safe_load((ROOT / "crds" / "domicile.dev_residencypolicies.yaml").read_text())
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    changes = [change for change, _ in WEAKER.values()]
    free = {"basis", "warnBefore"}
    assert {field for change in changes for field in change} | free == set(spec)
    assert {place for change in changes for place in change.get("allow", {})} == set(spec["allow"]["properties"])


WAYS: dict[str, Callable[[Person, Manifest], Reply]] = {
    "JSON patch": lambda person, of: person.patch(
        of, [{"op": "add", "path": "/spec/allow/workers/-", "value": "PH"}], "json", **DRY
    ),
    "replace": lambda person, of: person.replace({**of, "spec": {**of["spec"], "mode": "Audit"}}, **DRY),
    "server-side apply, which adds": lambda person, of: person.apply(
        {
            **{key: of[key] for key in ("apiVersion", "kind")},
            "metadata": {"name": of["metadata"]["name"]},
            "spec": {"allow": {"workers": ["PH"]}},
        },
        **DRY,
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_there_is_no_way_around(people: People, used: Manifest, way: Callable[[Person, Manifest], Reply]) -> None:
    reply = way(people.gus, used)
    assert reply.status == 403
    assert "not plainly a strengthening" in reply.said


def test_saying_that_it_is_not_in_use_is_the_operator_s(people: People, used: Manifest) -> None:
    assert people.gus.patch(used, {"status": {"conditions": []}}, subresource="status").status == 403
    unused = {"status": {"conditions": []}, "spec": {"mode": "Audit"}}
    assert people.gus.patch(used, unused, **DRY).status == 403
    weaker = {"spec": {"mode": "Audit"}, "status": {"observedGeneration": 1}}
    assert people.operator.patch(used, weaker, subresource="status").body["spec"]["mode"] == "Enforce"


@pytest.mark.parametrize("status", [None, "False", "Unknown"])
def test_what_no_model_runs_under_is_governance_s_to_change(people: People, status: str | None) -> None:
    unused = policy(people, SPEC, status)
    for change, _ in WEAKER.values():
        assert people.gus.patch(unused, {"spec": change}, **DRY).annotations() == {}
    assert people.gus.delete(unused).status == 200


NO_REASONS: dict[str, tuple[str | None, str]] = {
    "none": (None, "not plainly a strengthening"),
    "an empty one": ("", "not plainly a strengthening"),
    "one that is too short": ("because", "must be a reason of 10 characters or more"),
    "blanks": (" " * 20, "must be a reason of 10 characters or more"),
}


@pytest.mark.parametrize(("reason", "said"), NO_REASONS.values(), ids=NO_REASONS.keys())
def test_a_confirmation_is_a_reason(people: People, used: Manifest, reason: str | None, said: str) -> None:
    reply = people.gus.patch(used, {"spec": {"mode": "Audit"}, **annotated(confirmed_change=reason)}, **DRY)
    assert reply.status == 403
    assert said in reply.said


def test_each_change_has_a_reason_of_its_own(people: People) -> None:
    of = policy(people, SPEC)
    assert people.gil.patch(of, {"spec": {"mode": "Audit"}, **CONFIRMED}).status == 200
    looser = {"spec": {"exceptions": "Allow"}}
    for change in (looser, {**looser, **CONFIRMED}, {**looser, **annotated(confirmed_by="gus")}):
        assert people.gus.patch(of, change).status == 403
    assert people.gus.patch(of, {"spec": {"warnBefore": "24h"}}).annotations() == {
        "confirmed-change": REASON,
        "confirmed-by": "gil",
    }
    other = annotated(confirmed_change="the board's minute 12", confirmed_by="gil")
    assert people.gus.patch(of, {**looser, **other}).annotations() == {
        "confirmed-change": "the board's minute 12",
        "confirmed-by": "gus",
    }


def test_a_reason_comes_with_its_change(people: People, used: Manifest) -> None:
    reply = people.gus.patch(used, CONFIRMED, **DRY)
    assert reply.status == 403
    assert "says why a change of spec was confirmed, and goes with that change" in reply.said


def test_a_reason_that_a_policy_was_made_with_confirms_nothing(people: People) -> None:
    of = in_use(people.operator, made(people.gil, objects.policy(confirmed_change=REASON, confirmed_by="gus")))
    assert own_annotations(of) == {"confirmed-change": REASON}
    for more in ({}, CONFIRMED):
        assert people.gil.patch(of, {"spec": {"mode": "Audit"}, **more}).status == 403


def test_a_policy_in_use_is_not_deleted_without_a_confirmation(people: People) -> None:
    of = policy(people, SPEC)
    for person in (people.gil, people.root):
        reply = person.delete(of)
        assert reply.status == 403
        assert "deleting it has to be confirmed first" in reply.said
    # A confirmed change does not confirm the deletion.
    assert people.gil.patch(of, {"spec": {"mode": "Audit"}, **CONFIRMED}).status == 200
    assert people.gil.delete(of).status == 403
    confirmed = people.gil.patch(of, annotated(confirmed_deletion="the product has ended", confirmed_deletion_by="gus"))
    assert confirmed.annotations() == {
        "confirmed-change": REASON,
        "confirmed-by": "gil",
        "confirmed-deletion": "the product has ended",
        "confirmed-deletion-by": "gil",
    }
    assert people.gus.delete(of).status == 200


def test_many_are_not_deleted_at_once_either(people: People) -> None:
    of = policy(people, SPEC)
    people.root.patch(of, {"metadata": {"labels": {"batch": of["metadata"]["name"]}}})
    collection = people.root.api.path_of(of).rpartition("/")[0]
    status, answer = people.root.api.raw("DELETE", f"{collection}?labelSelector=batch%3D{of['metadata']['name']}")
    assert (status, b"has to be confirmed first" in answer) == (403, True), answer
    assert people.root.get(of)


@pytest.mark.parametrize("reason", ["", "because", " " * 20], ids=["empty", "too short", "blanks"])
def test_a_deletion_is_confirmed_with_a_reason(people: People, reason: str) -> None:
    of = policy(people, SPEC)
    reply = people.gil.patch(of, annotated(confirmed_deletion=reason))
    assert reply.status == (403 if reason else 200)
    assert people.gil.delete(of).status == 403


def test_a_confirmed_deletion_can_be_taken_back(people: People) -> None:
    of = policy(people, SPEC)
    assert people.gil.patch(of, annotated(confirmed_deletion=REASON)).status == 200
    assert people.gus.patch(of, annotated(confirmed_deletion=None)).annotations() == {}
    assert people.gil.delete(of).status == 403


def test_another_reason_for_a_deletion_is_another_s(people: People) -> None:
    of = policy(people, SPEC)
    assert people.gil.patch(of, annotated(confirmed_deletion=REASON)).status == 200
    again = people.gus.patch(of, annotated(confirmed_deletion="the board's minute 12", confirmed_deletion_by="gil"))
    assert again.annotations() == {
        "confirmed-deletion": "the board's minute 12",
        "confirmed-deletion-by": "gus",
    }


def test_no_policy_is_made_to_be_deleted(people: People) -> None:
    reply = people.gil.create(objects.policy(confirmed_deletion="it may go at any time"))
    assert reply.status == 403
    assert "a policy cannot be made with its deletion confirmed" in reply.said


def test_the_largest_policy_can_be_judged(people: People) -> None:
    """CEL has a budget: past it every change would be refused."""
    places = [f"MY-{number:03d}" for number in range(64)]
    rules = [
        {**RULES[0], "name": f"r{number}", "expression": f"{number} > 0 || {'true || ' * 100}true"}
        for number in range(32)
    ]
    largest = {
        **SPEC,
        "allow": {**dict.fromkeys(PLACES, places), "hosts": [f"h{number}.example" for number in range(64)]},
        "rules": rules,
    }
    of = policy(people, largest)
    stronger = {"allow": dict.fromkeys(PLACES, places[:-1])}
    assert people.gus.patch(of, {"spec": stronger}, **DRY).status == 200
    weaker = {"allow": {place: [*places[:-1], "SG"] for place in PLACES}, "rules": []}
    reply = people.gus.patch(of, {"spec": weaker}, **DRY)
    assert (reply.status, "not plainly a strengthening" in reply.said) == (403, True), reply.said
    assert people.gus.patch(of, {"spec": weaker, **CONFIRMED}, **DRY).status == 200
