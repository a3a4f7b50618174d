"""Whether a model serves on a member, read from the InferenceService, its Deployment and its pods together.

KServe's Ready alone is not believed: it stays True while the pods of a new workload crash, its observedGeneration is the
Deployment's, and a digest that does not exist stays Pending for ever. Every text here is the same as long as the cause is
the same: each change of it would be a write on the hub.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from domicile.serving import copies, pods
from domicile.serving.pods import Fault
from domicile.serving.seen import SeenDeployment, SeenWorkload
from domicile.serving.workload import WORKLOAD, Workload

# Reasons of status.modelStatus.lastFailureInfo that time does not heal. RuntimeNotRecognized is none of them: KServe's
# cache may see the InferenceService before its ServingRuntime.
_SPEC_FAILURES = frozenset({"NoSupportingRuntime", "RuntimeDisabled", "InvalidPredictorSpec"})
_REFUSED = "FailedCreate"
_SHORT_OF_COPIES = frozenset({"MinimumReplicasUnavailable", "ProgressDeadlineExceeded", _REFUSED})
"""Reasons of the condition PredictorReady that KServe copies from the Deployment: there are fewer copies than it asks for."""
_CONDITION_FAILURES = {
    # reason of the condition PredictorReady: ours, and for people
    _REFUSED: ("PodsRefused", "the member's API server refuses the pods: see the events of the ReplicaSet there"),
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
    current = copies.current(desired, seen)
    complete = copies.complete(desired, seen)
    faults = sorted(_faults(desired, seen, status, current, complete))
    if faults:
        return Failing(faults[0].reason, faults[0].message)
    if complete and len(current) == len(seen.deployments) and _ready(status, desired):
        return Serving(_endpoint(status, service.name, desired.model.namespace))
    return Progressing()


def _faults(
    desired: Workload,
    seen: SeenWorkload,
    status: Mapping[str, Any],
    current: tuple[SeenDeployment, ...],
    complete: bool,
) -> Iterator[Fault]:
    """Everything that is wrong. The least is the one nearest to the cause. Where all copies that must be are there, it
    does not matter that a further one cannot be."""
    for pod in seen.pods:
        # An evicted pod stays as an object, and another has taken its place.
        if pod.workload == desired.digest and pod.live:
            yield from pods.faults(pod, spare=complete)
    yield from _spec_fault(status)
    yield from _condition_fault(status, spare=complete)
    for deployment in current:
        late = deployment.deadline_exceeded and deployment.observed_generation >= deployment.generation
        if late and not complete:
            yield Fault(pods.LATEST, "ProgressDeadlineExceeded", "the pods did not become ready within the deadline")


def _spec_fault(status: Mapping[str, Any]) -> Iterator[Fault]:
    model: Mapping[str, Any] = status.get("modelStatus", {})
    failure: Mapping[str, Any] = model.get("lastFailureInfo", {})
    # lastFailureInfo stays when the failure is over; transitionStatus does not.
    if model.get("transitionStatus") == "InvalidSpec" and failure.get("reason") in _SPEC_FAILURES:
        yield Fault(pods.LATEST - 1, str(failure["reason"]), str(failure.get("message", "KServe gives no message")))


def _condition_fault(status: Mapping[str, Any], *, spare: bool) -> Iterator[Fault]:
    condition = _condition(status, "PredictorReady")
    reason = str(condition.get("reason"))
    known = _CONDITION_FAILURES.get(reason)
    if known is not None and condition.get("status") == "False" and not (spare and reason == _REFUSED):
        yield Fault(pods.LATEST - 1, *known)


def _ready(status: Mapping[str, Any], desired: Workload) -> bool:
    """Whether KServe says so; or says only that copies are missing which an autoscaler has just asked for. The copies are
    counted here, and the address shows that the rest was there before."""
    if _condition(status, "Ready").get("status") == "True":
        return True
    predictor = _condition(status, "PredictorReady")
    short = predictor.get("status") == "False" and predictor.get("reason") in _SHORT_OF_COPIES
    return copies.autoscaled(desired) and short and bool(_address(status))


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions: list[Mapping[str, Any]] = status.get("conditions", [])
    none: Mapping[str, Any] = {}
    return next((condition for condition in conditions if condition.get("type") == kind), none)


def _endpoint(status: Mapping[str, Any], name: str, namespace: str) -> str:
    return _address(status) or f"http://{name}-predictor.{namespace}.svc.cluster.local"


def _address(status: Mapping[str, Any]) -> str:
    address: Mapping[str, Any] = status.get("address", {})
    return str(address.get("url") or status.get("url") or "")


def _annotation(manifest: Mapping[str, Any]) -> str:
    annotations: Mapping[str, str] = manifest.get("metadata", {}).get("annotations", {})
    return annotations.get(WORKLOAD, "")
