"""Evidence of what is done on real clusters: nothing is placed that is not recorded, and what has to go goes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from domicile.audit import Same, Trail, replay
from domicile.audit.lineage import Version, lineage
from evidence.postgresql import Server
from fleet import recorded
from fleet.world import OperatorProcess, World, condition, eventually, policy


@pytest.fixture
def server(world: World) -> Server:
    if world.database is None:
        pytest.skip("there is no PostgreSQL on this machine that could be stopped")
    return world.database


def so_far(world: World, folder: Path, *, whole: bool = True) -> Trail:
    return recorded.so_far(world.evidence, world.evidence_of_singapore, world.evidence_key, folder, whole=whole)


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """It answers nobody."""
    server.halt()
    try:
        yield
    finally:
        server.start()


def test_while_nothing_can_be_recorded_nothing_is_placed_and_what_has_to_go_goes(
    world: World, server: Server, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace, "before")
    world.ready(hub_namespace, "before", on="sg")
    with stopped(server):
        world.model(hub_namespace)
        placed = world.reports(hub_namespace, "Placed", "EvidenceStoreDown")
        assert "cannot be recorded" in placed["message"]
        assert world.left("sg", hub_namespace) == []
        assert condition(world.get(hub_namespace, "before"), "Ready")["status"] == "True", "what runs goes on"
        world.hub.apply(policy(hub_namespace, hub_namespace, "PH"))
        eventually(lambda: not world.left("sg", hub_namespace, "before"), within=30, what="what is unlawful has gone")
        assert world.left("ph", hub_namespace, "before") == []
    for name in ("scorer", "before"):
        world.ready(hub_namespace, name, on="ph", within=90)


def test_an_event_names_the_record_that_it_follows_from(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    events = eventually(lambda: world.events(hub_namespace), within=10, what="it is told")
    named = {each["metadata"].get("annotations", {}).get("domicile.dev/decision", "") for each in events}
    assert all(each.startswith("sha256:") for each in named), events
    assert any(f"(decision {each})" in operator.log.read_text() for each in named)


def test_the_log_names_the_node_that_a_model_runs_on(
    world: World, hub_namespace: str, operator: OperatorProcess, tmp_path: Path
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    (pod,) = world.pods(hub_namespace)

    def versions() -> list[Version]:
        found = lineage(so_far(world, tmp_path))
        return [each for each in found if each.model == f"{hub_namespace}/scorer"]

    (version,) = versions()
    assert (version.cluster, version.revision.generations, version.until) == ("sg", (1,), None)
    assert [(each.node, each.until) for each in version.nodes] == [(pod["spec"]["nodeName"], None)]
    world.delete(hub_namespace)
    world.gone(hub_namespace)
    (version,) = versions()
    assert version.until is not None
    assert [each.until is None for each in version.nodes] == [False]


def test_what_runs_on_the_nodes_of_singapore_is_recorded_there_alone(
    world: World, hub_namespace: str, operator: OperatorProcess, tmp_path: Path
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    (pod,) = world.pods(hub_namespace)
    log, whole = so_far(world, tmp_path, whole=False), so_far(world, tmp_path)
    assert pod["metadata"]["name"] not in json.dumps(_all_of(log))
    assert pod["metadata"]["name"] in json.dumps(_all_of(whole))
    ours = recorded.decisions(log, hub_namespace)
    assert ours
    assert all("is kept in SG" in str(replay(each, log.values)) for each in ours)
    assert {replay(each, whole.values) for each in ours} == {Same()}


def _all_of(trail: Trail) -> list[Any]:
    found = [*trail.decisions.values(), *trail.running, *trail.late, *trail.others]
    outcomes = [each.body for outcome in trail.outcomes.values() for each in outcome]
    return [[each.body for each in found], outcomes, dict(trail.values._values)]


def test_a_placement_that_is_not_recorded_would_be_found(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    """What is looked up at the end of a session, held against a log that has nothing."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    logs = world.fleet.hub.audit_log, world.fleet.regions["sg"].audit_log
    missing = list(recorded.without_intent(Trail(), "sg", *logs))
    assert [each for each in missing if f"inferenceservices {hub_namespace}/scorer" in each]
