"""Writing to the hub: each write names its version, events have one name for one thing said, and nothing wrong is remembered."""

import asyncio
import base64
import logging
from dataclasses import replace
from typing import Any

import pytest

import builders as a
from controller.fake_hub_api import FakeHubApi, unreachable
from domicile import kube
from domicile.api import RegionalClusterStatus, SovereignModel, SovereignModelStatus
from domicile.api.regionalcluster import KubeconfigSecretRef
from domicile.api.sovereignmodel import FINALIZER
from domicile.controller.hub import Hub, resource
from domicile.controller.store import Store
from domicile.decision.events import Told

MODELS = kube.Resource("domicile.dev", "v1alpha1", "sovereignmodels", namespaced=True)
CLUSTERS = kube.Resource("domicile.dev", "v1alpha1", "regionalclusters", namespaced=False)
NAME = ("retail-banking", "fraud-scorer")
PLACED = SovereignModelStatus(placed_on="sg")


class OnHub:
    """A hub with one model on it, of which the store knows."""

    def __init__(self, **metadata: Any) -> None:
        self.api, self.store = FakeHubApi(), Store()
        self.remembered: list[str] = []
        self.hub = Hub(self.api.client, self.store, "domicile", "instance-1", lambda: a.NOW, self.remembered.append)
        made = a.model()
        meta = {"name": NAME[1], "namespace": NAME[0], "uid": made.metadata.uid, "generation": 1, **metadata}
        self.store.models.put(self.api.storage.put(MODELS, {**made.wire(), "metadata": meta}))
        self.api.storage.put(CLUSTERS, {**a.regional_cluster().wire(), "metadata": {"name": "sg", "uid": a.uid("sg")}})

    @property
    def known(self) -> SovereignModel:
        entry = self.store.models.get(NAME)
        assert isinstance(entry, SovereignModel)
        return entry

    @property
    def live(self) -> dict[str, Any]:
        return self.api.storage.objects[MODELS, NAME[0], NAME[1]]

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        return {name: event for (kind, _, name), event in self.api.storage.objects.items() if kind == kube.EVENTS}

    def changed_by_another(self) -> None:
        self.api.storage.put(MODELS, {**self.live, "metadata": {**self.live["metadata"], "labels": {"new": "label"}}})


def run(work: Any) -> Any:
    return asyncio.run(work)


def test_where_the_api_server_has_our_kinds() -> None:
    assert resource(SovereignModel) == MODELS
    assert resource(type(a.regional_cluster())) == CLUSTERS


def test_a_status_is_written_and_read_back_without_waiting_for_the_watch() -> None:
    on = OnHub()
    before = on.known
    run(on.hub.write_status(before, PLACED))
    assert on.live["status"]["placedOn"] == "sg"
    assert on.known.status == PLACED
    assert on.known.metadata.resource_version != before.metadata.resource_version


def test_a_status_replaces_the_one_before_as_a_whole() -> None:
    on = OnHub()
    condition = {"type": "Ready", "status": "True", "reason": "Serving", "last_transition_time": a.NOW}
    run(on.hub.write_status(on.known, SovereignModelStatus.model_validate({"conditions": [condition]})))
    run(on.hub.write_status(on.known, PLACED))
    assert on.known.status == PLACED


WRITES = {
    "status": lambda hub, model: hub.write_status(model, PLACED),
    "finalizer added": lambda hub, model: hub.add_finalizer(model),
    "finalizer released": lambda hub, model: hub.release_finalizer(model),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_write_that_rests_on_an_old_version_is_refused(write: Any) -> None:
    on = OnHub(finalizers=[FINALIZER])
    known = on.known
    on.changed_by_another()
    before = dict(on.live)
    with pytest.raises(kube.Conflict):
        run(write(on.hub, known))
    assert on.live == before
    assert on.known == known


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_write_that_did_not_get_through_is_not_remembered(write: Any) -> None:
    on = OnHub(finalizers=[FINALIZER])

    async def fail(verb: str) -> None:
        raise unreachable()

    on.api.on_way = fail
    known = on.known
    with pytest.raises(kube.Unreachable):
        run(write(on.hub, known))
    assert on.known == known


@pytest.mark.parametrize(
    "write",
    [
        lambda on: on.hub.write_status(on.known, PLACED),
        lambda on: on.hub.add_finalizer(on.known),
        lambda on: on.hub.release_finalizer(on.known),
    ],
    ids=["a status", "a finalizer", "the last finalizer"],
)
def test_what_was_written_here_is_told_here_because_its_watch_event_changes_nothing_any_more(write: Any) -> None:
    on = OnHub(finalizers=[FINALIZER], deletionTimestamp="2026-11-23T09:00:00Z")
    run(write(on))
    assert on.remembered == ["sovereignmodels"]
    live = on.api.storage.objects.get((MODELS, *NAME))
    assert live is None or not on.store.models.put(live)


def test_a_model_that_was_gone_already_is_told_of_once() -> None:
    on = OnHub(finalizers=[FINALIZER], deletionTimestamp="2026-11-23T09:00:00Z")
    del on.api.storage.objects[MODELS, NAME[0], NAME[1]]
    known = on.known
    run(on.hub.release_finalizer(known))
    run(on.hub.release_finalizer(known))
    assert on.remembered == ["sovereignmodels"]


def test_a_late_answer_does_not_replace_what_is_newer() -> None:
    on = OnHub()

    async def newer_meanwhile(verb: str) -> None:
        on.changed_by_another()
        on.store.models.put(on.live)

    on.api.on_return = newer_meanwhile
    run(on.hub.write_status(on.known, PLACED))
    assert on.known.metadata.labels == {"new": "label"}


def test_our_finalizer_is_added_beside_those_of_others_and_remembered() -> None:
    on = OnHub(finalizers=["others.example/keep"])
    run(on.hub.add_finalizer(on.known))
    assert on.live["metadata"]["finalizers"] == ["others.example/keep", FINALIZER]
    assert FINALIZER in on.known.metadata.finalizers


def test_only_our_finalizer_is_released() -> None:
    on = OnHub(finalizers=["others.example/keep", FINALIZER], deletionTimestamp="2026-11-23T09:00:00Z")
    run(on.hub.release_finalizer(on.known))
    assert on.known.metadata.finalizers == ("others.example/keep",)


def test_with_its_last_finalizer_the_model_is_gone_and_stays_so() -> None:
    on = OnHub(finalizers=[FINALIZER], deletionTimestamp="2026-11-23T09:00:00Z")
    late = dict(on.live)
    run(on.hub.release_finalizer(on.known))
    assert on.store.models.get(NAME) is None
    assert not on.store.models.put(late)


def test_releasing_what_is_gone_already_is_fine() -> None:
    on = OnHub(finalizers=[FINALIZER], deletionTimestamp="2026-11-23T09:00:00Z")
    known = on.known
    on.api.storage.objects.clear()
    run(on.hub.release_finalizer(known))
    assert on.store.models.get(NAME) is None


def test_a_cluster_status_is_written_too() -> None:
    on = OnHub()
    raw = on.api.storage.objects[CLUSTERS, "", "sg"]
    on.store.clusters.put(raw)
    (cluster,) = on.store.clusters.readable()
    run(on.hub.write_cluster_status(cluster, RegionalClusterStatus(kubernetes_version="v1.36.3")))
    (known,) = on.store.clusters.readable()
    assert known.status == RegionalClusterStatus(kubernetes_version="v1.36.3")


TOLD = Told("Normal", "Placed", "Place", "on sg", cluster="sg", occasion="sha256:1")


def test_an_event_names_the_model_and_the_cluster() -> None:
    on = OnHub()
    run(on.hub.tell(on.known, TOLD))
    (event,) = on.events.values()
    assert event["metadata"]["namespace"] == event["regarding"]["namespace"] == NAME[0]
    assert (event["regarding"]["kind"], event["regarding"]["uid"]) == ("SovereignModel", on.known.metadata.uid)
    assert (event["related"]["kind"], event["related"]["name"]) == ("RegionalCluster", "sg")
    assert (event["reason"], event["action"], event["note"]) == ("Placed", "Place", "on sg")
    assert event["eventTime"] == "2026-11-23T09:00:00.000000Z"


def test_an_event_about_a_cluster_is_in_the_default_namespace_and_relates_to_none() -> None:
    on = OnHub()
    run(on.hub.tell(a.regional_cluster(), replace(TOLD, cluster="")))
    (event,) = on.events.values()
    assert event["metadata"]["namespace"] == "default"
    assert "related" not in event


def test_what_is_told_again_is_counted_and_no_second_event() -> None:
    on = OnHub()
    for _ in range(3):
        run(on.hub.tell(on.known, TOLD))
    (event,) = on.events.values()
    assert event["series"] == {"count": 3, "lastObservedTime": "2026-11-23T09:00:00.000000Z"}


OTHERS = {
    "another reason": replace(TOLD, reason="Serving"),
    "other words": replace(TOLD, note="on ph"),
    "another cluster": replace(TOLD, cluster="ph"),
    "another occasion": replace(TOLD, occasion="sha256:2"),
    "another type": replace(TOLD, type="Warning"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_what_differs_is_another_event(other: Told) -> None:
    on = OnHub()
    run(on.hub.tell(on.known, TOLD))
    run(on.hub.tell(on.known, other))
    assert len(on.events) == 2


def test_the_name_of_an_event_is_the_same_in_every_process() -> None:
    names = set()
    for instance in ("one", "two"):
        on = OnHub()
        hub = Hub(on.api.client, on.store, "domicile", instance, lambda: a.TOMORROW, on.remembered.append)
        run(hub.tell(on.known, TOLD))
        names |= set(on.events)
    assert len(names) == 1
    (name,) = names
    assert name.startswith("fraud-scorer.")


@pytest.mark.parametrize("told_before", [False, True])
def test_an_event_that_cannot_be_written_stops_nothing_and_is_logged(
    told_before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    on = OnHub()
    if told_before:
        run(on.hub.tell(on.known, TOLD))

    async def fail(verb: str) -> None:
        if verb == ("GET" if told_before else "POST"):
            raise unreachable()

    on.api.on_way = fail
    with caplog.at_level(logging.WARNING):
        run(on.hub.tell(on.known, TOLD))
    assert "was not" in caplog.text


def encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


SECRETS: dict[str, tuple[dict[str, Any] | None, str | None]] = {
    "no Secret": (None, None),
    "no data": ({}, None),
    "no such key": ({"data": {"other": encoded(b"x")}}, None),
    "a kubeconfig": ({"data": {"kubeconfig": encoded(b"apiVersion: v1")}}, "apiVersion: v1"),
    "not base64": ({"data": {"kubeconfig": "x"}}, ""),
    "not text": ({"data": {"kubeconfig": encoded(b"\xff\xfe")}}, ""),
    "not a string": ({"data": {"kubeconfig": 7}}, None),
}


@pytest.mark.parametrize(("secret", "expected"), SECRETS.values(), ids=SECRETS.keys())
def test_a_kubeconfig_is_read_from_the_operators_namespace(secret: dict[str, Any] | None, expected: str | None) -> None:
    on = OnHub()
    if secret is not None:
        on.api.storage.put(kube.SECRETS, {"metadata": {"name": "sg-kubeconfig", "namespace": "domicile"}, **secret})
    on.api.storage.put(
        kube.SECRETS,
        {"metadata": {"name": "sg-kubeconfig", "namespace": "other"}, "data": {"kubeconfig": encoded(b"another's")}},
    )
    assert run(on.hub.kubeconfig(KubeconfigSecretRef(name="sg-kubeconfig"))) == expected
