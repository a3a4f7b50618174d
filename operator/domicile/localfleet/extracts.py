"""Takes the manifests a fleet needs out of Go modules' sources at build time, and lightens KServe's CRDs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import yaml

from domicile.localfleet import components, errors

Object = dict[str, Any]
CRDS = "crds.json"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def copy(files: components.SourceFiles, module: Path, share: Path) -> None:
    target = share / files.into
    target.mkdir(parents=True, exist_ok=True)
    crds: list[Object] = []
    for pattern in files.paths:
        found = sorted(module.glob(pattern))
        if not found:
            raise errors.BuildFailed(files.into, f"module {files.module} holds no {pattern}", str(module))
        for path in found:
            documents = [document for document in read(path) if document]
            if documents[0].get("kind") == "CustomResourceDefinition":
                crds += documents
            else:
                (target / path.name).write_bytes(path.read_bytes())
    if crds:
        (target / CRDS).write_text(json.dumps([without_descriptions(crd) for crd in crds]))


def read(path: Path) -> list[Object]:
    return list(yaml.load_all(path.read_text(), Loader=_Loader))


def without_descriptions(crd: Object) -> Object:
    """The same schema at about half the size: an API server keeps several copies of it, and reads it at each start."""
    for version in crd["spec"]["versions"]:
        _drop_descriptions(version.get("schema", {}).get("openAPIV3Schema", {}))
    return crd


def _drop_descriptions(schema: Any) -> None:
    if isinstance(schema, list):
        for each in cast("list[Any]", schema):
            _drop_descriptions(each)
    elif isinstance(schema, dict):
        node = cast("Object", schema)
        if isinstance(node.get("description"), str):  # a property of that name is a schema, not a string
            del node["description"]
        for value in node.values():
            _drop_descriptions(value)
