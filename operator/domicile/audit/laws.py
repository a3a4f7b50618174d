"""What governance changed, as it is recorded: which object, how, and who the API server says did it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from domicile.api.residencyexception import APPROVED_BY
from domicile.audit import names, snapshots
from domicile.audit.values import Bag, Json, Value, Values
from domicile.evidence.records import Content
from domicile.residency import Law

LAW: Final = "Law"
"""Kind of a record: governance changed something."""

Known = Mapping[str, Value]
"""What the last records say of each object, by kind/name."""


def changes(known: Known, law: Law, bag: Bag) -> Content | None:
    """The record of how the law differs from what is recorded of it; None where it does not."""
    now = {f"{each['kind']}/{each['name']}": each for each in _objects(law, bag)}
    found = [
        {**each, "change": list(_words(known.get(key), each)), "before": known[key]["digest"] if key in known else None}
        for key, each in sorted(now.items())
        if known.get(key, {}).get("digest") != each["digest"]
    ]
    gone = [
        {**each, "change": ["Removed"], "before": each["digest"], "digest": None}
        for key, each in sorted(known.items())
        if key not in now
    ]
    if not found and not gone:
        return None
    digest = bag.put_object(law, snapshots.law_written)
    return Content(LAW, "Law", digest, {"law": digest, "changes": [*found, *gone]})


def known_after(known: Known, body: Mapping[str, Json]) -> Known:
    """What is known after a record of changes."""
    after = dict(known)
    for change in body["changes"]:
        key = f"{change['kind']}/{change['name']}"
        if change["digest"] is None:
            after.pop(key, None)
        else:
            after[key] = {name: change[name] for name in _KEPT}
    return after


_KEPT: Final = ("kind", "name", "digest", "stamps", "mode", "approved")


def _objects(law: Law, bag: Bag) -> Iterator[Value]:
    for field, kind in snapshots.LAW.items():
        for thing in getattr(law, field):
            yield {
                "kind": kind.info.kind,
                "name": thing.metadata.name,
                "digest": bag.put_object(thing, snapshots.written_object),
                "stamps": snapshots.stamps(thing, bag),
                "mode": getattr(thing.spec, "mode", None),
                "approved": _approved(thing, bag),
            }


def _approved(thing: Any, bag: Bag) -> str:
    """Who approved it, as the API server stamped; empty where nobody did, or of what nobody approves."""
    by = thing.metadata.annotations.get(APPROVED_BY, "")
    return bag.name(by) if by and getattr(thing.spec, "approved", True) else ""


def _words(before: Value | None, after: Value) -> Iterator[str]:
    """What sort of change it is."""
    if before is None:
        yield "Added"
    else:
        yield "Changed"
        if before["mode"] != after["mode"]:
            yield "ModeSwitched"
        if before["approved"] and not after["approved"]:
            yield "ApprovalWithdrawn"
    if after["approved"] and after["approved"] != (before or {"approved": ""})["approved"]:
        yield "ApprovalGiven"


def said(change: Mapping[str, Json], values: Values) -> str:
    """A change in words."""
    stamps = names.all_named(change["stamps"], values)
    by = [f"{key.removeprefix('domicile.dev/')} {who}" for key, who in sorted(stamps.items())]
    mode = f", now in mode {change['mode']}" if "ModeSwitched" in change["change"] else ""
    who = f" ({', '.join(by)})" if by else ""
    return f"{change['kind']}/{change['name']}: {'+'.join(change['change'])}{mode}{who}"
