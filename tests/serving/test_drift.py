"""Where a member's objects differ from what is applied: our fields are ours, other fields are theirs."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from builders import IMAGE, model, seen_object, seen_workload
from domicile import serving
from domicile.api import Peer, PeerPort

SERVER = {"name": "server", "image": "a"}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "the same": ({"a": {"b": 1}}, {"a": {"b": 1}}, ()),
    "what others added": ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}, "status": {}}, ()),
    "changed": ({"a": {"b": 1}}, {"a": {"b": 2}}, ("a.b",)),
    "gone": ({"a": {"b": 1}}, {"a": {}}, ("a.b",)),
    "a map that became text": ({"a": {"b": 1}}, {"a": "b"}, ("a",)),
    "all that differs, in order": ({"a": 1, "b": 2, "c": 3}, {"b": 3, "c": 3}, ("a", "b")),
    "true is not 1": ({"a": True}, {"a": 1}, ("a",)),
    "names that are no identifiers": ({"a": {"x.io/y": "1"}}, {"a": {}}, ('a["x.io/y"]',)),
    "such a name at the top": ({"x.io/y": "1"}, {}, ('["x.io/y"]',)),
    "a quantity in other words": ({"requests": {"cpu": "1"}}, {"requests": {"cpu": "1000m"}}, ()),
    "a quantity as a number": ({"limits": {"nvidia.com/gpu": "1"}}, {"limits": {"nvidia.com/gpu": 1}}, ()),
    "another quantity": ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "1001m"}}, ("limits.cpu",)),
    "no quantity at all": ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "much"}}, ("limits.cpu",)),
    "no quantity, and the same": ({"limits": {"cpu": "1e3"}}, {"limits": {"cpu": "1e3"}}, ()),
    "a quantity elsewhere is a text": ({"labels": {"a": "1"}}, {"labels": {"a": "1000m"}}, ("labels.a",)),
    "lists of scalars": ({"args": ["a", "b"]}, {"args": ["a", "c"]}, ("args[1]",)),
    "a longer list": ({"args": ["a"]}, {"args": ["a", "b"]}, ("args",)),
    "a list by name, in another order": (
        {"c": [SERVER, {"name": "b"}]}, {"c": [{"name": "b"}, {**SERVER, "env": []}]}, (),
    ),
    "an entry by name": ({"c": [SERVER]}, {"c": [{"name": "server", "image": "b"}]}, ("c[name=server].image",)),
    "an entry that is gone": ({"c": [SERVER]}, {"c": []}, ("c[name=server]",)),
    "an entry too many": ({"c": [SERVER]}, {"c": [SERVER, {"name": "miner"}]}, ("c[name=miner]",)),
    "a port of another": ({"ports": [{"name": "http"}]}, {"ports": [{"name": "http"}, {"name": "x"}]}, ()),
    "entries without a name go by place": (
        {"t": [{"key": "a", "effect": "x"}]}, {"t": [{"key": "a", "effect": "y"}]}, ("t[0].effect",),
    ),
    "two entries of one name go by place": ({"c": [SERVER]}, {"c": [SERVER, SERVER]}, ("c",)),
    "a list that became a map": ({"c": [SERVER]}, {"c": {}}, ("c",)),
}  # fmt: skip


@pytest.mark.parametrize(("desired", "live", "paths"), CASES.values(), ids=CASES.keys())
def test_drift(desired: dict[str, Any], live: dict[str, Any], paths: tuple[str, ...]) -> None:
    assert serving.drift(desired, live) == paths


STRAYS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[tuple[str, str], ...]]] = {
    "a container": ({}, {"containers": [{"name": "x"}]}, (("spec.containers", "/spec/containers"),)),
    "one that is not there": ({}, {"containers": [], "env": None, "transformer": {}}, ()),
    "a component": ({}, {"explainer": {"containers": []}}, (("spec.explainer", "/spec/explainer"),)),
    "a framework": ({}, {"sklearn": {"storageUri": "s3://x"}}, (("spec.sklearn", "/spec/sklearn"),)),
    "a probe that runs": ({}, {"p": [{"exec": {"command": ["x"]}}]}, (("spec.p", "/spec/p"),)),
    "what runs nothing": ({}, {"timeout": 5, "scaling": {"metric": "cpu"}, "ports": [{"name": "x"}]}, ()),
    "of an entry": (
        {"containers": [SERVER]}, {"containers": [{**SERVER, "command": ["sh"], "env": [{"name": "STORAGE_URI"}]}]},
        (
            ("spec.containers[name=server].command", "/spec/containers/0/command"),
            ("spec.containers[name=server].env", "/spec/containers/0/env"),
        ),
    ),
    "of an entry that is not ours: the list differs": (
        {"containers": [SERVER]}, {"containers": [SERVER, {"name": "miner", "command": ["x"]}]}, (),
    ),
    "under a name with signs": (
        {}, {"a/b~c": {"image": "x"}}, (('spec["a/b~c"]', "/spec/a~1b~0c"),),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("desired", "live", "found"), STRAYS.values(), ids=STRAYS.keys())
def test_what_others_added_to_run_or_load_is_drift(
    desired: dict[str, Any], live: dict[str, Any], found: tuple[tuple[str, str], ...]
) -> None:
    wanted, there = {"spec": desired}, {"spec": live, "status": {"image": "x"}, "metadata": {"labels": {"env": "x"}}}
    assert serving.strays(wanted, there) == tuple(serving.Stray(*each) for each in found)
    entries = ("spec.containers[name=miner]",) if "miner" in str(live) else ()
    assert serving.drift(wanted, there) == (*entries, *(path for path, _ in found))


WORKLOAD = serving.workload(model(accelerators={"count": 1}), {"nvidia.com/gpu.product": "NVIDIA-L4"})


def changed(manifest: serving.Manifest, **spec: Any) -> serving.SeenObject:
    return seen_object({**manifest, "spec": {**manifest["spec"], **spec}})


def test_what_is_there_as_applied_differs_in_nothing() -> None:
    assert serving.differs(WORKLOAD, seen_workload(WORKLOAD)) == ()


def test_on_an_empty_member_all_differs() -> None:
    kinds = ("ServiceAccount", "NetworkPolicy", "ServingRuntime", "InferenceService")
    assert serving.differs(WORKLOAD, serving.SeenWorkload()) == kinds


NETWORK = serving.workload(
    model(network={"callers": ["gateway"], "egress": ["dns"]}),
    {},
    (),
    (
        Peer(name="gateway", namespaces=("edge",)),
        Peer(name="dns", namespaces=("kube-system",), ports=(PeerPort(port=53),)),
    ),
).companions[1]
ADDED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a way in": lambda spec: spec["ingress"].append({}),
    "more ports than one": lambda spec: spec["ingress"][0]["ports"][0].update(endPort=65535),
    "more of whom it may ask": lambda spec: spec["egress"][0]["ports"][0].update(endPort=65535),
    "other pods": lambda spec: spec["podSelector"].update(matchLabels={}),
    "fewer pods": lambda spec: spec["podSelector"].update(matchExpressions=[{"key": "x", "operator": "Exists"}]),
    "fewer of those that may ask": lambda spec: spec["ingress"][0]["from"][0].update(podSelector={}),
    "one way alone": lambda spec: spec.update(policyTypes=["Ingress"]),
}


@pytest.mark.parametrize("add", ADDED.values(), ids=ADDED)
def test_what_is_let_through_is_compared_word_by_word(add: Callable[[dict[str, Any]], object]) -> None:
    there = copy.deepcopy(dict(NETWORK))
    assert serving.drift(NETWORK, there) == ()
    add(there["spec"])
    assert serving.drift(NETWORK, there) == ("spec",)
    assert serving.strays(NETWORK, there) == ()


def test_of_a_network_policy_its_labels_are_ours_too() -> None:
    there = {**NETWORK, "metadata": {**NETWORK["metadata"], "labels": {}}}
    assert len(serving.drift(NETWORK, there)) == 3


def test_a_changed_image_of_the_runtime_is_named() -> None:
    runtime = WORKLOAD.companions[2]
    (container,) = runtime["spec"]["containers"]
    bad = changed(runtime, containers=[{**container, "image": IMAGE.replace("1d67", "bad0")}])
    seen = seen_workload(WORKLOAD)
    seen = seen_workload(WORKLOAD, companions={**seen.companions, "ServingRuntime": bad})
    assert serving.differs(WORKLOAD, seen) == ("ServingRuntime.spec.containers[name=kserve-container].image",)


def test_what_is_being_deleted_is_not_written_to() -> None:
    seen = seen_workload(WORKLOAD, inference_service=seen_object(WORKLOAD.inference_service, deleting=True, spec={}))
    assert serving.differs(WORKLOAD, seen) == ()


def test_a_scaled_model_differs_though_its_digest_is_the_same() -> None:
    more = serving.workload(
        model(accelerators={"count": 1}, replicas={"min": 2}), {"nvidia.com/gpu.product": "NVIDIA-L4"}
    )
    assert more.digest == WORKLOAD.digest
    assert set(serving.differs(more, seen_workload(WORKLOAD))) == {
        "InferenceService.spec.predictor.minReplicas",
        "InferenceService.spec.predictor.maxReplicas",
    }


def test_nothing_seen_is_absent_and_anything_seen_is_not() -> None:
    assert serving.SeenWorkload().absent
    assert not serving.SeenWorkload(others=("Service/fraud-scorer-predictor",)).absent
    assert not seen_workload(WORKLOAD).absent


def test_a_container_too_many_is_a_change_of_our_list_and_no_stray() -> None:
    runtime = WORKLOAD.companions[2]
    more = [*runtime["spec"]["containers"], {"name": "side", "image": IMAGE, "command": ["sh"]}]
    there = changed(runtime, containers=more).manifest
    assert serving.strays(runtime, there) == ()
    assert serving.drift(runtime, there) == ("spec.containers[name=side]",)
