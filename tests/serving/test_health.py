"""Whether a model serves: only if KServe, the Deployment and the pods all say so, of this very workload."""

from typing import Any

import pytest

from builders import READY, model, seen_deployment, seen_object, seen_pod, seen_pods, seen_workload
from domicile import serving
from domicile.serving import Failing, Missing, Progressing, Serving

ONE = serving.workload(model(), {})
TWO = serving.workload(model(replicas={"min": 2}), {})
SCALED = serving.workload(model(replicas={"min": 1, "max": 4}), {})
OLD = "sha256:" + "0" * 64
ADDRESS = "http://fraud-scorer.retail-banking.svc.cluster.local"


def service(status: dict[str, Any] | None, **more: Any) -> serving.SeenObject:
    return seen_object(ONE.inference_service, **({} if status is None else {"status": status}), **more)


def condition(kind: str, status: str, reason: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": "pods x-7c9d-x2k4p"}]}


SERVING = {
    "one copy": (ONE, seen_workload(ONE)),
    "two copies": (TWO, seen_workload(TWO)),
    "a pod of an older workload on its way out": (
        ONE, seen_workload(ONE, pods=(seen_pod(ONE), seen_pod(ONE, workload=OLD, deleting=True,
                                                              waiting=(("CrashLoopBackOff", ""),)))),
    ),
    "pods that were evicted long ago, of this workload and of an older one": (
        ONE, seen_workload(ONE, pods=(
            seen_pod(ONE), seen_pod(ONE, ready=False, finished=True, restarts=2),
            seen_pod(ONE, workload=OLD, ready=False, finished=True),
        )),
    ),
    "a pod of its own on its way out": (
        ONE, seen_workload(ONE, pods=(seen_pod(ONE), seen_pod(ONE, ready=False, deleting=True,
                                                              waiting=(("CrashLoopBackOff", ""),)))),
    ),
    "restarted long ago, ready now": (ONE, seen_workload(ONE, pods=(seen_pod(ONE, restarts=9),))),
    "an old failure of the spec that is over": (
        ONE, seen_workload(ONE, inference_service=service(
            {**READY, "modelStatus": {"transitionStatus": "UpToDate", "lastFailureInfo": {"reason": "RuntimeDisabled"}}})),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("desired", "seen"), SERVING.values(), ids=SERVING.keys())
def test_serving(desired: serving.Workload, seen: serving.SeenWorkload) -> None:
    assert serving.health(desired, seen) == Serving(ADDRESS)


SHORT = condition("PredictorReady", "False", "MinimumReplicasUnavailable")
REFUSED = condition("PredictorReady", "False", "FailedCreate")
LATE = condition("PredictorReady", "False", "ProgressDeadlineExceeded")
MORE = seen_pod(SCALED, ready=False)

SCALING: dict[str, dict[str, Any]] = {
    "a copy more is asked for": {"deployment": {"generation": 3, "replicas": 2}},
    "that is observed": {"deployment": {"replicas": 2}, "status": SHORT},
    "the new copy is starting": {"deployment": {"replicas": 2, "updated": 2}, "pods": (MORE,), "status": SHORT},
    "the new copy serves": {"deployment": {"replicas": 2, "updated": 2, "available": 2}, "pods": seen_pods(SCALED, 1)},
    "a copy fewer is asked for": {"deployment": {"generation": 4, "updated": 2, "available": 2}, "pods": seen_pods(SCALED, 1)},
    "the surplus copy ends": {"pods": (seen_pod(SCALED, deleting=True),)},
    "the new copy finds no node": {
        "deployment": {"replicas": 2, "updated": 2}, "status": SHORT,
        "pods": (seen_pod(SCALED, ready=False, unschedulable="0/1 nodes are available: 1 x."),),
    },
    "the new copy is refused": {"deployment": {"replicas": 2}, "status": REFUSED},
    "the new copy found no node before the deadline": {
        "deployment": {"replicas": 2, "updated": 2, "deadline_exceeded": "x"}, "pods": (MORE,), "status": LATE,
    },
}  # fmt: skip


def scaling(
    *,
    deployment: dict[str, Any] | None = None,
    pods: tuple[serving.SeenPod, ...] = (),
    status: dict[str, Any] | None = None,
) -> serving.SeenWorkload:
    """One copy serves; what the autoscaler did since."""
    live = seen_object(SCALED.inference_service, status={**READY, **(status or {})})
    return seen_workload(
        SCALED,
        inference_service=live,
        deployments=(seen_deployment(SCALED, **(deployment or {})),),
        pods=(seen_pod(SCALED), *pods),
    )


@pytest.mark.parametrize("step", SCALING.values(), ids=SCALING.keys())
def test_an_autoscaler_at_work_takes_nothing_from_what_serves(step: dict[str, Any]) -> None:
    assert serving.health(SCALED, scaling(**step)) == Serving(ADDRESS)


NOT_ENOUGH: dict[str, serving.SeenWorkload] = {
    "fewer copies than must be": scaling(deployment={"replicas": 2, "updated": 2, "available": 0}),
    "a copy that the Deployment does not count yet": scaling(deployment={"available": 0}),
    "a copy that is counted and not seen to be ready": seen_workload(SCALED, pods=(seen_pod(SCALED, ready=False),)),
    "a new template that nobody has looked at": seen_workload(
        SCALED, deployments=(seen_deployment(SCALED, generation=3),), pods=(seen_pod(SCALED, workload=OLD),)
    ),
    "an old copy beside the new one": scaling(pods=(seen_pod(SCALED, workload=OLD),)),
    "an old copy that is counted and not seen any more": scaling(deployment={"total": 2, "updated": 1, "available": 2}),
    "no address yet": seen_workload(SCALED, inference_service=seen_object(SCALED.inference_service, status=SHORT)),
    "not Ready for another reason": scaling(status=condition("Ready", "False")),
    "not Ready for a reason that passed": scaling(status=condition("PredictorReady", "True", "FailedCreate")),
}


@pytest.mark.parametrize("seen", NOT_ENOUGH.values(), ids=NOT_ENOUGH.keys())
def test_an_autoscaler_excuses_no_less_than_the_least_number_of_copies(seen: serving.SeenWorkload) -> None:
    assert serving.health(SCALED, seen) == Progressing()


def test_without_an_autoscaler_too_few_copies_are_not_excused() -> None:
    short = service({**READY, **condition("PredictorReady", "False", "MinimumReplicasUnavailable")})
    assert serving.health(ONE, seen_workload(ONE, inference_service=short)) == Progressing()


PROGRESSING = {
    "nothing yet but the InferenceService": serving.SeenWorkload(inference_service=service(None)),
    "an older workload serves": seen_workload(
        ONE, inference_service=seen_object(serving.workload(model(runtime={"image": model().spec.runtime.image,
                                                                           "args": ["old"]}), {}).inference_service,
                                           status=READY),
    ),
    "an InferenceService that somebody stripped": seen_workload(
        ONE, inference_service=serving.SeenObject("InferenceService", "fraud-scorer", {"status": READY}),
    ),
    "Ready, and no Deployment": seen_workload(ONE, deployments=()),
    "Ready, and the Deployment has an older template": seen_workload(
        ONE, deployments=(seen_deployment(ONE, workload=OLD),)
    ),
    "Ready, and the Deployment is not looked at yet": seen_workload(
        ONE, deployments=(seen_deployment(ONE, observed_generation=1),)
    ),
    "Ready, and an old pod is still counted": seen_workload(
        ONE, deployments=(seen_deployment(ONE, total=2, updated=1, available=2),)
    ),
    "Ready, and an old pod is still seen": seen_workload(ONE, pods=(seen_pod(ONE), seen_pod(ONE, workload=OLD))),
    "Ready, and the only available pod is an old one": seen_workload(
        ONE, deployments=(seen_deployment(ONE, total=2, updated=1, available=1),),
        pods=(seen_pod(ONE, workload=OLD), seen_pod(ONE, ready=False, waiting=(("ContainerCreating", ""),))),
    ),
    "Ready, and its pod is not seen to be": seen_workload(ONE, pods=(seen_pod(ONE, ready=False),)),
    "Ready, and its pod is not seen yet": seen_workload(ONE, pods=()),
    "Ready, and its only pod was evicted": seen_workload(ONE, pods=(seen_pod(ONE, finished=True),)),
    "Ready, and none is available": seen_workload(ONE, deployments=(seen_deployment(ONE, available=0),)),
    "Ready, and another Deployment is left over": seen_workload(
        ONE, deployments=(seen_deployment(ONE), seen_deployment(ONE, name="old", workload=OLD))
    ),
    "all there, and not Ready": seen_workload(ONE, inference_service=service(condition("Ready", "False"))),
    "all there, and Ready unknown": seen_workload(ONE, inference_service=service(condition("Ready", "Unknown"))),
    "all there, and no word of Ready": seen_workload(ONE, inference_service=service({})),
    "a container is being made": seen_workload(
        ONE, deployments=(seen_deployment(ONE, available=0),),
        pods=(seen_pod(ONE, ready=False, waiting=(("ContainerCreating", ""),)),),
    ),
    "a container that was restarted once": seen_workload(
        ONE, deployments=(seen_deployment(ONE, available=0),), pods=(seen_pod(ONE, ready=False, restarts=1),)
    ),
    "the ServingRuntime is not in KServe's cache yet": seen_workload(
        ONE, deployments=(), inference_service=service(
            {"modelStatus": {"transitionStatus": "InvalidSpec", "lastFailureInfo": {"reason": "RuntimeNotRecognized"}}}),
    ),
    "too few pods, for a reason that passes": seen_workload(
        ONE, deployments=(), inference_service=service(condition("PredictorReady", "False", "MinimumReplicasUnavailable")),
    ),
    "a condition that was false for a reason we know, and is true": seen_workload(
        ONE, deployments=(), inference_service=service(condition("PredictorReady", "True", "FailedCreate")),
    ),
    "an older template missed its deadline": seen_workload(
        ONE, deployments=(seen_deployment(ONE, observed_generation=1, deadline_exceeded="x"),)
    ),
}  # fmt: skip


@pytest.mark.parametrize("seen", PROGRESSING.values(), ids=PROGRESSING.keys())
def test_progressing_always_says_the_same(seen: serving.SeenWorkload) -> None:
    assert serving.health(ONE, seen) == Progressing("Progressing", "waiting for the predictor to become ready")


def test_a_fixed_number_of_copies_is_complete_only_with_all_of_them() -> None:
    one_of_two = seen_workload(TWO, deployments=(seen_deployment(TWO, available=1),))
    assert serving.health(TWO, one_of_two) == Progressing()
    one_seen_of_two = seen_workload(TWO, pods=seen_pods(TWO, 1))
    assert serving.health(TWO, one_seen_of_two) == Progressing()
    surplus = seen_workload(ONE, deployments=(seen_deployment(ONE, replicas=2, updated=2, available=1),))
    assert serving.health(ONE, surplus) == Progressing()
    coming = seen_workload(ONE, deployments=(seen_deployment(ONE, replicas=2, updated=1),))
    assert serving.health(ONE, coming) == Progressing()


def test_missing() -> None:
    assert serving.health(ONE, serving.SeenWorkload()) == Missing("NotFound", "the InferenceService is not there")
    leaving = seen_workload(ONE, inference_service=service(READY, deleting=True))
    assert serving.health(ONE, leaving) == Missing("BeingDeleted", "the InferenceService is being deleted there")


def waiting(reason: str, message: str = "", **pod: Any) -> serving.SeenWorkload:
    return seen_workload(ONE, pods=(seen_pod(ONE, ready=False, waiting=((reason, message),), **pod),))


PULL = 'failed to pull and unpack image "r.sg/x@sha256:1d67": '
NO_PULL = "r.sg/x@sha256:1d67 cannot be pulled: "
CRASHES = "a container ends soon after its start, again and again: see its log on the member"
UNTOLD = "see the pod's events on the member"

FAILING: dict[str, tuple[serving.SeenWorkload, str, str]] = {
    "no such digest": (waiting("ErrImagePull", PULL + "r.sg/x: not found"), "ImagePullBackOff", NO_PULL + "it is not in the registry"),
    "the same, at a later try": (
        waiting("ImagePullBackOff", 'Back-off pulling image "r.sg/x@sha256:1d67": ErrImagePull: ' + PULL + "not found"),
        "ImagePullBackOff", NO_PULL + "it is not in the registry",
    ),
    "credentials": (waiting("ErrImagePull", PULL + "401 Unauthorized"), "ImagePullBackOff",
                    NO_PULL + "the registry refuses the member's credentials"),
    "a signature": (waiting("ErrImagePull", PULL + "image verifier bindir blocked pull: no signatures found"),
                    "ImagePullBackOff", NO_PULL + "the node's image verifier refuses it"),
    "a certificate": (waiting("ErrImagePull", PULL + "tls: failed to verify certificate: x509: unknown authority"),
                      "ImagePullBackOff", NO_PULL + "the node does not trust the registry's certificate"),
    "no answer": (waiting("ErrImagePull", PULL + "dial tcp 10.0.0.1:443: connect: connection refused"),
                  "ImagePullBackOff", NO_PULL + "the registry does not answer"),
    "a full disk": (waiting("ErrImagePull", PULL + "no space left on device"), "ImagePullBackOff",
                    NO_PULL + "the node's disk is full"),
    "something else": (waiting("ErrImagePull", "rpc error"), "ImagePullBackOff", f"an image cannot be pulled: {UNTOLD}"),
    "a bad reference": (waiting("InvalidImageName", "x"), "InvalidImageName", "the reference of an image is not valid on the member"),
    "runs as root": (
        waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root (pod: x-7c9d)"),
        "CreateContainerConfigError",
        "a container cannot be started: the image runs as root or names its user by name: it needs a numeric USER other than 0",
    ),
    "no such command": (
        waiting("RunContainerError", 'exec: "serve": executable file not found in $PATH'), "RunContainerError",
        "a container cannot be started: its command is not in the image",
    ),
    "cannot be made": (waiting("CreateContainerError", "x"), "CreateContainerError", f"a container cannot be started: {UNTOLD}"),
    "crashes": (waiting("CrashLoopBackOff", "back-off 10s restarting failed container=x pod=y"), "CrashLoopBackOff", CRASHES),
    "crashes, back-off longer": (waiting("CrashLoopBackOff", "back-off 5m0s restarting failed"), "CrashLoopBackOff", CRASHES),
    "crashes, and runs just now": (
        seen_workload(ONE, pods=(seen_pod(ONE, ready=False, restarts=2),)), "CrashLoopBackOff", CRASHES,
    ),
    "no node": (
        seen_workload(ONE, deployments=(seen_deployment(ONE, available=0),), pods=(seen_pod(
            ONE, ready=False,
            unschedulable="0/3 nodes are available: 2 node(s) didn't match Pod's node affinity/selector,"
            " 1 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available: 1 No preemption victims found."),)),
        "Unschedulable",
        "no node takes the pod: Insufficient nvidia.com/gpu; node(s) didn't match Pod's node affinity/selector",
    ),
    "no node, in words unknown": (
        seen_workload(ONE, deployments=(), pods=(seen_pod(ONE, ready=False, unschedulable="pod 7c9d is gated"),)),
        "Unschedulable", f"no node takes the pod: {UNTOLD}",
    ),
    "a rolling update that finds no node": (
        seen_workload(
            ONE, deployments=(seen_deployment(ONE, total=2, updated=1, available=1),),
            pods=(seen_pod(ONE, workload=OLD), seen_pod(ONE, ready=False, node="",
                  unschedulable="0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")),
        ),
        "Unschedulable", "no node takes the pod: Insufficient nvidia.com/gpu",
    ),
    "the deadline": (
        seen_workload(ONE, deployments=(seen_deployment(ONE, available=0, deadline_exceeded='ReplicaSet "x-7c9d"'),)),
        "ProgressDeadlineExceeded", "the pods did not become ready within the deadline",
    ),
    "pods are refused": (
        seen_workload(ONE, deployments=(), inference_service=service(condition("PredictorReady", "False", "FailedCreate"))),
        "PodsRefused", "the member's API server refuses the pods: see the events of the ReplicaSet there",
    ),
    "KServe cannot": (
        seen_workload(ONE, deployments=(), inference_service=service(condition("PredictorReady", "False", "ReconcileFailed"))),
        "ReconcileFailed", "KServe cannot make the Deployment: see the InferenceService's status there",
    ),
    "a format that the runtime does not know": (
        seen_workload(ONE, deployments=(), inference_service=service({"modelStatus": {
            "transitionStatus": "InvalidSpec",
            "lastFailureInfo": {"reason": "NoSupportingRuntime", "message": "Specified runtime does not support"}}})),
        "NoSupportingRuntime", "Specified runtime does not support",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "reason", "message"), FAILING.values(), ids=FAILING.keys())
def test_failing_says_why_in_words_that_stay(seen: serving.SeenWorkload, reason: str, message: str) -> None:
    assert serving.health(ONE, seen) == Failing(reason, message)


def test_of_several_faults_the_one_nearest_to_the_cause_is_told_whatever_the_order() -> None:
    pods = (
        seen_pod(ONE, ready=False, unschedulable="0/1 nodes are available: 1 Insufficient cpu."),
        seen_pod(ONE, ready=False, waiting=(("PodInitializing", ""), ("ErrImagePull", PULL + "not found"))),
        seen_pod(ONE, ready=False, restarts=5),
    )
    late = (seen_deployment(ONE, available=0, deadline_exceeded="x"),)
    for ordered in (pods, pods[::-1]):
        found = serving.health(ONE, seen_workload(ONE, deployments=late, pods=ordered))
        assert found == Failing("ImagePullBackOff", NO_PULL + "it is not in the registry")


def test_ready_says_nothing_while_a_pod_of_this_workload_crashes() -> None:
    """As KServe does in a rolling update: the old pods keep the InferenceService Ready."""
    seen = seen_workload(
        ONE,
        deployments=(seen_deployment(ONE, total=2, updated=1, available=1),),
        pods=(
            seen_pod(ONE, workload=OLD),
            seen_pod(ONE, ready=False, waiting=(("CrashLoopBackOff", "back-off 20s"),)),
        ),
    )
    assert isinstance(serving.health(ONE, seen), Failing)


ENDPOINTS = {
    "the address": (READY, ADDRESS),
    "the URL where there is no address": (
        {"conditions": READY["conditions"], "url": "http://fraud.example"}, "http://fraud.example",
    ),
    "the Service of the predictor where KServe says nothing": (
        {"conditions": READY["conditions"]}, "http://fraud-scorer-predictor.retail-banking.svc.cluster.local",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "endpoint"), ENDPOINTS.values(), ids=ENDPOINTS.keys())
def test_where_it_answers(status: dict[str, Any], endpoint: str) -> None:
    assert serving.health(ONE, seen_workload(ONE, inference_service=service(status))) == Serving(endpoint)


FULL = "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector."
UNPLACED = seen_pod(ONE, ready=False, node="", unschedulable=FULL)

STARVED: dict[str, tuple[tuple[serving.SeenPod, ...], bool]] = {
    "no pods": ((), False),
    "a pod that runs": ((seen_pod(ONE),), False),
    "a pod that has a node and is not ready": ((seen_pod(ONE, ready=False),), False),
    "a pod that nobody has looked at": ((seen_pod(ONE, ready=False, node=""),), False),
    "a pod that finds no processor": (
        (seen_pod(ONE, ready=False, node="", unschedulable="0/1 nodes are available: 1 Insufficient cpu."),), False,
    ),
    "a pod that finds no accelerators": ((UNPLACED,), True),
    "several": ((UNPLACED, UNPLACED), True),
    "a pod that has just got a node": ((seen_pod(ONE, ready=False, unschedulable=FULL),), False),
    "one of two has a node": ((UNPLACED, seen_pod(ONE, ready=False)), False),
    "an update finds none, the old pod has some": ((UNPLACED, seen_pod(ONE, workload=OLD)), False),
    "what is left of another pod does not count": (
        (UNPLACED, seen_pod(ONE, finished=True), seen_pod(ONE, deleting=True)), True,
    ),
    "nothing but what is left": ((seen_pod(ONE, finished=True, node="", unschedulable=FULL),), False),
}  # fmt: skip


@pytest.mark.parametrize(("pods", "starved"), STARVED.values(), ids=STARVED.keys())
def test_a_model_is_starved_where_no_pod_of_it_gets_accelerators(
    pods: tuple[serving.SeenPod, ...], starved: bool
) -> None:
    assert seen_workload(ONE, pods=pods).starved is starved
