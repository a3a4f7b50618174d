"""Which of the lawful clusters a model gets: where it serves it stays, and further clusters fall to it by rendezvous."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from domicile.placement.ability import Ability, Able, NotSeen, NotYet, Unable
from domicile.placement.accelerators import Selector
from domicile.placement.current import Current
from domicile.residency.identity import MemberId, ModelRef


@dataclass(frozen=True)
class Candidate:
    """A lawful cluster, and whether it can run the model. An unlawful one is no candidate."""

    member: MemberId
    ability: Ability


@dataclass(frozen=True)
class Place:
    """The model is new to this cluster."""

    member: MemberId
    node_selector: Selector


@dataclass(frozen=True)
class Keep:
    """The model runs there and stays; its workload is kept as it must be."""

    member: MemberId
    node_selector: Selector
    """It may differ from the one in use, where that no longer suits."""


@dataclass(frozen=True)
class Hold:
    """The model was given to this cluster and is left there untouched: the hub does not see the cluster, or writes nothing there
    for now, or it became unable and no other is able."""

    member: MemberId
    node_selector: Selector
    """The one in use."""
    reason: str
    message: str


Chosen = Place | Keep | Hold


class PassedOver(NamedTuple):
    """A lawful cluster that was not chosen, and why."""

    member: MemberId
    reason: str
    message: str


@dataclass(frozen=True)
class Choice:
    """The clusters of a model."""

    chosen: tuple[Chosen, ...]
    """By member."""
    passed_over: tuple[PassedOver, ...]
    """By member: every candidate that was not chosen."""
    shortfall: int
    """How many clusters fewer than wanted were chosen."""


class _Claim(IntEnum):
    """What a candidate is chosen for, the strongest first. Within one, rendezvous decides."""

    SERVES = 0
    RUNS = 1
    """The model is there, and may come to serve."""
    OUT_OF_SIGHT = 2
    """The model is there, and nobody knows how it does."""
    NEW = 3
    SERVES_YET = 4
    """The model is there and serves, though the cluster could not take it now."""
    WAITS = 5
    """The model is there and has no accelerators. It goes where some are free, and comes back when it has some here."""
    UNABLE = 6
    """The model is there, and the cluster cannot run it: better than nothing."""


def choose(want: int, candidates: Iterable[Candidate], current: Mapping[MemberId, Current], model: ModelRef) -> Choice:
    """Choose at most `want` of the candidates.

    `current` are the clusters that the model was given to; those that are no candidates are not lawful any more and do
    not count. Those where it serves come first: neither a cluster that is able again nor one copy too many takes it from
    there. Further clusters go by rendezvous hashing of model and cluster: models spread evenly, and a cluster that comes
    or goes changes the choice of no model that it does not concern.
    """
    ranked = sorted(candidates, key=lambda candidate: _rank(candidate.member, model))
    claims = ((_claim(c, current.get(c.member)), c) for c in _one_for_each_cluster(ranked, current))
    entitled = sorted(((claim, c) for claim, c in claims if claim is not None), key=lambda pair: pair[0])
    taken = sorted((candidate for _, candidate in entitled[:want]), key=lambda candidate: candidate.member)
    chosen = tuple(_chosen(candidate, current) for candidate in taken)
    names = {candidate.member for candidate in taken}
    left = sorted((c for c in ranked if c.member not in names), key=lambda candidate: candidate.member)
    return Choice(chosen, tuple(_passed_over(c, chosen) for c in left), max(want - len(chosen), 0))


def _claim(candidate: Candidate, here: Current | None) -> _Claim | None:
    """None: it gets nothing."""
    if here is None:
        return _Claim.NEW if isinstance(candidate.ability, Able) else None
    found = candidate.ability
    if isinstance(found, NotSeen):
        return _Claim.OUT_OF_SIGHT
    if isinstance(found, NotYet):
        return _Claim.SERVES if here.serving else _Claim.RUNS
    if isinstance(found, Unable):
        return _Claim.SERVES_YET if here.serving else _Claim.UNABLE
    if found.waits:
        return _Claim.WAITS
    return _Claim.SERVES if here.serving else _Claim.RUNS


def _rank(member: MemberId, model: ModelRef) -> tuple[bytes, MemberId]:
    return hashlib.sha256(f"{model.uid}/{member.uid}".encode()).digest(), member


def _one_for_each_cluster(ranked: list[Candidate], current: Mapping[MemberId, Current]) -> list[Candidate]:
    """A cluster that was joined under two names is one cluster: the name in use counts, or else the first."""
    first: dict[str, Candidate] = {}
    for candidate in sorted(ranked, key=lambda c: (c.member not in current, c.member)):
        first.setdefault(candidate.member.uid, candidate)
    return [candidate for candidate in ranked if first[candidate.member.uid] is candidate]


def _chosen(candidate: Candidate, current: Mapping[MemberId, Current]) -> Chosen:
    member, found = candidate.member, candidate.ability
    if not isinstance(found, Able):
        return Hold(member, tuple(sorted(current[member].node_selector.items())), found.reason, found.message)
    return Keep(member, found.node_selector) if member in current else Place(member, found.node_selector)


def _passed_over(candidate: Candidate, chosen: tuple[Chosen, ...]) -> PassedOver:
    member, found = candidate.member, candidate.ability
    twin = next((place.member for place in chosen if place.member.uid == member.uid), None)
    if twin is not None:
        return PassedOver(member, "SameCluster", f"it is the same cluster as {twin}, joined under another name")
    if not isinstance(found, Able):
        return PassedOver(member, found.reason, found.message)
    names = ", ".join(place.member.name for place in chosen)
    clusters, verb = ("1 cluster", "was") if len(chosen) == 1 else (f"{len(chosen)} clusters", "were")
    return PassedOver(member, "NotNeeded", f"the model runs on {clusters}, and {names} {verb} chosen")
