"""What stays the same for a while: the facts of every cluster, and how each policy fares on each, worked out once.

A sitting serves every question from its first moment up to the next one at which time alone changes something in it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any, Final, NamedTuple, cast

from domicile.api import ResidencyRecord
from domicile.residency import closure, dimensions, reach, records, rules, validity
from domicile.residency.cel import expression
from domicile.residency.cel.times import Times
from domicile.residency.compiled import Policy
from domicile.residency.facts import Fact, Site, Sites, Unknown, sites, whole
from domicile.residency.identity import MemberId
from domicile.residency.reach import Reach
from domicile.residency.rules import Clause
from domicile.residency.setting import Asked, Law, Member
from domicile.residency.verdict import Finding, Outcome, Result, finding


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What is told of rules that are not simply met. A sitting makes each once, so that the same one is known by its identity."""

    denied: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    settled: tuple[Result, ...] = ()


NOTHING: Final = Told()
"""Of rules that are simply met."""


class Fare(NamedTuple):
    """How some rules fare on one site."""

    results: tuple[Result, ...]
    told: Told


Column = tuple[Fare, ...]
"""How some rules fare on every site, in the order of Sitting.places."""


class Here(NamedTuple):
    """A member as a sitting knows it."""

    number: int
    """Its place among all members."""
    member: Member
    sites: tuple[Site, ...]
    begin: int
    end: int
    """Which of the sites of all members they are."""
    changes: datetime | None
    """When a fact about it next begins or ends."""


def told(results: tuple[Result, ...]) -> Told:
    """The results, summed up."""
    unmet = [r for r in results if r.outcome is not Outcome.MET]
    if not unmet:
        return NOTHING
    return Told(
        tuple(finding(r) for r in unmet if r.denies),
        tuple(finding(r) for r in unmet if r.advises),
        tuple(r for r in unmet if r.settled_by),
    )


@dataclass(frozen=True)
class Project:
    """A model, as far as the policies that apply to it can tell it from another. Two with the same key fare alike."""

    key: tuple[Any, ...]
    enforced: tuple[Policy, ...]
    audits: tuple[Policy, ...]
    uncovered: tuple[str, ...] | None
    """Data classes that no enforced policy speaks of; None where each has one."""
    reach: Reach
    """Whom it has to do with."""
    namespace: str
    data_classes: tuple[str, ...]
    registries: tuple[str, ...] = field(compare=False)
    """Hosts that its artifacts name."""
    model: Mapping[str, Any] = field(compare=False)
    """`model` as expressions see it."""
    seen: Mapping[str, tuple[Any, ...]] = field(compare=False)
    """What the rules of each policy can see of it."""

    @property
    def forbidding(self) -> frozenset[str]:
        """Policies that allow no exception."""
        return frozenset(policy.name for policy in (*self.enforced, *self.audits) if policy.forbids_exceptions)

    @property
    def wants_records(self) -> bool:
        """Whether a rule may ask for a record."""
        return any(policy.wants_records for policy in (*self.enforced, *self.audits))


def project(
    asked: Asked,
    classes: tuple[str, ...],
    uncovered: tuple[str, ...] | None,
    enforced: tuple[Policy, ...],
    audits: tuple[Policy, ...],
    held: tuple[ResidencyRecord, ...],
) -> Project:
    """The model under these policies."""
    model = {
        "name": asked.ref.name,
        "namespace": asked.ref.namespace,
        "namespaceLabels": dict(asked.namespace_labels),
        "dataClasses": list(classes),
        "artifacts": list(asked.artifacts),
        **asked.traits,
    }
    named = Reach(
        closure.named_hosts(asked.arguments), tuple(sorted(set(asked.callers))), tuple(sorted(set(asked.egress)))
    )
    registries = tuple(sorted({artifact.partition("/")[0] for artifact in asked.artifacts}))
    views: dict[frozenset[str] | None, tuple[Any, ...]] = {}
    for policy in (*enforced, *audits):
        if policy.model_fields not in views:
            views[policy.model_fields] = _seen(policy.model_fields, model)
    seen = {
        policy.name: (
            views[policy.model_fields],
            *(_records(policy, held, asked.ref.namespace, classes) if policy.wants_records else ()),
        )
        for policy in (*enforced, *audits)
    }
    names = tuple(p.name for p in enforced), tuple(p.name for p in audits)
    key = (*names, uncovered, registries, named, tuple(seen.values()))
    return Project(key, enforced, audits, uncovered, named, asked.ref.namespace, classes, registries, model, seen)


class Sitting:
    """The facts and results of one stretch of time. What it keeps can be worked out again from what it was made of."""

    def __init__(
        self, law: Law, members: tuple[Member, ...], hub: MemberId | None, now: datetime, times: Times
    ) -> None:
        """`times`: when time alone changes what any rule says. It serves up to the next such moment."""
        self.members = tuple(sorted(members, key=lambda member: member.id))
        self.since = self.now = now
        self._moment = now
        self.records = records.in_force(law.records, now)
        self.kept: dict[Any, Any] = {}
        """What was made of the results, by who made it."""
        self._asked = members, hub
        of = _attestations(law)
        found = [sites(m.id, of(m.id), now, m.reported) for m in self.members]
        hubs = sites(hub, law.attestations, now) if hub is not None else None
        self.hub: Fact = whole(hubs) if hubs else Unknown("the hub does not know its own identity")
        self.hub_sites = hubs.sites if hubs else ()
        self.hub_changes = hubs.until if hubs else None
        """When a fact about the hub next begins or ends."""
        self._hub_facts = rules.hub_facts(hubs.sites[0], self.hub) if hubs else {}
        self.places = tuple((m, site) for m, each in zip(self.members, found, strict=True) for site in each.sites)
        """Every site of every member."""
        self.by_member = tuple(_by_member(self.members, found))
        self._here = {here.member.id: here for here in self.by_member}
        self.index = {(m.id, site.pool): n for n, (m, site) in enumerate(self.places)}
        self._clusters = tuple(rules.cluster_facts(site) for _, site in self.places)
        self._values = self._ready({})
        self._last: tuple[Mapping[str, Any] | None, tuple[expression.Values, ...]] = None, ()
        ends = [s.until for s in (*found, *([hubs] if hubs else [])) if s.until is not None]
        self.changes = min([*ends, *validity.moments(law.records, now)], default=None)
        """The next moment at which a fact or a record begins or ends."""
        self._until = self.changes
        self._ends = tuple(rules.ends(facts) for facts in self._clusters)
        self._hub_ends = rules.ends(self._hub_facts)
        for ends_there in self._ends:
            self.ends_by(times.ahead(now, ends_there, self._hub_ends))
        self._told: dict[tuple[Any, ...], tuple[Told, ...]] = {}
        self._columns: dict[tuple[Any, ...], Any] = {}
        self._pulls: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def serves(self, members: tuple[Member, ...], hub: MemberId | None, now: datetime) -> bool:
        """Whether it answers questions about these members at that moment."""
        here = self.since <= now and (self._until is None or now < self._until) and self._asked == (members, hub)
        if here:
            self.now = now
        return here

    def ends_by(self, moment: datetime | None) -> None:
        """Something that was made of it holds only before that moment, if there is one."""
        if moment is not None:
            self._until = moment if self._until is None else min(self._until, moment)

    def begins_at(self, moment: datetime) -> None:
        """Something that was made of it holds only from that moment on."""
        self.since = max(self.since, moment)

    def remembered(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What was made once of the facts; never None."""
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = make()
        return found

    def here(self, member: Member) -> Here:
        """What it knows of a member."""
        return self._here[member.id]

    def turns(self, times: Times) -> tuple[datetime | None, ...]:
        """When time alone next changes what rules with these times say of each member."""
        return self.remembered(
            ("turns", times),
            lambda: tuple(times.ahead(self._moment, self._ends[here.begin], self._hub_ends) for here in self.by_member),
        )

    def results(self, case: Project, policies: tuple[Policy, ...], member: Member, site: Site) -> tuple[Result, ...]:
        """How all rules of the policies fare, in the order of the policies."""
        at = self.index[member.id, site.pool]
        return tuple(r for policy in policies for column in self._columns_of(case, policy) for r in column[at].results)

    def told(self, case: Project, policy: Policy) -> tuple[Told, ...]:
        """For every site: what is told of the policy's rules, in their order."""
        key = (policy.name, case.registries, case.reach, case.seen[policy.name])
        found = self._told.get(key)
        if found is None:
            rows = zip(*self._columns_of(case, policy), strict=True)
            found = tuple([self._together([f.told for f in row if f.told is not NOTHING]) for row in rows])
            self._told[key] = found
        return found

    def _together(self, several: list[Told]) -> Told:
        """As one, and the same one for the same several."""
        if len(several) <= 1:
            return several[0] if several else NOTHING
        return self.remembered(
            ("together", *several),
            lambda: Told(
                tuple(chain.from_iterable(each.denied for each in several)),
                tuple(chain.from_iterable(each.advice for each in several)),
                tuple(chain.from_iterable(each.settled for each in several)),
            ),
        )

    def _columns_of(self, case: Project, policy: Policy) -> list[Column]:
        return [
            self._dimensions(policy, case.registries),
            self.remembered(
                ("reach", policy.name, case.reach),
                lambda: (_reaching(policy, case.reach),) * len(self.places),
            ),
            self._contradictions(policy),
            *(self._clause(case, clause) for clause in policy.clauses),
        ]

    def _dimensions(self, policy: Policy, registries: tuple[str, ...]) -> Column:
        return self.remembered(
            ("dimensions", policy.name, registries),
            lambda: tuple(self._fare_of(policy, standing) for standing in self._standings(registries)),
        )

    def _fare_of(self, policy: Policy, standing: dimensions.Standing) -> Fare:
        """How the policy's dimensions fare on all sites that stand there."""
        return self.remembered(
            ("standing", policy.name, standing),
            lambda: _fare(*map(partial(self._dimension, policy), dimensions.WORDS, standing)),
        )

    def _dimension(self, policy: Policy, dimension: str, places: dimensions.Places) -> Result:
        return self.remembered(
            ("dimension", policy.name, dimension, places),
            lambda: dimensions.result(policy.dimensions, dimension, places),
        )

    def _standings(self, registries: tuple[str, ...]) -> tuple[dimensions.Standing, ...]:
        """Where every site stands for a model that is pulled from there."""
        return self.remembered(
            ("standings", registries),
            lambda: tuple(
                dimensions.standing(site, self._hosts_of(registries, member), self.hub) for member, site in self.places
            ),
        )

    def _hosts_of(self, registries: tuple[str, ...], member: Member) -> tuple[str, ...]:
        key = registries, member.mirrors
        if key not in self._pulls:
            self._pulls[key] = closure.registry_hosts(registries, member.mirrors)
        return self._pulls[key]

    def _contradictions(self, policy: Policy) -> Column:
        return self.remembered(
            ("onContradiction", policy.name),
            lambda: tuple(_fare(_contradiction(policy, site)) for _, site in self.places),
        )

    def _clause(self, case: Project, clause: Clause) -> Column:
        key = ("rule", clause, _seen(_fields(clause), case.model))
        alone = self.remembered(
            key,
            lambda: tuple(self._answered(clause, rules.answer(clause, v)) for v in self._values_for(case, clause)),
        )
        if clause.rule.on_unmet != "RequireRecord":
            return alone
        found = records.for_model(self.records, clause.rule, case.namespace, case.data_classes)
        return self.remembered(
            ("record", *key, *(record.metadata.name for record in found)),
            lambda: tuple(
                self._recorded(clause, each, rules.with_record(each.results[0], clause.rule, site, found))
                for each, (_, site) in zip(alone, self.places, strict=True)
            ),
        )

    def _answered(self, clause: Clause, answer: rules.Answer) -> Fare:
        """The same one for the same answer, however many models have it: verdicts on the same are the same."""
        return self.remembered(("answer", clause, answer), lambda: _fare(rules.result(clause, answer)))

    def _recorded(self, clause: Clause, before: Fare, result: Result) -> Fare:
        """The fare with the result that records made of its own: again the same one for the same."""
        if result is before.results[0]:
            return before
        key = ("recorded", clause, result.message, result.settled_by)
        return self.remembered(key, lambda: _fare(result))

    def _values_for(self, case: Project, clause: Clause) -> tuple[expression.Values, ...]:
        written = clause.compiled
        if not isinstance(written, expression.Expression) or not (
            written.uses_policy or written.model_fields != frozenset()
        ):
            return self._values
        if written.uses_policy:
            return self._ready({"model": case.model, "policy": {"name": clause.policy}})
        model, ready = self._last
        if model is not case.model:
            ready = self._ready({"model": case.model})
            self._last = case.model, ready
        return ready

    def _ready(self, more: Mapping[str, Any]) -> tuple[expression.Values, ...]:
        """Variables of each site, with these."""
        return tuple(expression.values({**self._variables(n), **more}) for n in range(len(self.places)))

    def _variables(self, place: int) -> dict[str, Any]:
        return {"cluster": self._clusters[place], "hub": self._hub_facts, "now": self._moment}


def _by_member(members: Iterable[Member], found: Iterable[Sites]) -> Iterator[Here]:
    at = 0
    for number, (member, each) in enumerate(zip(members, found, strict=True)):
        end = at + len(each.sites)
        yield Here(number, member, each.sites, at, end, each.until)
        at = end


def _attestations(law: Law) -> Any:
    """The attestations of one cluster: those that share its name or its UID."""
    by: dict[str, list[Any]] = {}
    for attestation in law.attestations:
        of = attestation.spec.cluster_ref
        for key in {f"name/{of.name}", f"uid/{of.uid}"}:
            by.setdefault(key, []).append(attestation)

    def of_member(member: MemberId) -> list[Any]:
        named, same = by.get(f"name/{member.name}", []), by.get(f"uid/{member.uid}", [])
        return [*named, *(a for a in same if a.spec.cluster_ref.name != member.name)]

    return of_member


def _records(
    policy: Policy, held: tuple[ResidencyRecord, ...], namespace: str, classes: tuple[str, ...]
) -> Iterator[tuple[str, ...]]:
    """Names of the records that each rule would find for the model: all that such a rule sees of it."""
    for clause in policy.clauses:
        if clause.rule.on_unmet == "RequireRecord":
            found = records.for_model(held, clause.rule, namespace, classes)
            yield tuple(record.metadata.name for record in found)


def _fields(clause: Clause) -> frozenset[str] | None:
    """Fields of the model that the expression may ask for; None: any."""
    written = clause.compiled
    return written.model_fields if isinstance(written, expression.Expression) else frozenset()


def _fare(*results: Result) -> Fare:
    return Fare(results, told(results))


def _reaching(policy: Policy, named: Reach) -> Fare:
    return _fare(*reach.results(policy.name, policy.reach, policy.dimensions.basis, named))


def _contradiction(policy: Policy, site: Site) -> Result:
    effect = "Deny" if policy.denies_contradiction else "Advise"
    if not site.facts.contradictions:
        return Result(policy.name, "onContradiction", Outcome.MET, effect)
    message = f"{site.facts.contradictions[0]}, and that contradicts what was attested"
    return Result(policy.name, "onContradiction", Outcome.UNMET, effect, "NodesContradictAttestation", message)


def _seen(names: frozenset[str] | None, model: Mapping[str, Any]) -> tuple[Any, ...]:
    """What rules that ask for these fields can see of a model. One that is not there is not one that is null."""
    return tuple((name, _frozen(model[name])) for name in sorted(model if names is None else names) if name in model)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[str, Any]", value).items()
        return tuple(sorted((key, _frozen(each)) for key, each in pairs))
    if isinstance(value, list | tuple):
        return tuple(_frozen(each) for each in cast("list[Any]", value))
    return value
