"""The objects that a plan is made from, and what they say together: the law and the fleet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    Kind,
    RegionalCluster,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
    SovereignModel,
)
from domicile.decision.preview import Fleet
from domicile.residency import HUB, Engine, Law, Member, MemberId, exceptions, records

Key = tuple[str, str, str]
"""Kind, namespace and name."""
K = TypeVar("K", bound=Kind)


@dataclass(frozen=True)
class Objects:
    """Objects of ours, and what else counts of a cluster."""

    of_ours: Mapping[Key, Kind] = field(default_factory=dict[Key, Kind])
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    """Labels by name."""
    hub_uid: str = ""
    """UID of the hub's namespace kube-system, where that was read."""
    left_out: tuple[str, ...] = ()
    """Models on the hub that cannot be read, and why."""

    def all_of(self, kind: type[K]) -> tuple[K, ...]:
        """All objects of a kind."""
        return tuple(each for each in self.of_ours.values() if isinstance(each, kind))

    def law(self) -> Law:
        """What governance says."""
        return Law(
            policies=self.all_of(ResidencyPolicy),
            attestations=self.all_of(ClusterAttestation),
            groups=self.all_of(JurisdictionGroup),
            classifications=self.all_of(DataClassification),
            records=self.all_of(ResidencyRecord),
            exceptions=self.all_of(ResidencyException),
        )

    def fleet(self, now: datetime) -> Fleet:
        """What is judged. Without RegionalClusters, the clusters that attestations speak of."""
        members = tuple(
            Member(
                MemberId(c.metadata.name, c.spec.cluster_uid),
                c.spec.mirrors,
            )
            for c in self.all_of(RegionalCluster)
        )
        if not members:
            refs = [attestation.spec.cluster_ref for attestation in self.all_of(ClusterAttestation)]
            pairs = sorted({(ref.name, ref.uid) for ref in refs if ref.name != HUB})
            members = tuple(Member(MemberId(name, uid)) for name, uid in pairs)
        models = self.all_of(SovereignModel)
        names = {*self.namespaces, *(model.metadata.namespace for model in models)}
        labels = {name: {**self.namespaces.get(name, {}), "kubernetes.io/metadata.name": name} for name in names}
        return Fleet(models, members, now, labels, self.hub)

    @property
    def hub(self) -> MemberId | None:
        """The hub, if its identity was read or one alone is attested."""
        uids = {self.hub_uid} if self.hub_uid else self._attested_hubs()
        return MemberId(HUB, *uids) if len(uids) == 1 else None

    def _attested_hubs(self) -> set[str]:
        return {a.spec.cluster_ref.uid for a in self.all_of(ClusterAttestation) if a.spec.cluster_ref.name == HUB}

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """Namespaces of models, of which nobody read the labels."""
        return tuple(sorted({m.metadata.namespace for m in self.all_of(SovereignModel)} - self.namespaces.keys()))

    def notes(self, engine: Engine) -> Iterator[str]:
        """What a person should know before believing the answer. `engine` judges by these objects."""
        yield from (f"{each}. This model is left out" for each in self.left_out)
        for policy in self.all_of(ResidencyPolicy):
            if faults := engine.faults(policy.metadata.name):
                first = "; ".join([*faults[:2], *([f"and {len(faults) - 2} more"] if len(faults) > 2 else [])])
                yield f"ResidencyPolicy {policy.metadata.name}: {first}. What cannot be read denies"
        if self.all_of(SovereignModel) and self.all_of(ResidencyPolicy):
            yield from self._about_the_hub()
        for name in self.unlabelled:
            yield f"Namespace {name} was not read: it is judged as one without labels"
        for exception in self.all_of(ResidencyException):
            if not exceptions.approved(exception):
                yield (
                    f"ResidencyException {exception.metadata.name} does not count: it is not approved, or the hub has not"
                    " stamped who asked for it and who, other than that, approved it"
                )
        for record in self.all_of(ResidencyRecord):
            if not records.approved(record):
                yield f"ResidencyRecord {record.metadata.name} does not count: the hub has not stamped who approved it"

    def _about_the_hub(self) -> Iterator[str]:
        attested = self._attested_hubs()
        if not attested:
            yield (
                f"no ClusterAttestation of the cluster named {HUB} was read: where the hub is, is unknown, and allow.hub denies"
            )
        elif len(attested) > 1 and not self.hub_uid:
            yield (
                f"clusters with {len(attested)} UIDs are attested as {HUB}, so none is taken: add the hub's Namespace kube-system"
                " with its metadata.uid"
            )
        elif self.hub_uid and self.hub_uid not in attested:
            yield f"the hub's UID is {self.hub_uid}, and no ClusterAttestation of {HUB} names that: allow.hub denies"
