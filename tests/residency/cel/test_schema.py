"""The caps that costs are reckoned with are those of the API."""

from typing import Any

import pytest

from domicile.api.clusterattestation import Certification, ConfidentialComputing, Contract, Fact, Facts, RegistryFact
from domicile.api.sovereignmodel import ModelFormat
from domicile.residency.cel import schema

TEXTS = {f"{message}.{field}" for message, of in schema.MESSAGES.items() for field in of if "string" in of[field]}
MODELS: dict[str, Any] = {
    "Place": Fact,
    "Registry": RegistryFact,
    "Certification": Certification,
    "Contract": Contract,
    "ConfidentialComputing": ConfidentialComputing,
    "ModelFormat": ModelFormat,
}


def longest(message: Any, field: str) -> int:
    """maxLength or maxItems of a field."""
    described = message.model_json_schema()["properties"][field]
    kinds = (described, *described.get("anyOf", ()))
    (most,) = [each[word] for each in kinds for word in ("maxLength", "maxItems") if word in each]
    return int(most)


def test_every_text_has_a_cap() -> None:
    assert schema.CHARACTERS.keys() == TEXTS


@pytest.mark.parametrize("message", MODELS)
def test_caps_are_those_of_the_api(message: str) -> None:
    for field, kind in schema.MESSAGES[message].items():
        if kind == "string" and field != "validUntil":
            assert schema.CHARACTERS[f"{message}.{field}"] == longest(MODELS[message], field), field


def test_lists_are_as_long_as_the_api_lets_one_attestation_have_them() -> None:
    for field in ("registries", "certifications", "contracts"):
        assert longest(Facts, field) == schema.LISTED
