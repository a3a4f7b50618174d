"""The examples: each is accepted by the kinds, and the demo finds in them what it fills in."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import DIMENSIONS
from domicile.api import KINDS, ClusterAttestation, ResidencyPolicy, SovereignModel
from domicile.api.clusterattestation import Fact
from domicile.cli.demo import texts
from domicile.cli.failure import Failure
from domicile.residency import HUB

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
OURS = {kind.info.kind: kind for kind in KINDS}
UID = "9faeb6a6-8601-4aea-a377-d4bb540871f3"
IMAGE = f"127.0.0.1:5000/some/image@sha256:{'a' * 64}"


@pytest.fixture(params=EXAMPLES, ids=lambda path: path.stem)
def manifest(request: pytest.FixtureRequest) -> dict[str, Any]:
    return yaml.safe_load(request.param.read_text())


def test_there_is_an_example_of_every_kind() -> None:
    assert {yaml.safe_load(path.read_text())["kind"] for path in EXAMPLES} == {*OURS, "Namespace"}


def test_the_models_accept_it(manifest: dict[str, Any]) -> None:
    if manifest["kind"] in OURS:
        # As the API server would send it: JSON has no dates.
        OURS[manifest["kind"]].model_validate(json.loads(json.dumps(manifest, default=lambda d: d.isoformat())))


def test_an_attestation_is_of_the_given_cluster_and_in_force() -> None:
    now = datetime(2030, 5, 1, tzinfo=UTC)
    made = ClusterAttestation.model_validate_json(
        as_json(texts.attestation("PH", UID, ["r.example/a@sha256:1", "s.example:5000/b@sha256:2"], now))
    )
    assert (made.metadata.name, made.spec.cluster_ref.name, made.spec.cluster_ref.uid) == ("ph", "ph", UID)
    facts = made.spec.facts
    places = (
        facts.workers,
        facts.control_plane,
        facts.operator,
        facts.operator_parent,
        facts.key_store,
        facts.telemetry,
    )
    assert {place and place.jurisdiction for place in places} == {"PH"}
    registries = {registry.host: registry.jurisdiction for registry in facts.registries}
    assert registries == {"r.example": "PH", "s.example:5000": "PH"}
    assert made.spec.valid_from < now < made.spec.valid_until


def test_an_attestation_of_the_hub_is_of_this_hub_and_in_force() -> None:
    now = datetime(2030, 5, 1, tzinfo=UTC)
    made = ClusterAttestation.model_validate_json(as_json(texts.hub_attestation("PH", UID, now)))
    assert (made.spec.cluster_ref.name, made.spec.cluster_ref.uid) == (HUB, UID)
    assert made.spec.facts.workers == Fact(jurisdiction="PH")
    assert made.spec.valid_from < now < made.spec.valid_until


@pytest.mark.parametrize(("code", "hub"), [("SG", "SG"), ("PH", "SG"), ("SG", "JP"), ("DE", "JP")])
def test_the_policy_allows_one_country_in_every_dimension_and_the_hub_in_another(code: str, hub: str) -> None:
    made = ResidencyPolicy.model_validate_json(as_json(texts.policy(code, hub, "decided by the board")))
    assert {getattr(made.spec.allow, dimension) for dimension in DIMENSIONS} == {(code,)}
    assert made.spec.allow.hub == (hub,)
    assert made.metadata.annotations == {texts.CONFIRMED: "decided by the board"}


@pytest.mark.parametrize("accelerators", [True, False])
def test_the_models_images_are_filled_in(accelerators: bool) -> None:
    made = SovereignModel.model_validate_json(as_json(texts.fraud_scorer(IMAGE, IMAGE, accelerators=accelerators)))
    assert made.spec.storage_uri == f"oci+native://{IMAGE}"
    assert made.spec.runtime.image == IMAGE
    assert (made.spec.resources.accelerators is not None) == accelerators


def test_an_example_that_has_nothing_to_fill_in_any_more_is_an_error() -> None:
    with pytest.raises(Failure, match="no 'placeholder' to fill in"):
        texts.filled("text", "placeholder", "value")


def as_json(text: str) -> str:
    return json.dumps(yaml.safe_load(text), default=lambda moment: moment.isoformat())
