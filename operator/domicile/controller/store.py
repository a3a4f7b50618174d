"""What the hub has of our kinds, parsed at the border: fed by watch events, by lists, and by the answers to our own writes."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from domicile import api, residency
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    Kind,
    ModelRemnant,
    RegionalCluster,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
    SovereignModel,
)

K = TypeVar("K", bound=Kind)
Name = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""


@dataclass(frozen=True)
class Unreadable:
    """An object that this version cannot read, and why."""

    name: Name
    uid: str
    resource_version: str
    why: str
    remnant: ModelRemnant | None = None
    """What can be read of a SovereignModel nevertheless."""


Salvage = Callable[[Mapping[str, Any], str], ModelRemnant | None]


def _nothing(raw: Mapping[str, Any], why: str) -> None:
    """Of other kinds nothing is of use that is not the whole."""


class Shelf(Generic[K]):
    """The objects of one kind. Older versions of an object never replace newer ones, and what was deleted stays so."""

    def __init__(self, kind: type[K], salvage: Salvage = _nothing) -> None:
        self.kind, self._salvage = kind, salvage
        self._objects: dict[Name, K | Unreadable] = {}
        self._buried: dict[str, None] = {}

    def put(self, raw: Mapping[str, Any]) -> bool:
        """Take in an object as the API server gives it. Whether that changed anything."""
        entry = self._parsed(raw)
        name, uid, version = _identity(entry)
        if uid in self._buried:
            return False
        known = self._objects.get(name)
        # Whichever UID: of two objects of one name the later one is the one that is there.
        if known is not None and _order(_identity(known)[2]) >= _order(version):
            return False
        self._objects[name] = entry
        return True

    def remove(self, raw: Mapping[str, Any]) -> bool:
        """Take out an object that was deleted. Whether it was there."""
        meta = raw.get("metadata", {})
        return self._bury((str(meta.get("namespace", "")), str(meta.get("name", ""))), str(meta.get("uid", "")))

    def reconcile(self, listed: Iterable[Mapping[str, Any]], list_version: str) -> set[Name]:
        """Bring the shelf in step with a consistent list: what a watch lost is put right. Names that changed."""
        raws = list(listed)
        changed = {_raw_name(raw) for raw in raws if self.put(raw)}
        there = {str(raw.get("metadata", {}).get("uid", "")) for raw in raws}
        for name, entry in list(self._objects.items()):
            _, uid, version = _identity(entry)
            # An object that came after the list was made is no ghost.
            if uid not in there and _order(version) <= _order(list_version) and self._bury(name, uid):
                changed.add(name)
        return changed

    def get(self, name: Name) -> K | Unreadable | None:
        """The object of that name."""
        return self._objects.get(name)

    def readable(self) -> tuple[K, ...]:
        """All objects that could be read, by name."""
        return tuple(o for _, o in sorted(self._objects.items()) if not isinstance(o, Unreadable))

    def unreadable(self) -> tuple[Unreadable, ...]:
        """All that could not, by name."""
        return tuple(o for _, o in sorted(self._objects.items()) if isinstance(o, Unreadable))

    def names(self) -> tuple[Name, ...]:
        """Names of all objects."""
        return tuple(sorted(self._objects))

    def _bury(self, name: Name, uid: str) -> bool:
        self._buried[uid] = None
        while len(self._buried) > _REMEMBERED:
            del self._buried[next(iter(self._buried))]
        known = self._objects.get(name)
        if known is None or _identity(known)[1] != uid:
            return False
        del self._objects[name]
        return True

    def _parsed(self, raw: Mapping[str, Any]) -> K | Unreadable:
        try:
            return self.kind.model_validate(raw)
        except ValidationError as error:
            meta = raw.get("metadata", {})
            uid, version, why = str(meta.get("uid", "")), str(meta.get("resourceVersion", "")), _why(error)
            return Unreadable(_raw_name(raw), uid, version, why, self._salvage(raw, why))


_REMEMBERED = 10_000
"""How many deleted objects are remembered, so that a late event does not bring one back."""


class Store:
    """All kinds, and the labels of namespaces."""

    def __init__(self) -> None:
        self.models = Shelf(SovereignModel, api.remnant)
        self.policies = Shelf(ResidencyPolicy)
        self.attestations = Shelf(ClusterAttestation)
        self.clusters = Shelf(RegionalCluster)
        self.groups = Shelf(JurisdictionGroup)
        self.classifications = Shelf(DataClassification)
        self.records = Shelf(ResidencyRecord)
        self.exceptions = Shelf(ResidencyException)
        self.namespaces = Labels()
        self.hub: residency.MemberId | None = None
        """The cluster that this is the hub on; None until it is known."""
        self._engine: residency.Engine | None = None

    def shelves(self) -> "tuple[Shelf[Any], ...]":
        """The shelf of each of our kinds."""
        return (self.models, self.clusters, *self._law())

    def model_uids(self) -> frozenset[str]:
        """UIDs of all models, those that cannot be read among them."""
        found = (self.models.get(name) for name in self.models.names())
        return frozenset(_identity(each)[1] for each in found if each is not None)

    def unreadable_rules(self) -> tuple[str, ...]:
        """What governance wrote and cannot be read, as kind/name."""
        return tuple(f"{shelf.kind.info.kind}/{entry.name[1]}" for shelf in self._law() for entry in shelf.unreadable())

    def engine(self) -> residency.Engine:
        """The residency engine for the law as it is now. The same one as long as nothing of that changed."""
        law = residency.Law(
            policies=self.policies.readable(),
            attestations=self.attestations.readable(),
            groups=self.groups.readable(),
            classifications=self.classifications.readable(),
            records=self.records.readable(),
            exceptions=self.exceptions.readable(),
        )
        if self._engine is None or not _same(self._engine.law, law):
            self._engine = residency.Engine(law)
        return self._engine

    def _law(self) -> "tuple[Shelf[Any], ...]":
        return (
            self.policies,
            self.attestations,
            self.groups,
            self.classifications,
            self.records,
            self.exceptions,
        )


def _same(one: residency.Law, other: residency.Law) -> bool:
    """Whether both say the same. A status that was written changes nothing of that."""
    return all(
        len(mine) == len(theirs) and all(map(_says_the_same, mine, theirs))
        for name in residency.Law.__dataclass_fields__
        for mine, theirs in [(getattr(one, name), getattr(other, name))]
    )


def _says_the_same(one: Any, other: Any) -> bool:
    return one is other or (
        one.metadata.name == other.metadata.name
        and one.metadata.annotations == other.metadata.annotations
        and one.spec == other.spec
    )


class Labels:
    """Labels of the hub's namespaces: what policies select by."""

    def __init__(self) -> None:
        self._labels: dict[str, tuple[str, Mapping[str, str]]] = {}

    def put(self, raw: Mapping[str, Any]) -> bool:
        """Take in a namespace. Whether its labels changed."""
        meta = raw.get("metadata", {})
        name, version, labels = meta["name"], str(meta.get("resourceVersion", "")), dict(meta.get("labels") or {})
        before = self._labels.get(name)
        if before is not None and _order(before[0]) > _order(version):
            return False
        self._labels[name] = (version, labels)
        return before is None or before[1] != labels

    def remove(self, name: str) -> bool:
        """Take out a namespace. Whether it was there."""
        return self._labels.pop(name, None) is not None

    def reconcile(self, listed: Iterable[Mapping[str, Any]]) -> set[str]:
        """Bring the labels in step with a consistent list. Names that changed."""
        raws = list(listed)
        changed = {str(raw["metadata"]["name"]) for raw in raws if self.put(raw)}
        # A namespace that is newer than all that were listed may have come after the list was made: it is no ghost.
        newest = max((_order(str(raw["metadata"].get("resourceVersion", ""))) for raw in raws), default=-1)
        missing = self._labels.keys() - {raw["metadata"]["name"] for raw in raws}
        gone = {name for name in missing if _order(self._labels[name][0]) <= newest}
        return changed | {name for name in gone if self.remove(name)}

    def of(self, namespace: str) -> Mapping[str, str] | None:
        """Labels of a namespace; None if it is not known, which is not the same as one without labels."""
        known = self._labels.get(namespace)
        return None if known is None else known[1]


def _identity(entry: Kind | Unreadable) -> tuple[Name, str, str]:
    if isinstance(entry, Unreadable):
        return entry.name, entry.uid, entry.resource_version
    meta = entry.metadata
    return (meta.namespace, meta.name), meta.uid, meta.resource_version


def _why(error: ValidationError) -> str:
    """The first field that cannot be read, and why."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _raw_name(raw: Mapping[str, Any]) -> Name:
    meta = raw.get("metadata", {})
    return str(meta.get("namespace", "")), str(meta.get("name", ""))


def _order(resource_version: str) -> int:
    # Comparable as numbers since Kubernetes 1.35 (KEP-5504); an odd one sorts first, so that it never wins.
    return int(resource_version) if resource_version.isdecimal() else -1
