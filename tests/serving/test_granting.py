"""What a model is granted follows from its own manifests, and from nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from builders import TOMORROW, model
from domicile import serving
from domicile.api import GrantedModel

IMAGE = "registry.sg.example/serving/sklearn@sha256:" + "1d67" * 16


def of(until: Any = TOMORROW, selector: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return dict(serving.granted(serving.workload(model(**spec), selector or {}), until))


def test_the_entry_in_full() -> None:
    made = model(runtime={"image": IMAGE, "args": ["--name={{.Name}}", "--dir=/mnt/models"]})
    artifact = made.spec.storage_uri.partition("://")[2]
    entry = serving.granted(serving.workload(made, {"pool": "a"}), TOMORROW)
    assert entry == {
        "name": "fraud-scorer",
        "uid": made.metadata.uid,
        "notAfter": "2026-11-24T09:00:00Z",
        "serviceAccountName": "fraud-scorer",
        "containers": [
            {
                "name": "kserve-container",
                "image": IMAGE,
                "command": [],
                "args": ["--name=fraud-scorer", "--dir=/mnt/models"],
            }
        ],
        "imageVolumes": [artifact],
        "secrets": [],
        "nodeSelector": {"pool": "a"},
    }


def test_it_is_as_the_kind_has_it() -> None:
    entry = of()
    assert GrantedModel.model_validate(entry).wire() == entry


def test_with_another_end_or_another_image_it_is_another_entry() -> None:
    assert of() == of()
    assert of(until=TOMORROW + timedelta(seconds=1)) != of()
    assert of(runtime={"image": IMAGE.replace("1d", "2e")}) != of()
    assert of(selector={"pool": "a"}) != of()


def test_a_command_that_the_runtime_has_is_part_of_it() -> None:
    workload = serving.workload(model(), {})
    account, network, runtime = workload.companions
    (server,) = runtime["spec"]["containers"]
    changed = {**runtime, "spec": {**runtime["spec"], "containers": [{**server, "command": ["serve"]}]}}
    entry = serving.granted(replace(workload, companions=(account, network, changed)), TOMORROW)
    assert [c["command"] for c in entry["containers"]] == [["serve"]]


GRANTS: dict[str, tuple[dict[str, Any], bool]] = {
    "its entry": ({"spec": {"models": [{"name": "other"}, {"name": "it"}]}}, True),
    "others' entries": ({"spec": {"models": [{"name": "other"}]}}, False),
    "none": ({"spec": {}}, False),
    "no spec": ({"spec": None}, False),
    "nothing": ({}, False),
}


@pytest.mark.parametrize(("grant", "there"), GRANTS.values(), ids=GRANTS)
def test_finding_the_entry_of_a_model(grant: dict[str, Any], there: bool) -> None:
    assert serving.entry_in(grant, "it") == ({"name": "it"} if there else None)


@pytest.mark.parametrize(
    ("uri", "named"), [("oci://r/m@x", "r/m@x"), ("oci+native://r/m@x", "r/m@x"), ("s3://r/m", "s3://r/m")]
)
def test_an_artifact_by_its_reference(uri: str, named: str) -> None:
    assert serving.without_scheme(uri) == named
