"""What the API server itself writes of who did what: nobody else can write it, at any time, in any way."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from chart import objects
from chart.objects import Manifest, annotated, own_annotations
from chart.persons import DRY, People, Person, Reply, in_use, made

pytestmark = pytest.mark.fleet

REASON = "by order of the court"


@dataclass(frozen=True)
class Case:
    """A stamp on an object, who may write that object, and how it is made."""

    stamp: str
    writer: Callable[[People], Person]
    make: Callable[[People], Manifest]


def attested(people: People) -> Manifest:
    return made(people.gil, objects.attestation())


def recorded(people: People) -> Manifest:
    return made(people.gil, objects.record())


def asked(people: People) -> Manifest:
    return made(people.gil, objects.exception())


def approved(people: People) -> Manifest:
    reply = people.ana.patch(asked(people), {"spec": {"approved": True}})
    assert reply.annotations() == {"requested-by": "gil", "approved-by": "ana"}
    return reply.body


def model(people: People) -> Manifest:
    return made(people.ali, objects.of_several_classes())


def declassified(people: People) -> Manifest:
    change = {**annotated(declassified_because=REASON), "spec": {"dataClasses": ["card.pan"]}}
    reply = people.dora.patch(model(people), change)
    assert reply.annotations() == {
        "requested-by": "ali",
        "declassified-because": REASON,
        "declassified-by": "dora",
    }
    return reply.body


def confirmed(people: People) -> Manifest:
    policy = in_use(people.operator, made(people.gil, objects.policy()))
    change = {**annotated(confirmed_change=REASON), "spec": {"allow": {"workers": ["SG", "PH"]}}}
    reply = people.gil.patch(policy, change)
    assert reply.annotations() == {"confirmed-change": REASON, "confirmed-by": "gil"}
    return reply.body


def to_be_deleted(people: People) -> Manifest:
    reply = people.gil.patch(made(people.gil, objects.policy()), annotated(confirmed_deletion=REASON))
    assert reply.annotations() == {"confirmed-deletion": REASON, "confirmed-deletion-by": "gil"}
    return reply.body


def gus(people: People) -> Person:
    return people.gus


def ali(people: People) -> Person:
    return people.ali


def ana(people: People) -> Person:
    return people.ana


HELD = {
    "who verified an attestation": Case("verified-by", gus, attested),
    "who approved a record": Case("approved-by", gus, recorded),
    "who asked for an exception": Case("requested-by", gus, asked),
    "who asked for an exception that is approved": Case("requested-by", ana, approved),
    "who approved an exception": Case("approved-by", gus, approved),
    "who approved an exception, at the approver's hands": Case("approved-by", ana, approved),
    "who asked for a model": Case("requested-by", ali, model),
    "who dropped a class of a model": Case("declassified-by", ali, declassified),
    "why a class of a model was dropped": Case("declassified-because", ali, declassified),
    "who confirmed a change of a policy": Case("confirmed-by", gus, confirmed),
    "why a change of a policy was confirmed": Case("confirmed-change", gus, confirmed),
    "who confirmed the deletion of a policy": Case("confirmed-deletion-by", gus, to_be_deleted),
}


def _merged(person: Person, of: Manifest, stamp: str, value: str | None) -> Reply:
    return person.patch(of, annotated(**{stamp: value}))


def _all_removed(person: Person, of: Manifest, stamp: str) -> Reply:
    del stamp
    return person.patch(of, {"metadata": {"annotations": None}})


def _by_json_patch(person: Person, of: Manifest, stamp: str) -> Reply:
    path = f"/metadata/annotations/domicile.dev~1{stamp}"
    return person.patch(of, [{"op": "replace", "path": path, "value": "eve, the auditor"}], "json")


def _applied(person: Person, of: Manifest, stamp: str) -> Reply:
    metadata = {key: of["metadata"][key] for key in ("name", "namespace") if key in of["metadata"]}
    forged = {**metadata, **annotated(**{stamp: "eve, the auditor"})["metadata"]}
    return person.apply({"apiVersion": of["apiVersion"], "kind": of["kind"], "metadata": forged})


def _replaced(person: Person, of: Manifest, stamp: str) -> Reply:
    annotations = {**of["metadata"]["annotations"], f"domicile.dev/{stamp}": "eve, the auditor"}
    return person.replace({**of, "metadata": {**of["metadata"], "annotations": annotations}})


WAYS: dict[str, Callable[[Person, Manifest, str], Reply]] = {
    "changed by merge patch": lambda person, of, stamp: _merged(person, of, stamp, "eve, the auditor"),
    "emptied by merge patch": lambda person, of, stamp: _merged(person, of, stamp, ""),
    "removed by merge patch": lambda person, of, stamp: _merged(person, of, stamp, None),
    "removed with all others": _all_removed,
    "changed by JSON patch": _by_json_patch,
    "changed by server-side apply of another manager": _applied,
    "changed by replacing the object": _replaced,
}


@pytest.fixture(scope="module")
def objects_of(people: People) -> Callable[[Callable[[People], Manifest]], Manifest]:
    """Each object once: no attempt changes it."""
    there: dict[Any, Manifest] = {}

    def of(make: Callable[[People], Manifest]) -> Manifest:
        if make not in there:
            there[make] = make(people)
        return there[make]

    return of


FORGERIES = {
    f"{what}, {how}": (case, way)
    for what, case in HELD.items()
    for how, way in WAYS.items()
    # That takes the confirmation back, and who gave it goes with it.
    if not (case.make is to_be_deleted and way is _all_removed)
}


@pytest.mark.parametrize(("case", "way"), FORGERIES.values(), ids=FORGERIES.keys())
def test_a_stamp_cannot_be_forged(
    people: People, objects_of: Any, case: Case, way: Callable[[Person, Manifest, str], Reply]
) -> None:
    of = objects_of(case.make)
    before = own_annotations(of)
    for person in (case.writer(people), people.root):
        reply = way(person, of, case.stamp)
        assert reply.status == 403, reply.said
        assert "annotation domicile.dev/" in reply.said
        assert own_annotations(people.root.get(of)) == before


@pytest.mark.parametrize("case", HELD.values(), ids=HELD.keys())
def test_a_stamp_cannot_be_forged_through_the_status(people: People, objects_of: Any, case: Case) -> None:
    of = objects_of(case.make)
    before = own_annotations(of)
    forged = {**annotated(**{case.stamp: "eve, the auditor"}), "status": {"observedGeneration": 1}}
    reply = people.root.patch(of, forged, subresource="status")
    # Only two of the kinds have a status, and what else is sent there is passed over.
    assert reply.status == (200 if of["kind"] in ("SovereignModel", "ResidencyPolicy") else 404), reply.said
    assert own_annotations(people.root.get(of)) == before


def _labelled(person: Person, of: Manifest) -> Reply:
    return person.patch(of, {"metadata": {"labels": {"seen": "yes"}}})


@pytest.mark.parametrize("case", HELD.values(), ids=HELD.keys())
def test_a_stamp_stays_when_something_else_changes(people: People, objects_of: Any, case: Case) -> None:
    of = objects_of(case.make)
    assert _labelled(case.writer(people), of).annotations() == own_annotations(of)


FORGED = dict.fromkeys(
    (
        "verified_by",
        "requested_by",
        "approved_by",
        "declassified_by",
        "declassified_because",
        "confirmed_by",
        "confirmed_change",
        "confirmed_deletion_by",
    ),
    "eve, the auditor",
)
# Only what is said of the kind is a stamp there: the rest is anybody's, and says nothing.
MADE: dict[str, tuple[Callable[..., Manifest], Callable[[People], Person], dict[str, str | None]]] = {
    "an attestation": (objects.attestation, gus, {"verified-by": "gus"}),
    "a record": (objects.record, gus, {"approved-by": "gus"}),
    "an exception": (objects.exception, gus, {"requested-by": "gus", "approved-by": None}),
    "a model": (objects.of_several_classes, ali, {"requested-by": "ali", "declassified-by": None}),
    "a policy": (objects.policy, gus, {"confirmed-by": None, "confirmed-deletion-by": None}),
}


@pytest.mark.parametrize("how", ["create", "server-side apply"])
@pytest.mark.parametrize(("make", "writer", "stamped"), MADE.values(), ids=MADE.keys())
def test_what_is_forged_at_creation_is_written_over(
    people: People,
    make: Callable[..., Manifest],
    writer: Callable[[People], Person],
    stamped: dict[str, str | None],
    how: str,
) -> None:
    person, forged = writer(people), make(**FORGED)
    reply = person.create(forged) if how == "create" else person.apply(forged)
    there = reply.annotations()
    assert {key: there.get(key) for key in stamped} == stamped


SPEC_CHANGES: dict[str, tuple[Callable[[People], Manifest], Manifest, str]] = {
    "an attestation": (attested, {"facts": {"workers": {"jurisdiction": "PH"}}}, "verified-by"),
    "an attestation, in its validity alone": (attested, {"validUntil": "2026-12-01T00:00:00Z"}, "verified-by"),
    "a record": (recorded, {"countries": ["PH"]}, "approved-by"),
    "a record, in its validity alone": (recorded, {"validUntil": "2028-01-01T00:00:00Z"}, "approved-by"),
}


@pytest.mark.parametrize("forged", [None, "gil", "eve, the auditor"], ids=["unforged", "as it was", "forged"])
@pytest.mark.parametrize(("make", "change", "stamp"), SPEC_CHANGES.values(), ids=SPEC_CHANGES.keys())
def test_whoever_changes_what_is_said_is_written_there(
    people: People,
    make: Callable[[People], Manifest],
    change: Manifest,
    stamp: str,
    forged: str | None,
) -> None:
    of = make(people)
    assert own_annotations(of) == {stamp: "gil"}
    changed = {"spec": change, **(annotated(**{stamp: forged}) if forged else {})}
    assert people.gus.patch(of, changed).annotations() == {stamp: "gus"}
    removed = {"spec": of["spec"], **annotated(**{stamp: None})}
    assert people.gil.patch(of, removed).annotations() == {stamp: "gil"}


def test_applying_the_same_again_vouches_for_nothing(people: People) -> None:
    attestation = objects.attestation()
    assert people.gil.apply(attestation).annotations() == {"verified-by": "gil"}
    assert people.gus.apply(attestation).annotations() == {"verified-by": "gil"}
    assert people.gus.apply(attestation, manager="yet-another").annotations() == {"verified-by": "gil"}


def test_an_approver_cannot_be_written_where_nothing_is_approved(people: People) -> None:
    exception = asked(people)
    for way in WAYS.values():
        if way is not _by_json_patch and way is not _all_removed:
            assert way(people.ana, people.root.get(exception), "approved-by").annotations() == {"requested-by": "gil"}


INVALID: dict[str, tuple[Callable[[], Manifest], Callable[[People], Person], Manifest, str]] = {
    "an attestation": (objects.attestation, gus, {"facts": "SG"}, "spec.facts: Invalid value"),
    "a record": (objects.record, gus, {"countries": "SG"}, "spec.countries: Invalid value"),
    "an exception": (objects.exception, gus, {"approved": "yes"}, "spec.approved: Invalid value"),
    "a model": (objects.of_several_classes, ali, {"dataClasses": "pii"}, "spec.dataClasses: Invalid value"),
    "a policy": (objects.policy, gus, {"allow": "SG"}, "spec.allow: Invalid value"),
}


@pytest.mark.parametrize(("make", "writer", "bad", "said"), INVALID.values(), ids=INVALID.keys())
def test_an_object_that_is_no_such_thing_is_refused_in_the_words_of_its_schema(
    people: People, make: Callable[[], Manifest], writer: Callable[[People], Person], bad: Manifest, said: str
) -> None:
    there = made(writer(people), make())
    attempts = [writer(people).patch(there, {"spec": bad}, **DRY)]
    # What makes a model is stamped by an ApplyConfiguration, which has words of its own.
    if there["kind"] != "SovereignModel":
        wanted = make()
        attempts.append(writer(people).create({**wanted, "spec": {**wanted["spec"], **bad}}, **DRY))
    for reply in attempts:
        assert (reply.status, said in reply.said) == (422, True), reply.said
