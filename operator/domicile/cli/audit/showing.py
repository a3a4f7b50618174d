"""How a log is shown to people."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domicile.audit import LAW, Differs, NotReplayed, Record, Replayed, Same, Trail, laws, questions
from domicile.audit.lineage import Ran, Revision, Version
from domicile.audit.questions import Unheld
from domicile.audit.rules import RETENTION
from domicile.cli.audit.harmless import harmless
from domicile.cli.audit.source import Looked
from domicile.cli.table import table
from domicile.evidence.base64text import encoded

_SHORT = len("sha256:") + 12
"""Characters of a digest that tell it from others."""


def verified(looked: Looked) -> str:
    """What the log is, and who agrees with it."""
    report, trail = looked.report, looked.trail
    lines = [
        f"{looked.origin}: {report.size} records, of which {len(trail.decisions)} are decisions",
        f"root: {encoded(report.root) if report.root is not None else 'none, for what is missing or cannot be read'}",
        *(f"agrees with the checkpoint of {size} records in {where}" for where, size in report.witnessed),
        *map(_removal, trail.removals),
        *(
            f"{count} records are kept in {home}: give them with --region {home}=PATH"
            for home, count in report.elsewhere
        ),
        *(f"begun, and no end recorded: {said}" for said in _open(trail)),
    ]
    if not report.findings:
        lines.append(
            "nothing was changed, left out, put in, cut off or written anew, as far as these keys and checkpoints show"
        )
    return _said(lines)


def _removal(record: Record) -> str:
    """What a record says that was removed, and why."""
    body = record.body
    count = sum(end - first for first, end in body["ranges"])
    held = "".join(f", but for {hold['name']}" for hold in body.get("holds", ()))
    why = f"kept for {body['keepDays']} days{held}" if body.get("why") == RETENTION else body.get("reason", "-")
    return f"removed by record {record.sequence}, {_time(record.time)}: {count}, for {body.get('why')}: {why}"


def wrong(looked: Looked) -> str:
    """What is not in order; empty where all is."""
    found = [f"{each.reason}: {each.message}" for each in looked.report.findings]
    return _said([*found, *(f"Odd: {each}" for each in looked.trail.odd)])


def replayed(again: Sequence[tuple[Record, Replayed]]) -> str:
    """How many decisions came out the same, and which did not."""
    lines: list[str] = []
    for record, found in again:
        match found:
            case Differs(fields, _, _):
                lines.append(
                    f"record {record.sequence}, on {record.subject}: decided again, {', '.join(fields)} differ"
                )
            case NotReplayed(why):
                lines.append(f"record {record.sequence}, on {record.subject}: cannot be decided again: {why}")
            case _:
                pass
    same = sum(isinstance(found, Same) for _, found in again)
    return _said([*lines, f"{same} of {len(again)} decisions, made again from what was recorded, are the same bytes"])


def decisions(trail: Trail, found: Iterable[Record]) -> str:
    """One line each."""
    rows = [("RECORD", "TIME", "WHAT", "MODEL", "ASKED BY", "CAME OF IT")]
    rows += [
        (
            str(each.sequence),
            _time(each.time),
            "+".join(each.body["what"]),
            each.model,
            questions.asked_by(each, trail.values) or "-",
            "; ".join(_acts(trail, each)) or "-",
        )
        for each in found
    ]
    return _said(table(rows)) if len(rows) > 1 else "there is no such decision"


def decision(trail: Trail, record: Record) -> str:
    """All of it, in words."""
    body, values = record.body, trail.values
    coverage: Mapping[str, Any] = body["coverage"] or {}
    lines = [
        f"record {record.sequence}, {record.digest}",
        f"{'+'.join(body['what'])}: {record.model}, decided {body['decided']}, recorded {_time(record.time)} in term {record.epoch}",
        f"by {body['context'].get('identity', '-')}, domicile {body['context'].get('version', '-')}",
        f"asked for by {questions.asked_by(record, values) or 'somebody who was not recorded'}",
    ]
    if coverage:
        classes, policies = ", ".join(coverage["dataClasses"]), ", ".join(coverage["policies"])
        lines.append(f"data classes {classes}; policies {policies or 'none that covers them'}")
    lines += [f"rests on {_approval(each)}" for each in questions.approvals(record, values)]
    lines += [f"act: {each}" for each in _acts(trail, record)]
    rows = [("CLUSTER", "POOL", "POLICY", "RULE", "OUTCOME", "WHY"), *_rules(questions.candidates(record, values))]
    if len(rows) > 1:
        lines += ["", *table(rows)]
    passed = questions.passed_over(record, values)
    lines += [f"passed over {', '.join(p['clusters'])}: {p['message']} [{p['reason']}]" for p in passed]
    return _said(lines)


def law(trail: Trail) -> str:
    """One line a change."""
    rows = [("RECORD", "TIME", "CHANGE")]
    changed = (each for each in trail.others if each.kind == LAW)
    rows += [
        (str(each.sequence), _time(each.time), laws.said(change, trail.values))
        for each in changed
        for change in each.body["changes"]
    ]
    return _said(table(rows) if len(rows) > 1 else ["governance changed nothing, as far as is recorded"])


def where(trail: Trail, at: datetime) -> str:
    """What ran where at that moment."""
    rows = [("MODEL", "CLUSTER", "SINCE", "PERMIT", "POLICIES", "RESTS ON", "ARTIFACTS")]
    for stay in questions.stays(trail):
        if stay.at(at):
            permit = next((each for each in reversed(stay.permits) if each.since <= at), None)
            grounds = permit.grounds if permit else {}
            rests = [f"ResidencyException/{name}" for name, _ in grounds.get("exceptions", ())]
            rests += [f"ResidencyRecord/{name}" for name, _ in grounds.get("records", ())]
            policies = [name for name, _ in grounds.get("policies", ())]
            rows.append(
                (
                    stay.model,
                    stay.cluster,
                    _time(stay.since),
                    _short(permit.permit) if permit else "-",
                    ", ".join(policies) or "-",
                    ", ".join(rests) or "-",
                    ", ".join(grounds.get("artifacts", ())) or "-",
                )
            )
    lines = table(rows) if len(rows) > 1 else [f"nothing ran anywhere at {_time(at)}, as far as is recorded"]
    held = questions.exceptions(trail, at)
    return _said([*lines, *(f"in force: {_exception(each)}" for each in held)])


def lineage(found: Iterable[Version]) -> str:
    """One line a version and cluster."""
    rows = [_VERSION]
    rows += [
        (
            each.model,
            _generations(each.revision) or "-",
            each.cluster,
            _short(each.revision.workload) or "-",
            ", ".join(each.asked_by) or "-",
            _time(each.since) if each.placings else "-",
            _time(each.written) if each.written else "-",
            _time(each.until) if each.until else "-",
            _revision(each.replaced_by) if each.replaced_by else "-",
            ", ".join(_short(permit.permit) for permit in each.permits) or "-",
            ", ".join(map(_ran, each.nodes)) or "-",
            ", ".join(each.artifacts) or "-",
        )
        for each in found
    ]
    return _said(table(rows)) if len(rows) > 1 else "no such model was ever anywhere, as far as is recorded"


_VERSION: Final = (
    "MODEL",
    "GENERATION",
    "CLUSTER",
    "WORKLOAD",
    "ASKED BY",
    "DECIDED",
    "WRITTEN",
    "UNTIL",
    "REPLACED BY",
    "PERMITS",
    "NODES",
    "ARTIFACTS",
)


def unheld(found: Iterable[Unheld]) -> str:
    """One line each."""
    rows = [("MODEL", "CLUSTER", "FROM", "TO", "WHY")]
    rows += [
        (each.stay.model, each.stay.cluster, _time(each.since), _time(each.until) if each.until else "-", each.why)
        for each in found
    ]
    return (
        _said(table(rows)) if len(rows) > 1 else "no model was anywhere without a valid verdict, as far as is recorded"
    )


def _revision(revision: Revision) -> str:
    return f"{_generations(revision) or '-'} ({_short(revision.workload)})"


def _generations(revision: Revision) -> str:
    return ", ".join(map(str, revision.generations))


def _ran(ran: Ran) -> str:
    return f"{ran.node} ({_time(ran.since)} to {_time(ran.until) if ran.until else '-'})"


def _acts(trail: Trail, record: Record) -> Iterator[str]:
    for act, outcomes in trail.acts_of(record):
        came = ", ".join(_outcome(each.body) for each in outcomes) or "no end recorded"
        yield f"{act['act']}{' ' + act['cluster'][0] if 'cluster' in act else ''}: {came}"


def _outcome(body: Mapping[str, Any]) -> str:
    if body["outcome"] == "Failed":
        return f"Failed ({body['reason']})"
    wrote = body.get("wrote")
    return f"{body['outcome']} ({len(wrote)} written)" if wrote else body["outcome"]


def _rules(candidates: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    for name, found in candidates.items():
        for site in found["sites"]:
            for audit, results in (("", site["results"]), ("audit: ", site["audited"])):
                for each in results:
                    settled = f", settled by {each['settledBy']}" if "settledBy" in each else ""
                    yield (
                        name,
                        site["pool"] or "-",
                        each.get("policy", "-"),
                        each["rule"],
                        f"{audit}{each['outcome']}{settled}",
                        each.get("message", "-"),
                    )


def _approval(each: Mapping[str, Any]) -> str:
    stamps = {key.removeprefix("domicile.dev/"): value for key, value in each["stamps"].items() if key.endswith("-by")}
    said = ", ".join(f"{key} {value}" for key, value in sorted(stamps.items()))
    return f"{each['kind']}/{each['name']} ({said or 'by nobody who was stamped'})"


def _exception(each: Mapping[str, Any]) -> str:
    spec = each["spec"]
    model = f"{spec['model']['namespace']}/{spec['model']['name']}"
    return (
        f"ResidencyException/{each['metadata']['name']}: {spec['rule']} of {spec['policy']} need not hold for {model} on"
        f" {spec['cluster']['name']} until {spec['validUntil']}, for: {spec['reason']}"
    )


def _open(trail: Trail) -> Iterator[str]:
    counted = Counter(
        f"{intent.key[0]} of {intent.subject.partition('/')[2]}{' on ' + intent.cluster if intent.cluster else ''}"
        for acts in trail.ledger.open.values()
        for intent in acts.values()
    )
    yield from sorted(counted)


def _said(lines: Iterable[str]) -> str:
    """What was recorded was written by others: it begins no line, and moves no cursor."""
    return "\n".join(map(harmless, lines))


def _short(digest: str) -> str:
    return digest[:_SHORT]


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
