"""Whether a model serves on a member, read from the InferenceService, its Deployment and its pods together.

KServe's Ready alone is not believed: it stays True while the pods of a new workload crash, its observedGeneration is the
Deployment's, and a digest that does not exist stays Pending for ever. Every text here is the same as long as the cause is
the same: each change of it would be a write on the hub.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domicile.serving import pods
from domicile.serving.pods import Fault
from domicile.serving.seen import SeenDeployment, SeenWorkload
from domicile.serving.workload import WORKLOAD, Workload

# Reasons of status.modelStatus.lastFailureInfo that time does not heal. RuntimeNotRecognized is none of them: KServe's
# cache may see the InferenceService before its ServingRuntime.
_SPEC_FAILURES = frozenset({"NoSupportingRuntime", "RuntimeDisabled", "InvalidPredictorSpec"})
_CONDITION_FAILURES = {
    # reason of the condition PredictorReady: ours, and for people
    "FailedCreate": ("PodsRefused", "the member's API server refuses the pods: see the events of the ReplicaSet there"),
    "ReconcileFailed": (
        "ReconcileFailed",
        "KServe cannot make the Deployment: see the InferenceService's status there",
    ),
}


@dataclass(frozen=True)
class Serving:
    """All copies run the workload, and answer."""

    endpoint: str
    reason: str = "Serving"
    message: str = "the predictor is ready"


@dataclass(frozen=True)
class Progressing:
    """Not yet, and nothing says that it will not come."""

    reason: str = "Progressing"
    message: str = "waiting for the predictor to become ready"


@dataclass(frozen=True)
class Failing:
    """Something is wrong that waiting hardly mends."""

    reason: str
    message: str


@dataclass(frozen=True)
class Missing:
    """There is no InferenceService, or it is on its way out."""

    reason: str
    message: str


Health = Serving | Progressing | Failing | Missing


def health(desired: Workload, seen: SeenWorkload) -> Health:
    """How `desired` fares on the member."""
    service = seen.inference_service
    if service is None:
        return Missing("NotFound", "the InferenceService is not there")
    if service.deleting:
        return Missing("BeingDeleted", "the InferenceService is being deleted there")
    if _annotation(service.manifest) != desired.digest:
        return Progressing()  # What is seen of it is of an older workload.
    status: Mapping[str, Any] = service.manifest.get("status", {})
    current = tuple(deployment for deployment in seen.deployments if deployment.workload == desired.digest)
    complete = bool(current) and all(_complete(deployment, desired) for deployment in current)
    faults = sorted(_faults(desired, seen, status, current, complete))
    if faults:
        return Failing(faults[0].reason, faults[0].message)
    if complete and len(current) == len(seen.deployments) and _ready(status):
        return Serving(_endpoint(status, service.name, desired.model.namespace))
    return Progressing()


def _complete(deployment: SeenDeployment, desired: Workload) -> bool:
    """Whether all pods are of this workload and as many as must be are available."""
    replicas: Mapping[str, int] = desired.inference_service["spec"]["predictor"]
    fixed = replicas["minReplicas"] == replicas["maxReplicas"]
    return (
        deployment.observed_generation == deployment.generation
        and deployment.updated == deployment.replicas
        and deployment.available >= replicas["minReplicas"]
        # With an autoscaler a copy that is just being added takes nothing from those that serve.
        and (deployment.available == deployment.replicas or not fixed)
    )


def _faults(
    desired: Workload,
    seen: SeenWorkload,
    status: Mapping[str, Any],
    current: tuple[SeenDeployment, ...],
    complete: bool,
) -> Iterator[Fault]:
    """Everything that is wrong. The least is the one nearest to the cause."""
    for pod in seen.pods:
        if pod.workload == desired.digest and not pod.deleting:
            yield from pods.faults(pod, spare=complete)
    yield from _spec_fault(status)
    yield from _condition_fault(status)
    for deployment in current:
        if deployment.deadline_exceeded and deployment.observed_generation == deployment.generation:
            yield Fault(pods.LATEST, "ProgressDeadlineExceeded", "the pods did not become ready within the deadline")


def _spec_fault(status: Mapping[str, Any]) -> Iterator[Fault]:
    model: Mapping[str, Any] = status.get("modelStatus", {})
    failure: Mapping[str, Any] = model.get("lastFailureInfo", {})
    # lastFailureInfo stays when the failure is over; transitionStatus does not.
    if model.get("transitionStatus") == "InvalidSpec" and failure.get("reason") in _SPEC_FAILURES:
        yield Fault(pods.LATEST - 1, str(failure["reason"]), str(failure.get("message", "KServe gives no message")))


def _condition_fault(status: Mapping[str, Any]) -> Iterator[Fault]:
    condition = _condition(status, "PredictorReady")
    known = _CONDITION_FAILURES.get(str(condition.get("reason")))
    if known is not None and condition.get("status") == "False":
        yield Fault(pods.LATEST - 1, *known)


def _ready(status: Mapping[str, Any]) -> bool:
    return _condition(status, "Ready").get("status") == "True"


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions: list[Mapping[str, Any]] = status.get("conditions", [])
    none: Mapping[str, Any] = {}
    return next((condition for condition in conditions if condition.get("type") == kind), none)


def _endpoint(status: Mapping[str, Any], name: str, namespace: str) -> str:
    address: Mapping[str, Any] = status.get("address", {})
    return str(address.get("url") or status.get("url") or f"http://{name}-predictor.{namespace}.svc.cluster.local")


def _annotation(manifest: Mapping[str, Any]) -> str:
    annotations: Mapping[str, str] = manifest.get("metadata", {}).get("annotations", {})
    return annotations.get(WORKLOAD, "")
