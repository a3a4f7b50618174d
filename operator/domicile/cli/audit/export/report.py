"""What the report says: of the log as a whole, of each jurisdiction, and of what is of none."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from domicile.audit import Differs, NotReplayed, Record, Replayed, Trail, ValueMissing, questions
from domicile.cli.audit.export import tables
from domicile.cli.audit.export.scope import Scope
from domicile.cli.audit.export.sections import Section, section
from domicile.cli.audit.export.tables import Row, Table, table
from domicile.cli.audit.export.told import Told, unfinished
from domicile.cli.audit.source import Looked
from domicile.evidence.base64text import encoded

Again = Sequence[tuple[Record, Replayed]]
"""Each decision, made again."""


@dataclass(frozen=True)
class Report:
    """All of it."""

    origin: str
    made: str
    version: str
    """Of the domicile that made it."""
    identity: tuple[tuple[str, tables.Cell], ...]
    filtered: tuple[str, ...]
    """What of the log is not told."""
    in_order: bool
    wrong: tuple[str, ...]
    """What is not as it was written."""
    replayed: str
    """How many decisions came out the same."""
    different: Table
    mark: str
    """The beginning of the root, for the head of each page: letters, digits and what base64 has beside them."""
    unheld: int
    sections: tuple[Section, ...]
    held: Table
    """For reasons that are of no cluster."""
    unfinished: Table


def report(looked: Looked, told: Told, again: Again, made: datetime, version: str) -> Report:
    """The report on a log that was read, verified and decided again."""
    trail, scope = told.trail, told.scope
    wrong = tuple(f"{each.reason}: {each.message}" for each in looked.report.findings)
    differing = tuple(_different(again))
    root = encoded(looked.report.root) if looked.report.root is not None else ""
    return Report(
        looked.origin,
        tables.time(made),
        version,
        _identity(looked, root),
        tuple(_filtered(scope)),
        not wrong and not trail.odd,
        (*wrong, *(f"Odd: {each}" for each in trail.odd)),
        f"{len(again) - len(differing)} of {len(again)}",
        table(("Record", "Model", "What differs"), differing, "None.", "domicile audit replay"),
        root[:16] or "none",
        len(told.unheld),
        tuple(section(country, told) for country in told.countries),
        _held(told),
        table(
            ("When", "Act", "Model", "What there is to say"),
            (row for row, places in unfinished(told) if not places),
            "None.",
        ),
    )


def _identity(looked: Looked, root: str) -> tuple[tuple[str, tables.Cell], ...]:
    """What the log is."""
    trail, found = looked.trail, looked.report
    times = [each.time for each in trail.decisions.values()]
    period = f"{tables.time(times[0])} to {tables.time(times[-1])}" if times else "no decision is in it"
    agreeing = tuple(f"{where}: agrees, as of {size} records" for where, size in found.witnessed)
    agreed = {where for where, _ in found.witnessed}
    not_agreeing = tuple(f"{each.where}: DOES NOT AGREE" for each in looked.checkpoints if each.where not in agreed)
    said = (*agreeing, *not_agreeing) or (
        "None was given: that nothing was cut off at the end, or the whole written anew, is not shown.",
    )
    return (
        ("Log", looked.origin),
        ("Records", f"{found.size}, of which {len(trail.decisions)} are decisions"),
        ("Decisions of", period),
        ("Root (SHA-256, RFC 9162)", root or "none, for what is missing or cannot be read"),
        ("Signed with", tuple(key.keyid for key in looked.keys)),
        ("Checkpoints that others kept", said),
    )


def _filtered(scope: Scope) -> Iterator[str]:
    if scope.since is not None or scope.ends:
        since = tables.time(scope.since) if scope.since else "the beginning"
        yield f"The period alone is told from {since} to {tables.time(scope.until)}; the end is not part of it."
    if scope.country:
        yield f"Clusters in {scope.country} alone are told of, and decisions that judged one of them."


def _different(again: Again) -> Iterator[Row]:
    for record, found in again:
        match found:
            case Differs(fields, _, _):
                yield str(record.sequence), record.model, f"other: {', '.join(fields)}"
            case NotReplayed(why):
                yield str(record.sequence), record.model, f"it cannot be decided again: {why}"
            case _:
                pass


def _held(told: Told) -> Table:
    """Decisions that held a model whatever the clusters are, or for want of any: between clusters nothing was chosen."""
    rows: list[Row] = []
    for record in told.decisions:
        body = record.body
        between = body["choice"] is not None and questions.candidates(record, told.trail.values)
        if not between and {"Refused", "Held"} & set(body["what"]):
            model, why = record.model, _why(record, told.trail)
            rows.append((tables.time(record.time), "+".join(body["what"]), model, why))
    return table(("When", "What", "Model", "Why"), rows, "None.")


def _why(record: Record, trail: Trail) -> str:
    try:
        conditions = trail.values.get(record.body["status"]).get("conditions", ())
    except ValueMissing:
        return "its status is missing from the log"
    said = [f"{each['message']} [{each['reason']}]" for each in conditions if each["status"] != "True"]
    return said[0] if said else "-"
