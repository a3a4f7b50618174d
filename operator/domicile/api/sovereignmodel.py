"""SovereignModel: what an AI team wants served, and what Domicile answers in its status."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from domicile.api.base import (
    UID,
    ApiModel,
    Condition,
    Kind,
    KindInfo,
    Name,
    PrinterColumn,
    cel,
    cel_rules,
    list_map,
    list_set,
)
from domicile.api.dataclassification import DataClass
from domicile.api.quantity import Quantity, parse

FINALIZER = "domicile.dev/withdraw"
"""Keeps a SovereignModel until nothing of it is left on any member."""

# An OCI reference by digest, and by digest alone: a tag can be moved after it was judged.
# With the registry's host, which has a dot or a port: a node reads library/server as docker.io/library/server.
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_HOST = f"({_LABEL}([.]{_LABEL})+(:[0-9]{{1,5}})?|{_LABEL}:[0-9]{{1,5}}|localhost)"
_PINNED = _HOST + "(/[a-z0-9]([-a-z0-9._]*[a-z0-9])?)+@sha256:[0-9a-f]{64}"

_PINNED_IMAGE = re.compile(_PINNED)
_PINNED_URI = re.compile(f"oci([+]native)?://{_PINNED}")


def _pinned_image(image: str) -> str:
    if not _PINNED_IMAGE.fullmatch(image):
        raise ValueError(
            f"{image!r} must name its registry and be pinned by digest, as registry.example/repository@sha256:<64 hex digits>"
        )
    return image


def _pinned_uri(uri: str) -> str:
    if not _PINNED_URI.fullmatch(uri):
        raise ValueError(
            f"{uri!r} must be an OCI artifact with its registry and pinned by digest,"
            " as oci://registry.example/repository@sha256:<64 hex digits>"
        )
    return uri


Image = Annotated[
    str,
    AfterValidator(_pinned_image),
    Field(
        max_length=512,
        json_schema_extra=cel_rules(
            cel(
                f"self.matches('^{_PINNED}$')",
                "must name its registry and be pinned by digest, as registry.example/repository@sha256:<64 hex digits>:"
                " a tag can be moved to another image",
                reason="FieldValueInvalid",
            )
        ),
    ),
]
"""A container image: registry host, repository and digest."""

StorageUri = Annotated[
    str,
    AfterValidator(_pinned_uri),
    Field(
        max_length=512,
        json_schema_extra=cel_rules(
            cel(
                f"self.matches('^oci([+]native)?://{_PINNED}$')",
                "must be an OCI artifact with its registry and pinned by digest,"
                " as oci://registry.example/repository@sha256:<64 hex digits> or oci+native://...: a tag can be moved, and other schemes have no digest",
                reason="FieldValueInvalid",
            )
        ),
    ),
]
"""A model artifact: oci:// or oci+native://, with a digest. Either is mounted as a Kubernetes image volume."""


def _positive(quantity: str) -> str:
    if parse(quantity) <= 0:
        raise ValueError(f"{quantity!r} must be more than zero")
    return quantity


PositiveQuantity = Annotated[
    Quantity,
    AfterValidator(_positive),
    Field(
        json_schema_extra=cel_rules(
            cel(
                # The pattern is that of a quantity of zero or more, and holds for texts alone.
                "type(self) == string ? self.matches('[1-9]') : self > 0",
                "must be more than zero: write it as 2, 500m or 40Gi",
                reason="FieldValueInvalid",
            )
        )
    ),
]


MODEL_NAME = "{{.Name}}"
"""In an argument of the server: the model's name."""


def _known_template(argument: str) -> str:
    if "{{" in argument.replace(MODEL_NAME, ""):
        raise ValueError(f"{argument!r} has a template that is not {MODEL_NAME}")
    return argument


Argument = Annotated[
    str,
    AfterValidator(_known_template),
    Field(
        max_length=1024,
        json_schema_extra=cel_rules(
            cel(
                f"!self.replace('{MODEL_NAME}', '').contains('{{{{')",
                f"must have no template but {MODEL_NAME}: what a container is started with is granted word by word",
                reason="FieldValueInvalid",
            )
        ),
    ),
]
"""An argument of the server."""


class ModelFormat(ApiModel):
    """KServe's modelFormat."""

    name: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the format, such as sklearn."""
    version: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Version of the format, where the runtime asks for one."""


class Runtime(ApiModel):
    """The server that loads the model. Domicile makes a KServe ServingRuntime of it, for this model alone."""

    image: Image
    """Image of the server, pinned by digest."""
    args: Annotated[
        tuple[Argument, ...],
        Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ] = ("--model_name={{.Name}}", "--model_dir=/mnt/models", "--http_port=8080")
    """Arguments of the server. {{.Name}} stands for the model's name, as in KServe's runtimes; other templates are not known."""
    port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """Port the server listens on for HTTP."""
    protocol_version: Literal["v1", "v2"] = "v2"
    """Inference protocol of the server."""
    readiness_path: Annotated[str, Field(min_length=1, max_length=256, pattern="^/")] = "/v2/health/ready"
    """HTTP path that answers 200 once the model is loaded."""


class Replicas(ApiModel):
    """How many copies serve, on each chosen cluster. With max above min the member's HorizontalPodAutoscaler decides."""

    min: Annotated[int, Field(ge=1, le=1000)] = 1
    """Least number of copies."""
    max: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Greatest number of copies. Left out, it is min."""


class Requests(ApiModel):
    """CPU and memory of one copy, asked for and limited alike."""

    cpu: PositiveQuantity = "100m"
    """CPU of one copy."""
    memory: PositiveQuantity = "256Mi"
    """Memory of one copy."""


class Accelerators(ApiModel):
    """Accelerators of one copy. Domicile finds the nodes that have them and sets the node selector."""

    count: Annotated[int, Field(ge=1, le=16)]
    """How many accelerators one copy needs, on one node."""
    min_memory: PositiveQuantity | None = None
    """Least memory of each accelerator."""
    products: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=63)], ...],
        Field(max_length=16, json_schema_extra=list_set()),
    ] = ()
    """Products that will do, as the node label nvidia.com/gpu.product names them. Empty means any."""


class Resources(ApiModel):
    """What one copy needs."""

    requests: Requests = Requests()
    """CPU and memory of one copy, asked for and limited alike."""
    accelerators: Accelerators | None = None
    """Accelerators of one copy."""


class PlacementSpec(ApiModel):
    """On how many clusters the model runs."""

    cluster_count: Annotated[int, Field(ge=1, le=16)] = 1
    """On how many clusters the model runs at a time."""


class Network(ApiModel):
    """Whom the model has to do with, by the names that RegionalClusters give to peers. Each must be allowed by every policy of the
    model; whatever is not named here is refused in the member."""

    callers: Annotated[tuple[Name, ...], Field(max_length=16, json_schema_extra=list_set())] = ()
    """Peers that may ask the model."""
    egress: Annotated[tuple[Name, ...], Field(max_length=16, json_schema_extra=list_set())] = ()
    """Peers that the model may ask."""


class SovereignModelSpec(ApiModel):
    """What to serve, with which data, on what hardware."""

    data_classes: Annotated[
        tuple[DataClass, ...],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra=list_set(),
        ),
    ]
    """Classes of the data that the model was trained on or is sent. Each needs a policy that covers it. They can be added
    to; dropping one needs a right of its own, the verb declassify, and a reason."""
    model_format: ModelFormat
    """Format of the model."""
    storage_uri: StorageUri
    """Where the model is, as an OCI artifact pinned by digest."""
    runtime: Runtime
    """The server that loads the model."""
    replicas: Annotated[
        Replicas,
        Field(
            json_schema_extra=cel_rules(
                cel("!has(self.max) || self.max >= self.min", "replicas.max must not be less than replicas.min")
            )
        ),
    ] = Replicas()
    """How many copies serve, on each chosen cluster."""
    resources: Resources = Resources()
    """What one copy needs."""
    network: Network = Network()
    """Whom the model has to do with. Left out, nobody asks it and it asks nobody."""
    placement: PlacementSpec = PlacementSpec()
    """On how many clusters the model runs."""


class Placement(ApiModel):
    """A cluster that the model was given to."""

    cluster: Name
    """Name of the RegionalCluster."""
    cluster_uid: Annotated[UID, Field(alias="clusterUID")]
    """UID of the member's kube-system namespace."""
    permit: Annotated[str, Field(max_length=71)]
    """Digest of the permit: of the decision and all that it was made from."""
    state: Literal["Starting", "Serving", "Failing", "OutOfSight", "Leaving"]
    """Starting: written, not serving yet. Serving: it answers. Failing: it does not, and will not by itself. OutOfSight:
    the member cannot be seen. Leaving: it is being withdrawn."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Nodes that it was given."""
    endpoint: Annotated[str, Field(max_length=1024)] = ""
    """Address of the model inside the member cluster."""


class Exclusion(ApiModel):
    """A cluster that was not chosen, and the first reason."""

    cluster: Name
    """Name of the RegionalCluster."""
    policy: Annotated[str, Field(max_length=253)] = ""
    """The ResidencyPolicy that does not allow it; empty where the reason is not one of law."""
    rule: Annotated[str, Field(max_length=63)] = ""
    """The rule of it: allow.workers and so on, or the name of one of spec.rules."""
    reason: Annotated[str, Field(max_length=128)]
    """Why, as one CamelCase word."""
    message: Annotated[str, Field(max_length=1024)]
    """Why, for people, and at the end what the rule rests on."""


class ReasonCount(ApiModel):
    """How many clusters were not chosen for one reason."""

    reason: Annotated[str, Field(max_length=128)]
    """Why, as one CamelCase word: the first reason of each cluster."""
    count: int
    """Clusters."""


class ClusterCounts(ApiModel):
    """How the clusters of the fleet fared."""

    considered: int
    """Clusters that were judged."""
    lawful: int
    """Those where all policies allow the model."""
    able: int
    """Those of them that can also run it."""
    chosen: int = 0
    """Those of them that the model was given to."""
    excluded: Annotated[tuple[ReasonCount, ...], Field(max_length=64, json_schema_extra=list_map("reason"))] = ()
    """All the others, by reason."""


class SovereignModelStatus(ApiModel):
    """What was decided, why, and how it goes."""

    observed_generation: int = 0
    """The metadata.generation that the status is for."""
    placed_on: Annotated[str, Field(max_length=4096)] = ""
    """Names of the clusters that the model was given to, for reading."""
    placements: Annotated[
        tuple[Placement, ...], Field(max_length=32, json_schema_extra=list_map("cluster", "clusterUID"))
    ] = ()
    """Clusters that the model was given to."""
    clusters: ClusterCounts | None = None
    """How the clusters of the fleet fared."""
    exclusions: Annotated[tuple[Exclusion, ...], Field(max_length=20, json_schema_extra=list_map("cluster"))] = ()
    """The first 20 clusters that were not chosen, with the first reason of each. `domicile plan --matrix` has all of them."""
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=list_map("type"))] = ()
    """Ready, PolicyCompliant, Placed, Available; EvidenceCurrent, unless something ends soon that the placement rests on;
    AuditPassed, where policies in Audit mode apply."""


class SovereignModel(Kind):
    """A model to be served where the data's residency policies allow it, and nowhere else."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="SovereignModel",
        plural="sovereignmodels",
        singular="sovereignmodel",
        scope="Namespaced",
        short_names=("sm",),
        columns=(
            PrinterColumn("Cluster", "string", ".status.placedOn", "Where it runs"),
            PrinterColumn("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether it serves"),
            PrinterColumn("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why, in one word"),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
            PrinterColumn(
                "Message", "string", '.status.conditions[?(@.type=="Ready")].message', "Why, for people", priority=1
            ),
        ),
        validations=(
            cel(
                "self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')",
                "the name must be a DNS label of at most 40 characters that begins with a letter:"
                " KServe makes names of Services of it",
            ),
            cel(
                "self.metadata.name != 'domicile'",
                "a model cannot be named domicile: what keeps its namespace to itself on a member has that name."
                " Give it a name of its own",
            ),
            cel(
                "self.metadata.name != 'default'",
                "a model cannot be named default: the ServiceAccount of its name would be the one that every other pod of"
                " the namespace uses. Give it a name of its own",
            ),
        ),
    )

    kind: Literal["SovereignModel"] = "SovereignModel"
    spec: SovereignModelSpec
    """What to serve, with which data, on what hardware."""
    status: SovereignModelStatus | None = None
    """What was decided, why, and how it goes."""
