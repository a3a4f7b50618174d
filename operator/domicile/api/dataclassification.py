"""DataClassification: an order of data classes, and the least that the models of a namespace are taken to have seen."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from domicile.api.base import ApiModel, Kind, KindInfo, PrinterColumn, list_map, list_set

DataClass = Annotated[
    str,
    Field(min_length=1, max_length=63, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"),
]
"""A data class: customer.pii, or with a namespace of its own, health/record."""


class Order(ApiModel):
    """Data classes from the least sensitive to the most."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the order."""
    classes: Annotated[
        tuple[DataClass, ...],
        Field(min_length=2, max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"}),
    ]
    """The classes, the least sensitive first. A policy for a class is also for those above it, and a class above satisfies
    a floor below."""


class Floor(ApiModel):
    """What every model of a namespace is taken to have seen, whatever it declares."""

    namespace: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the namespace on the hub."""
    data_classes: Annotated[tuple[DataClass, ...], Field(min_length=1, max_length=16, json_schema_extra=list_set())]
    """The classes. A model of the namespace has them, or more sensitive ones of the same order."""


class DataClassificationSpec(ApiModel):
    """Orders and floors. Those of all DataClassifications count together."""

    orders: Annotated[tuple[Order, ...], Field(max_length=16, json_schema_extra=list_map("name"))] = ()
    """Orders of data classes."""
    floors: Annotated[tuple[Floor, ...], Field(max_length=512, json_schema_extra=list_map("namespace"))] = ()
    """Floors of namespaces."""


class DataClassification(Kind):
    """How data classes are ordered, and what the models of a namespace have at the least. Written by governance: a label
    of a namespace could be changed by who owns it."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="DataClassification",
        plural="dataclassifications",
        singular="dataclassification",
        scope="Cluster",
        short_names=("dcl",),
        columns=(
            PrinterColumn("Orders", "string", ".spec.orders[*].name", "Orders of data classes"),
            PrinterColumn("Floors", "string", ".spec.floors[*].namespace", "Namespaces that have a floor"),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
    )

    kind: Literal["DataClassification"] = "DataClassification"
    spec: DataClassificationSpec
    """Orders and floors."""
