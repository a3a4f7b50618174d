"""The rules of spec.rules: an expression that is true where the cluster is compliant, and what follows where it is not."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domicile.api import ResidencyRecord, Rule
from domicile.residency.cel import expression
from domicile.residency.facts import Fact, Known, Site
from domicile.residency.records import covering
from domicile.residency.verdict import Outcome, Result


@dataclass(frozen=True, eq=False)
class Clause:
    """A rule with its expression compiled: once a policy, so that the same one is known by its identity."""

    policy: str
    rule: Rule
    compiled: expression.Expression | expression.Invalid | None
    """None: it has no expression, and is never met without a record."""


def clause(policy: str, rule: Rule) -> Clause:
    """The rule, compiled."""
    return Clause(policy, rule, expression.compiled(rule.expression) if rule.expression is not None else None)


Answer = bool | expression.Failed | None
"""Of an expression; None where there is none that can be read."""


def answer(clause: Clause, values: expression.Values) -> Answer:
    """What the rule's expression says of these values: all that tells one site from another, without regard to records."""
    return clause.compiled.on(values) if isinstance(clause.compiled, expression.Expression) else None


def result(clause: Clause, answer: Answer) -> Result:
    """How the rule fares where its expression says so, without regard to records."""
    rule, compiled = clause.rule, clause.compiled

    def result(outcome: Outcome, reason: str = "", message: str = "") -> Result:
        return Result(clause.policy, rule.name, outcome, rule.on_unmet, reason, message, rule.basis)

    if compiled is None:
        return result(Outcome.UNMET, "RuleNotMet", rule.message or f"rule {rule.name} wants a record")
    if isinstance(compiled, expression.Invalid):
        return result(Outcome.UNKNOWN, "RuleInvalid", f"rule {rule.name} cannot be read: {compiled.why}")
    if isinstance(answer, expression.Failed):
        return result(Outcome.UNKNOWN, "RuleFailed", f"rule {rule.name} could not be evaluated: {answer.why}")
    if answer:
        return result(Outcome.MET)
    return result(Outcome.UNMET, "RuleNotMet", rule.message or f"rule {rule.name} is not met: {rule.expression}")


def with_record(found: Result, rule: Rule, site: Site, records: tuple[ResidencyRecord, ...]) -> Result:
    """The result with the record that settles it. `records` are those that are for the model."""
    if found.outcome is not Outcome.UNMET or rule.on_unmet != "RequireRecord" or rule.record is None:
        return found
    workers = site.facts.places["workers"]
    jurisdiction = workers.jurisdiction if isinstance(workers, Known) else ""
    record = covering(records, site.member.name, jurisdiction)
    if record is not None:
        return found.settled(f"ResidencyRecord/{record.metadata.name}", record.spec.valid_until)
    bases = f" on the basis of {' or '.join(sorted(rule.transfer_bases))}" if rule.transfer_bases else ""
    where = f" in {jurisdiction}" if jurisdiction else ", whose nodes are in an unknown place"
    missing = f"no {rule.record} record{bases} covers the model on {site.member.name}{where}"
    message = (
        f"{found.message.removesuffix('.')}; {missing}" if rule.expression is not None or rule.message else missing
    )
    return Result(found.policy, found.rule, found.outcome, found.effect, "RecordMissing", message, found.basis)


def hub_facts(site: Site, workers: Fact) -> dict[str, Any]:
    """`hub` as expressions see it: a hub is where all of its nodes are."""
    places = {**site.facts.places, "workers": workers}
    return cluster_facts(replace(site, pool="", facts=replace(site.facts, places=places)))


def cluster_facts(site: Site) -> dict[str, Any]:
    """`cluster` as expressions see it. What is not known is not there: has() tells, and asking for it fails."""
    facts = site.facts
    found: dict[str, Any] = {"name": site.member.name, "uid": site.member.uid, "pool": site.pool}
    fields = {"control_plane": "controlPlane", "operator_parent": "operatorParent", "key_store": "keyStore"}
    for dimension, fact in facts.places.items():
        if isinstance(fact, Known):
            found[fields.get(dimension, dimension)] = {"jurisdiction": fact.jurisdiction}
    found["registries"] = [
        {"host": host, "jurisdiction": fact.jurisdiction}
        for host, fact in sorted(facts.registries.items())
        if isinstance(fact, Known)
    ]
    found["certifications"] = [
        {"name": c.name, "level": c.level, "number": c.number, "scope": c.scope, "validUntil": _text(c.valid_until)}
        for c in facts.certifications
    ]
    found["contracts"] = [
        {"kind": c.kind, "reference": c.reference, "party": c.party, "validUntil": _text(c.valid_until)}
        for c in facts.contracts
    ]
    if facts.confidential_computing is not None:
        found["confidentialComputing"] = facts.confidential_computing.wire()
    return found


def _text(when: datetime) -> str:
    """A time as timestamp() reads it, with nothing cut off."""
    return when.isoformat().replace("+00:00", "Z")


def ends(facts: Mapping[str, Any]) -> tuple[datetime, ...]:
    """Every `validUntil` that expressions see in `cluster` or `hub`, as they read it."""
    listed = (*facts.get("certifications", ()), *facts.get("contracts", ()))
    return tuple(sorted({datetime.fromisoformat(each["validUntil"]) for each in listed}))
