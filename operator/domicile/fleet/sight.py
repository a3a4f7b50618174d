"""From a member's objects to what was seen of a model: pods and Deployments parsed, the rest by name. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from domicile.fleet.kinds import COMPANIONS, FINISHED, INFERENCE_SERVICES, KIND, OTHERS, PODS, deleting
from domicile.kube import DEPLOYMENTS, Object, Resource, shape
from domicile.serving.seen import SeenDeployment, SeenObject, SeenPod, SeenWorkload
from domicile.serving.workload import WORKLOAD

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def workload_seen(objects: Mapping[Resource, Sequence[Object]], granted: Object | None = None) -> SeenWorkload:
    """One model's objects by kind, as a SeenWorkload. A second object of a written kind is listed among the others."""
    services = objects.get(INFERENCE_SERVICES, ())
    companions = {KIND[kind]: _object(kind, found[0]) for kind in COMPANIONS if (found := objects.get(kind, ()))}
    surplus = [(kind, found) for kind in (INFERENCE_SERVICES, *COMPANIONS) for found in objects.get(kind, ())[1:]]
    others = [(kind, found) for kind in OTHERS for found in objects.get(kind, ())]
    return SeenWorkload(
        inference_service=_object(INFERENCE_SERVICES, services[0]) if services else None,
        companions=companions,
        deployments=tuple(deployment_seen(found) for found in objects.get(DEPLOYMENTS, ())),
        pods=tuple(pod_seen(found) for found in objects.get(PODS, ())),
        granted=granted,
        others=tuple(f"{KIND[kind]}/{name_of(found)}" for kind, found in (*surplus, *others)),
    )


def pod_seen(manifest: Object) -> SeenPod:
    """A pod, as `kinds.pod_kept` keeps it or whole."""
    metadata, status = shape.metadata(manifest), shape.mapping(manifest.get("status"))
    conditions = {shape.text(c.get("type")): c for c in shape.mappings(status.get("conditions"))}
    scheduled = conditions.get("PodScheduled", {})
    unschedulable = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    return SeenPod(
        name=name_of(manifest),
        node=shape.text(shape.mapping(manifest.get("spec")).get("nodeName")),
        ready=conditions.get("Ready", {}).get("status") == "True",
        created=_moment(metadata.get("creationTimestamp")),
        waiting=_waiting(status),
        unschedulable=shape.text(scheduled.get("message")) if unschedulable else "",
        workload=shape.text(shape.mapping(metadata.get("annotations")).get(WORKLOAD)),
        deleting=deleting(manifest),
        finished=status.get("phase") in FINISHED,
        restarts=sum(shape.number(container.get("restartCount")) for container in _containers(status)),
    )


def deployment_seen(manifest: Object) -> SeenDeployment:
    """A Deployment."""
    spec, status = shape.mapping(manifest.get("spec")), shape.mapping(manifest.get("status"))
    template = shape.metadata(shape.mapping(spec.get("template")))
    late = [
        shape.text(condition.get("message"))
        for condition in shape.mappings(status.get("conditions"))
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
    ]
    return SeenDeployment(
        name=name_of(manifest),
        generation=shape.number(shape.metadata(manifest).get("generation")),
        observed_generation=shape.number(status.get("observedGeneration")),
        replicas=shape.number(spec.get("replicas")),
        total=shape.number(status.get("replicas")),
        updated=shape.number(status.get("updatedReplicas")),
        available=shape.number(status.get("availableReplicas")),
        workload=shape.text(shape.mapping(template.get("annotations")).get(WORKLOAD)),
        deadline_exceeded=late[0] if late else "",
    )


def name_of(manifest: Object) -> str:
    """The object's name."""
    return shape.text(shape.metadata(manifest).get("name"))


def _object(kind: Resource, manifest: Object) -> SeenObject:
    return SeenObject(KIND[kind], name_of(manifest), manifest)


def _containers(status: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return (*shape.mappings(status.get("initContainerStatuses")), *shape.mappings(status.get("containerStatuses")))


def _waiting(status: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    states = (shape.mapping(container.get("state")).get("waiting") for container in _containers(status))
    found = (shape.mapping(waiting) for waiting in states)
    return tuple((shape.text(w.get("reason")), shape.text(w.get("message"))) for w in found if w)


def _moment(value: object) -> datetime:
    try:
        return datetime.fromisoformat(shape.text(value))
    except ValueError:
        return _EPOCH
