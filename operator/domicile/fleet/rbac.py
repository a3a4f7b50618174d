"""The rights that Domicile needs on a member, and no more: no Secrets, no wildcards, no roles.

They amount to more than they name. Who may make InferenceServices in any namespace runs pods there, as any ServiceAccount of
that namespace and with any Secret of it mounted. Kubernetes cannot bound that by RBAC; the fence does, by admission: the policy
`hub` refuses what this identity would make outside managed namespaces.
"""

from collections.abc import Sequence
from typing import Any, Final

from domicile.api import MemberIdentities
from domicile.fence import fence_of
from domicile.fleet.kinds import CLAIMS, GRANTS, OF_THE_FENCE

ROLE_NAME: Final = "domicile"

_POLICIES: Final = ("validatingadmissionpolicies", "validatingadmissionpolicybindings")
_SEE: Final = ("get", "list", "watch")
_MAKE: Final = ("get", "list", "watch", "create", "patch", "delete")


def cluster_role() -> dict[str, Any]:
    """The ClusterRole of the ServiceAccount by which the hub speaks to the member."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE_NAME, "labels": {"app.kubernetes.io/managed-by": "domicile"}},
        "rules": rules(),
    }


def rules() -> list[dict[str, Any]]:
    """Its rules."""
    return [
        # Namespaces are made, their labels kept as they must be, and never deleted: they may hold what is not Domicile's.
        _rule("", ["namespaces"], (*_SEE, "create", "patch")),
        # The fence: all policies are seen, its own are made and put right. Nobody else's can be touched.
        _rule("admissionregistration.k8s.io", _POLICIES, _SEE),
        _rule("admissionregistration.k8s.io", _POLICIES, ("create", "patch"), fence_of(MemberIdentities()).names),
        # What it holds pods against: the kinds, one object a namespace, and one a cluster.
        _rule(
            "apiextensions.k8s.io",
            ["customresourcedefinitions"],
            ("get", "create", "patch"),
            sorted(map(str, OF_THE_FENCE)),
        ),
        _rule(GRANTS.group, [GRANTS.plural], (*_SEE, "create", "patch")),
        _rule(CLAIMS.group, [CLAIMS.plural], ("get", "create", "patch")),
        # What keeps its namespaces to themselves, and lets through what a model is permitted. The fence refuses that it makes any elsewhere.
        _rule("", ["resourcequotas"], (*_SEE, "create", "patch")),
        _rule("networking.k8s.io", ["networkpolicies"], _MAKE),
        # The accelerators.
        _rule("", ["nodes"], ("list", "watch")),
        # What is written for a model. Server-side apply is `patch`, and `create` where nothing is there yet.
        _rule("serving.kserve.io", ["inferenceservices", "servingruntimes"], _MAKE),
        _rule("", ["serviceaccounts"], _MAKE),
        # What KServe makes of it, for health and for the proof that nothing is left.
        _rule("", ["pods", "services"], ("list", "watch")),
        _rule("apps", ["deployments", "replicasets"], ("list", "watch")),
        _rule("autoscaling", ["horizontalpodautoscalers"], ("list", "watch")),
        # KServe's version.
        _rule("apps", ["deployments"], ("get",), ["kserve-controller-manager"]),
        _rule("", ["configmaps"], ("get",), ["inferenceservice-config"]),
        # Authenticated users have this by default; some platforms take it away.
        {"nonResourceURLs": ["/version"], "verbs": ["get"]},
    ]


def _rule(group: str, resources: Sequence[str], verbs: Sequence[str], names: Sequence[str] = ()) -> dict[str, Any]:
    named = {"resourceNames": list(names)} if names else {}
    return {"apiGroups": [group], "resources": list(resources), **named, "verbs": list(verbs)}
