"""The residency engine, pure: facts, policies and a moment in; verdicts, permits and the next moment to look again out."""

from domicile.residency.canonical import digest_of
from domicile.residency.coverage import Covered, Uncovered, coverage
from domicile.residency.engine import Judgement, Question, judge
from domicile.residency.identity import MemberId, ModelRef
from domicile.residency.permit import ForgedPermit, Grounds, Permit, permit
from domicile.residency.verdict import Finding, Lawful, Unlawful, Verdict

__all__ = [
    "Covered",
    "Finding",
    "ForgedPermit",
    "Grounds",
    "Judgement",
    "Lawful",
    "MemberId",
    "ModelRef",
    "Permit",
    "Question",
    "Uncovered",
    "Unlawful",
    "Verdict",
    "coverage",
    "digest_of",
    "judge",
    "permit",
]
