"""What rules may speak of, with types: `cluster`, `model`, `policy`, `hub` and `now`, as protobuf messages for the type checker.

Only types are taken from these messages. Values are maps: a field that is not known is not there, and asking for it fails,
where a message would answer with an empty one.
"""

from functools import cache
from typing import Any, Final, cast

from google.protobuf import descriptor_pb2, descriptor_pool

_PACKAGE: Final = "domicile"
_SCALARS: Final = {"string": 9, "int": 3, "bool": 8}
_OPTIONAL, _REPEATED = 1, 3

MESSAGES: Final[dict[str, dict[str, str]]] = {
    # name of the message: field and type; [] makes a list of it, {} a map from string to string.
    "Place": {"jurisdiction": "string"},
    "Registry": {"host": "string", "jurisdiction": "string"},
    "Certification": {
        "name": "string",
        "level": "int",
        "number": "string",
        "scope": "string",
        "validUntil": "string",
    },
    "Contract": {"kind": "string", "reference": "string", "party": "string", "validUntil": "string"},
    "ConfidentialComputing": {"kind": "string", "verifier": "string", "verifierJurisdiction": "string"},
    "Cluster": {
        "name": "string",
        "uid": "string",
        "pool": "string",
        "workers": "Place",
        "controlPlane": "Place",
        "operator": "Place",
        "operatorParent": "Place",
        "keyStore": "Place",
        "telemetry": "Place",
        "registries": "Registry[]",
        "certifications": "Certification[]",
        "contracts": "Contract[]",
        "confidentialComputing": "ConfidentialComputing",
    },
    "ModelFormat": {"name": "string", "version": "string"},
    "Replicas": {"min": "int", "max": "int"},
    "Model": {
        "name": "string",
        "namespace": "string",
        "namespaceLabels": "string{}",
        "dataClasses": "string[]",
        "artifacts": "string[]",
        "modelFormat": "ModelFormat",
        "replicas": "Replicas",
        "accelerators": "int",
    },
    "Policy": {"name": "string"},
}

CHARACTERS: Final[dict[str, int]] = {
    # The longest that a text can be, as domicile.api and Kubernetes allow it; of a list, each of its texts.
    "Place.jurisdiction": 6,
    "Registry.host": 253,
    "Registry.jurisdiction": 6,
    "Certification.name": 63,
    "Certification.number": 128,
    "Certification.scope": 1024,
    "Certification.validUntil": 32,
    "Contract.kind": 63,
    "Contract.reference": 1024,
    "Contract.party": 253,
    "Contract.validUntil": 32,
    "ConfidentialComputing.kind": 63,
    "ConfidentialComputing.verifier": 253,
    "ConfidentialComputing.verifierJurisdiction": 6,
    "Cluster.name": 253,
    "Cluster.uid": 36,
    "Cluster.pool": 63,
    "ModelFormat.name": 63,
    "ModelFormat.version": 63,
    "Model.name": 253,
    "Model.namespace": 63,
    "Model.namespaceLabels": 63,
    "Model.dataClasses": 63,
    "Model.artifacts": 512,
    "Policy.name": 253,
}
LABEL: Final = 317
"""Characters of a label's key."""
LISTED: Final = 64
"""How many a list has at most, and how many labels are reckoned with. Kubernetes does not cap labels, and several attestations
of one cluster can have more together: what goes through such a list takes longer in that measure."""
COUNTS: Final[dict[str, int]] = {"Model.artifacts": 8}
"""Lists that are known to have fewer."""

VARIABLES: Final = {"cluster": "Cluster", "hub": "Cluster", "model": "Model", "policy": "Policy"}
"""Beside these there is `now`, a timestamp."""


@cache
def pool() -> Any:
    """The messages, as the type checker wants them. Any: the package's types are incomplete."""
    made = cast(Any, descriptor_pool).DescriptorPool()
    file = cast(Any, descriptor_pb2).FileDescriptorProto(name="domicile.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            _add(message, name, field, kind, number)
    made.AddSerializedFile(file.SerializeToString())
    return made


def _add(message: Any, owner: str, field: str, kind: str, number: int) -> None:
    if kind.endswith("{}"):
        entry = message.nested_type.add(name=f"{field[0].upper()}{field[1:]}Entry")
        entry.options.map_entry = True
        for index, part in enumerate(("key", "value"), start=1):
            entry.field.add(name=part, number=index, type=_SCALARS["string"])
        type_name = f".{_PACKAGE}.{owner}.{entry.name}"
        message.field.add(name=field, number=number, label=_REPEATED, type_name=type_name)
        return
    label = _REPEATED if kind.endswith("[]") else _OPTIONAL
    plain = kind.removesuffix("[]")
    if plain in _SCALARS:
        message.field.add(name=field, number=number, label=label, type=_SCALARS[plain])
    else:
        message.field.add(name=field, number=number, label=label, type_name=f".{_PACKAGE}.{plain}")
