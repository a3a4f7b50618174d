"""The CustomResourceDefinitions that come of the models: structural, described to the last field, closed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from pydantic import Field

from domicile.api import KINDS, MEMBER_KINDS
from domicile.api.base import ApiModel, Kind, KindInfo
from domicile.api.crd import SchemaNotStructural, crd, manifests

CRDS = Path(__file__).parents[2] / "crds"

# Words that the API server refuses in a structural schema, or that it does not know.
FOREIGN = {
    "$ref",
    "$defs",
    "title",
    "const",
    "discriminator",
    "allOf",
    "oneOf",
    "examples",
    "definitions",
    "exclusiveMinimum",
}

ALL = [pytest.param(kind, id=kind.info.kind) for kind in (*KINDS, *MEMBER_KINDS)]


def schema(kind: type[Kind]) -> dict[str, Any]:
    return crd(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the tree, with the path that leads to it."""
    yield path, node
    for name, sub in node.get("properties", {}).items():
        yield from fields(sub, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in node:
            yield from fields(node[word], f"{path}[{word}]")


@pytest.mark.parametrize("kind", ALL)
def test_every_field_is_described_in_one_line(kind: type[Kind]) -> None:
    for path, node in fields(schema(kind)):
        if path != ".metadata" and not path.endswith("]"):
            assert node.get("description"), path
            assert "\n" not in node["description"], path


@pytest.mark.parametrize("kind", ALL)
def test_the_schema_is_structural(kind: type[Kind]) -> None:
    for path, node in fields(schema(kind)):
        assert not FOREIGN & node.keys(), path
        if node.get("x-kubernetes-int-or-string"):
            assert node["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
            assert "type" not in node, path
        else:
            assert node.get("type") in {"object", "array", "string", "integer", "boolean"}, path
            assert "anyOf" not in node, path
        assert node.get("default", ...) is not None, path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert (node.get("type") == "array") == ("items" in node), path


@pytest.mark.parametrize("kind", ALL)
def test_every_list_says_how_it_merges_and_its_keys_are_there(kind: type[Kind]) -> None:
    for path, node in fields(schema(kind)):
        if node.get("type") != "array":
            continue
        assert node.get("x-kubernetes-list-type") in {"atomic", "set", "map"}, path
        for key in node.get("x-kubernetes-list-map-keys", ()):
            sub = node["items"]["properties"][key]
            assert key in node["items"]["required"] or "default" in sub, f"{path}: {key} may be missing"


@pytest.mark.parametrize("kind", ALL)
def test_every_validation_has_a_message_for_people(kind: type[Kind]) -> None:
    for path, node in fields(schema(kind)):
        for rule in node.get("x-kubernetes-validations", ()):
            assert rule["rule"], path
            assert len(rule["message"]) > 20, path
            # A line break is meant as one.
            assert "\\" not in rule["rule"].replace(r"\n", ""), f"{path}: CEL would read the backslash as an escape"


@pytest.mark.parametrize("kind", ALL)
def test_the_names_are_those_of_the_kind(kind: type[Kind]) -> None:
    made = crd(kind)
    names = made["spec"]["names"]
    assert made["metadata"]["name"] == f"{names['plural']}.domicile.dev"
    assert names["plural"] == names["kind"].lower() + "s" or names["plural"] == names["kind"].lower()[:-1] + "ies"
    assert names["categories"] == ["domicile"]
    assert names["shortNames"]
    (version,) = made["spec"]["versions"]
    assert ("status" in schema(kind)["properties"]) == (version.get("subresources") == {"status": {}})


@pytest.mark.parametrize("kind", ALL)
def test_every_column_shows_a_field_that_is_there(kind: type[Kind]) -> None:
    paths = {path for path, _ in fields(schema(kind))} | {".metadata.creationTimestamp"}
    for column in crd(kind)["spec"]["versions"][0]["additionalPrinterColumns"]:
        path = column["jsonPath"].split("[?")[0].replace("[*]", "[items]")
        assert path in paths, column["name"]


def test_short_names_are_told_apart() -> None:
    names = [name for kind in KINDS for name in (*kind.info.short_names, kind.info.singular, kind.info.plural)]
    assert len(names) == len(set(names))


def test_defaults_bounds_and_rules_arrive() -> None:
    model = schema(KINDS[0])["properties"]["spec"]["properties"]
    assert model["replicas"]["properties"]["min"] == {
        "type": "integer", "default": 1, "minimum": 1, "maximum": 1000, "description": "Least number of copies.",
    }  # fmt: skip
    assert "default" not in model["replicas"]["properties"]["max"]
    assert model["storageUri"]["x-kubernetes-validations"][0]["reason"] == "FieldValueInvalid"
    assert [rule["rule"] for rule in model["replicas"]["x-kubernetes-validations"]] == [
        "!has(self.max) || self.max >= self.min"
    ]
    assert schema(KINDS[0])["x-kubernetes-validations"][0]["rule"].startswith("self.metadata.name.matches(")
    assert schema(KINDS[0])["required"] == ["spec"]


@pytest.mark.parametrize(("home", "kinds"), [(CRDS, KINDS), (CRDS / "members", MEMBER_KINDS)], ids=["hub", "members"])
def test_the_files_in_crds_are_what_the_models_say(home: Path, kinds: tuple[type[Kind], ...]) -> None:
    """`domicile crds` writes them."""
    made = dict(manifests(kinds))
    assert {path.name for path in home.glob("*.yaml")} == set(made)
    for name, text in made.items():
        assert (home / name).read_text() == text, f"{name} is behind the models"
        assert yaml.safe_load(text)["kind"] == "CustomResourceDefinition"


class Described(ApiModel):
    """What a planted kind holds."""

    mode: Literal["Only"] = "Only"
    """The only mode."""
    when: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = ""
    """When."""
    labels: dict[str, str] = Field(default_factory=dict)
    """By key."""
    maybe: str | None = "x"
    """Something, with a default that is not nothing."""


INFO = KindInfo("Planted", "planteds", "planted", "Cluster", (), ())


class PlantedWell(Kind):
    """A kind that can be said."""

    info: ClassVar[KindInfo] = INFO
    kind: Literal["Planted"] = "Planted"
    spec: Described
    """The spec."""


class Undescribed(ApiModel):
    """A spec with a field that says nothing."""

    silent: int


class PlantedSilent(Kind):
    """A kind with a field that says nothing."""

    info: ClassVar[KindInfo] = INFO
    kind: Literal["Planted"] = "Planted"
    spec: Undescribed
    """The spec."""


class Either(ApiModel):
    """A spec of two types."""

    either: int | str
    """One or the other."""


class PlantedEither(Kind):
    """A kind that a structural schema cannot say."""

    info: ClassVar[KindInfo] = INFO
    kind: Literal["Planted"] = "Planted"
    spec: Either
    """The spec."""


def test_a_constant_becomes_an_enumeration_of_one() -> None:
    assert schema(PlantedWell)["properties"]["spec"]["properties"]["mode"]["enum"] == ["Only"]
    assert schema(PlantedWell)["properties"]["spec"]["properties"]["labels"]["additionalProperties"] == {
        "type": "string"
    }
    assert schema(PlantedWell)["properties"]["spec"]["properties"]["maybe"]["default"] == "x"
    assert "x-kubernetes-validations" not in schema(PlantedWell)
    assert "subresources" not in crd(PlantedWell)["spec"]["versions"][0]


def test_a_field_without_a_description_is_refused() -> None:
    with pytest.raises(SchemaNotStructural, match=r"Planted.spec.silent has no description"):
        crd(PlantedSilent)


def test_a_choice_of_types_is_refused() -> None:
    with pytest.raises(SchemaNotStructural, match=r"Planted.spec.either: .* 'one of 2 types'"):
        crd(PlantedEither)
