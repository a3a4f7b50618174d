"""What joining makes on the member: an identity for the hub, what that may do, and a token for it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from domicile import kube

Manifest = Mapping[str, Any]

SERVICE_ACCOUNT: Final = "domicile"
OURS: Final = ("app.kubernetes.io/managed-by", "domicile")
"""Label on all that joining makes."""
TOKEN_TYPE: Final = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secret
TOKEN_ANNOTATION: Final = "kubernetes.io/service-account.name"  # noqa: S105 - the name of an annotation


def role_name(namespace: str) -> str:
    """Name of the ClusterRole and its binding: two hubs with namespaces of their own do not get in each other's way."""
    return f"{namespace}:hub"


def user_of(namespace: str) -> str:
    """The user that the identity is, as the member's API server names it."""
    return f"system:serviceaccount:{namespace}:{SERVICE_ACCOUNT}"


def namespace(name: str) -> Manifest:
    """The namespace that the identity lives in."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict([OURS])}}


def identity(namespace: str, rules: Sequence[Manifest]) -> tuple[tuple[kube.Resource, Manifest], ...]:
    """ServiceAccount, ClusterRole and ClusterRoleBinding, in the order in which they are written."""
    role = role_name(namespace)
    group = "rbac.authorization.k8s.io"
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": SERVICE_ACCOUNT, "namespace": namespace, "labels": dict([OURS])},
        "automountServiceAccountToken": False,
    }
    cluster_role = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": role, "labels": dict([OURS])},
        "rules": [dict(rule) for rule in rules],
    }
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role, "labels": dict([OURS])},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": namespace}],
    }
    return (
        (kube.SERVICE_ACCOUNTS, account),
        (kube.CLUSTER_ROLES, cluster_role),
        (kube.CLUSTER_ROLE_BINDINGS, binding),
    )


def token_secret(namespace: str, suffix: str) -> Manifest:
    """A Secret that the member's control plane fills with a token. The token is good until the Secret is deleted:

    tokens by TokenRequest end after at most a year, on some clouds after a day, and this release has nothing that would
    renew them on the hub.
    """
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TOKEN_TYPE,
        "metadata": {
            "name": f"{SERVICE_ACCOUNT}-token-{suffix}",
            "namespace": namespace,
            "labels": dict([OURS]),
            "annotations": {TOKEN_ANNOTATION: SERVICE_ACCOUNT},
        },
    }


def is_ours(manifest: Manifest) -> bool:
    """Whether joining made it."""
    labels: Mapping[str, str] = manifest.get("metadata", {}).get("labels") or {}
    return labels.get(OURS[0]) == OURS[1]


def is_our_token(manifest: Manifest) -> bool:
    """Whether it is a token that joining made for its ServiceAccount."""
    annotations: Mapping[str, str] = manifest.get("metadata", {}).get("annotations") or {}
    for_us = annotations.get(TOKEN_ANNOTATION) == SERVICE_ACCOUNT
    return is_ours(manifest) and manifest.get("type") == TOKEN_TYPE and for_us
