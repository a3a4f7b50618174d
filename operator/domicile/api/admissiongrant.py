"""AdmissionGrant: on a member, what the pods of each model in a namespace may be. Its own API server holds pods against it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from domicile.api.base import UID, ApiModel, Kind, KindInfo, Name, PrinterColumn, Time, list_map

GRANTS = "grants"
"""Name of the one AdmissionGrant of a namespace. It comes with the namespace, and stays as long."""

_Reference = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^@]+@sha256:[0-9a-f]{64}$")]
"""registry/repository@digest."""
_Word = Annotated[str, Field(max_length=4096)]
# Server-side apply makes null of a map or a set in an entry that becomes empty, and then refuses it.
_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}


class GrantedContainer(ApiModel):
    """A container of the model's pods."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the container."""
    image: _Reference
    """Its image, by digest."""
    command: Annotated[tuple[_Word, ...], Field(max_length=64, json_schema_extra=_ATOMIC)] = ()
    """Its command; the image's own if there is none."""
    args: Annotated[tuple[_Word, ...], Field(max_length=64, json_schema_extra=_ATOMIC)] = ()
    """Its arguments."""


class GrantedModel(ApiModel):
    """What a pod of one model may be. Whatever is not named here it may not have."""

    name: Name
    """Name of the SovereignModel; its pods have it in the label domicile.dev/model."""
    uid: UID
    """UID of the SovereignModel on the hub; its pods have it in the label domicile.dev/model-uid."""
    not_after: Time
    """The earliest end of what the grant rests on: facts, policies, exceptions and records. From then on no pod is admitted."""
    service_account_name: Name
    """The ServiceAccount of the pods."""
    containers: Annotated[
        tuple[GrantedContainer, ...], Field(min_length=1, max_length=8, json_schema_extra=list_map("name"))
    ]
    """The containers, all of them."""
    image_volumes: Annotated[tuple[_Reference, ...], Field(max_length=8, json_schema_extra=_ATOMIC)] = ()
    """Artifacts that are mounted as image volumes, by digest."""
    secrets: Annotated[tuple[Name, ...], Field(max_length=16, json_schema_extra=_ATOMIC)] = ()
    """Secrets that may be mounted."""
    node_selector: Annotated[
        dict[str, Annotated[str, Field(max_length=63)]],
        Field(max_length=32, json_schema_extra={"x-kubernetes-map-type": "atomic"}),
    ] = Field(default_factory=dict)
    """Labels that the pods select their nodes by. They may select by more."""


class AdmissionGrantSpec(ApiModel):
    """The models that may have pods in the namespace."""

    models: Annotated[tuple[GrantedModel, ...], Field(max_length=512, json_schema_extra=list_map("name"))] = ()
    """By name. Each entry is applied by a field manager of its own, so that models do not wait for each other."""


class AdmissionGrant(Kind):
    """What the pods in a namespace of a member may be. Written on members, by Domicile alone."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="AdmissionGrant",
        plural="admissiongrants",
        singular="admissiongrant",
        scope="Namespaced",
        short_names=("ag",),
        columns=(
            PrinterColumn("Models", "string", ".spec.models[*].name", "Models that may have pods here"),
            PrinterColumn("Not after", "string", ".spec.models[*].notAfter", "Until when new pods are admitted"),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
        validations=({"rule": f"self.metadata.name == '{GRANTS}'", "message": f"there is one a namespace: {GRANTS}"},),
    )

    kind: Literal["AdmissionGrant"] = "AdmissionGrant"
    spec: AdmissionGrantSpec
    """The models that may have pods in the namespace."""
