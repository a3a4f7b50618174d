"""The rule of each dimension: where a part of the cluster's operation is must be known, and must be allowed."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domicile.api import Basis
from domicile.residency.facts import Fact, Site, Unknown
from domicile.residency.places import Allowed
from domicile.residency.verdict import Outcome, Result


class _Words(NamedTuple):
    field: str
    """As spec.allow spells it."""
    prefix: str
    """Of the reason."""
    sentence: str
    """How a sentence begins."""


WORDS: dict[str, _Words] = {
    "workers": _Words("workers", "Workers", "worker nodes are in"),
    "control_plane": _Words("controlPlane", "ControlPlane", "the control plane is in"),
    "operator": _Words("operator", "Operator", "the operating company is under the law of"),
    "operator_parent": _Words("operatorParent", "OperatorParent", "the operating company's parent is under the law of"),
    "key_store": _Words("keyStore", "KeyStore", "the key store is in"),
    "registry": _Words("registry", "Registry", "registry {} is in"),
    "telemetry": _Words("telemetry", "Telemetry", "logs and metrics go to"),
    "hub": _Words("hub", "Hub", "the hub is in"),
}
"""In the order in which they are judged and reported."""


class Dimensions(NamedTuple):
    """The lists of one policy, with their groups looked up."""

    policy: str
    allow: dict[str, Allowed]
    """By dimension."""
    basis: Basis | None


def results(dimensions: Dimensions, site: Site, hosts: Iterable[str], hub: Fact) -> Iterator[Result]:
    """How each dimension of the policy fares on the site, with the registries that the model is pulled from there."""
    for dimension in WORDS:
        if dimension == "registry":
            yield _registries(dimensions, site, hosts)
        else:
            yield _result(dimensions, dimension, hub if dimension == "hub" else site.facts.places[dimension])


def _registries(dimensions: Dimensions, site: Site, hosts: Iterable[str]) -> Result:
    """One result for all hosts: the first that nobody knows, which no exception covers; else the first that is elsewhere."""
    found = [_result(dimensions, "registry", site.facts.registry(host), host) for host in sorted(hosts)]
    unmet = [r for r in found if r.outcome is not Outcome.MET]
    return min(unmet, key=lambda r: r.outcome is not Outcome.UNKNOWN, default=_met(dimensions, "registry"))


def _result(dimensions: Dimensions, dimension: str, fact: Fact, of: str = "") -> Result:
    field, prefix, words = WORDS[dimension]
    rule, allowed, name = f"allow.{field}", dimensions.allow[dimension], dimensions.policy
    sentence = words.format(of)
    if isinstance(fact, Unknown):
        message = f"{sentence} an unknown place: {fact.why}"
        reason = f"{prefix}JurisdictionUnknown"
        return Result(name, rule, Outcome.UNKNOWN, "Deny", reason, message, dimensions.basis)
    if allowed.allows(fact.jurisdiction):
        return _met(dimensions, dimension)
    wants = str(allowed) if allowed.listed else f"none (spec.{rule} is empty)"
    message = f"{sentence} {fact.jurisdiction}, {name} allows {wants}"
    return Result(name, rule, Outcome.UNMET, "Deny", f"{prefix}OutsideJurisdiction", message, dimensions.basis)


def _met(dimensions: Dimensions, dimension: str) -> Result:
    return Result(dimensions.policy, f"allow.{WORDS[dimension].field}", Outcome.MET, "Deny", basis=dimensions.basis)
