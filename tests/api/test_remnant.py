"""What is read of a SovereignModel that cannot be read as a whole."""

from typing import Any

import pytest

import builders as a
from domicile.api import ModelRemnant, SovereignModel, remnant

SG = {"cluster": "sg", "clusterUID": a.uid("sg"), "permit": a.DIGEST, "state": "Serving", "nodeSelector": {"a": "b"}}
META = {
    "name": "fraud-scorer",
    "namespace": "retail-banking",
    "uid": a.uid("it"),
    "finalizers": ["domicile.dev/withdraw"],
    "deletionTimestamp": "2026-11-23T09:00:00Z",
}


def raw(spec: Any = None, **more: Any) -> dict[str, Any]:
    return {"kind": "SovereignModel", "metadata": META, "spec": spec, **more}


def read(spec: Any = None, **more: Any) -> ModelRemnant:
    found = remnant(raw(spec, **more), "spec.x: is wrong")
    assert found is not None
    return found


def test_who_it_is_and_that_it_is_being_deleted() -> None:
    found = read()
    assert (found.metadata.uid, found.metadata.finalizers) == (a.uid("it"), ("domicile.dev/withdraw",))
    assert found.metadata.deletion_timestamp == a.NOW
    assert (found.why, found.status) == ("spec.x: is wrong", None)
    assert found.info is SovereignModel.info


CLASSES = {
    "as they are": ({"dataClasses": ["customer.pii", "health"], "invented": True}, ("customer.pii", "health")),
    "one of them is none": ({"dataClasses": ["customer.pii", "No Class"]}, ()),
    "none": ({"dataClasses": []}, ()),
    "no list": ({"dataClasses": "customer.pii"}, ()),
    "left out": ({}, ()),
    "no spec": (None, ()),
}


@pytest.mark.parametrize(("spec", "classes"), CLASSES.values(), ids=CLASSES.keys())
def test_data_classes(spec: Any, classes: tuple[str, ...]) -> None:
    assert read(spec).data_classes == classes


READ = a.model(status={"placements": [SG]}).status
assert READ is not None
ROWS = {
    "all of it": ({"placements": [SG]}, READ.placements),
    "a field of the status that nobody knows": ({"placements": [SG], "invented": 1}, READ.placements),
    "a field of the row that nobody knows": ({"placements": [{**SG, "invented": 1}]}, READ.placements),
    "a state that nobody knows": (
        {"placements": [{**SG, "state": "Dreaming"}]},
        (READ.placements[0].model_copy(update={"permit": "", "state": "Starting", "node_selector": {}}),),
    ),
    "a condition that is none, and no placement": ({"conditions": ["Ready"]}, ()),
}


@pytest.mark.parametrize(("status", "rows"), ROWS.values(), ids=ROWS.keys())
def test_no_placement_on_record_is_lost(status: Any, rows: Any) -> None:
    found = read(status=status).status
    assert found is not None
    assert found.placements == rows


NOTHING = {
    "a placement somewhere": raw(status={"placements": [{"state": "Serving"}]}),
    "placements that are no list": raw(status={"placements": "sg"}),
    "a status that is none": raw(status="fine"),
    "metadata without a name": {"metadata": {}},
    "no metadata": {},
}


@pytest.mark.parametrize("odd", NOTHING.values(), ids=NOTHING.keys())
def test_without_who_it_is_and_where_it_was_placed_nothing_is_of_use(odd: dict[str, Any]) -> None:
    assert remnant(odd, "it is wrong") is None
