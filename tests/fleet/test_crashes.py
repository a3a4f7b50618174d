"""kill -9 of the operator at every step of placing and of deleting: nothing is lost, nothing is written twice."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from fleet import audit
from fleet.test_writes import logs, marks
from fleet.world import CLUSTERS, OperatorProcess, World, condition, eventually, policy

pytestmark = [pytest.mark.usefixtures("no_operator")]

NEVER = 10_000
QUIET_SECONDS = 0.5
MOST_STEPS = 16
"""More than either takes."""
EACH = pytest.mark.parametrize(
    "stride",
    [pytest.param(3, id="every third one"), pytest.param(1, id="every one", marks=pytest.mark.slow)],
)
"""A crash costs two starts of the operator, some 15 s: every third step in `make test`, every one in `make test-full`."""


@pytest.fixture
def places(world: World, hub_namespace: str) -> Iterator[list[str]]:
    """Namespaces whose models may be in Singapore: one for each step, as making it on the member is a step too."""
    names = [f"{hub_namespace}-{step}" for step in range(1, MOST_STEPS)]
    for name in names:
        world.hub.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        world.hub.apply(policy(name, name, "SG"))
    # What is new of the fleet itself is written now, and does not come between the steps.
    with world.operator("crashing"):
        eventually(lambda: _all_ready(world), within=60, what="all members are Ready")
    yield names
    with world.operator("crashing"):
        for name in names:
            world.delete(name)
        for name in names:
            world.gone(name)
    for name in names:
        world.end_policy(name)
        world.hub.delete(f"/api/v1/namespaces/{name}")


def _all_ready(world: World) -> bool:
    members = world.hub.get(CLUSTERS)["items"]
    return all(condition(member, "Ready")["status"] == "True" for member in members)


class Crashing:
    """An operator that dies after its n-th write, and the one that comes after it."""

    def __init__(self, world: World, state: Path) -> None:
        self.world, self.state, self.runs = world, state, 0

    def run(self, crash_after: int, done: Callable[[], bool], what: str) -> list[str]:
        """Die after that write, start again, and go on until it is done. What the first one wrote."""
        self.runs += 1
        steps = self.state / f"steps-{self.runs}"
        for file in (steps, self.state / "rest"):
            file.touch()
        path = str(Path(__file__).parents[1])
        process = OperatorProcess(self.world, "crashing", module="fleet.crashing", environment={"PYTHONPATH": path})
        try:
            process.start(CRASH_AFTER=str(crash_after), STEPS=str(steps))
            crashed = eventually(
                lambda: "died" if process.returncode is not None else done() and "done",
                within=120,
                what=f"{what}, or death after write {crash_after}",
            )
            if crashed == "died":
                assert process.returncode == -signal.SIGKILL, process.tail()
                # Under the same name it goes on with its lease. How another takes over is shown in test_leadership.py.
                process.start(CRASH_AFTER=str(NEVER), STEPS=str(self.state / "rest"))
                eventually(
                    done, within=120, what=f"{what}, after a crash behind write {crash_after}: {process.tail(12)}"
                )
            # What shows that it is done is seen before the operator has its answer, and one that is stopped then has not heard it.
            _until_quiet(steps if crashed == "done" else self.state / "rest")
        finally:
            process.stop()
        return steps.read_text().splitlines()


@pytest.fixture
def crashing(world: World, tmp_path: Path) -> Crashing:
    return Crashing(world, tmp_path)


@EACH
def test_at_every_step_of_placing(stride: int, world: World, places: list[str], crashing: Crashing) -> None:
    table = []
    for step, namespace in zip(range(1, MOST_STEPS, stride), places, strict=False):
        before = marks(world)
        world.model(namespace)
        steps = crashing.run(step, lambda place=namespace: _serves(world, place), f"{namespace} serves")
        _written_once(world, before, namespace)
        if len(steps) < step:
            break
        table.append((step, steps[-1]))
    print(*table, sep="\n")
    assert len(table) >= 8 // stride, table
    # What comes after it, events and the last status, may come after the model is seen to serve.
    reached = ("/inferenceservices/",) if stride == 1 else ("/servingruntimes/", "/inferenceservices/")
    assert any(each in what for each in reached for _, what in table), table


@EACH
def test_at_every_step_of_deleting(stride: int, world: World, places: list[str], crashing: Crashing) -> None:
    table = []
    places = places[: len(range(1, MOST_STEPS, stride))]
    for namespace in places:
        world.model(namespace)
    crashing.run(NEVER, lambda: all(_serves(world, place) for place in places), "all serve")
    for step, namespace in zip(range(1, MOST_STEPS, stride), places, strict=True):
        before = marks(world)
        world.delete(namespace)
        steps = crashing.run(step, lambda place=namespace: world.get(place) is None, f"{namespace} has no model")
        assert world.left("sg", namespace) == []
        deleted = _of(namespace, audit.writes(logs(world)["sg"], since=before["sg"]))
        twice = {key: count for key, count in Counter((w.verb, w.resource) for w in deleted).items() if count > 1}
        assert twice == {}, (steps, [str(w) for w in deleted])
        if len(steps) < step:
            break
        table.append((step, steps[-1]))
    print(*table, sep="\n")
    assert len(table) >= 4 // stride, table
    if stride == 1:
        assert any(what.startswith("DELETE ") and "/serviceaccounts/" in what for _, what in table), table


def _until_quiet(steps: Path) -> None:
    """Wait until the operator has written nothing for a while."""
    seen, since = -1, time.monotonic()

    def quiet() -> bool:
        nonlocal seen, since
        if (now := steps.stat().st_size) != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > QUIET_SECONDS

    eventually(quiet, within=30, what="it writes no more")


def _serves(world: World, namespace: str) -> bool:
    return condition(world.get(namespace), "Ready")["status"] == "True"


def _written_once(world: World, before: Mapping[str, int], namespace: str) -> None:
    """Each object and entry on the member by one write, and no status twice."""
    member = _of(namespace, audit.writes(logs(world)["sg"], since=before["sg"]))
    assert sorted(w.resource for w in member) == [
        "admissiongrants",  # It comes with the namespace,
        "admissiongrants",  # and then the model's entry.
        "inferenceservices",
        "namespaces",
        "networkpolicies",  # Of the namespace,
        "networkpolicies",  # and of the model.
        "resourcequotas",
        "serviceaccounts",
        "servingruntimes",
    ]
    hub = _of(namespace, audit.writes(logs(world)["hub"], since=before["hub"]))
    of_model = [w for w in hub if w.resource == "sovereignmodels/status"]
    assert len(of_model) == 2, [str(w) for w in hub]
    # Of its policy: that it could be read, and that it is in use now.
    of_policy = [w for w in hub if w.resource == "residencypolicies/status"]
    assert len(of_policy) <= 2, [str(w) for w in hub]
    assert len(hub) == len(of_model) + len(of_policy), [str(w) for w in hub]


def _of(namespace: str, found: list[audit.Write]) -> list[audit.Write]:
    return [w for w in audit.accepted(found) if namespace in (w.namespace, w.name)]
