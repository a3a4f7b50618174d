"""The status of policies: written when it changes and not again, whoever else writes, and each policy for itself."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import builders as a
from controller.fake_hub_api import FakeHubApi
from controller.fakes import Later
from controller.recording import Recorder
from domicile import kube
from domicile.controller.hub import Hub
from domicile.controller.policies import ALL, Policies
from domicile.controller.store import Store

POLICIES = kube.Resource("domicile.dev", "v1alpha1", "residencypolicies", namespaced=False)
USED, OTHER = "sg-customer-data", "other-data"
ROW = {"cluster": "sg", "clusterUID": a.uid("sg"), "permit": "", "state": "Serving"}


class OnHub:
    """A hub with two policies, of which the store knows."""

    def __init__(self, **of_used: Any) -> None:
        self.api, self.store, self.later = FakeHubApi(), Store(), Later()
        self.hub = Hub(self.api.client, self.store, "domicile", "instance-1", lambda: a.NOW, lambda _: None)
        self.recorder = Recorder()
        self.loop = Policies(
            self.store,
            self.hub,
            self.recorder.ready(),
            lambda: a.NOW,
            lambda: True,
            lambda key, seconds: self.later(("", key), seconds),
        )
        self.put(USED, **of_used)
        self.put(OTHER, data_classes=["health.record"])

    def put(self, name: str, **changed: Any) -> None:
        wire = {**a.policy(name, **changed).wire(), "metadata": {"name": name, "uid": a.uid(name), "generation": 1}}
        self.store.policies.put(self.api.storage.put(POLICIES, wire))

    def place(self, **spec: Any) -> None:
        """A model of USED's data is on a cluster. Without a readable spec it is as another version left it."""
        made = a.model().wire()
        status = {"placements": [ROW]}
        meta = {**made["metadata"], "resourceVersion": "100"}
        self.store.models.put({**made, "metadata": meta, "spec": {**made["spec"], **spec}, "status": status})

    def changed_by_another(self, name: str) -> None:
        live = self.api.storage.objects[POLICIES, "", name]
        self.api.storage.put(POLICIES, {**live, "metadata": {**live["metadata"], "labels": {"new": "label"}}})

    def reconcile(self) -> "list[str]":
        """What was sent to the hub, events apart."""
        before = len(self.api.requests)
        asyncio.run(self.loop.reconcile(ALL))
        return [request for request in self.api.requests[before:] if "events/" not in request]

    def says(self, name: str, kind: str) -> Mapping[str, Any]:
        conditions = self.api.storage.objects[POLICIES, "", name]["status"]["conditions"]
        return next(each for each in conditions if each["type"] == kind)

    def in_use(self, name: str) -> str:
        return self.says(name, "InUse")["status"]

    @property
    def events(self) -> "list[tuple[str, str]]":
        objects = self.api.storage.objects.items()
        return [(event["regarding"]["name"], event["reason"]) for (kind, *_), event in objects if kind == kube.EVENTS]


WRITES = {name: f"PATCH residencypolicies/{name}" for name in (USED, OTHER)}


def test_it_is_written_once() -> None:
    on = OnHub()
    assert sorted(on.reconcile()) == sorted(WRITES.values())
    assert (on.reconcile(), on.later.asked) == ([], [])


def test_a_first_placement_costs_one_write_after_the_status_was_written_before() -> None:
    on = OnHub()
    on.reconcile()
    assert on.in_use(USED) == "False"
    on.place()
    assert (on.reconcile(), on.in_use(USED), on.in_use(OTHER)) == ([WRITES[USED]], "True", "False")
    assert on.reconcile() == []


def test_a_placed_model_that_cannot_be_read_any_more_still_uses_its_policy() -> None:
    on = OnHub()
    on.place(invented=True)
    on.reconcile()
    assert on.in_use(USED) == "True"


def test_a_placed_model_that_is_not_covered_any_more_still_uses_the_policies_that_speak_of_it() -> None:
    on = OnHub()
    on.place(dataClasses=["customer.pii", "of.no.policy"])
    on.reconcile()
    assert on.in_use(USED) == "True"


def test_where_another_was_first_it_is_tried_again_soon_and_the_others_do_not_wait() -> None:
    on = OnHub()
    on.changed_by_another(OTHER)
    on.reconcile()
    assert on.in_use(USED) == "False"
    assert on.later.asked == [(ALL, pytest.approx(0.2))]


def test_a_policy_that_was_deleted_meanwhile_stops_nothing() -> None:
    on = OnHub()
    del on.api.storage.objects[POLICIES, "", OTHER]
    on.reconcile()
    assert on.in_use(USED) == "False"


def test_what_cannot_be_read_is_said_in_the_status_and_in_one_event() -> None:
    on = OnHub(rules=[a.rule(expression="cluster.planet == 'Earth'")])
    on.reconcile()
    assert (on.says(USED, "Accepted")["status"], on.says(OTHER, "Accepted")["status"]) == ("False", "True")
    assert "line 1, column 8" in on.says(USED, "Accepted")["message"]
    on.place()
    on.reconcile()
    assert on.events == [(USED, "Invalid")]
