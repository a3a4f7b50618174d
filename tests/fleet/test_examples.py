"""The examples on a real API server: each is accepted as it stands, and one that is spoilt is not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from domicile.localfleet.errors import RequestRefused
from fleet.world import World

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))


def read(path: Path, namespace: str) -> dict[str, Any]:
    """The manifest as kubectl would send it, in a namespace of the test's own."""
    manifest = json.loads(json.dumps(yaml.safe_load(path.read_text()), default=lambda moment: moment.isoformat()))
    if "namespace" in manifest["metadata"]:
        manifest["metadata"]["namespace"] = namespace
    else:
        # Its name may be taken by what the session's world has of that kind.
        manifest["metadata"]["name"] += "-example"
    return manifest


def create(world: World, manifest: dict[str, Any]) -> None:
    path = world.hub.path_of(manifest).rpartition("/")[0]
    world.hub.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", manifest)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_api_server_accepts_it(world: World, hub_namespace: str, path: Path) -> None:
    create(world, read(path, hub_namespace))


def test_the_api_server_does_not_accept_just_anything(world: World, hub_namespace: str) -> None:
    model = read(next(path for path in EXAMPLES if path.stem == "sovereignmodel-gpu"), hub_namespace)
    model["spec"]["storageUri"] = "oci://registry.example/models/fraud-scorer:latest"
    with pytest.raises(RequestRefused, match="pinned by digest"):
        create(world, model)
