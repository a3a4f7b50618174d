"""Verdicts, matrices and differences for programs: documents of plain values, as JSON or YAML."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import yaml

from domicile.decision.preview import Change, Outlook
from domicile.residency import Covered, Explained, Finding, Lawful, MemberId, Outcome, Result, Verdict
from domicile.residency.facts import moment

Document = dict[str, Any]


def dumped(document: Document, form: Literal["json", "yaml"]) -> str:
    """The document as text."""
    if form == "json":
        return json.dumps(document, indent=2, ensure_ascii=False)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1_000_000).rstrip("\n")


def plan(at: datetime, hub: MemberId | None, notes: Iterable[str], models: Iterable[Document]) -> Document:
    """The answer of `domicile plan`."""
    return {
        "at": moment(at),
        "hub": {"name": hub.name, "uid": hub.uid} if hub else None,
        "notes": list(notes),
        "models": list(models),
    }


def difference(at: datetime, notes: Iterable[str], changes: Iterable[Change]) -> Document:
    """The answer of `domicile policy diff`."""
    return {"at": moment(at), "notes": list(notes), "changes": [_change(change) for change in changes]}


def model(outlook: Outlook) -> Document:
    """What is said of one model."""
    judgement = outlook.judgement
    coverage = judgement.coverage
    covered = isinstance(coverage, Covered)
    return {
        "model": outlook.name,
        "dataClasses": list(judgement.data_classes),
        "wants": outlook.wanted,
        "lawful": outlook.found,
        "placedOn": [member.name for member in outlook.placed],
        "policies": [policy.metadata.name for policy in coverage.policies] if covered else [],
        "audits": [policy.metadata.name for policy in coverage.audits],
        "uncovered": [] if covered else list(coverage.data_classes),
        "conflicts": list(judgement.conflicts),
        "clusters": [_cluster(verdict) for verdict in judgement.verdicts],
    }


def matrix(rows: Iterable[Explained]) -> list[Document]:
    """Every rule of every policy on every cluster and pool: a list of flat rows."""
    return [
        {"cluster": row.member.name, "uid": row.member.uid, "pool": row.pool, "mode": mode, **_result(result)}
        for row in rows
        for mode, results in (("Enforce", row.results), ("Audit", row.audited))
        for result in results
    ]


def follows(result: Result) -> Literal["None", "Denies", "Advises", "Settled"]:
    """What follows from how a rule fared. Of a policy in Audit mode: what would."""
    if result.outcome is Outcome.MET:
        return "None"
    if result.settled_by:
        return "Settled"
    return "Denies" if result.denies else "Advises"


def _result(result: Result) -> Document:
    return {
        "policy": result.policy,
        "rule": result.rule,
        "outcome": result.outcome.value,
        "effect": result.effect,
        "follows": follows(result),
        "reason": result.reason,
        "message": result.message,
        "basis": result.basis.wire() if result.basis else None,
        "settledBy": result.settled_by or None,
        "ends": moment(result.ends) if result.ends else None,
    }


def _cluster(verdict: Verdict) -> Document:
    lawful = isinstance(verdict, Lawful)
    return {
        "cluster": verdict.member.name,
        "uid": verdict.member.uid,
        "lawful": lawful,
        "findings": [] if lawful else [_finding(each) for each in verdict.findings],
        "audited": [_finding(each) for each in verdict.audited],
        "advice": [_finding(each) for each in verdict.advice] if lawful else [],
        "until": moment(verdict.until) if lawful else None,
        "nodeSelectors": [dict(pool) for pool in verdict.pools] if lawful else [],
        "attestations": list(verdict.attestations) if lawful else [],
        "records": list(verdict.records) if lawful else [],
        "exceptions": list(verdict.exceptions) if lawful else [],
        "warnings": list(verdict.warnings) if lawful else [],
    }


def _change(change: Change) -> Document:
    found = [(member, change.after.why_not(member)) for member in change.loses]
    return {
        "model": change.after.name,
        "effect": change.effect.value,
        "new": change.before is None,
        "placedOn": [member.name for member in change.after.placed],
        "leaves": [member.name for member in change.leaves],
        "lawfulBefore": [member.name for member in change.before.lawful] if change.before else [],
        "lawfulAfter": [member.name for member in change.after.lawful],
        "reasons": [{"cluster": member.name, **_finding(why)} for member, why in found if why],
        "conflicts": list(change.after.judgement.conflicts),
    }


def _finding(found: Finding) -> Document:
    return {
        "policy": found.policy,
        "rule": found.rule,
        "pool": found.pool,
        "reason": found.reason,
        "message": found.message,
    }
