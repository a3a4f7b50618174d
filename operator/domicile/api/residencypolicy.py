"""ResidencyPolicy: where models with certain data may run. Written by governance."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import ApiModel, Kind, KindInfo, PrinterColumn, cel, cel_rules, list_set
from domicile.api.jurisdiction import Jurisdiction

DataClass = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Jurisdictions = Annotated[tuple[Jurisdiction, ...], Field(max_length=64, json_schema_extra=list_set())]


class LabelSelectorRequirement(ApiModel):
    """metav1.LabelSelectorRequirement."""

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """The label key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label relates to the values."""
    values: Annotated[tuple[str, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """The values, for In and NotIn; empty for Exists and DoesNotExist."""


class LabelSelector(ApiModel):
    """metav1.LabelSelector. All of it must match; an empty selector matches everything."""

    match_labels: dict[str, Annotated[str, Field(max_length=63)]] = Field(default_factory=dict)
    """Labels that must have exactly these values."""
    match_expressions: Annotated[
        tuple[
            Annotated[
                LabelSelectorRequirement,
                Field(
                    json_schema_extra=cel_rules(
                        cel(
                            "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0"
                            " : !has(self.values) || self.values.size() == 0",
                            "values must be given for In and NotIn, and left out for Exists and DoesNotExist",
                        )
                    )
                ),
            ],
            ...,
        ],
        Field(max_length=32, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ()
    """Requirements on labels."""


class AppliesTo(ApiModel):
    """Which models the policy is for. Both parts must match."""

    namespace_selector: LabelSelector = LabelSelector()
    """Labels of the model's namespace on the hub. Empty matches every namespace."""
    data_classes: Annotated[tuple[DataClass, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """The policy is for models with any of these data classes. Empty means every data class."""


class Allow(ApiModel):
    """Where each part of a cluster's operation may be. A list that is empty or left out allows nothing: every dimension
    is closed unless it is listed. A country allows its subdivisions too (MY allows MY-14)."""

    workers: Jurisdictions = ()
    """Where the worker nodes may stand."""
    control_plane: Jurisdictions = ()
    """Where the control plane may run."""
    operator: Jurisdictions = ()
    """Under whose law the company that operates the cluster may stand."""
    key_store: Jurisdictions = ()
    """Where the cluster's key store (Vault) may run."""
    registry: Jurisdictions = ()
    """Where the registry may be that the cluster pulls images and models from."""
    telemetry: Jurisdictions = ()
    """Where the cluster's logs and metrics may go."""


class ResidencyPolicySpec(ApiModel):
    """Which models, and where they may run."""

    applies_to: AppliesTo = AppliesTo()
    """Which models the policy is for."""
    allow: Allow
    """Where they may run. Where several policies apply, a cluster must satisfy them all."""


class ResidencyPolicy(Kind):
    """Where models with certain data may run. A model that no policy covers runs nowhere."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="ResidencyPolicy",
        plural="residencypolicies",
        singular="residencypolicy",
        scope="Cluster",
        short_names=("rp",),
        columns=(
            PrinterColumn("Data-Classes", "string", ".spec.appliesTo.dataClasses", "Data classes it is for"),
            PrinterColumn("Workers", "string", ".spec.allow.workers", "Where worker nodes may stand"),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["ResidencyPolicy"] = "ResidencyPolicy"
    spec: ResidencyPolicySpec
    """Which models, and where they may run."""
