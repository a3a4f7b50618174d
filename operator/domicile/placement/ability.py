"""Whether a cluster can run a model, and on which nodes: a chain of small checks over what the hub sees of it."""

from collections.abc import Callable
from dataclasses import dataclass

from domicile.placement import accelerators
from domicile.placement.accelerators import Selector
from domicile.placement.current import Current
from domicile.placement.need import Need
from domicile.placement.view import ClusterView, OutOfSight, ServingMissing


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


Ability = Able | Unable | NotSeen


@dataclass(frozen=True)
class _Case:
    namespace: str
    name: str
    view: ClusterView


def ability(need: Need, namespace: str, name: str, view: ClusterView, current: Current | None = None) -> Ability:
    """Whether the model `namespace/name` can run on the cluster.

    `current` is how it stands there, None where it was not given to the cluster. The node selector in use is kept as long
    as its nodes suit the model. What the model's own pods have taken never counts against it.
    """
    case = _Case(namespace, name, view)
    for check in _CHECKS:
        finding = check(case)
        if finding is not None:
            return finding
    found = accelerators.resolve(need, view.accelerators, (namespace, name), current)
    if isinstance(found, accelerators.Lacking):
        return Unable(found.reason, found.message)
    return Able(found.selector, found.waits)


def _in_sight(case: _Case) -> NotSeen | None:
    connection = case.view.connection
    return NotSeen(connection.reason, connection.message) if isinstance(connection, OutOfSight) else None


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


_CHECKS: tuple[Callable[[_Case], Unable | NotSeen | None], ...] = (
    _in_sight,
    _serves,
    _namespace_is_ours_or_free,
    _name_is_ours_or_free,
)
