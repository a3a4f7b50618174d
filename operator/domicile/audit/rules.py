"""How long records are kept, as a person rules it, and as it is recorded with what was removed by it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol

from domicile.audit.values import Json, Value, moment

RETENTION: Final = "Retention"
"""Why records were removed: they were older than they are to be kept."""


class About(Protocol):
    """A record about a model."""

    @property
    def model(self) -> str: ...

    @property
    def time(self) -> datetime: ...


@dataclass(frozen=True)
class Rule:
    """How long records of some models are kept."""

    models: tuple[str, ...]
    """As namespace/name, with * and ? as in file names."""
    keep: timedelta

    def about(self, model: str) -> bool:
        """Whether it is a rule for that one."""
        return _among(model, self.models)


@dataclass(frozen=True)
class Hold:
    """A legal hold: nothing about these models goes that was recorded in that time, whatever the rules say."""

    name: str
    models: tuple[str, ...]
    reason: str
    since: datetime | None = None
    until: datetime | None = None

    def on(self, found: About) -> bool:
        """Whether a record may not go."""
        if not _among(found.model, self.models):
            return False
        return (self.since is None or self.since <= found.time) and (self.until is None or found.time < self.until)


@dataclass(frozen=True)
class Retention:
    """How long records are kept."""

    keep: timedelta
    """Of models that no rule is for, and of what is about none."""
    rules: tuple[Rule, ...] = ()
    """The first that is for a model counts."""
    holds: tuple[Hold, ...] = ()

    def kept_for(self, model: str) -> timedelta:
        """How long a record about that model is kept."""
        return next((rule.keep for rule in self.rules if rule.about(model)), self.keep)

    def written(self, now: datetime) -> Value:
        """As it is recorded with what was removed by it at that moment."""
        return {
            "why": RETENTION,
            "at": moment(now),
            "keepDays": self.keep.days,
            "rules": [{"models": list(each.models), "keepDays": each.keep.days} for each in self.rules],
            "holds": [
                {
                    "name": each.name,
                    "models": list(each.models),
                    "since": None if each.since is None else moment(each.since),
                    "until": None if each.until is None else moment(each.until),
                    "reason": each.reason,
                }
                for each in self.holds
            ],
        }


def kept_since(bodies: Iterable[Mapping[str, Json]], model: str) -> datetime | None:
    """Since when all records about a model are there, by what records of removal say; None: since ever."""
    begins = [_begin(each, model) for each in bodies if each.get("why") == RETENTION]
    return max(begins, default=None)


def _begin(body: Mapping[str, Any], model: str) -> datetime:
    rules = tuple(Rule(tuple(each["models"]), timedelta(days=each["keepDays"])) for each in body["rules"])
    return datetime.fromisoformat(body["at"]) - Retention(timedelta(days=body["keepDays"]), rules).kept_for(model)


def _among(model: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(model, each) for each in patterns)
