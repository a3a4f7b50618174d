"""RegionalCluster: how to reach a member, who it is, and what it was found to have."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import (
    UID,
    ApiModel,
    Condition,
    Kind,
    KindInfo,
    Name,
    PrinterColumn,
    Time,
    User,
    cel,
    cel_rules,
    list_map,
)
from domicile.api.hubclaim import LATEST_EPOCH, Connection


class KubeconfigSecretRef(ApiModel):
    """A key of a Secret in the operator's own namespace. Secrets of other namespaces cannot be named."""

    name: Name
    """Name of the Secret, in the operator's namespace."""
    key: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")] = "kubeconfig"
    """Key of the Secret that holds the kubeconfig. Its current context is used."""


_PATH = "[a-z0-9]([-a-z0-9._]*[a-z0-9])?"
_HOST = r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?"


class RegistryMirror(ApiModel):
    """Where the member pulls from instead of a registry. The digest stays: a mirror has the same bytes or none."""

    registry: Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{_HOST}$")]
    """Host of the registry that models name."""
    mirror: Annotated[str, Field(min_length=1, max_length=253, pattern=f"^{_HOST}(/{_PATH})*$")]
    """Host that the member pulls from, with a path to put before the repository if it has one."""


NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class PeerPort(ApiModel):
    """A port of a peer."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """Its number, on the peer's pods."""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """How it is spoken to."""


class Peer(ApiModel):
    """Pods of the member with which models may have to do, under a name that models and policies of the whole fleet share. They are in
    the member, so that nothing leaves it by this alone: what asks further, such as a gateway, answers for where it asks."""

    name: Name
    """By which models and policies name it, such as gateway, metrics, vault-agent or dns."""
    namespaces: Annotated[
        tuple[NamespaceName, ...],
        Field(min_length=1, max_length=32, json_schema_extra={"x-kubernetes-list-type": "set"}),
    ]
    """Namespaces of the member that its pods are in. Pods in namespaces that Domicile manages are never meant."""
    ports: Annotated[
        tuple[PeerPort, ...], Field(max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Where models may ask it. Empty is any port."""


class ConfirmedEpoch(ApiModel):
    """That a person looked, and says that this hub goes on from a term which it does not know."""

    epoch: Annotated[int, Field(ge=0, le=LATEST_EPOCH)]
    """The epoch that the condition FenceInForce names. It covers those before it too."""
    reason: Annotated[str, Field(min_length=10, max_length=1024)]
    """Why, for the record: such as which backup the hub was restored from, and that no other hub is left that was it."""


_CONTROLLERS = "system:serviceaccount:kube-system:"


class MemberIdentities(ApiModel):
    """Who writes lawfully in managed namespaces, by the names that the member's API server gives to users and groups. The
    fence there refuses everybody else."""

    hub: User = "system:serviceaccount:domicile-system:domicile"
    """The user as whom the hub speaks to the member: the one of its kubeconfig."""
    kserve: User = "system:serviceaccount:kserve:kserve-controller-manager"
    """The user as whom KServe's controller does."""
    controller_manager: User | None = None
    """The user as whom all controllers of the control plane do, where they share one. By default each has the ServiceAccount of
    its name in kube-system, as kube-controller-manager gives them with --use-service-account-credentials."""
    scheduler: User = "system:kube-scheduler"
    """The user as whom pods are bound to nodes."""
    nodes: User = "system:nodes"
    """The group that kubelets are in."""

    def controller(self, name: str) -> str:
        """The user as whom a controller of the control plane speaks, such as replicaset-controller."""
        return self.controller_manager or f"{_CONTROLLERS}{name}"


class GrantedConnection(Connection):
    """An exception from the rule that nobody connects to a running model. It ends by itself, and is on record with its reason."""

    not_after: Time
    """From then on it is granted no more. The hub takes it from the member: while it is down, it stays."""
    reason: Annotated[str, Field(min_length=10, max_length=1024)]
    """Why, for the record."""


class RegionalClusterSpec(ApiModel):
    """How to reach the member, and who it must be."""

    cluster_uid: Annotated[
        UID,
        Field(
            alias="clusterUID",
            json_schema_extra=cel_rules(
                cel(
                    "self == oldSelf",
                    "clusterUID cannot be changed: a rebuilt cluster is another cluster, join it anew",
                )
            ),
        ),
    ]
    """UID of the member's kube-system namespace. What answers with another UID is not this cluster, and gets nothing.
    It cannot be changed."""
    kubeconfig_secret_ref: KubeconfigSecretRef
    """Where the kubeconfig is."""
    registry_mirrors: Annotated[
        tuple[RegistryMirror, ...], Field(max_length=32, json_schema_extra=list_map("registry"))
    ] = ()
    """Mirrors of registries for this member, so that one reference does not make every region pull from one country."""
    identities: MemberIdentities = MemberIdentities()
    """Who writes lawfully in the namespaces there that belong to Domicile."""
    peers: Annotated[tuple[Peer, ...], Field(max_length=64, json_schema_extra=list_map("name"))] = ()
    """What models there may be asked by, and may ask, where they say so and their policies allow it; nobody and nothing else."""
    connections: Annotated[
        tuple[GrantedConnection, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Who may connect to running models there, by exec, attach, port-forward or the API server's proxy, and until when. Nobody else may."""
    confirmed_epoch: ConfirmedEpoch | None = None
    """Needed where the hub is behind: the member was last looked after in a term of this hub that it does not know."""

    @property
    def mirrors(self) -> tuple[tuple[str, str], ...]:
        """Registry host, and where the member pulls from instead."""
        return tuple((each.registry, each.mirror) for each in self.registry_mirrors)


class Accelerator(ApiModel):
    """Accelerators of one product, as GPU feature discovery labels the nodes."""

    product: str
    """Value of the nodes' label nvidia.com/gpu.product."""
    memory: str = ""
    """Memory of one accelerator, as a Kubernetes quantity, from the label nvidia.com/gpu.memory (MiB). Empty if unlabelled."""
    nodes: int
    """How many ready, schedulable nodes have it."""
    allocatable: int
    """How many accelerators those nodes can give out, in all."""


class RegionalClusterStatus(ApiModel):
    """What the hub found."""

    observed_generation: int = 0
    """The metadata.generation that the status is for."""
    kubernetes_version: str = ""
    """Version of the member's API server."""
    kserve_version: str = ""
    """Version of KServe there, Unknown if it is installed and does not say."""
    accelerators: Annotated[tuple[Accelerator, ...], Field(json_schema_extra=list_map("product"))] = ()
    """Accelerators of ready, schedulable nodes."""
    accelerator_summary: Annotated[str, Field(max_length=4096)] = ""
    """The accelerators in one line, for reading."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """Ready, Reachable, FenceInForce, ServingAvailable, FactsConsistent."""


class RegionalCluster(Kind):
    """A member of the fleet: how to reach it, who it must be, and what it was found to have. Where it is, legally, is not
    said here but by a ClusterAttestation."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="RegionalCluster",
        plural="regionalclusters",
        singular="regionalcluster",
        scope="Cluster",
        short_names=("rcl",),
        columns=(
            PrinterColumn(
                "Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether it can take models"
            ),
            PrinterColumn("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why, in one word"),
            PrinterColumn("Kubernetes", "string", ".status.kubernetesVersion", "Version of the API server"),
            PrinterColumn("KServe", "string", ".status.kserveVersion", "Version of KServe"),
            PrinterColumn("Accelerators", "string", ".status.acceleratorSummary", "How many of which product"),
            PrinterColumn(
                "Message", "string", '.status.conditions[?(@.type=="Ready")].message', "Why, for people", priority=1
            ),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["RegionalCluster"] = "RegionalCluster"
    spec: RegionalClusterSpec
    """How to reach the member, and who it must be."""
    status: RegionalClusterStatus | None = None
    """What the hub found."""
