"""Looking at the clusters: what a model's status says, what a member has of it, and what stands in the way of a wait."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from domicile import kube
from domicile.api import HubClaim, RegionalCluster, SovereignModel
from domicile.cli.demo.waiting import NotYet

Object = Mapping[str, Any]

NAMESPACE: Final = "retail-banking"
MODEL: Final = "fraud-scorer"
HELD: Final = "churn-forecast"
FINALIZER: Final = "domicile.dev/withdraw"
MODEL_LABEL: Final = "domicile.dev/model"
GPU: Final = "nvidia.com/gpu"

MODELS: Final = kube.Resource("domicile.dev", "v1alpha1", SovereignModel.info.plural, namespaced=True)
CLUSTERS: Final = kube.Resource("domicile.dev", "v1alpha1", RegionalCluster.info.plural, namespaced=False)
CLAIMS: Final = kube.Resource("domicile.dev", "v1alpha1", HubClaim.info.plural, namespaced=False)
OF_A_MODEL: Final = (
    kube.Resource("serving.kserve.io", "v1beta1", "inferenceservices", namespaced=True),
    kube.Resource("serving.kserve.io", "v1alpha1", "servingruntimes", namespaced=True),
    kube.DEPLOYMENTS,
    kube.REPLICA_SETS,
    kube.PODS,
    kube.SERVICES,
    kube.SERVICE_ACCOUNTS,
    kube.HORIZONTAL_POD_AUTOSCALERS,
)
"""Everything that a member may have of a model."""


async def left_of(api: kube.KubeClient, model: str) -> tuple[str, ...]:
    """What a member has of a model at this moment, asked consistently (not from a cache), as kind/name."""
    selector = f"{MODEL_LABEL}={model}"
    pages = await asyncio.gather(*(api.list(kind, label_selector=selector) for kind in OF_A_MODEL))
    return tuple(
        f"{kind.plural}/{each['metadata']['name']}"
        for kind, page in zip(OF_A_MODEL, pages, strict=True)
        for each in page.items
    )


async def pods_of(api: kube.KubeClient, model: str) -> tuple[Object, ...]:
    """The model's pods on a member that are not on their way out."""
    page = await api.list(kube.PODS, NAMESPACE, label_selector=f"{MODEL_LABEL}={model}")
    return tuple(pod for pod in page.items if not pod["metadata"].get("deletionTimestamp"))


async def find_model(api: kube.KubeClient, model: str) -> Object | None:
    """The SovereignModel on the hub; None if it is gone."""
    try:
        return await api.get(MODELS, model, NAMESPACE)
    except kube.NotFound:
        return None


def condition(of: Object, kind: str) -> Object:
    """A condition of an object; empty if it has none of that type, or only one for an older generation."""
    generation = of["metadata"].get("generation", 0)
    for each in of.get("status", {}).get("conditions") or ():
        if each["type"] == kind and each.get("observedGeneration", generation) >= generation:
            return each
    return {}


def says(of: Object | None, kind: str = "Ready") -> str:
    """A condition in words."""
    if of is None:
        return "the object is not there"
    found = condition(of, kind)
    if not found:
        return f"no condition {kind} yet: the operator has not looked at it"
    return f"{kind}={found['status']}, {found['reason']}: {found.get('message', '')}"


def placed(model: Object) -> Mapping[str, str]:
    """State of each placement, by cluster."""
    return {each["cluster"]: each["state"] for each in model.get("status", {}).get("placements") or ()}


def settled_on(model: Object | None, cluster: str, *, serves: bool) -> NotYet | Object:
    """The model, once it is on this cluster alone; with `serves` once it answers there, else once it was given to it."""
    if model is None:
        return NotYet("the SovereignModel is not there")
    wanted = "Ready" if serves else "Placed"
    rows = placed(model)
    there = set(rows) == {cluster} and (not serves or rows[cluster] == "Serving")
    if there and condition(model, wanted).get("status") == "True":
        return model
    return NotYet(f"{says(model, wanted)}; placements {dict(rows) or 'none'}")


def exclusions(model: Object) -> Mapping[str, tuple[str, str]]:
    """Reason and message of each cluster that was not chosen."""
    listed = model.get("status", {}).get("exclusions") or ()
    return {each["cluster"]: (each["reason"], each["message"]) for each in listed}


def gpus_asked_for(pod: Object) -> int:
    """GPUs that the pod's containers ask for."""
    asked = (c.get("resources", {}).get("requests", {}).get(GPU, "0") for c in pod["spec"]["containers"])
    return sum(int(each) for each in asked)


def is_simulated(node: Object) -> bool:
    """Whether kwok plays the node."""
    return "kwok.x-k8s.io/node" in (node["metadata"].get("annotations") or {})


def unmet_selector(pod: Object, node: Object) -> tuple[str, ...]:
    """Entries of the pod's nodeSelector that the node does not have; empty if it has them all."""
    labels: Mapping[str, str] = node["metadata"].get("labels") or {}
    selector: Mapping[str, str] = pod["spec"].get("nodeSelector") or {}
    return tuple(f"{key}={value}" for key, value in selector.items() if labels.get(key) != value)


def has_accelerators(cluster: Object, least_mib: int) -> bool:
    """Whether a RegionalCluster's status lists an accelerator with that much memory."""
    found: Sequence[Object] = cluster.get("status", {}).get("accelerators") or ()
    return any(_mib(str(each.get("memory", ""))) >= least_mib for each in found)


def _mib(quantity: str) -> int:
    digits = quantity.removesuffix("Mi")
    return int(digits) if digits.isdecimal() else 0
