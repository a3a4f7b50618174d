"""What a decision was made from, as JSON, and back: so that it can be decided again by somebody who has nothing but the record. Pure."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    Kind,
    ModelRemnant,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
    SovereignModel,
    SovereignModelStatus,
)
from domicile.audit import names
from domicile.audit.values import Bag, Json, Value, Values, plain
from domicile.decision import Refusal, Snapshot
from domicile.placement import ClusterView, OutOfSight
from domicile.residency import Engine, Law, MemberId
from domicile.serving import SeenWorkload

LAW: Final[Mapping[str, type[Kind]]] = {
    "policies": ResidencyPolicy,
    "attestations": ClusterAttestation,
    "groups": JurisdictionGroup,
    "classifications": DataClassification,
    "records": ResidencyRecord,
    "exceptions": ResidencyException,
}
"""Kind of each field of the law."""
_NOTHING: Final = SeenWorkload()
T = TypeVar("T")


def written(seen: Snapshot, bag: Bag) -> Value:
    """What was seen. What others may have seen as well is in the bag, and named here by digest."""
    return {
        "model": bag.put_object(seen.model, _model),
        "status": None if seen.model.status is None else bag.put(seen.model.status.wire()),
        "namespaceLabels": None if seen.namespace_labels is None else dict(seen.namespace_labels),
        "law": bag.put_object(seen.engine.law, law_written),
        "hub": plain(seen.hub and [seen.hub.name, seen.hub.uid]),
        "members": bag.put_all(
            {name: bag.put_object(view, _view, bag.home(view.member.uid)) for name, view in seen.members.items()}
        ),
        "workloads": {
            name: bag.put(_dumped(SeenWorkload, there), _home(seen, name, bag))
            for name, there in seen.seen.items()
            if there != _NOTHING
        },
        "refusals": {name: [r.reason, r.message, r.workload] for name, r in seen.refusals.items()},
        "stuck": dict(seen.stuck),
        "provenAbsent": sorted([member.name, member.uid] for member in seen.proven_absent),
        "unreadable": list(seen.unreadable),
        "unrecordable": seen.unrecordable,
    }


def _home(seen: Snapshot, name: str, bag: Bag) -> str:
    view = seen.members.get(name)
    return "" if view is None else bag.home(view.member.uid)


def read(found: Mapping[str, Json], values: Values) -> Snapshot:
    """The snapshot that was written. Raises ValueMissing, or what pydantic raises for what is no snapshot."""
    members = {name: _view_read(value, values) for name, value in sorted(values.entries(found["members"]).items())}
    workloads = {name: _loaded(SeenWorkload, values.get(digest)) for name, digest in found["workloads"].items()}
    in_sight = [name for name, view in members.items() if not isinstance(view.connection, OutOfSight)]
    status = found["status"]
    return Snapshot(
        model=_model_read(values.get(found["model"]), None if status is None else values.get(status)),
        namespace_labels=found["namespaceLabels"],
        engine=Engine(law_read(values.get(found["law"]), values)),
        members=members,
        hub=None if found["hub"] is None else MemberId(*found["hub"]),
        seen={name: workloads.get(name, _NOTHING) for name in in_sight},
        refusals={name: Refusal(*each) for name, each in found["refusals"].items()},
        stuck=found["stuck"],
        proven_absent=frozenset(MemberId(*each) for each in found["provenAbsent"]),
        unreadable=tuple(found["unreadable"]),
        unrecordable=found["unrecordable"],
    )


def law_written(law: Law, bag: Bag) -> Value:
    """The law: each of its objects is a value of its own."""
    return {name: bag.put_all(objects_of(law, name, bag)) for name in LAW}


def objects_of(law: Law, kind: str, bag: Bag) -> Mapping[str, str]:
    """Digests of the law's objects of a kind, by name."""
    return {thing.metadata.name: bag.put_object(thing, written_object) for thing in getattr(law, kind)}


def law_read(found: Mapping[str, Json], values: Values) -> Law:
    """The law that was written. Raises ValueMissing."""
    fields: dict[str, Any] = {
        name: tuple(kind.model_validate(each) for _, each in sorted(values.entries(found[name]).items()))
        for name, kind in LAW.items()
    }
    return Law(**fields)


def written_object(thing: Any, bag: Bag) -> Value:
    """An object of governance: what it says, and who said it. Not how it fares."""
    meta = thing.metadata
    return {
        "apiVersion": thing.api_version,
        "kind": thing.info.kind,
        "metadata": {
            "name": meta.name,
            "uid": meta.uid,
            "generation": meta.generation,
            "annotations": stamps(thing, bag),
        },
        "spec": thing.spec.wire(),
    }


def stamps(thing: Kind, bag: Bag) -> dict[str, str]:
    """Who did what with it, as the API server stamped them."""
    return names.stamps(thing.metadata.annotations, bag)


def _model(model: SovereignModel | ModelRemnant, bag: Bag) -> Value:
    meta = model.metadata
    said: Value = {
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "generation": meta.generation,
            "finalizers": list(meta.finalizers),
            "annotations": stamps(model, bag),
            **({"deletionTimestamp": plain(meta.deletion_timestamp)} if meta.deletion_timestamp else {}),
        }
    }
    if isinstance(model, ModelRemnant):
        return {**said, "why": model.why, "dataClasses": list(model.data_classes)}
    return {**said, "spec": model.spec.wire()}


def _model_read(found: Mapping[str, Json], status: Json) -> SovereignModel | ModelRemnant:
    how = None if status is None else SovereignModelStatus.model_validate(status)
    kind = SovereignModel if "spec" in found else ModelRemnant
    return kind.model_validate({**found, "status": how})


def _view(view: ClusterView, bag: Bag) -> Value:
    """A member as it was seen. Its nodes are values of their own: one of them changes with each model that comes or goes."""
    said = _dumped(ClusterView, view)
    home = bag.home(view.member.uid)
    nodes = {node["name"]: bag.put(node, home) for node in said["accelerators"]}
    return {**said, "accelerators": bag.put_all(nodes, home)}


def _view_read(found: Mapping[str, Json], values: Values) -> ClusterView:
    nodes = [
        {**node, "granted": {tuple(model): count for model, count in node["granted"]}}
        for _, node in sorted(values.entries(found["accelerators"]).items())
    ]
    return _loaded(ClusterView, {**found, "accelerators": nodes})


@cache
def _adapter(kind: type[T]) -> TypeAdapter[T]:
    return TypeAdapter(kind)


def _dumped(kind: type[Any], value: Any) -> Value:
    return plain(_adapter(kind).dump_python(value, by_alias=True))


def _loaded(kind: type[T], found: Mapping[str, Json]) -> T:
    return _adapter(kind).validate_python(found)
