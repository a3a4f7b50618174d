"""What placing costs, what being settled costs, and that nothing was written outside the lawful set: from audit logs."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from domicile import fence
from fleet import audit
from fleet.world import SERVICES, OperatorProcess, World, eventually, policy

SETTLED_SECONDS = 60
HELD = ("leases", "hubclaims")
"""The hub's own, and those of members."""


def logs(world: World) -> Mapping[str, Path]:
    return {"hub": world.fleet.hub.audit_log, **{n: r.audit_log for n, r in world.fleet.regions.items()}}


def marks(world: World) -> Mapping[str, int]:
    return {name: audit.size(log) for name, log in logs(world).items()}


@pytest.fixture
def bank(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    return hub_namespace


def test_one_placement_costs_two_hub_writes_and_one_workload_write(world: World, bank: str) -> None:
    world.model(bank, "warm-up")
    world.ready(bank, "warm-up")
    world.policy_reports(bank, "InUse", "True")  # Said at its first use, and not again.
    _until_quiet(world)
    before = marks(world)
    world.model(bank)
    world.ready(bank)
    world.model(bank, "after")
    world.ready(bank, "after")  # Late writes of the first would have come by now.
    hub = [w for w in _here(bank, audit.writes(logs(world)["hub"], since=before["hub"])) if w.name != "after"]
    member = [w for w in audit.writes(logs(world)["sg"], since=before["sg"]) if "after" not in (w.name, _granted(w))]
    member = [w for w in member if w.resource not in audit.SERVICE_RESOURCES]
    # All that the operator wrote, under whatever name, but for the model after it, its events and the lease.
    hub = [w for w in hub if w.resource not in audit.SERVICE_RESOURCES]
    print("hub:", *hub, "member:", *member, sep="\n  ")
    # The finalizer came by admission. The decision, before the act; and that it serves.
    assert [(w.verb, w.resource) for w in audit.accepted(hub)] == [("patch", "sovereignmodels/status")] * 2
    assert sorted(w.resource for w in audit.accepted(member)) == [
        "admissiongrants",
        "inferenceservices",
        "networkpolicies",
        "serviceaccounts",
        "servingruntimes",
    ]
    assert [str(w) for w in (*hub, *member) if w.code >= 300] == []


def test_the_first_placement_under_a_policy_costs_one_hub_write_more(world: World, bank: str) -> None:
    world.policy_reports(bank, "InUse", "False")
    _until_quiet(world)
    before = marks(world)
    world.model(bank)
    world.ready(bank)
    world.policy_reports(bank, "InUse", "True")
    hub = _here(bank, audit.writes(logs(world)["hub"], since=before["hub"]))
    hub = [w for w in hub if w.resource not in audit.SERVICE_RESOURCES]
    print("hub:", *hub, sep="\n  ")
    # Whether the model serves already when the policy's turn comes is chance.
    assert sorted((w.verb, w.resource, w.name, w.code) for w in hub) == [
        ("patch", "residencypolicies/status", bank, 200),
        *[("patch", "sovereignmodels/status", "scorer", 200)] * 2,
    ]


def test_the_decision_is_on_record_before_the_workload_is_written(world: World, bank: str) -> None:
    before = marks(world)
    world.model(bank)
    world.ready(bank)
    recorded = audit.accepted(audit.writes(logs(world)["hub"], since=before["hub"]), "sovereignmodels/status")
    written = audit.accepted(audit.writes(logs(world)["sg"], since=before["sg"]), "inferenceservices")
    assert recorded[0].at < written[0].at


def test_a_move_writes_nothing_to_clusters_outside_the_lawful_set(world: World, bank: str) -> None:
    before = marks(world)
    world.model(bank)
    world.ready(bank, on="sg")
    middle = marks(world)
    world.hub.apply(policy(bank, bank, "PH"))
    world.ready(bank, on="ph")
    world.delete(bank)
    world.gone(bank)
    found = {name: audit.writes(log, since=before[name]) for name, log in logs(world).items() if name != "hub"}
    assert {name: bool(audit.placing(found[name])) for name in found} == {"sg": True, "ph": True, "de": False}
    early = audit.writes(logs(world)["ph"], since=before["ph"])[: len(found["ph"])]
    assert [w for w in early if w.at < _first_after(world, middle)] == []


def _first_after(world: World, mark: Mapping[str, int]):
    """When the policy that allows the Philippines was written."""
    changed = audit.writes(logs(world)["hub"], since=mark["hub"], user="admin")
    return next(w.at for w in changed if w.resource == "residencypolicies")


def test_the_same_check_finds_a_planted_positive(world: World, bank: str) -> None:
    world.model(bank)
    world.ready(bank, on="sg")
    before = marks(world)
    # With the operator's own identity, as a bug in it would.
    token = world.operator_token("de")
    name = f"planted-{bank}"
    status = world.post_as("de", token, "/api/v1/namespaces", dict(fence.namespace(name)))
    assert status == 201
    digest = "sha256:" + "ef" * 32
    container = {"name": "kserve-container", "image": f"registry.example/serving/other@{digest}"}
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "planted", "namespace": name},
        "spec": {"predictor": {"containers": [container]}},
    }
    try:
        assert world.post_as("de", token, SERVICES.format(namespace=name), service) == 201
        found = audit.placing(audit.writes(logs(world)["de"], since=before["de"]))
        assert [(w.verb, w.resource) for w in found] == [("create", "namespaces"), ("create", "inferenceservices")]
    finally:
        world.member("de").delete(f"/api/v1/namespaces/{name}")


@pytest.mark.usefixtures("no_operator")
def test_a_settled_fleet_costs_no_writes_but_leases(world: World, hub_namespace: str) -> None:
    """Over a minute that spans six resyncs and at least two restarts of every watch."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG", "DE"))
    with world.operator("settled", "--resync", "10", "--watch-seconds", "20"):
        for number in range(6):
            world.model(hub_namespace, f"scorer-{number}")
        world.model(hub_namespace, "held", dataClasses=["health.record"])
        for number in range(6):
            world.ready(hub_namespace, f"scorer-{number}")
        world.reports(hub_namespace, "Ready", "NoMatchingPolicy", "held")
        _until_quiet(world)
        before, until = marks(world), time.monotonic() + SETTLED_SECONDS
        eventually(lambda: time.monotonic() >= until, within=SETTLED_SECONDS + 10, what="a minute has passed")
        found = {name: audit.writes(log, since=before[name]) for name, log in logs(world).items()}
        print({name: len(w) for name, w in found.items()}, "writes in", SETTLED_SECONDS, "s, leases included")
        assert {name: [str(w) for w in all_ if w.resource not in HELD] for name, all_ in found.items()} == {
            name: [] for name in found
        }
        # What was recorded before reaches each member once.
        claims = {name: [str(w) for w in all_ if w.resource == "hubclaims"] for name, all_ in found.items()}
        assert [each for each in claims.values() if len(each) > 1] == []
        assert found["hub"], "the lease was renewed: the log is read"
        restarts = {name: _watches(log, before[name]) for name, log in logs(world).items()}
        print(restarts, "watches begun")
        assert all(count >= 2 * 5 for count in restarts.values()), restarts
        for number in range(6):
            world.delete(hub_namespace, f"scorer-{number}")
        world.delete(hub_namespace, "held")
        for number in range(6):
            world.gone(hub_namespace, f"scorer-{number}")


def _granted(write: audit.Write) -> str:
    """The model whose entry it is of, if it is an AdmissionGrant's."""
    entries = write.body.get("spec", {}).get("models", []) if write.resource == "admissiongrants" else []
    return entries[0]["name"] if entries else ""


def _here(bank: str, found: list[audit.Write]) -> list[audit.Write]:
    """Without those for models of earlier tests, whose namespaces may still be on their way out."""
    return [w for w in found if w.namespace in ("", bank)]


def _until_quiet(world: World) -> None:
    """Until nothing is left to do for models of earlier tests, either."""
    eventually(lambda: _quiet(world), within=60, what="no write for 3 s")


def _quiet(world: World) -> bool:
    from datetime import UTC, datetime, timedelta

    last = [audit.accepted(audit.writes(log))[-1:] for log in logs(world).values()]
    return all(w.at < datetime.now(UTC) - timedelta(seconds=3) for found in last for w in found)


def _watches(log: Path, since: int) -> int:
    return sum(entry["verb"] == "watch" for entry in audit.entries(log, since=since, user=audit.OPERATOR))
