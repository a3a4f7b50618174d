"""What the kinds accept and what they refuse, with messages that a person can act on."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from builders import (
    ARTIFACT,
    DIGEST,
    IMAGE,
    NOW,
    attestation,
    classification,
    exception,
    group,
    model,
    policy,
    record,
    regional_cluster,
    rule,
)
from domicile.api import KINDS, Condition, ResidencyException
from domicile.api.base import Kind, ObjectMeta

SPEC = model().spec.wire()
NESTED = {
    "a field that nobody knows": lambda: model(flavour="sweet"),
    "one further down": lambda: model(runtime={"image": IMAGE, "tag": "latest"}),
    "one in a policy": lambda: policy(namespaces={"matchLabel": {}}),
    "one in a record": lambda: record(country="SG"),
    "one in an exception": lambda: exception(approvedBy="gil"),
    "one in a cluster": lambda: regional_cluster(region="SG"),
}


@pytest.mark.parametrize("written", NESTED.values(), ids=NESTED.keys())
def test_an_unknown_field_is_refused_and_no_silent_no_op(written: Callable[[], Kind]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        written()


PINNED = {
    "a host with a dot": IMAGE,
    "a host with a port": f"registry:5000/x@{DIGEST}",
    "an address with a port": f"127.0.0.1:26500/models/iris@{DIGEST}",
    "localhost": f"localhost/x@{DIGEST}",
    "deep": f"r.sg/a/b_c/d.e-f@{DIGEST}",
}


@pytest.mark.parametrize("image", PINNED.values(), ids=PINNED.keys())
def test_a_pinned_reference_is_accepted(image: str) -> None:
    assert model(runtime={"image": image}, storageUri=f"oci+native://{image}").spec.runtime.image == image


UNPINNED = {
    "a tag": "registry.sg.example/x:latest",
    "a tag beside a digest": f"registry.sg.example/x:1@{DIGEST}",
    "no digest": "registry.sg.example/x",
    "a short digest": "registry.sg.example/x@sha256:1d67",
    "another algorithm": f"registry.sg.example/x@sha512:{'0' * 64}",
    "upper case": f"registry.sg.example/X@{DIGEST}",
    "a digest in upper case": f"registry.sg.example/x@{DIGEST.replace('d', 'D')}",
    "no registry: a node would ask docker.io": f"library/x@{DIGEST}",
    "no repository": f"registry.sg.example@{DIGEST}",
    "a line more": f"{IMAGE}\n",
    "something before": f"x {IMAGE}",
    "nothing": "",
}


@pytest.mark.parametrize("image", UNPINNED.values(), ids=UNPINNED.keys())
def test_what_is_not_pinned_is_refused(image: str) -> None:
    with pytest.raises(ValidationError, match="must name its registry and be pinned by digest"):
        model(runtime={"image": image})
    with pytest.raises(ValidationError, match="must be an OCI artifact with its registry and pinned by digest"):
        model(storageUri=f"oci://{image}")


@pytest.mark.parametrize("uri", [f"s3://{ARTIFACT}", f"oci+fetch://{ARTIFACT}", ARTIFACT, f"pvc://{ARTIFACT}"])
def test_only_oci_artifacts_have_digests(uri: str) -> None:
    with pytest.raises(ValidationError, match="must be an OCI artifact"):
        model(storageUri=uri)


REFUSED: dict[str, tuple[Callable[[], Kind], str]] = {
    "an unknown country": (lambda: policy(workers=["XX"]), "unknown jurisdiction: use an ISO 3166-1"),
    "an unknown country of a part": (lambda: attestation(workers="XX-1"), "unknown jurisdiction"),
    "a country by name": (lambda: policy(workers=["Singapore"]), "should match pattern"),
    "a country in lower case": (lambda: policy(workers=["sg"]), "pattern"),
    "a part that is none": (lambda: policy(workers=["MY-"]), "pattern"),
    "a negative number of GPUs": (lambda: model(accelerators={"count": -1}), "greater than or equal to 1"),
    "no GPU": (lambda: model(accelerators={"count": 0}), "greater than or equal to 1"),
    "no memory": (lambda: model(accelerators={"count": 1, "minMemory": "0"}), "must be more than zero"),
    "memory in words": (lambda: model(accelerators={"count": 1, "minMemory": "much"}), "write it as 2, 500m or 40Gi"),
    "no replica": (lambda: model(replicas={"min": 0}), "greater than or equal to 1"),
    "no data class": (lambda: model(data_classes=[]), "at least 1 item"),
    "a privileged port": (lambda: model(runtime={"image": IMAGE, "port": 80}), "greater than or equal to 1024"),
    "a template of KServe's": (
        lambda: model(runtime={"image": IMAGE, "args": ['--label={{ index .Labels "a" }}']}),
        "has a template that is not",
    ),
    "a time without a zone": (lambda: attestation(until=NOW.replace(tzinfo=None)), "a time needs a zone"),
    "a group of an unknown country": (lambda: group("x", "XX"), "unknown jurisdiction"),
    "a group of a group": (lambda: group("x", "group:eea"), "at most 6 characters"),
    "a policy for a group without a name": (lambda: policy(workers=["group:"]), "pattern"),
    "an order of one class": (lambda: classification(orders=[["public"]]), "at least 2 items"),
    "a floor of no class": (lambda: classification(floors={"bank": []}), "at least 1 item"),
    "a class in upper case": (lambda: classification(floors={"bank": ["PII"]}), "pattern"),
    "a record for no country": (lambda: record(countries=[]), "at least 1 item"),
    "a record for a group": (lambda: record(countries=["group:asean"]), "at most 6 characters"),
    "a record for no namespace": (lambda: record(scope={"namespaces": []}), "at least 1 item"),
    "a transfer on a basis that no law knows": (lambda: record(transferBasis="Trust"), "Adequacy"),
    "an exception for no reason": (lambda: exception(reason="because"), "at least 10 characters"),
    "an exception for all models": (lambda: exception(model={"namespace": "bank"}), "Field required"),
    "a rule that rests on nothing": (lambda: policy(rules=[rule(basis=None)]), "basis"),
    "a host with a scheme": (lambda: policy(hosts=["https://collector.sg.example"]), "pattern"),
    "a variable for a host": (lambda: policy(hosts=["$(HOST)"]), "pattern"),
    "a warning a month ahead": (lambda: policy(spec={"warnBefore": "30d"}), "pattern"),
    "a mirror with a scheme": (
        lambda: regional_cluster(registryMirrors=[{"registry": "r.sg", "mirror": "https://m.ph"}]),
        "pattern",
    ),
    "a UID that is none": (lambda: regional_cluster(clusterUID="sg"), "at least 36 characters"),
}


@pytest.mark.parametrize(("written", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_input_is_refused_with_a_message(written: Callable[[], Kind], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        written()


def test_what_is_read_and_written_again_is_the_same() -> None:
    kinds = (
        model(accelerators={"count": 1}),
        policy(rules=[rule()]),
        attestation(),
        regional_cluster(),
        group(),
        classification(floors={"bank": ["pii"]}, orders=[["public", "pii"]]),
        record(),
        exception(),
    )
    assert {type(kind) for kind in kinds} == set(KINDS)
    for kind in kinds:
        assert type(kind).model_validate(kind.wire()) == kind


def test_the_wire_has_camel_case_and_times_with_a_zone_and_nothing_unset() -> None:
    wire = attestation(workers=None).wire()["spec"]
    assert wire["validUntil"] == "2027-11-23T09:00:00Z"
    places = {name for name, fact in wire["facts"].items() if isinstance(fact, dict)}
    assert places == {"controlPlane", "operator", "operatorParent", "keyStore", "telemetry"}
    assert wire["facts"]["registries"] == [{"host": "registry.sg.example", "jurisdiction": "SG"}]
    assert model(status={}).wire()["status"] == {
        "observedGeneration": 0, "placedOn": "", "placements": [], "exclusions": [], "conditions": [],
    }  # fmt: skip


def test_an_exception_is_not_approved_unless_it_says_so() -> None:
    wire = exception().wire()
    del wire["spec"]["approved"]
    assert not ResidencyException.model_validate(wire).spec.approved


def test_metadata_is_read_past_what_decisions_do_not_use() -> None:
    meta = ObjectMeta.model_validate({"name": "x", "managedFields": [{}], "ownerReferences": []})
    assert meta == ObjectMeta(name="x")


@pytest.mark.parametrize("kind", KINDS, ids=[kind.info.kind for kind in KINDS])
def test_a_kind_is_not_another_kind(kind: type[Kind]) -> None:
    with pytest.raises(ValidationError, match="kind"):
        kind.model_validate({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}})


@pytest.mark.parametrize("reason", ["", "no spaces", "9lives", "Trailing,"])
def test_a_reason_is_one_word(reason: str) -> None:
    usual: dict[str, Any] = {"type": "Ready", "status": "True", "lastTransitionTime": NOW, "reason": "Serving"}
    assert Condition.model_validate(usual).reason == "Serving"
    with pytest.raises(ValidationError, match="reason"):
        Condition.model_validate({**usual, "reason": reason})
