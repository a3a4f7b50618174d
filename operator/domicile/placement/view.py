"""What the hub sees of a member cluster, as values: the connection, the serving stack, the accelerators, the namespaces."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domicile.api import Peer
from domicile.residency import MemberId, Reported

ModelName = tuple[str, str]
"""Namespace and name of a model."""


@dataclass(frozen=True)
class Connected:
    """The member answers, is who it must be, and its watches are in step."""

    kubernetes_version: str


@dataclass(frozen=True)
class OutOfSight:
    """The hub cannot see the member. What runs there goes on; nothing new is given to it."""

    reason: str
    """One CamelCase word: Unreachable, CredentialsRejected, KubeconfigInvalid, IdentityMismatch, CertificateInvalid, Connecting."""
    message: str
    since: datetime
    """The first failure in a row."""


@dataclass(frozen=True)
class ServingAvailable:
    """KServe's InferenceService API is served there."""

    version: str
    """Version of KServe, Unknown where it does not say."""


@dataclass(frozen=True)
class ServingMissing:
    """KServe's InferenceService API is not served there."""

    message: str


@dataclass(frozen=True)
class FenceInForce:
    """The member refuses by itself what the fence refuses: shown by requests that it did refuse."""

    digest: str
    """Of the fence."""


@dataclass(frozen=True)
class FenceDown:
    """The fence is not shown to be in force. Nothing is given to the member, and what runs there goes on."""

    reason: str
    """One CamelCase word."""
    message: str


@dataclass(frozen=True)
class AcceleratorNode:
    """A ready, schedulable node with accelerators, as GPU feature discovery labels it."""

    name: str
    product: str
    """Label nvidia.com/gpu.product."""
    memory_mib: int | None
    """Label nvidia.com/gpu.memory; None where the node does not say."""
    allocatable: int
    """Accelerators that the node can give out."""
    granted: Mapping[ModelName, int] = field(default_factory=dict[ModelName, int])
    """Of those, what models placed by Domicile have, or are about to have, by model."""
    restricted: Mapping[str, str] = field(default_factory=dict[str, str])
    """Its labels under node-restriction.kubernetes.io, which it cannot put on itself: they tell node pools apart."""

    def free_for(self, model: ModelName) -> int:
        """What no other model has. What its own pods have is the model's to keep."""
        return self.allocatable - sum(count for holder, count in self.granted.items() if holder != model)


@dataclass(frozen=True)
class ClusterView:
    """One member at one moment."""

    member: MemberId
    connection: Connected | OutOfSight
    serving: ServingAvailable | ServingMissing = ServingMissing("not looked for yet")
    fence: FenceInForce | FenceDown = FenceDown("NotLookedFor", "not looked for yet")
    accelerators: tuple[AcceleratorNode, ...] = ()
    """By node name."""
    foreign_namespaces: frozenset[str] = frozenset()
    """Namespaces there that Domicile does not own. It never takes one over."""
    foreign_services: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    """By namespace: names of InferenceServices there that Domicile did not make."""
    reported: Reported = field(default_factory=Reported)
    """What its nodes say of themselves."""
    mirrors: tuple[tuple[str, str], ...] = ()
    """Registry host, and where the member pulls from instead: as its RegionalCluster says."""
    peers: tuple[Peer, ...] = ()
    """What models may have to do with there: as its RegionalCluster says."""
