"""The operator imports what it uses: a start, and so a change of leaders, waits for all that is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from domicile.importing import as_if_missing, without_its_init

START = """
import sys
import domicile.cli.operate, domicile.controller.app
from domicile import serving
serving.load()
import kserve.models
assert "kserve" in sys.modules
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
NOT_USED = {"kubernetes", "fastapi", "pandas", "uvicorn", "grpc"}


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_operator_starts_without_kserves_server_and_without_the_client_of_kubernetes() -> None:
    code = START.replace('import kserve.models\nassert "kserve" in sys.modules\n', "")
    assert NOT_USED & set(run(code).split()) == set()


def test_who_imports_kserve_later_gets_the_whole_of_it() -> None:
    """The same test sees that the one above looks for what there is."""
    assert {"kubernetes", "fastapi", "pandas"} <= set(run(START).split())


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose `__init__` cannot be run."""
    name = f"package_{tmp_path.name.replace('-', '_')}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise SystemExit('it was run')")
    (tmp_path / name / "part.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_part_without_the_rest(package: str) -> None:
    with without_its_init(package):
        part = __import__(f"{package}.part", fromlist=["VALUE"])
    assert part.VALUE == 7
    assert package not in sys.modules
    with pytest.raises(SystemExit):
        __import__(package)


def test_one_that_is_not_installed_is_missing_all_the_same() -> None:
    with without_its_init("no_such_package"), pytest.raises(ModuleNotFoundError):
        __import__("no_such_package.part")


def test_as_if_missing(package: str) -> None:
    with as_if_missing(package), pytest.raises(ModuleNotFoundError):
        __import__(package)
    assert package not in sys.modules


def test_one_already_imported_stays() -> None:
    import json

    with as_if_missing("json"):
        assert __import__("json") is json
    with without_its_init("json"):
        assert __import__("json") is json
    assert sys.modules["json"] is json
