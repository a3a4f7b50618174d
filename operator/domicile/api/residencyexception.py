"""ResidencyException: one rule that need not hold for one model on one cluster, for a reason and until an end."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import ApiModel, Kind, KindInfo, Name, PrinterColumn, Reference, Time, cel, cel_rules
from domicile.api.clusterattestation import ClusterRef

REQUESTED_BY = "domicile.dev/requested-by"
"""Annotation: who made the object, as the API server knows them."""
APPROVED_BY = "domicile.dev/approved-by"
"""Annotation: who approved it, as the API server knows them."""


_SAME = " && ".join(
    f"self.{field} == oldSelf.{field}" for field in ("model", "policy", "rule", "cluster", "reason", "reference")
)


class ExceptedModel(ApiModel):
    """The model, by namespace and name."""

    namespace: Annotated[str, Field(min_length=1, max_length=63)]
    """Namespace of the SovereignModel."""
    name: Annotated[str, Field(min_length=1, max_length=40)]
    """Name of the SovereignModel."""


class ResidencyExceptionSpec(ApiModel):
    """What need not hold, where, why, and until when."""

    model: ExceptedModel
    """The model that it is for."""
    policy: Name
    """Name of the ResidencyPolicy that has the rule."""
    rule: Annotated[str, Field(min_length=1, max_length=63)]
    """The rule that need not hold: the name of one of spec.rules, or allow.workers, allow.controlPlane and so on."""
    cluster: ClusterRef
    """The cluster that it is for, by name and identity."""
    reason: Annotated[str, Field(min_length=10, max_length=1024)]
    """Why, for an auditor."""
    reference: Reference
    """Where a person finds the decision."""
    valid_from: Time
    """From when it holds, as an RFC 3339 time with a zone."""
    valid_until: Time
    """When it ends by itself."""
    approved: bool = False
    """Whether it is approved. Who sets it must have the verb approve on residencyexceptions, must not be who made the
    object, and is stamped in the annotation domicile.dev/approved-by."""


class ResidencyException(Kind):
    """One rule of one policy that need not hold for one model on one cluster. It covers what is known and not compliant;
    what is unknown it does not make known."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="ResidencyException",
        plural="residencyexceptions",
        singular="residencyexception",
        scope="Cluster",
        short_names=("rex",),
        columns=(
            PrinterColumn("Namespace", "string", ".spec.model.namespace", "Namespace of the model"),
            PrinterColumn("Model", "string", ".spec.model.name", "The model"),
            PrinterColumn("Policy", "string", ".spec.policy", "The policy that has the rule"),
            PrinterColumn("Rule", "string", ".spec.rule", "The rule that need not hold"),
            PrinterColumn("Cluster", "string", ".spec.cluster.name", "The cluster"),
            PrinterColumn("Approved", "boolean", ".spec.approved", "Whether it is approved"),
            PrinterColumn("Valid-Until", "string", ".spec.validUntil", "When it ends"),
            PrinterColumn("Reason", "string", ".spec.reason", "Why", priority=1),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["ResidencyException"] = "ResidencyException"
    spec: Annotated[
        ResidencyExceptionSpec,
        Field(
            json_schema_extra=cel_rules(
                cel("self.validFrom < self.validUntil", "validUntil must be later than validFrom"),
                cel(
                    f"oldSelf.approved || !self.approved || ({_SAME} && self.validFrom == oldSelf.validFrom"
                    " && self.validUntil == oldSelf.validUntil)",
                    "approving changes spec.approved and nothing else: what was asked for is what is approved",
                ),
                cel(
                    f"!oldSelf.approved || ({_SAME} && self.validFrom >= oldSelf.validFrom"
                    " && self.validUntil <= oldSelf.validUntil)",
                    "what was approved can be ended earlier and not changed otherwise: make another exception",
                ),
            )
        ),
    ]
    """What need not hold, where, why, and until when."""
