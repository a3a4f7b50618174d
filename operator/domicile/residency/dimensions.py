"""The rule of each dimension: where a part of the cluster's operation is must be known, and must be allowed."""

from collections.abc import Iterable
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


Place = str | Unknown
Places = tuple[tuple[str, Place], ...]
"""Of one dimension: the only one, or each registry's, with its host before it."""
Standing = tuple[Places, ...]
"""Where a site is, in the order of WORDS: all that dimensions ask of it, so that sites of one standing fare alike."""


class Dimensions(NamedTuple):
    """The lists of one policy, with their groups looked up."""

    policy: str
    allow: dict[str, Allowed]
    """By dimension."""
    basis: Basis | None
    met: dict[str, Result]
    """By dimension: what is said wherever it is met."""


def dimensions(policy: str, allow: dict[str, Allowed], basis: Basis | None) -> Dimensions:
    """The lists, by dimension, of the policy."""
    met = {d: Result(policy, f"allow.{words.field}", Outcome.MET, "Deny", basis=basis) for d, words in WORDS.items()}
    return Dimensions(policy, allow, basis, met)


def standing(site: Site, hosts: Iterable[str], hub: Fact) -> Standing:
    """Where the site is, with the registries that the model is pulled from there."""
    facts = site.facts
    registries = tuple([(host, _place(facts.registry(host))) for host in sorted(hosts)])
    return tuple(
        [
            registries
            if dimension == "registry"
            else (("", _place(hub if dimension == "hub" else facts.places[dimension])),)
            for dimension in WORDS
        ]
    )


def _place(fact: Fact) -> Place:
    return fact if isinstance(fact, Unknown) else fact.jurisdiction


def result(dimensions: Dimensions, dimension: str, places: Places) -> Result:
    """How a dimension of the policy fares there. One result for all places: the first that nobody knows, which no exception covers; else the first that is elsewhere."""
    found = [_result(dimensions, dimension, place, of) for of, place in places]
    unmet = [r for r in found if r.outcome is not Outcome.MET]
    return min(unmet, key=lambda r: r.outcome is not Outcome.UNKNOWN, default=dimensions.met[dimension])


def _result(dimensions: Dimensions, dimension: str, place: Place, of: str) -> Result:
    field, prefix, words = WORDS[dimension]
    rule, allowed, name = f"allow.{field}", dimensions.allow[dimension], dimensions.policy
    if not isinstance(place, Unknown) and allowed.allows(place):
        return dimensions.met[dimension]
    sentence = words.format(of)
    if isinstance(place, Unknown):
        message = f"{sentence} an unknown place: {place.why}"
        reason = f"{prefix}JurisdictionUnknown"
        return Result(name, rule, Outcome.UNKNOWN, "Deny", reason, message, dimensions.basis)
    wants = str(allowed) if allowed.listed else f"none (spec.{rule} is empty)"
    message = f"{sentence} {place}, {name} allows {wants}"
    return Result(name, rule, Outcome.UNMET, "Deny", f"{prefix}OutsideJurisdiction", message, dimensions.basis)
