"""From how each policy fares on the sites of a cluster to the verdict on the cluster."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from domicile.residency.cel import times
from domicile.residency.compiled import Policy
from domicile.residency.facts import Known, Site, moment
from domicile.residency.setting import Member
from domicile.residency.sitting import Here, Project, Sitting, Told, told
from domicile.residency.verdict import Finding, Lawful, Result, Unlawful, Verdict

Amend = Callable[[tuple[Result, ...]], tuple[Result, ...]]
Row = tuple[Told, ...]
"""What is told of one site, in the order of policies and rules."""


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


def verdicts(sitting: Sitting, case: Project) -> tuple[Verdict, ...]:
    """The verdicts on all members."""
    applying = tuple(p.name for p in case.enforced), tuple(p.name for p in case.audits)
    common = sitting.remembered(("common", *applying, case.uncovered), lambda: _common(sitting, case))
    enforced, audits = _rows(sitting, case, case.enforced), _rows(sitting, case, case.audits)
    found: list[Verdict] = []
    at = 0
    for here in sitting.by_member:
        end = at + len(here.sites)
        key = (at, common, *enforced[at:end], *audits[at:end])
        known = sitting.verdicts.get(key)
        if known is None:
            known = _verdict(sitting, common, here, enforced[at:end], audits[at:end])
            sitting.verdicts[key] = known
        found.append(known)
        at = end
    return tuple(found)


def verdict(sitting: Sitting, case: Project, member: Member, amend: Amend) -> Verdict:
    """The verdict on one cluster, with the results amended."""
    here = sitting.here(member)
    enforced = [(told(amend(sitting.results(case, case.enforced, member, site))),) for site in here.sites]
    audits = [(told(amend(sitting.results(case, case.audits, member, site))),) for site in here.sites]
    return _verdict(sitting, _common(sitting, case), here, enforced, audits)


def _rows(sitting: Sitting, case: Project, policies: tuple[Policy, ...]) -> list[Row]:
    if not policies:
        return [()] * len(sitting.places)
    return list(zip(*[sitting.told(case, p) for p in policies], strict=True))


def _common(sitting: Sitting, case: Project) -> _Common:
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
    )


def _uncovered(data_classes: tuple[str, ...] | None) -> tuple[Finding, ...]:
    if data_classes is None:
        return ()
    message = f"no ResidencyPolicy covers data class {', '.join(data_classes)} in this namespace"
    return (Finding("NoMatchingPolicy", message),)


def _verdict(sitting: Sitting, common: _Common, here: Here, enforced: list[Row], audits: list[Row]) -> Verdict:
    """With pools, a cluster is lawful where at least one pool is."""
    number, member, sites, _ = here
    counts = [sum([len(each.denied) for each in row]) for row in enforced]
    fewest = min(counts)
    first = counts.index(fewest)
    audited = tuple([found for each in audits[first] for found in each.denied])
    again = common.again[number]
    if common.uncovered:
        # That a policy is written is an event. Time may change what is only reported.
        return Unlawful(member.id, common.uncovered, again if common.audits else None, audited)
    if fewest:
        pool = sites[first].pool
        denied = [found for each in enforced[first] for found in each.denied]
        return Unlawful(member.id, tuple([_in_pool(f, pool) for f in denied] if pool else denied), again, audited)
    settled = [
        result for count, row in zip(counts, enforced, strict=True) if not count for t in row for result in t.settled
    ]
    rests_on = sitting.remembered(
        ("rests on", member.id, sites[first].pool, common.rests_on),
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
    until = min(m for m in (*(end for end, _ in ends), common.ending[number]) if m is not None)
    return Lawful(
        member.id,
        common.policies,
        sitting.remembered(
            ("attestations", member.id, sites[first].pool),
            lambda: _attestations(sites[first], *sitting.hub_sites),
        ),
        until,
        tuple([site.node_selector for site, count in zip(sites, counts, strict=True) if not count]),
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


def _in_pool(found: Finding, pool: str) -> Finding:
    return Finding(found.reason, f"pool {pool}: {found.message}", found.policy, found.rule, pool)


def _first(*moments: datetime | None) -> datetime | None:
    """The earliest, if there is any."""
    return min([moment for moment in moments if moment is not None], default=None)


def _names(settled: Iterable[str], kind: str) -> tuple[str, ...]:
    return tuple(sorted(s.removeprefix(f"{kind}/") for s in settled if s.startswith(f"{kind}/")))
