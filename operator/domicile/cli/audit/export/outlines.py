"""What authorities ask, and where the report answers it. The sources are those of docs/policy-packs.md, which says how far each was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Asked:
    """A question, and where its answer is."""

    question: str
    sources: tuple[str, ...] = ()
    """Empty: the packs name none."""
    parts: tuple[str, ...] = ()
    """The parts of the jurisdiction's section that answer it; empty: none does."""
    answer: str = ""
    """What they say of it."""
    unanswered: str = ""
    """What nothing here says."""


@dataclass(frozen=True)
class Outline:
    """The questions for one jurisdiction."""

    title: str
    preface: str
    questions: tuple[Asked, ...]


RAN, WHERE, REFUSED, APPROVED, EXCEPTED, UNHELD, UNFINISHED = (
    "ran",
    "where",
    "refused",
    "approved",
    "excepted",
    "unheld",
    "unfinished",
)
_KEYS: Final = Asked(
    "Which keys were given where, and taken back when?",
    unanswered="Not answered yet: keys are not recorded.",
)
_DRIFT: Final = Asked(
    "Does the model still answer as it did when it was approved (inference drift)?",
    unanswered="Not answered yet: answers of models are not recorded.",
)
_REGISTER: Final = "MAS Notices 658 (banks) and 1121 (merchant banks), outsourcing register (Banking Act 1970 s 47A)"
_AGREEMENT: Final = "MAS Notices 658 (banks) and 1121 (merchant banks), paras 7.1 and 7.2"

_SG: Final = Outline(
    "Singapore (SG)",
    "In the order in which MAS asks about outsourcing and technology risk. It is for who knows those rules, and says nothing about whether they"
    " apply or are met.",
    (
        Asked(
            "Register of arrangements: what runs, and on whose infrastructure?",
            (_REGISTER,),
            (RAN, APPROVED),
            "Each model with cluster, times and artifacts; register entries on which permits rest, by their references.",
            "The register itself, who provides the cluster, and whether a service is material.",
        ),
        Asked(
            "Where are data processed?",
            (
                "Personal Data Protection Regulations 2021, regs 10 to 12",
                "MAS Guidelines on Outsourcing (Banks), paras 3.2.3 and 3.10",
            ),
            (WHERE, RAN),
            "Where the worker nodes stood, who vouched for it and on what evidence.",
            "Backups, answers to users abroad, and people who reach in from abroad.",
        ),
        Asked(
            "Oversight: who asked, who approved, what was refused?",
            ("Banking Act 1970, s 47A", "MAS Technology Risk Management Guidelines, s 3.4"),
            (APPROVED, EXCEPTED, REFUSED),
            "Records and exceptions with who asked and who approved, as the API server knew them; refusals by rule and source.",
            "The due diligence and the assessments of risk themselves.",
        ),
        Asked(
            "Audit: can it be checked without trusting who runs it?",
            (_AGREEMENT,),
            (UNFINISHED,),
            "This export is verified and decided again offline (README.txt); what is open or was recorded late is listed.",
            "Rights of access that the agreement gives.",
        ),
        Asked(
            "Exit and termination: what was withdrawn, and when was it gone?",
            (_AGREEMENT,),
            (RAN, UNHELD),
            "The end of each stay is when nothing of the model was found on the cluster any more.",
            "Exit plans, and what became of data that others keep.",
        ),
        _KEYS,
        _DRIFT,
    ),
)
_PH: Final = Outline(
    "Philippines (PH)",
    "In the order in which the NPC asks about accountability and processing. It is for who knows those rules, and says nothing about whether they"
    " apply or are met.",
    (
        Asked(
            "Accountability: who decided, who asked, who approved?",
            ("Data Privacy Act of 2012 (RA 10173), s 21(a)",),
            (RAN, APPROVED, EXCEPTED),
            "Who asked for each model, and who approved records and exceptions, as the API server knew them.",
        ),
        Asked(
            "On what basis is personal data processed?",
            (),
            (REFUSED,),
            "The source of each rule that refused.",
            "Consent and other criteria of lawful processing: they are not recorded here.",
        ),
        Asked(
            "Outsourcing: who processes for the controller, under what contract?",
            ("IRR of RA 10173, ss 44 and 50", "BSP Circular 1137 (2022), outsourcing register (MORB Appendix 103)"),
            (RAN, APPROVED),
            "Each model with cluster, times and artifacts; contracts and register entries on which permits rest, by their references.",
            "The terms of contracts, and sub-contractors.",
        ),
        Asked(
            "Cross-border: did data leave, and on what basis?",
            ("Data Privacy Act of 2012 (RA 10173), s 21(a)",),
            (WHERE, APPROVED),
            "Where the worker nodes stood, who vouched for it, and the transfer records on which permits rest.",
            "Backups, answers to users abroad, and people who reach in from abroad.",
        ),
        Asked(
            "Security incidents, and times in which it was not as it had to be?",
            ("Data Privacy Act of 2012 (RA 10173), s 20",),
            (UNHELD, UNFINISHED),
            "Times in which a model was on a cluster without a valid verdict; acts that failed, are open or were recorded late.",
            "Whether one of them was an incident, and whom it was notified to.",
        ),
        Asked(
            "Governance of AI: privacy impact assessment?",
            ("NPC Advisory 2024-04, s 2(B)", "NPC Circular 2023-06, privacy impact assessment"),
            (APPROVED,),
            "The assessments on which permits rest, by their references.",
            "What they say; bias, and human oversight.",
        ),
        _KEYS,
        _DRIFT,
    ),
)
_QUESTIONS: Final = (
    Asked("What ran, where and when?", (), (RAN, WHERE), "Each model with cluster, times, permits and artifacts."),
    Asked("What was refused or held, and why?", (), (REFUSED,), "By reason, with the rule and its source."),
    Asked(
        "Who asked, and who approved?",
        (),
        (APPROVED, EXCEPTED),
        "As the API server knew them.",
    ),
    Asked(
        "When was it not as it had to be?",
        (),
        (UNHELD, UNFINISHED),
        "Times without a valid verdict; acts that failed, are open or were recorded late.",
        "Whether one of them was an incident, and whom it was notified to.",
    ),
    _KEYS,
    _DRIFT,
)
_OUTLINES: Final[Mapping[str, Outline]] = {"SG": _SG, "PH": _PH}


def outline(country: str) -> Outline:
    """The outline for a country; a neutral one where none is made for it."""
    neutral = Outline(country, "A neutral outline: none is made for this jurisdiction yet.", _QUESTIONS)
    return _OUTLINES.get(country, neutral)
