"""Deciding again from the record: the same bytes come out, or it is told what differs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import builders as a
from audit import recorded
from audit.scenes import SNAPSHOTS, connecting
from decision import world as w
from decision.test_properties import worlds
from domicile import audit, decision, residency
from domicile.audit import Bag, Differs, NotReplayed, Record, Same, Values, replay, snapshots
from domicile.decision import Plan, Snapshot
from residency.generated import generated

DECIDED = {name: each for name, each in SNAPSHOTS.items() if isinstance(decision.decide(*each), Plan)}


@pytest.mark.parametrize(("seen", "now"), DECIDED.values(), ids=DECIDED)
def test_who_has_the_record_decides_the_same(seen: Snapshot, now: datetime) -> None:
    assert recorded.again(seen, now) == Same()


def test_most_that_can_be_seen_is_decided_on() -> None:
    assert SNAPSHOTS.keys() - DECIDED.keys() == {"being connected to"}


@given(worlds())
@settings(max_examples=100)
def test_in_any_world_who_has_the_record_decides_the_same(state: w.World) -> None:
    seen = w.snapshot(state)
    if isinstance(decision.decide(seen, state.now), Plan):
        assert recorded.again(seen, state.now) == Same()


def asked_for(engine: residency.Engine, question: residency.Question) -> Snapshot:
    """The question, as a model asks it that nothing was done for yet."""
    asked = question.asked
    spec: dict[str, Any] = {
        "data_classes": asked.data_classes or ("customer.pii",),
        "runtime": {"image": a.IMAGE, "args": asked.arguments},
        "network": {"callers": asked.callers, "egress": asked.egress},
    }
    views = {m.id.name: a.view(m.id.name, mirrors=m.mirrors, reported=m.reported) for m in question.members}
    model = w.model(name=asked.ref.name, namespace=asked.ref.namespace, **spec)
    return Snapshot(model, asked.namespace_labels, engine, views, question.hub)


@given(st.integers(0, 2**32))
@settings(max_examples=60)
def test_under_any_law_who_has_the_record_decides_the_same(seed: int) -> None:
    """Of decisions of one engine too, which keeps what it found, and of which each records what those before it did not."""
    case, kept, recorded_before = generated(seed), audit.Kept(), dict[str, Any]()
    engine = residency.Engine(case.law)
    for question in case.questions:
        bag = Bag(recorded_before.keys(), kept)
        found = recorded.account(asked_for(engine, question), question.now, bag)
        recorded_before |= json.loads(json.dumps(found.values))
        assert replay(recorded.read(json.loads(json.dumps(found.body))), Values(recorded_before)) == Same(), case


RECORD, VALUES = recorded.from_log(w.snapshot(w.running()))
BODY = RECORD.body


def changed(field: str, value: Any) -> Record:
    return recorded.read({**BODY, field: value})


OTHERWISE: dict[str, Any] = {
    "what": ["Placed"],
    "coverage": {**BODY["coverage"], "policies": []},
    "candidates": a.DIGEST,
    "choice": {**BODY["choice"], "shortfall": 1},
    "restsOn": [{"kind": "ResidencyException", "name": "ticket-4711", "stamps": {}}],
    "acts": [{"act": "Release"}],
    "status": a.DIGEST,
    "lookAgain": None,
    "more": "than there was",
}


@pytest.mark.parametrize("field", OTHERWISE)
def test_what_was_written_instead_of_what_was_decided_is_found(field: str) -> None:
    found = replay(changed(field, OTHERWISE[field]), Values(VALUES))
    assert isinstance(found, Differs)
    assert found.fields == (field,)


def test_every_part_of_a_decision_was_changed_once() -> None:
    assert {*OTHERWISE, "seen", "decided", "context"} == {*BODY, "more"}


@pytest.mark.parametrize("field", sorted(OTHERWISE.keys() - {"more"}))
def test_what_was_left_out_of_a_decision_is_found(field: str) -> None:
    left = recorded.read({key: value for key, value in BODY.items() if key != field})
    found = replay(left, Values(VALUES))
    assert isinstance(found, Differs)
    assert found.fields == (field,)


def test_what_was_decided_and_what_should_have_been_are_told_beside_each_other() -> None:
    found = replay(changed("what", ["Placed"]), Values(VALUES))
    assert isinstance(found, Differs)
    assert (found.recorded["what"], found.again["what"]) == (["Placed"], ["Observed"])


def test_the_status_of_another_decision_is_found() -> None:
    other, values = recorded.from_log(w.snapshot(w.world()))
    found = replay(changed("status", other.body["status"]), Values({**values, **VALUES}))
    assert isinstance(found, Differs)
    assert found.fields == ("status",)


def test_a_decision_that_is_given_out_as_of_another_moment_is_found() -> None:
    ending = SNAPSHOTS["evidence that ends"][0]
    record, values = recorded.from_log(ending)
    found = replay(recorded.read({**record.body, "decided": "2026-11-23T10:00:00.000000Z"}), Values(values))
    assert isinstance(found, Differs)
    assert "acts" in found.fields


def test_what_software_it_was_is_not_decided() -> None:
    assert replay(changed("context", {"version": "9"}), Values(VALUES)) == Same()


def seen_otherwise(**changes: Any) -> Record:
    return changed("seen", {**BODY["seen"], **changes})


UNREADABLE = {
    "no body": recorded.read({}),
    "nothing was seen": changed("seen", None),
    "a moment that is none": changed("decided", "yesterday"),
    "a moment without a zone": changed("decided", "2026-11-23T09:00:00"),
    "a moment that is a number": changed("decided", 7),
    "a model that was not recorded": seen_otherwise(model=a.DIGEST),
    "a model that is another sort of thing": seen_otherwise(model=BODY["seen"]["members"]),
    "a status that was not recorded": seen_otherwise(status=a.DIGEST),
    "members that were not recorded": seen_otherwise(members=a.DIGEST),
    "a law that is a model": seen_otherwise(law=BODY["seen"]["model"]),
    "a hub of three parts": seen_otherwise(hub=["hub", "1", "2"]),
    "a hub that is a number": seen_otherwise(hub=7),
    "refusals that are a list": seen_otherwise(refusals=["sg"]),
    "a digest that is a list": seen_otherwise(law=[]),
}


@pytest.mark.parametrize("record", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_decided_again_is_told_and_stops_nobody(record: Record) -> None:
    assert isinstance(replay(record, Values(VALUES)), NotReplayed)


@pytest.mark.parametrize("digest", VALUES, ids=lambda digest: next(iter(VALUES[digest])))
def test_a_value_that_is_not_as_it_was_recorded_is_found(digest: str) -> None:
    tampered = {**VALUES, digest: {**VALUES[digest], "more": "than there was"}}
    assert replay(RECORD, Values(tampered)) == NotReplayed(f"ValueMissing: value {digest} is not as it was recorded")


@pytest.mark.parametrize("digest", VALUES, ids=lambda digest: next(iter(VALUES[digest])))
def test_a_value_that_is_missing_is_told(digest: str) -> None:
    left = {other: value for other, value in VALUES.items() if other != digest}
    assert replay(RECORD, Values(left)) == NotReplayed(
        f"ValueMissing: value {digest} was not recorded, or is kept no longer"
    )


def in_front_of(state: w.World) -> audit.Replayed:
    """What was decided in front of the usual world is said to have been decided in front of this one."""
    bag = Bag()
    members = snapshots.written(w.snapshot(state), bag)["members"]
    record, values = recorded.from_log(w.snapshot(w.world()))
    seen = {**record.body["seen"], "members": members}
    return replay(recorded.read({**record.body, "seen": seen}), Values({**values, **bag.values}))


def test_where_it_would_be_waited_it_is_told_so() -> None:
    assert in_front_of(connecting()) == NotReplayed("it would be waited for something, and nothing be decided")


def test_times_with_which_nothing_can_be_reckoned_are_told() -> None:
    found = in_front_of(connecting(since=datetime.max.replace(tzinfo=UTC)))
    assert found == NotReplayed("OverflowError: date value out of range")


def test_a_decision_that_follows_from_another_policy_is_found() -> None:
    """What was seen of one decision, with what was decided by another one, under another policy."""
    strict, lax = (recorded.from_log(w.snapshot(under(place))) for place in ("DE", "SG"))
    body = {**lax[0].body, "seen": strict[0].body["seen"]}
    found = replay(recorded.read(body), Values({**strict[1], **lax[1]}))
    assert isinstance(found, Differs)
    assert {"acts", "choice", "candidates", "status"} <= set(found.fields)


def under(place: str) -> w.World:
    return w.world(policies=(a.policy(everywhere=(place,)),))
