"""From nodes and pods, as a member's watches keep them, to the accelerators that can be given out. Pure."""

from collections.abc import Iterable, Mapping

from domicile.fleet.kinds import FINISHED, model_name_of
from domicile.kube import Object, shape
from domicile.placement.view import AcceleratorNode, ModelName

ACCELERATOR = "nvidia.com/gpu"
_PRODUCT = "nvidia.com/gpu.product"
_MEMORY = "nvidia.com/gpu.memory"
_REPELS = ("NoSchedule", "NoExecute")
_TOLERATED = (ACCELERATOR, "NoSchedule")
"""The taint that the pods of every model with accelerators tolerate, and no other: see serving.manifests."""


def accelerators(nodes: Iterable[Object], pods: Iterable[Object]) -> tuple[AcceleratorNode, ...]:
    """Nodes that are ready, take pods and have accelerators; `pods` are those of models that Domicile placed."""
    granted = _granted(pods)
    usable = (node for node in nodes if _usable(node))
    return tuple(sorted((_node(node, granted) for node in usable), key=lambda node: node.name))


def _usable(node: Object) -> bool:
    repelling = [taint for taint in node["taints"] if taint[1] in _REPELS and taint != _TOLERATED]
    return bool(node["ready"] and not node["unschedulable"] and not repelling and node["accelerators"] > 0)


def _node(node: Object, granted: Mapping[str, Mapping[ModelName, int]]) -> AcceleratorNode:
    name, labels = node["metadata"]["name"], shape.labels(node)
    memory = shape.text(labels.get(_MEMORY))
    return AcceleratorNode(
        name=name,
        product=shape.text(labels.get(_PRODUCT)),
        memory_mib=int(memory) if memory.isascii() and memory.isdigit() else None,
        allocatable=node["accelerators"],
        granted=granted.get(name, {}),
    )


def _granted(pods: Iterable[Object]) -> Mapping[str, Mapping[ModelName, int]]:
    """By node and model, what its pods there have; nothing where they have none."""
    by_node: dict[str, dict[ModelName, int]] = {}
    for pod in pods:
        node, needs = pod["spec"]["nodeName"], _needs(pod)
        if node and needs and pod["status"]["phase"] not in FINISHED:
            holders, model = by_node.setdefault(node, {}), model_name_of(pod) or ("", "")
            holders[model] = holders.get(model, 0) + needs
    return by_node


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
