"""Facts about clusters, on real ones: nodes that contradict what was attested, pools of nodes, and evidence that ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from fleet.world import SERVICES, Object, OperatorProcess, World, attestation, condition, eventually, policy

REGION = "topology.kubernetes.io/region"
SITE = "site.node-restriction.kubernetes.io/name"


def facts(place: str, **more: object) -> Object:
    return {**attestation("any", "any", place)["spec"]["facts"], **more}


@contextmanager
def attested(world: World, name: str, place: str, **changes: object) -> Iterator[None]:
    """Something else is attested of a cluster than the session's world has."""
    world.attest(name, place, **changes)
    try:
        yield
    finally:
        world.attest(name, place)


@contextmanager
def labelled(world: World, cluster: str, node: str, key: str, value: str) -> Iterator[None]:
    path, member = f"/api/v1/nodes/{node}", world.member(cluster)
    before = member.get(path)["metadata"]["labels"].get(key)
    member.merge(path, {"metadata": {"labels": {key: value}}})
    try:
        yield
    finally:
        member.merge(path, {"metadata": {"labels": {key: before}}})


# Nodes that say of themselves what cannot be.


@pytest.fixture
def reporting(world: World, hub_namespace: str, operator: OperatorProcess) -> Iterator[str]:
    """Of de it is attested in which region its nodes must say that they are, and a model runs there."""
    with attested(world, "de", "DE", facts=facts("DE", nodes={"regions": ["eu-central-1"]})):
        world.cluster_reports("de", "Consistent", "FactsConsistent")
        world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
        world.model(hub_namespace)
        world.ready(hub_namespace, on="de")
        yield hub_namespace
    world.cluster_reports("de", "Consistent", "FactsConsistent")


@pytest.fixture
def contradicted(world: World, reporting: str) -> Iterator[str]:
    """One node of de says that it is elsewhere."""
    with labelled(world, "de", "de-l4-0", REGION, "us-east-1"):
        yield reporting


def test_a_contradiction_is_a_condition_of_the_cluster(world: World, contradicted: str) -> None:
    said = world.cluster_reports("de", "NodesContradictAttestation", "FactsConsistent")
    assert said["status"] == "False"
    assert "us-east-1" in said["message"]


def test_a_contradiction_is_an_event_of_the_cluster(world: World, contradicted: str) -> None:
    changed = world.cluster_reports("de", "NodesContradictAttestation", "FactsConsistent")["lastTransitionTime"]

    def told() -> list[Object]:
        found = [e for e in world.events("default", "de") if e["reason"] == "NodesContradictAttestation"]
        return [e for e in found if e["eventTime"] >= changed.replace("Z", "")]

    (event,) = eventually(told, within=10, what="an event about the contradiction")
    assert (event["type"], event["regarding"]["kind"]) == ("Warning", "RegionalCluster")
    assert "us-east-1" in event["note"]


def test_a_contradiction_denies(world: World, contradicted: str) -> None:
    world.reports(contradicted, "PolicyCompliant", "NoLawfulCluster")
    rows = {row["cluster"]: row["reason"] for row in (world.get(contradicted) or {})["status"]["exclusions"]}
    assert rows["de"] == "NodesContradictAttestation"
    eventually(lambda: not world.left("de", contradicted), within=30, what="nothing is left on de")


def test_a_policy_may_only_want_to_be_told(world: World, reporting: str) -> None:
    world.hub.apply(policy(reporting, reporting, "DE", onContradiction="Report"))
    with labelled(world, "de", "de-l4-0", REGION, "us-east-1"):
        world.cluster_reports("de", "NodesContradictAttestation", "FactsConsistent")
        eventually(
            lambda: "us-east-1" in condition(world.get(reporting), "PolicyCompliant")["message"],
            within=15,
            what="the model says against which advice it runs",
        )
        assert world.ready(reporting, on="de")


def test_nodes_that_are_right_again_free_the_model(world: World, reporting: str) -> None:
    with labelled(world, "de", "de-l4-0", REGION, "us-east-1"):
        world.reports(reporting, "PolicyCompliant", "NoLawfulCluster")
    world.ready(reporting, on="de")


# A cluster that spans two sites.


@pytest.fixture
def two_sites(world: World, hub_namespace: str, operator: OperatorProcess) -> Iterator[str]:
    """sg has a pool of nodes in Singapore and one in Malaysia; a model may be in Singapore."""
    pools = [
        {"name": name, "nodeSelector": {SITE: name}, "workers": {"jurisdiction": place}}
        for name, place in (("johor", "MY-01"), ("jurong", "SG"))
    ]
    spanning = facts("SG", nodePools=pools)
    del spanning["workers"]
    with (
        labelled(world, "sg", "sg-h100-0", SITE, "johor"),
        labelled(world, "sg", "sg-h100-1", SITE, "jurong"),
        attested(world, "sg", "SG", facts=spanning),
    ):
        world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
        yield hub_namespace


def test_a_model_gets_the_node_selector_of_the_lawful_pool(world: World, two_sites: str) -> None:
    world.model(two_sites)
    status = world.ready(two_sites, on="sg")["status"]
    service = world.member("sg").get(f"{SERVICES.format(namespace=two_sites)}/scorer")
    assert service["spec"]["predictor"]["nodeSelector"] == {SITE: "jurong"}
    assert status["placements"][0]["nodeSelector"] == {SITE: "jurong"}


def test_its_pods_are_on_nodes_of_that_pool(world: World, two_sites: str) -> None:
    world.model(two_sites, replicas={"min": 2})
    world.ready(two_sites, on="sg")
    pods = world.member("sg").get(f"/api/v1/namespaces/{two_sites}/pods")["items"]
    assert [pod["spec"]["nodeName"] for pod in pods] == ["sg-h100-1"] * 2


def test_accelerators_are_looked_for_in_that_pool_alone(world: World, two_sites: str) -> None:
    world.model(two_sites, resources={"accelerators": {"count": 1, "minMemory": "40Gi"}})
    status = world.ready(two_sites, on="sg")["status"]
    selector = {SITE: "jurong", "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert status["placements"][0]["nodeSelector"] == selector


def test_where_no_pool_is_lawful_the_reason_names_one(world: World, two_sites: str) -> None:
    world.hub.apply(policy(two_sites, two_sites, "DE"))
    world.model(two_sites)
    world.ready(two_sites, on="de")
    rows = {row["cluster"]: row["message"] for row in (world.get(two_sites) or {})["status"]["exclusions"]}
    assert rows["sg"].startswith("pool "), rows


# Evidence that ends.


@pytest.fixture
def german(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A namespace whose models may be in Germany."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    return hub_namespace


def test_evidence_that_ends_soon_is_a_condition_and_an_event_while_the_model_serves(world: World, german: str) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    with attested(world, "de", "DE", validUntil=end.isoformat()):
        world.model(german)
        model = world.ready(german, on="de")
        said = condition(model, "EvidenceCurrent")
        assert (said["status"], said["reason"]) == ("False", "EndsSoon")
        assert "what de says of de ends at" in said["message"]
        told = eventually(
            lambda: [event for event in world.events(german) if event["reason"] == "EndsSoon"],
            within=10,
            what="an event that warns",
        )
        assert [event["type"] for event in told] == ["Warning"]


def test_renewed_evidence_takes_the_warning_away(world: World, german: str) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    with attested(world, "de", "DE", validUntil=end.isoformat()):
        world.model(german)
        world.ready(german, on="de")
        world.reports(german, "EvidenceCurrent", "EndsSoon")
    world.reports(german, "EvidenceCurrent", "Current")
    assert world.ready(german, on="de")


def test_past_its_end_the_model_that_was_warned_of_it_is_withdrawn(world: World, german: str) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=25)
    with attested(world, "de", "DE", validUntil=end.isoformat()):
        world.model(german)
        world.reports(german, "EvidenceCurrent", "EndsSoon", within=20)
        world.ready(german, on="de", within=20)
        world.reports(german, "PolicyCompliant", "NoLawfulCluster", within=40)
        assert datetime.now(UTC) >= end
        eventually(lambda: not world.left("de", german), within=30, what="nothing is left on de")
