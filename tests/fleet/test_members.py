"""A member that goes out of sight, comes back, or is registered no more: nothing is torn down, nothing is written twice."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from domicile.localfleet.fleet import Region
from fleet import audit
from fleet.world import CLUSTERS, SERVICES, OperatorProcess, World, eventually, policy

OUT_OF_SIGHT_WITHIN = 20.0
BACK_WITHIN = 90.0
"""The connection is tried again at growing intervals, of 30 s at most; and an API server that was started anew knows a kind that its
policies hold requests against only when it looks for kinds again, every 30 s: docs/fence.md."""


@dataclass(frozen=True)
class Outage:
    """How an API server fails."""

    begin: Callable[[Region], None]
    end: Callable[[Region], None]


OUTAGES = {
    "stopped: connections are refused": Outage(Region.stop_apiserver, Region.start_apiserver),
    "frozen: it takes connections and answers nothing": Outage(Region.freeze_apiserver, Region.thaw_apiserver),
}


@pytest.fixture
def bank(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A namespace whose models may be in Singapore and in Germany, by data class."""
    world.hub.apply(policy(f"{hub_namespace}-sg", hub_namespace, "SG"))
    world.hub.apply(policy(f"{hub_namespace}-de", hub_namespace, "DE", data_classes=("public.figures",)))
    return hub_namespace


@pytest.mark.parametrize("outage", OUTAGES.values(), ids=OUTAGES)
def test_an_api_server_that_fails(outage: Outage, world: World, bank: str) -> None:
    region = world.fleet.regions["sg"]
    world.model(bank)
    world.ready(bank, on="sg")
    service, pods = _service(world, bank), _pods(world, bank)
    eventually(lambda: world.events(bank), within=10, what="events")
    mark, broken_at = audit.size(region.audit_log), time.monotonic()
    outage.begin(region)
    try:
        ready = world.cluster_reports("sg", "Unreachable", within=OUT_OF_SIGHT_WITHIN)
        print(f"out of sight after {time.monotonic() - broken_at:.1f} s: {ready['message']}")
        assert ready["status"] == "False"
        assert region.url in ready["message"]
        said = world.reports(bank, "Available", "ClusterOutOfSight", within=5)
        assert said["status"] == "Unknown"
        assert "sg is out of sight (Unreachable): see RegionalCluster sg; what runs there goes on" in said["message"]
        status = (world.get(bank) or {})["status"]
        assert (status["placedOn"], [row["state"] for row in status["placements"]]) == ("sg", ["OutOfSight"])
        # Models elsewhere go on, and what wants this cluster is told why not.
        world.model(bank, "elsewhere", dataClasses=["public.figures"])
        world.ready(bank, "elsewhere", on="de")
        world.model(bank, "late")
        held = world.reports(bank, "Placed", "NoAbleCluster", "late")
        assert "sg is out of sight (Unreachable): see RegionalCluster sg" in held["message"]
    finally:
        outage.end(region)
    back_at = time.monotonic()
    world.ready(bank, on="sg", within=BACK_WITHIN)
    print(f"in sight again after {time.monotonic() - back_at:.1f} s")
    world.ready(bank, "late", on="sg", within=BACK_WITHIN)
    assert _service(world, bank) == service
    assert _pods(world, bank) == pods
    written = [w for w in audit.writes(region.audit_log, since=mark) if (w.namespace, w.name) == (bank, "scorer")]
    assert [str(w) for w in written] == [], "nothing of what ran was written again"


def test_a_deleted_model_waits_for_its_member(world: World, bank: str) -> None:
    region = world.fleet.regions["sg"]
    world.model(bank)
    world.ready(bank, on="sg")
    region.stop_apiserver()
    try:
        world.cluster_reports("sg", "Unreachable", within=OUT_OF_SIGHT_WITHIN)
        world.delete(bank)
        said = world.reports(bank, "Ready", "WaitingForCluster")
        assert said["message"] == (
            "waiting for sg, which is out of sight: what is left there is not known until it can be looked at"
        )
        model = world.get(bank) or {}
        assert "domicile.dev/withdraw" in model["metadata"]["finalizers"]
        assert model["status"]["placedOn"] == "sg (leaving)"
    finally:
        region.start_apiserver()
    world.gone(bank, within=BACK_WITHIN)
    assert world.left("sg", bank) == []


def test_a_cluster_that_is_registered_no_more_and_then_joined_again(world: World, bank: str) -> None:
    region = world.fleet.regions["sg"]
    world.model(bank)
    world.ready(bank, on="sg")
    service, mark = _service(world, bank), audit.size(region.audit_log)
    try:
        world.hub.delete(f"{CLUSTERS}/sg")
        said = world.reports(bank, "Ready", "NoLawfulCluster")
        assert said["message"].startswith(
            f"waiting for sg (UID {region.kube_system_uid}), of which something may be left and which is no longer registered:"
            " join it again so that it can be looked at"
        )
        assert (world.get(bank) or {})["status"]["placedOn"] == "sg (leaving)"
        assert _service(world, bank) == service, "what runs there goes on"
    finally:
        world.join("sg")
    world.ready(bank, on="sg", within=BACK_WITHIN)
    assert _service(world, bank) == service
    assert [str(w) for w in audit.writes(region.audit_log, since=mark) if w.namespace == bank] == []


def test_a_model_deleted_while_its_cluster_is_not_registered(world: World, bank: str) -> None:
    uid = world.fleet.regions["sg"].kube_system_uid
    world.model(bank)
    world.ready(bank, on="sg")
    try:
        world.hub.delete(f"{CLUSTERS}/sg")
        world.reports(bank, "Ready", "NoLawfulCluster")
        world.delete(bank)
        said = world.reports(bank, "Ready", "WaitingForCluster")
        assert (
            f"waiting for sg (UID {uid}), of which something may be left and which is no longer registered"
            in (said["message"])
        )
        assert "join it again so that it can be looked at" in said["message"]
    finally:
        world.join("sg")
    world.gone(bank, within=BACK_WITHIN)
    assert world.left("sg", bank) == []


def _service(world: World, namespace: str) -> tuple[str, int]:
    """The InferenceService's identity and generation: another one was made anew, or written."""
    meta = world.member("sg").get(f"{SERVICES.format(namespace=namespace)}/scorer")["metadata"]
    return meta["uid"], meta["generation"]


def _pods(world: World, namespace: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in world.pods(namespace)}
