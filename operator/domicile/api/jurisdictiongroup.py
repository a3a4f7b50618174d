"""JurisdictionGroup: a name for several jurisdictions, such as asean or eea. An object, so that governance keeps it current."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import ApiModel, Kind, KindInfo, PrinterColumn, Reference, list_set
from domicile.api.jurisdiction import Jurisdiction


class JurisdictionGroupSpec(ApiModel):
    """The members, and who says so."""

    members: Annotated[tuple[Jurisdiction, ...], Field(min_length=1, max_length=256, json_schema_extra=list_set())]
    """The jurisdictions of the group."""
    source: Reference
    """Who defines the membership, and where that is written."""


class JurisdictionGroup(Kind):
    """A name for several jurisdictions. A policy that names a group that is not there allows nothing by it."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="JurisdictionGroup",
        plural="jurisdictiongroups",
        singular="jurisdictiongroup",
        scope="Cluster",
        short_names=("jg",),
        columns=(
            PrinterColumn("Members", "string", ".spec.members", "The jurisdictions of the group"),
            PrinterColumn("Source", "string", ".spec.source", "Who defines the membership", priority=1),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["JurisdictionGroup"] = "JurisdictionGroup"
    spec: JurisdictionGroupSpec
    """The members, and who says so."""
