"""Tables of the report, and how its cells are written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

Cell = str | tuple[str, ...]
"""A text, or several lines."""
Row = tuple[Cell, ...]
_MOST: Final = 200
"""Rows of one table. Who has more to look at uses the files beside the report."""


@dataclass(frozen=True)
class Table:
    """Rows under a heading."""

    head: tuple[str, ...]
    rows: tuple[Row, ...]
    nothing: str
    """What is said where there are none."""
    count: int = 0
    """How many there are, of which the rows may be the first."""
    further: str = ""
    """Where the others are."""

    @property
    def left(self) -> int:
        """How many are not shown."""
        return self.count - len(self.rows)


def table(head: tuple[str, ...], rows: Iterable[Row], nothing: str, further: str = "decisions.jsonl") -> Table:
    """The first of the rows, and how many there are."""
    every = tuple(rows)
    return Table(head, every[:_MOST], nothing, len(every), further)


def time(moment: datetime | None, without: str = "still there") -> str:
    """To the second, in UTC."""
    return without if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def lasted(seconds: float) -> str:
    """A length of time, in its two largest units."""
    left, parts = round(seconds), list[str]()
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size} {name}")
            left %= size
    return " ".join(parts[:2]) or "0 s"


def basis(found: Mapping[str, Any] | None) -> Cell:
    """What a rule rests on, as its policy says it."""
    if not found:
        return "no source stated: the policy's own"
    source = ", ".join(str(found[key]) for key in ("source", "clause") if found.get(key))
    return (f"{found.get('type', '-')}", source, f"as of {found.get('asOf', '-')}")


def stamped(thing: Mapping[str, Any], by: str) -> str:
    """Who did that with an object, as the API server stamped it."""
    return thing.get("metadata", {}).get("annotations", {}).get(f"domicile.dev/{by}", "-")
