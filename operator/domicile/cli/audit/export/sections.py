"""What the report says of one jurisdiction, part by part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domicile.audit import Record, Trail, questions
from domicile.audit.questions import Stay, Unheld
from domicile.cli.audit.export import tables
from domicile.cli.audit.export.outlines import Outline, outline
from domicile.cli.audit.export.scope import Scope, country
from domicile.cli.audit.export.tables import Row, Table, table
from domicile.cli.audit.export.told import Count, Told, Why, unfinished


@dataclass(frozen=True)
class Section:
    """One jurisdiction."""

    country: str
    outline: Outline
    summary: Row
    """Its line in the table of all jurisdictions."""
    ran: Table
    where: Table
    refused: Table
    approved: Table
    excepted: Table
    unheld: Table
    unfinished: Table


def section(place: str, told: Told) -> Section:
    """All that is said of it."""
    here = [stay for stay in told.stays if place in map(country, told.of_stay(stay))]
    unheld = [each for each in told.unheld if place in map(country, told.of_stay(each.stay))]
    models, clusters = {stay.uid for stay in here}, {stay.cluster_uid for stay in here}
    without = sum(((each.until or told.scope.until) - each.since).total_seconds() for each in unheld)
    refused = told.refused.get(place, {})
    said = tables.lasted(without) if unheld else "none"
    return Section(
        place,
        outline(place),
        (str(len(models)), str(len(clusters)), str(len(refused)), said),
        table(
            ("Model, asked by", "Cluster, nodes in", "From", "Until", "Permits, policies", "Artifacts"),
            (_ran(stay, told) for stay in here),
            "No model was here.",
            "stays.jsonl",
        ),
        _where(here, told),
        _refused(refused),
        _approved(here, told.trail),
        _excepted(place, told),
        table(
            ("Model", "Cluster", "From", "To", "Lasted", "Why"),
            (_unheld(each, told.scope) for each in unheld),
            "None: whatever was here had a valid verdict all the time.",
        ),
        table(
            ("When", "Act", "Model", "What there is to say"),
            (row for row, places in unfinished(told) if place in map(country, places)),
            "None: all that was begun was ended, and recorded before it was done.",
        ),
    )


def _ran(stay: Stay, told: Told) -> Row:
    last = stay.permits[-1] if stay.permits else None
    grounds = last.grounds if last else {}
    policies = ", ".join(name for name, _ in grounds.get("policies", ()))
    permit: tables.Cell = "found there, without a permit"
    if last:
        before = f"the last of {len(stay.permits)}" if len(stay.permits) > 1 else ""
        said = (last.permit, before, f"by record {last.decision.sequence}", f"ends {tables.time(last.ends)}", policies)
        permit = tuple(each for each in said if each)
    artifacts = {each for permitted in stay.permits for each in permitted.grounds.get("artifacts", ())}
    return (
        (stay.model, questions.asked_by(stay.begun, told.trail.values) or "by nobody who was stamped"),
        (stay.cluster, ", ".join(told.of_stay(stay))),
        tables.time(stay.since),
        tables.time(stay.until),
        permit,
        tuple(sorted(artifacts)) or "-",
    )


def _where(here: Iterable[Stay], told: Told) -> Table:
    """Attestations that permits rest on."""
    found: dict[tuple[str, str], Row] = {}
    for stay in here:
        for permit in stay.permits:
            law = questions.law_of(permit.decision.body["seen"]["law"], "attestations", told.trail.values)
            for name, digest in permit.grounds.get("attestations", ()):
                thing = law.get(name)
                if thing and thing["spec"]["clusterRef"]["uid"] == stay.cluster_uid:
                    found.setdefault((name, digest), _attestation(name, stay, permit.decision, thing, told))
    head = ("Cluster", "Nodes in", "Attestation", "Evidence", "Valid", "Vouched for by")
    return table(head, found.values(), "Nobody vouched for where nodes stand.")


def _attestation(name: str, stay: Stay, decision: Record, thing: Mapping[str, Any], told: Told) -> Row:
    spec = thing["spec"]
    places = told.attested.chosen(decision, stay.cluster, stay.cluster_uid)
    said = spec["evidence"]
    evidence = (said["reference"], *([said["digest"]] if "digest" in said else []))
    by = tables.stamped(thing, "verified-by")
    return (stay.cluster, stay.cluster_uid), ", ".join(places), name, evidence, _valid(spec), by


def _refused(found: Mapping[Why, Count]) -> Table:
    rows = [
        (
            tuple(each for each in (why.reason, why.policy, why.rule) if each),
            why.basis,
            (f"models: {len(n.models)}", f"clusters: {len(n.clusters)}", f"decisions: {len(n.decisions)}"),
            (tables.time(n.first), tables.time(n.last)),
            f"such as: {n.message}",
        )
        for why, n in sorted(found.items(), key=lambda pair: (-len(pair[1].decisions), pair[0].reason, pair[0].rule))
    ]
    head = ("Reason, policy, rule", "Basis of the rule", "Count", "First, last", "What was said")
    return table(head, rows, "Nothing was refused or held here.")


def _approved(here: Iterable[Stay], trail: Trail) -> Table:
    """Records and exceptions that permits rest on."""
    rows: dict[tuple[str, str, str], tuple[Mapping[str, Any], set[str]]] = {}
    for stay in here:
        for permit in stay.permits:
            law = permit.decision.body["seen"]["law"]
            for kind in ("records", "exceptions"):
                things: Mapping[str, Any] = (
                    questions.law_of(law, kind, trail.values) if permit.grounds.get(kind) else {}
                )
                for name, digest in permit.grounds.get(kind, ()):
                    _, models = rows.setdefault((kind, name, digest), (things.get(name, {}), set()))
                    models.add(f"{stay.model} on {stay.cluster}")
    head = ("What", "Says", "For", "Valid", "Asked by", "Approved by")
    return table(head, (_approval(*key, *value) for key, value in sorted(rows.items())), "No permit rests on one.")


def _approval(kind: str, name: str, _: str, thing: Mapping[str, Any], models: set[str]) -> Row:
    spec: Mapping[str, Any] = thing.get("spec", {})
    says = [spec[key] for key in ("record", "transferBasis", "policy", "rule", "reason", "reference") if key in spec]
    what = f"{'ResidencyRecord' if kind == 'records' else 'ResidencyException'} {name}"
    said = tuple(says) or ("missing from the log",)
    by = (tables.stamped(thing, "requested-by"), tables.stamped(thing, "approved-by"))
    return what, said, tuple(sorted(models)), _valid(spec) if spec else "-", *by


def _excepted(place: str, told: Told) -> Table:
    """Exceptions that were in force, whether or not something rested on them."""
    first = next(iter(told.trail.decisions.values()), None)
    since = told.scope.since or (first.time if first else told.scope.until)
    rows: list[Row] = []
    for each in questions.exceptions(told.trail, since, told.scope.until):
        spec = each["spec"]
        where = told.of_cluster(spec["cluster"]["uid"], spec["cluster"]["name"])
        if place in map(country, where):
            model = f"{spec['model']['namespace']}/{spec['model']['name']}"
            by = (tables.stamped(each, "requested-by"), tables.stamped(each, "approved-by"))
            rule = (spec["policy"], spec["rule"])
            said = (spec["reason"], spec["reference"])
            rows.append((each["metadata"]["name"], (model, spec["cluster"]["name"]), rule, said, _valid(spec), by))
    head = ("Exception", "For model, on", "Policy, rule", "Why", "Valid", "Asked by, approved by")
    return table(head, rows, "None was in force.")


def _unheld(each: Unheld, scope: Scope) -> Row:
    length = ((each.until or scope.until) - each.since).total_seconds()
    to = tables.time(each.until, "goes on")
    return each.stay.model, each.stay.cluster, tables.time(each.since), to, tables.lasted(length), each.why


def _valid(spec: Mapping[str, Any]) -> tables.Cell:
    since, until = (tables.time(datetime.fromisoformat(spec[key])) for key in ("validFrom", "validUntil"))
    return f"from {since}", f"until {until}"
