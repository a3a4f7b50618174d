"""From how each policy fares on the sites of a cluster to the verdict on the cluster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from domicile.residency.cel import times
from domicile.residency.facts import Known, Site, moment
from domicile.residency.setting import Member
from domicile.residency.sitting import Here, Project, Sitting, Told, told
from domicile.residency.verdict import Finding, Lawful, Result, Unlawful, Verdict

Amend = Callable[[tuple[Result, ...]], tuple[Result, ...]]
Row = tuple[Told, ...]
"""What is told of one site by each policy: those that are enforced, then those in Audit mode."""
Rows = tuple[Row, ...]
"""Of each site of a member."""


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """What the verdicts of one case have in common."""

    policies: tuple[str, ...]
    warn_before: timedelta
    rests_on: frozenset[str]
    again: tuple[datetime | None, ...]
    """When time alone may change the verdict on each member, or what policies in Audit mode say."""
    ending: tuple[datetime | None, ...]
    """When it may change what is said of each member by facts and by rules that may deny."""
    uncovered: tuple[Finding, ...]
    """What denies whatever the cluster: a data class without a policy."""
    audits: bool
    """Whether a policy in Audit mode applies."""
    known: tuple[dict[Rows, Verdict], ...]
    """The verdicts on each member, by what they were made of."""


def verdicts(sitting: Sitting, case: Project) -> tuple[Verdict, ...]:
    """The verdicts on all members."""
    common, every = _common(sitting, case), _rows(sitting, case)
    judged: list[Verdict] = []
    for here, known in zip(sitting.by_member, common.known, strict=True):
        rows = every[here.begin : here.end]
        found = known.get(rows)
        if found is None:
            found = known[rows] = _verdict(sitting, common, here, rows)
        judged.append(found)
    return tuple(judged)


def verdict(sitting: Sitting, case: Project, member: Member, amend: Amend) -> Verdict:
    """The verdict on one cluster, with the results amended."""
    here = sitting.here(member)
    rows = tuple(
        tuple(told(amend(sitting.results(case, (policy,), member, site))) for policy in (*case.enforced, *case.audits))
        for site in here.sites
    )
    return _verdict(sitting, _common(sitting, case), here, rows)


def _rows(sitting: Sitting, case: Project) -> Rows:
    """Of every site."""
    applying = (*case.enforced, *case.audits)
    if not applying:
        return ((),) * len(sitting.places)
    return tuple(zip(*[sitting.told(case, policy) for policy in applying], strict=True))


def _common(sitting: Sitting, case: Project) -> _Common:
    applying = tuple(p.name for p in case.enforced), tuple(p.name for p in case.audits)
    return sitting.remembered(("common", *applying, case.uncovered), lambda: _made_common(sitting, case))


def _made_common(sitting: Sitting, case: Project) -> _Common:
    whatever = (sitting.hub_changes, sitting.changes if case.wants_records else None)
    changes = [here.changes for here in sitting.by_member]
    enforced = times.union(policy.times for policy in case.enforced)
    every = times.union((enforced, *(policy.times for policy in case.audits)))
    return _Common(
        tuple(policy.name for policy in case.enforced),
        max((policy.warn_before for policy in case.enforced), default=timedelta()),
        frozenset[str]().union(*(policy.rests_on for policy in case.enforced)),
        tuple(_first(*whatever, *each) for each in zip(changes, sitting.turns(every), strict=True)),
        tuple(_first(sitting.hub_changes, *each) for each in zip(changes, sitting.turns(enforced), strict=True)),
        _uncovered(case.uncovered),
        bool(case.audits),
        tuple({} for _ in sitting.by_member),
    )


def _uncovered(data_classes: tuple[str, ...] | None) -> tuple[Finding, ...]:
    if data_classes is None:
        return ()
    message = f"no ResidencyPolicy covers data class {', '.join(data_classes)} in this namespace"
    return (Finding("NoMatchingPolicy", message),)


def _verdict(sitting: Sitting, common: _Common, here: Here, rows: Rows) -> Verdict:
    """With pools, a cluster is lawful where at least one pool is."""
    member, sites = here.member, here.sites
    enforced = [row[: len(common.policies)] for row in rows]
    denied = [_denied(row) for row in enforced]
    fewest = min(denied, key=len)
    first = denied.index(fewest)
    audited = _denied(rows[first][len(common.policies) :])
    again = common.again[here.number]
    if common.uncovered:
        # That a policy is written is an event. Time may change what is only reported.
        return Unlawful(member.id, common.uncovered, again if common.audits else None, audited)
    if fewest:
        pool = sites[first].pool
        found = _denied(_in_pool(sitting, enforced[first], pool)) if pool else fewest
        return Unlawful(member.id, found, again, audited)
    settled = [
        result for no, row in zip(denied, enforced, strict=True) if not no for each in row for result in each.settled
    ]
    rests_on = sitting.remembered(
        ("rests on", here.number, first, common.rests_on),
        lambda: sorted(_rests_on(sitting, common, sites[first], member)),
    )
    ends = [(result.ends, result.settled_by) for result in settled if result.ends is not None]
    next_end, of = min([rests_on[0], *ends])
    used = {result.settled_by for result in settled}
    warn_at = next_end - common.warn_before
    warned = sitting.now >= warn_at
    if warned:
        sitting.begins_at(warn_at)
    else:
        sitting.ends_by(warn_at)
    until = min(m for m in (*(end for end, _ in ends), common.ending[here.number]) if m is not None)
    return Lawful(
        member.id,
        common.policies,
        sitting.remembered(
            ("attestations", here.number, first),
            lambda: _attestations(sites[first], *sitting.hub_sites),
        ),
        until,
        tuple([site.node_selector for site, no in zip(sites, denied, strict=True) if not no]),
        _names(used, "ResidencyRecord"),
        _names(used, "ResidencyException"),
        tuple([found for each in enforced[first] for found in each.advice]),
        audited,
        (f"{of} ends at {moment(next_end)}",) if warned else (),
        _first(until, again, None if warned else warn_at),
    )


def _rests_on(sitting: Sitting, common: _Common, site: Site, member: Member) -> Iterator[tuple[datetime, str]]:
    """What ends, and when: facts, and certificates and contracts where a rule speaks of them."""
    facts = site.facts
    hub = {site.facts.places["workers"]: "the hub" for site in sitting.hub_sites}
    here = [(fact, str(member.id)) for fact in (*facts.places.values(), *facts.registries.values())]
    for fact, of in (*here, *hub.items()):
        if isinstance(fact, Known):
            yield fact.ends, f"what {' and '.join(fact.attestations)} says of {of}"
    if "certifications" in common.rests_on:
        yield from ((c.valid_until, f"certificate {c.name} of {member.id}") for c in facts.certifications)
    if "contracts" in common.rests_on:
        yield from ((c.valid_until, f"contract {c.kind} of {member.id}") for c in facts.contracts)


def _attestations(*sites: Site) -> tuple[str, ...]:
    facts = [fact for site in sites for fact in (*site.facts.places.values(), *site.facts.registries.values())]
    named = {name for fact in facts if isinstance(fact, Known) for name in fact.attestations}
    return tuple(sorted(named.union(*(site.facts.attestations for site in sites))))


def _denied(row: Row) -> tuple[Finding, ...]:
    return tuple([found for each in row for found in each.denied])


def _in_pool(sitting: Sitting, row: Row, pool: str) -> Row:
    """The row, with the pool that it is about."""
    return tuple([sitting.remembered(("in pool", pool, each), partial(_of_pool, each, pool)) for each in row])


def _of_pool(told: Told, pool: str) -> Told:
    denied = tuple(replace(found, message=f"pool {pool}: {found.message}", pool=pool) for found in told.denied)
    return replace(told, denied=denied)


def _first(*moments: datetime | None) -> datetime | None:
    """The earliest, if there is any."""
    return min([moment for moment in moments if moment is not None], default=None)


def _names(settled: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted(s.removeprefix(f"{kind}/") for s in settled if s.startswith(f"{kind}/")))
