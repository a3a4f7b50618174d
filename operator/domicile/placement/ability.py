"""Whether a cluster can run a model, and on which nodes: a chain of small checks over what the hub sees of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from domicile.placement import accelerators
from domicile.placement.accelerators import Selector
from domicile.placement.need import Need
from domicile.placement.view import ClusterView, OutOfSight, ServingMissing


@dataclass(frozen=True)
class Able:
    """The cluster can run the model, on the nodes that the selector names (all nodes where it is empty)."""

    node_selector: Selector = ()


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


def ability(
    need: Need, namespace: str, name: str, view: ClusterView, current_selector: Mapping[str, str] | None = None
) -> Ability:
    """Whether the model `namespace/name` can run on the cluster.

    `current_selector` is the node selector with which the model runs there now, None where it does not run there. It is
    kept as long as its nodes suit the model. What the model's own pods have taken never counts against it.
    """
    case = _Case(namespace, name, view)
    for check in _CHECKS:
        finding = check(case)
        if finding is not None:
            return finding
    found = accelerators.resolve(need, view.accelerators, (namespace, name), current_selector)
    return Unable(found.reason, found.message) if isinstance(found, accelerators.Lacking) else Able(found)


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
