"""What somebody changes on a member: of ours it is repaired, within about a second; what is not ours is left alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from fleet import audit
from fleet.world import Object, OperatorProcess, World, eventually, policy

SEEN_WITHIN = 3.0
"""Seconds from a change on the member to the operator's answer. One is the target; the machine of the tests is shared."""
SERVICE = "/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/scorer"
RUNTIME = "/apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes/scorer"
ACCOUNT = "/api/v1/namespaces/{namespace}/serviceaccounts/scorer"
OTHER_IMAGE = "registry.example/serving/other@sha256:" + "ef" * 32


@pytest.fixture(scope="module")
def placed(world: World, _shared_operator: OperatorProcess) -> Iterator[str]:
    """The namespace of a model that serves in Singapore, for all tests that leave it as they found it."""
    with world.a_model_in_singapore("drift", _shared_operator) as name:
        yield name


@dataclass(frozen=True)
class Change:
    """What somebody with all rights and Domicile's own identity does on the member; `to` None means that an administrator deletes it."""

    path: str
    to: Mapping[str, Any] | None

    def make(self, world: World, namespace: str) -> None:
        path = self.path.format(namespace=namespace)
        if self.to is None:
            world.intruder("sg", "administrator").delete(path)
        else:
            world.intruder("sg").merge(path, dict(self.to))


def predictor(**fields: Any) -> Mapping[str, Any]:
    return {"spec": {"predictor": fields}}


REPAIRED: Mapping[str, Change] = {
    "another artifact": Change(SERVICE, predictor(model={"storageUri": f"oci://{OTHER_IMAGE}"})),
    "more replicas": Change(SERVICE, predictor(minReplicas=3, maxReplicas=3)),
    "the model's label taken off": Change(SERVICE, {"metadata": {"labels": {"domicile.dev/model": None}}}),
    "the InferenceService deleted": Change(SERVICE, None),
    "another image of the server": Change(
        RUNTIME, {"spec": {"containers": [{"name": "kserve-container", "image": OTHER_IMAGE}]}}
    ),
    "a second container in the runtime": Change(
        RUNTIME,
        {
            "spec": {
                "containers": [
                    {"name": "kserve-container", "image": OTHER_IMAGE},
                    {"name": "side", "image": OTHER_IMAGE},
                ]
            }
        },
    ),
    "the ServingRuntime deleted": Change(RUNTIME, None),
    "the ServiceAccount deleted": Change(ACCOUNT, None),
}


@pytest.mark.parametrize("change", REPAIRED.values(), ids=REPAIRED)
def test_repaired(change: Change, world: World, placed: str, operator: OperatorProcess) -> None:
    path = change.path.format(namespace=placed)
    world.ready(placed, on="sg")
    before, mark = world.member("sg").get(path), audit.size(log(world))
    change.make(world, placed)
    eventually(lambda: _ours(world.member("sg").find(path)) == _ours(before), within=20, what=f"{path} is as it was")
    kind = path.split("/")[-2]
    took = _seconds(world, mark, placed, kind)
    print(f"repaired after {took:.2f} s")
    assert took < SEEN_WITHIN
    world.ready(placed, on="sg", within=30)


def test_a_node_selector_of_ours_is_repaired(world: World, placed: str, operator: OperatorProcess) -> None:
    world.model(placed, "with-gpu", resources={"accelerators": {"count": 1}})
    try:
        world.ready(placed, "with-gpu")
        path = SERVICE.format(namespace=placed).replace("scorer", "with-gpu")
        right = world.member("sg").get(path)["spec"]["predictor"]["nodeSelector"]
        mark = audit.size(log(world))
        world.intruder("sg").merge(path, dict(predictor(nodeSelector={"nvidia.com/gpu.product": "another"})))
        eventually(
            lambda: world.member("sg").get(path)["spec"]["predictor"]["nodeSelector"] == right,
            within=20,
            what=f"the node selector is {right}",
        )
        took = _seconds(world, mark, placed, "inferenceservices", "with-gpu")
        print(f"repaired after {took:.2f} s")
        assert took < SEEN_WITHIN
    finally:
        world.delete(placed, "with-gpu")
        world.gone(placed, "with-gpu")


def test_what_others_add_is_theirs(world: World, placed: str, operator: OperatorProcess) -> None:
    """Annotations, labels and fields that Domicile does not set stay through a repair."""
    path = SERVICE.format(namespace=placed)
    theirs: Mapping[str, Any] = {
        "metadata": {"annotations": {"team.example/on-call": "ana"}, "labels": {"team.example/tier": "gold"}},
        **predictor(timeout=42),
    }
    mark = audit.size(log(world))
    world.intruder("sg").merge(path, dict(theirs))
    # A repair of the same object comes after it, so that its absence is not just slowness.
    world.intruder("sg").merge(path, dict(predictor(minReplicas=2, maxReplicas=2)))
    eventually(
        lambda: world.member("sg").get(path)["spec"]["predictor"]["minReplicas"] == 1, within=20, what="it is repaired"
    )
    live = world.member("sg").get(path)
    assert live["metadata"]["annotations"]["team.example/on-call"] == "ana"
    assert live["metadata"]["labels"]["team.example/tier"] == "gold"
    assert live["spec"]["predictor"]["timeout"] == 42
    repairs = [w for w in audit.accepted(audit.writes(log(world), since=mark)) if w.namespace == placed]
    assert [(w.verb, w.resource) for w in repairs] == [("patch", "inferenceservices")]


def test_an_inference_service_of_that_name_that_is_not_ours(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    sg = world.intruder("sg")
    sg.create(_namespace(hub_namespace, {"domicile.dev/managed": "true"}))
    foreign = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "scorer", "namespace": hub_namespace},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "image": OTHER_IMAGE}]}},
    }
    sg.create(foreign)
    before, mark = sg.get(SERVICE.format(namespace=hub_namespace)), audit.size(log(world))
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    said = world.reports(hub_namespace, "Placed", "NoAbleCluster")
    model = world.get(hub_namespace) or {}
    reasons = {row["cluster"]: (row["reason"], row["message"]) for row in model["status"]["exclusions"]}
    assert reasons["sg"] == (
        "NameTaken",
        (
            f"an InferenceService {hub_namespace}/scorer is there and was not made by Domicile:"
            " remove it there, or give the model another name"
        ),
    )
    assert "was not made by Domicile" in said["message"]
    world.delete(hub_namespace)
    world.gone(hub_namespace)
    _untouched(before, sg.get(SERVICE.format(namespace=hub_namespace)))
    assert _of_namespace(world, mark, hub_namespace) == []


def test_a_namespace_that_is_not_ours(world: World, hub_namespace: str, operator: OperatorProcess) -> None:
    sg = world.member("sg")
    sg.create(_namespace(hub_namespace))
    sg.create(_config_map(hub_namespace))
    before, mark = sg.get(f"/api/v1/namespaces/{hub_namespace}"), audit.size(log(world))
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.reports(hub_namespace, "Placed", "NoAbleCluster")
    model = world.get(hub_namespace) or {}
    reasons = {row["cluster"]: (row["reason"], row["message"]) for row in model["status"]["exclusions"]}
    assert reasons["sg"] == (
        "NamespaceNotOwned",
        (
            f"namespace {hub_namespace} is there and was not made by Domicile, which takes none over:"
            " rename or remove it there, or use another namespace on the hub"
        ),
    )
    world.delete(hub_namespace)
    world.gone(hub_namespace)
    assert sg.get(f"/api/v1/namespaces/{hub_namespace}") == before
    assert _of_namespace(world, mark, hub_namespace) == []


def test_what_customers_have_beside_the_model_outlives_it(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    sg = world.member("sg")
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace)
    # One of them even with the model's own label.
    sg.create(_config_map(hub_namespace, {"domicile.dev/model": "scorer"}))
    sg.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "customers", "namespace": hub_namespace},
            "stringData": {"key": "value"},
        }
    )
    paths = [f"/api/v1/namespaces/{hub_namespace}/{kind}/customers" for kind in ("configmaps", "secrets")]
    before = [sg.get(path) for path in paths]
    world.delete(hub_namespace)
    world.gone(hub_namespace)
    assert world.left("sg", hub_namespace) == []
    assert [sg.get(path) for path in paths] == before


@dataclass(frozen=True)
class Illness:
    """What a kubelet says of a container, and what the model's user is told."""

    waiting: Mapping[str, str]
    restarts: int
    reason: str
    message: str


ILLNESSES: Mapping[str, Illness] = {
    "an image that cannot be pulled": Illness(
        {
            "reason": "ErrImagePull",
            "message": f'failed to pull image "{OTHER_IMAGE}": rpc error: code = NotFound desc = not found',
        },
        0,
        "ImagePullBackOff",
        f"sg: {OTHER_IMAGE} cannot be pulled: it is not in the registry",
    ),
    "a container that crashes again and again": Illness(
        {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"},
        4,
        "CrashLoopBackOff",
        "sg: a container ends soon after its start, again and again: see its log on the member",
    ),
}


@pytest.mark.parametrize("illness", ILLNESSES.values(), ids=ILLNESSES)
def test_a_pod_falls_ill_and_recovers(illness: Illness, world: World, placed: str, operator: OperatorProcess) -> None:
    world.ready(placed, on="sg")
    marks = audit.size(log(world)), audit.size(world.fleet.hub.audit_log)
    pod = world.pods(placed)[0]
    _say(world, pod, illness)
    try:
        said = world.reports(placed, "Available", illness.reason, within=10)
        assert (said["status"], said["message"]) == ("False", illness.message)
        fell_ill = [
            w for w in audit.writes(log(world), since=marks[0], user=audit.INTRUDER) if w.resource == "pods/status"
        ]
        told = [w for w in audit.writes(world.fleet.hub.audit_log, since=marks[1]) if w.namespace == placed]
        took = (told[0].at - fell_ill[0].at).total_seconds()
        print(f"on the hub after {took:.2f} s")
        assert took < SEEN_WITHIN
        # The event comes after the status that it is about.
        warned = eventually(
            lambda: [e for e in world.events(placed) if (e["type"], e["reason"]) == ("Warning", illness.reason)],
            within=10,
            what=f"an event for {illness.reason}",
        )
        assert [e["note"] for e in warned] == [illness.message]
    finally:
        # Somebody restarts it: the ReplicaSet makes a new one.
        world.member("sg").delete(f"/api/v1/namespaces/{placed}/pods/{pod['metadata']['name']}")
    world.ready(placed, on="sg", within=30)


# How the tests look.


def log(world: World):
    return world.fleet.regions["sg"].audit_log


def _ours(live: Object | None) -> Object | None:
    """The parts that Domicile writes."""
    if live is None or "deletionTimestamp" in live["metadata"]:
        return None
    labels = {key: value for key, value in live["metadata"]["labels"].items() if key.startswith("domicile.dev/")}
    return {"labels": labels, "spec": live.get("spec")}


def _seconds(world: World, mark: int, namespace: str, kind: str, name: str = "scorer") -> float:
    """From the foreign write to the operator's next one of the same object, by the member's own clock."""

    def at(user: str, after: datetime | None = None) -> list[datetime]:
        writes = audit.accepted(audit.writes(log(world), since=mark, user=user), kind)
        return [w.at for w in writes if (w.namespace, w.name) == (namespace, name) and (not after or w.at > after)]

    changed = at(audit.INTRUDER)[0]
    repaired = eventually(lambda: at(audit.OPERATOR, changed), within=5, what=f"a repair of {kind} in the audit log")
    return (repaired[0] - changed).total_seconds()


def _of_namespace(world: World, mark: int, namespace: str) -> list[str]:
    """What the operator wrote, or tried to, in a namespace of the member or to it."""
    return [str(w) for w in audit.writes(log(world), since=mark) if namespace in (w.namespace, w.name)]


def _untouched(before: Object, after: Object) -> None:
    """Spec, labels, annotations and identity are as they were; its status is KServe's own doing."""
    for part in ("uid", "generation", "labels", "annotations"):
        assert after["metadata"].get(part) == before["metadata"].get(part)
    assert after["spec"] == before["spec"]
    assert "domicile" not in {entry["manager"] for entry in after["metadata"]["managedFields"]}


def _namespace(name: str, labels: Mapping[str, str] | None = None) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def _config_map(namespace: str, labels: Mapping[str, str] | None = None) -> Object:
    meta = {"name": "customers", "namespace": namespace, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"key": "value"}}


def _say(world: World, pod: Object, illness: Illness) -> None:
    """As a kubelet would say it. kwok makes a pod ready once, and then leaves its status alone."""
    statuses = [
        {
            **status,
            "ready": False,
            "started": False,
            "restartCount": illness.restarts,
            "state": {"waiting": dict(illness.waiting)},
        }
        for status in pod["status"]["containerStatuses"]
    ]
    conditions = [
        {**c, "status": "False", "reason": "ContainersNotReady"} if c["type"] in ("Ready", "ContainersReady") else c
        for c in pod["status"]["conditions"]
    ]
    meta = pod["metadata"]
    world.intruder("sg", "kubelet", "system:nodes").merge(
        f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status",
        {"status": {"containerStatuses": statuses, "conditions": conditions}},
    )
