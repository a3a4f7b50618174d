"""From nodes and pods, as a member's watches keep them, to the accelerators that can be given out. Pure."""

from collections.abc import Iterable, Mapping

from domicile.kube import Object, shape
from domicile.placement.view import AcceleratorNode

ACCELERATOR = "nvidia.com/gpu"
_PRODUCT = "nvidia.com/gpu.product"
_MEMORY = "nvidia.com/gpu.memory"
_TERMINAL = ("Succeeded", "Failed")


def accelerators(nodes: Iterable[Object], pods: Iterable[Object]) -> tuple[AcceleratorNode, ...]:
    """Nodes that are ready, take pods and have accelerators; `pods` are those of models that Domicile placed."""
    granted = _granted(pods)
    usable = (node for node in nodes if _usable(node))
    return tuple(sorted((_node(node, granted) for node in usable), key=lambda node: node.name))


def _usable(node: Object) -> bool:
    # A taint of the accelerators themselves is tolerated by every model that asks for one.
    repelling = [key for key, effect in node["taints"] if effect in ("NoSchedule", "NoExecute") and key != ACCELERATOR]
    return bool(node["ready"] and not node["unschedulable"] and not repelling and node["accelerators"] > 0)


def _node(node: Object, granted: Mapping[str, int]) -> AcceleratorNode:
    name, labels = node["metadata"]["name"], shape.labels(node)
    memory = shape.text(labels.get(_MEMORY))
    return AcceleratorNode(
        name=name,
        product=shape.text(labels.get(_PRODUCT)),
        memory_mib=int(memory) if memory.isascii() and memory.isdigit() else None,
        allocatable=node["accelerators"],
        granted=granted.get(name, 0),
    )


def _granted(pods: Iterable[Object]) -> Mapping[str, int]:
    by_node: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"]["nodeName"]
        if node and pod["status"]["phase"] not in _TERMINAL:
            by_node[node] = by_node.get(node, 0) + _needs(pod)
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
