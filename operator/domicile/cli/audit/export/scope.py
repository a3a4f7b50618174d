"""What of a log an export tells of: a period, and a jurisdiction. The log itself is exported whole: it could not be verified otherwise."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Scope:
    """A period, and the jurisdiction of worker nodes."""

    until: datetime
    """Up to which it is told: the end of the period, or when the export was made."""
    since: datetime | None = None
    """None: from the beginning."""
    country: str = ""
    """ISO 3166-1 code; empty: all."""
    ends: bool = False
    """Whether the end was asked for."""

    def has(self, moment: datetime) -> bool:
        """Whether it was in the period."""
        return (self.since is None or self.since <= moment) and self.reached(moment)

    def reached(self, moment: datetime) -> bool:
        """Whether it was before the end of the period."""
        return moment < self.until or (moment == self.until and not self.ends)

    def touches(self, since: datetime, until: datetime | None) -> bool:
        """Whether some of that time was in the period."""
        return self.reached(since) and (self.since is None or until is None or self.since < until)

    def concerns(self, places: tuple[str, ...]) -> bool:
        """Whether one of the places is in the jurisdiction."""
        return not self.country or self.country in map(country, places)


def country(place: str) -> str:
    """The country of a jurisdiction: MY-14 is in MY."""
    return place.partition("-")[0]
