"""What keeps a managed namespace to itself: who may ask its pods, what its pods may ask, and what is never made there."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from domicile.fence.labels import MANAGED_BY

ISOLATION: Final = "domicile"
"""Name of each of its objects."""
_NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"
"""Label of every namespace, which the API server itself sets."""
_NOTHING_OF: Final = ("persistentvolumeclaims", "services.loadbalancers", "services.nodeports")
"""What leads out of the cluster, or keeps what a model was asked."""


def isolation(namespace: str, callers: Iterable[str]) -> tuple[Mapping[str, Any], ...]:
    """Its NetworkPolicy and its ResourceQuota, as the API server keeps them, so that what is there can be compared whole. Pods in the
    namespaces of `callers` may ask those of this one, which may ask nobody."""
    metadata = {"name": ISOLATION, "namespace": namespace, "labels": dict((MANAGED_BY,))}
    peers = [{"namespaceSelector": {"matchLabels": {_NAMESPACE_NAME: caller}}} for caller in sorted(set(callers))]
    network: dict[str, Any] = {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        **({"ingress": [{"from": peers}]} if peers else {}),
    }
    return (
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": network},
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata,
            "spec": {"hard": dict.fromkeys(_NOTHING_OF, "0")},
        },
    )
