"""Copies that come and go, and accelerators that are short, with a real KServe and a real scheduler."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from fleet import audit
from fleet.world import SERVICES, World, condition, eventually, policy

AUTOSCALER = "system:serviceaccount:kube-system:horizontal-pod-autoscaler"
DIGEST = "sha256:" + "ab" * 32
NODE_FULL = {"requests": {"cpu": "20"}}
"""So much that no node has two of them."""
ALL_OF_A_NODE = {"accelerators": {"count": 8, "products": ["NVIDIA-H100-80GB-HBM3"]}}


@pytest.fixture
def bank(world: World, hub_namespace: str, operator: object) -> str:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    return hub_namespace


def scale(world: World, namespace: str, copies: int) -> None:
    """As a HorizontalPodAutoscaler does."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/scorer-predictor/scale"
    world.intruder("sg", AUTOSCALER).merge(path, {"spec": {"replicas": copies}})


def kserve_says(world: World, namespace: str) -> str:
    service: Mapping[str, Any] = world.member("sg").get(f"{SERVICES.format(namespace=namespace)}/scorer")
    return next(c["status"] for c in service["status"]["conditions"] if c["type"] == "Ready")


def status_writes(world: World, namespace: str, since: int) -> list[str]:
    written = audit.accepted(audit.writes(world.fleet.hub.audit_log, since=since), "sovereignmodels/status")
    # What the test before this one left may still be on its way out.
    return [f"{write}: {write.body}" for write in written if write.namespace == namespace]


def test_an_autoscaler_at_work_costs_no_write_on_the_hub(world: World, bank: str) -> None:
    world.model(bank, replicas={"min": 1, "max": 9}, resources=NODE_FULL)
    world.ready(bank)
    before = audit.size(world.fleet.hub.audit_log)
    for copies in (2, 1, 9):
        scale(world, bank, copies)
        time.sleep(3)
    # Nine are more than the nodes hold, and KServe says of that that it is not Ready.
    eventually(lambda: kserve_says(world, bank) == "False", within=20, what="KServe is not Ready")
    time.sleep(2)
    assert condition(world.get(bank), "Ready")["status"] == "True"
    scale(world, bank, 1)
    eventually(lambda: kserve_says(world, bank) == "True", within=20, what="KServe is Ready again")
    time.sleep(2)
    assert status_writes(world, bank, before) == []


def test_a_rolling_update_that_finds_no_room_is_told_and_not_taken_for_serving(world: World, bank: str) -> None:
    """One copy, and the other of the two nodes has another model: the only pod that is available is the old one."""
    runtime = {"image": f"registry.example/serving/softmax@{DIGEST}"}
    for name in ("scorer", "other"):
        world.model(bank, name, resources=ALL_OF_A_NODE, runtime=runtime)
        world.ready(bank, name)
    world.model(bank, resources=ALL_OF_A_NODE, runtime={**runtime, "args": ["--new"]})
    said = world.reports(bank, "Ready", "Unschedulable")
    assert "Insufficient nvidia.com/gpu" in said["message"]
    time.sleep(3)
    assert condition(world.get(bank), "Ready")["reason"] == "Unschedulable"


@pytest.mark.usefixtures("operator")
def test_models_created_together_use_all_that_the_fleet_has(world: World, hub_namespace: str) -> None:
    """Singapore has two such nodes and the Philippines one: the fourth model waits, wherever the others began."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG", "PH"))
    names = [f"scorer-{number}" for number in range(4)]
    for name in names:
        world.model(hub_namespace, name, resources=ALL_OF_A_NODE)

    def serving() -> list[str]:
        return [name for name in names if condition(world.get(hub_namespace, name), "Ready")["status"] == "True"]

    eventually(lambda: len(serving()) == 3, within=60, what="three of four serve")
    time.sleep(5)
    before = audit.size(world.fleet.hub.audit_log)
    (waiting,) = set(names) - set(serving())
    time.sleep(5)
    assert status_writes(world, hub_namespace, before) == [], "all have come to rest"
    world.delete(hub_namespace, serving()[0])
    world.ready(hub_namespace, waiting)
