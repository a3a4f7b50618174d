"""Who asks for an exception is not who approves it: the API server sees to it, whoever they are and however they try."""

from collections.abc import Callable
from typing import Any

import pytest

from chart import objects
from chart.conftest import Hub
from chart.objects import Manifest, annotated, own_annotations
from chart.persons import DRY, People, Person, Reply, made

pytestmark = pytest.mark.fleet

APPROVE = {"spec": {"approved": True}}
ASKED = {"requested-by": "gil"}
APPROVED = {"requested-by": "gil", "approved-by": "ana"}


@pytest.fixture
def asked(people: People) -> Manifest:
    return made(people.gil, objects.exception())


@pytest.fixture
def approved(people: People, asked: Manifest) -> Manifest:
    reply = people.ana.patch(asked, APPROVE)
    assert reply.annotations() == APPROVED
    return reply.body


def whole(of: Manifest, **spec: Any) -> Manifest:
    return {**of, "spec": {**of["spec"], **spec}}


def applied(of: Manifest, **spec: Any) -> Manifest:
    """What server-side apply of the whole says."""
    return {
        **{key: of[key] for key in ("apiVersion", "kind")},
        "metadata": {"name": of["metadata"]["name"]},
        "spec": {**of["spec"], **spec},
    }


APPROVING: dict[str, Callable[[Person, Manifest], Reply]] = {
    "merge patch": lambda person, of: person.patch(of, APPROVE),
    "JSON patch": lambda person, of: person.patch(of, [{"op": "add", "path": "/spec/approved", "value": True}], "json"),
    "server-side apply": lambda person, of: person.apply(applied(of, approved=True)),
    "replace": lambda person, of: person.replace(whole(of, approved=True)),
    "merge patch with the approver forged": lambda person, of: person.patch(
        of, {**annotated(approved_by="eve, the auditor"), **APPROVE}
    ),
}
NOT_ALLOWED = "may not approve exceptions: that needs the verb approve on residencyexceptions"
SELF = "asked for this exception and cannot approve it: who asks is not who approves"
# Who asks, who approves, and what is said to them.
WHO: dict[str, tuple[str, str, str]] = {
    "an approver": ("gil", "ana", ""),
    "an approver who is also of governance": ("gil", "pat", ""),
    "the administrator": ("gil", "root", ""),
    "who asked, with the right": ("pat", "pat", SELF),
    "who asked, as the administrator": ("root", "root", SELF),
    "who asked, without the right": ("gil", "gil", NOT_ALLOWED),
    "another of governance, without the right": ("gil", "gus", NOT_ALLOWED),
    "the team": ("gil", "ali", 'User "ali" cannot'),
    "the operator": ("gil", "operator", "cannot"),
}


@pytest.mark.parametrize("how", APPROVING.values(), ids=APPROVING.keys())
@pytest.mark.parametrize(("requester", "approver", "said"), WHO.values(), ids=WHO.keys())
def test_who_may_approve(
    people: People, requester: str, approver: str, said: str, how: Callable[[Person, Manifest], Reply]
) -> None:
    exception = made(getattr(people, requester), objects.exception())
    by = own_annotations(exception)
    reply = how(getattr(people, approver), exception)
    if said:
        assert reply.status == 403
        assert said in reply.said
        assert own_annotations(people.root.get(exception)) == by
    else:
        assert reply.annotations() == {**by, "approved-by": getattr(people, approver).name}


@pytest.mark.parametrize("who", ["gil", "pat", "root"])
@pytest.mark.parametrize("how", ["create", "server-side apply"])
def test_nothing_is_made_approved(people: People, who: str, how: str) -> None:
    person: Person = getattr(people, who)
    wanted = objects.exception(requested_by="gus", approved_by="ana")
    wanted["spec"]["approved"] = True
    reply = person.create(wanted) if how == "create" else person.apply(wanted)
    assert reply.status == 403
    assert "an exception cannot be made approved" in reply.said


def test_what_was_approved_is_not_replaced_by_deleting_it_first(people: People, approved: Manifest) -> None:
    assert people.gil.delete(approved).status == 200
    again = {
        **applied(approved),
        "metadata": {"name": approved["metadata"]["name"], **annotated(**{"approved-by": "ana"})},
    }
    assert people.gil.create(again).status == 403


def test_the_requester_may_not_become_another_while_it_is_approved(people: People) -> None:
    exception = made(people.pat, objects.exception())
    reply = people.pat.patch(exception, {**annotated(requested_by="gil"), **APPROVE})
    assert reply.status == 403
    assert "says who asked for this exception, and cannot be changed or removed: it is 'pat'" in reply.said


def test_taking_the_approval_back_takes_the_approver_away(people: People, approved: Manifest) -> None:
    for value in (False, None):
        taken = people.gus.patch(approved, {"spec": {"approved": value}})
        assert taken.annotations() == ASKED
        assert people.gil.patch(approved, APPROVE).status == 403
        assert people.pat.patch(approved, APPROVE).annotations() == {**ASKED, "approved-by": "pat"}


OTHER = {"name": "de", "uid": "1" * 8 + "-0000-0000-0000-" + "0" * 12}
CHANGES: dict[str, Manifest] = {
    "the model": {"model": {"namespace": "payments", "name": "fraud"}},
    "the policy": {"policy": "other-data"},
    "the rule": {"rule": "allow.workers"},
    "the cluster": {"cluster": OTHER},
    "the reason": {"reason": "because it is convenient"},
    "the reference": {"reference": "board minute 5"},
    "a later end": {"validUntil": "2028-01-01T00:00:00Z"},
    "an earlier begin": {"validFrom": "2025-01-01T00:00:00Z"},
    "an earlier end": {"validUntil": "2026-12-01T00:00:00Z"},
}
# What makes it smaller can be done to what was approved.
SMALLER = {"an earlier end"}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_approving_changes_nothing_of_what_was_asked_for(people: People, asked: Manifest, change: Manifest) -> None:
    for approver in (people.ana, people.pat, people.root):
        reply = approver.patch(asked, {"spec": {**change, "approved": True}})
        assert reply.status == 422
        assert "approving changes spec.approved and nothing else" in reply.said


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_only_who_asked_changes_what_is_asked_for(people: People, asked: Manifest, change: Manifest) -> None:
    for other in (people.gus, people.ana, people.pat, people.root):
        reply = other.patch(asked, {"spec": change})
        assert reply.status == 403
        assert "only 'gil', who asked for this exception, can change what it asks for" in reply.said
    assert people.gil.patch(asked, {"spec": change}).annotations() == ASKED


@pytest.mark.parametrize(("what", "change"), CHANGES.items(), ids=CHANGES.keys())
def test_what_was_approved_is_not_changed(people: People, approved: Manifest, what: str, change: Manifest) -> None:
    for person in (people.gil, people.ana, people.pat, people.root):
        for more in ({}, {"approved": False}):
            reply = person.patch(approved, {"spec": {**change, **more}}, **DRY)
            if what in SMALLER:
                assert reply.annotations() == (ASKED if more else APPROVED)
            else:
                assert reply.status == 422
                assert "what was approved can be ended earlier and not changed otherwise" in reply.said


def test_an_unapproved_exception_does_not_keep_what_the_requester_then_writes(
    people: People, approved: Manifest
) -> None:
    """Taking back, changing and approving again are three acts, and the last needs the approver."""
    assert people.gil.patch(approved, {"spec": {"approved": False}}).annotations() == ASKED
    assert people.gil.patch(approved, {"spec": {"cluster": OTHER}}).annotations() == ASKED
    assert people.gil.patch(approved, {**annotated(approved_by="ana"), **APPROVE}).status == 403


def test_the_right_can_be_given_for_one_exception(hub: Hub, people: People) -> None:
    first, second = (made(people.gil, objects.exception()) for _ in range(2))
    one = hub.person("one", "governance")
    people.give_for_one("one", first, "residencyexceptions", "approve")
    assert one.patch(first, APPROVE).annotations() == {**ASKED, "approved-by": "one"}
    assert NOT_ALLOWED in one.patch(second, APPROVE).said
