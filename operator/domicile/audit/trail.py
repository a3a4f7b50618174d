"""A log as somebody reads it: decisions with what came of them, and the values that they name. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from domicile.audit.decisions import DECISION, VALUES, model_of
from domicile.audit.ledger import OUTCOME, Ledger
from domicile.audit.rules import kept_since
from domicile.audit.running import RUNNING
from domicile.audit.values import Value, Values
from domicile.evidence import records
from domicile.evidence.dsse import Envelope
from domicile.evidence.records import ELSEWHERE, REMOVED, Place

ODD: Final = (LookupError, TypeError, ValueError, AttributeError)
"""What is raised where a record that was signed is still not as records of this version are."""
TERM: Final = "Term"
"""Kind of a record: a process begins to lead."""


@dataclass(frozen=True)
class Record:
    """One record, read."""

    sequence: int
    digest: str
    """By which later records name it."""
    time: datetime
    epoch: int
    kind: str
    subject: str
    subject_digest: str
    body: Value

    @property
    def model(self) -> str:
        """The model that it is about, as namespace/name."""
        return model_of(self.subject)


def record(envelope: Envelope, place: Place) -> Record:
    """What a genuine envelope says."""
    statement = envelope.statement
    subject, predicate = statement["subject"][0], statement["predicate"]
    return Record(
        place.sequence,
        records.digest(envelope.payload),
        place.time,
        place.epoch,
        predicate["kind"],
        subject["name"],
        f"sha256:{subject['digest']['sha256']}",
        predicate["body"],
    )


def odd(place: Place, error: Exception) -> str:
    """That the record there is not as records of this version are, for people."""
    return f"record {place.sequence} is not as records of this version are: {type(error).__name__} {error}"


@dataclass
class Trail:
    """Takes in a log, record by record. What is not as records of this version are is kept apart, and told."""

    decisions: dict[str, Record] = field(default_factory=dict[str, Record])
    """By digest, in the order of the log."""
    outcomes: dict[tuple[str, int], list[Record]] = field(default_factory=dict[tuple[str, int], list[Record]])
    """By decision and number of the act, in the order of the log."""
    late: list[Record] = field(default_factory=list[Record])
    """Acts that were done while nothing could be recorded."""
    running: list[Record] = field(default_factory=list[Record])
    """On which nodes models were."""
    others: list[Record] = field(default_factory=list[Record])
    """Of other kinds, such as terms."""
    ledger: Ledger = field(default_factory=Ledger)
    """What is open at the end."""
    odd: list[str] = field(default_factory=list[str])
    """What could not be read, for people."""
    _values: dict[str, Value] = field(default_factory=dict[str, Value])
    _elsewhere: dict[str, str] = field(default_factory=dict[str, str])
    """Of values: where they are kept."""

    @property
    def values(self) -> Values:
        """All values that were recorded."""
        return Values(self._values, self._elsewhere)

    @property
    def removals(self) -> tuple[Record, ...]:
        """What says that records are kept no longer."""
        return tuple(each for each in self.others if each.kind == REMOVED)

    def kept_since(self, model: str) -> datetime | None:
        """Since when all that was recorded about a model is there; None: since ever."""
        return kept_since((each.body for each in self.removals), model)

    def take(self, envelope: Envelope, place: Place) -> None:
        """Go on by a record."""
        try:
            self._take(record(envelope, place))
        except ODD as error:
            self.odd.append(odd(place, error))

    def acts_of(self, decision: Record) -> tuple[tuple[Mapping[str, Any], tuple[Record, ...]], ...]:
        """The acts of a decision, each with what came of it; of one that was begun by an earlier decision too."""
        carried = decision.body["context"]["carried"]
        found: list[tuple[Mapping[str, Any], tuple[Record, ...]]] = []
        for index, act in enumerate(decision.body["acts"]):
            digest, number = carried.get(str(index), (decision.digest, index))
            found.append((act, tuple(self.outcomes.get((digest, number), ()))))
        return tuple(found)

    def _take(self, found: Record) -> None:
        self.ledger.take(found.digest, found.kind, found.subject, found.body, found.sequence)
        if found.kind == VALUES:
            self._values.update(found.body["values"])
        elif found.kind == ELSEWHERE:
            self._elsewhere.update(dict.fromkeys(found.body["values"], found.body["home"]))
        elif found.kind == DECISION:
            self.decisions[found.digest] = found
        elif found.kind == RUNNING:
            self.running.append(found)
        elif found.kind != OUTCOME:
            self.others.append(found)
        elif found.body["decision"] is None:
            self.late.append(found)
        else:
            self.outcomes.setdefault((found.body["decision"], found.body["act"]), []).append(found)
