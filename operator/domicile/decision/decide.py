"""The decision about one model: verdicts, then placement, then health, then what to do and what to say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from domicile import placement, residency, serving
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    ModelRemnant,
    Placement,
    ResidencyPolicy,
    SovereignModel,
)
from domicile.api.sovereignmodel import FINALIZER
from domicile.decision import report
from domicile.decision.outlook import NOT_RECORDED, Outlook, Standing
from domicile.decision.plan import Act, AddFinalizer, Place, Plan, ReleaseFinalizer, Wait, Withdraw
from domicile.decision.snapshot import Refusal, Snapshot
from domicile.placement import ClusterView, OutOfSight
from domicile.residency import Covered, Finding, Judgement, Lawful, MemberId, Permit, Unlawful, places

CONNECTING = "Connecting"
"""Reason of OutOfSight while the first attempt to connect is under way."""
CONNECTING_GRACE = timedelta(seconds=10)
"""How long a decision waits for a member's first answer. Then it is out of sight like any other."""
OUT_OF_SIGHT = "ClusterOutOfSight"
UNREACHABLE = "Unreachable"
ENDPOINT_LIMIT = 1024
"""What the status takes. A longer address is a member's own doing, and must not stop the decision."""


def decide(seen: Snapshot, now: datetime) -> Plan | Wait:
    """What to do about one model, now. Pure: the same snapshot and moment give the same plan."""
    if seen.model.metadata.deletion_timestamp is not None:
        return _farewell(seen, now)
    if seen.unknown or isinstance(seen.model, ModelRemnant):
        return _hold(seen, now)
    return _settle(seen, now)


def _farewell(seen: Snapshot, now: datetime) -> Plan | Wait:
    """The model is being deleted: withdraw it everywhere, and let it go when its absence is proved everywhere."""
    left = seen.present()
    if wait := _for_first_answer(seen, left, now):
        return wait
    standings = tuple(Standing(member, "Leaving", seen.recorded_permit(member)) for member in left)
    status = report.farewell(seen, standings, now)
    if left:
        return Plan(_withdrawals(seen, left), status, None)
    ours = FINALIZER in seen.model.metadata.finalizers
    return Plan((ReleaseFinalizer(),) if ours else (), status, None)


def _hold(seen: Snapshot, now: datetime) -> Plan:
    """Not all that decides is known: nothing is placed, and what runs is left alone, but for what is unlawful whatever
    the rest may say."""
    judgement = _judge(seen, now)
    # By UID: of a cluster that was joined under two names, the one under which it is lawful counts.
    lawful = {verdict.member.uid for verdict in judgement.verdicts if isinstance(verdict, Lawful)}
    unlawful = {member for member in _unlawful_anyway(seen, judgement, now) if member.uid not in lawful}
    leaving = tuple(_on_record(seen, member, leaving=True) for member in seen.present() if member in unlawful)
    staying = tuple(_on_record(seen, member) for member in seen.present() if member not in unlawful)
    status = report.unknown(seen, judgement, staying, leaving, now)
    return Plan(_withdrawals(seen, (s.member for s in leaving)), status, judgement.look_again, judgement)


def _settle(seen: Snapshot, now: datetime) -> Plan | Wait:
    judgement = _judge(seen, now)
    lawful = {verdict.member: verdict for verdict in judgement.verdicts if isinstance(verdict, Lawful)}
    if wait := _worth_waiting(seen, lawful, now):
        return wait
    staying = _staying(seen)
    candidates = _candidates(seen, lawful, staying)
    choice = placement.choose(seen.whole.spec.placement.cluster_count, candidates, staying, seen.ref)
    hosts = [_host(seen, chosen, lawful[chosen.member], judgement) for chosen in choice.chosen]
    leaving, surplus = _others(seen, lawful, hosts)
    able = sum(isinstance(candidate.ability, placement.Able) for candidate in candidates)
    outlook = Outlook(judgement, choice, able, tuple(h.standing for h in hosts), leaving, surplus)
    status = report.settled(seen, outlook, now)
    return Plan(_acts(seen, hosts, leaving), status, judgement.look_again, judgement, choice)


def _judge(seen: Snapshot, now: datetime) -> Judgement:
    return seen.engine.judge(question(seen, now))


def question(seen: Snapshot, now: datetime) -> residency.Question:
    """What is asked of the residency engine about the model."""
    members = tuple(residency.Member(view.member, view.mirrors, view.reported) for view in seen.members.values())
    return residency.Question(asked(seen.model, seen.namespace_labels), members, now, seen.hub)


def asked(model: SovereignModel | ModelRemnant, namespace_labels: Mapping[str, str] | None) -> residency.Asked:
    """The model as the residency engine sees it. Of one that cannot be read it sees the data classes alone."""
    meta = model.metadata
    ref, labels = residency.ModelRef(meta.namespace, meta.name, meta.uid), namespace_labels or {}
    if isinstance(model, ModelRemnant):
        return residency.Asked(ref, model.data_classes, labels)
    spec = model.spec
    accelerators = spec.resources.accelerators
    return residency.Asked(
        ref=ref,
        data_classes=spec.data_classes,
        namespace_labels=labels,
        artifacts=serving.artifacts(spec),
        arguments=spec.runtime.args,
        callers=spec.network.callers,
        egress=spec.network.egress,
        traits={
            "modelFormat": spec.model_format.wire(),
            "replicas": {"min": spec.replicas.min, "max": spec.replicas.max or spec.replicas.min},
            "accelerators": accelerators.count if accelerators else 0,
        },
    )


_POLICY = f"{ResidencyPolicy.info.kind}/"
_FACTS = f"{ClusterAttestation.info.kind}/"
_COVERS = (_POLICY, f"{DataClassification.info.kind}/")
"""Kinds of which one more can cover a model that is not covered: a policy speaks of a class more, an order drops a class."""


def _unlawful_anyway(seen: Snapshot, judgement: Judgement, now: datetime) -> frozenset[MemberId]:
    """Members that are denied whatever the unreadable may say. A further policy can only deny more. A further attestation
    could vouch for what is unknown without it, but not for what is known to be elsewhere: it could only contradict. A
    group, a record or an exception could allow, and so could an order of data classes, in which a floor may be below what
    the model declares; and without the namespace's labels nobody knows which policies are meant. Of a spec that cannot be
    read, what a rule asks for may be other than it seems."""
    if seen.namespace_labels is None or not seen.data_classes:
        return frozenset()
    denied = [verdict for verdict in judgement.verdicts if isinstance(verdict, Unlawful)]
    if isinstance(seen.model, ModelRemnant) and isinstance(judgement.coverage, Covered):
        whatever = _whatever_the_spec_says(seen, now)
        denied = [verdict for verdict in denied if verdict.member in whatever]
    if not isinstance(judgement.coverage, Covered):
        uncovered = not any(name.startswith(_COVERS) for name in seen.unknown)
        return frozenset(verdict.member for verdict in denied if uncovered)
    others = [name for name in seen.unknown if not name.startswith(_POLICY)]
    if not all(name.startswith(_FACTS) for name in others):
        return frozenset()
    return frozenset(v.member for v in denied if not others or any(_is_known(f, seen) for f in v.findings))


_READ_OF_A_REMNANT = frozenset({"name", "namespace", "namespaceLabels", "dataClasses"})


def _whatever_the_spec_says(seen: Snapshot, now: datetime) -> frozenset[MemberId]:
    """Members on which, on every site, a rule denies that asks for nothing that cannot be read of the model."""
    engine = seen.engine
    denied: dict[MemberId, bool] = {}
    for site in engine.explain(question(seen, now)):
        against = (engine.reads(r.policy, r.rule) for r in site.results if r.denies)
        here = any(fields is not None and fields <= _READ_OF_A_REMNANT for fields in against)
        denied[site.member] = denied.get(site.member, True) and here
    return frozenset(member for member, everywhere in denied.items() if everywhere)


def _is_known(finding: Finding, seen: Snapshot) -> bool:
    """Whether the finding rests on a fact, and not on the want of one. A further pool of nodes may be elsewhere, and of a
    cluster that is said to be in a country, in the part of it that is allowed."""
    outside = finding.reason.endswith("OutsideJurisdiction") and not finding.pool
    return outside and not (finding.rule in _BY_POOL and _allows_a_part(finding, seen.engine.law))


_BY_POOL = ("allow.workers", "allow.hub")
"""What a pool of nodes can have a place of its own for."""


def _allows_a_part(finding: Finding, law: residency.Law) -> bool:
    """Whether the list that the finding is about names a part of a country, itself or by a group."""
    allow = next(policy.spec.allow for policy in law.policies if policy.metadata.name == finding.policy)
    listed = allow.workers if finding.rule == "allow.workers" else allow.hub
    return any("-" in place for place in places.allowed(listed, places.groups(law.groups)).places)


def _worth_waiting(seen: Snapshot, lawful: Mapping[MemberId, Lawful], now: datetime) -> Wait | None:
    """Wait for members that matter to this model; not for others, and not while something unlawful could be withdrawn."""
    present = seen.present()
    if any(member not in lawful and seen.in_sight(member) for member in present):
        return None
    wanting = sum(member in lawful for member in present) < seen.whole.spec.placement.cluster_count
    return _for_first_answer(seen, {*present, *lawful} if wanting else present, now)


def _for_first_answer(seen: Snapshot, members: Iterable[MemberId], now: datetime) -> Wait | None:
    for member in sorted(members):
        view = seen.members.get(member.name)
        until = _connecting_until(view) if view is not None and view.member == member else None
        if until is not None and now < until:
            return Wait(f"{member} is being connected to", until)
    return None


def _connecting_until(view: ClusterView) -> datetime | None:
    if isinstance(view.connection, OutOfSight) and view.connection.reason == CONNECTING:
        return view.connection.since + CONNECTING_GRACE
    return None


def _staying(seen: Snapshot) -> Mapping[MemberId, placement.Current]:
    """Where the model runs, for the choice: what is on its way out holds no place there."""
    rows = {member: seen.recorded_at(member) for member in seen.present()}
    return {
        member: placement.Current(selector, _serves(seen, member, selector), _there(seen, member).starved)
        for member, selector in seen.current().items()
        if (row := rows[member]) is None or row.state != "Leaving"
    }


def _serves(seen: Snapshot, member: MemberId, selector: Mapping[str, str]) -> bool:
    """Whether it was reported to serve there, or is seen to. A report is of before, where the copy was not chosen since;
    and nothing is seen to serve at the moment at which the spec changes."""
    row = seen.recorded_at(member)
    if row is not None and row.state == "Serving":
        return True
    return isinstance(serving.health(_workload(seen, member, selector), _there(seen, member)), serving.Serving)


def _workload(seen: Snapshot, member: MemberId, selector: Mapping[str, str]) -> serving.Workload:
    """The model as it is on that member."""
    view = seen.members.get(member.name)
    mirrors, peers = (view.mirrors, view.peers) if view is not None else ((), ())
    return serving.workload(seen.whole, selector, mirrors, peers)


def _there(seen: Snapshot, member: MemberId) -> serving.SeenWorkload:
    return seen.seen.get(member.name, serving.SeenWorkload())


def _candidates(
    seen: Snapshot, lawful: Mapping[MemberId, Lawful], staying: Mapping[MemberId, placement.Current]
) -> tuple[placement.Candidate, ...]:
    meta, need = seen.model.metadata, placement.need(seen.whole.spec)
    found = {
        member: placement.ability(
            need, meta.namespace, meta.name, seen.members[member.name], staying.get(member), verdict.pools
        )
        for member, verdict in sorted(lawful.items())
    }
    return tuple(placement.Candidate(member, _today(seen, member, ability)) for member, ability in found.items())


def _today(seen: Snapshot, member: MemberId, ability: placement.Ability) -> placement.Ability:
    """With what is the same for every model, and in words that stay."""
    if isinstance(ability, placement.Able) and seen.unrecordable:
        return placement.NotYet(
            NOT_RECORDED, f"nothing is placed while decisions cannot be recorded: {seen.unrecordable}"
        )
    return _in_steady_words(member, ability)


def _in_steady_words(member: MemberId, ability: placement.Ability) -> placement.Ability:
    """The words of a connection's failure change with each attempt and each start of the operator; a model's must not."""
    if isinstance(ability, placement.NotSeen):
        return placement.NotSeen(OUT_OF_SIGHT, _out_of_sight(member, ability.reason))
    return ability


@dataclass(frozen=True)
class _Host:
    """A chosen cluster: how the model stands there, and what has to be written, if anything."""

    standing: Standing
    place: Place | None


def _host(seen: Snapshot, chosen: placement.Chosen, verdict: Lawful, judgement: Judgement) -> _Host:
    member, selector = chosen.member, dict(chosen.node_selector)
    if isinstance(chosen, placement.Hold) and chosen.reason == OUT_OF_SIGHT:
        row = seen.recorded_at(member)
        endpoint = row.endpoint if row else ""
        why = f"{chosen.message}; what runs there goes on"
        permit = seen.recorded_permit(member)
        return _Host(Standing(member, "OutOfSight", permit, selector, endpoint, OUT_OF_SIGHT, why), None)
    workload = _workload(seen, member, selector)
    there = _there(seen, member)
    health = serving.health(workload, there)
    if isinstance(chosen, placement.Hold):
        comes = chosen.reason == NOT_RECORDED and isinstance(health, serving.Progressing)
        if isinstance(health, serving.Progressing | serving.Missing) and not comes:
            # Nothing is written there, so nothing will come of it; of what was written before it may.
            health = serving.Failing(chosen.reason, chosen.message)
        return _Host(_standing(member, seen.recorded_permit(member), selector, health), None)
    permit = _permit(seen, verdict, judgement, workload)
    drifted = _drifted(workload, there, permit)
    if (refusal := seen.refusals.get(member.name)) and drifted:
        health = _refused(member, refusal)
    standing = _standing(member, permit.digest, selector, health)
    return _Host(standing, Place(permit, workload) if drifted else None)


def _permit(seen: Snapshot, verdict: Lawful, judgement: Judgement, workload: serving.Workload) -> Permit:
    law, covered = seen.engine.law, judgement.coverage
    policies = covered.policies if isinstance(covered, Covered) else ()
    grounds = residency.Grounds(
        model=residency.digest_of(seen.whole.spec),
        policies=_digests(policies),
        attestations=_digests(law.attestations, verdict.attestations),
        artifacts=workload.artifacts,
        records=_digests(law.records, verdict.records),
        exceptions=_digests(law.exceptions, verdict.exceptions),
        definitions=(*_digests(law.groups), *_digests(law.classifications)),
        network=workload.network,
    )
    return residency.permit(seen.ref, verdict, grounds)


def _digests(objects: Iterable[Any], names: Iterable[str] | None = None) -> tuple[tuple[str, str], ...]:
    """Name and digest of the spec of each object, or of those that are named. By name."""
    wanted = None if names is None else set(names)
    found = [o for o in objects if wanted is None or o.metadata.name in wanted]
    return tuple((o.metadata.name, residency.digest_of(o.spec)) for o in sorted(found, key=lambda o: o.metadata.name))


def _refused(member: MemberId, refusal: Refusal) -> serving.Failing:
    if refusal.reason == UNREACHABLE:
        # "Refused" and "timed out" may alternate from one attempt to the next.
        return serving.Failing(UNREACHABLE, f"{member} did not answer when it was written to; it is tried again")
    return serving.Failing(refusal.reason, refusal.message)


def _standing(member: MemberId, permit: str, selector: dict[str, str], health: serving.Health) -> Standing:
    match health:
        case serving.Serving(endpoint):
            fitting = endpoint if len(endpoint) <= ENDPOINT_LIMIT else ""
            return Standing(member, "Serving", permit, selector, fitting)
        case serving.Failing(reason, message):
            return Standing(member, "Failing", permit, selector, "", reason, message)
        case _:
            # One text for Progressing and Missing: between being decided and being seen there, nothing changes that is
            # worth a write.
            begun = serving.Progressing()
            return Standing(member, "Starting", permit, selector, "", begun.reason, begun.message)


def _drifted(workload: serving.Workload, there: serving.SeenWorkload, permit: Permit) -> bool:
    """Whether something of the workload is missing on the member or differs, or what it is granted there. What is on its way out
    has to be gone before it can be made anew."""
    service = there.inference_service
    if service is not None and service.deleting:
        return False
    return there.granted != serving.granted(workload, permit.until) or bool(serving.differs(workload, there))


def _others(
    seen: Snapshot, lawful: Mapping[MemberId, Lawful], hosts: list[_Host]
) -> tuple[tuple[Standing, ...], tuple[Standing, ...]]:
    """What is on members that were not chosen: leaving at once where it is unlawful, or where it is lawful and all
    chosen ones serve; staying as it is until they do."""
    # By UID: a chosen cluster that was joined under a second name is no other cluster.
    chosen = {host.standing.member.uid for host in hosts}
    lawful_uids = {member.uid for member in lawful}
    all_serve = bool(hosts) and all(host.standing.state == "Serving" for host in hosts)
    others = [member for member in seen.present() if member.uid not in chosen]
    leaving = tuple(_on_record(seen, m, leaving=True) for m in others if m.uid not in lawful_uids or all_serve)
    surplus = tuple(_on_record(seen, m) for m in others if m.uid in lawful_uids and not all_serve)
    return leaving, surplus


def _on_record(seen: Snapshot, member: MemberId, *, leaving: bool = False) -> Standing:
    """How the model stood there when it was last reported."""
    unrecorded = Placement(cluster=member.name, cluster_uid=member.uid, permit="", state="Starting")
    row = seen.recorded_at(member) or unrecorded
    return Standing(member, "Leaving" if leaving else row.state, row.permit, dict(row.node_selector), row.endpoint)


def _acts(seen: Snapshot, hosts: list[_Host], leaving: tuple[Standing, ...]) -> tuple[Act, ...]:
    places = tuple(host.place for host in hosts if host.place is not None)
    guarded = FINALIZER in seen.model.metadata.finalizers
    needed = bool(places or seen.present())
    return (
        *(() if guarded or not needed else (AddFinalizer(),)),
        *_withdrawals(seen, (standing.member for standing in leaving)),
        *places,
    )


def _withdrawals(seen: Snapshot, members: Iterable[MemberId]) -> tuple[Withdraw, ...]:
    return tuple(Withdraw(member) for member in members if seen.in_sight(member))


def _out_of_sight(member: MemberId, reason: str) -> str:
    why = UNREACHABLE if reason == CONNECTING else reason
    return f"{member} is out of sight ({why}): see RegionalCluster {member}"
