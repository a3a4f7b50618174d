"""From when until when something that governance wrote holds: from `validFrom`, and no more at `validUntil`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from domicile.api import ObjectMeta


class _Validity(Protocol):
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_until(self) -> datetime: ...


class Lasting(Protocol):
    """An object with a validity."""

    @property
    def metadata(self) -> ObjectMeta: ...
    @property
    def spec(self) -> _Validity: ...


L = TypeVar("L", bound=Lasting)


def in_force(objects: Iterable[L], now: datetime) -> tuple[L, ...]:
    """Those that hold at the moment."""
    return tuple(each for each in objects if each.spec.valid_from <= now < each.spec.valid_until)


def moments(objects: Iterable[Lasting], now: datetime) -> Iterable[datetime]:
    """When one begins or ends, ahead of the moment."""
    for each in objects:
        yield from (m for m in (each.spec.valid_from, each.spec.valid_until) if m > now)


def longest(objects: Iterable[L]) -> L | None:
    """The one that holds longest; of several, the first by name."""
    return min(objects, key=lambda o: (-o.spec.valid_until.timestamp(), o.metadata.name), default=None)
