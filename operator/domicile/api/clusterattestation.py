"""ClusterAttestation: what governance vouches for about one regional cluster, on what evidence, from when until when."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import UID, ApiModel, Kind, KindInfo, Name, PrinterColumn, Time, cel, cel_rules
from domicile.api.jurisdiction import Jurisdiction


class ClusterRef(ApiModel):
    """The cluster that is vouched for, by name and by identity."""

    name: Name
    """Name of the RegionalCluster."""
    uid: UID
    """UID of the member's kube-system namespace. A cluster that was rebuilt under the same name is another cluster."""


class Fact(ApiModel):
    """One fact about where something is."""

    jurisdiction: Jurisdiction
    """ISO 3166-1 alpha-2 code of the country, or ISO 3166-2 code of a part of it, such as SG or MY-14."""


class Facts(ApiModel):
    """Where each part of the cluster's operation is. What is left out is unknown, and unknown denies."""

    workers: Fact | None = None
    """Where the worker nodes stand."""
    control_plane: Fact | None = None
    """Where the control plane runs. A cloud's local zone may have its nodes in one country and this in another."""
    operator: Fact | None = None
    """Under whose law the company that operates the cluster stands."""
    key_store: Fact | None = None
    """Where the cluster's key store (Vault) runs."""
    registry: Fact | None = None
    """Where the registry is that the cluster pulls images and models from."""
    telemetry: Fact | None = None
    """Where the cluster's logs and metrics go."""


class Evidence(ApiModel):
    """What the facts rest on."""

    reference: Annotated[str, Field(min_length=1, max_length=1024)]
    """Where a person finds the document: a URL, a file number, a contract clause."""


class ClusterAttestationSpec(ApiModel):
    """Facts, evidence and validity."""

    cluster_ref: Annotated[
        ClusterRef,
        Field(
            json_schema_extra=cel_rules(
                cel("self == oldSelf", "clusterRef cannot be changed: attest another cluster with another object")
            )
        ),
    ]
    """The cluster that is vouched for. It cannot be changed."""
    facts: Facts
    """What is vouched for."""
    evidence: Evidence
    """What it rests on."""
    valid_from: Time
    """From when the facts hold, as an RFC 3339 time with a zone."""
    valid_until: Time
    """Until when they hold. Past it they are unknown, and unknown denies."""


class ClusterAttestation(Kind):
    """What governance vouches for about one regional cluster. Who asks for capacity must not be able to write it."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="ClusterAttestation",
        plural="clusterattestations",
        singular="clusterattestation",
        scope="Cluster",
        short_names=("ca", "attestation"),
        columns=(
            PrinterColumn("Cluster", "string", ".spec.clusterRef.name", "The cluster that is vouched for"),
            PrinterColumn("Workers", "string", ".spec.facts.workers.jurisdiction", "Where the worker nodes stand"),
            PrinterColumn(
                "Control-Plane", "string", ".spec.facts.controlPlane.jurisdiction", "Where the control plane runs"
            ),
            PrinterColumn("Valid-Until", "string", ".spec.validUntil", "Until when the facts hold"),
            PrinterColumn("Evidence", "string", ".spec.evidence.reference", "What the facts rest on", priority=1),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["ClusterAttestation"] = "ClusterAttestation"
    spec: Annotated[
        ClusterAttestationSpec,
        Field(
            json_schema_extra=cel_rules(
                cel("self.validFrom < self.validUntil", "validUntil must be later than validFrom")
            )
        ),
    ]
    """Facts, evidence and validity."""
