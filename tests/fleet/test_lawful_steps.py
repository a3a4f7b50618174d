"""What happens to a model in its ordinary life, again and again on a real API server: the fence gets in the way of none of it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fleet import audit
from fleet.members import PINNED
from fleet.world import Object, OperatorProcess, World, eventually, policy

Step = Callable[[World, str, int], None]


def _pods(world: World, bank: str) -> dict[str, Object]:
    """Those that are not on their way out, by UID."""
    listed = world.member("sg").get(f"/api/v1/namespaces/{bank}/pods")["items"]
    return {pod["metadata"]["uid"]: pod for pod in listed if "deletionTimestamp" not in pod["metadata"]}


def _serve(world: World, bank: str, copies: int, *, but: frozenset[str] = frozenset()) -> None:
    """Wait until so many pods serve, none of which is one of those."""

    def look() -> bool:
        found = _pods(world, bank)
        ready = [
            uid
            for uid, pod in found.items()
            if {"type": "Ready", "status": "True"}.items()
            <= next((c for c in pod["status"].get("conditions", []) if c["type"] == "Ready"), {}).items()
        ]
        return len(ready) == len(found) == copies and not but & set(found)

    eventually(look, within=60, what=f"{copies} pods serve")
    world.ready(bank, on="sg")


def _place(world: World, bank: str, turn: int) -> None:
    del turn
    world.model(bank)
    _serve(world, bank, 1)


def _more_copies(world: World, bank: str, turn: int) -> None:
    del turn
    world.model(bank, replicas={"min": 2})
    _serve(world, bank, 2)


def _autoscaled(world: World, bank: str, turn: int) -> None:
    """An autoscaler with no metrics still keeps to its least number."""
    del turn
    world.model(bank, replicas={"min": 3, "max": 4})
    _serve(world, bank, 3)


def _fewer_copies(world: World, bank: str, turn: int) -> None:
    del turn
    world.model(bank, replicas={"min": 1})
    _serve(world, bank, 1)


def _rolled(world: World, bank: str, turn: int) -> None:
    before = frozenset(_pods(world, bank))
    world.model(bank, runtime={"image": PINNED, "args": [f"--turn={turn}", "--model_name={{.Name}}"]})
    _serve(world, bank, 1, but=before)


def _drained(world: World, bank: str, turn: int) -> None:
    """As `kubectl drain` does it: no new pods on the node, and those that it has are evicted."""
    del turn
    before = _pods(world, bank)
    node = next(iter(before.values()))["spec"]["nodeName"]
    path, member = f"/api/v1/nodes/{node}", world.member("sg")
    member.merge(path, {"spec": {"unschedulable": True}})
    try:
        for pod in before.values():
            name = pod["metadata"]["name"]
            eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": bank}}
            member.request("POST", f"/api/v1/namespaces/{bank}/pods/{name}/eviction", eviction)
        _serve(world, bank, 1, but=frozenset(before))
    finally:
        member.merge(path, {"spec": {"unschedulable": None}})


def _a_pod_deleted(world: World, bank: str, turn: int) -> None:
    del turn
    before = _pods(world, bank)
    for pod in before.values():
        world.member("sg").delete(f"/api/v1/namespaces/{bank}/pods/{pod['metadata']['name']}")
    _serve(world, bank, 1, but=frozenset(before))


def _withdrawn(world: World, bank: str, turn: int) -> None:
    del turn
    world.delete(bank)
    world.gone(bank)
    assert world.left("sg", bank) == []


STEPS: Mapping[str, Step] = {
    "placed": _place,
    "more copies": _more_copies,
    "an autoscaler": _autoscaled,
    "fewer copies": _fewer_copies,
    "rolled to another image": _rolled,
    "a node drained": _drained,
    "a pod deleted": _a_pod_deleted,
    "withdrawn": _withdrawn,
}


def _live(world: World, bank: str, turns: int) -> None:
    world.hub.apply(policy(bank, bank, "SG"))
    log = world.fleet.regions["sg"].audit_log
    mark = audit.size(log)
    steps = 0
    for turn in range(turns):
        for step in STEPS.values():
            step(world, bank, turn)
            steps += 1
    writes = _in(bank, log, mark)
    print(f"{steps} steps, {writes} writes in the namespace by all who write there, none refused by the fence")
    assert [str(e["requestURI"]) for e in audit.refused_by_the_fence(log, since=mark)] == []
    assert writes > 20 * turns, "the log was read"


def _in(bank: str, log: Path, mark: int) -> int:
    return sum(e["verb"] in audit.WRITES and audit.namespace_of(e) == bank for e in audit.entries(log, since=mark))


def test_no_lawful_step_is_refused(world: World, hub_namespace: str, operator: OperatorProcess) -> None:
    _live(world, hub_namespace, turns=1)


@pytest.mark.slow
def test_no_lawful_step_of_two_hundred_is_refused(world: World, hub_namespace: str, operator: OperatorProcess) -> None:
    _live(world, hub_namespace, turns=25)
