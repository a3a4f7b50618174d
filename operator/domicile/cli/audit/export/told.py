"""What of a log the report is about: stays, refusals and acts of the period, each with the jurisdictions that it concerns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from domicile.audit import Record, Trail, questions
from domicile.audit.questions import Stay, Unheld
from domicile.cli.audit.export import lines, tables
from domicile.cli.audit.export.attested import Attested
from domicile.cli.audit.export.scope import Scope, country
from domicile.cli.audit.export.tables import Row

_CAME: Final = "no end recorded"


@dataclass
class Told:
    """What the sections are made of: the log, and what of it was asked for."""

    trail: Trail
    scope: Scope
    attested: Attested = field(init=False)

    def __post_init__(self) -> None:
        self.attested = Attested(self.trail.values)

    @cached_property
    def every(self) -> tuple[Stay, ...]:
        """All stays of the log."""
        return questions.stays(self.trail)

    @cached_property
    def stays(self) -> tuple[Stay, ...]:
        """Those of the period."""
        return tuple(each for each in self.every if self.scope.touches(each.since, each.until))

    @cached_property
    def unheld(self) -> tuple[Unheld, ...]:
        """Times without a valid verdict."""
        found = questions.unheld(self.trail, self.scope.until)
        return tuple(each for each in found if self.scope.touches(each.since, each.until))

    @cached_property
    def decisions(self) -> tuple[Record, ...]:
        """Those of the period."""
        return tuple(each for each in self.trail.decisions.values() if self.scope.has(each.time))

    @cached_property
    def refused(self) -> Mapping[str, Mapping["Why", "Count"]]:
        """By country: why clusters there were not given models, and how often."""
        found: dict[str, dict[Why, Count]] = {}
        for record in self.decisions:
            for place, why, message, name in _against(record, self):
                count = found.setdefault(place, {}).setdefault(why, Count(message, record.time))
                count.add(record, name)
        return found

    @property
    def countries(self) -> tuple[str, ...]:
        """Those in which something ran, and then those that were judged alone."""
        ran = {country(place) for stay in self.stays for place in self.of_stay(stay)}
        found = [*sorted(ran), *sorted(set(self.refused) - ran)]
        return tuple(each for each in found if self.scope.concerns((each,)))

    def of_stay(self, stay: Stay) -> tuple[str, ...]:
        """Where it was."""
        return lines.places_of(stay, self.attested)

    def of_cluster(self, uid: str, name: str = "") -> tuple[str, ...]:
        """Where a cluster's nodes stood by the last decision, whichever cluster it is."""
        if not uid:
            return ()
        named = name or next((stay.cluster for stay in self.every if stay.cluster_uid == uid), "")
        last = next(reversed(self.trail.decisions.values()), None)
        return self.attested.places(last, named, uid) if last else ()


@dataclass(frozen=True)
class Why:
    """Why a cluster was not given a model."""

    reason: str
    policy: str
    rule: str
    basis: tables.Cell


@dataclass
class Count:
    """How often, and an example."""

    message: str
    first: datetime
    last: datetime = field(init=False)
    decisions: set[str] = field(default_factory=set[str])
    models: set[str] = field(default_factory=set[str])
    clusters: set[str] = field(default_factory=set[str])

    def __post_init__(self) -> None:
        self.last = self.first

    def add(self, record: Record, cluster: str) -> None:
        """Once more."""
        self.decisions.add(record.digest)
        self.models.add(record.subject.partition("/")[2])
        self.clusters.add(cluster)
        self.last = max(self.last, record.time)


def unfinished(told: Told) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Acts that failed, that have no end, and that were recorded after they were done; each with where it was."""
    trail, scope = told.trail, told.scope
    for (digest, number), outcomes in trail.outcomes.items():
        for each in outcomes:
            if each.body["outcome"] == "Failed" and scope.has(each.time):
                act = _act(trail, digest, number)
                yield (
                    (tables.time(each.time), f"{act[0]} failed", _model(each), f"{act[1]}: {each.body['message']} [{each.body['reason']}]"),
                    told.of_cluster(act[2], act[1]),
                )  # fmt: skip
    for acts in trail.ledger.open.values():
        for intent in acts.values():
            begun = trail.decisions.get(intent.decision)
            if begun is not None and scope.reached(begun.time):
                places = told.of_cluster(intent.key[1], intent.cluster) if intent.cluster else ()
                said = f"{intent.cluster or 'the hub'}: begun by record {begun.sequence}, {_CAME}"
                row = (tables.time(begun.time), intent.key[0], intent.subject.partition("/")[2], said)
                yield row, places
    for late in trail.late:
        done = datetime.fromisoformat(late.body["done"])
        if scope.has(done):
            uid = next(iter(late.body["of"]), "")
            name = next((stay.cluster for stay in told.every if stay.cluster_uid == uid), uid or "the hub")
            said = f"{name}: done at {tables.time(done)}, while nothing could be recorded, and recorded at {tables.time(late.time)}"
            yield (tables.time(done), f"{late.body['act']}, late", _model(late), said), told.of_cluster(uid)


def _act(trail: Trail, digest: str, number: int) -> tuple[str, str, str]:
    """Kind of an act, and name and UID of its cluster."""
    decision = trail.decisions.get(digest)
    if decision is None:
        return "An act of a decision that is missing from the log", "", ""
    act = decision.body["acts"][number]
    name, uid = act.get("cluster", ("", ""))
    return act["act"], name, uid


def _against(record: Record, told: Told) -> Iterator[tuple[str, Why, str, str]]:
    """Why a decision gave clusters no model, by country: the rules that denied them, or what kept the lawful ones from it."""
    found = questions.candidates(record, told.trail.values)
    for name, each in found.items():
        for finding in each["findings"]:
            rule = (finding["policy"], finding["rule"])
            known = [r for s in each["sites"] for r in s["results"] if (r.get("policy", ""), r["rule"]) == rule]
            basis = next((r["basis"] for r in known if "basis" in r), None)
            why = Why(finding["reason"], *rule, tables.basis(basis))
            for place in map(country, told.attested.places(record, name, each["uid"], finding["pool"])):
                yield place, why, finding["message"], name
    choice: Mapping[str, Any] = record.body["choice"] or {}
    for passed in choice.get("passedOver", ()) if choice.get("shortfall") else ():
        for name in passed["clusters"]:
            why = Why(passed["reason"], "", "", "no rule: it was held, not refused")
            for place in map(country, told.attested.places(record, name, found[name]["uid"] if name in found else "")):
                yield place, why, passed["message"], name


def _model(record: Record) -> str:
    return record.subject.partition("/")[2]
