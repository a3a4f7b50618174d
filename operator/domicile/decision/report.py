"""The decision in words: conditions, counts, exclusions, and placements of a SovereignModel's status."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from domicile.api import (
    ClusterCounts,
    Condition,
    Exclusion,
    ModelRemnant,
    Placement,
    ReasonCount,
    SovereignModelStatus,
)
from domicile.decision.conditions import Claim, summary
from domicile.decision.conditions import settled as settle_conditions
from domicile.decision.foresight import audited, foresight, hosting
from domicile.decision.outlook import NOT_RECORDED, Outlook, Standing
from domicile.decision.snapshot import Snapshot
from domicile.placement import PassedOver
from domicile.residency import Finding, Judgement, Lawful, MemberId, Uncovered, Unlawful

SHOWN_EXCLUSIONS = 20
"""How many clusters the status lists with a reason."""
SPEC_UNREADABLE = "SpecUnreadable"
_SHOWN_IN_MESSAGE = 3
_PLACED_ON_LIMIT, _MESSAGE_LIMIT = 4096, 1024
_SOURCE_AT_MOST = 560
"""Characters at the end of a reason that hold what the rule rests on."""
_OF_THE_DAY = frozenset(
    {
        "AcceleratorsBusy",
        "AcceleratorsTooFew",
        "AcceleratorsTooSmall",
        "ClusterOutOfSight",
        NOT_RECORDED,
        "FenceNotInForce",
        "NoAccelerators",
        "NotNeeded",
        "ServingUnavailable",
    }
)
"""Why a lawful cluster was passed over, today: its nodes, other models and networks decide on it. Worth telling to a model
that wants a cluster, and not worth a write to each one that has all it wants: for those it is NotNeeded throughout."""


def settled(seen: Snapshot, outlook: Outlook, now: datetime) -> SovereignModelStatus:
    """The status after a decision."""
    parts = (_policy_compliant(seen, outlook), _placed(seen, outlook), _available(outlook))
    hosts = (standing.member for standing in outlook.hosts)
    notes = (*foresight(outlook.judgement, hosts), *audited(outlook))
    exclusions = _exclusions(outlook)
    standings = (*outlook.hosts, *outlook.surplus, *outlook.leaving)
    return SovereignModelStatus(
        observed_generation=seen.model.metadata.generation,
        placed_on=_placed_on(standings),
        placements=_rows(standings),
        clusters=_counts(seen, outlook, exclusions),
        exclusions=exclusions[:SHOWN_EXCLUSIONS],
        conditions=_conditions(seen, (summary(parts), *parts, *notes), now),
    )


def farewell(seen: Snapshot, left: tuple[Standing, ...], now: datetime) -> SovereignModelStatus:
    """The status while the model is being deleted."""
    hidden = [s.member for s in left if not seen.in_sight(s.member)]
    if hidden:
        message = "; ".join(_cannot_look(seen, member) for member in hidden)
        ready = Claim("Ready", "False", "WaitingForCluster", message)
    else:
        names = ", ".join(f"{s.member.name}{_stuck(seen, s.member)}" for s in left)
        ready = Claim(
            "Ready", "False", "Deleting", f"being withdrawn from {names}" if names else "withdrawn everywhere"
        )
    before = seen.model.status or SovereignModelStatus()
    return before.model_copy(
        update={
            "observed_generation": seen.model.metadata.generation,
            "placed_on": _placed_on(left),
            "placements": _rows(left),
            "conditions": _conditions(seen, (ready,), now),
        }
    )


def unknown(
    seen: Snapshot, judgement: Judgement, staying: tuple[Standing, ...], leaving: tuple[Standing, ...], now: datetime
) -> SovereignModelStatus:
    """The status while not all that decides is known. What was said of other things stands."""
    claims = _held(seen, _unlawful(seen, judgement, leaving))
    # What is known goes on to end: who could renew it is told all the same.
    claims = (summary(claims), *claims, *foresight(judgement, (s.member for s in staying)))
    before = seen.model.status or SovereignModelStatus()
    others = tuple(c for c in before.conditions if c.type not in [claim.type for claim in claims])
    return before.model_copy(
        update={
            "observed_generation": seen.model.metadata.generation,
            "placed_on": _placed_on((*staying, *leaving)),
            "placements": _rows((*staying, *leaving)),
            "conditions": (*_conditions(seen, claims, now), *others),
        }
    )


def _held(seen: Snapshot, unlawful: Claim | None) -> tuple[Claim, ...]:
    """Why nothing is placed."""
    if isinstance(seen.model, ModelRemnant):
        message = (
            f"{seen.model.why}: correct it. Until then nothing is placed, and what runs stays unless it is unlawful"
        )
        compliant = unlawful or Claim("PolicyCompliant", "Unknown", SPEC_UNREADABLE, message)
        return (compliant, Claim("Placed", "False", SPEC_UNREADABLE, message))
    message = f"cannot read {', '.join(seen.unknown)}: what it forbids is not known, so nothing is placed"
    return (unlawful or Claim("PolicyCompliant", "Unknown", "PolicyUnreadable", message),)


def _conditions(seen: Snapshot, claims: Iterable[Claim], now: datetime) -> tuple[Condition, ...]:
    before = seen.model.status.conditions if seen.model.status else ()
    return settle_conditions(claims, before, seen.model.metadata.generation, now)


def _policy_compliant(seen: Snapshot, outlook: Outlook) -> Claim:
    verdicts = outlook.judgement.verdicts
    lawful = [v for v in verdicts if isinstance(v, Lawful)]
    if isinstance(outlook.judgement.coverage, Uncovered):
        classes = ", ".join(outlook.judgement.coverage.data_classes)
        message = f"no ResidencyPolicy covers data class {classes} in this namespace"
        return Claim("PolicyCompliant", "False", "NoMatchingPolicy", message)
    if claim := _unlawful(seen, outlook.judgement, outlook.leaving):
        return claim
    policies = ", ".join(p.metadata.name for p in outlook.judgement.coverage.policies)
    strangers = "; ".join(_cannot_look(seen, s.member) for s in outlook.leaving if not _registered(seen, s.member))
    if not lawful:
        first = _listed((e.cluster, e.message) for e in _exclusions(outlook))
        together = "".join(f"; {conflict}" for conflict in outlook.judgement.conflicts)
        message = f"none of {_clusters(len(verdicts))} is lawful under {policies}{together}{first}"
        # First what somebody can do something about.
        message = f"{strangers}; {message}" if strangers else message
        return Claim("PolicyCompliant", "False", "NoLawfulCluster", message)
    if strangers:
        return Claim("PolicyCompliant", "Unknown", "ClusterNotRegistered", strangers)
    message = f"{len(lawful)} of {_clusters(len(verdicts))} lawful under {policies}{_set_aside(outlook)}"
    return Claim("PolicyCompliant", "True", "Lawful", message)


def _unlawful(seen: Snapshot, judgement: Judgement, leaving: Iterable[Standing]) -> Claim | None:
    """That the model is where it may not be, if it is."""
    unlawful = {v.member: v.findings[0].message for v in judgement.verdicts if isinstance(v, Unlawful)}
    found = [
        f"being withdrawn from {s.member}{'' if seen.in_sight(s.member) else ' once it is in sight'}{_stuck(seen, s.member)}:"
        f" {unlawful[s.member]}"
        for s in leaving
        if s.member in unlawful
    ]
    return Claim("PolicyCompliant", "False", "UnlawfulPlacement", "; ".join(found)) if found else None


def _stuck(seen: Snapshot, member: MemberId) -> str:
    what = seen.stuck.get(member.name)
    return f" ({what})" if what else ""


def _registered(seen: Snapshot, member: MemberId) -> bool:
    view = seen.members.get(member.name)
    return view is not None and view.member == member


def _cannot_look(seen: Snapshot, member: MemberId) -> str:
    """Why nobody knows what is left on a member, and what to do."""
    if _registered(seen, member):
        return f"waiting for {member}, which is out of sight: what is left there is not known until it can be looked at"
    return (
        f"waiting for {member} (UID {member.uid}), of which something may be left and which is no longer registered:"
        f" join it again so that it can be looked at, or, if that cluster is no more, remove its entry from status.placements"
    )


def _placed(seen: Snapshot, outlook: Outlook) -> Claim:
    wanted, choice = seen.whole.spec.placement.cluster_count, outlook.choice
    first = _listed((e.cluster, e.message) for e in _exclusions(outlook))
    waits = next((p.message for p in choice.passed_over if p.reason == NOT_RECORDED), "")
    if waits and choice.shortfall:
        # It is no matter of clusters, and of a hundred of them the first three would say nothing of it.
        return Claim("Placed", "False", NOT_RECORDED, f"on {len(choice.chosen)} of {_clusters(wanted)}: {waits}")
    if not choice.chosen:
        lawful = any(isinstance(v, Lawful) for v in outlook.judgement.verdicts)
        reason = "NoAbleCluster" if lawful else "NoLawfulCluster"
        if isinstance(outlook.judgement.coverage, Uncovered):
            return Claim("Placed", "False", "NoMatchingPolicy", "no policy, no placement")
        return Claim("Placed", "False", reason, f"no cluster is both lawful and able{first}")
    names = ", ".join(chosen.member.name for chosen in choice.chosen)
    if choice.shortfall:
        message = f"on {names}: {len(choice.chosen)} of {wanted} clusters{first}"
        return Claim("Placed", "False", "TooFewClusters", message)
    return Claim("Placed", "True", "Placed", f"on {names}{first}")


def _available(outlook: Outlook) -> Claim:
    if not outlook.hosts:
        leaving = ", ".join(s.member.name for s in outlook.leaving)
        message = f"leaving {leaving}, and on no other cluster" if leaving else "the model is on no cluster"
        return Claim("Available", "False", "NotPlaced", message)
    for state in ("Failing", "Starting"):
        for standing in outlook.hosts:
            if standing.state == state:
                return Claim("Available", "False", standing.reason, f"{standing.member}: {standing.message}")
    hidden = [s for s in outlook.hosts if s.state == "OutOfSight"]
    if hidden:
        return Claim("Available", "Unknown", hidden[0].reason, hidden[0].message)
    return Claim("Available", "True", "Serving", f"serving on {', '.join(s.member.name for s in outlook.hosts)}")


def _exclusions(outlook: Outlook) -> tuple[Exclusion, ...]:
    """Every cluster that was not chosen, unlawful ones first, each with its first reason."""
    unlawful = [
        _unlawful_row(v.member.name, v.findings[0]) for v in outlook.judgement.verdicts if isinstance(v, Unlawful)
    ]
    passed_over = [
        Exclusion(cluster=p.member.name, reason=p.reason, message=_fit(p.message, _MESSAGE_LIMIT))
        for p in _passed_over(outlook)
    ]
    return (*unlawful, *passed_over)


def _unlawful_row(cluster: str, why: Finding) -> Exclusion:
    return Exclusion(
        cluster=cluster, policy=why.policy, rule=why.rule, reason=why.reason, message=_with_source(why.message)
    )


def _with_source(message: str) -> str:
    """A reason that fits. Of one that is too long the middle is left out: what the rule rests on stands at the end."""
    if len(message) <= _MESSAGE_LIMIT:
        return message
    return f"{message[: _MESSAGE_LIMIT - _SOURCE_AT_MOST - 3]}...{message[-_SOURCE_AT_MOST:]}"


def _passed_over(outlook: Outlook) -> Iterable[PassedOver]:
    names = ", ".join(chosen.member.name for chosen in outlook.choice.chosen)
    for passed in outlook.choice.passed_over:
        if passed.reason in _OF_THE_DAY and not outlook.choice.shortfall:
            yield PassedOver(passed.member, "NotNeeded", f"the model has all the clusters it wants: {names}")
        else:
            yield passed


def _counts(seen: Snapshot, outlook: Outlook, exclusions: Iterable[Exclusion]) -> ClusterCounts:
    """How the clusters fared. As long as the model stays where it is, how many could run it is told as of when it came."""
    considered = len(outlook.judgement.verdicts)
    lawful = sum(isinstance(v, Lawful) for v in outlook.judgement.verdicts)
    before = seen.model.status.clusters if seen.model.status else None
    stays = {s.member for s in outlook.hosts} <= {MemberId(row.cluster, row.cluster_uid) for row in seen.recorded}
    settled_there = stays and bool(outlook.hosts) and not outlook.choice.shortfall
    as_before = before and settled_there and (before.considered, before.lawful) == (considered, lawful)
    reasons = Counter(exclusion.reason for exclusion in exclusions)
    return ClusterCounts(
        considered=considered,
        lawful=lawful,
        able=before.able if before and as_before else outlook.able,
        chosen=len(outlook.choice.chosen),
        excluded=tuple(ReasonCount(reason=reason, count=count) for reason, count in sorted(reasons.items())),
    )


def _set_aside(outlook: Outlook) -> str:
    """What the placement rests on beside policies and facts, and what was only advised."""
    found: list[str] = []
    for verdict in hosting(outlook):
        rests_on = [
            *(f"ResidencyException/{e}" for e in verdict.exceptions),
            *(f"ResidencyRecord/{r}" for r in verdict.records),
        ]
        if rests_on:
            found.append(f"{verdict.member} by {', '.join(rests_on)}")
        found += [f"{verdict.member} against advice: {advice.message}" for advice in verdict.advice]
    return "".join(f"; {each}" for each in found)


def _rows(standings: Iterable[Standing]) -> tuple[Placement, ...]:
    rows = [
        Placement(
            cluster=s.member.name,
            cluster_uid=s.member.uid,
            permit=s.permit,
            state=s.state,
            node_selector=dict(s.node_selector),
            endpoint=s.endpoint,
        )
        for s in standings
    ]
    return tuple(sorted(rows, key=lambda row: row.cluster))


def _placed_on(standings: Iterable[Standing]) -> str:
    names = [f"{s.member}{' (leaving)' if s.state == 'Leaving' else ''}" for s in standings]
    return _fit(", ".join(names), _PLACED_ON_LIMIT)


def _clusters(count: int) -> str:
    return f"{count} cluster" if count == 1 else f"{count} clusters"


def _listed(reasons: Iterable[tuple[str, str]]) -> str:
    listed = [f"{cluster}: {message}" for cluster, message in reasons]
    if not listed:
        return ""
    more = len(listed) - _SHOWN_IN_MESSAGE
    tail = f"; and {more} more" if more > 0 else ""
    return f"; not {'; not '.join(listed[:_SHOWN_IN_MESSAGE])}{tail}"


def _fit(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
