"""ClusterAttestation: what governance vouches for about one regional cluster, on what evidence, from when until when."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import (
    UID,
    ApiModel,
    DocumentDigest,
    Kind,
    KindInfo,
    Name,
    PrinterColumn,
    Reference,
    Time,
    cel,
    cel_rules,
    list_map,
    list_set,
)
from domicile.api.jurisdiction import Jurisdiction

VERIFIED_BY = "domicile.dev/verified-by"
"""Annotation: who vouched, as the API server knows them."""


class ClusterRef(ApiModel):
    """The cluster that is vouched for, by name and by identity."""

    name: Name
    """Name of the RegionalCluster; hub for the hub."""
    uid: UID
    """UID of the cluster's kube-system namespace. A cluster that was rebuilt under the same name is another cluster."""


class Fact(ApiModel):
    """One fact about where something is."""

    jurisdiction: Jurisdiction
    """ISO 3166-1 alpha-2 code of the country, or ISO 3166-2 code of a part of it, such as SG or MY-14."""


class RegistryFact(ApiModel):
    """Where one registry is that the cluster pulls from."""

    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$")]
    """The registry's host, with its port if it has one, as image references name it."""
    jurisdiction: Jurisdiction
    """Where it keeps what is pulled from it."""


class NodePool(ApiModel):
    """Nodes of a cluster that spans sites, and where they stand."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the pool."""
    node_selector: Annotated[
        dict[str, Annotated[str, Field(min_length=1, max_length=63)]],
        Field(
            min_length=1,
            max_length=8,
            json_schema_extra=cel_rules(
                cel(
                    "self.all(key, key.matches('^([a-z0-9.-]+[.])?node-restriction[.]kubernetes[.]io/.+'))",
                    "labels must be under node-restriction.kubernetes.io: a node can change its others by itself",
                )
            ),
        ),
    ]
    """Labels that tell the pool's nodes, under node-restriction.kubernetes.io, which a kubelet cannot put on its own node.
    A model that is placed there gets them as its node selector."""
    workers: Fact
    """Where the pool's nodes stand."""


class Certification(ApiModel):
    """A certificate that the cluster's operation has."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the scheme, as rules spell it: SS584, ISO27001, PCI-DSS, C5."""
    level: Annotated[int, Field(ge=0, le=100)] = 0
    """Level, where the scheme has levels (SS584: 1 to 3); else 0."""
    number: Annotated[str, Field(max_length=128)] = ""
    """Number of the certificate."""
    scope: Annotated[str, Field(max_length=1024)] = ""
    """What the certificate is for."""
    valid_until: Time
    """When the certificate ends. Past it the cluster does not have it."""


class ConfidentialComputing(ApiModel):
    """How the memory of what runs there is kept from who operates the cluster."""

    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """The technology: SEV-SNP, TDX, CCA."""
    verifier: Annotated[str, Field(min_length=1, max_length=253)]
    """Who verifies the hardware's attestation."""
    verifier_jurisdiction: Jurisdiction
    """Where the verifier is."""


class Contract(ApiModel):
    """A contract or a register entry that the cluster's use rests on."""

    kind: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
    """What it is, as rules spell it: Outsourcing, DataProcessing, OutsourcingRegister."""
    reference: Reference
    """Where a person finds it."""
    party: Annotated[str, Field(max_length=253)] = ""
    """With whom."""
    valid_until: Time
    """When it ends. Past it the cluster does not have it."""


class ReportedNodes(ApiModel):
    """What the nodes must say of themselves, if the facts are right."""

    regions: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=63)], ...],
        Field(max_length=32, json_schema_extra=list_set()),
    ] = ()
    """Values of the label topology.kubernetes.io/region. Empty: any."""
    provider_prefixes: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
        Field(max_length=32, json_schema_extra=list_set()),
    ] = ()
    """How spec.providerID begins: aws:///ap-southeast-1. Empty: any."""


class Facts(ApiModel):
    """Where each part of the cluster's operation is, and what it has. What is left out is unknown, and unknown denies."""

    workers: Fact | None = None
    """Where the worker nodes stand. For a cluster that spans sites, say it by node pool instead."""
    control_plane: Fact | None = None
    """Where the control plane runs. A cloud's local zone may have its nodes in one country and this in another."""
    operator: Fact | None = None
    """Under whose law the company that operates the cluster stands."""
    operator_parent: Fact | None = None
    """Under whose law the ultimate parent of that company stands; its own, where it has none."""
    key_store: Fact | None = None
    """Where the cluster's key store (Vault) runs."""
    telemetry: Fact | None = None
    """Where the cluster's logs and metrics go."""
    registries: Annotated[tuple[RegistryFact, ...], Field(max_length=64, json_schema_extra=list_map("host"))] = ()
    """Where the registries are that the cluster pulls images and models from."""
    node_pools: Annotated[tuple[NodePool, ...], Field(max_length=32, json_schema_extra=list_map("name"))] = ()
    """Pools of a cluster that spans sites. With them, the cluster as a whole has no place: models run on a pool."""
    certifications: Annotated[
        tuple[Certification, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Certificates."""
    confidential_computing: ConfidentialComputing | None = None
    """Confidential computing."""
    contracts: Annotated[
        tuple[Contract, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Contracts and register entries."""
    nodes: ReportedNodes | None = None
    """What the nodes must say of themselves. What they say is compared with it."""


class Evidence(ApiModel):
    """What the facts rest on."""

    reference: Reference
    """Where a person finds the document: a URL, a file number, a contract clause."""
    digest: DocumentDigest | None = None
    """Digest of the document."""


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
    """What governance vouches for about one regional cluster, or about the hub itself. Who asks for capacity must not be
    able to write it. Who wrote it last is stamped by the API server in the annotation domicile.dev/verified-by."""

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
