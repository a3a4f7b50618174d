"""The pure core reads no clock, no chance, no file and no network: what it decides can be decided again from the record."""

from pathlib import Path

import pytest

from architecture.purity import impurities

PACKAGE = Path(__file__).parents[2] / "operator" / "domicile"
PACKAGES = ("api", "decision", "fence", "placement", "residency", "rollout", "serving")
PURE = sorted(path for package in PACKAGES for path in (PACKAGE / package).rglob("*.py"))


@pytest.mark.parametrize("path", PURE, ids=[str(path.relative_to(PACKAGE)) for path in PURE])
def test_a_pure_module_reaches_nothing_outside_itself(path: Path) -> None:
    assert list(impurities(path.read_text())) == []


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
