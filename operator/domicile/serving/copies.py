"""Whether as many copies as there must be run a workload, and none an older one: read from its Deployments and its pods."""

from collections.abc import Mapping

from domicile.serving.seen import SeenDeployment, SeenWorkload
from domicile.serving.workload import Workload


def complete(desired: Workload, seen: SeenWorkload) -> bool:
    """Whether the copies that must be are ready and run this workload, and no pod of another one takes part.

    Deployments and pods are watched apart, and either may lag: both have to say so.
    """
    deployments = current(desired, seen)
    live = [pod for pod in seen.pods if pod.live]
    return (
        bool(deployments)
        and all(pod.workload == desired.digest for pod in live)
        and sum(pod.ready for pod in live) >= _least(desired)
        and all(_rolled_out(deployment, desired) for deployment in deployments)
    )


def current(desired: Workload, seen: SeenWorkload) -> tuple[SeenDeployment, ...]:
    """The Deployments whose template is of this workload."""
    return tuple(deployment for deployment in seen.deployments if deployment.workload == desired.digest)


def autoscaled(desired: Workload) -> bool:
    """Whether the member's HorizontalPodAutoscaler says how many copies there are."""
    replicas = _replicas(desired)
    return replicas["minReplicas"] != replicas["maxReplicas"]


def _rolled_out(deployment: SeenDeployment, desired: Workload) -> bool:
    """As `kubectl rollout status` tells it. `available` alone counts pods of older templates too."""
    if deployment.total > deployment.updated or deployment.available < _least(desired):
        return False
    # Each step of an autoscaler is a generation and a number of copies that are not there yet: nothing of it takes away
    # from what serves, and a model must not stop being Ready because it grows.
    return autoscaled(desired) or (
        deployment.observed_generation >= deployment.generation
        and deployment.updated >= deployment.replicas
        and deployment.available >= deployment.updated
    )


def _least(desired: Workload) -> int:
    return _replicas(desired)["minReplicas"]


def _replicas(desired: Workload) -> Mapping[str, int]:
    return desired.inference_service["spec"]["predictor"]
