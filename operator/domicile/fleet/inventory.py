"""From nodes, pods and InferenceServices, as a member's watches keep them, to the accelerators that can be given out. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from domicile.fleet.kinds import FINISHED, REGION, deleting, model_name_of, restricted
from domicile.kube import Object, shape
from domicile.placement.accelerators import MEMORY_LABEL, PRODUCT_LABEL, selects
from domicile.placement.view import AcceleratorNode, ModelName
from domicile.residency import Reported
from domicile.serving.workload import ACCELERATOR

_REPELS = ("NoSchedule", "NoExecute")
_TOLERATED = (ACCELERATOR, "NoSchedule")
"""The taint that the pods of every model with accelerators tolerate, and no other: see serving.manifests."""


def accelerators(
    nodes: Iterable[Object], pods: Iterable[Object], services: Iterable[Object]
) -> tuple[AcceleratorNode, ...]:
    """Nodes that are ready, take pods and have accelerators, with what models that Domicile placed have of them.

    A copy that an InferenceService of ours wants and no node has yet counts where there is room for it: between its placing
    and its pod's way to a node another decision would take the same accelerators for free.
    """
    pods = tuple(pods)
    granted = _granted(pods)
    usable = sorted((_node(node, granted) for node in nodes if _usable(node)), key=lambda node: node.name)
    for pending in _pending(services, pods):
        usable = _reserved(pending, usable)
    return tuple(usable)


def _usable(node: Object) -> bool:
    repelling = [taint for taint in node["taints"] if taint[1] in _REPELS and taint != _TOLERATED]
    return bool(node["ready"] and not node["unschedulable"] and not repelling and node["accelerators"] > 0)


def _node(node: Object, granted: Mapping[str, Mapping[ModelName, int]]) -> AcceleratorNode:
    name, labels = node["metadata"]["name"], shape.labels(node)
    memory = shape.text(labels.get(MEMORY_LABEL))
    return AcceleratorNode(
        name=name,
        product=shape.text(labels.get(PRODUCT_LABEL)),
        memory_mib=int(memory) if memory.isascii() and memory.isdigit() else None,
        allocatable=node["accelerators"],
        granted=granted.get(name, {}),
        restricted={key: value for key, value in labels.items() if restricted(key)},
    )


def reported(nodes: Iterable[Object]) -> Reported:
    """What the nodes say of themselves: where they are, and who provides them."""
    every = list(nodes)
    regions = {shape.text(shape.labels(node).get(REGION)) for node in every}
    return Reported(frozenset(regions - {""}), frozenset({node["provider"] for node in every} - {""}))


def _granted(pods: Iterable[Object]) -> Mapping[str, Mapping[ModelName, int]]:
    """By node and model, what its pods there have; nothing where they have none."""
    by_node: dict[str, dict[ModelName, int]] = {}
    for pod in pods:
        node, needs = pod["spec"]["nodeName"], _needs(pod)
        if node and needs and pod["status"]["phase"] not in FINISHED:
            holders, model = by_node.setdefault(node, {}), _model(pod)
            holders[model] = holders.get(model, 0) + needs
    return by_node


@dataclass(frozen=True)
class _Pending:
    """Copies of a model that no node has yet."""

    model: ModelName
    selector: Mapping[str, str]
    each: int
    """Accelerators of one copy."""
    copies: int


def _pending(services: Iterable[Object], pods: Iterable[Object]) -> Iterator[_Pending]:
    live = [pod for pod in pods if pod["status"]["phase"] not in FINISHED and not deleting(pod)]
    made = Counter(_model(pod) for pod in live)
    bound = Counter(_model(pod) for pod in live if pod["spec"]["nodeName"])
    ours = [service for service in services if model_name_of(service) and not deleting(service)]
    for service in sorted(ours, key=_model):
        model, predictor = _model(service), shape.mapping(shape.mapping(service.get("spec")).get("predictor"))
        each = _asks(shape.mapping(predictor.get("model")))
        # A pod more than the least number is one of an autoscaler, or of a rolling update.
        copies = max(shape.number(predictor.get("minReplicas")), made[model]) - bound[model]
        if each > 0 and copies > 0:
            yield _Pending(model, shape.mapping(predictor.get("nodeSelector")), each, copies)


def _reserved(pending: _Pending, nodes: Iterable[AcceleratorNode]) -> list[AcceleratorNode]:
    """The nodes with the copies on the first that have room for them. What finds no room takes none."""
    left, after = pending.copies, list[AcceleratorNode]()
    for node in nodes:
        free = node.allocatable - sum(node.granted.values())
        fits = min(max(free, 0) // pending.each, left) if selects(pending.selector, node) else 0
        left -= fits
        after.append(_with(node, pending.model, fits * pending.each) if fits else node)
    return after


def _with(node: AcceleratorNode, model: ModelName, count: int) -> AcceleratorNode:
    return replace(node, granted={**node.granted, model: node.granted.get(model, 0) + count})


def _model(manifest: Object) -> ModelName:
    return model_name_of(manifest) or ("", "")


def _needs(pod: Object) -> int:
    """As the scheduler counts: containers and sidecars together, or the largest init container."""
    inits = shape.mappings(pod["spec"]["initContainers"])
    sidecars = [container for container in inits if container.get("restartPolicy") == "Always"]
    together = sum(_asks(container) for container in (*shape.mappings(pod["spec"]["containers"]), *sidecars))
    return max([together, *(_asks(container) for container in inits)])


def _asks(container: Mapping[str, object]) -> int:
    resources = shape.mapping(container.get("resources"))
    # Of accelerators requests and limits are equal, and the limit alone may be written.
    for part in ("requests", "limits"):
        asked = shape.mapping(resources.get(part)).get(ACCELERATOR)
        number = str(asked) if isinstance(asked, int | str) else ""
        # Without isascii "²" is a digit, and int() takes neither it nor thousands of them.
        if number.isascii() and number.isdigit() and len(number) < 10:
            return int(number)
    return 0
