"""Whether a cluster can run a model, and on which of its nodes."""

from dataclasses import replace
from typing import Any

import pytest

from builders import member, model, node, out_of_sight, view
from domicile import placement
from domicile.api import Peer
from domicile.placement import Able, FenceDown, NotSeen, NotYet, ServingMissing, Unable
from domicile.placement.need import gibibytes

GI = 1024**3
L4 = {"nvidia.com/gpu.product": "NVIDIA-L4"}


def asked(
    accelerators: dict[str, Any] | None = None,
    replicas: dict[str, Any] | None = None,
    network: dict[str, Any] | None = None,
) -> placement.Need:
    more: dict[str, Any] = {"network": network} if network else {}
    return placement.need(model(accelerators=accelerators, replicas=replicas, **more).spec)


def ability(
    need: placement.Need, cluster: placement.ClusterView, current: placement.Current | None = None
) -> placement.Ability:
    return placement.ability(need, "retail-banking", "fraud-scorer", cluster, current)


NEEDS = {
    "no accelerators": (asked(), placement.Need(1)),
    "copies": (asked(replicas={"min": 3, "max": 9}), placement.Need(3)),
    "a count": (asked({"count": 2}), placement.Need(1, 2)),
    "memory in bytes": (asked({"count": 1, "minMemory": "40Gi"}), placement.Need(1, 1, 40 * GI)),
    "memory, rounded up": (asked({"count": 1, "minMemory": "1.5"}), placement.Need(1, 1, 2)),
    "peers, in order and once": (
        asked(network={"callers": ["metrics", "gateway"], "egress": ["dns", "metrics"]}),
        placement.Need(1, peers=("dns", "gateway", "metrics")),
    ),
    "peers beside accelerators": (
        asked({"count": 1}, network={"egress": ["dns"]}),
        placement.Need(1, 1, peers=("dns",)),
    ),
    "products, in order": (asked({"count": 1, "products": ["b", "a"]}), placement.Need(1, 1, 0, ("a", "b"))),
}


@pytest.mark.parametrize(("found", "expected"), NEEDS.values(), ids=NEEDS.keys())
def test_the_need_of_a_model(found: placement.Need, expected: placement.Need) -> None:
    assert found == expected


CHECKS: dict[str, tuple[placement.ClusterView, type[Unable] | type[NotSeen] | type[NotYet], str, str]] = {
    "out of sight": (view(connection=out_of_sight()), NotSeen, "Unreachable", "no answer for 30 s"),
    "out of sight comes before all else": (
        view(connection=out_of_sight(), serving=ServingMissing("no CRD")), NotSeen, "Unreachable", "no answer",
    ),
    "its fence is down": (
        view(fence=FenceDown("FenceTampered", "gone")), NotYet, "FenceNotInForce", "the fence of sg is not in force (FenceTampered)",
    ),
    "that comes before what it could run": (
        view(fence=FenceDown("FenceTampered", "gone"), serving=ServingMissing("no CRD")), NotYet, "FenceNotInForce", "FenceTampered",
    ),
    "no KServe": (view(serving=ServingMissing("no CRD")), Unable, "ServingUnavailable", "no CRD"),
    "another's namespace": (
        view(foreign_namespaces=frozenset({"retail-banking"})), Unable, "NamespaceNotOwned",
        "namespace retail-banking is there and was not made by Domicile",
    ),
    "another's InferenceService": (
        view(foreign_services={"retail-banking": frozenset({"fraud-scorer"})}), Unable, "NameTaken",
        "an InferenceService retail-banking/fraud-scorer is there and was not made by Domicile",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cluster", "kind", "reason", "message"), CHECKS.values(), ids=CHECKS.keys())
def test_what_makes_a_cluster_unable(
    cluster: placement.ClusterView, kind: type[Unable] | type[NotSeen] | type[NotYet], reason: str, message: str
) -> None:
    found = ability(asked(), cluster)
    assert isinstance(found, kind)
    assert (found.reason, message in found.message) == (reason, True)


PEERS = (Peer(name="gateway", namespaces=("edge",)), Peer(name="dns", namespaces=("kube-system",)))


def test_a_cluster_without_a_peer_that_the_model_has_to_do_with_is_unable() -> None:
    wanted = asked(network={"callers": ["gateway", "metrics"], "egress": ["audit", "dns"]})
    found = ability(wanted, view(peers=PEERS))
    assert isinstance(found, Unable)
    assert (found.reason, "has no audit, metrics, which" in found.message) == ("PeerMissing", True)


def test_where_a_model_runs_a_peer_that_is_taken_away_moves_nothing() -> None:
    wanted = asked(network={"callers": ["gateway"]})
    assert ability(wanted, view(), placement.Current(serving=True)) == Able(())


OTHERS = {
    "peers, and the model wants some of them": view(peers=PEERS),
    "another namespace": view(foreign_namespaces=frozenset({"kube-system"})),
    "another name": view(foreign_services={"retail-banking": frozenset({"other"})}),
    "the name in another namespace": view(foreign_services={"treasury": frozenset({"fraud-scorer"})}),
    "no accelerators, and none needed": view(),
}


@pytest.mark.parametrize("cluster", OTHERS.values(), ids=OTHERS.keys())
def test_what_does_not(cluster: placement.ClusterView) -> None:
    wanted = asked(network={"egress": ["dns"]}) if cluster.peers else asked()
    assert ability(wanted, cluster) == Able(())


A100, H100, T4 = "NVIDIA-A100", "NVIDIA-H100", "NVIDIA-T4"
T4_SELECTOR = {"nvidia.com/gpu.product": T4}

SELECTED: dict[str, tuple[placement.Need, tuple[placement.AcceleratorNode, ...], dict[str, str]]] = {
    "the only product": (asked({"count": 1}), (node(),), L4),
    "the least memory that is enough": (
        asked({"count": 1, "minMemory": "30Gi"}),
        (node("a", H100, memory_mib=81559), node("b", A100, memory_mib=40960), node("c")),
        {"nvidia.com/gpu.product": A100},
    ),
    "the smallest where any will do": (asked({"count": 1}), (node("a", A100, memory_mib=40960), node("b")), L4),
    "the first by name where memory is alike": (asked({"count": 1}), (node("a", "B"), node("b", "A")),
        {"nvidia.com/gpu.product": "A"}),
    "the next where the smallest is taken": (
        asked({"count": 1}),
        (node("a", of=2, granted=2), node("b", A100, memory_mib=40960)),
        {"nvidia.com/gpu.product": A100},
    ),
    "the product that is named": (
        asked({"count": 1, "products": [A100]}),
        (node("a"), node("b", A100, memory_mib=40960)),
        {"nvidia.com/gpu.product": A100},
    ),
    "memory that is just enough": (asked({"count": 1, "minMemory": "23034Mi"}), (node(),), L4),
    "unknown memory will do where none is asked": (asked({"count": 1}), (node(memory_mib=None),), L4),
    "copies on several nodes": (
        asked({"count": 2}, {"min": 2}),
        (node("a", of=3, granted=1), node("b", of=2)),
        L4,
    ),
    "copies on nodes that differ in memory, where any memory will do": (
        asked({"count": 1}, {"min": 2}), (node("a", T4, memory_mib=15360), node("b", T4, memory_mib=15109)), T4_SELECTOR,
    ),
    "copies on nodes that differ in memory, where all have enough": (
        asked({"count": 1, "minMemory": "14Gi"}, {"min": 2}),
        (node("a", T4, memory_mib=15360), node("b", T4, memory_mib=15109)), T4_SELECTOR,
    ),
    "of nodes that differ in memory, the least counts": (
        asked({"count": 1}), (node("a", T4, memory_mib=15360), node("b", T4, memory_mib=None), node("c", "A", memory_mib=1)),
        T4_SELECTOR,
    ),
    "the least memory that is enough, of one product": (
        asked({"count": 1, "minMemory": "30Gi"}),
        (node("a", A100, memory_mib=81920), node("b", A100, memory_mib=40960), node("c", A100, memory_mib=20480)),
        {"nvidia.com/gpu.product": A100, "nvidia.com/gpu.memory": "40960"},
    ),
    "a product that is named, beside one that is not": (asked({"count": 1}), (node("a", ""), node("b")), L4),
    "by memory too where nodes of the product differ": (
        asked({"count": 1, "minMemory": "30Gi"}),
        (node("a", A100, memory_mib=40960), node("b", A100, memory_mib=20480), node("c", A100, memory_mib=None)),
        {"nvidia.com/gpu.product": A100, "nvidia.com/gpu.memory": "40960"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("need", "nodes", "selector"), SELECTED.values(), ids=SELECTED.keys())
def test_which_nodes_are_chosen(
    need: placement.Need, nodes: tuple[placement.AcceleratorNode, ...], selector: dict[str, str]
) -> None:
    assert ability(need, view("sg", *nodes)) == Able(tuple(sorted(selector.items())))
    assert ability(need, view("sg", *reversed(nodes))) == Able(tuple(sorted(selector.items())))


LACKING: dict[str, tuple[placement.Need, tuple[placement.AcceleratorNode, ...], str, str]] = {
    "none": (asked({"count": 1}), (), "NoAccelerators", "needs 1 accelerator; no ready node has any"),
    "not the product": (
        asked({"count": 1, "products": ["B", A100]}), (node(of=2),), "NoAccelerators",
        "needs 1 accelerator of product B or NVIDIA-A100; found 2x NVIDIA-L4 with 22.4Gi",
    ),
    "too small": (
        asked({"count": 1, "minMemory": "40Gi"}), (node("a"), node("b")), "AcceleratorsTooSmall",
        "needs 1 accelerator with at least 40Gi; found 2x NVIDIA-L4 with 22.4Gi",
    ),
    "too small by a hair": (
        asked({"count": 1, "minMemory": "80Gi"}), (node("a", H100, memory_mib=81559),), "AcceleratorsTooSmall",
        "needs 1 accelerator with at least 80Gi; found 1x NVIDIA-H100 with 79.6Gi",
    ),
    "memory that nobody vouches for": (
        asked({"count": 1, "minMemory": "1Gi"}), (node(memory_mib=None),), "AcceleratorsTooSmall",
        "needs 1 accelerator with at least 1Gi; found 1x NVIDIA-L4 with unknown memory",
    ),
    "enough in all, but on no node": (
        asked({"count": 2}), (node("a"), node("b")), "AcceleratorsTooFew",
        "needs 2 accelerators on one node; found 2x NVIDIA-L4 with 22.4Gi",
    ),
    "fewer than the copies need": (
        asked({"count": 1}, {"min": 3}), (node(of=2),), "AcceleratorsTooFew",
        "needs 3 times 1 accelerator; found 2x NVIDIA-L4 with 22.4Gi",
    ),
    "not in one product": (
        asked({"count": 1}, {"min": 2}), (node("a"), node("b", A100, memory_mib=40960)), "AcceleratorsTooFew",
        "needs 2 times 1 accelerator; found 1x NVIDIA-A100 with 40Gi, 1x NVIDIA-L4 with 22.4Gi",
    ),
    "not of one memory, where the selector has to say one": (
        asked({"count": 1, "minMemory": "30Gi"}, {"min": 2}),
        (node("a", A100, memory_mib=81920), node("b", A100, memory_mib=40960), node("c", A100, memory_mib=20480)),
        "AcceleratorsTooFew",
        "needs 2 times 1 accelerator with at least 30Gi; found 1x NVIDIA-A100 with 20Gi, 1x NVIDIA-A100 with 40Gi, 1x NVIDIA-A100 with 80Gi",
    ),
    "of a product that no label names": (
        asked({"count": 1}), (node("a", "", memory_mib=None),), "NoAccelerators",
        "needs 1 accelerator; found 1x unknown product (no label nvidia.com/gpu.product) with unknown memory",
    ),
    "all taken": (
        asked({"count": 1}), (node(of=2, granted=2),), "AcceleratorsBusy",
        "needs 1 accelerator; found 2x NVIDIA-L4 with 22.4Gi, and too few of them are free",
    ),
    "more taken than there are": (
        asked({"count": 1}), (node(granted=3), node("b", granted=1)), "AcceleratorsBusy",
        "needs 1 accelerator; found 2x NVIDIA-L4 with 22.4Gi, and too few of them are free",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("need", "nodes", "reason", "message"), LACKING.values(), ids=LACKING.keys())
def test_what_is_lacking(
    need: placement.Need, nodes: tuple[placement.AcceleratorNode, ...], reason: str, message: str
) -> None:
    assert ability(need, view("sg", *nodes)) == Unable(reason, message)


H100_SELECTOR = {"nvidia.com/gpu.product": H100}
A100_SELECTOR = {"nvidia.com/gpu.product": A100}
BIG = node("big", A100, memory_mib=40960)

RUNNING: dict[str, tuple[placement.Need, tuple[placement.AcceleratorNode, ...], dict[str, str], dict[str, str] | str]] = {
    "its own pods do not make it busy": (asked({"count": 1}), (node(own=1),), L4, L4),
    "nor where its nodes are to be selected anew": (
        asked({"count": 1, "minMemory": "60Gi"}), (node("a", H100, memory_mib=81559, own=1), node("b", H100, memory_mib=None)),
        H100_SELECTOR, {**H100_SELECTOR, "nvidia.com/gpu.memory": "81559"},
    ),
    "another's pods do, where its nodes are to be selected anew": (
        asked({"count": 1, "minMemory": "60Gi"}), (node("a", H100, memory_mib=81559, granted=1), node("b", H100, memory_mib=None)),
        H100_SELECTOR, "AcceleratorsBusy",
    ),
    "a selector by a label that no node has": (asked({"count": 1}), (node("a", ""), node("b")), {"nvidia.com/gpu.product": ""}, L4),
    "it stays on what it has where something smaller is free": (asked({"count": 1}), (node(), BIG), A100_SELECTOR, A100_SELECTOR),
    "its nodes are gone": (asked({"count": 1}), (BIG,), L4, A100_SELECTOR),
    "its nodes became too few": (asked({"count": 1}, {"min": 2}), (node(), node("b", A100, of=2)), L4, A100_SELECTOR),
    "its need grew beyond its nodes": (asked({"count": 1, "minMemory": "40Gi"}), (node(), BIG), L4, A100_SELECTOR),
    "its product is no longer wanted": (asked({"count": 1, "products": [A100]}), (node(), BIG), L4, A100_SELECTOR),
    "a node of its product is now too small": (
        asked({"count": 1, "minMemory": "40Gi"}), (BIG, node("b", A100)), A100_SELECTOR,
        {**A100_SELECTOR, "nvidia.com/gpu.memory": "40960"},
    ),
    "a selector by memory is kept too": (
        asked({"count": 1, "minMemory": "40Gi"}), (node("a", A100, memory_mib=40960, own=1), node("b", A100)),
        {**A100_SELECTOR, "nvidia.com/gpu.memory": "40960"}, {**A100_SELECTOR, "nvidia.com/gpu.memory": "40960"},
    ),
    "it needs accelerators now and had none": (asked({"count": 1}), (node(),), {}, L4),
    "it needs none any more": (asked(), (node(),), L4, {}),
    "nothing is left for it": (asked({"count": 1}), (), L4, "NoAccelerators"),
}  # fmt: skip


@pytest.mark.parametrize(("need", "nodes", "current", "expected"), RUNNING.values(), ids=RUNNING.keys())
def test_a_model_that_runs_there_keeps_its_nodes_while_they_suit(
    need: placement.Need,
    nodes: tuple[placement.AcceleratorNode, ...],
    current: dict[str, str],
    expected: dict[str, str] | str,
) -> None:
    found = ability(need, view("sg", *nodes), placement.Current(current))
    if isinstance(expected, str):
        assert isinstance(found, Unable)
        assert found.reason == expected
    else:
        assert found == Able(tuple(sorted(expected.items())))


BIG_FREE, BIG_FULL = BIG, node("big", A100, memory_mib=40960, granted=1)
FULL, OWN = node(granted=1), node(own=1)

STARVED: dict[str, tuple[placement.Need, tuple[placement.AcceleratorNode, ...], Able]] = {
    "others have all of it: it waits": (asked({"count": 1}), (FULL,), Able(tuple(L4.items()), waits=True)),
    "nothing that would do is free: it waits": (
        asked({"count": 1}), (FULL, BIG_FULL), Able(tuple(L4.items()), waits=True),
    ),
    "another product is free there": (asked({"count": 1}), (FULL, BIG_FREE), Able(tuple(A100_SELECTOR.items()))),
    "one is free, and the scheduler is about to see it": (asked({"count": 1}), (FULL, node("b"), BIG_FREE), Able(tuple(L4.items()))),
    "its own pod is just ending": (asked({"count": 1}), (OWN, BIG_FREE), Able(tuple(L4.items()))),
    "fewer are free than its copies need": (
        asked({"count": 1}, {"min": 2}), (FULL, node("b"), BIG_FULL), Able(tuple(L4.items()), waits=True),
    ),
    "it needs none any more": (asked(), (FULL,), Able(())),
}  # fmt: skip


@pytest.mark.parametrize(("need", "nodes", "expected"), STARVED.values(), ids=STARVED.keys())
def test_a_model_that_has_no_accelerators_there_is_not_bound_to_its_nodes(
    need: placement.Need, nodes: tuple[placement.AcceleratorNode, ...], expected: Able
) -> None:
    assert ability(need, view("sg", *nodes), placement.Current(L4, starved=True)) == expected


def test_where_there_is_room_by_now_a_starved_model_keeps_its_nodes() -> None:
    starved = placement.Current(A100_SELECTOR, starved=True)
    assert ability(asked({"count": 1}), view("sg", node(), BIG_FREE), starved) == Able(tuple(A100_SELECTOR.items()))


def test_a_starved_model_whose_nodes_suit_no_more_gets_others_or_none() -> None:
    big = asked({"count": 1, "minMemory": "40Gi"})
    starved = placement.Current(L4, starved=True)
    assert ability(big, view("sg", FULL, BIG_FREE), starved) == Able(tuple(A100_SELECTOR.items()))
    found = ability(big, view("sg", FULL, BIG_FULL), starved)
    assert isinstance(found, Unable)
    assert found.reason == "AcceleratorsBusy"


def test_sizes_are_never_rounded_up() -> None:
    assert [gibibytes(size) for size in (0, GI, GI + GI // 2, 40 * GI - 1)] == ["0Gi", "1Gi", "1.5Gi", "39.9Gi"]


def test_the_view_is_of_the_member_that_was_asked_about() -> None:
    assert view("de").member == member("de")


# Pools of nodes of which each is lawful.

SITE = "site.node-restriction.kubernetes.io/name"
EAST, WEST = ((SITE, "east"),), ((SITE, "west"),)


def at(pool: placement.Selector, name: str, product: str = "NVIDIA-L4", **more: Any) -> placement.AcceleratorNode:
    return replace(node(name, product, **more), restricted=dict(pool))


def on(pool: placement.Selector, **more: str) -> placement.Current:
    return placement.Current({**dict(pool), **more})


BOTH = view("sg", at(EAST, "e"), at(WEST, "w"))
FULL_EAST = view("sg", at(EAST, "e", granted=1), at(WEST, "w"))
GPU = asked({"count": 1})
POOLS: dict[str, tuple[placement.Need, placement.ClusterView, Any, tuple[placement.Selector, ...], dict[str, str]]] = {
    "no accelerators: the first pool": (asked(), BOTH, None, (EAST, WEST), dict(EAST)),
    "no accelerators: where it is": (asked(), BOTH, on(WEST), (EAST, WEST), dict(WEST)),
    "no accelerators: not where it is not lawful": (asked(), BOTH, on(WEST), (EAST,), dict(EAST)),
    "accelerators of the pool": (GPU, BOTH, None, (WEST,), dict(WEST) | L4),
    "the next pool, where the first is full": (GPU, FULL_EAST, None, (EAST, WEST), dict(WEST) | L4),
    "full, and the model's own": (
        GPU, view("sg", at(EAST, "e", own=1), at(WEST, "w")), on(EAST, **L4), (WEST, EAST), dict(EAST) | L4,
    ),
    "what it had in the whole cluster is not of the pool": (
        GPU, view("sg", node("x"), at(WEST, "w")), placement.Current(L4), (WEST,), dict(WEST) | L4,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("need", "cluster", "current", "pools", "selector"), POOLS.values(), ids=POOLS.keys())
def test_it_runs_on_a_lawful_pool(need: Any, cluster: Any, current: Any, pools: Any, selector: dict[str, str]) -> None:
    found = placement.ability(need, "retail-banking", "fraud-scorer", cluster, current, pools)
    assert found == Able(tuple(sorted(selector.items())))


def test_accelerators_of_other_nodes_are_none_of_the_pool() -> None:
    cluster = view("sg", at(EAST, "e"), node("x"))
    found = placement.ability(GPU, "retail-banking", "fraud-scorer", cluster, None, (WEST,))
    assert isinstance(found, Unable)
    assert found.reason == "NoAccelerators"
    assert found.message.endswith(f"in pool {SITE}=west")
