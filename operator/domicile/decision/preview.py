"""What the residency engine says of every model of a fleet, and what a change would do to them. Writes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from domicile import residency
from domicile.api import SovereignModel
from domicile.decision.decide import asked
from domicile.residency import Engine, Explained, Finding, Judgement, Lawful, Member, MemberId


@dataclass(frozen=True)
class Fleet:
    """All that is judged, at one moment."""

    models: tuple[SovereignModel, ...]
    members: tuple[Member, ...]
    now: datetime
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Labels by name of the namespace."""
    hub: MemberId | None = None


@dataclass(frozen=True)
class Outlook:
    """One model."""

    model: SovereignModel
    judgement: Judgement

    @property
    def name(self) -> str:
        """Namespace and name of the model."""
        return f"{self.model.metadata.namespace}/{self.model.metadata.name}"

    @property
    def lawful(self) -> tuple[MemberId, ...]:
        """Clusters where it may run."""
        return tuple(v.member for v in self.judgement.verdicts if isinstance(v, Lawful))

    @property
    def placed(self) -> tuple[MemberId, ...]:
        """Clusters that it is on and is to stay on, by its status."""
        rows = self.model.status.placements if self.model.status else ()
        return tuple(MemberId(row.cluster, row.cluster_uid) for row in rows if row.state != "Leaving")

    @property
    def wanted(self) -> int:
        """On how many clusters it is to run."""
        return self.model.spec.placement.cluster_count

    @property
    def found(self) -> int:
        """On how many it may run. One that was joined under two names is one."""
        return len({member.uid for member in self.lawful})

    def why_not(self, member: MemberId) -> Finding | None:
        """The first reason against a cluster; None where there is none, or no such cluster."""
        for verdict in self.judgement.verdicts:
            if verdict.member == member and not isinstance(verdict, Lawful):
                return verdict.findings[0]
        return None


class Effect(Enum):
    """What a change would do to a model, now. Whether a cluster is able to run it is not known here."""

    EVICT = "Evict"
    """It would have to leave a cluster, and there is none that it may go to instead."""
    MOVE = "Move"
    """It would have to leave a cluster, and may go to another."""
    HOLD = "Hold"
    """It is nowhere, and would have nowhere to go."""
    FREE = "Free"
    """It is nowhere, had nowhere to go, and would have somewhere."""
    NARROW = "Narrow"
    """It stays as it is, and there are clusters that it might go to no more."""
    WIDEN = "Widen"
    """It stays as it is, and would have more clusters to go to."""
    STAY = "Stay"
    """Nothing changes for it."""


@dataclass(frozen=True)
class Change:
    """What a change does to one model."""

    effect: Effect
    before: Outlook | None
    """None: the model is new."""
    after: Outlook
    leaves: tuple[MemberId, ...] = ()
    """Clusters that it is on, and would have to leave."""

    @property
    def loses(self) -> tuple[MemberId, ...]:
        """Clusters where it may run before, and not after."""
        return tuple(m for m in (self.before.lawful if self.before else ()) if m not in self.after.lawful)


def outlooks(engine: Engine, fleet: Fleet) -> tuple[Outlook, ...]:
    """What is said of each model, by namespace and name."""
    ordered = sorted(fleet.models, key=lambda model: (model.metadata.namespace, model.metadata.name))
    return tuple(Outlook(model, engine.judge(_question(model, fleet))) for model in ordered)


def matrix(engine: Engine, fleet: Fleet, model: SovereignModel) -> tuple[Explained, ...]:
    """Every rule of every policy on every cluster and pool, for one model."""
    return engine.explain(_question(model, fleet))


def difference(before: Iterable[Outlook], after: Iterable[Outlook]) -> tuple[Change, ...]:
    """What becomes of each model of `after`, the gravest first."""
    known = {outlook.name: outlook for outlook in before}
    changes = [_change(known.get(outlook.name), outlook) for outlook in after]
    order = list(Effect)
    return tuple(sorted(changes, key=lambda change: order.index(change.effect)))


def _change(was: Outlook | None, now: Outlook) -> Change:
    allowed = was.lawful if was else ()
    leaves = tuple(m for m in now.placed if m in allowed and m not in now.lawful)
    return Change(_effect(allowed, now, leaves, new=was is None), was, now, leaves)


def _effect(allowed: tuple[MemberId, ...], now: Outlook, leaves: tuple[MemberId, ...], *, new: bool) -> Effect:
    if leaves:
        # By UID: another name of a cluster that it is on is nowhere else to go.
        free = {member.uid for member in now.lawful} - {member.uid for member in now.placed}
        return Effect.MOVE if len(free) >= len(leaves) else Effect.EVICT
    if not now.placed and not now.lawful and (allowed or new):
        return Effect.HOLD
    if not now.placed and now.lawful and not allowed:
        return Effect.FREE
    if set(allowed) - set(now.lawful):
        return Effect.NARROW
    return Effect.WIDEN if set(now.lawful) - set(allowed) else Effect.STAY


def _question(model: SovereignModel, fleet: Fleet) -> residency.Question:
    labels = fleet.namespaces.get(model.metadata.namespace)
    return residency.Question(asked(model, labels), fleet.members, fleet.now, fleet.hub)
