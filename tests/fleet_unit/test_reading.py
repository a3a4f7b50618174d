"""From a member's objects to values: accelerators that can be given out, pods, Deployments, and whose an object is."""

from typing import Any

import pytest

import builders
from domicile import kube, residency, serving
from domicile.fleet import inventory, kinds, rbac, sight
from domicile.residency import facts
from domicile.serving import MODEL_LABEL, MODEL_UID, WORKLOAD

GPU = inventory.ACCELERATOR


def node(
    *, ready: str = "True", heartbeat: str = "09:00", gpus: Any = "2", taints: Any = (), **spec: Any
) -> kube.Object:
    labels = {
        "nvidia.com/gpu.product": "NVIDIA-L4",
        "nvidia.com/gpu.memory": "23034",
        "kubernetes.io/hostname": "gpu-0",
    }
    return {
        "metadata": {"name": "gpu-0", "labels": labels, "managedFields": [{}]},
        "spec": {"taints": list(taints), **spec},
        "status": {
            "conditions": [
                {"type": "MemoryPressure", "status": "False"},
                {"type": "Ready", "status": ready, "lastHeartbeatTime": heartbeat},
            ],
            "allocatable": {"cpu": "8"} if gpus is None else {"cpu": "8", GPU: gpus},
            "images": [{"names": ["a", "b"]}],
        },
    }


def of_region(region: Any, **spec: Any) -> kube.Object:
    made = node(**spec)
    made["metadata"]["labels"][kinds.REGION] = region
    return made


def pod(
    *requests: int, phase: str = "Running", on: Any = "gpu-0", inits: Any = (), of: str = "fraud-scorer"
) -> kube.Object:
    containers = [
        {"name": str(n), "image": "x", "resources": {"requests": {GPU: str(r)}}} for n, r in enumerate(requests)
    ]
    return {
        "metadata": {"name": "p", "namespace": "ns", "labels": {MODEL_LABEL: of}},
        "spec": {"nodeName": on, "containers": containers, "initContainers": list(inits)},
        "status": {"phase": phase},
    }


def init(count: int, **more: Any) -> dict[str, Any]:
    return {"name": "init", "resources": {"limits": {GPU: str(count)}}, **more}


def asking(quantity: str) -> kube.Object:
    odd = pod(1)
    odd["spec"]["containers"][0]["resources"] = {"limits": {GPU: quantity}}
    return odd


def seen(nodes: kube.Object, *pods: kube.Object) -> Any:
    return inventory.accelerators([kinds.node_kept(nodes)], [kinds.pod_kept(p) for p in pods], [])


USABLE: dict[str, tuple[kube.Object, bool]] = {
    "a ready node": (node(), True),
    "one that is not ready": (node(ready="False"), False),
    "one that is not heard of": (node(ready="Unknown"), False),
    "one that is cordoned": (node(unschedulable=True), False),
    "one whose taint keeps pods away": (node(taints=[{"key": "x", "effect": "NoSchedule"}]), False),
    "one whose taint drives pods away": (node(taints=[{"key": "x", "effect": "NoExecute"}]), False),
    "one that is only not preferred": (node(taints=[{"key": "x", "effect": "PreferNoSchedule"}]), True),
    "one kept for accelerators": (node(taints=[{"key": GPU, "effect": "NoSchedule"}]), True),
    "one that drives pods with accelerators away, which they do not tolerate": (
        node(taints=[{"key": GPU, "effect": "NoExecute"}]),
        False,
    ),
    "one that is kept for accelerators and drives pods away": (
        node(taints=[{"key": GPU, "effect": "NoSchedule"}, {"key": GPU, "effect": "NoExecute"}]),
        False,
    ),
    "one without accelerators": (node(gpus=None), False),
    "one whose accelerators are broken": (node(gpus="0"), False),
    "one that says nonsense": (node(gpus="many"), False),
    "one that has no end of them": (node(gpus=float("inf")), False),
}


@pytest.mark.parametrize(("given", "usable"), USABLE.values(), ids=USABLE.keys())
def test_which_nodes_give_out_accelerators(given: kube.Object, usable: bool) -> None:
    assert seen(given) == ((builders.node("gpu-0", "NVIDIA-L4", of=2),) if usable else ())


GRANTED: dict[str, tuple[tuple[kube.Object, ...], int]] = {
    "none": ((), 0),
    "all containers of a pod": ((pod(1, 1),), 2),
    "several pods": ((pod(1), pod(1)), 2),
    "a pod that is done": ((pod(1, phase="Succeeded"), pod(1, phase="Failed")), 0),
    "a pod that starts": ((pod(1, phase="Pending"),), 1),
    "a pod that no node has": ((pod(1, on=""),), 0),
    "a pod of another node": ((pod(1, on="gpu-1"),), 0),
    "an init container that needs more": ((pod(1, inits=[init(2)]),), 2),
    "an init container that needs less": ((pod(2, inits=[init(1)]),), 2),
    "a digit that is no number": ((pod(1), asking("²")), 1),
    "more digits than a number has": ((pod(1), asking("9" * 5000)), 1),
    "a node's name that is none": ((pod(1), pod(1, on={"a": "b"})), 1),
    "a sidecar": ((pod(1, inits=[init(1, restartPolicy="Always")]),), 2),
}


@pytest.mark.parametrize(("pods", "granted"), GRANTED.values(), ids=GRANTED.keys())
def test_what_of_them_is_given_out_already(pods: tuple[kube.Object, ...], granted: int) -> None:
    assert sum(seen(node(), *pods)[0].granted.values()) == granted


def test_what_is_given_out_is_told_by_model() -> None:
    mine, yours = pod(1, of="mine"), pod(1, of="yours")
    found = seen(node(gpus="4"), mine, mine, yours)[0]
    assert found.granted == {("ns", "mine"): 2, ("ns", "yours"): 1}
    assert (found.free_for(("ns", "mine")), found.free_for(("ns", "yours")), found.free_for(("ns", "new"))) == (3, 2, 1)


def service(
    name: str = "mine", *, copies: int = 1, each: int = 1, product: str = "NVIDIA-L4", metadata: Any = ()
) -> kube.Object:
    """The InferenceService of a model with accelerators."""
    ours = builders.model(name, "ns", accelerators={"count": each}, replicas={"min": copies})
    written = serving.workload(ours, {"nvidia.com/gpu.product": product}).inference_service
    return {**written, "metadata": {**written["metadata"], **dict(metadata)}}


def starting(*, of: str = "mine", **more: Any) -> kube.Object:
    return pod(1, of=of, **{"on": "", "phase": "Pending", **more})


GOING = {"deletionTimestamp": "2026-11-23T09:00:00Z"}
MINE, YOURS = ("ns", "mine"), ("ns", "yours")

PENDING: dict[str, tuple[int, list[kube.Object], list[kube.Object], dict[tuple[str, str], int]]] = {
    "a service that has no pods yet": (2, [service()], [], {MINE: 1}),
    "one whose pod has no node yet": (2, [service()], [starting()], {MINE: 1}),
    "one whose pod has a node": (2, [service()], [pod(1, of="mine")], {MINE: 1}),
    "one of two copies has a node": (4, [service(copies=2)], [pod(1, of="mine"), starting()], {MINE: 2}),
    "several accelerators a copy": (8, [service(copies=2, each=3)], [], {MINE: 6}),
    "only what finds room": (5, [service(copies=2, each=3)], [], {MINE: 3}),
    "none where others have all": (1, [service()], [starting(), pod(1, of="yours")], {YOURS: 1}),
    "two services, one accelerator": (1, [service("yours"), service()], [], {MINE: 1}),
    "a rolling update": (2, [service()], [pod(1, of="mine"), starting()], {MINE: 2}),
    "a pod that ended does not stand for a copy": (2, [service()], [pod(1, of="mine", phase="Failed")], {MINE: 1}),
    "nor one that is ending, which still has its accelerators": (
        2, [service()], [{**pod(1, of="mine"), "metadata": {**pod(1, of="mine")["metadata"], **GOING}}], {MINE: 2},
    ),
    "a service on its way out": (2, [service(metadata=GOING)], [], {}),
    "one that selects other nodes": (2, [service(product="NVIDIA-A100")], [], {}),
    "one that somebody else made": (2, [service(metadata={"labels": {}})], [], {}),
    "a model without accelerators": (
        2, [serving.workload(builders.model("mine", "ns"), {}).inference_service], [pod(0, of="mine", on="")], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("of", "services", "pods", "granted"), PENDING.values(), ids=PENDING.keys())
def test_what_is_placed_and_has_no_node_yet_is_given_out_too(
    of: int, services: list[kube.Object], pods: list[kube.Object], granted: dict[tuple[str, str], int]
) -> None:
    kept = [kinds.pod_kept(each) for each in pods]
    (found,) = inventory.accelerators(
        [kinds.node_kept(node(gpus=str(of)))], kept, [kinds.whole_if_ours(each) for each in services]
    )
    assert found.granted == granted


def test_copies_without_a_node_are_counted_on_nodes_that_have_room_for_a_whole_copy() -> None:
    nodes = [{**node(gpus="3"), "metadata": {**node()["metadata"], "name": name}} for name in ("a", "b", "c")]
    found = inventory.accelerators([kinds.node_kept(each) for each in nodes], [], [service(copies=2, each=2)])
    assert [each.granted for each in found] == [{MINE: 2}, {MINE: 2}, {}]


def test_what_counts_as_usable_is_what_the_pods_tolerate() -> None:
    workload = serving.workload(builders.model(accelerators={"count": 1}), {})
    (tolerated,) = workload.inference_service["spec"]["predictor"]["tolerations"]
    assert tolerated == {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
    assert len(seen(node(taints=[{"key": tolerated["key"], "effect": tolerated["effect"]}]))) == 1


def test_a_node_that_only_says_it_lives_is_no_change() -> None:
    kept = kinds.node_kept(node(heartbeat="09:00"))
    assert kept == kinds.node_kept(node(heartbeat="09:05"))
    assert kept != kinds.node_kept(node(heartbeat="09:05", ready="Unknown"))
    assert "images" not in str(kept)


REPORTED: dict[str, tuple[list[kube.Object], tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ([node()], (), ()),
    "a region, and a machine of a zone": (
        [of_region("ap-southeast-1", providerID="aws:///ap-southeast-1a/i-0abc")],
        ("ap-southeast-1",),
        ("aws:///ap-southeast-1a/",),
    ),
    "a provider who names the machine alone": ([node(providerID="hcloud://4711")], (), ("hcloud://",)),
    "two machines of one place count once": (
        [of_region("x", providerID="kind://docker/a/1"), of_region("x", providerID="kind://docker/a/2")],
        ("x",),
        ("kind://docker/a/",),
    ),
    "two places": ([of_region("x"), of_region("y")], ("x", "y"), ()),
    "a name that says no place": ([node(providerID="4711")], (), ()),
    "what is no text": ([of_region(7, providerID=[7])], (), ()),
}


@pytest.mark.parametrize(("nodes", "regions", "providers"), REPORTED.values(), ids=REPORTED.keys())
def test_what_nodes_say_of_themselves(
    nodes: list[kube.Object], regions: tuple[str, ...], providers: tuple[str, ...]
) -> None:
    found = inventory.reported(kinds.node_kept(each) for each in nodes)
    assert found == residency.Reported(frozenset(regions), frozenset(providers))


PREFIXES = {
    "the provider": ("hcloud://", True),
    "the zone": ("aws:///ap-southeast-1", True),
    "another zone": ("aws:///eu-west-1", False),
}


@pytest.mark.parametrize(("prefix", "agrees"), PREFIXES.values(), ids=PREFIXES.keys())
def test_a_prefix_of_the_provider_id_agrees_with_what_is_kept_of_it(prefix: str, agrees: bool) -> None:
    machine = "hcloud://4711" if prefix.startswith("hcloud") else "aws:///ap-southeast-1a/i-0abc"
    reported = inventory.reported([kinds.node_kept(node(providerID=machine))])
    attested = builders.attestation(has={"nodes": {"providerPrefixes": [prefix]}})
    (site,) = facts.sites(builders.member(), [attested], builders.NOW, reported).sites
    assert (site.facts.contradictions == ()) is agrees


def test_labels_that_a_node_cannot_put_on_itself_are_kept_to_tell_pools() -> None:
    pool = {"domicile.node-restriction.kubernetes.io/pool": "sg", "node-restriction.kubernetes.io/site": "1"}
    labelled_node: Any = node()
    labelled_node["metadata"]["labels"] |= {**pool, "fake-node-restriction.kubernetes.io.example/pool": "sg"}
    (found,) = inventory.accelerators([kinds.node_kept(labelled_node)], [], [])
    assert found.restricted == pool


def test_a_copy_that_waits_for_a_node_of_a_pool_counts_there() -> None:
    label = "node-restriction.kubernetes.io/site"
    nodes: list[Any] = [node(), node()]
    for each, name, site in zip(nodes, "ab", "12", strict=True):
        each["metadata"] = {"name": name, "labels": {**each["metadata"]["labels"], label: site}}
    waiting: Any = service(copies=1, each=2)
    waiting["spec"]["predictor"]["nodeSelector"] = {label: "2"}
    found = inventory.accelerators([kinds.node_kept(each) for each in nodes], [], [waiting])
    assert [sum(each.granted.values()) for each in found] == [0, 2]


def kept_pod(**status: Any) -> serving.SeenPod:
    manifest = {
        "metadata": {
            "name": "p",
            "namespace": "ns",
            "creationTimestamp": "2026-11-23T09:00:00Z",
            "annotations": {WORKLOAD: "sha256:1", "other": "x"},
        },
        "spec": {"nodeName": "gpu-0", "containers": []},
        "status": status,
    }
    return sight.pod_seen(kinds.pod_kept(manifest))


def test_a_pod_as_health_wants_it() -> None:
    read = kept_pod(
        phase="Running",
        conditions=[{"type": "Ready", "status": "True", "lastTransitionTime": "x"}],
        containerStatuses=[{"name": "c", "restartCount": 2, "state": {"running": {}}}],
        initContainerStatuses=[{"name": "i", "restartCount": 1, "state": {"terminated": {}}}],
    )
    assert read == serving.SeenPod("p", "gpu-0", True, builders.NOW, workload="sha256:1", restarts=3)


def test_why_a_pod_waits() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}}
    read = kept_pod(
        phase="Pending",
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}],
        containerStatuses=[{"name": "c", "state": waiting}],
        initContainerStatuses=[{"name": "i", "state": {"waiting": {"reason": "PodInitializing"}}}],
    )
    assert read.waiting == (("PodInitializing", ""), ("ErrImagePull", "manifest unknown"))
    assert read.unschedulable == "0/3 nodes"
    assert not read.ready


def test_a_deployment_as_health_wants_it() -> None:
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    read = sight.deployment_seen(
        {
            "metadata": {"name": "d", "generation": 4},
            "spec": {"replicas": 3, "template": {"metadata": {"annotations": {WORKLOAD: "sha256:1"}}}},
            "status": {
                "observedGeneration": 3,
                "replicas": 5,
                "updatedReplicas": 2,
                "availableReplicas": 1,
                "conditions": [late],
            },
        }
    )
    assert read == serving.SeenDeployment(
        "d", 4, 3, replicas=3, total=5, updated=2, available=1, workload="sha256:1", deadline_exceeded="timed out"
    )


@pytest.mark.parametrize(
    ("phase", "finished"), [("Failed", True), ("Succeeded", True), ("Running", False), ("Pending", False)]
)
def test_a_pod_that_has_ended_is_known_as_such(phase: str, finished: bool) -> None:
    assert kept_pod(phase=phase, reason="Evicted").finished is finished


@pytest.mark.parametrize("nonsense", [{}, {"metadata": None, "spec": [], "status": "x"}, {"metadata": {"name": 7}}])
def test_objects_of_a_strange_shape_break_nothing(nonsense: dict[str, Any]) -> None:
    sight.pod_seen(kinds.pod_kept(nonsense))
    sight.deployment_seen(nonsense)
    inventory.accelerators([kinds.node_kept(nonsense)], [kinds.pod_kept(nonsense)], [kinds.whole_if_ours(nonsense)])
    kinds.whole_if_ours(nonsense)
    kinds.model_of(nonsense)


def labelled(**labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "x", "namespace": "retail-banking", "labels": labels}}


MODEL = builders.model_ref()
OWNERS: dict[str, tuple[dict[str, str], bool]] = {
    "its own": ({MODEL_LABEL: MODEL.name, MODEL_UID: MODEL.uid}, True),
    "one whose UID somebody took off": ({MODEL_LABEL: MODEL.name}, True),
    "one of an earlier model of that name": ({MODEL_LABEL: MODEL.name, MODEL_UID: "earlier"}, False),
    "one of another model": ({MODEL_LABEL: "other", MODEL_UID: MODEL.uid}, False),
    "nobody's": ({}, False),
}


@pytest.mark.parametrize(("labels", "its"), OWNERS.values(), ids=OWNERS.keys())
def test_whose_an_object_is(labels: dict[str, str], its: bool) -> None:
    assert kinds.belongs(labelled(**labels), MODEL) is its


def test_an_inference_service_that_lost_its_labels_is_still_the_models_if_domicile_applied_it() -> None:
    bare = {"metadata": {"name": MODEL.name, "namespace": MODEL.namespace}, "spec": {}}
    ours = {**bare, "metadata": {**bare["metadata"], "managedFields": [{"manager": "domicile", "operation": "Apply"}]}}
    edited = {
        **bare,
        "metadata": {**bare["metadata"], "managedFields": [{"manager": "domicile", "operation": "Update"}]},
    }
    assert kinds.belongs(kinds.whole_if_ours(ours), MODEL)
    for theirs in (bare, edited):
        kept = kinds.whole_if_ours(theirs)
        assert kinds.model_name_of(kept) is None
        assert "spec" not in kept


@pytest.mark.parametrize("changed", [MODEL_UID, MODEL_LABEL])
def test_an_inference_service_whose_labels_somebody_changed_is_still_the_models(changed: str) -> None:
    """The API server takes a changed field from the manager who applied it."""
    owned = {f"f:{label}": {} for label in (MODEL_LABEL, MODEL_UID) if label != changed}
    entry = {"manager": "domicile", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": owned}}}
    ours = labelled(**{MODEL_LABEL: MODEL.name, MODEL_UID: MODEL.uid, changed: "another"})
    ours["metadata"] |= {"name": MODEL.name, "managedFields": [entry]}
    assert kinds.belongs(kinds.whole_if_ours(ours), MODEL)
    assert kinds.may_write(ours, MODEL)


def test_an_inference_service_of_a_later_model_of_that_name_is_that_models() -> None:
    owned = {f"f:{label}": {} for label in (MODEL_LABEL, MODEL_UID)}
    entry = {"manager": "domicile", "operation": "Apply", "fieldsV1": {"f:metadata": {"f:labels": owned}}}
    theirs = labelled(**{MODEL_LABEL: MODEL.name, MODEL_UID: "later"})
    theirs["metadata"] |= {"name": MODEL.name, "managedFields": [entry]}
    assert not kinds.belongs(kinds.whole_if_ours(theirs), MODEL)
    assert not kinds.may_write(theirs, MODEL)


def test_no_right_on_a_member_names_secrets_roles_or_wildcards() -> None:
    """And of pods and Deployments only reading. What an InferenceService of any ServiceAccount amounts to, no rule says."""
    writes = {"create", "update", "patch", "delete", "deletecollection"}
    changing = {
        (group, resource): sorted(writes & set(rule["verbs"]))
        for rule in rbac.rules()
        for group in rule.get("apiGroups", [])
        for resource in rule.get("resources", [])
        if writes & set(rule["verbs"])
    }
    assert changing == {
        ("", "namespaces"): ["create", "patch"],
        ("", "resourcequotas"): ["create", "patch"],
        ("networking.k8s.io", "networkpolicies"): ["create", "delete", "patch"],
        ("apiextensions.k8s.io", "customresourcedefinitions"): ["create", "patch"],
        ("domicile.dev", "admissiongrants"): ["create", "patch"],
        ("domicile.dev", "hubclaims"): ["create", "patch"],
        ("admissionregistration.k8s.io", "validatingadmissionpolicies"): ["create", "patch"],
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): ["create", "patch"],
        ("", "serviceaccounts"): ["create", "delete", "patch"],
        ("serving.kserve.io", "inferenceservices"): ["create", "delete", "patch"],
        ("serving.kserve.io", "servingruntimes"): ["create", "delete", "patch"],
    }
    everything = str(rbac.cluster_role())
    for forbidden in ("*", "secrets", "escalate", "'bind'", "impersonate", "rolebindings", "exec", "token"):
        assert forbidden not in everything
