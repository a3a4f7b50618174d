"""The store: it never goes back to an older version, forgets what was deleted, and says what it cannot read."""

from collections.abc import Callable
from typing import Any

import pytest

import builders as a
from domicile.api import KINDS, Kind, ResidencyPolicy
from domicile.controller.store import Labels, Shelf, Store, Unreadable

Raw = dict[str, Any]
NAME = ("", "sg-customer-data")


def raw(version: int | str, *, uid: str = "first", workers: str = "SG", name: str = NAME[1], **spec: Any) -> Raw:
    made = a.policy(name, everywhere=(workers,)).wire()
    made["metadata"] = {"name": name, "uid": uid, "resourceVersion": str(version)}
    made["spec"] |= spec
    return made


def workers(shelf: Shelf[ResidencyPolicy]) -> str | None:
    entry = shelf.get(NAME)
    if isinstance(entry, Unreadable):
        return "unreadable"
    return entry.spec.allow.workers[0] if entry else None


Step = Callable[[Shelf[ResidencyPolicy]], object]


def put(version: int | str, **more: Any) -> Step:
    return lambda shelf: shelf.put(raw(version, **more))


def removed(version: int, **more: Any) -> Step:
    return lambda shelf: shelf.remove(raw(version, **more))


def listed(at: int, *raws: Raw) -> Step:
    return lambda shelf: shelf.reconcile(raws, str(at))


HISTORIES: dict[str, tuple[list[Step], str | None]] = {
    "nothing": ([], None),
    "added": ([put(1)], "SG"),
    "newer": ([put(1), put(2, workers="PH")], "PH"),
    "older, told late": ([put(2, workers="PH"), put(1)], "PH"),
    "the same once more": ([put(1), put(1, workers="PH")], "SG"),
    "9 and 10 are numbers": ([put(9), put(10, workers="PH")], "PH"),
    "an odd version wins against nothing": ([put(1), put("odd", workers="PH")], "SG"),
    "deleted": ([put(1), removed(2)], None),
    "deleted, then told of late": ([put(1), removed(2), put(1)], None),
    "deleted before it was known": ([removed(2), put(1)], None),
    "made anew": ([put(1), removed(2), put(3, uid="second", workers="PH")], "PH"),
    "made anew before the deletion is told": ([put(1), put(3, uid="second", workers="PH"), removed(2)], "PH"),
    "made anew, then told of the old one": ([put(3, uid="second", workers="PH"), put(1)], "PH"),
    "made anew, then told of the old one and its end": (
        [put(3, uid="second", workers="PH"), put(1), removed(2)],
        "PH",
    ),
    "listed": ([listed(5, raw(1))], "SG"),
    "a ghost": ([put(1), listed(5)], None),
    "a ghost, told of late": ([put(1), listed(5), put(1)], None),
    "younger than the list": ([put(6), listed(5)], "SG"),
    "newer than in the list": ([put(6, workers="PH"), listed(5, raw(1))], "PH"),
    "deleted, and in a list from before": ([put(1), removed(6), listed(5, raw(1))], None),
    "a ghost of which the name lives on": ([put(1), listed(5, raw(4, uid="second", workers="PH"))], "PH"),
    "became unreadable": ([put(1), put(2, invented=True)], "unreadable"),
    "became readable again": ([put(1, invented=True), put(2)], "SG"),
    "an unreadable one is not replaced by an older one": ([put(2, invented=True), put(1)], "unreadable"),
    "an unreadable ghost": ([put(1, invented=True), listed(5)], None),
    "an unreadable one, deleted": ([put(1, invented=True), removed(2)], None),
}


@pytest.mark.parametrize(("history", "expected"), HISTORIES.values(), ids=HISTORIES.keys())
def test_after_a_history_the_shelf_has(history: list[Step], expected: str | None) -> None:
    shelf = Shelf(ResidencyPolicy)
    for step in history:
        step(shelf)
    assert workers(shelf) == expected
    assert shelf.names() == ((NAME,) if expected else ())


CHANGES: dict[str, tuple[list[Step], Step, object]] = {
    "put, new": ([], put(1), True),
    "put, known": ([put(1)], put(1), False),
    "put, older": ([put(2)], put(1), False),
    "removed": ([put(1)], removed(2), True),
    "removed, unknown": ([], removed(2), False),
    "removed, another of that name": ([put(3, uid="second")], removed(2), False),
    "listed as known": ([put(1)], listed(5, raw(1)), set()),
    "listed newer": ([put(1)], listed(5, raw(2)), {NAME}),
    "listed no more": ([put(1)], listed(5), {NAME}),
}


@pytest.mark.parametrize(("before", "step", "told"), CHANGES.values(), ids=CHANGES.keys())
def test_it_tells_what_changed(before: list[Step], step: Step, told: object) -> None:
    shelf = Shelf(ResidencyPolicy)
    for earlier in before:
        earlier(shelf)
    assert step(shelf) == told


def test_tombstones_are_not_kept_for_ever() -> None:
    shelf = Shelf(ResidencyPolicy)
    for number in range(10_001):
        shelf.remove(raw(1, uid=str(number)))
    assert not shelf.put(raw(1, uid="10000"))
    assert shelf.put(raw(1, uid="0"))


def test_what_cannot_be_read_is_kept_with_its_reason() -> None:
    store = Store()
    store.policies.put(raw(1, invented=True))
    store.policies.put(raw(1, uid="other", name="other"))
    store.attestations.put({"metadata": {"name": "bare", "uid": "bare", "resourceVersion": "1"}})
    (unreadable,) = store.policies.unreadable()
    assert unreadable.why == "spec.invented: Extra inputs are not permitted"
    assert [policy.metadata.name for policy in store.policies.readable()] == ["other"]
    assert store.unreadable_rules() == ("ResidencyPolicy/sg-customer-data", "ClusterAttestation/bare")


def test_a_model_or_a_cluster_that_cannot_be_read_is_no_rule() -> None:
    store = Store()
    for shelf in (store.models, store.clusters):
        shelf.put({"metadata": {"name": "bare", "uid": "bare", "resourceVersion": "1"}})
        assert len(shelf.unreadable()) == 1
    assert store.unreadable_rules() == ()


def test_what_can_be_read_of_a_model_is_kept() -> None:
    store = Store()
    bare = {"metadata": {"name": "bare", "uid": "bare", "resourceVersion": "1"}}
    for shelf in store.shelves():
        shelf.put(bare)
    (model,) = store.models.unreadable()
    assert model.remnant is not None
    assert (model.remnant.metadata.uid, model.remnant.why, model.why) == ("bare", *["spec: Field required"] * 2)
    assert [entry.remnant for shelf in store.shelves()[1:] for entry in shelf.unreadable()] == [None] * 7


def test_each_kind_has_a_shelf() -> None:
    kinds = [shelf.kind.info.kind for shelf in Store().shelves()]
    assert sorted(kinds) == sorted(kind.info.kind for kind in KINDS)


def namespace(version: int, name: str = "bank", **labels: str) -> Raw:
    return {"metadata": {"name": name, "resourceVersion": str(version), "labels": labels}}


def test_labels_of_an_unknown_namespace_are_not_known() -> None:
    labels = Labels()
    assert labels.of("bank") is None
    assert labels.put({"metadata": {"name": "bank", "resourceVersion": "1"}})
    assert labels.of("bank") == {}


def test_labels_change_with_newer_versions_alone() -> None:
    labels = Labels()
    assert labels.put(namespace(2, unit="bank"))
    assert not labels.put(namespace(1, unit="shop"))
    assert not labels.put(namespace(3, unit="bank"))
    assert labels.put(namespace(4, unit="shop"))
    assert labels.of("bank") == {"unit": "shop"}
    assert labels.remove("bank")
    assert not labels.remove("bank")
    assert labels.of("bank") is None


def test_a_list_puts_labels_right_and_drops_ghosts() -> None:
    labels = Labels()
    labels.put(namespace(1, "gone"))
    labels.put(namespace(2, unit="bank"))
    assert labels.reconcile([namespace(3, unit="shop"), namespace(4, "new")]) == {"gone", "bank", "new"}
    assert labels.of("gone") is None
    assert labels.of("bank") == {"unit": "shop"}


def test_a_namespace_that_came_after_the_list_was_made_keeps_its_labels() -> None:
    labels = Labels()
    labels.put(namespace(9, unit="bank"))
    assert labels.reconcile([namespace(3, "other")]) == {"other"}
    assert labels.of("bank") == {"unit": "bank"}
    assert labels.reconcile([]) == set()


# The engine.


def wire(made: Kind, version: int, **metadata: Any) -> Raw:
    return {**made.wire(), "metadata": {**made.wire()["metadata"], "resourceVersion": str(version), **metadata}}


LAW: dict[str, Kind] = {
    "policies": a.policy(),
    "attestations": a.attestation(),
    "groups": a.group(),
    "classifications": a.classification(),
    "records": a.record(),
    "exceptions": a.exception(),
}


def full() -> Store:
    """A store with one object of each kind of the law."""
    store = Store()
    for shelf, made in LAW.items():
        getattr(store, shelf).put(wire(made, 1))
    return store


def test_the_engine_judges_by_all_of_the_law() -> None:
    law = full().engine().law
    assert {kind: [o.metadata.name for o in getattr(law, kind)] for kind in LAW} == {
        kind: [made.metadata.name] for kind, made in LAW.items()
    }


def test_the_engine_is_the_same_while_the_law_says_the_same() -> None:
    store = full()
    before = store.engine()
    store.policies.put({**wire(a.policy(), 2), "status": {"observedGeneration": 3}})
    store.models.put(wire(a.model(), 2))
    assert store.engine() is before


CHANGED: dict[str, Callable[[Store], object]] = {
    "one more": lambda store: store.policies.put(wire(a.policy("another"), 2)),
    "one less": lambda store: store.groups.remove(wire(a.group(), 1)),
    "another of that name": lambda store: store.records.put(wire(a.record(reference="other"), 2)),
    "another spec": lambda store: store.attestations.put(wire(a.attestation(everything="PH"), 2)),
    "another approver": lambda store: store.exceptions.put(
        wire(a.exception(), 2, annotations={"domicile.dev/requested-by": "ana", "domicile.dev/approved-by": "ana"})
    ),
    "one that cannot be read any more": lambda store: store.classifications.put(
        {**wire(a.classification(), 2), "spec": {"invented": True}}
    ),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_what_changes_the_law_makes_another_engine(change: Callable[[Store], object]) -> None:
    store = full()
    before = store.engine()
    change(store)
    after = store.engine()
    assert after is not before
    assert after is store.engine()


def test_one_for_another_is_no_standstill() -> None:
    """As many objects as before, with the same spec, under another name."""
    store = full()
    before = store.engine()
    store.groups.remove(wire(a.group(), 1))
    store.groups.put(wire(a.group("eea"), 2, uid="other"))
    assert store.engine() is not before
