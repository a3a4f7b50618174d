"""What is in a managed namespace and was not made for a model: it was there before the fence, or came while it was down. Pure."""

from collections.abc import Iterable

from domicile.fence import ISOLATION
from domicile.fleet.kinds import deleting
from domicile.fleet.sight import name_of
from domicile.kube import Object, shape
from domicile.serving.workload import MODEL_LABEL, MODEL_UID


def strangers(
    services: Iterable[Object],
    deployments: Iterable[Object],
    replica_sets: Iterable[Object],
    pods: Iterable[Object],
    network_policies: Iterable[Object],
) -> tuple[str, ...]:
    """Workloads, as `kind name`, that do not come from a model's InferenceService by the chain of their owners, and NetworkPolicies
    that are neither the namespace's own nor for the pods of a model: they only ever open more. What is on its way out is left out."""
    found = [
        f"NetworkPolicy {name_of(each)}"
        for each in network_policies
        if name_of(each) != ISOLATION and not _of_a_model(each)
    ]
    owners = frozenset(_uid(each) for each in services if MODEL_LABEL in shape.labels(each))
    for kind, owned_by, objects in (
        ("Deployment", "InferenceService", deployments),
        ("ReplicaSet", "Deployment", replica_sets),
        ("Pod", "ReplicaSet", pods),
    ):
        there = tuple(objects)
        lawful = frozenset(_uid(each) for each in there if _owner(each, owned_by) in owners)
        found += [f"{kind} {name_of(each)}" for each in there if _uid(each) not in lawful and not deleting(each)]
        owners = lawful
    return tuple(found)


def _of_a_model(network_policy: Object) -> bool:
    """Whether it is named and labelled as a model's and for the pods of it alone. What it lets through is compared where it is placed; where
    there is no such model there are no such pods."""
    labels = shape.labels(network_policy)
    named = {label: labels.get(label) for label in (MODEL_LABEL, MODEL_UID)}
    selected = shape.mapping(shape.mapping(network_policy.get("spec")).get("podSelector"))
    return name_of(network_policy) == named[MODEL_LABEL] and selected.get("matchLabels") == named


def _uid(manifest: Object) -> str:
    return shape.text(shape.metadata(manifest).get("uid"))


def _owner(manifest: Object, kind: str) -> str:
    """UID of the controller of that kind, empty if it has none."""
    for owner in shape.mappings(shape.metadata(manifest).get("ownerReferences")):
        if owner.get("kind") == kind and owner.get("controller") is True:
            return shape.text(owner.get("uid"))
    return ""
