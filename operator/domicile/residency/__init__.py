"""The residency engine, pure: the law, the facts and a moment in; verdicts, permits and the next moment to look again out."""

from domicile.residency.canonical import digest_of
from domicile.residency.closure import mirrored
from domicile.residency.coverage import Covered, Uncovered
from domicile.residency.engine import Engine, Explained, Judgement, Question, judge
from domicile.residency.facts import Selector
from domicile.residency.identity import HUB, MemberId, ModelRef
from domicile.residency.permit import ForgedPermit, Grounds, Permit, permit
from domicile.residency.setting import Asked, Law, Member, Reported
from domicile.residency.verdict import Finding, Lawful, Outcome, Result, Unlawful, Verdict, finding

__all__ = [
    "HUB",
    "Asked",
    "Covered",
    "Engine",
    "Explained",
    "Finding",
    "ForgedPermit",
    "Grounds",
    "Judgement",
    "Law",
    "Lawful",
    "Member",
    "MemberId",
    "ModelRef",
    "Outcome",
    "Permit",
    "Question",
    "Reported",
    "Result",
    "Selector",
    "Uncovered",
    "Unlawful",
    "Verdict",
    "digest_of",
    "finding",
    "judge",
    "mirrored",
    "permit",
]
