"""What keeps a managed namespace to itself: who may ask its pods, what its pods may ask, and what is never made there."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from domicile.api import Peer
from domicile.fence.labels import MANAGED_BY, MANAGED_NAMESPACE

ISOLATION: Final = "domicile"
"""Name of each of its objects."""
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
"""Label of every namespace, which the API server itself sets."""
_NOTHING_OF: Final = ("persistentvolumeclaims", "services.loadbalancers", "services.nodeports")
"""What leads out of the cluster, or keeps what a model was asked."""
_BOTH_WAYS: Final = ["Ingress", "Egress"]


def isolation(namespace: str) -> tuple[Mapping[str, Any], ...]:
    """Its NetworkPolicy and its ResourceQuota, as the API server keeps them, so that what is there can be compared whole. Nobody may ask
    its pods, and they may ask nobody, but for what is let through for a model."""
    metadata = {"name": ISOLATION, "namespace": namespace, "labels": dict((MANAGED_BY,))}
    return (
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": metadata,
            "spec": {"podSelector": {}, "policyTypes": _BOTH_WAYS},
        },
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata,
            "spec": {"hard": dict.fromkeys(_NOTHING_OF, "0")},
        },
    )


def let_through(
    pods: Mapping[str, str], port: int, callers: Iterable[Peer], egress: Iterable[Peer]
) -> Mapping[str, Any]:
    """Spec of the NetworkPolicy that lets `callers` in to the port of the pods with these labels, and these out to `egress`, in the
    spelling that the API server keeps."""
    into = sorted({namespace for peer in callers for namespace in peer.namespaces})
    rules: dict[str, Any] = {}
    if into:
        rules["ingress"] = [{"from": _in(into), "ports": [{"port": port, "protocol": "TCP"}]}]
    if out := list(_out(egress)):
        rules["egress"] = out
    return {"podSelector": {"matchLabels": dict(pods)}, "policyTypes": _BOTH_WAYS, **rules}


def _out(peers: Iterable[Peer]) -> Iterator[Mapping[str, Any]]:
    for peer in sorted(peers, key=lambda peer: peer.name):
        ports = sorted({(each.port, each.protocol) for each in peer.ports})
        limited = {"ports": [{"port": port, "protocol": protocol} for port, protocol in ports]} if ports else {}
        yield {"to": _in(sorted(set(peer.namespaces))), **limited}


def _in(namespaces: Iterable[str]) -> list[Mapping[str, Any]]:
    """Pods there, as long as no model is placed in a namespace of that name."""
    key, value = MANAGED_NAMESPACE
    unmanaged = {"key": key, "operator": "NotIn", "values": [value]}
    return [
        {"namespaceSelector": {"matchExpressions": [unmanaged], "matchLabels": {_NAMESPACE_NAME: namespace}}}
        for namespace in namespaces
    ]
