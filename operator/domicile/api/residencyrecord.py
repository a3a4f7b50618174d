"""ResidencyRecord: the record that a law wants before data may be somewhere, such as a register entry or a transfer basis."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import (
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
    list_set,
)
from domicile.api.dataclassification import DataClass
from domicile.api.jurisdiction import Jurisdiction

RecordName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""What kind of record a rule asks for: outsourcing, transfer."""
TransferBasis = Literal["Adequacy", "BindingCorporateRules", "Certification", "Consent", "Contract"]
"""On what personal data may leave a country, in the words that data protection laws share."""


class RecordScope(ApiModel):
    """What the record is for. All parts must match."""

    namespaces: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=63)], ...],
        Field(min_length=1, max_length=64, json_schema_extra=list_set()),
    ]
    """Namespaces of the models, on the hub."""
    data_classes: Annotated[tuple[DataClass, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """Data classes of the models: each that a model has must be listed. Empty means any."""
    clusters: Annotated[tuple[Name, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """Names of the RegionalClusters. Empty means each whose worker nodes are in one of the countries."""


class ResidencyRecordSpec(ApiModel):
    """What is on record."""

    record: RecordName
    """What kind of record it is. Rules name it."""
    scope: RecordScope
    """What it is for."""
    transfer_basis: TransferBasis | None = None
    """On what the data may leave a country, where the record is of a transfer."""
    countries: Annotated[tuple[Jurisdiction, ...], Field(min_length=1, max_length=64, json_schema_extra=list_set())]
    """Where the data may go under the record. Where the law wants them named, this names them: a cluster whose worker nodes
    are elsewhere is not covered."""
    reference: Reference
    """Where a person finds the record."""
    digest: DocumentDigest | None = None
    """Digest of the document."""
    valid_from: Time
    """From when it holds, as an RFC 3339 time with a zone."""
    valid_until: Time
    """Until when it holds."""


class ResidencyRecord(Kind):
    """The record that a rule with onUnmet: RequireRecord asks for. Who wrote it last is stamped by the API server as its
    approver, in the annotation domicile.dev/approved-by; without that it does not count."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="ResidencyRecord",
        plural="residencyrecords",
        singular="residencyrecord",
        scope="Cluster",
        short_names=("rrec",),
        columns=(
            PrinterColumn("Record", "string", ".spec.record", "What kind of record it is"),
            PrinterColumn("Basis", "string", ".spec.transferBasis", "On what the data may leave a country"),
            PrinterColumn("Countries", "string", ".spec.countries", "Where the data may go"),
            PrinterColumn("Valid-Until", "string", ".spec.validUntil", "Until when it holds"),
            PrinterColumn("Reference", "string", ".spec.reference", "Where a person finds it", priority=1),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["ResidencyRecord"] = "ResidencyRecord"
    spec: Annotated[
        ResidencyRecordSpec,
        Field(
            json_schema_extra=cel_rules(
                cel("self.validFrom < self.validUntil", "validUntil must be later than validFrom")
            )
        ),
    ]
    """What is on record."""
