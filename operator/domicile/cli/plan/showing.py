"""How verdicts, matrices and differences are shown to people: tables, and a line that sums them up."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from domicile.cli.plan.documents import follows
from domicile.cli.table import table
from domicile.decision.preview import Change, Effect, Outlook
from domicile.residency import Covered, Explained, Finding, Lawful, MemberId, Result, Verdict, finding
from domicile.residency.facts import moment

NO_MODEL = "there is no SovereignModel"
_WOULD = {
    Effect.EVICT: "would be evicted",
    Effect.MOVE: "would move",
    Effect.HOLD: "would be held",
    Effect.FREE: "would be freed",
    Effect.NARROW: "would have fewer clusters to go to",
    Effect.WIDEN: "would have more clusters to go to",
    Effect.STAY: "stay as they are",
}


def plan(outlooks: Sequence[Outlook]) -> str:
    """Each model on each cluster, with the first reason against it, and what policies in Audit mode would say."""
    if not outlooks:
        return NO_MODEL
    rows = [("MODEL", "CLUSTER", "LAWFUL", "WHY")]
    for outlook in outlooks:
        if not outlook.judgement.verdicts:
            rows.append((outlook.name, "-", "no", "there is no cluster: neither a RegionalCluster nor an attestation"))
        for verdict in outlook.judgement.verdicts:
            rows.append((outlook.name, verdict.member.name, *_said(verdict)))
            rows += [
                (outlook.name, verdict.member.name, "audit", f"{each.policy} would deny: {_reason(each)}")
                for each in verdict.audited
            ]
    conflicts = [f"{outlook.name}: {conflict}" for outlook in outlooks for conflict in outlook.judgement.conflicts]
    return "\n".join([*table(rows), *conflicts, _summary(outlooks)])


def short(outlooks: Iterable[Outlook]) -> Iterator[str]:
    """The models that have fewer lawful clusters than they want."""
    for outlook in outlooks:
        if outlook.found < outlook.wanted:
            yield f"{outlook.name} ({outlook.found} of {outlook.wanted})"


def matrix(outlook: Outlook, rows: Iterable[Explained]) -> str:
    """Every rule of every policy on every cluster and pool, for one model."""
    found = [("CLUSTER", "POLICY", "RULE", "OUTCOME", "FOLLOWS", "REASON", "WHY")]
    for row in rows:
        where = f"{row.member.name}/{row.pool}" if row.pool else row.member.name
        for audit, results in (("", row.results), ("audit: ", row.audited)):
            found += [
                (where, r.policy, r.rule, r.outcome.value, f"{audit}{_follows(r)}", r.reason or "-", _why_and_source(r))
                for r in results
            ]
    return "\n".join([_heading(outlook), *(table(found) if len(found) > 1 else ())])


def difference(changes: Sequence[Change]) -> str:
    """What becomes of each model that a change touches, and how many there are of each."""
    if not changes:
        return NO_MODEL
    rows: list[tuple[str, ...]] = [("EFFECT", "MODEL", "ON", "MAY BE ON", "WOULD BE", "WHY")]
    for change in changes:
        if change.effect is not Effect.STAY:
            before = change.before.lawful if change.before else ()
            placed, may, would = (_listed(each) for each in (change.after.placed, before, change.after.lawful))
            rows.append((change.effect.value, change.after.name, placed, may, would, _because(change)))
    counts = Counter(change.effect for change in changes)
    told = ", ".join(f"{counts[effect]} {words}" for effect, words in _WOULD.items() if counts[effect])
    conflicts = [
        f"{change.after.name}: {conflict}"
        for change in changes
        if change.effect is not Effect.STAY
        for conflict in change.after.judgement.conflicts
    ]
    return "\n".join([*(table(rows) if len(rows) > 1 else ()), *conflicts, f"models: {told}"])


def _summary(outlooks: Sequence[Outlook]) -> str:
    wanting = list(short(outlooks))
    enough = f"{len(outlooks) - len(wanting)} of {len(outlooks)} models may be on as many clusters as they want"
    return f"{enough}; not {', '.join(wanting)}" if wanting else enough


def _said(verdict: Verdict) -> tuple[str, str]:
    if isinstance(verdict, Lawful):
        return "yes", _rests_on(verdict)
    first, *others = verdict.findings
    more = f"; and {len(others)} more" if others else ""
    return "no", f"{_reason(first)}{more}"


def _reason(found: Finding) -> str:
    return f"{found.reason}: {found.message}"


def _heading(outlook: Outlook) -> str:
    judgement = outlook.judgement
    classes = ", ".join(judgement.data_classes)
    if isinstance(judgement.coverage, Covered):
        policies = ", ".join(policy.metadata.name for policy in judgement.coverage.policies)
        return f"{outlook.name} with {classes}, under {policies}"
    without = ", ".join(judgement.coverage.data_classes)
    return f"{outlook.name} with {classes}: lawful nowhere, as no enforced ResidencyPolicy covers {without} in its namespace"


def _follows(result: Result) -> str:
    word = follows(result)
    if word == "Settled":
        return f"settled by {result.settled_by}"
    return "-" if word == "None" else word.lower()


def _why_and_source(result: Result) -> str:
    """The message, if there is one, and what the rule rests on, if that is said."""
    return finding(result).message.strip()


def _because(change: Change) -> str:
    """Of what it has to leave; else of what it may not go to any more, or still not."""
    nowhere = tuple(v.member for v in change.after.judgement.verdicts) if change.effect is Effect.HOLD else ()
    members = change.leaves or change.loses or nowhere
    told: list[str] = []
    for member in members[:3]:
        why = change.after.why_not(member)
        told.append(f"{member}: {_reason(why)}" if why else f"{member}: no cluster of that name has its UID any more")
    more = [f"and {len(members) - 3} more"] if len(members) > 3 else []
    return "; ".join([*told, *more])


def _listed(members: Iterable[MemberId]) -> str:
    return ", ".join(member.name for member in members) or "-"


def _rests_on(verdict: Lawful) -> str:
    parts = [f"until {moment(verdict.until)}"]
    nodes = [",".join(f"{key}={value}" for key, value in pool) for pool in verdict.pools if pool]
    parts += [f"on nodes with {' or '.join(nodes)}"] if nodes else []
    parts += [f"by ResidencyException/{name}" for name in verdict.exceptions]
    parts += [f"by ResidencyRecord/{name}" for name in verdict.records]
    parts += [f"against advice: {advice.message}" for advice in verdict.advice]
    parts += [f"soon: {warning}" for warning in verdict.warnings]
    return ", ".join(parts)
