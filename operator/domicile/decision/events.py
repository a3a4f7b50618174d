"""What a change of status tells people: the Events of a SovereignModel, from the status before and the one after."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from domicile.api import Condition, Placement, SovereignModelStatus

NOTE_LIMIT = 1024
"""events.k8s.io/v1 takes notes of up to 1024 bytes."""


@dataclass(frozen=True)
class Told:
    """One event, before it has a time."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str
    cluster: str = ""
    """The RegionalCluster that it is about, named in `related`; empty if it is about none."""
    occasion: str = ""
    """What tells this occasion from another with the same words, such as the permit."""


def told(before: SovereignModelStatus | None, after: SovereignModelStatus) -> tuple[Told, ...]:
    """The events of a change. Nothing changed, nothing is told."""
    old = before or SovereignModelStatus()
    return (*_placements(old, after), *_troubles(old, after))


def _placements(old: SovereignModelStatus, new: SovereignModelStatus) -> Iterator[Told]:
    was, now = _rows(old), _rows(new)
    conditions = _conditions(new)
    for key, row in now.items():
        earlier = was.get(key)
        if earlier is None and row.state != "Leaving":
            yield _event("Normal", "Placed", "Place", _why_placed(row, new), row)
        if earlier is not None and row.state != earlier.state:
            if row.state == "Serving":
                yield _event("Normal", "Serving", "Observe", f"serving on {row.cluster}", row)
            if row.state == "Leaving":
                yield _leaving(row, conditions)
    for key, row in was.items():
        if key not in now:
            note = f"nothing of the model is left on {row.cluster}: it was looked for and not found"
            yield _event("Normal", "Withdrawn", "Withdraw", note, row)


def _troubles(old: SovereignModelStatus, new: SovereignModelStatus) -> Iterator[Told]:
    """A Ready that is not True for a new reason, where waiting is not the normal course of things."""
    yield from _warnings(old, new)
    before, after = _conditions(old).get("Ready"), _conditions(new).get("Ready")
    if after is None or after.status == "True" or after.reason in ("Progressing", "Deleting", "UnlawfulPlacement"):
        return
    if before is None or (before.reason, before.message) != (after.reason, after.message):
        yield Told("Warning", after.reason, "Decide", fit(after.message))


_WARNED_OF = ("EvidenceCurrent", "AuditPassed")


def _warnings(old: SovereignModelStatus, new: SovereignModelStatus) -> Iterator[Told]:
    """What would be withdrawn if nothing is done about it."""
    was, now = _conditions(old), _conditions(new)
    for kind in _WARNED_OF:
        before, after = was.get(kind), now.get(kind)
        if after is None or after.status != "False":
            continue
        if before is None or (before.reason, before.message) != (after.reason, after.message):
            yield Told("Warning", after.reason, "Foresee", fit(after.message))


def _leaving(row: Placement, conditions: Mapping[str, Condition]) -> Told:
    compliant = conditions.get("PolicyCompliant")
    if compliant is not None and compliant.reason == "UnlawfulPlacement":
        return _event("Warning", "Withdrawing", "Withdraw", compliant.message, row)
    return _event("Normal", "Withdrawing", "Withdraw", f"being withdrawn from {row.cluster}", row)


def _why_placed(row: Placement, status: SovereignModelStatus) -> str:
    compliant = _conditions(status).get("PolicyCompliant")
    # While an unlawful copy elsewhere is still leaving, the condition speaks of that one.
    lawful = f" ({compliant.message})" if compliant and compliant.reason != "UnlawfulPlacement" else ""
    excluded = "".join(f"; not {e.cluster}: {e.message} [{e.reason}]" for e in status.exclusions)
    return f"on {row.cluster}{lawful}{excluded}"


def _event(kind: Literal["Normal", "Warning"], reason: str, action: str, note: str, row: Placement) -> Told:
    return Told(kind, reason, action, fit(note), row.cluster, row.permit)


def _rows(status: SovereignModelStatus) -> Mapping[tuple[str, str], Placement]:
    return {(row.cluster, row.cluster_uid): row for row in status.placements}


def _conditions(status: SovereignModelStatus) -> Mapping[str, Condition]:
    return {condition.type: condition for condition in status.conditions}


def fit(note: str) -> str:
    """As much of the note as an event takes."""
    text = note.encode()
    return note if len(text) <= NOTE_LIMIT else f"{text[: NOTE_LIMIT - 3].decode(errors='ignore')}..."
