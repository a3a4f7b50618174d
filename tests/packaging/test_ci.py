"""The scripts that a bare machine runs first: what they find, what they install, and what they say when they cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def ci(tmp_path: Path) -> Path:
    """A check-out with the scripts alone, on a machine whose make and apt-get only say how they were called."""
    shutil.copytree(ROOT / ".ci", tmp_path / ".ci")
    (tmp_path / "bin").mkdir()
    for name in ("make", "apt-get"):
        stub = tmp_path / "bin" / name
        stub.write_text(f'#!/bin/sh\necho "called {name} $*"\n')
        stub.chmod(0o755)
    return tmp_path


def run(ci: Path, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    path = f"{ci / 'bin'}{os.pathsep}{PATH}"
    return subprocess.run(
        (ci / ".ci" / command[0], *command[1:]),
        cwd=ci,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(shutil.which("getent") is None, reason="no getent to ask")
def test_without_home_the_account_says_where_home_is(ci: Path) -> None:
    answer = run(ci, "bootstrap", "python")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "called make test" in run(ci, "run").stdout


def test_where_nothing_says_where_home_is_that_is_the_message(ci: Path) -> None:
    (ci / "bin" / "getent").write_text("#!/bin/sh\nexit 2\n")
    (ci / "bin" / "getent").chmod(0o755)
    answer = run(ci, "bootstrap", "python")
    assert answer.returncode == 1
    assert answer.stderr.startswith("[set-up] HOME is not set")
    assert run(ci, "bootstrap", "python", DOMICILE_CACHE=str(ci / "cache")).returncode == 0


def test_a_python_that_was_named_and_does_not_fit_is_said_and_none_installed(ci: Path) -> None:
    answer = run(ci, "run", HOME=str(ci), DOMICILE_PYTHON="/nonexistent/python")
    assert answer.returncode == 1
    assert "DOMICILE_PYTHON=/nonexistent/python is not a Python from 3.11 to 3.13" in answer.stderr
    assert "called" not in answer.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs")
def test_a_machine_without_a_python_gets_one(ci: Path) -> None:
    for name in ("python", "python3", "python3.11", "python3.12", "python3.13"):
        (ci / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (ci / "bin" / name).chmod(0o755)
    answer = run(ci, "run", HOME=str(ci))
    assert "called apt-get install -y -qq --no-install-recommends python3 python3-venv" in answer.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root installs")
def test_a_machine_without_authorities_gets_them(ci: Path) -> None:
    script = ci / ".ci" / "run"
    script.write_text(script.read_text().replace("/etc/", "/nonexistent/"))
    answer = run(ci, "run", HOME=str(ci))
    assert "called apt-get install -y -qq --no-install-recommends ca-certificates" in answer.stdout
    assert "called make test" in answer.stdout
    (ci / "bundle.crt").write_text("an authority")
    assert "called apt-get" not in run(ci, "run", HOME=str(ci), SSL_CERT_FILE=str(ci / "bundle.crt")).stdout
