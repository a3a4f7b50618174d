"""ResidencyPolicy: where models with certain data may run. Written by governance."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import (
    ApiModel,
    Condition,
    Kind,
    KindInfo,
    Name,
    PrinterColumn,
    Reference,
    cel,
    cel_rules,
    list_map,
    list_set,
)
from domicile.api.dataclassification import DataClass
from domicile.api.jurisdiction import Place
from domicile.api.residencyrecord import RecordName, TransferBasis

HOST = r"^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?)(:[0-9]{1,5})?$"
"""A host as the arguments are read, in lower case; a bucket's name is one too. A variable is none: nobody knows what it
will stand for."""
Places = Annotated[tuple[Place, ...], Field(max_length=64, json_schema_extra=list_set())]


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
    is closed unless it is listed. A country allows its subdivisions too (MY allows MY-14), and group:NAME the members of
    a JurisdictionGroup."""

    workers: Places = ()
    """Where the worker nodes may stand."""
    control_plane: Places = ()
    """Where the control plane may run."""
    operator: Places = ()
    """Under whose law the company that operates the cluster may stand."""
    operator_parent: Places = ()
    """Under whose law the ultimate parent of that company may stand."""
    key_store: Places = ()
    """Where the cluster's key store (Vault) may run."""
    registry: Places = ()
    """Where the registries may be that the model's image and artifact are pulled from."""
    telemetry: Places = ()
    """Where the cluster's logs and metrics may go."""
    hosts: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=259, pattern=HOST)], ...],
        Field(max_length=64, json_schema_extra=list_set()),
    ] = ()
    """Hosts, with their port if they have one, that the server's arguments may name. In lower case."""
    callers: Annotated[tuple[Name, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """Peers, by the names that RegionalClusters give them, that may be let in to ask the model."""
    egress: Annotated[tuple[Name, ...], Field(max_length=64, json_schema_extra=list_set())] = ()
    """Peers, by the same names, that the model may ask."""
    hub: Places = ()
    """Where the hub may be, which knows of the model, its images and its state, and never of its data. A ClusterAttestation
    of the cluster named hub says where it is."""


class Basis(ApiModel):
    """What a rule rests on. Facts, law and house rules are not the same."""

    type: Literal["Law", "Regulation", "Guideline", "OrgPolicy"]
    """Law, Regulation and Guideline come from outside; OrgPolicy is a house rule."""
    source: Reference
    """The act, notice or standard, by its name."""
    clause: Annotated[str, Field(max_length=253)] = ""
    """Section, paragraph or clause of it."""
    as_of: Annotated[str, Field(max_length=10, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    """The date of the text that was read, as 2024-12-11."""
    confidence: Literal["High", "Medium", "Low"] = "Medium"
    """How sure the author is that the source says it."""


class Rule(ApiModel):
    """One rule beside the lists of spec.allow."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the rule, by which reasons and exceptions name it."""
    on_unmet: Literal["Deny", "RequireRecord", "Advise"]
    """What follows where the rule is not met. Deny: the cluster is not allowed. RequireRecord: it is allowed with a
    ResidencyRecord. Advise: it is allowed, and said."""
    expression: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """CEL over cluster, model, policy, hub and now; true is compliant. An expression that fails denies, whatever onUnmet
    says. Left out (with RequireRecord alone), the record is always needed."""
    record: RecordName | None = None
    """What kind of ResidencyRecord is needed, for RequireRecord."""
    transfer_bases: Annotated[tuple[TransferBasis, ...], Field(max_length=5, json_schema_extra=list_set())] = ()
    """Which transfer bases the record may have, for RequireRecord. Empty means any, or none."""
    message: Annotated[str, Field(max_length=512)] = ""
    """What to tell people where the rule is not met. Left out, the expression is told."""
    basis: Basis
    """What the rule rests on."""


class ResidencyPolicySpec(ApiModel):
    """Which models, and where they may run."""

    mode: Literal["Enforce", "Audit"] = "Enforce"
    """Enforce: it decides. Audit: it reports what it would forbid, forbids nothing, and permits nothing: a data class needs
    a policy that is enforced."""
    applies_to: AppliesTo = AppliesTo()
    """Which models the policy is for."""
    allow: Allow
    """Where they may run. Where several policies apply, a cluster must satisfy them all."""
    basis: Basis | None = None
    """What the lists of spec.allow rest on."""
    rules: Annotated[
        tuple[
            Annotated[
                Rule,
                Field(
                    json_schema_extra=cel_rules(
                        cel(
                            "self.onUnmet == 'RequireRecord' ? has(self.record) : has(self.expression)",
                            "a rule needs an expression, and with onUnmet RequireRecord the record that it asks for",
                        ),
                        cel(
                            "self.onUnmet == 'RequireRecord' || (!has(self.record) && (!has(self.transferBases)"
                            " || self.transferBases.size() == 0))",
                            "record and transferBases go with onUnmet RequireRecord alone",
                        ),
                    )
                ),
            ],
            ...,
        ],
        Field(max_length=32, json_schema_extra=list_map("name")),
    ] = ()
    """Further rules. A cluster must satisfy all that do not merely advise."""
    exceptions: Literal["Allow", "Forbid"] = "Allow"
    """Whether a ResidencyException may set one of its rules aside."""
    on_contradiction: Literal["Deny", "Report"] = "Deny"
    """What follows where a cluster's nodes say of themselves what contradicts its attestation."""
    warn_before: Annotated[str, Field(max_length=16, pattern=r"^[0-9]{1,6}h$")] = "720h"
    """How long before a fact, record or exception ends that a running model rests on, a warning is given. In hours."""


class ResidencyPolicyStatus(ApiModel):
    """Whether the policy could be read, and whether models rest on it."""

    observed_generation: int = 0
    """The metadata.generation that the status is for."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """Accepted: its expressions are valid and its groups are there. InUse: models are placed under it."""


class ResidencyPolicy(Kind):
    """Where models with certain data may run. A model that no policy covers runs nowhere."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="ResidencyPolicy",
        plural="residencypolicies",
        singular="residencypolicy",
        scope="Cluster",
        short_names=("rp",),
        columns=(
            PrinterColumn("Mode", "string", ".spec.mode", "Whether it decides or only reports"),
            PrinterColumn("Data-Classes", "string", ".spec.appliesTo.dataClasses", "Data classes it is for"),
            PrinterColumn("Workers", "string", ".spec.allow.workers", "Where worker nodes may stand"),
            PrinterColumn(
                "Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status', "Whether it could be read"
            ),
            PrinterColumn(
                "In-Use",
                "string",
                '.status.conditions[?(@.type=="InUse")].status',
                "Whether models are placed under it",
            ),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["ResidencyPolicy"] = "ResidencyPolicy"
    spec: ResidencyPolicySpec
    """Which models, and where they may run."""
    status: ResidencyPolicyStatus | None = None
    """Whether the policy could be read, and whether models rest on it."""
