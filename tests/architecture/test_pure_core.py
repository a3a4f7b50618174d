"""The pure core reads no clock, no chance, no file and no network: what it decides can be decided again from the record."""

from pathlib import Path

import pytest

from architecture.purity import RECORDS, impurities

PACKAGE = Path(__file__).parents[2] / "operator" / "domicile"
PACKAGES = ("api", "decision", "fence", "placement", "residency", "rollout", "serving")
PURE = sorted(path for package in PACKAGES for path in (PACKAGE / package).rglob("*.py"))
AUDIT = sorted((PACKAGE / "audit").rglob("*.py"))


@pytest.mark.parametrize("path", PURE, ids=[str(path.relative_to(PACKAGE)) for path in PURE])
def test_a_pure_module_reaches_nothing_outside_itself(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


@pytest.mark.parametrize("path", AUDIT, ids=[path.name for path in AUDIT])
def test_a_decision_is_recorded_and_decided_again_by_what_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text(), RECORDS)) == []


def test_the_modules_of_the_record_were_found() -> None:
    assert {path.stem for path in AUDIT} >= {
        "decisions",
        "ledger",
        "replay",
        "settling",
        "snapshots",
        "trail",
        "values",
    }


def test_the_pure_core_was_found() -> None:
    assert {path.relative_to(PACKAGE).parts[0] for path in PURE} >= {
        "api",
        "decision",
        "fence",
        "placement",
        "residency",
        "serving",
    }


PLANTED = {
    "reads the clock": ("from datetime import datetime, UTC\nnow = datetime.now(UTC)", "2: "),
    "reads the clock through a module": (
        "import datetime\nnow = datetime.datetime.now(datetime.UTC)",
        "2: calls .now()",
    ),
    "passes the clock on": (
        "from datetime import datetime\nfield(default_factory=datetime.now)",
        "2: uses datetime.now",
    ),
    "reads today": ("from datetime import date\ndate.today()", "2: "),
    "imports time": ("import time", "1: imports time"),
    "imports random": ("from random import choice", "1: imports random"),
    "imports uuid": ("import uuid", "1: imports uuid"),
    "imports os": ("from os import environ", "1: imports os"),
    "imports a client": ("import aiohttp", "1: imports aiohttp"),
    "imports a layer above": ("from domicile import fleet", "1: imports domicile.fleet"),
    "imports from a layer above": ("from domicile.fleet.gate import place", "1: imports domicile.fleet.gate"),
    "imports inside a function": ("def f():\n    import socket", "2: imports socket"),
    "opens a file": ("open('x')", "1: calls open()"),
    "reads a file": ("path.read_text()", "1: calls .read_text()"),
    "is async": ("async def f(): ...", "1: f is async: what is pure waits for nothing"),
}


NOT_OF_RECORDS = {
    "imports the log": ("from domicile.evidence import store", "1: imports domicile.evidence.store"),
    "imports from the log": ("from domicile.evidence.store import Log", "1: imports domicile.evidence.store"),
    "imports all of evidence": ("from domicile import evidence", "1: imports domicile.evidence"),
    "imports all of evidence plainly": ("import domicile.evidence", "1: imports domicile.evidence"),
    "imports keys": ("from domicile.evidence import dsse, keys", "1: imports domicile.evidence.keys"),
    "imports from the controller": ("from domicile.controller import evidence", "1: imports domicile.controller"),
}


@pytest.mark.parametrize(("source", "found"), NOT_OF_RECORDS.values(), ids=NOT_OF_RECORDS)
def test_what_keeps_records_is_no_business_of_who_reads_them(source: str, found: str) -> None:
    assert list(impurities(source, RECORDS)) == [found]


def test_records_are_no_business_of_who_decides() -> None:
    assert list(impurities("from domicile.evidence import dsse")) == ["1: imports domicile.evidence.dsse"]


@pytest.mark.parametrize(("source", "found"), PLANTED.values(), ids=PLANTED.keys())
def test_what_is_not_pure_is_found(source: str, found: str) -> None:
    assert any(place.startswith(found) for place in impurities(source))


def test_what_is_pure_is_left_alone() -> None:
    source = """
from datetime import datetime, timedelta
from domicile import api
from domicile.residency import permit

def decide(seen: api.SovereignModel, now: datetime) -> datetime:
    return seen.now + timedelta(seconds=30) if seen.time else now
"""
    assert list(impurities(source)) == []
