"""The kinds that Domicile writes and watches on a member, and how much of each it keeps in memory."""

from collections.abc import Mapping
from typing import Any, Final

from domicile.api import GROUP, VERSION, AdmissionGrant, HubClaim
from domicile.kube import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    NAMESPACES,
    NETWORK_POLICIES,
    NODES,
    PODS,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    SERVICE_ACCOUNTS,
    SERVICES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
    Object,
    Resource,
    shape,
)
from domicile.residency import ModelRef
from domicile.serving.workload import ACCELERATOR, MODEL_LABEL, MODEL_UID, WORKLOAD

FIELD_MANAGER: Final = "domicile"

INFERENCE_SERVICES: Final = Resource("serving.kserve.io", "v1beta1", "inferenceservices", namespaced=True)
SERVING_RUNTIMES: Final = Resource("serving.kserve.io", "v1alpha1", "servingruntimes", namespaced=True)
GRANTS: Final = Resource(GROUP, VERSION, AdmissionGrant.info.plural, namespaced=True)
CLAIMS: Final = Resource(GROUP, VERSION, HubClaim.info.plural, namespaced=False)
"""What the fence holds pods against."""
OF_THE_FENCE: Final = (GRANTS, CLAIMS)

KIND: Final[Mapping[Resource, str]] = {
    NAMESPACES: "Namespace",
    NETWORK_POLICIES: "NetworkPolicy",
    NODES: "Node",
    PODS: "Pod",
    SERVICES: "Service",
    SERVICE_ACCOUNTS: "ServiceAccount",
    DEPLOYMENTS: "Deployment",
    REPLICA_SETS: "ReplicaSet",
    HORIZONTAL_POD_AUTOSCALERS: "HorizontalPodAutoscaler",
    INFERENCE_SERVICES: "InferenceService",
    SERVING_RUNTIMES: "ServingRuntime",
    GRANTS: AdmissionGrant.info.kind,
}
FENCE: Final[Mapping[str, Resource]] = {
    "ValidatingAdmissionPolicy": VALIDATING_ADMISSION_POLICIES,
    "ValidatingAdmissionPolicyBinding": VALIDATING_ADMISSION_POLICY_BINDINGS,
}
"""What the fence is made of, by the kind in its manifests."""
ISOLATION: Final[Mapping[str, Resource]] = {"NetworkPolicy": NETWORK_POLICIES, "ResourceQuota": RESOURCE_QUOTAS}
"""What keeps a managed namespace to itself, by the kind in its manifests."""
WRITTEN: Final = (SERVICE_ACCOUNTS, NETWORK_POLICIES, SERVING_RUNTIMES, INFERENCE_SERVICES)
"""What Domicile itself makes for a model, in the order in which it makes it."""
COMPANIONS: Final = (SERVING_RUNTIMES, NETWORK_POLICIES, SERVICE_ACCOUNTS)
"""What goes after the InferenceService, in that order."""
MADE_BY_KSERVE: Final = (DEPLOYMENTS, REPLICA_SETS, PODS, SERVICES, HORIZONTAL_POD_AUTOSCALERS)
"""KServe 0.20 (Standard mode) copies all labels of the InferenceService to these, pod templates included, so that the
label of the model finds them."""
SERVING_KINDS: Final = (INFERENCE_SERVICES, SERVING_RUNTIMES)
OTHERS: Final = (REPLICA_SETS, SERVICES, HORIZONTAL_POD_AUTOSCALERS)

_KEPT_OF_METADATA = (
    "name",
    "namespace",
    "uid",
    "labels",
    "creationTimestamp",
    "deletionTimestamp",
    "ownerReferences",
)
_KEPT_OF_CONTAINER = ("name", "resources", "restartPolicy")
_RELABELLED = "relabelledByOthers"
FINISHED: Final = ("Succeeded", "Failed")
"""Phases of a pod that has ended. Its object may stay for long."""
REGION = "topology.kubernetes.io/region"
_NODE_LABELS = ("nvidia.com/gpu.product", "nvidia.com/gpu.memory", REGION)
_RESTRICTED = "node-restriction.kubernetes.io"


def model_name_of(manifest: Object) -> tuple[str, str] | None:
    """Namespace and name of the model that the object says it belongs to.

    An InferenceService that Domicile applied and whose labels somebody took off or changed, as `whole_if_ours` keeps it,
    is that of the model of its name: otherwise a label would hide a running model.
    """
    metadata = shape.metadata(manifest)
    name = shape.text(metadata.get("name") if _relabelled(manifest) else shape.labels(manifest).get(MODEL_LABEL))
    return (shape.text(metadata.get("namespace")), name) if name else None


def model_of(manifest: Object) -> ModelRef | None:
    """The model that the object says it belongs to, UID included."""
    named, uid = model_name_of(manifest), shape.text(shape.labels(manifest).get(MODEL_UID))
    return ModelRef(*named, uid) if named and uid and not _relabelled(manifest) else None


def granted_models(grant: Object | None) -> frozenset[ModelRef]:
    """The models that an AdmissionGrant has entries of."""
    if grant is None:
        return frozenset()
    namespace = shape.text(shape.metadata(grant).get("namespace"))
    entries = shape.mappings(shape.mapping(grant.get("spec")).get("models"))
    return frozenset(ModelRef(namespace, shape.text(e.get("name")), shape.text(e.get("uid"))) for e in entries)


def belongs(manifest: Object, model: ModelRef) -> bool:
    """Whether the object is the model's by its labels. One whose UID label somebody took off or changed counts as its."""
    uid = "" if _relabelled(manifest) else shape.text(shape.labels(manifest).get(MODEL_UID))
    return model_name_of(manifest) == (model.namespace, model.name) and uid in ("", model.uid)


def _relabelled(manifest: Object) -> bool:
    return manifest.get(_RELABELLED) is True


def deleting(manifest: Object) -> bool:
    """Whether the object is on its way out."""
    return "deletionTimestamp" in shape.metadata(manifest)


def namespace_kept(manifest: Object) -> Object:
    """Name, labels, and whether it is going."""
    return {"metadata": _metadata(manifest)}


def restricted(label: str) -> bool:
    """Whether a node cannot put the label on itself."""
    domain = label.partition("/")[0]
    return domain == _RESTRICTED or domain.endswith(f".{_RESTRICTED}")


def node_kept(manifest: Object) -> Object:
    """What says which accelerators it can give out now. Without heartbeat times: they are no change."""
    spec, status = shape.mapping(manifest.get("spec")), shape.mapping(manifest.get("status"))
    labels = shape.labels(manifest)
    ready = [c.get("status") for c in shape.mappings(status.get("conditions")) if c.get("type") == "Ready"]
    return {
        "metadata": {
            "name": shape.metadata(manifest).get("name"),
            "labels": {key: labels[key] for key in labels if key in _NODE_LABELS or restricted(key)},
        },
        "ready": ready == ["True"],
        "provider": "".join(
            shape.text(spec.get("providerID")).rpartition("/")[:2]
        ),  # without the single machine's name
        "unschedulable": spec.get("unschedulable") is True,
        "taints": sorted(
            {
                (shape.text(taint.get("key")), shape.text(taint.get("effect")))
                for taint in shape.mappings(spec.get("taints"))
            }
        ),
        "accelerators": _count(shape.mapping(status.get("allocatable")).get(ACCELERATOR)),
    }


def pod_kept(manifest: Object) -> Object:
    """What says where it runs, whether it is well, and what it has of the node."""
    spec, status = shape.mapping(manifest.get("spec")), shape.mapping(manifest.get("status"))
    annotations = shape.mapping(shape.metadata(manifest).get("annotations"))
    metadata = {**_metadata(manifest), "annotations": {k: v for k, v in annotations.items() if k == WORKLOAD}}
    return {
        "metadata": metadata,
        "spec": {
            "nodeName": shape.text(spec.get("nodeName")),
            "containers": _containers(spec.get("containers")),
            "initContainers": _containers(spec.get("initContainers")),
        },
        "status": {
            "phase": status.get("phase"),
            "reason": status.get("reason"),
            "message": status.get("message"),
            "conditions": [_condition(c) for c in shape.mappings(status.get("conditions"))],
            "containerStatuses": list(shape.mappings(status.get("containerStatuses"))),
            "initContainerStatuses": list(shape.mappings(status.get("initContainerStatuses"))),
        },
    }


def spec_kept(manifest: Object) -> Object:
    """What it says, whoever labelled it."""
    metadata = shape.metadata(manifest)
    named = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {"metadata": named, "spec": manifest.get("spec")}


def metadata_kept(manifest: Object) -> Object:
    """That it is there, and whose it is."""
    return {"metadata": _metadata(manifest)}


def whole(manifest: Object) -> Object:
    """All but the managed fields."""
    metadata = {key: value for key, value in shape.metadata(manifest).items() if key != "managedFields"}
    return {**manifest, "metadata": metadata}


def whole_if_ours(manifest: Object) -> Object:
    """All of ours; of others only that they are there. Managed fields tell ours even where somebody took the labels off, or
    changed them."""
    if applied_by_us(manifest) and not _labels_are_ours(manifest):
        return {**whole(manifest), _RELABELLED: True}
    return whole(manifest) if model_name_of(manifest) else metadata_kept(manifest)


def applied_by_us(manifest: Object) -> bool:
    """Whether Domicile's field manager ever applied the object, as the API server records it."""
    return bool(_our_entries(manifest))


def may_write(live: Object, model: ModelRef) -> bool:
    """Whether the object, read with its managed fields, is this model's to change or delete: it has the model's UID, or
    somebody took that label off what Domicile had applied, or changed it."""
    uid = shape.text(shape.labels(live).get(MODEL_UID))
    return uid == model.uid or (applied_by_us(live) and not _labels_are_ours(live))


def bears_our_mark(manifest: Object) -> bool:
    """Whether anything at all says that Domicile made the object: a manager of its fields, a label, the digest."""
    managers = {entry.get("manager") for entry in shape.mappings(shape.metadata(manifest).get("managedFields"))}
    annotations = shape.mapping(shape.metadata(manifest).get("annotations"))
    labels = shape.labels(manifest)
    return FIELD_MANAGER in managers or WORKLOAD in annotations or MODEL_LABEL in labels or MODEL_UID in labels


def _labels_are_ours(manifest: Object) -> bool:
    """Whether the labels that name the model are as Domicile applied them: the API server takes a field from the manager who
    applied it when another one changes its value."""
    fields = (shape.mapping(entry.get("fieldsV1")) for entry in _our_entries(manifest))
    owned = [shape.mapping(shape.mapping(each.get("f:metadata")).get("f:labels")) for each in fields]
    there = shape.labels(manifest)
    return all(label in there and any(f"f:{label}" in labels for labels in owned) for label in (MODEL_LABEL, MODEL_UID))


def _our_entries(manifest: Object) -> tuple[Object, ...]:
    entries = shape.mappings(shape.metadata(manifest).get("managedFields"))
    return tuple(e for e in entries if e.get("manager") == FIELD_MANAGER and e.get("operation") == "Apply")


def _metadata(manifest: Object) -> dict[str, Any]:
    metadata = shape.metadata(manifest)
    return {key: metadata[key] for key in _KEPT_OF_METADATA if key in metadata}


def _containers(containers: Any) -> list[dict[str, Any]]:
    return [
        {key: container[key] for key in _KEPT_OF_CONTAINER if key in container}
        for container in shape.mappings(containers)
    ]


def _condition(condition: Mapping[str, Any]) -> dict[str, Any]:
    return {key: condition.get(key) for key in ("type", "status", "reason", "message")}


def _count(quantity: Any) -> int:
    try:
        return int(quantity)
    except (TypeError, ValueError, OverflowError):  # Infinity is a number in Python's JSON.
        return 0
