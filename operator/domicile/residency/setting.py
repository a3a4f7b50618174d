"""What is judged from: governance's objects, the members and what they report, and the model. Values, looked at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
)
from domicile.residency.identity import MemberId, ModelRef


@dataclass(frozen=True)
class Law:
    """All that governance has written. The order of the objects does not count."""

    policies: tuple[ResidencyPolicy, ...] = ()
    attestations: tuple[ClusterAttestation, ...] = ()
    groups: tuple[JurisdictionGroup, ...] = ()
    classifications: tuple[DataClassification, ...] = ()
    records: tuple[ResidencyRecord, ...] = ()
    exceptions: tuple[ResidencyException, ...] = ()


@dataclass(frozen=True)
class Reported:
    """What a member's nodes say of themselves. It is compared with what was attested, and makes nothing lawful."""

    regions: frozenset[str] = frozenset()
    """Values of the label topology.kubernetes.io/region."""
    providers: frozenset[str] = frozenset()
    """spec.providerID up to and with its last slash: without what names the single machine."""


@dataclass(frozen=True)
class Member:
    """A member as a judgement sees it."""

    id: MemberId
    mirrors: tuple[tuple[str, str], ...] = ()
    """Registry host, and where this member pulls from instead."""
    reported: Reported = field(default_factory=Reported)


@dataclass(frozen=True)
class Asked:
    """The model that is judged."""

    ref: ModelRef
    data_classes: tuple[str, ...]
    """As it declares them. What governance adds to them comes from the law."""
    namespace_labels: Mapping[str, str] = field(default_factory=dict[str, str])
    artifacts: tuple[str, ...] = ()
    """Every image and model artifact, as registry/repository@digest."""
    arguments: tuple[str, ...] = ()
    """Arguments of the server: hosts that they name could be reached."""
    traits: Mapping[str, object] = field(default_factory=dict[str, object])
    """Further fields of the model that rules may ask for: modelFormat, replicas, accelerators."""
    callers: tuple[str, ...] = ()
    """Peers of the member that may ask it, by the names that RegionalClusters give them."""
    egress: tuple[str, ...] = ()
    """Peers that it may ask."""
