"""The question 'may this model run in that cluster, now?' put to all policies, for every cluster of the fleet."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from domicile.api import ClusterAttestation, ResidencyPolicy
from domicile.residency.coverage import Covered, Uncovered, coverage
from domicile.residency.dimensions import unmet_dimensions
from domicile.residency.facts import DIMENSIONS, FactsInForce, Known, facts_in_force
from domicile.residency.identity import MemberId
from domicile.residency.verdict import Finding, Lawful, Unlawful, Verdict


@dataclass(frozen=True)
class Question:
    """All that a judgement is made from."""

    data_classes: tuple[str, ...]
    namespace_labels: Mapping[str, str]
    policies: tuple[ResidencyPolicy, ...]
    attestations: tuple[ClusterAttestation, ...]
    members: tuple[MemberId, ...]
    now: datetime


@dataclass(frozen=True)
class Judgement:
    """A verdict for each cluster, and the policies that were asked."""

    coverage: Covered | Uncovered
    verdicts: tuple[Verdict, ...]
    """By name of the cluster."""
    look_again: datetime | None
    """The earliest moment at which time alone may change any verdict."""


def judge(question: Question) -> Judgement:
    """Judge every member. Nothing is lawful unless every data class has a policy and every policy allows it."""
    covered = coverage(question.data_classes, question.namespace_labels, question.policies)
    verdicts = tuple(_verdict(member, covered, question) for member in sorted(question.members))
    moments = [moment for verdict in verdicts if (moment := _changes_at(verdict)) is not None]
    return Judgement(covered, verdicts, min(moments, default=None))


def _verdict(member: MemberId, covered: Covered | Uncovered, question: Question) -> Verdict:
    if isinstance(covered, Uncovered):
        # Time changes nothing here: a policy has to be written, and that is an event.
        return Unlawful(member, (_no_policy(covered),), None)
    facts = facts_in_force(member, question.attestations, question.now)
    findings = tuple(finding for policy in covered.policies for finding in unmet_dimensions(policy, facts))
    if findings:
        return Unlawful(member, findings, facts.next_change)
    return _lawful(member, covered, facts)


def _lawful(member: MemberId, covered: Covered, facts: FactsInForce) -> Lawful:
    known = [fact for dimension in DIMENSIONS if isinstance(fact := facts.of(dimension), Known)]
    return Lawful(
        member,
        policies=tuple(policy.metadata.name for policy in covered.policies),
        attestations=tuple(sorted({name for fact in known for name in fact.attestations})),
        until=min(fact.until for fact in known),
    )


def _no_policy(uncovered: Uncovered) -> Finding:
    classes = ", ".join(uncovered.data_classes)
    return Finding("NoMatchingPolicy", f"no ResidencyPolicy covers data class {classes} in this namespace")


def _changes_at(verdict: Verdict) -> datetime | None:
    return verdict.until if isinstance(verdict, Lawful) else verdict.look_again
