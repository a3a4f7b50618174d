"""All that one decision is made from, looked at once and not changed after."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domicile.api import ModelRemnant, Placement, SovereignModel
from domicile.placement.view import ClusterView, OutOfSight
from domicile.residency import Engine, MemberId, ModelRef
from domicile.serving.seen import SeenWorkload


@dataclass(frozen=True)
class Refusal:
    """A member, or the gate before it, refused the last write of this model."""

    reason: str
    message: str
    workload: str = ""
    """Digest of the workload that was refused."""


@dataclass(frozen=True)
class Snapshot:
    """One model and the world around it."""

    model: SovereignModel | ModelRemnant
    namespace_labels: Mapping[str, str] | None
    """None: the namespace is not known yet, which is not the same as one without labels."""
    engine: Engine
    """What judges, by the law as it is now."""
    members: Mapping[str, ClusterView]
    """Every registered member, by name."""
    hub: MemberId | None = None
    """The cluster that Domicile itself runs on; None where it is not known."""
    seen: Mapping[str, SeenWorkload] = field(default_factory=dict[str, SeenWorkload])
    """What each member in sight has of the model, by name of the member."""
    refusals: Mapping[str, Refusal] = field(default_factory=dict[str, Refusal])
    """By name of the member: the last write there failed."""
    stuck: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name of the member: what keeps the model from being withdrawn there."""
    proven_absent: frozenset[MemberId] = frozenset()
    """Members that, asked consistently, had nothing of the model since the last write there."""
    unreadable: tuple[str, ...] = ()
    """What governance wrote and this version cannot read, as kind/name. What they would forbid is not known."""
    unrecordable: str = ""
    """Why nothing can be recorded now, and so nothing placed; empty where it can."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """What would have to be known to judge the model and is not, as kind/name."""
        if self.namespace_labels is None:
            return (*self.unreadable, f"Namespace/{self.model.metadata.namespace}")
        return self.unreadable

    @property
    def whole(self) -> SovereignModel:
        """The model, for who has made sure that it can be read. Raises TypeError if it cannot."""
        if isinstance(self.model, ModelRemnant):
            raise TypeError(f"{self.ref} cannot be read: {self.model.why}")
        return self.model

    @property
    def data_classes(self) -> tuple[str, ...]:
        """Classes of the model's data; empty if they cannot be read."""
        return self.model.data_classes if isinstance(self.model, ModelRemnant) else self.model.spec.data_classes

    @property
    def ref(self) -> ModelRef:
        """The model's identity."""
        meta = self.model.metadata
        return ModelRef(meta.namespace, meta.name, meta.uid)

    @property
    def recorded(self) -> tuple[Placement, ...]:
        """Placements that the status has on record: everywhere that something was ever written and not proven gone."""
        return self.model.status.placements if self.model.status else ()

    def in_sight(self, member: MemberId) -> bool:
        """Whether the member is registered under this identity and can be seen now."""
        view = self.members.get(member.name)
        return view is not None and view.member == member and not isinstance(view.connection, OutOfSight)

    def present(self) -> tuple[MemberId, ...]:
        """Members that may have something of the model: on record or seen there. By name."""
        found = {MemberId(p.cluster, p.cluster_uid) for p in self.recorded}
        found |= {self.members[name].member for name, seen in self.seen.items() if not seen.absent}
        return tuple(sorted(member for member in found if not self._gone(member)))

    def recorded_at(self, member: MemberId) -> Placement | None:
        """The placement on record for this member, if there is one."""
        rows = (p for p in self.recorded if (p.cluster, p.cluster_uid) == (member.name, member.uid))
        return next(rows, None)

    def recorded_permit(self, member: MemberId) -> str:
        """The digest of the permit on record for this member; empty if there is none."""
        row = self.recorded_at(member)
        return row.permit if row else ""

    def current(self) -> Mapping[MemberId, Mapping[str, str]]:
        """The members that may have something of the model, each with the node selector in use."""
        rows = {member: self.recorded_at(member) for member in self.present()}
        return {member: row.node_selector if row else self._selector_at(member) for member, row in rows.items()}

    def _selector_at(self, member: MemberId) -> Mapping[str, str]:
        """The node selector of what is there without being on record."""
        service = self.seen[member.name].inference_service
        return service.manifest.get("spec", {}).get("predictor", {}).get("nodeSelector", {}) if service else {}

    def _gone(self, member: MemberId) -> bool:
        view, seen = self.members.get(member.name), self.seen.get(member.name)
        known = view is not None and view.member == member
        return known and member in self.proven_absent and (seen is None or seen.absent)
