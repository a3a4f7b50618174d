"""What is in a managed namespace and was not made for a model: it was there before the fence, or came while it was down. Pure."""

from collections.abc import Iterable, Iterator

from domicile.kube import Object, shape
from domicile.serving.workload import MODEL_LABEL


def strangers(
    services: Iterable[Object], deployments: Iterable[Object], replica_sets: Iterable[Object], pods: Iterable[Object]
) -> tuple[str, ...]:
    """Workloads, as `kind name`, that do not come from a model's InferenceService by the chain of their owners. What is on its way
    out is left out."""
    found: list[str] = []
    owners = frozenset(_uid(each) for each in services if MODEL_LABEL in shape.labels(each))
    for kind, owned_by, objects in (
        ("Deployment", "InferenceService", deployments),
        ("ReplicaSet", "Deployment", replica_sets),
        ("Pod", "ReplicaSet", pods),
    ):
        there = tuple(objects)
        lawful = frozenset(_uid(each) for each in there if _owner(each, owned_by) in owners)
        found += _names(kind, (each for each in there if _uid(each) not in lawful))
        owners = lawful
    return tuple(found)


def _names(kind: str, objects: Iterable[Object]) -> Iterator[str]:
    for each in objects:
        metadata = shape.metadata(each)
        if "deletionTimestamp" not in metadata:
            yield f"{kind} {shape.text(metadata.get('name'))}"


def _uid(manifest: Object) -> str:
    return shape.text(shape.metadata(manifest).get("uid"))


def _owner(manifest: Object, kind: str) -> str:
    """UID of the controller of that kind, empty if it has none."""
    for owner in shape.mappings(shape.metadata(manifest).get("ownerReferences")):
        if owner.get("kind") == kind and owner.get("controller") is True:
            return shape.text(owner.get("uid"))
    return ""
