"""From accelerators that a model needs to nodes of one cluster that have them, named by the cluster's own labels."""

from collections.abc import Mapping
from dataclasses import dataclass

from domicile.placement.current import Current
from domicile.placement.need import Need, gibibytes
from domicile.placement.view import AcceleratorNode, ModelName

PRODUCT_LABEL = "nvidia.com/gpu.product"
MEMORY_LABEL = "nvidia.com/gpu.memory"
"""In MiB, as GPU feature discovery writes it."""

Selector = tuple[tuple[str, str], ...]
"""A node selector as pairs of label and value, by label. Empty selects every node."""

Nodes = tuple[AcceleratorNode, ...]

_MIB = 1024 * 1024
_UNNAMED = f"unknown product (no label {PRODUCT_LABEL})"


@dataclass(frozen=True)
class Found:
    """Nodes that suit the model."""

    selector: Selector
    waits: bool = False
    """The model is on them already, but has none of their accelerators, and others have too many for it to get any."""


@dataclass(frozen=True)
class Lacking:
    """The cluster has no such accelerators, or not enough of them."""

    reason: str
    message: str


@dataclass(frozen=True)
class _Pool:
    """Nodes that suit a model and that one selector takes: they are counted together, and nothing else is."""

    selector: Selector
    nodes: Nodes


def resolve(need: Need, nodes: Nodes, model: ModelName, current: Current | None) -> Found | Lacking:
    """Nodes that suit the model, or what is lacking.

    Of the products that suit, that with the least memory is taken, then the first by name: big accelerators are left for
    those who need them. A selector in use is kept while it suits, however full its nodes are: they are full of this
    model, among others, and moving it would only restart it. Unless it has nothing there: then it may go where room is.
    """
    if need.accelerators == 0:
        return Found(())
    kept = _kept(need, nodes, current)
    if kept is not None and (not kept.starved or _has_room(need, _selected(nodes, kept.node_selector), model)):
        return Found(_pairs(kept.node_selector))
    pools = _pools(need, nodes)
    for pool in pools:
        if _has_room(need, pool.nodes, model):
            return Found(pool.selector)
    return _lacking(need, nodes, pools) if kept is None else Found(_pairs(kept.node_selector), waits=True)


def _kept(need: Need, nodes: Nodes, current: Current | None) -> Current | None:
    """How the model stands there, where the nodes it was given still suit it."""
    if current is None or PRODUCT_LABEL not in current.node_selector:
        return None
    selected = _selected(nodes, current.node_selector)
    fit = all(_has_product(need, node) and _has_memory(need, node) for node in selected)
    return current if fit and _copies(need, selected) >= need.replicas else None


def _has_room(need: Need, nodes: Nodes, model: ModelName) -> bool:
    return _copies(need, nodes, free_for=model) >= need.replicas


def selects(selector: Mapping[str, str], node: AcceleratorNode) -> bool:
    """Whether a pod with that node selector may be on the node."""
    labels = {**node.restricted, PRODUCT_LABEL: node.product, MEMORY_LABEL: str(node.memory_mib)}
    return all(labels.get(key) == value for key, value in selector.items())


def _selected(nodes: Nodes, selector: Mapping[str, str]) -> Nodes:
    return tuple(node for node in nodes if selects(selector, node))


def _pools(need: Need, nodes: Nodes) -> tuple[_Pool, ...]:
    by_selector: dict[Selector, list[AcceleratorNode]] = {}
    for node in nodes:
        if _has_product(need, node) and _has_memory(need, node):
            by_selector.setdefault(_selector(need, nodes, node), []).append(node)
    pools = (_Pool(selector, tuple(members)) for selector, members in by_selector.items())
    return tuple(sorted(pools, key=lambda pool: (min(n.memory_mib or 0 for n in pool.nodes), pool.nodes[0].product)))


def _selector(need: Need, nodes: Nodes, node: AcceleratorNode) -> Selector:
    """By product; by memory too where a node of that product is too small, so that no pod lands on it."""
    same = (other for other in nodes if other.product == node.product)
    if all(_has_memory(need, other) for other in same):
        return _pairs({PRODUCT_LABEL: node.product})
    return _pairs({PRODUCT_LABEL: node.product, MEMORY_LABEL: str(node.memory_mib)})


def _lacking(need: Need, nodes: Nodes, pools: tuple[_Pool, ...]) -> Lacking:
    if not nodes:
        return Lacking("NoAccelerators", f"needs {_wanted(need)}; no ready node has any")
    found = f"found {_listing(nodes)}"
    named = tuple(node for node in nodes if _has_product(need, node))
    if not named:
        return Lacking("NoAccelerators", f"needs {_wanted(need)}; {found}")
    if not pools:
        return Lacking("AcceleratorsTooSmall", f"needs {_wanted(need)}; {found}")
    if max(_copies(need, pool.nodes) for pool in pools) < need.replicas:
        return Lacking("AcceleratorsTooFew", f"needs {_wanted(need)}; {found}")
    return Lacking("AcceleratorsBusy", f"needs {_wanted(need)}; {found}, and too few of them are free")


def _has_product(need: Need, node: AcceleratorNode) -> bool:
    """Whether the node says that it has a product that will do: one that says nothing cannot be selected."""
    return bool(node.product) and (not need.products or node.product in need.products)


def _has_memory(need: Need, node: AcceleratorNode) -> bool:
    """Whether the node is known to have the memory: a node that does not say is not believed to."""
    return need.min_memory == 0 or (node.memory_mib is not None and node.memory_mib * _MIB >= need.min_memory)


def _copies(need: Need, nodes: Nodes, free_for: ModelName | None = None) -> int:
    """How many copies the nodes can hold, each on one node: in all, or beside what other models have."""
    counts = (node.allocatable if free_for is None else node.free_for(free_for) for node in nodes)
    return sum(max(count, 0) // need.accelerators for count in counts)


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
    parts = (f"{count}x {product or _UNNAMED} with {_memory(memory)}" for (product, memory), count in counts.items())
    return ", ".join(sorted(parts))


def _memory(memory_mib: int | None) -> str:
    return "unknown memory" if memory_mib is None else gibibytes(memory_mib * _MIB)


def _pairs(selector: Mapping[str, str]) -> Selector:
    return tuple(sorted(selector.items()))
