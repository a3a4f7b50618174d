"""From the pydantic models to CustomResourceDefinitions: structural schemas, CEL validations, printer columns."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import yaml

from domicile.api.base import GROUP, VERSION, Kind

_HEADER = (
    "# Written by `domicile crds` from operator/domicile/api. Do not edit: change the models and write it again.\n"
)

# JSON-schema words that a structural schema does not know, or that say nothing there.
_DROPPED = ("title", "additionalProperties", "discriminator")


class SchemaNotStructural(TypeError):
    """A model uses something that a structural schema cannot say."""


def crd(kind: type[Kind]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    info = kind.info
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{info.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": info.scope,
            "names": {
                "kind": info.kind,
                "listKind": f"{info.kind}List",
                "plural": info.plural,
                "singular": info.singular,
                "shortNames": list(info.short_names),
                "categories": ["domicile"],
            },
            "versions": [_version(kind)],
        },
    }


def manifests(kinds: tuple[type[Kind], ...]) -> Iterator[tuple[str, str]]:
    """File name and YAML text of each kind's CustomResourceDefinition."""
    for kind in kinds:
        text = yaml.safe_dump(crd(kind), sort_keys=False, width=120, allow_unicode=True)
        yield f"{GROUP}_{kind.info.plural}.yaml", _HEADER + text


def _version(kind: type[Kind]) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(kind)},
        "additionalPrinterColumns": [
            {
                "name": column.name,
                "type": column.type,
                "jsonPath": column.json_path,
                "description": column.description,
                **({"priority": column.priority} if column.priority else {}),
            }
            for column in kind.info.columns
        ],
    }
    if "status" in kind.model_fields:
        version["subresources"] = {"status": {}}
    return version


def _root(kind: type[Kind]) -> dict[str, Any]:
    schema = kind.model_json_schema(by_alias=True)
    definitions: Mapping[str, Any] = schema.get("$defs", {})
    properties = {
        name: _structural(property_schema, definitions, f"{kind.info.kind}.{name}")
        for name, property_schema in schema["properties"].items()
        if name not in ("apiVersion", "kind", "metadata")
    }
    properties = {
        "apiVersion": {"type": "string", "description": "Version of the API that the object is written in."},
        "kind": {"type": "string", "description": "Kind of the object."},
        "metadata": {"type": "object"},
        **properties,
    }
    root: dict[str, Any] = {
        "type": "object",
        "description": _one_line(schema["description"]),
        "required": ["spec"],
        "properties": properties,
    }
    if kind.info.validations:
        root["x-kubernetes-validations"] = [dict(rule) for rule in kind.info.validations]
    return root


def _structural(schema: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    merged = _resolved(schema, definitions, where)
    out: dict[str, Any] = {word: value for word, value in merged.items() if word not in _DROPPED}
    if "description" in out:
        out["description"] = _one_line(out["description"])
    if "const" in out:
        out["enum"] = [out.pop("const")]
        out.setdefault("type", "string")
    if isinstance(out.get("default"), dict):
        # The fields have defaults of their own, which the API server fills in.
        out["default"] = {}
    if out.get("x-kubernetes-int-or-string"):
        # Structural schemas have no type beside int-or-string, and count no length of it.
        out.pop("type", None)
        out["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in out:
        out["properties"] = {
            name: _structural(sub, definitions, f"{where}.{name}") for name, sub in out["properties"].items()
        }
        _require_descriptions(out["properties"], where)
    if "items" in out:
        out["items"] = _structural(out["items"], definitions, f"{where}[]")
    values = merged.get("additionalProperties")
    if isinstance(values, Mapping):
        out["additionalProperties"] = _structural(cast("Mapping[str, Any]", values), definitions, f"{where}{{}}")
    return out


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The schema with its references put in, and `X or null` read as X that may be left out."""
    merged = dict(schema)
    while "$ref" in merged or "anyOf" in merged or "allOf" in merged:
        if "$ref" in merged:
            target = definitions[merged.pop("$ref").rsplit("/", 1)[1]]
        else:
            word = "anyOf" if "anyOf" in merged else "allOf"
            options = [option for option in merged.pop(word) if option.get("type") != "null"]
            if len(options) != 1:
                raise SchemaNotStructural(f"{where}: a structural schema cannot say 'one of {len(options)} types'")
            target = options[0]
            if merged.get("default", ...) is None:
                del merged["default"]
        rules = [*target.get("x-kubernetes-validations", ()), *merged.get("x-kubernetes-validations", ())]
        merged = {**target, **merged}
        if rules:
            merged["x-kubernetes-validations"] = rules
    return merged


def _require_descriptions(properties: Mapping[str, Any], where: str) -> None:
    for name, schema in properties.items():
        if not schema.get("description"):
            raise SchemaNotStructural(f"{where}.{name} has no description: kubectl explain would say nothing")


def _one_line(text: str) -> str:
    return " ".join(text.split())
