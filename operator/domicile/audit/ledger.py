"""What of a log has to be kept in mind to go on with it: which values are recorded, which acts were begun and not ended, and on which
nodes models are. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from domicile.audit.decisions import DECISION, VALUES, ActKey, key_of
from domicile.audit.laws import LAW, Known, known_after
from domicile.audit.names import is_name
from domicile.audit.running import RUNNING, Nodes, nodes_after
from domicile.audit.values import Json, Value, digest_of, moment, recorded_as
from domicile.decision.plan import Act
from domicile.evidence import ranges
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, Content

OUTCOME: Final = "Outcome"
"""Kind of a record: what came of an act, or of an attempt."""

Ended = Literal["Done", "FoundDone", "FoundUndone", "Overtaken"]
"""How an act ended: it was carried out; a later process looked, and found that it was, or that it was not; a later decision no longer
wants it."""
_DONE: Final = ("Done", "FoundDone")
_ATTEMPTED: Final = "Failed"
"""It was tried and did not go through. It is tried again, until it is done or overtaken."""


@dataclass(frozen=True)
class Intent:
    """An act that was recorded before it was begun."""

    decision: str
    """Digest of the decision's record."""
    act: int
    """Which of its acts."""
    subject: str
    """The model, as kind/namespace/name."""
    key: ActKey
    cluster: str
    """Name of the member; empty where it is on none."""


@dataclass
class Ledger:
    """Follows a log, record by record."""

    recorded: dict[str, int] = field(default_factory=dict[str, int])
    """The values that are in it, as values.recorded_as has them, and the record that has each; of an unknown one -1."""
    open: dict[str, dict[ActKey, Intent]] = field(default_factory=dict[str, dict[ActKey, Intent]])
    """By UID of the model: acts that were begun, of which no end is recorded."""

    names: dict[str, Value] = field(default_factory=dict[str, Value])
    """What is recorded of names of people, by name."""
    law: Known = field(default_factory=dict[str, Value])
    """What is recorded of governance's objects."""
    running: dict[str, Nodes] = field(default_factory=dict[str, Nodes])
    """By UID of the model, until it is let go: on which nodes it is."""

    def forget(self, removed: Ranges) -> None:
        """Count on no value of these records: they are to go, if they have not gone."""
        if not removed:
            return
        self.recorded = {each: at for each, at in self.recorded.items() if not ranges.hold(removed, at)}
        self.names = {name: each for name, each in self.names.items() if digest_of(each) in self.recorded}

    def take(self, digest: str, kind: str, subject: str, body: Mapping[str, Json], sequence: int = -1) -> None:
        """Go on by a record, which has this digest."""
        if kind == VALUES:
            self.recorded.update(dict.fromkeys(body["values"], sequence))
            self.names.update({each["name"]: each for each in body["values"].values() if is_name(each)})
        elif kind == ELSEWHERE:
            # What is said is kept in the next record.
            self.recorded.update({recorded_as(each, body["home"]): sequence + 1 for each in body["values"]})
        elif kind == DECISION:
            self._begun(digest, subject, body)
        elif kind == OUTCOME:
            self._ended(body)
        elif kind == LAW:
            self.law = known_after(self.law, body)
        elif kind == RUNNING:
            self._know_nodes(body["uid"], nodes_after(self.running.get(body["uid"], {}), body))

    def _begun(self, digest: str, subject: str, body: Mapping[str, Json]) -> None:
        context = body["context"]
        uid, carried = context["uid"], context["carried"]
        for index, act in enumerate(body["acts"]):
            if str(index) not in carried:
                key = _key(act)
                cluster = act["cluster"][0] if "cluster" in act else ""
                self.open.setdefault(uid, {})[key] = Intent(digest, index, subject, key, cluster)

    def _know_nodes(self, uid: str, nodes: Nodes) -> None:
        if nodes:
            self.running[uid] = nodes
        else:
            self.running.pop(uid, None)

    def _ended(self, body: Mapping[str, Json]) -> None:
        if body["outcome"] == _ATTEMPTED:
            return
        uid = body["uid"]
        if body["decision"] is None and body["act"] == "Release":
            self.running.pop(uid, None)
        acts = self.open.get(uid, {})
        for key, intent in list(acts.items()):
            if (intent.decision, intent.act) == (body["decision"], body["act"]):
                del acts[key]
                if key == ("Release",) and body["outcome"] in _DONE:
                    self.running.pop(uid, None)
        if not acts:
            self.open.pop(uid, None)


def _key(act: Mapping[str, Json]) -> ActKey:
    """What tells an act on a model from another."""
    match act["act"]:
        case "Place":
            return ("Place", act["cluster"][1], act["permit"], act["workload"])
        case "Withdraw":
            return ("Withdraw", act["cluster"][1])
        case _:
            return (act["act"],)


def attempted(uid: str, intent: Intent, reason: str, message: str) -> Content:
    """The record of an attempt that failed."""
    return _outcome(uid, intent, {"outcome": _ATTEMPTED, "reason": reason, "message": message})


def ended(uid: str, intent: Intent, how: Ended, wrote: Sequence[str] = ()) -> Content:
    """The record of an act that ended, and what was written for it."""
    return _outcome(uid, intent, {"outcome": how, "wrote": list(wrote)})


def late(uid: str, subject: str, act: Act, done: datetime, wrote: Sequence[str] = ()) -> Content:
    """The record of an act that was carried out at that moment without one, while nothing could be recorded."""
    kind, *of = key_of(act) or ("Unknown",)
    body: Value = {"uid": uid, "decision": None, "act": kind, "of": of, "outcome": "Done", "done": moment(done)}
    return Content(OUTCOME, subject, digest_of(body), {**body, "wrote": list(wrote)})


def _outcome(uid: str, intent: Intent, said: Value) -> Content:
    body = {"uid": uid, "decision": intent.decision, "act": intent.act, "cluster": intent.cluster, **said}
    return Content(OUTCOME, intent.subject, digest_of(body), body)
