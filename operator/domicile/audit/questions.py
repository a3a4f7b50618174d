"""What an auditor asks of a log: what ran where and when, by which permit and whose leave, and when a model had no valid verdict. Pure.

A model may run on a cluster from the moment at which that was decided, and may until nothing of it was found there: what is told of it is
the longest time that it can have been. Of a log that is not whole as much is told as can be."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from domicile.api.residencyexception import REQUESTED_BY
from domicile.audit import names
from domicile.audit.trail import Record, Trail
from domicile.audit.values import Value, ValueMissing, Values


@dataclass(frozen=True)
class Stay:
    """A model on a cluster."""

    model: str
    """As namespace/name."""
    uid: str
    cluster: str
    cluster_uid: str
    since: datetime
    """When it was decided that it goes there, or it was found there without that."""
    begun: Record
    """The decision of that moment."""
    until: datetime | None = None
    """When nothing of it was found there any more; None: that was not recorded yet."""
    placed: datetime | None = None
    """When all of it was written there; None: that is not recorded."""
    permits: tuple["Permitted", ...] = ()
    """One after the other."""
    ended: Record | None = None
    """The decision, or the record of what was done late, by which it ended."""
    placings: tuple["Placing", ...] = ()
    """Each decision by which something of it was to be written there, one after the other."""

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
    """What it rests on, as residency.Grounds has it; empty where that is missing from the log."""


@dataclass(frozen=True)
class Placing:
    """A workload that was to be placed."""

    workload: str
    """Its digest."""
    permitted: Permitted
    written: datetime | None = None
    """When all of it was written there; None: that is not recorded."""
    undone: datetime | None = None
    """When it was given up, or found not to have been written."""
    kept: tuple["Kept", ...] = ()
    """By which it stayed."""


@dataclass(frozen=True)
class Kept:
    """A decision by which what was placed stays as it is, under another permit. Nothing is written for it."""

    decision: Record
    permit: str


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
        if what == "seen":
            _keep(there, record, trail.values)
            _seen(there, ended, record, trail.values)
            continue
        key = (uid_of(record), act["cluster"][1])
        if what == "decided":
            there[key] = _decided(there.get(key) or _new(record, act["cluster"]), record, act, trail.values)
        elif key in there and what == "placed":
            there[key] = replace(_ended(there[key], act, written=moment), placed=there[key].placed or moment)
        elif key in there and what == "undone":
            there[key] = _ended(there[key], act, undone=moment)
        elif key in there and what == "gone":
            ended.append(replace(there.pop(key), until=moment, ended=record))
    return tuple(sorted((*ended, *there.values()), key=lambda stay: (stay.since, stay.model, stay.cluster)))


def unheld(trail: Trail, now: datetime) -> tuple[Unheld, ...]:
    """Every time until then in which a model was on a cluster and the last verdict on that was unlawful, or had ended."""
    about = judged(trail)
    return tuple(
        each
        for stay in stays(trail)
        if stay.since <= now
        for each in _joined(_unheld(stay, about.get(stay.uid, ()), trail, now))
    )


def judged(trail: Trail) -> Mapping[str, Sequence[Record]]:
    """The decisions in which clusters were judged, by UID of the model."""
    found: dict[str, list[Record]] = {}
    for each in trail.decisions.values():
        if each.body["candidates"]:
            found.setdefault(uid_of(each), []).append(each)
    return found


def exceptions(trail: Trail, since: datetime, until: datetime | None = None) -> tuple[Value, ...]:
    """The ResidencyExceptions that were approved and in force at that moment, or at some time up to `until`, as the decisions of that time
    saw them, and the last one before it. By name."""
    last = until or since
    before = [each for each in trail.decisions.values() if each.time <= last]
    within = [each for each in before if each.time > since]
    looked = [*before[: len(before) - len(within)][-1:], *within]
    found: dict[str, Value] = {}
    for law in dict.fromkeys(each.body["seen"]["law"] for each in looked):
        for each in law_of(law, "exceptions", trail.values).values():
            spec = each["spec"]
            if spec.get("approved") and _moment(spec["validFrom"]) <= last and since < _moment(spec["validUntil"]):
                found[each["metadata"]["name"]] = each
    return tuple(found[name] for name in sorted(found))


def law_of(digest: str, kind: str, values: Values) -> Mapping[str, Value]:
    """The objects of a kind in a law, by name; empty where they are missing from the log."""
    try:
        found = values.entries(values.get(digest)[kind])
    except ValueMissing:
        return {}
    return {name: _stamped(thing, values) for name, thing in found.items()}


def _stamped(thing: Value, values: Values) -> Value:
    meta = thing["metadata"]
    return {**thing, "metadata": {**meta, "annotations": names.all_named(meta["annotations"], values)}}


def approvals(record: Record, values: Values) -> Sequence[Mapping[str, Any]]:
    """The records and exceptions that a decision rests on, with who asked for them and who approved them."""
    return [{**each, "stamps": names.all_named(each["stamps"], values)} for each in record.body["restsOn"]]


def asked_by(record: Record, values: Values) -> str:
    """Who made the model, as the API server stamped it; empty where it did not."""
    try:
        by = values.get(record.body["seen"]["model"])["metadata"]["annotations"].get(REQUESTED_BY, "")
    except (ValueMissing, KeyError):
        return ""
    return names.named(by, values)


def generation(record: Record, values: Values) -> int | None:
    """That of the model on which it was decided; None where it is missing from the log."""
    return _value(record.body["seen"]["model"], values).get("metadata", {}).get("generation")


def candidates(record: Record, values: Values) -> Mapping[str, Value]:
    """Every cluster, and how every rule fared there; empty where nothing was judged, or it is missing from the log."""
    digest = record.body["candidates"]
    return dict(sorted(_entries(digest, values).items())) if digest else {}


def passed_over(record: Record, values: Values) -> Sequence[Value]:
    """The lawful clusters that were not chosen, by reason and words; empty where none was chosen anew, or where it cannot be read."""
    choice = record.body["choice"]
    return _value(choice["passedOver"], values).get("passedOver", ()) if choice else ()


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
                if (came := _CAME_OF.get((act["act"], outcome.body["outcome"]))) is not None:
                    found.append((outcome.sequence, outcome.time, came, decision, act))
        found.append((decision.sequence, decision.time, "seen", decision, {}))
    for late in trail.late:
        if late.body["act"] == "Withdraw":
            act = {"cluster": ["", *late.body["of"]]}
            found.append((late.sequence, _moment(late.body["done"]), "gone", late, act))
    return [(time, what, record, act) for _, time, what, record, act in sorted(found, key=lambda each: each[0])]


_CAME_OF: Final = {
    ("Place", "Done"): "placed",
    ("Place", "FoundDone"): "placed",
    ("Place", "FoundUndone"): "undone",
    ("Place", "Overtaken"): "undone",
    ("Withdraw", "Done"): "gone",
    ("Withdraw", "FoundDone"): "gone",
}


def uid_of(record: Record) -> str:
    """UID of the model that it is about."""
    body = record.body
    return body["uid"] if "uid" in body else body["context"]["uid"]


def _new(record: Record, cluster: Sequence[str]) -> Stay:
    name, uid = cluster
    return Stay(record.model, uid_of(record), name, uid, record.time, record)


def _decided(stay: Stay, record: Record, act: Mapping[str, Any], values: Values) -> Stay:
    grounds = _value(act["grounds"], values)
    permitted = Permitted(record.time, record, act["permit"], _moment(act["until"]), grounds)
    same = stay.permits and stay.permits[-1].permit == permitted.permit
    permits = stay.permits if same else (*stay.permits, permitted)
    return replace(stay, permits=permits, placings=(*stay.placings, Placing(act["workload"], permitted)))


def _ended(stay: Stay, act: Mapping[str, Any], **end: datetime) -> Stay:
    """Every decision to write that workload ends so, unless it ended before."""
    placings = (
        replace(each, **end) if each.workload == act["workload"] and not (each.written or each.undone) else each
        for each in stay.placings
    )
    return replace(stay, placings=tuple(placings))


def _keep(there: dict[tuple[str, str], Stay], record: Record, values: Values) -> None:
    """What a decision lets stay: it is on record under another permit than the last one by which something was to be written."""
    for row in _value(record.body["status"], values).get("placements", ()):
        key = (uid_of(record), row["clusterUID"])
        placings = there[key].placings if key in there else ()
        if placings and row["permit"] != _last_permit(placings):
            # What was never written is not there to stay.
            kept = next((each for each in reversed(placings) if each.written), placings[-1])
            now = replace(kept, kept=(*kept.kept, Kept(record, row["permit"])))
            there[key] = replace(there[key], placings=tuple(now if each is kept else each for each in placings))


def _last_permit(placings: Iterable[Placing]) -> str:
    last = [(each.permitted.decision.sequence, each.permitted.permit) for each in placings]
    last += [(kept.decision.sequence, kept.permit) for each in placings for kept in each.kept]
    return max(last)[1]


def _seen(there: dict[tuple[str, str], Stay], ended: list[Stay], record: Record, values: Values) -> None:
    """What a decision saw on the members. What was found there without having been placed is there. What was never written and was not
    found on a member in sight is not: who was to write it did not live to, and it is wanted there no more."""
    uid, seen = uid_of(record), record.body["seen"]
    unwritten = [key for key, stay in there.items() if key[0] == uid and stay.placed is None and stay.permits]
    if not unwritten and not seen["workloads"]:
        return
    placed = [act["cluster"][1] for act in record.body["acts"] if act["act"] == "Place"]
    listed = [each["clusterUID"] for each in _value(seen["status"], values).get("placements", ())]
    for name, view in _entries(seen["members"], values).items():
        member = view["member"]["uid"]
        if "kubernetes_version" not in view["connection"]:
            continue  # Out of sight.
        found = _value(seen["workloads"].get(name), values)
        if any(found.get(field) for field in _OF_A_WORKLOAD):
            if (uid, member) not in there and [name, member] not in seen["provenAbsent"]:
                there[uid, member] = _new(record, (name, member))
        elif (uid, member) in unwritten and member not in (*placed, *listed):
            ended.append(replace(there.pop((uid, member)), until=record.time, ended=record))


_OF_A_WORKLOAD: Final = ("inference_service", "companions", "deployments", "pods", "others")
"""Fields of serving.SeenWorkload, without what nothing runs by alone."""


def _unheld(stay: Stay, judged: Iterable[Record], trail: Trail, now: datetime) -> Iterator[Unheld]:
    """Between two decisions on a model the first one's verdict stands, until it ends. Of a time of which not all need be kept any longer
    nothing is told."""
    begin = trail.kept_since(stay.model)
    if begin is not None and stay.until is not None and stay.until <= begin:
        return
    goes_on = stay.until is None or stay.until > now
    until = now if stay.until is None or goes_on else stay.until
    here = from_then(begin, [each for each in judged if stay.since <= each.time < until])
    for record, after in zip(here, [*(each.time for each in here[1:]), until], strict=False):
        end = None if goes_on and after == until else after
        found = candidates(record, trail.values)
        # By its UID: a cluster may have been registered anew under another name.
        verdict = next((each for each in found.values() if each["uid"] == stay.cluster_uid), None)
        if verdict is None or not verdict["lawful"]:
            yield Unheld(stay, record.time, end, _why(stay, found, verdict))
        elif (ends := _moment(verdict["until"])) < after:
            yield Unheld(stay, ends, end, "what the verdict rested on had ended")


def from_then(moment: datetime | None, records: Sequence[Record]) -> Sequence[Record]:
    """Those from a moment on, and the last one before it; all, where there is no such moment."""
    before = [each for each in records if moment is not None and each.time <= moment]
    return [*before[-1:], *records[len(before) :]]


def _why(stay: Stay, found: Mapping[str, Value], verdict: Value | None) -> str:
    if not found:
        return "what was judged is missing from the log"
    if verdict is None:
        another = f"another cluster was registered as {stay.cluster}"
        return f"it was not judged: {another if stay.cluster in found else 'the cluster was not registered any more'}"
    return verdict["findings"][0]["message"] if verdict["findings"] else "it was not lawful, and no reason is recorded"


def _joined(found: Iterable[Unheld]) -> Iterator[Unheld]:
    """Times that follow each other, for the same reason, are one."""
    before: Unheld | None = None
    for each in found:
        if before is not None and before.until == each.since and before.why == each.why:
            before = replace(before, until=each.until)
            continue
        if before is not None:
            yield before
        before = each
    if before is not None:
        yield before


def _value(digest: str | None, values: Values) -> Value:
    """Empty where there is none, or it is missing from the log."""
    return values.kept(digest) if digest else {}


def _entries(digest: str, values: Values) -> Mapping[str, Value]:
    try:
        return values.entries(digest)
    except ValueMissing:
        return {}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
