"""Which events a change of status tells, and in which words."""

import pytest

import builders as a
from decision import world as w
from domicile.api import Condition, Exclusion, SovereignModelStatus
from domicile.decision import events


def status(*rows, ready: tuple[str, str] | None = None, compliant: tuple[str, str] | None = None, excluded=()):
    said = [("Ready", ready), ("PolicyCompliant", compliant)]
    return SovereignModelStatus(
        placements=rows,
        exclusions=excluded,
        conditions=tuple(condition(kind, *reason) for kind, reason in said if reason is not None),
    )


def condition(kind: str, reason: str, message: str = "so it is", state: str = "False") -> Condition:
    value = "True" if state == "True" else "False"
    return Condition(type=kind, status=value, last_transition_time=a.NOW, reason=reason, message=message)


def warned(kind: str, message: str = "x", state: str = "False") -> SovereignModelStatus:
    return SovereignModelStatus(conditions=(condition(kind, "Foreseen", message, state),))


NOTHING = SovereignModelStatus()
UNLAWFUL = ("UnlawfulPlacement", "being withdrawn from sg: nodes are in MY")
CHANGES = {
    "nothing": (NOTHING, NOTHING, []),
    "no status before": (None, status(w.row("sg", "Starting")), ["Normal Placed sg"]),
    "placed": (NOTHING, status(w.row("sg", "Starting")), ["Normal Placed sg"]),
    "serves": (status(w.row("sg", "Starting")), status(w.row("sg", "Serving")), ["Normal Serving sg"]),
    "starts again": (status(w.row("sg", "Serving")), status(w.row("sg", "Starting")), []),
    "same state, another permit": (status(w.row("sg")), status(w.row("sg", permit="sha256:1")), []),
    "leaves, lawful": (status(w.row("sg")), status(w.row("sg", "Leaving")), ["Normal Withdrawing sg"]),
    "leaves, unlawful": (
        status(w.row("sg")),
        status(w.row("sg", "Leaving"), compliant=UNLAWFUL, ready=UNLAWFUL),
        ["Warning Withdrawing sg"],
    ),
    "found where it may not be": (NOTHING, status(w.row("sg", "Leaving")), []),
    "gone": (status(w.row("sg", "Leaving")), NOTHING, ["Normal Withdrawn sg"]),
    "another cluster of that name": (
        status(w.row("sg", at="sg-before")),
        status(w.row("sg", "Starting"), w.row("sg", "Leaving", at="sg-before")),
        ["Normal Placed sg", "Normal Withdrawing sg"],
    ),
    "held": (NOTHING, status(ready=("NoLawfulCluster", "x")), ["Warning NoLawfulCluster "]),
    "held as before": (status(ready=("NoLawfulCluster", "x")), status(ready=("NoLawfulCluster", "x")), []),
    "held in other words": (
        status(ready=("NoLawfulCluster", "x")),
        status(ready=("NoLawfulCluster", "y")),
        ["Warning NoLawfulCluster "],
    ),
    "on its way": (NOTHING, status(ready=("Progressing", "x")), []),
    "evidence ends soon": (NOTHING, warned("EvidenceCurrent"), ["Warning Foreseen "]),
    "an audit would deny": (warned("EvidenceCurrent"), warned("AuditPassed"), ["Warning Foreseen "]),
    "warned as before": (warned("AuditPassed"), warned("AuditPassed"), []),
    "warned in other words": (warned("AuditPassed"), warned("AuditPassed", "y"), ["Warning Foreseen "]),
    "nothing to warn of": (NOTHING, warned("EvidenceCurrent", state="True"), []),
    "being deleted": (status(ready=("Serving", "x")), status(ready=("Deleting", "x")), []),
}


@pytest.mark.parametrize(("before", "after", "expected"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_tells(before, after, expected) -> None:
    assert [f"{told.type} {told.reason} {told.cluster}" for told in events.told(before, after)] == expected


def test_ready_is_no_trouble() -> None:
    ready = condition("Ready", "Serving", state="True")
    assert events.told(NOTHING, SovereignModelStatus(conditions=(ready,))) == ()


def foreseen(kind: str, message: str, state: str = "False") -> SovereignModelStatus:
    return SovereignModelStatus(conditions=(condition(kind, "Foreseen", message, state),))


FORESEEN = {
    "something ends soon": (NOTHING, foreseen("EvidenceCurrent", "sg-2026 ends"), ["Warning Foreseen sg-2026 ends"]),
    "an audit would deny": (NOTHING, foreseen("AuditPassed", "next denies"), ["Warning Foreseen next denies"]),
    "it was told before": (foreseen("AuditPassed", "next denies"), foreseen("AuditPassed", "next denies"), []),
    "it is told in other words": (
        foreseen("AuditPassed", "next denies"),
        foreseen("AuditPassed", "next and last deny"),
        ["Warning Foreseen next and last deny"],
    ),
    "nothing ends soon": (NOTHING, foreseen("EvidenceCurrent", "all is well", "True"), []),
    "it was renewed": (foreseen("EvidenceCurrent", "sg-2026 ends"), NOTHING, []),
}


@pytest.mark.parametrize(("before", "after", "expected"), FORESEEN.values(), ids=FORESEEN.keys())
def test_what_is_foreseen_is_told_once(before, after, expected) -> None:
    assert [f"{told.type} {told.reason} {told.note}" for told in events.told(before, after)] == expected


def test_placed_says_why_here_and_why_not_elsewhere() -> None:
    excluded = (Exclusion(cluster="ph", reason="WorkersOutsideJurisdiction", message="worker nodes are in PH"),)
    after = status(w.row("sg", "Starting"), compliant=("Lawful", "1 of 2 clusters lawful under sg"), excluded=excluded)
    (told,) = events.told(NOTHING, after)
    assert told.note == (
        "on sg (1 of 2 clusters lawful under sg); not ph: worker nodes are in PH [WorkersOutsideJurisdiction]"
    )
    assert told.occasion == after.placements[0].permit


def test_placed_without_a_judgement_says_where() -> None:
    (told,) = events.told(NOTHING, status(w.row("sg", "Starting")))
    assert told.note == "on sg"


@pytest.mark.parametrize("letter", ["x", "é", "字"])
def test_a_note_is_as_long_as_the_api_server_takes_in_bytes(letter: str) -> None:
    (told,) = events.told(NOTHING, status(ready=("NoLawfulCluster", letter * 2000)))
    assert 1021 <= len(told.note.encode()) <= 1024
    assert told.note.endswith("...")


def test_placed_does_not_speak_of_the_copy_that_is_leaving() -> None:
    (told,) = events.told(NOTHING, status(w.row("sg", "Starting"), compliant=UNLAWFUL))
    assert told.note == "on sg"
