"""What was seen is written as JSON and read again: the same was seen."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

import builders as a
from audit.scenes import SNAPSHOTS
from audit.views import rich_view
from decision import world as w
from domicile import residency
from domicile.audit import Bag, ValueMissing, Values, snapshots
from domicile.decision import Snapshot
from domicile.residency import Law

WITHOUT_LAW = residency.Engine(Law())


def through_text(seen: Snapshot) -> Snapshot:
    """Written, and read by somebody who has the text."""
    bag = Bag()
    found = snapshots.written(seen, bag)
    said, values = json.loads(json.dumps([found, bag.values]))
    return snapshots.read(said, Values(values))


def law(seen: Snapshot) -> dict[str, tuple[Any, ...]]:
    """Its objects by name: their order does not count."""
    found = seen.engine.law
    return {kind: tuple(sorted(getattr(found, kind), key=lambda o: o.metadata.name)) for kind in snapshots.LAW}


@pytest.mark.parametrize(("seen", "now"), SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_what_was_seen_survives_the_log(seen: Snapshot, now: datetime) -> None:
    again = through_text(seen)
    assert law(again) == law(seen)
    assert replace(again, engine=WITHOUT_LAW) == replace(seen, engine=WITHOUT_LAW)


def test_every_field_of_a_snapshot_was_tried_with_something_in_it() -> None:
    usual = Snapshot(w.model(), {}, WITHOUT_LAW, {})
    untried = {
        name
        for name in Snapshot.__dataclass_fields__
        if all(getattr(seen, name) == getattr(usual, name) for seen, _ in SNAPSHOTS.values())
    }
    assert untried == set()


def test_every_field_of_the_law_was_tried_with_something_in_it() -> None:
    assert {name for name in snapshots.LAW if not any(law(seen)[name] for seen, _ in SNAPSHOTS.values())} == set()


def test_every_field_of_a_view_was_tried_with_something_in_it() -> None:
    view, bare = rich_view(), a.view()
    same = {name for name in type(view).__dataclass_fields__ if getattr(view, name) == getattr(bare, name)}
    assert same == {"member", "connection", "serving", "fence"}  # Others have these otherwise.


def test_every_field_of_the_law_is_recorded() -> None:
    assert snapshots.LAW.keys() == Law.__dataclass_fields__.keys()


STAMPED = {
    "domicile.dev/approved-by": "gil",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
}


def test_of_annotations_those_are_recorded_that_say_something_to_domicile() -> None:
    by = a.exception(annotations=STAMPED)
    seen = w.snapshot(w.world("sg", further={"exceptions": (by,)}))
    assert through_text(seen).engine.law.exceptions[0].metadata.annotations == {"domicile.dev/approved-by": "gil"}


def test_a_value_that_is_missing_is_told() -> None:
    bag = Bag()
    found = snapshots.written(w.snapshot(w.world()), bag)
    left = {digest: value for digest, value in bag.values.items() if digest != found["law"]}
    with pytest.raises(ValueMissing, match=found["law"]):
        snapshots.read(found, Values(left))
