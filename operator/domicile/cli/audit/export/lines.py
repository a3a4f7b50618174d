"""Decisions, stays and versions as plain JSON, for tools: what the log names by digest is put in where it is named."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from domicile.audit import Record, Trail, ValueMissing, Values, moment, questions
from domicile.audit.lineage import Revision, Version
from domicile.audit.questions import Kept, Permitted, Stay
from domicile.cli.audit.export.attested import UNKNOWN, Attested
from domicile.cli.audit.export.scope import Scope

Line = dict[str, Any]


def decisions(trail: Trail, attested: Attested, scope: Scope) -> Iterator[Line]:
    """One object a decision of the period, in the order of the log. Of a jurisdiction: those that judged a cluster there."""
    for record in trail.decisions.values():
        if scope.has(record.time):
            line = _decision(trail, record, attested)
            places = tuple(place for each in line["candidates"] for place in each["workers"])
            if scope.concerns(places):
                yield line


def stays(found: tuple[Stay, ...], attested: Attested, scope: Scope) -> Iterator[Line]:
    """One object for each time of a model on a cluster."""
    for stay in found:
        line = _stay(stay, attested)
        if scope.touches(stay.since, stay.until) and scope.concerns(tuple(line["workers"])):
            yield line


def lineage(found: Iterable[Version], attested: Attested, scope: Scope) -> Iterator[Line]:
    """One object for each version of a model on a cluster."""
    for version in found:
        line = _version(version, attested)
        if scope.touches(version.since, version.until) and scope.concerns(tuple(line["workers"])):
            yield line


def places_of(stay: Stay, attested: Attested) -> tuple[str, ...]:
    """Where the worker nodes stood, over all of its permits."""
    return _places(stay, stay.permits, attested)


def _places(stay: Stay, permits: Sequence[Permitted], attested: Attested) -> tuple[str, ...]:
    decisions = [each.decision for each in permits] or [stay.begun]
    found = [attested.chosen(each, stay.cluster, stay.cluster_uid) for each in decisions]
    return tuple(dict.fromkeys(place for each in found for place in each))


def _decision(trail: Trail, record: Record, attested: Attested) -> Line:
    body, values = record.body, trail.values
    coverage: Mapping[str, Any] = body["coverage"] or {}
    return {
        "record": record.sequence,
        "digest": record.digest,
        "time": moment(record.time),
        "decided": body["decided"],
        "term": record.epoch,
        "what": body["what"],
        "model": record.model,
        "uid": body["context"]["uid"],
        "askedBy": questions.asked_by(record, values),
        "dataClasses": coverage.get("dataClasses", []),
        "policies": coverage.get("policies", []),
        "audits": coverage.get("audits", []),
        "candidates": [
            {"cluster": name, "workers": attested.places(record, name, found["uid"]), **found}
            for name, found in questions.candidates(record, values).items()
        ],
        "choice": body["choice"] and {**body["choice"], "passedOver": questions.passed_over(record, values)},
        "acts": [_act(act, outcomes, values) for act, outcomes in trail.acts_of(record)],
        "approvals": list(questions.approvals(record, values)),
        "decidedBy": {key: body["context"].get(key) for key in ("identity", "version")},
    }


def _act(act: Mapping[str, Any], outcomes: tuple[Record, ...], values: Values) -> Line:
    line: Line = {key: value for key, value in act.items() if key not in ("cluster", "grounds")}
    if "cluster" in act:
        line["cluster"], line["clusterUID"] = act["cluster"]
    if "grounds" in act:
        line["grounds"] = _grounds(act["grounds"], values)
    line["outcomes"] = [_outcome(each) for each in outcomes]
    return line


def _grounds(digest: str, values: Values) -> Any:
    try:
        return values.get(digest)
    except ValueMissing:
        return None


def _outcome(record: Record) -> Line:
    said = {key: record.body[key] for key in ("outcome", "reason", "message", "wrote") if key in record.body}
    return {"record": record.sequence, "time": moment(record.time), **said}


def _stay(stay: Stay, attested: Attested) -> Line:
    return {
        "model": stay.model,
        "uid": stay.uid,
        "cluster": stay.cluster,
        "clusterUID": stay.cluster_uid,
        "workers": list(places_of(stay, attested)),
        "from": moment(stay.since),
        "placed": _moment(stay.placed),
        "until": _moment(stay.until),
        "permits": [_permit(each, stay, attested) for each in stay.permits],
        "artifacts": sorted({each for permit in stay.permits for each in permit.grounds.get("artifacts", ())}),
    }


def _version(version: Version, attested: Attested) -> Line:
    stay, begun = version.stay, version.placings[0].permitted.decision.sequence if version.placings else None
    return {
        "model": version.model,
        "uid": version.uid,
        "cluster": version.cluster,
        "clusterUID": version.cluster_uid,
        "workers": [UNKNOWN]
        if stay is None
        else list(_places(stay, [each.permitted for each in version.placings], attested)),
        "workload": version.revision.workload,
        "generations": list(version.revision.generations),
        "askedBy": list(version.asked_by),
        "decision": begun,
        "from": moment(version.since),
        "written": _moment(version.written),
        "until": _moment(version.until),
        "replacedBy": version.replaced_by and _revision(version.replaced_by),
        "permits": [] if stay is None else [_held(each, stay, attested) for each in version.permits],
        "artifacts": list(version.artifacts),
        "nodes": [
            {"node": each.node, "from": moment(each.since), "until": _moment(each.until)} for each in version.nodes
        ],
    }


def _revision(revision: Revision) -> Line:
    return {"workload": revision.workload, "generations": list(revision.generations)}


def _held(permit: Permitted | Kept, stay: Stay, attested: Attested) -> Line:
    """Of a permit for which nothing had to be written no more is recorded."""
    if isinstance(permit, Permitted):
        return _permit(permit, stay, attested)
    return {"from": moment(permit.decision.time), "permit": permit.permit, "decision": permit.decision.sequence}


def _permit(permit: Permitted, stay: Stay, attested: Attested) -> Line:
    grounds = permit.grounds
    return {
        "from": moment(permit.since),
        "permit": permit.permit,
        "ends": moment(permit.ends),
        "decision": permit.decision.sequence,
        "workers": list(attested.chosen(permit.decision, stay.cluster, stay.cluster_uid)),
        **{key: grounds.get(key, []) for key in ("policies", "attestations", "records", "exceptions", "artifacts")},
    }


def _moment(time: datetime | None) -> str | None:
    return None if time is None else moment(time)
