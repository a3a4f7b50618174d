"""Whether a cluster can run a model, and on which nodes: a chain of small checks over what the hub sees of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from domicile.placement import accelerators
from domicile.placement.accelerators import Selector
from domicile.placement.current import Current
from domicile.placement.need import Need
from domicile.placement.view import ClusterView, FenceDown, ModelName, OutOfSight, ServingMissing


@dataclass(frozen=True)
class Able:
    """The cluster can run the model, on the nodes that the selector names (all nodes where it is empty)."""

    node_selector: Selector = ()
    waits: bool = False
    """The model is there already and waits, with no pod on any node, for accelerators that other models have."""


@dataclass(frozen=True)
class Unable:
    """The cluster cannot run the model, and why."""

    reason: str
    message: str


@dataclass(frozen=True)
class NotSeen:
    """The hub cannot tell: it does not see the cluster. What runs there goes on, nothing new is given to it."""

    reason: str
    message: str


@dataclass(frozen=True)
class NotYet:
    """Nothing is given to the cluster for now. What runs there stays, and needs no other place."""

    reason: str
    message: str


Ability = Able | Unable | NotSeen | NotYet


@dataclass(frozen=True)
class _Case:
    need: Need
    namespace: str
    name: str
    view: ClusterView


WHOLE: tuple[Selector, ...] = ((),)
"""The one pool of a cluster that is not divided: all of its nodes."""


def ability(
    need: Need,
    namespace: str,
    name: str,
    view: ClusterView,
    current: Current | None = None,
    pools: tuple[Selector, ...] = WHOLE,
) -> Ability:
    """Whether the model `namespace/name` can run on the cluster, on one of the pools, of which each is lawful.

    `current` is how it stands there, None where it was not given to the cluster. The node selector in use is kept as long
    as its nodes suit the model. What the model's own pods have taken never counts against it.
    """
    case = _Case(need, namespace, name, view)
    for check in (*_CHECKS, *(() if current is not None else (_peers_are_there,))):
        finding = check(case)
        if finding is not None:
            return finding
    found = [
        _on(pool, need, view, (namespace, name), current) for pool in sorted(pools, key=lambda p: not _in(p, current))
    ]
    return next((each for each in found if isinstance(each, Able)), found[0])


def _on(pool: Selector, need: Need, view: ClusterView, model: ModelName, current: Current | None) -> Able | Unable:
    """Whether the pool can run it."""
    nodes = tuple(node for node in view.accelerators if accelerators.selects(dict(pool), node))
    found = accelerators.resolve(need, nodes, model, _within(pool, current))
    if isinstance(found, accelerators.Lacking):
        where = f" in pool {' '.join(f'{key}={value}' for key, value in pool)}" if pool else ""
        return Unable(found.reason, f"{found.message}{where}")
    return Able(tuple(sorted({*pool, *found.selector})), found.waits)


def _in(pool: Selector, current: Current | None) -> bool:
    """Whether the model runs on that pool now."""
    return current is not None and all(current.node_selector.get(key) == value for key, value in pool)


def _within(pool: Selector, current: Current | None) -> Current | None:
    """How the model stands on the pool, by the rest of its node selector; None where it is not on it."""
    if current is None or not _in(pool, current):
        return None
    rest = {key: value for key, value in current.node_selector.items() if key not in dict(pool)}
    return replace(current, node_selector=rest)


def _in_sight(case: _Case) -> NotSeen | None:
    connection = case.view.connection
    return NotSeen(connection.reason, connection.message) if isinstance(connection, OutOfSight) else None


def _fenced(case: _Case) -> NotYet | None:
    fence = case.view.fence
    if not isinstance(fence, FenceDown):
        return None
    return NotYet(
        "FenceNotInForce",
        f"the fence of {case.view.member.name} is not in force ({fence.reason}): its RegionalCluster says more",
    )


def _serves(case: _Case) -> Unable | None:
    serving = case.view.serving
    return Unable("ServingUnavailable", serving.message) if isinstance(serving, ServingMissing) else None


def _namespace_is_ours_or_free(case: _Case) -> Unable | None:
    if case.namespace not in case.view.foreign_namespaces:
        return None
    return Unable(
        "NamespaceNotOwned",
        f"namespace {case.namespace} is there and was not made by Domicile, which takes none over:"
        " rename or remove it there, or use another namespace on the hub",
    )


def _name_is_ours_or_free(case: _Case) -> Unable | None:
    if case.name not in case.view.foreign_services.get(case.namespace, frozenset()):
        return None
    return Unable(
        "NameTaken",
        f"an InferenceService {case.namespace}/{case.name} is there and was not made by Domicile:"
        " remove it there, or give the model another name",
    )


def _peers_are_there(case: _Case) -> Unable | None:
    """Asked before a model comes. Where it runs, a peer that is taken away is let through no more, and the model stays."""
    missing = sorted(set(case.need.peers) - {peer.name for peer in case.view.peers})
    if not missing:
        return None
    return Unable(
        "PeerMissing",
        f"spec.peers of RegionalCluster {case.view.member.name} has no {', '.join(missing)}, which the model has to do with:"
        " say there which namespaces that is, or take it out of the model's spec.network",
    )


_CHECKS: tuple[Callable[[_Case], Unable | NotSeen | NotYet | None], ...] = (
    _in_sight,
    _fenced,
    _serves,
    _namespace_is_ours_or_free,
    _name_is_ours_or_free,
)
