"""Reads tests/residency/cases/*.yaml: cases as people write them, in short form, into what the engine is asked.

The README.md beside the cases says what the short form means. Reading is strict: an unknown key, or one that comes twice, is an error.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from builders import DIGEST, LONG_AGO, LONG_AHEAD, NOW, Case, case, classification, group, member, model_ref, uid
from domicile import residency
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    Kind,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
)
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY

HERE = Path(__file__).parent / "cases"
PACKS = Path(__file__).parents[2] / "packs"
PLACES = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "telemetry")
"""Facts that say where one thing is, as policies spell them."""
LISTS = (*PLACES, "registry")
USUAL_REGISTRY, USUAL_CLASS = "registry.sg.example", "customer.pii"
HOUSE = {"type": "OrgPolicy", "source": "Data standard", "asOf": "2026-04-01"}


class Written(BaseModel):
    """Short form: closed, and camelCase as in the kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


Place = str | None


class Model(Written):
    name: str = "fraud-scorer"
    namespace: str = "retail-banking"
    labels: dict[str, str] = Field(default_factory=dict)
    """Of the namespace."""
    data_classes: tuple[str, ...] = (USUAL_CLASS,)
    pulls_from: tuple[str, ...] = (USUAL_REGISTRY,)
    arguments: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    accelerators: int = 0


class Policy(Written):
    mode: Literal["Enforce", "Audit"] = "Enforce"
    data_classes: tuple[str, ...] = (USUAL_CLASS,)
    namespaces: dict[str, Any] = Field(default_factory=dict)
    everywhere: tuple[str, ...] = ("SG",)
    """All lists but those that are named."""
    workers: tuple[str, ...] | None = None
    control_plane: tuple[str, ...] | None = None
    operator: tuple[str, ...] | None = None
    operator_parent: tuple[str, ...] | None = None
    key_store: tuple[str, ...] | None = None
    registry: tuple[str, ...] | None = None
    telemetry: tuple[str, ...] | None = None
    hosts: tuple[str, ...] = ()
    callers: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    hub: tuple[str, ...] = ("SG",)
    rules: tuple[dict[str, Any], ...] = ()
    """As in the kind; a rule without a basis is a house rule."""
    exceptions: Literal["Allow", "Forbid"] = "Allow"
    on_contradiction: Literal["Deny", "Report"] = "Deny"
    warn_before: str = "720h"


class Pool(Written):
    labels: dict[str, str]
    """Without node-restriction.kubernetes.io/ before them."""
    workers: str


class Facts(Written):
    name: str = ""
    of: str = "sg"
    """Name of the cluster; `hub` for the hub."""
    built_as: str | None = None
    """The cluster whose UID it names, where that is not the one of the name."""
    everywhere: Place = "SG"
    """All facts but those that are named; null: nothing."""
    workers: Place = ""
    control_plane: Place = ""
    operator: Place = ""
    operator_parent: Place = ""
    key_store: Place = ""
    telemetry: Place = ""
    registries: dict[str, str] | None = None
    """Where each registry is. Left out: the usual one, where everything is."""
    pools: dict[str, Pool] = Field(default_factory=dict)
    certificates: tuple[dict[str, Any], ...] = ()
    contracts: tuple[dict[str, Any], ...] = ()
    confidential_computing: dict[str, Any] | None = None
    nodes: dict[str, Any] | None = None
    """What the nodes must say of themselves."""
    since: datetime | date | None = Field(default=None, alias="from")
    until: datetime | date | None = None


class Record(Written):
    record: str = "outsourcing"
    transfer_basis: str | None = None
    namespaces: tuple[str, ...] = ("retail-banking",)
    data_classes: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    countries: tuple[str, ...] = ("SG",)
    approver: str | None = "gil"
    since: datetime | date | None = Field(default=None, alias="from")
    until: datetime | date | None = None


class Excepted(Written):
    rule: str
    policy: str = "sg-customer-data"
    namespace: str = "retail-banking"
    model: str = "fraud-scorer"
    cluster: str = "sg"
    built_as: str | None = None
    requester: str = "ana"
    approver: str = "gil"
    approved: bool = True
    since: datetime | date | None = Field(default=None, alias="from")
    until: datetime | date | None = None


class Reported(Written):
    regions: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()


class Cited(Written):
    """A clause of a policy pack."""

    source: str
    clause: str


class ToldCase(Written):
    """One entry of a file."""

    name: str
    story: str
    pack: str | None = None
    """A file under packs/ without .yaml, such as sg/bank."""
    cites: Cited | None = None
    model: Model = Model()
    policies: dict[str, Policy] = Field(default_factory=dict)
    no_policy: bool = False
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    floors: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    orders: tuple[tuple[str, ...], ...] = ()
    facts: Facts | tuple[Facts, ...] = Facts()
    hub: bool = True
    """Whether the hub knows its own identity. Where no facts are told of it, it is in Singapore, or in its pack's country."""
    reported: Reported = Reported()
    mirrors: dict[str, str] = Field(default_factory=dict)
    records: tuple[Record, ...] = ()
    exceptions: tuple[Excepted, ...] = ()
    now: datetime | date | None = None
    expect: Literal["lawful", "unlawful"]
    reasons: tuple[str, ...] = ()
    """Each finding in its order: the reason, or the reason and the rule."""
    advice: tuple[str, ...] = ()
    """Rules that are not met and only advise."""
    audited: tuple[str, ...] = ()
    """Reasons for which policies in Audit mode would forbid."""
    pools: tuple[str, ...] = ()
    """Pools that it may run on, by the values of their labels."""
    by_records: tuple[str, ...] = ()
    """Kinds of the records that it rests on."""
    by_exceptions: tuple[str, ...] = ()
    """Rules of the exceptions that it rests on."""
    warns: bool = False
    until: datetime | date | None = None
    """When what is lawful ends, where the case is about that."""
    look_again: datetime | date | None = None
    """When to look again, where the case is about that."""
    conflicts: tuple[str, ...] = ()
    """Dimensions for which the policies exclude each other."""


@dataclass(frozen=True, eq=False)
class Entry:
    """A case, and where it is written."""

    file: str
    told: ToldCase

    @cached_property
    def case(self) -> Case:
        """What the engine is asked."""
        return _case(self.told)


class _Strict(yaml.SafeLoader):
    """SafeLoader that refuses a key that comes twice."""


def _mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    twice = {str(key) for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"{', '.join(sorted(twice))}: twice", node.start_mark)
    return loader.construct_mapping(node, deep=True)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> Iterator[Entry]:
    """The cases of a file."""
    for raw in yaml.load(path.read_text(), Loader=_Strict):
        yield Entry(file=path.stem, told=ToldCase.model_validate(raw))


def every() -> list[Entry]:
    """All cases of all files."""
    return [entry for path in sorted(HERE.glob("*.yaml")) for entry in read(path)]


def moment(written: datetime | date | None, otherwise: datetime) -> datetime:
    """A date alone is its first moment in UTC; a time is in UTC unless it says otherwise."""
    if written is None:
        return otherwise
    if isinstance(written, datetime):
        return written if written.tzinfo is not None else written.replace(tzinfo=UTC)
    return datetime.combine(written, time(), UTC)


def _validity(written: Facts | Record | Excepted) -> dict[str, Any]:
    return {"validFrom": moment(written.since, LONG_AGO), "validUntil": moment(written.until, LONG_AHEAD)}


def _case(told: ToldCase) -> Case:
    pack = packed(told.pack) if told.pack else ()
    facts = told.facts if isinstance(told.facts, tuple) else (told.facts,)
    if not any(each.of == "hub" for each in facts):
        facts = (*facts, Facts(of="hub", everywhere=(told.pack or "sg")[:2].upper()))
    policies = [] if told.no_policy or told.pack else [_policy("sg-customer-data", Policy())]
    if told.policies:
        policies = [_policy(name, each) for name, each in told.policies.items()]
    mirrors = tuple(told.mirrors.items())
    reported = residency.Reported(frozenset(told.reported.regions), frozenset(told.reported.providers))
    return case(
        policies=[*policies, *(o for o in pack if isinstance(o, ResidencyPolicy))],
        attestations=[_attestation(number, each) for number, each in enumerate(facts)],
        members=[residency.Member(member("sg"), mirrors, reported)],
        now=moment(told.now, NOW),
        hub=member("hub") if told.hub else None,
        groups=[
            *(group(name, *members) for name, members in told.groups.items()),
            *(o for o in pack if isinstance(o, JurisdictionGroup)),
        ],
        classifications=[
            classification(floors=told.floors, orders=told.orders),
            *(o for o in pack if isinstance(o, DataClassification)),
        ],
        records=[_record(number, each) for number, each in enumerate(told.records)],
        exceptions=[_exception(number, each) for number, each in enumerate(told.exceptions)],
        ref=model_ref(told.model.name, told.model.namespace),
        data_classes=told.model.data_classes,
        labels=told.model.labels,
        artifacts=tuple(f"{host}/models/fraud@{DIGEST}" for host in told.model.pulls_from),
        arguments=told.model.arguments,
        callers=told.model.callers,
        egress=told.model.egress,
        traits={
            "accelerators": told.model.accelerators,
            "modelFormat": {"name": "sklearn"},
            "replicas": {"min": 1, "max": 1},
        },
    )


@cache
def packed(name: str) -> tuple[Kind, ...]:
    """The objects of a policy pack, with the groups that all packs name."""
    kinds = {kind.info.kind: kind for kind in (ResidencyPolicy, JurisdictionGroup, DataClassification)}
    texts = ((PACKS / f"{file}.yaml").read_text() for file in ("groups", name))
    documents = [document for text in texts for document in yaml.safe_load_all(text)]
    return tuple(kinds[document["kind"]].model_validate(document) for document in documents)


def _policy(name: str, told: Policy) -> ResidencyPolicy:
    by_name = told.model_dump(by_alias=True)
    allow = {field: by_name[field] if by_name[field] is not None else told.everywhere for field in LISTS}
    allow |= {"hosts": told.hosts, "callers": told.callers, "egress": told.egress, "hub": told.hub}
    spec = {
        "mode": told.mode,
        "appliesTo": {"namespaceSelector": told.namespaces, "dataClasses": told.data_classes},
        "allow": allow,
        "rules": [{"basis": HOUSE, **rule} for rule in told.rules],
        "exceptions": told.exceptions,
        "onContradiction": told.on_contradiction,
        "warnBefore": told.warn_before,
    }
    return ResidencyPolicy.model_validate({"metadata": {"name": name, "uid": uid(name)}, "spec": spec})


def _attestation(number: int, told: Facts) -> ClusterAttestation:
    by_name = told.model_dump(by_alias=True)
    said = {field: told.everywhere if by_name[field] == "" else by_name[field] for field in PLACES}
    if told.pools and told.workers == "":
        said["workers"] = None
    registries = told.registries
    if registries is None:
        registries = {USUAL_REGISTRY: told.everywhere} if told.everywhere else {}
    facts: dict[str, Any] = {field: {"jurisdiction": place} for field, place in said.items() if place}
    facts["registries"] = [{"host": host, "jurisdiction": place} for host, place in registries.items()]
    facts["nodePools"] = [
        {
            "name": name,
            "nodeSelector": {f"node-restriction.kubernetes.io/{k}": v for k, v in pool.labels.items()},
            "workers": {"jurisdiction": pool.workers},
        }
        for name, pool in told.pools.items()
    ]
    facts["certifications"] = [_ending(each) for each in told.certificates]
    facts["contracts"] = [{"reference": "file 7", **_ending(each)} for each in told.contracts]
    facts |= {"confidentialComputing": told.confidential_computing, "nodes": told.nodes}
    spec = {
        "clusterRef": {"name": told.of, "uid": uid(told.built_as or told.of)},
        "facts": facts,
        "evidence": {"reference": "contract 7.2"},
        **_validity(told),
    }
    name = told.name or f"{told.of}-{number}"
    return ClusterAttestation.model_validate({"metadata": {"name": name, "uid": uid(name)}, "spec": spec})


def _ending(written: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in written.items() if key != "until"}
    return {**rest, "validUntil": moment(written.get("until"), LONG_AHEAD)}


def _record(number: int, told: Record) -> ResidencyRecord:
    spec = {
        "record": told.record,
        "transferBasis": told.transfer_basis,
        "scope": {"namespaces": told.namespaces, "dataClasses": told.data_classes, "clusters": told.clusters},
        "countries": told.countries,
        "reference": "register 17",
        **_validity(told),
    }
    stamps = {APPROVED_BY: told.approver} if told.approver is not None else {}
    metadata = {"name": f"{told.record}-{number}", "annotations": stamps}
    return ResidencyRecord.model_validate({"metadata": metadata, "spec": spec})


def _exception(number: int, told: Excepted) -> ResidencyException:
    spec = {
        "model": {"namespace": told.namespace, "name": told.model},
        "policy": told.policy,
        "rule": told.rule,
        "cluster": {"name": told.cluster, "uid": uid(told.built_as or told.cluster)},
        "reason": "while the new place is built",
        "reference": "ticket 4711",
        "approved": told.approved,
        **_validity(told),
    }
    stamps = {REQUESTED_BY: told.requester, APPROVED_BY: told.approver}
    metadata = {"name": f"ticket-{number}", "annotations": {key: who for key, who in stamps.items() if who}}
    return ResidencyException.model_validate({"metadata": metadata, "spec": spec})
