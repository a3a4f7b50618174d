"""The question 'may this model run in that cluster, now, and on what basis?' put to all policies, for every cluster."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domicile.api import ResidencyException
from domicile.residency import compiled, exceptions, places, validity
from domicile.residency.cel import times as moments
from domicile.residency.classes import Classes
from domicile.residency.compiled import Policy
from domicile.residency.coverage import Covered, Uncovered, coverage
from domicile.residency.dimensions import WORDS
from domicile.residency.identity import MemberId
from domicile.residency.setting import Asked, Law, Member
from domicile.residency.sitting import Project, Sitting, project
from domicile.residency.summing_up import verdict, verdicts
from domicile.residency.verdict import Result, Verdict


@dataclass(frozen=True)
class Question:
    """What is asked, beside the law."""

    asked: Asked
    members: tuple[Member, ...]
    now: datetime
    hub: MemberId | None = None
    """The cluster that Domicile itself runs on; None where it is not known."""


@dataclass(frozen=True)
class Judgement:
    """A verdict for each cluster, and the policies that were asked."""

    coverage: Covered | Uncovered
    data_classes: tuple[str, ...]
    """Those that the model is judged by."""
    verdicts: tuple[Verdict, ...]
    """By name of the cluster."""
    conflicts: tuple[str, ...]
    """Policies that together allow no place at all, for people."""
    look_again: datetime | None
    """The earliest moment at which time alone may change any verdict."""


@dataclass(frozen=True)
class Explained:
    """Every rule of every policy on one site: a row of the matrix."""

    member: MemberId
    pool: str
    results: tuple[Result, ...]
    audited: tuple[Result, ...]


class Engine:
    """Judges by one state of the law. A value: what it keeps could be worked out from the law again at any time, so the
    same question has the same answer whatever was asked before."""

    def __init__(self, law: Law) -> None:
        self.law = law
        self._policies = compiled.policies(law.policies, law.groups)
        self._classes = Classes(law.classifications)
        self._exceptions = exceptions.by_model(law.exceptions)
        self._coverages: dict[tuple[Any, ...], tuple[tuple[str, ...], Covered | Uncovered]] = {}
        self._conflicts: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._sitting: Sitting | None = None

    def faults(self, policy: str) -> tuple[str, ...]:
        """What is wrong with a policy, for its author; empty where nothing is."""
        return self._policies[policy].faults

    def policies_for(self, asked: Asked) -> tuple[str, ...]:
        """Names of the enforced policies that speak of a model, whether or not they cover it."""
        _, covered = self._covered(asked)
        return tuple(p.metadata.name for p in covered.policies)

    def reads(self, policy: str, rule: str) -> frozenset[str] | None:
        """Fields of the model that the expression of one of spec.rules may ask for; None: any. Other rules have none."""
        return self._policies[policy].reads(rule)

    def judge(self, question: Question) -> Judgement:
        """Judge every member. Nothing is lawful unless every data class has an enforced policy and every policy allows it."""
        classes, covered = self._covered(question.asked)
        sitting = self._at(question)
        case = self._project(question.asked, classes, covered, sitting)
        found, again = _verdicts(sitting, case)
        granted = self._granted(question.asked)
        if granted:
            found, again = _with_exceptions(sitting, case, found, granted, question.now)
        conflicts = self._conflicting(covered) if isinstance(covered, Covered) else ()
        return Judgement(covered, classes, found, conflicts, again)

    def explain(self, question: Question) -> tuple[Explained, ...]:
        """The whole matrix: each rule on each site of each member. Where no policy covers the model, only what policies in
        Audit mode would say; empty where there are none."""
        classes, covered = self._covered(question.asked)
        if isinstance(covered, Uncovered) and not covered.audits:
            return ()
        sitting = self._at(question)
        case = self._project(question.asked, classes, covered, sitting)
        held = validity.in_force(self._granted(question.asked), question.now)
        return tuple(
            Explained(
                member.id,
                site.pool,
                exceptions.applied(
                    sitting.results(case, case.enforced, member, site), member.id, held, case.forbidding
                ),
                exceptions.applied(sitting.results(case, case.audits, member, site), member.id, held, case.forbidding),
            )
            for member, site in sitting.places
        )

    def _granted(self, asked: Asked) -> tuple[ResidencyException, ...]:
        return self._exceptions.get((asked.ref.namespace, asked.ref.name), ())

    def _covered(self, asked: Asked) -> tuple[tuple[str, ...], Covered | Uncovered]:
        key = (asked.ref.namespace, asked.data_classes, frozenset(asked.namespace_labels.items()))
        found = self._coverages.get(key)
        if found is None:
            classes = self._classes.effective(asked.ref.namespace, asked.data_classes)
            covered = coverage(classes, asked.namespace_labels, self.law.policies, self._classes.at_or_below)
            found = self._coverages[key] = classes, covered
        return found

    def _project(
        self, asked: Asked, classes: tuple[str, ...], covered: Covered | Uncovered, sitting: Sitting
    ) -> Project:
        enforced = covered.policies if isinstance(covered, Covered) else ()
        return project(
            asked,
            classes,
            covered.data_classes if isinstance(covered, Uncovered) else None,
            tuple(self._policies[p.metadata.name] for p in enforced),
            tuple(self._policies[p.metadata.name] for p in covered.audits),
            sitting.records,
        )

    def _at(self, question: Question) -> Sitting:
        if self._sitting is None or not self._sitting.serves(question.members, question.hub, question.now):
            self._sitting = Sitting(
                self.law,
                question.members,
                question.hub,
                question.now,
                moments.union(policy.times for policy in self._policies.values()),
            )
        return self._sitting

    def _conflicting(self, covered: Covered) -> tuple[str, ...]:
        names = tuple(p.metadata.name for p in covered.policies)
        if names not in self._conflicts:
            self._conflicts[names] = tuple(conflicts(self._policies[name] for name in names))
        return self._conflicts[names]


def judge(law: Law, question: Question) -> Judgement:
    """The answer to one question."""
    return Engine(law).judge(question)


def conflicts(policies: Iterable[Policy]) -> Iterable[str]:
    """Dimensions for which no place at all satisfies every policy, though each allows some."""
    every = list(policies)
    for dimension, words in WORDS.items():
        lists = [(p.name, p.dimensions.allow[dimension]) for p in every]
        if len(lists) > 1 and all(one.places for _, one in lists) and not places.common(one for _, one in lists):
            said = ", ".join(f"{name} allows {one}" for name, one in lists)
            yield f"no place is allowed by all for {words.field}: {said}"


def _verdicts(sitting: Sitting, case: Project) -> tuple[tuple[Verdict, ...], datetime | None]:
    """The verdicts on all members, and when time may change one."""
    kept = sitting.kept.get(case.key)
    if kept is None:
        found = verdicts(sitting, case)
        kept = sitting.kept[case.key] = found, _earliest(found)
    return kept


def _with_exceptions(
    sitting: Sitting,
    case: Project,
    verdicts: tuple[Verdict, ...],
    granted: tuple[ResidencyException, ...],
    now: datetime,
) -> tuple[tuple[Verdict, ...], datetime | None]:
    held = validity.in_force(granted, now)
    named = {(e.spec.cluster.name, e.spec.cluster.uid) for e in held}

    def amended(member: Member, before: Verdict) -> Verdict:
        if (member.id.name, member.id.uid) not in named:
            return before
        return verdict(
            sitting, case, member, lambda results: exceptions.applied(results, member.id, held, case.forbidding)
        )

    after = tuple(amended(member, before) for member, before in zip(sitting.members, verdicts, strict=True))
    ahead = [*validity.moments(granted, now), *([again] if (again := _earliest(after)) else [])]
    return after, min(ahead, default=None)


def _earliest(verdicts: Iterable[Verdict]) -> datetime | None:
    """When time alone may first change what one of them says."""
    return min((found.look_again for found in verdicts if found.look_again is not None), default=None)
