"""Whom a model has to do with on a member: what it asks for, its policies allow and the RegionalCluster knows is let through, and no more."""

from collections.abc import Iterator
from typing import Any

import pytest

from domicile.api import CLAIM_MARK
from fleet import members
from fleet.world import CLUSTERS, Object, OperatorProcess, World, eventually, policy

PEERS = [
    {"name": "gateway", "namespaces": ["edge"]},
    {"name": "dns", "namespaces": ["kube-system"], "ports": [{"port": 53, "protocol": "UDP"}]},
]
FROM_THE_GATEWAY = [{"from": [members.in_namespace("edge")], "ports": [{"port": 8080, "protocol": "TCP"}]}]
TO_DNS = [{"to": [members.in_namespace("kube-system")], "ports": [{"port": 53, "protocol": "UDP"}]}]


@pytest.fixture(scope="module", autouse=True)
def peers(world: World) -> Iterator[None]:
    world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"peers": PEERS}})
    yield
    world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"peers": None}})


def allowing(bank: str, **lists: list[str]) -> Object:
    """The usual policy, with further lists."""
    usual = policy(bank, bank, "SG")
    return policy(bank, bank, "SG", allow={**usual["spec"]["allow"], **lists})


def path(bank: str) -> str:
    return f"/apis/networking.k8s.io/v1/namespaces/{bank}/networkpolicies/scorer"


def let_through(world: World, bank: str) -> dict[str, Any]:
    spec = world.member("sg").get(path(bank))["spec"]
    return {way: spec[way] for way in ("ingress", "egress") if way in spec}


def pods(world: World, namespace: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in world.pods(namespace)}


def test_what_a_model_asks_for_and_its_policy_allows_is_let_through_and_no_pod_begins_anew_for_it(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    bank = hub_namespace
    world.hub.apply(allowing(bank, callers=["gateway"], egress=["dns"]))
    world.model(bank)
    world.ready(bank, on="sg")
    before = pods(world, bank)
    assert let_through(world, bank) == {}

    world.model(bank, network={"callers": ["gateway"], "egress": ["dns"]})
    expected = {"ingress": FROM_THE_GATEWAY, "egress": TO_DNS}
    eventually(lambda: let_through(world, bank) == expected, within=20, what="the gateway may ask, and DNS is asked")

    world.model(bank, network={"callers": ["gateway"]})
    eventually(
        lambda: let_through(world, bank) == {"ingress": FROM_THE_GATEWAY}, within=20, what="DNS is asked no more"
    )
    world.ready(bank, on="sg")
    assert pods(world, bank) == before

    # Governance takes the gateway off the list: the model that asks for it is lawful nowhere.
    world.hub.apply(allowing(bank, callers=["metrics"], egress=["dns"]))
    world.reports(bank, "PolicyCompliant", "NoLawfulCluster")
    (row,) = [row for row in (world.get(bank) or {})["status"]["exclusions"] if row["cluster"] == "sg"]
    assert (row["rule"], row["reason"]) == ("allow.callers", "CallerNotAllowed")
    eventually(lambda: world.left("sg", bank) == [], within=30, what="it is withdrawn")


def test_a_cluster_that_does_not_know_a_peer_is_not_able(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(allowing(hub_namespace, egress=["feature-store"]))
    world.model(hub_namespace, network={"egress": ["feature-store"]})
    world.reports(hub_namespace, "Placed", "NoAbleCluster")
    exclusions = (world.get(hub_namespace) or {})["status"]["exclusions"]
    (row,) = [row for row in exclusions if row["cluster"] == "sg"]
    assert row["reason"] == "PeerMissing"
    assert "spec.peers of RegionalCluster sg has no feature-store" in row["message"]


def test_what_somebody_lets_through_is_closed_again(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    """With the token of the hub, in its term: the fence refuses it to everybody else."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    mark = {"annotations": {CLAIM_MARK: members.mark(world.fleet.regions["sg"])}}
    before = world.member("sg").get(path(hub_namespace))["spec"]
    opened = {"podSelector": {"matchLabels": None}, "egress": [{}], "ingress": [{}]}
    world.intruder("sg").merge(path(hub_namespace), {"metadata": mark, "spec": opened})
    eventually(
        lambda: world.member("sg").get(path(hub_namespace))["spec"] == before, within=10, what="nothing is let through"
    )


def test_a_peer_that_is_taken_from_the_cluster_is_let_through_no_more_and_the_model_stays(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(allowing(hub_namespace, egress=["dns"]))
    world.model(hub_namespace, network={"egress": ["dns"]})
    world.ready(hub_namespace, on="sg")
    assert let_through(world, hub_namespace) == {"egress": TO_DNS}
    before = pods(world, hub_namespace)
    world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"peers": [each for each in PEERS if each["name"] != "dns"]}})
    try:
        eventually(lambda: let_through(world, hub_namespace) == {}, within=10, what="DNS is asked no more")
        world.ready(hub_namespace, on="sg")
        assert pods(world, hub_namespace) == before
    finally:
        world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"peers": PEERS}})
