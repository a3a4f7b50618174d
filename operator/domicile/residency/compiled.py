"""A policy made ready to be applied many times: its lists with their groups looked up, its expressions compiled."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from domicile.api import JurisdictionGroup, ResidencyPolicy
from domicile.residency import dimensions, places, rules
from domicile.residency.cel import expression
from domicile.residency.cel import times as moments
from domicile.residency.cel.times import Times
from domicile.residency.dimensions import WORDS, Dimensions
from domicile.residency.places import Allowed
from domicile.residency.reach import Reach
from domicile.residency.rules import Clause

EXPIRING = frozenset({"certifications", "contracts"})
"""What ends on its own, beside places."""


@dataclass(frozen=True)
class Policy:
    """One ResidencyPolicy, compiled."""

    name: str
    dimensions: Dimensions
    reach: Reach
    """What it lists."""
    clauses: tuple[Clause, ...]
    denies_contradiction: bool
    forbids_exceptions: bool
    warn_before: timedelta
    model_fields: frozenset[str] | None
    """Fields of the model that its rules depend on; None if all of them may matter."""
    times: Times
    """When time alone changes what its rules say."""
    wants_records: bool
    """Whether a rule may ask for a record."""
    rests_on: frozenset[str]
    """Of certifications and contracts, those of the cluster that its rules speak of."""
    faults: tuple[str, ...]
    """What is wrong with it, for its author: expressions that cannot be read, groups that are not there."""

    def reads(self, rule: str) -> frozenset[str] | None:
        """Fields of the model that the expression of the rule may ask for; None: any."""
        written = [clause.compiled for clause in self.clauses if clause.rule.name == rule]
        return _fields(each for each in written if isinstance(each, expression.Expression))


def policy(written: ResidencyPolicy, groups: Mapping[str, frozenset[str]]) -> Policy:
    """The policy, compiled."""
    spec, name = written.spec, written.metadata.name
    allow = {d: places.allowed(getattr(spec.allow, d), groups) for d in WORDS}
    clauses = tuple(rules.clause(name, rule) for rule in spec.rules)
    readable = [c.compiled for c in clauses if isinstance(c.compiled, expression.Expression)]
    return Policy(
        name,
        dimensions.dimensions(name, allow, spec.basis),
        Reach(spec.allow.hosts, spec.allow.callers, spec.allow.egress),
        clauses,
        spec.on_contradiction == "Deny",
        spec.exceptions == "Forbid",
        timedelta(hours=int(spec.warn_before.removesuffix("h"))),
        _fields(readable),
        moments.union(each.times for each in readable),
        any(rule.on_unmet == "RequireRecord" for rule in spec.rules),
        frozenset[str]().union(*(each.cluster_fields for each in readable)) & EXPIRING,
        (*_missing_groups(allow), *_invalid(clauses)),
    )


def policies(written: Iterable[ResidencyPolicy], groups: Iterable[JurisdictionGroup]) -> Mapping[str, Policy]:
    """All of them, by name."""
    known = places.groups(groups)
    return {each.metadata.name: policy(each, known) for each in written}


def _fields(written: Iterable[expression.Expression]) -> frozenset[str] | None:
    found: set[str] = set()
    for each in written:
        if each.model_fields is None:
            return None
        found |= each.model_fields
    return frozenset(found)


def _missing_groups(allow: Mapping[str, Allowed]) -> list[str]:
    return [
        f"spec.allow.{WORDS[d].field}: {group}: there is no such JurisdictionGroup"
        for d, listed in allow.items()
        for group in listed.missing
    ]


def _invalid(clauses: Iterable[Clause]) -> list[str]:
    return [
        f"spec.rules[{c.rule.name}].expression: {c.compiled.why}"
        for c in clauses
        if isinstance(c.compiled, expression.Invalid)
    ]
