"""What all kinds share: the pydantic base, object metadata, conditions, and how a kind describes itself to the CRD generator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

GROUP = "domicile.dev"
VERSION = "v1alpha1"


class ApiModel(BaseModel):
    """A value of the API: immutable, camelCase on the wire, and closed (an unknown field is an error, not a no-op)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True
    )

    def wire(self) -> dict[str, Any]:
        """The value as Kubernetes stores it: camelCase keys, RFC 3339 times, nothing that is unset."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ObjectMeta(BaseModel):
    """The part of metav1.ObjectMeta that decisions use; the rest is read past."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None


@dataclass(frozen=True)
class PrinterColumn:
    """One column of `kubectl get`. Priority 1 shows it with `-o wide` only."""

    name: str
    type: str
    json_path: str
    description: str
    priority: int = 0


@dataclass(frozen=True)
class KindInfo:
    """How a kind is known to the API server."""

    kind: str
    plural: str
    singular: str
    scope: Literal["Namespaced", "Cluster"]
    short_names: Sequence[str]
    columns: Sequence[PrinterColumn]
    validations: Sequence[Mapping[str, Any]] = field(default=())


class Kind(ApiModel):
    """A Kubernetes object of our group."""

    info: ClassVar[KindInfo]

    api_version: Literal["domicile.dev/v1alpha1"] = "domicile.dev/v1alpha1"
    metadata: ObjectMeta


# The format date-time of the API server lets pass what is no time elsewhere: the year 0, zones of 24 hours, any letter before
# the fraction.
_RFC_3339 = (
    "^[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone: write it as 2026-11-23T09:00:00Z")
    return moment


Time = Annotated[datetime, AfterValidator(_zoned), Field(json_schema_extra={"pattern": _RFC_3339})]
"""An RFC 3339 time with a zone."""


class Condition(ApiModel):
    """metav1.Condition."""

    type: Annotated[str, Field(max_length=316)]
    """Type of the condition, in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """True, False, or Unknown."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The metadata.generation that the condition was set for."""
    last_transition_time: Time
    """When the status last changed from one value to another."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern="^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why, as one CamelCase word that programs may match."""
    message: Annotated[str, Field(max_length=32768)] = ""
    """Why, for people."""


def list_map(*keys: str) -> dict[str, Any]:
    """JSON-schema extras of a list whose entries are owned one by one, by these keys."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def list_set() -> dict[str, Any]:
    """JSON-schema extras of a list of distinct scalars."""
    return {"x-kubernetes-list-type": "set"}


def cel(rule: str, message: str, **more: Any) -> dict[str, Any]:
    """One x-kubernetes-validations entry."""
    return {"rule": rule, "message": message, **more}


def cel_rules(*rules: dict[str, Any]) -> dict[str, Any]:
    """JSON-schema extras that carry CEL validations."""
    return {"x-kubernetes-validations": list(rules)}


Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
UID = Annotated[str, Field(min_length=36, max_length=36, pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
User = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[-._:@/a-zA-Z0-9]+$")]
"""A user, as an API server names it."""
Reference = Annotated[str, Field(min_length=1, max_length=1024)]
"""Where a person finds a document: a URL, a file number, a clause of a contract."""
DocumentDigest = Annotated[str, Field(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")]
"""Digest of a document, so that nobody can put another in its place."""
