"""What keeps a managed namespace to itself, and what is let through for one model."""

from typing import Any

import pytest

from domicile import fence
from domicile.api import Peer, PeerPort

PODS = {"domicile.dev/model": "fraud-scorer"}


def test_its_pods_ask_nobody_and_nobody_asks_them() -> None:
    """No lists of rules, and not an empty rule, which would let everybody through."""
    network, quota = fence.isolation("bank")
    assert network["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert quota["spec"]["hard"] == {
        "persistentvolumeclaims": "0",
        "services.loadbalancers": "0",
        "services.nodeports": "0",
    }
    assert {m["metadata"]["name"] for m in (network, quota)} == {fence.ISOLATION}
    assert {m["metadata"]["namespace"] for m in (network, quota)} == {"bank"}


def pods_in(*namespaces: str) -> list[Any]:
    unmanaged = {"key": "domicile.dev/managed", "operator": "NotIn", "values": ["true"]}
    selectors = [
        {"matchExpressions": [unmanaged], "matchLabels": {"kubernetes.io/metadata.name": each}} for each in namespaces
    ]
    return [{"namespaceSelector": each} for each in selectors]


GATEWAY = Peer(name="gateway", namespaces=("gateways", "edge"))
METRICS = Peer(name="metrics", namespaces=("monitoring", "edge"))
DNS = Peer(
    name="dns",
    namespaces=("kube-system",),
    ports=(PeerPort(port=53, protocol="UDP"), PeerPort(port=53), PeerPort(port=53)),
)
SERVED = [{"port": 9000, "protocol": "TCP"}]
LET_THROUGH: dict[str, tuple[tuple[Peer, ...], tuple[Peer, ...], dict[str, Any]]] = {
    "nobody": ((), (), {}),
    "callers come in where the model serves, each namespace once": (
        (METRICS, GATEWAY),
        (),
        {"ingress": [{"from": pods_in("edge", "gateways", "monitoring"), "ports": SERVED}]},
    ),
    "the model asks each peer at its own ports, or at any": (
        (),
        (METRICS, DNS),
        {
            "egress": [
                {
                    "to": pods_in("kube-system"),
                    "ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}],
                },
                {"to": pods_in("edge", "monitoring")},
            ]
        },
    ),
    "to be asked is not to ask": ((DNS,), (), {"ingress": [{"from": pods_in("kube-system"), "ports": SERVED}]}),
}


@pytest.mark.parametrize(("callers", "egress", "expected"), LET_THROUGH.values(), ids=LET_THROUGH)
def test_what_is_let_through(callers: tuple[Peer, ...], egress: tuple[Peer, ...], expected: dict[str, Any]) -> None:
    found = fence.let_through(PODS, 9000, callers, egress)
    assert found == {"podSelector": {"matchLabels": PODS}, "policyTypes": ["Ingress", "Egress"], **expected}
