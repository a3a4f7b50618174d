"""Who may write which kinds in a managed namespace. What the fence looks at and this table does not name, nobody may."""

from dataclasses import dataclass
from typing import Final

from domicile.api import GROUP, AdmissionGrant, MemberIdentities

KSERVE_GROUP: Final = "serving.kserve.io"
_GROUP: Final = "group:"


@dataclass(frozen=True)
class Writers:
    """The users, and groups as `group:NAME`, that may create and change some kinds."""

    kinds: tuple[str, ...]
    """As group/resource, or group/resource/subresource; the core group is empty: `/pods`."""
    users: tuple[str, ...]


def writers(who: MemberIdentities) -> tuple[Writers, ...]:
    """The table. Pods come from ReplicaSets, these from Deployments, these from KServe, and what KServe acts on from Domicile: no
    link of that chain can be begun by anybody else."""
    deployments, replica_sets = who.controller("deployment-controller"), who.controller("replicaset-controller")
    autoscaler = who.controller("horizontal-pod-autoscaler")
    return (
        Writers((f"{KSERVE_GROUP}/inferenceservices", f"{KSERVE_GROUP}/servingruntimes"), (who.hub,)),
        Writers((f"{KSERVE_GROUP}/inferenceservices/status", f"{KSERVE_GROUP}/servingruntimes/status"), (who.kserve,)),
        # The deployment controller notes the revision on the Deployment itself.
        Writers(("apps/deployments",), (who.kserve, deployments)),
        Writers(("apps/deployments/status",), (deployments,)),
        Writers(("apps/deployments/scale",), (who.kserve, autoscaler)),
        Writers(("apps/replicasets",), (deployments,)),
        Writers(("apps/replicasets/status",), (replica_sets,)),
        # It adopts pods and lets go of them.
        Writers(("/pods",), (replica_sets,)),
        Writers(("/pods/binding", "/bindings"), (who.scheduler,)),
        Writers(("/pods/status",), _of_pods(who)),
        # Kubelets ask for the tokens that pods mount. Whoever else had one would be the model to its Vault.
        Writers(("/serviceaccounts/token",), (f"{_GROUP}{who.nodes}",)),
        Writers(("/serviceaccounts",), (who.hub, who.controller("service-account-controller"))),
        Writers(("autoscaling/horizontalpodautoscalers",), (who.kserve,)),
        Writers(("autoscaling/horizontalpodautoscalers/status",), (autoscaler,)),
        # Where requests for the model go.
        Writers(_LEADING_TO_A_MODEL, (who.kserve,)),
        Writers(("/services/status",), (who.controller("service-controller"),)),
        # Quotas are charged by the API server itself.
        Writers(("/resourcequotas/status",), (who.controller("resourcequota-controller"), "system:apiserver")),
        Writers(("/endpoints",), (who.controller("endpoint-controller"),)),
        Writers(
            ("discovery.k8s.io/endpointslices",),
            (who.controller("endpointslice-controller"), who.controller("endpointslicemirroring-controller")),
        ),
        Writers((*KEPT,), (who.hub,)),
    )


def removers(who: MemberIdentities) -> tuple[str, ...]:
    """Who may delete what holds a managed namespace together: Domicile, and what empties a namespace that is deleted."""
    return (who.hub, who.controller("namespace-controller"), who.controller("generic-garbage-collector"))


_LEADING_TO_A_MODEL: Final = (
    "/services",
    "networking.k8s.io/ingresses",
    "gateway.networking.k8s.io/httproutes",
    "networking.istio.io/virtualservices",
)
ROUTING_GROUPS: Final = (
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "multicluster.x-k8s.io",
    "networking.istio.io",
)
"""Groups of which every kind is looked at, but for its status, which controllers of many names write."""
KEPT: Final = (
    "networking.k8s.io/networkpolicies",
    "/resourcequotas",
    "/limitranges",
    f"{GROUP}/{AdmissionGrant.info.plural}",
)
"""Kinds of which one object less, or one more, opens what the others close."""
OWNERS: Final = (f"{KSERVE_GROUP}/inferenceservices", "apps/deployments", "apps/replicasets")
"""Kinds whose deletion may leave pods behind without an owner."""
NOBODYS: Final = (
    "/podtemplates",
    "/pods/ephemeralcontainers",
    "/pods/resize",
    "/replicationcontrollers",
    "/replicationcontrollers/scale",
    "apps/controllerrevisions",
    "apps/daemonsets",
    "apps/replicasets/scale",
    "apps/statefulsets",
    "apps/statefulsets/scale",
    "batch/cronjobs",
    "batch/jobs",
    # Names that follow it would lead elsewhere, and its annotations redirect.
    "networking.k8s.io/ingresses/status",
)
"""Looked at, so that they are refused: whatever else can start a container, and what leads elsewhere."""


def _of_pods(who: MemberIdentities) -> tuple[str, ...]:
    """Who writes the status of pods: kubelets, and those that say of a pod that it has no node or is to go."""
    controllers = (
        "pod-garbage-collector",
        "node-controller",
        "taint-eviction-controller",
        "device-taint-eviction-controller",
        "resource-claim-controller",
        "disruption-controller",
    )
    return (
        f"{_GROUP}{who.nodes}",
        who.scheduler,
        *(who.controller(each) for each in (*controllers, "replicaset-controller")),
    )
