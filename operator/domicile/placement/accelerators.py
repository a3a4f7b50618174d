"""From accelerators that a model needs to nodes of one cluster that have them, named by the cluster's own labels."""

from collections.abc import Mapping
from dataclasses import dataclass

from domicile.placement.need import Need, gibibytes
from domicile.placement.view import AcceleratorNode

PRODUCT_LABEL = "nvidia.com/gpu.product"
MEMORY_LABEL = "nvidia.com/gpu.memory"
"""In MiB, as GPU feature discovery writes it."""

Selector = tuple[tuple[str, str], ...]
"""A node selector as pairs of label and value, by label. Empty selects every node."""

Nodes = tuple[AcceleratorNode, ...]

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Lacking:
    """The cluster has no such accelerators, or not enough of them."""

    reason: str
    message: str


def resolve(need: Need, nodes: Nodes, current: Mapping[str, str] | None) -> Selector | Lacking:
    """The selector of nodes that suit the model, or what is lacking.

    Of the products that suit, that with the least memory is taken, then the first by name: big accelerators are left for
    those who need them. A selector in use is kept while it suits, however full its nodes are: they are full of this
    model, among others, and moving it would only restart it.
    """
    if need.accelerators == 0:
        return ()
    if current is not None and _still_suits(need, nodes, current):
        return _pairs(current)
    fitting = tuple(node for node in nodes if _has_product(need, node) and _has_memory(need, node))
    groups = sorted({(node.memory_mib or 0, node.product) for node in fitting})
    for memory, product in groups:
        group = tuple(node for node in fitting if (node.memory_mib or 0, node.product) == (memory, product))
        if _copies(need, group, free=True) >= need.replicas:
            return _selector(need, nodes, product, memory)
    return _lacking(need, nodes, fitting)


def _still_suits(need: Need, nodes: Nodes, current: Mapping[str, str]) -> bool:
    if PRODUCT_LABEL not in current:
        return False
    selected = tuple(node for node in nodes if _selects(current, node))
    return (
        all(_has_product(need, node) and _has_memory(need, node) for node in selected)
        and _copies(need, selected, free=False) >= need.replicas
    )


def _selects(selector: Mapping[str, str], node: AcceleratorNode) -> bool:
    labels = {PRODUCT_LABEL: node.product, MEMORY_LABEL: str(node.memory_mib)}
    return all(labels.get(key) == value for key, value in selector.items())


def _selector(need: Need, nodes: Nodes, product: str, memory: int) -> Selector:
    """By product; by memory too where nodes of that product differ, so that no pod lands on one that is too small."""
    same = (node for node in nodes if node.product == product)
    if need.min_memory == 0 or all(_has_memory(need, node) for node in same):
        return _pairs({PRODUCT_LABEL: product})
    return _pairs({PRODUCT_LABEL: product, MEMORY_LABEL: str(memory)})


def _lacking(need: Need, nodes: Nodes, fitting: Nodes) -> Lacking:
    if not nodes:
        return Lacking("NoAccelerators", f"needs {_wanted(need)}; no ready node has any")
    found = f"found {_listing(nodes)}"
    named = tuple(node for node in nodes if _has_product(need, node))
    if not named:
        return Lacking("NoAccelerators", f"needs {_wanted(need)}; {found}")
    if not fitting:
        return Lacking("AcceleratorsTooSmall", f"needs {_wanted(need)}; {found}")
    largest = max(_copies(need, _of_product(fitting, node.product), free=False) for node in fitting)
    if largest < need.replicas:
        return Lacking("AcceleratorsTooFew", f"needs {_wanted(need)}; {found}")
    return Lacking("AcceleratorsBusy", f"needs {_wanted(need)}; {found}, and too few of them are free")


def _of_product(nodes: Nodes, product: str) -> Nodes:
    return tuple(node for node in nodes if node.product == product)


def _has_product(need: Need, node: AcceleratorNode) -> bool:
    return not need.products or node.product in need.products


def _has_memory(need: Need, node: AcceleratorNode) -> bool:
    """Whether the node is known to have the memory: a node that does not say is not believed to."""
    return need.min_memory == 0 or (node.memory_mib is not None and node.memory_mib * _MIB >= need.min_memory)


def _copies(need: Need, nodes: Nodes, *, free: bool) -> int:
    """How many copies of the model the nodes can hold, each on one node."""
    return sum(max(node.allocatable - (node.granted if free else 0), 0) // need.accelerators for node in nodes)


def _wanted(need: Need) -> str:
    accelerators = "1 accelerator" if need.accelerators == 1 else f"{need.accelerators} accelerators on one node"
    copies = "" if need.replicas == 1 else f"{need.replicas} times "
    products = f" of product {' or '.join(need.products)}" if need.products else ""
    memory = f" with at least {gibibytes(need.min_memory)}" if need.min_memory else ""
    return f"{copies}{accelerators}{products}{memory}"


def _listing(nodes: Nodes) -> str:
    counts: dict[tuple[str, int | None], int] = {}
    for node in nodes:
        key = (node.product, node.memory_mib)
        counts[key] = counts.get(key, 0) + node.allocatable
    parts = sorted(f"{count}x {product} with {_memory(memory)}" for (product, memory), count in counts.items())
    return ", ".join(parts)


def _memory(memory_mib: int | None) -> str:
    return "unknown memory" if memory_mib is None else gibibytes(memory_mib * _MIB)


def _pairs(selector: Mapping[str, str]) -> Selector:
    return tuple(sorted(selector.items()))
