"""What an auditor asks of a log: what ran where and when, by which permit and whose leave, and when a model had no valid verdict. Pure.

A model may run on a cluster from the moment at which that was decided, and may until nothing of it was found there: what is told of it is
the longest time that it can have been."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from domicile.audit.trail import Record, Trail
from domicile.audit.values import Value, ValueMissing, Values

_THERE: Final = ("Done", "FoundDone")


@dataclass(frozen=True)
class Stay:
    """A model on a cluster."""

    model: str
    """As namespace/name."""
    uid: str
    cluster: str
    cluster_uid: str
    since: datetime
    """When it was decided that it goes there."""
    until: datetime | None = None
    """When nothing of it was found there any more; None: that was not recorded yet."""
    placed: datetime | None = None
    """When all of it was written there; None: that is not recorded."""
    permits: tuple["Permitted", ...] = ()
    """One after the other."""

    def at(self, moment: datetime) -> bool:
        """Whether it was there."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Permitted:
    """A permit under which a model is on a cluster."""

    since: datetime
    decision: Record
    permit: str
    ends: datetime
    """When the permit ends by itself."""
    grounds: Value
    """What it rests on, as residency.Grounds has it."""


@dataclass(frozen=True)
class Unheld:
    """A time in which a model was on a cluster without a valid verdict."""

    stay: Stay
    since: datetime
    until: datetime | None
    why: str


def stays(trail: Trail) -> tuple[Stay, ...]:
    """All that was ever anywhere, in the order in which it came."""
    ended: list[Stay] = []
    there: dict[tuple[str, str], Stay] = {}
    for moment, what, record, act in _happened(trail):
        key = (_uid(record), act["cluster"][1])
        if what == "decided":
            there[key] = _permitted(there.get(key) or _new(record, act), record, act, trail.values)
        elif key in there and what == "placed":
            there[key] = replace(there[key], placed=there[key].placed or moment)
        elif key in there and what == "gone":
            ended.append(replace(there.pop(key), until=moment))
    return tuple(sorted((*ended, *there.values()), key=lambda stay: (stay.since, stay.model, stay.cluster)))


def unheld(trail: Trail, now: datetime) -> tuple[Unheld, ...]:
    """Every time in which a model was on a cluster and the last verdict on that was unlawful, or had ended."""
    return tuple(each for stay in stays(trail) for each in _unheld(stay, trail, now))


def exceptions(trail: Trail, at: datetime) -> tuple[Value, ...]:
    """The ResidencyExceptions that were approved and in force, as the last decision before that moment saw them."""
    before = [each for each in trail.decisions.values() if each.time <= at]
    if not before:
        return ()
    values = trail.values
    law = values.get(before[-1].body["seen"]["law"])
    found = [each for _, each in sorted(values.entries(law["exceptions"]).items())]
    return tuple(each for each in found if each["spec"].get("approved") and _in_force(each["spec"], at))


def approvals(record: Record) -> Sequence[Mapping[str, Any]]:
    """The records and exceptions that a decision rests on, with who asked for them and who approved them."""
    return record.body["restsOn"]


def asked_by(record: Record, values: Values) -> str:
    """Who made the model, as the API server stamped it; empty where it did not."""
    try:
        return values.get(record.body["seen"]["model"])["metadata"]["annotations"].get("domicile.dev/requested-by", "")
    except (ValueMissing, KeyError):
        return ""


def candidates(record: Record, values: Values) -> Mapping[str, Value]:
    """Every cluster, and how every rule fared there; empty where nothing was judged."""
    digest = record.body["candidates"]
    return dict(sorted(values.entries(digest).items())) if digest else {}


def named(trail: Trail, beginning: str) -> Iterable[Record]:
    """Decisions whose digest begins so, or whose number in the log it is."""
    wanted = beginning.removeprefix("sha256:")
    return [
        each
        for each in trail.decisions.values()
        if str(each.sequence) == wanted or (len(wanted) >= 6 and each.digest.removeprefix("sha256:").startswith(wanted))
    ]


def _happened(trail: Trail) -> list[tuple[datetime, str, Record, Mapping[str, Any]]]:
    """What came and went, in the order of the log: when, what, by which record, and the act."""
    found: list[tuple[int, datetime, str, Record, Mapping[str, Any]]] = []
    for decision in trail.decisions.values():
        for index, act in enumerate(decision.body["acts"]):
            if act["act"] == "Place":
                found.append((decision.sequence, decision.time, "decided", decision, act))
            if str(index) in decision.body["context"]["carried"]:
                continue  # Its outcomes are those of the decision that began it.
            for outcome in trail.outcomes.get((decision.digest, index), ()):
                if outcome.body["outcome"] in _THERE and act["act"] in _CAME_OF:
                    found.append((outcome.sequence, outcome.time, _CAME_OF[act["act"]], decision, act))
    for late in trail.late:
        if late.body["act"] == "Withdraw":
            act = {"cluster": ["", *late.body["of"]]}
            found.append((late.sequence, datetime.fromisoformat(late.body["done"]), "gone", late, act))
    return [(time, what, record, act) for _, time, what, record, act in sorted(found, key=lambda each: each[0])]


_CAME_OF: Final = {"Place": "placed", "Withdraw": "gone"}


def _uid(record: Record) -> str:
    body = record.body
    return body["uid"] if "uid" in body else body["context"]["uid"]


def _new(record: Record, act: Mapping[str, Any]) -> Stay:
    name, uid = act["cluster"]
    return Stay(record.subject.partition("/")[2], _uid(record), name, uid, record.time)


def _permitted(stay: Stay, record: Record, act: Mapping[str, Any], values: Values) -> Stay:
    if stay.permits and stay.permits[-1].permit == act["permit"]:
        return stay
    ends = datetime.fromisoformat(act["until"])
    permitted = Permitted(record.time, record, act["permit"], ends, values.get(act["grounds"]))
    return replace(stay, permits=(*stay.permits, permitted))


def _unheld(stay: Stay, trail: Trail, now: datetime) -> Iterator[Unheld]:
    """Between two decisions on a model the first one's verdict stands, until it ends."""
    until = stay.until or now
    judged = [
        each
        for each in trail.decisions.values()
        if _uid(each) == stay.uid and each.body["candidates"] and stay.since <= each.time < until
    ]
    for record, after in zip(judged, [*(each.time for each in judged[1:]), until], strict=False):
        verdict = candidates(record, trail.values).get(stay.cluster)
        open_end = stay.until is None and after == until
        if verdict is None or verdict["uid"] != stay.cluster_uid or not verdict["lawful"]:
            why = verdict["findings"][0]["message"] if verdict and verdict["findings"] else "it was not judged"
            yield Unheld(stay, record.time, None if open_end else after, why)
        elif (ends := datetime.fromisoformat(verdict["until"])) < after:
            yield Unheld(stay, ends, None if open_end else after, "what the verdict rested on had ended")


def _in_force(spec: Mapping[str, Any], at: datetime) -> bool:
    return datetime.fromisoformat(spec["validFrom"]) <= at < datetime.fromisoformat(spec["validUntil"])
