"""What of a log the report is about: stays, refusals and acts of the period, each with the jurisdictions that it concerns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from domicile.audit import Record, Trail, model_of, questions
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
        self.models.add(record.model)
        self.clusters.add(cluster)
        self.last = max(self.last, record.time)


Act = tuple[Row, tuple[str, ...]]
"""When, what, of which model, and what there is to say; and where it was."""


def unfinished(told: Told) -> Iterator[Act]:
    """Acts that failed, that have no end, and that were recorded after they were done."""
    yield from _failed(told)
    yield from _open(told)
    yield from _late(told)


def _failed(told: Told) -> Iterator[Act]:
    for (digest, number), outcomes in told.trail.outcomes.items():
        for each in outcomes:
            if each.body["outcome"] == "Failed" and told.scope.has(each.time):
                what, name, uid = _act(told.trail, digest, number)
                said = f"{name}: {each.body['message']} [{each.body['reason']}]"
                yield (tables.time(each.time), f"{what} failed", each.model, said), told.of_cluster(uid, name)


def _open(told: Told) -> Iterator[Act]:
    for intent in (each for acts in told.trail.ledger.open.values() for each in acts.values()):
        begun = told.trail.decisions.get(intent.decision)
        if begun is not None and told.scope.reached(begun.time):
            uid = intent.key[1] if intent.cluster else ""
            said = f"{intent.cluster or 'the hub'}: begun by record {begun.sequence}, {_CAME}"
            row = (tables.time(begun.time), intent.key[0], model_of(intent.subject), said)
            yield row, told.of_cluster(uid, intent.cluster)


def _late(told: Told) -> Iterator[Act]:
    for each in told.trail.late:
        done = datetime.fromisoformat(each.body["done"])
        if told.scope.has(done):
            uid = next(iter(each.body["of"]), "")
            name = next((stay.cluster for stay in told.every if stay.cluster_uid == uid), uid or "the hub")
            when = f"done at {tables.time(done)}, while nothing could be recorded, and recorded at {tables.time(each.time)}"
            row = (tables.time(done), f"{each.body['act']}, late", each.model, f"{name}: {when}")
            yield row, told.of_cluster(uid)


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
        for pool, result in _denying(each):
            rule = (result.get("policy", ""), result.get("rule", ""))
            why = Why(result["reason"], *rule, tables.basis(result.get("basis")))
            for place in map(country, told.attested.places(record, name, each["uid"], pool)):
                yield place, why, result["message"], name
    choice: Mapping[str, Any] = record.body["choice"] or {}
    for passed in questions.passed_over(record, told.trail.values) if choice.get("shortfall") else ():
        for name in passed["clusters"]:
            why = Why(passed["reason"], "", "", "no rule: it was held, not refused")
            for place in map(country, told.attested.places(record, name, found[name]["uid"] if name in found else "")):
                yield place, why, passed["message"], name


def _denying(candidate: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What kept a cluster, or a pool of it, from being lawful: what each rule of each pool says, and what is said by no rule."""
    ruled = [(site["pool"], each) for site in candidate["sites"] for each in site["results"] if _denies(each)]
    yield from ruled
    told = {(pool, each["reason"]) for pool, each in ruled}
    yield from ((each["pool"], each) for each in candidate["findings"] if (each["pool"], each["reason"]) not in told)


def _denies(result: Mapping[str, Any]) -> bool:
    """As residency.Result.denies has it."""
    if result["outcome"] == "Met" or "settledBy" in result:
        return False
    return result["outcome"] == "Unknown" or result["effect"] != "Advise"
