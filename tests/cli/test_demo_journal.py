"""The demo's journal: one demo at a time, and what it made is on record for whoever comes after it."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domicile.cli.demo import given, journal, processes
from domicile.cli.demo.journal import Entry, Given, Made
from domicile.cli.failure import Failure
from domicile.cli.join import member
from domicile.localfleet import procfs

HOLDER = """
import time
from domicile.cli.demo import journal
held = journal.claim()
print("claimed", flush=True)
time.sleep(60)
"""
OPERATOR = (sys.executable, "-c", "import time; time.sleep(60)", "domicile.cli operator")
"""Looks like one, and sleeps."""


@pytest.fixture(autouse=True)
def run_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))
    monkeypatch.setattr(journal, "_STOP_SECONDS", 10.0)
    return tmp_path


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


@pytest.fixture
def operator() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(OPERATOR) as child:
        yield child
        child.kill()


def journal_of_a_dead_demo(root: Path, pid: int) -> None:
    """As a demo leaves it that was killed; its id may be another process's by now."""
    (root / "demo").mkdir(exist_ok=True)
    (root / "demo" / "journal.json").write_text(json.dumps({"pid": pid, "kept": False, "given": None}))
    (root / "demo" / "lock").write_text(f"{pid} 1")


def test_a_second_demo_is_told_of_the_first() -> None:
    first = journal.claim()
    with pytest.raises(Failure, match=f"running already, process {os.getpid()}"):
        journal.claim()
    first.close()
    journal.claim().close()


def test_the_demo_that_runs_is_stopped_and_nobody_who_has_a_dead_ones_pid(
    run_root: Path, bystander: "subprocess.Popen[bytes]"
) -> None:
    journal_of_a_dead_demo(run_root, bystander.pid)
    told: list[str] = []
    with subprocess.Popen((sys.executable, "-c", HOLDER), stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"claimed\n"
        journal.claim_from_whoever_has_it(told.append).close()
        assert holder.wait(timeout=10) != 0
    assert told == [f"stopping the demo that runs as process {holder.pid}"]
    assert bystander.poll() is None


def test_a_demo_that_ends_by_itself_is_waited_for(run_root: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    holder = journal.claim()
    # As when it died between taking the lock and our look.
    journal_of_a_dead_demo(run_root, dead.pid)
    ending = threading.Timer(0.5, holder.close)
    ending.start()
    journal.claim_from_whoever_has_it(lambda text: None).close()
    ending.join()


def test_what_a_killed_demo_made_is_on_record() -> None:
    made = Made("sg", "/api/v1/namespaces/domicile-system")
    killed = journal.claim()
    killed.write(Entry(given=Given("/tmp/config", "hub", (("SG", "kind-sg"), ("PH", "kind-ph")))))
    killed.change_given(lambda known: replace(known, operator=42, made=(made,)))
    killed.close()
    found = journal.claim()
    assert found.entry == killed.entry
    assert found.entry is not None
    assert found.entry.given is not None
    assert found.entry.given.made == (made,)
    found.write(None)
    found.close()
    last = journal.claim()
    assert last.entry is None
    last.close()


def test_files_of_an_earlier_demo_are_cleared_and_others_cannot_read_the_new_ones() -> None:
    mine = journal.claim()
    (mine.fresh_work() / "operator.kubeconfig").touch()
    again = mine.fresh_work()
    assert list(again.iterdir()) == []
    assert again.stat().st_mode & 0o077 == 0
    mine.close()


def test_paths_of_what_is_made() -> None:
    paths = [given.path_of(manifest) for _, manifest in member.identity("domicile-system", ())]
    assert paths == [
        "/api/v1/namespaces/domicile-system/serviceaccounts/domicile",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/domicile-system:hub",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/domicile-system:hub",
    ]
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "a"},
    }
    assert given.path_of(policy) == "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/a"


def test_a_process_that_is_no_operator_of_ours_is_left_alone(bystander: "subprocess.Popen[bytes]") -> None:
    given.stop_operator(Given("", "hub", (), operator=bystander.pid))
    given.stop_operator(Given("", "hub", (), operator=0))
    assert bystander.poll() is None


def test_the_operator_that_was_left_is_ended_on_a_machine_without_ps(
    operator: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    given.stop_operator(Given("", "hub", (), operator=operator.pid))
    assert operator.wait(timeout=10) != 0


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps, and where there is /proc none is needed")
def test_without_proc_it_is_ps_that_says_what_a_process_is(
    operator: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LINUX", False)
    assert processes.find(operator.pid, "no such words") is None
    assert processes.find(operator.pid, "domicile.cli operator") == procfs.Process(operator.pid, 0)
    given.stop_operator(Given("", "hub", (), operator=operator.pid))
    assert operator.wait(timeout=10) != 0
