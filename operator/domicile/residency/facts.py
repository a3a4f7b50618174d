"""Which facts about a cluster hold at a moment: those attested for that very cluster, in their validity, uncontradicted."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from domicile.api import ClusterAttestation
from domicile.api.clusterattestation import Certification, ConfidentialComputing, Contract, NodePool
from domicile.api.jurisdiction import within
from domicile.residency import validity
from domicile.residency.identity import MemberId
from domicile.residency.setting import Reported

DIMENSIONS: tuple[str, ...] = ("workers", "control_plane", "operator", "operator_parent", "key_store", "telemetry")
"""Fields of api.Facts that say where one thing is, in the order in which they are judged."""

T = TypeVar("T")
Selector = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Known:
    """A fact in force."""

    jurisdiction: str
    attestations: tuple[str, ...]
    ends: datetime
    """When the last of the attestations that say it ends."""


@dataclass(frozen=True)
class Unknown:
    """No fact in force, and why."""

    why: str
    """A clause that goes after 'unknown:'."""


Fact = Known | Unknown


@dataclass(frozen=True)
class Facts:
    """What is known of one cluster, or of one pool of its nodes, at one moment."""

    places: Mapping[str, Fact]
    """By dimension."""
    registries: Mapping[str, Fact]
    """By host."""
    without: Unknown
    """What to say of a registry that no attestation speaks of."""
    certifications: tuple[Certification, ...] = ()
    contracts: tuple[Contract, ...] = ()
    confidential_computing: ConfidentialComputing | None = None
    contradictions: tuple[str, ...] = ()
    """What the nodes say of themselves that cannot be, if the facts are right."""
    attestations: tuple[str, ...] = ()
    """Names of all attestations in force for the cluster."""

    def registry(self, host: str) -> Fact:
        """Where a registry is."""
        return self.registries.get(host, self.without)


@dataclass(frozen=True)
class Site:
    """A cluster, or one pool of its nodes: what a verdict is about."""

    member: MemberId
    pool: str
    """Empty for a cluster that is not divided."""
    node_selector: Selector
    facts: Facts


@dataclass(frozen=True)
class Sites:
    """All sites of a cluster at one moment."""

    sites: tuple[Site, ...]
    """At least one; by name of the pool."""
    until: datetime | None
    """The next moment at which an attestation of this cluster, or something with an end of its own in one, begins or ends:
    until then the facts stand as they are. None if there is none ahead."""


@dataclass(frozen=True)
class _Said:
    """The attestations that count for one cluster at one moment."""

    member: MemberId
    current: tuple[ClusterAttestation, ...]
    """Of this UID, in force: what contradicts may have been written under another name of the cluster."""
    own: tuple[ClusterAttestation, ...]
    """Of this name and UID, in force: what speaks for it."""
    without: str
    reported: Reported = field(default_factory=Reported)


Pools = Mapping[str, list[tuple[ClusterAttestation, NodePool]]]
"""All that is said of each pool, by its name."""


def sites(
    member: MemberId, attestations: Iterable[ClusterAttestation], now: datetime, reported: Reported | None = None
) -> Sites:
    """The facts about `member` at `now`.

    An attestation of another UID is of another cluster, whatever its name, and does not count. One of this UID under
    another name does not speak for this name, but it can contradict: it is the same cluster. Two that disagree make what
    they disagree about unknown.
    """
    ordered = sorted(attestations, key=lambda a: a.metadata.name)
    named = [a for a in ordered if a.spec.cluster_ref.name == member.name]
    same = [a for a in ordered if a.spec.cluster_ref.uid == member.uid]
    current = validity.in_force(same, now)
    own = tuple(a for a in current if a.spec.cluster_ref.name == member.name)
    mine = [a for a in named if a.spec.cluster_ref.uid == member.uid]
    said = _Said(member, current, own, _why_none(named, mine, now), reported or Reported())
    ahead = [moment for a in same for moment in _moments(a) if moment > now]
    return Sites(_sites(said, now), min(ahead, default=None))


def _sites(said: _Said, now: datetime) -> tuple[Site, ...]:
    facts = _facts(said, now)
    pools = _pools(said)
    if not pools:
        return (Site(said.member, "", (), facts),)
    return tuple(_pool_site(said, name, pools, facts) for name in sorted(_vouched(said)))


def _facts(said: _Said, now: datetime) -> Facts:
    places = {
        dimension: _fact(said, [(a, f.jurisdiction) for a in said.current if (f := getattr(a.spec.facts, dimension))])
        for dimension in DIMENSIONS
    }
    places["workers"] = _uncontradicted(said, places["workers"])
    hosts = sorted({registry.host for a in said.own for registry in a.spec.facts.registries})
    registries = {
        host: _fact(
            said,
            [(a, r.jurisdiction) for a in said.current for r in a.spec.facts.registries if r.host == host],
        )
        for host in hosts
    }
    return Facts(
        places,
        registries,
        Unknown(f"{said.own[0].metadata.name} does not say it" if said.own else said.without),
        _certifications(said, now),
        _contracts(said, now),
        _confidential(said),
        _contradictions(said),
        tuple(a.metadata.name for a in said.own),
    )


def _fact(said: _Said, stated: list[tuple[ClusterAttestation, str]]) -> Fact:
    if not any(a.spec.cluster_ref.name == said.member.name for a, _ in stated):
        return Unknown(f"{said.own[0].metadata.name} does not say it" if said.own else said.without)
    if len({place for _, place in stated}) > 1:
        listed = ", ".join(f"{a.metadata.name} says {place}" for a, place in stated)
        return Unknown(f"attestations contradict each other ({listed})")
    # Under another name of the cluster it may agree, and does not vouch: what it says ends with those that do.
    speaking = [a for a, _ in stated if a.spec.cluster_ref.name == said.member.name]
    return Known(stated[0][1], tuple(a.metadata.name for a, _ in stated), max(a.spec.valid_until for a in speaking))


def _uncontradicted(said: _Said, whole: Fact) -> Fact:
    """Where all worker nodes stand, unless a pool of them is said to be elsewhere, under a second name of the cluster too."""
    if isinstance(whole, Unknown):
        return whole
    for attestation in said.current:
        for pool in attestation.spec.facts.node_pools:
            if not within(pool.workers.jurisdiction, whole.jurisdiction):
                ours = f"{whole.attestations[0]} says {whole.jurisdiction}"
                theirs = f"{attestation.metadata.name} says {pool.workers.jurisdiction} of pool {pool.name}"
                return Unknown(f"attestations contradict each other ({ours}, {theirs})")
    return whole


def _pools(said: _Said) -> Pools:
    """All that is said of pools, under another name of the cluster too; nothing where none is vouched for."""
    found: dict[str, list[tuple[ClusterAttestation, NodePool]]] = {}
    for attestation in said.current if _vouched(said) else ():
        for pool in attestation.spec.facts.node_pools:
            found.setdefault(pool.name, []).append((attestation, pool))
    return found


def _vouched(said: _Said) -> set[str]:
    """Names of the pools that are vouched for."""
    return {pool.name for attestation in said.own for pool in attestation.spec.facts.node_pools}


def _pool_site(said: _Said, name: str, pools: Pools, facts: Facts) -> Site:
    stated = pools[name]
    own = next(pool for a, pool in stated if a.spec.cluster_ref.name == said.member.name)
    workers = _fact(said, [(a, pool.workers.jurisdiction) for a, pool in stated])
    if isinstance(workers, Known) and (why := _doubt(said, name, workers, pools)):
        workers = Unknown(why)
    places = {**facts.places, "workers": workers}
    return Site(said.member, name, tuple(sorted(own.node_selector.items())), replace(facts, places=places))


def _doubt(said: _Said, name: str, workers: Known, pools: Pools) -> str:
    """Why nobody knows where a pool's nodes stand, although it is said; empty where there is no doubt."""
    selectors = [pool.node_selector for _, pool in pools[name]]
    if any(selector != selectors[0] for selector in selectors):
        return f"attestations contradict each other about the labels of pool {name}"
    for other, stated in sorted(pools.items()):
        for _, pool in stated:
            elsewhere = pool.workers.jurisdiction != workers.jurisdiction
            if other != name and elsewhere and _overlap(selectors[0], pool.node_selector):
                return f"a node may be of pool {name} and of pool {other}, which is in {pool.workers.jurisdiction}"
    for attestation in said.current:
        stated_whole = attestation.spec.facts.workers
        if stated_whole is not None and not within(workers.jurisdiction, stated_whole.jurisdiction):
            ours = f"{workers.attestations[0]} says {workers.jurisdiction}"
            theirs = f"{attestation.metadata.name} says {stated_whole.jurisdiction}"
            return f"attestations contradict each other ({ours}, {theirs})"
    return ""


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether a node can have the labels of both: no label is in both with different values."""
    return all(one[key] == other[key] for key in one.keys() & other.keys())


def _certifications(said: _Said, now: datetime) -> tuple[Certification, ...]:
    """Certificates in force. One that is attested with two levels is not counted."""
    found = [c for a in said.own for c in a.spec.facts.certifications if now < c.valid_until]
    levels: dict[tuple[str, str], set[int]] = {}
    for certificate in found:
        levels.setdefault((certificate.name, certificate.number), set()).add(certificate.level)
    agreed = [c for c in found if len(levels[c.name, c.number]) == 1]
    return _distinct(agreed, lambda c: (c.name, c.number, c.level, c.scope, c.valid_until))


def _contracts(said: _Said, now: datetime) -> tuple[Contract, ...]:
    found = [c for a in said.own for c in a.spec.facts.contracts if now < c.valid_until]
    return _distinct(found, lambda c: (c.kind, c.reference, c.party, c.valid_until))


def _confidential(said: _Said) -> ConfidentialComputing | None:
    stated = [c for a in said.own if (c := a.spec.facts.confidential_computing) is not None]
    found = _distinct(stated, lambda c: (c.kind, c.verifier, c.verifier_jurisdiction))
    return found[0] if len(found) == 1 else None


def _distinct(found: Iterable[T], key: Callable[[T], tuple[Any, ...]]) -> tuple[T, ...]:
    """Each once, in the order of the key."""
    by_key = {key(each): each for each in found}
    return tuple(by_key[each] for each in sorted(by_key))


def _contradictions(said: _Said) -> tuple[str, ...]:
    found: list[str] = []
    for attestation in said.own:
        nodes = attestation.spec.facts.nodes
        if nodes is None:
            continue
        strange = sorted(said.reported.regions - set(nodes.regions)) if nodes.regions else []
        found += [f"a node says that it is in region {region}" for region in strange]
        if nodes.provider_prefixes:
            strange = sorted(p for p in said.reported.providers if not p.startswith(nodes.provider_prefixes))
            found += [f"a node says that it is of {provider}" for provider in strange]
    return tuple(dict.fromkeys(found))


def _moments(attestation: ClusterAttestation) -> Iterable[datetime]:
    yield attestation.spec.valid_from
    yield attestation.spec.valid_until
    for certificate in attestation.spec.facts.certifications:
        yield certificate.valid_until
    for contract in attestation.spec.facts.contracts:
        yield contract.valid_until


def _why_none(named: list[ClusterAttestation], own: list[ClusterAttestation], now: datetime) -> str:
    """Why no attestation is in force, for the one that comes nearest."""
    if own:
        ahead = [a for a in own if a.spec.valid_from > now]
        if ahead:
            first = min(ahead, key=lambda a: a.spec.valid_from)
            return f"{first.metadata.name} is valid only from {moment(first.spec.valid_from)}"
        last = max(own, key=lambda a: a.spec.valid_until)
        return f"{last.metadata.name} ended at {moment(last.spec.valid_until)}"
    if named:
        return f"{named[0].metadata.name} is for a cluster with UID {named[0].spec.cluster_ref.uid}, this is another"
    return "no ClusterAttestation is for this cluster"


def moment(when: datetime) -> str:
    """A moment as people read it."""
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


def whole(found: Sites) -> Fact:
    """Where the worker nodes of a cluster stand, all of them: unknown where its pools stand in several places."""
    places = [site.facts.places["workers"] for site in found.sites]
    known = {place.jurisdiction for place in places if isinstance(place, Known)}
    if len(known) > 1:
        return Unknown(f"its pools are in {', '.join(sorted(known))}")
    return next((place for place in places if isinstance(place, Unknown)), places[0])
