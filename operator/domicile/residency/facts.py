"""Which facts about a cluster hold at a moment: those attested for that very cluster, in their validity, uncontradicted."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domicile.api import ClusterAttestation
from domicile.residency.identity import MemberId

DIMENSIONS: tuple[str, ...] = ("workers", "control_plane", "operator", "key_store", "registry", "telemetry")
"""Fields of api.Facts and of api.Allow, in the order in which they are judged and reported."""


@dataclass(frozen=True)
class Known:
    """A fact in force."""

    jurisdiction: str
    attestations: tuple[str, ...]
    until: datetime
    """When an attestation of this cluster next begins or ends: until then the fact stands as it is."""


@dataclass(frozen=True)
class Unknown:
    """No fact in force, and why."""

    why: str
    """A clause that goes after 'unknown:'."""


Fact = Known | Unknown


@dataclass(frozen=True)
class FactsInForce:
    """What is known of one cluster at one moment."""

    workers: Fact
    control_plane: Fact
    operator: Fact
    key_store: Fact
    registry: Fact
    telemetry: Fact
    next_change: datetime | None
    """The next moment at which an attestation of this cluster begins or ends; None if there is none ahead."""

    def of(self, dimension: str) -> Fact:
        """The fact of one dimension."""
        fact: Fact = getattr(self, dimension)
        return fact


def facts_in_force(member: MemberId, attestations: Iterable[ClusterAttestation], now: datetime) -> FactsInForce:
    """The facts about `member` at `now`.

    An attestation of another UID is of another cluster, whatever its name, and does not count. One of this UID under
    another name does not speak for this name, but it can contradict: it is the same cluster. Two that disagree on a
    dimension make it unknown.
    """
    ordered = sorted(attestations, key=lambda a: a.metadata.name)
    named = [a for a in ordered if a.spec.cluster_ref.name == member.name]
    same = [a for a in ordered if a.spec.cluster_ref.uid == member.uid]
    own = [a for a in named if a.spec.cluster_ref.uid == member.uid]
    current = [a for a in same if a.spec.valid_from <= now < a.spec.valid_until]
    without = _why_none(named, own, now)
    ahead = [moment for a in same for moment in (a.spec.valid_from, a.spec.valid_until) if moment > now]
    until = min(ahead, default=now)
    facts = {dimension: _fact(dimension, member, current, without, until) for dimension in DIMENSIONS}
    return FactsInForce(**facts, next_change=min(ahead, default=None))


def _fact(dimension: str, member: MemberId, current: list[ClusterAttestation], without: str, until: datetime) -> Fact:
    said = [(a, fact.jurisdiction) for a in current if (fact := getattr(a.spec.facts, dimension)) is not None]
    if not any(a.spec.cluster_ref.name == member.name for a, _ in said):
        silent = [a.metadata.name for a in current if a.spec.cluster_ref.name == member.name]
        return Unknown(f"{silent[0]} does not say it" if silent else without)
    places = {place for _, place in said}
    if len(places) > 1:
        listed = ", ".join(f"{a.metadata.name} says {place}" for a, place in said)
        return Unknown(f"attestations contradict each other ({listed})")
    return Known(places.pop(), tuple(a.metadata.name for a, _ in said), until)


def _why_none(named: list[ClusterAttestation], own: list[ClusterAttestation], now: datetime) -> str:
    """Why no attestation is in force, for the one that comes nearest."""
    if own:
        ahead = [a for a in own if a.spec.valid_from > now]
        if ahead:
            first = min(ahead, key=lambda a: a.spec.valid_from)
            return f"{first.metadata.name} is valid only from {_moment(first.spec.valid_from)}"
        last = max(own, key=lambda a: a.spec.valid_until)
        return f"{last.metadata.name} ended at {_moment(last.spec.valid_until)}"
    if named:
        return f"{named[0].metadata.name} is for a cluster with UID {named[0].spec.cluster_ref.uid}, this is another"
    return "no ClusterAttestation is for this cluster"


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
