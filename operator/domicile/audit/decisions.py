"""A decision as it is recorded: what was seen, how every rule fared on every cluster, what was chosen, and what is to be done. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final

from domicile.api import ModelRemnant
from domicile.audit import snapshots
from domicile.audit.names import is_name
from domicile.audit.values import Bag, Json, Value, digest_of, moment, plain
from domicile.decision import Place, Plan, ReleaseFinalizer, Snapshot, Withdraw
from domicile.decision.decide import question
from domicile.decision.plan import Act
from domicile.evidence import dsse
from domicile.evidence.records import ELSEWHERE, Content
from domicile.placement import Choice, PassedOver
from domicile.residency import (
    Covered,
    Explained,
    Finding,
    Grounds,
    Judgement,
    Lawful,
    ModelRef,
    Result,
    Unlawful,
    Verdict,
)

VALUES: Final = "Values"
"""Kind of a record: values that decisions name by digest."""
DECISION: Final = "Decision"
"""Kind of a record: what is to be done, and why. It is there before anything of it is done."""

ActKey = tuple[str, ...]
"""What tells one act on a model from another."""
_SMALL: Final = 64 << 10
"""Bytes of values in one record."""


@dataclass(frozen=True)
class Account:
    """A decision, to be recorded."""

    subject: str
    """The model, as kind/namespace/name."""
    digest: str
    """Of the model as it was seen."""
    body: Value
    """What follows from what was seen, and from nothing else: who decides again has the same bytes."""
    values: Mapping[str, Value]
    """By digest: what the body names and is not recorded yet."""
    apart: Mapping[str, Mapping[str, Value]] = field(default_factory=dict[str, Mapping[str, Value]])
    """The same, of what is kept elsewhere, by where."""


def account(seen: Snapshot, plan: Plan, now: datetime, bag: Bag) -> Account:
    """What is to be recorded of a plan that was made of the snapshot at that moment."""
    found = snapshots.written(seen, bag)
    judgement = plan.judgement
    body: Value = {
        "decided": moment(now),
        "what": list(what(seen, plan)),
        "seen": found,
        "coverage": None if judgement is None else _coverage(judgement),
        "candidates": None if judgement is None else _candidates(seen, judgement, now, bag),
        "choice": None if plan.choice is None else _choice(plan.choice, bag),
        "restsOn": [] if judgement is None else _rests_on(seen, judgement, bag),
        "acts": [_act(act, bag) for act in plan.acts if key_of(act) is not None],
        "status": bag.put(plan.status.wire()),
        "lookAgain": None if plan.look_again is None else moment(plan.look_again),
    }
    return Account(subject_of(seen.ref), found["model"], body, bag.values, bag.apart)


def subject_of(model: ModelRef | str) -> str:
    """What a record about a model, by its identity or as namespace/name, is about: kind/namespace/name."""
    return f"SovereignModel/{model}"


def model_of(subject: str) -> str:
    """The model of such a subject, as namespace/name."""
    return subject.partition("/")[2]


def contents(account: Account, context: Mapping[str, Json]) -> tuple[Content, ...]:
    """The records: the values that are new, and the decision. `context` is what does not follow from what was seen."""
    decision = Content(DECISION, account.subject, account.digest, {**account.body, "context": dict(context)})
    return (*of_values(account.values, account.apart), decision)


def of_values(
    values: Mapping[str, Value], apart: Mapping[str, Mapping[str, Value]] | None = None
) -> tuple[Content, ...]:
    """The records of values, none of them too large: those that are kept elsewhere, with what says so before each, and those of the log."""
    found: list[Content] = []
    for home, details in (apart or {}).items():
        for each in _in_parts(details):
            body = {"home": home, "next": 1, "values": sorted(each)}
            found += [Content(ELSEWHERE, "Values", digest_of(body), body), _values(each, home)]
    return (*found, *(_values(each) for each in _in_parts(values)))


def what(seen: Snapshot, plan: Plan) -> tuple[str, ...]:
    """What sort of decision it is, in words that people may look for."""
    said = dict.fromkeys(word for act in plan.acts if (word := _word(act, seen, plan)))
    if said:
        return tuple(said)
    placed = next((c for c in plan.status.conditions if c.type == "Placed"), None)
    if seen.model.metadata.deletion_timestamp is not None:
        return ("Deleting",)
    if isinstance(seen.model, ModelRemnant) or (placed is not None and placed.status != "True"):
        refused = placed is not None and placed.reason in ("NoLawfulCluster", "NoMatchingPolicy")
        return ("Refused" if refused else "Held",)
    return ("Observed",)


def _word(act: Act, seen: Snapshot, plan: Plan) -> str:
    match act:
        case Place(permit, _):
            there = seen.seen.get(permit.member.name)
            return "Placed" if there is None or there.absent else "Updated"
        case Withdraw(member):
            unlawful = () if plan.judgement is None else plan.judgement.verdicts
            return "Evicted" if any(isinstance(v, Unlawful) and v.member == member for v in unlawful) else "Withdrawn"
        case ReleaseFinalizer():
            return "LetGo"
        case _:
            return ""


def key_of(act: Act) -> ActKey | None:
    """What tells an act on a model from another; None of what is not recorded by itself."""
    match act:
        case Place(permit, workload):
            return ("Place", permit.member.uid, permit.digest, workload.digest)
        case Withdraw(member):
            return ("Withdraw", member.uid)
        case ReleaseFinalizer():
            return ("Release",)
        case _:
            return None


def _act(act: Act, bag: Bag) -> Value:
    match act:
        case Place(permit, workload):
            return {
                "act": "Place",
                "cluster": [permit.member.name, permit.member.uid],
                "permit": permit.digest,
                "until": moment(permit.until),
                "grounds": bag.put(_grounds(permit.grounds)),
                "workload": workload.digest,
            }
        case Withdraw(member):
            return {"act": "Withdraw", "cluster": [member.name, member.uid]}
        case _:
            return {"act": "Release"}


def _grounds(grounds: Grounds) -> Value:
    return {each.name: plain(getattr(grounds, each.name)) for each in fields(grounds)}


def _coverage(judgement: Judgement) -> Value:
    coverage = judgement.coverage
    covered = [p.metadata.name for p in coverage.policies] if isinstance(coverage, Covered) else []
    return {
        "dataClasses": list(judgement.data_classes),
        "policies": covered,
        "audits": [p.metadata.name for p in coverage.audits],
        "conflicts": list(judgement.conflicts),
    }


def _candidates(seen: Snapshot, judgement: Judgement, now: datetime, bag: Bag) -> str:
    """Every cluster, and how every rule fared there. Models that fare alike have the same verdicts of an engine, as one object."""

    def gather() -> str:
        sites: dict[str, list[Explained]] = {}
        for site in seen.engine.explain(question(seen, now)):
            sites.setdefault(site.member.name, []).append(site)
        return bag.put_all(
            {v.member.name: bag.put(_candidate(v, sites.get(v.member.name, []))) for v in judgement.verdicts}
        )

    return bag.put_once(judgement.verdicts, _candidates, gather)


def _candidate(verdict: Verdict, sites: Iterable[Explained]) -> Value:
    return {
        "uid": verdict.member.uid,
        "lawful": isinstance(verdict, Lawful),
        "until": moment(verdict.until) if isinstance(verdict, Lawful) else None,
        "findings": [] if isinstance(verdict, Lawful) else [_finding(f) for f in verdict.findings],
        "sites": [
            {"pool": s.pool, "results": list(map(_result, s.results)), "audited": list(map(_result, s.audited))}
            for s in sites
        ],
    }


def _finding(found: Finding) -> Value:
    return {
        "reason": found.reason,
        "message": found.message,
        "policy": found.policy,
        "rule": found.rule,
        "pool": found.pool,
    }


def _result(result: Result) -> Value:
    said = {
        "policy": result.policy,
        "rule": result.rule,
        "outcome": result.outcome.value,
        "effect": result.effect,
        "reason": result.reason,
        "message": result.message,
        "basis": None if result.basis is None else result.basis.wire(),
        "settledBy": result.settled_by,
        "ends": None if result.ends is None else moment(result.ends),
    }
    return {key: value for key, value in said.items() if value not in ("", None)}


def _choice(choice: Choice, bag: Bag) -> Value:
    """What was passed over is a value: where a reason names its cluster, a hundred clusters have a hundred reasons, and so for each model."""
    return {
        "chosen": [
            {"as": type(each).__name__, "cluster": each.member.name, "nodeSelector": dict(each.node_selector)}
            for each in choice.chosen
        ],
        "passedOver": bag.put({"passedOver": _by_reason(choice.passed_over)}),
        "shortfall": choice.shortfall,
    }


def _by_reason(passed_over: Iterable[PassedOver]) -> list[Value]:
    """Most clusters are passed over for the same reason, in the same words."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in passed_over:
        found.setdefault((each.reason, each.message), []).append(each.member.name)
    return [{"reason": reason, "message": message, "clusters": names} for (reason, message), names in found.items()]


def _rests_on(seen: Snapshot, judgement: Judgement, bag: Bag) -> list[Value]:
    """The records and exceptions by which clusters are lawful, and who asked for them and approved them."""
    law = seen.engine.law
    used = {
        **{("ResidencyRecord", name): law.records for v in judgement.verdicts for name in _names(v, "records")},
        **{
            ("ResidencyException", name): law.exceptions for v in judgement.verdicts for name in _names(v, "exceptions")
        },
    }
    return [
        {"kind": kind, "name": name, "stamps": snapshots.stamps(thing, bag)}
        for (kind, name), things in sorted(used.items(), key=lambda pair: pair[0])
        for thing in things
        if thing.metadata.name == name
    ]


def _names(verdict: Verdict, field: str) -> tuple[str, ...]:
    return getattr(verdict, field) if isinstance(verdict, Lawful) else ()


def _values(values: Mapping[str, Value], home: str = "") -> Content:
    return Content(VALUES, "Values", digest_of({"of": sorted(values)}), {"values": dict(values)}, home)


def _in_parts(values: Mapping[str, Value]) -> Iterable[Mapping[str, Value]]:
    """In records that are not too large, and each name in one of its own: it may have to go."""
    part: dict[str, Value] = {}
    size = 0
    for digest, value in values.items():
        if is_name(value):
            yield {digest: value}
            continue
        length = len(dsse.canonical(value))
        if part and size + length > _SMALL:
            yield part
            part, size = {}, 0
        part[digest] = value
        size += length
    if part:
        yield part
