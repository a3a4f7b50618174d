"""Processes and their record: nobody else's process is ever signalled, and what a dead owner left is found."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.localfleet import errors, paths, processes, procfs, state, stopping, waiting


@pytest.fixture(autouse=True)
def own_run_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))


@pytest.fixture
def bystander() -> Iterator[procfs.Process]:
    child = subprocess.Popen(["sleep", "60"])
    found = procfs.identify(child.pid)
    assert found
    yield found
    child.kill()
    child.wait()


@pytest.fixture
def ledger() -> Iterator[state.Ledger]:
    directory = paths.fleet_dir("t")
    directory.mkdir(parents=True)
    made = state.Ledger(directory, state.fresh("t", owned=True))
    made.save()
    yield made
    stopping.down("t")


@pytest.fixture
def supervisor(ledger: state.Ledger, tmp_path: Path) -> processes.Supervisor:
    return processes.Supervisor(ledger, tmp_path / "logs", tmp_path)


def test_a_recycled_pid_is_another_process(bystander: procfs.Process) -> None:
    earlier = dataclasses.replace(bystander, started=bystander.started - 1)
    assert procfs.alive(bystander)
    assert not procfs.alive(earlier)
    procfs.kill([earlier])
    assert procfs.alive(bystander)


def test_down_spares_a_process_that_got_a_recorded_pid(ledger: state.Ledger, bystander: procfs.Process) -> None:
    earlier = dataclasses.replace(bystander, started=bystander.started - 1)
    ledger.record(state.ProcessRecord("etcd", ("etcd",), "log", process=earlier))
    assert stopping.down("t")
    assert procfs.alive(bystander)


def test_down_ends_what_was_started_and_forgets_it(
    ledger: state.Ledger, supervisor: processes.Supervisor, bystander: procfs.Process
) -> None:
    started = supervisor.start(processes.Program("sleeper", ["sleep", "60"]))
    assert stopping.down("t")
    assert not procfs.alive(started)
    assert procfs.alive(bystander)
    assert not paths.fleet_dir("t").exists()
    assert not stopping.down("t")


def test_a_process_is_on_record_before_it_runs_and_found_by_its_mark(
    ledger: state.Ledger, supervisor: processes.Supervisor
) -> None:
    started = supervisor.start(processes.Program("sleeper", ["sleep", "60"]))
    # as after a kill between the fork and the second write of the record
    ledger.record(state.ProcessRecord("sleeper", ("sleep", "60"), "log"))
    known = state.read(paths.fleet_dir("t"))
    assert known
    assert stopping.living(known) == [started]
    stopping.down("t")
    assert not procfs.alive(started)


def test_grandchildren_are_ended_too(ledger: state.Ledger, supervisor: processes.Supervisor) -> None:
    supervisor.start(processes.Program("shell", ["sh", "-c", "sleep 60 & sleep 60 & wait"]))
    waiting.until("three processes", lambda: None if len(marked(ledger)) == 3 else str(marked(ledger)), within=10)
    stopping.down("t")
    assert marked(ledger) == []


def marked(ledger: state.Ledger) -> list[procfs.Process]:
    return procfs.with_environment(ledger.state.mark)


def test_the_record_survives_a_round_trip(ledger: state.Ledger) -> None:
    host = state.HostChanges(sysctls={"vm/x": "1"}, links=("br",), controllers=("io",), directories=("/d",))
    ledger.change_host(host)
    ledger.record(state.ProcessRecord("a", ("a", "-b"), "a.log", {"K": "v"}, procfs.Process(7, 8)))
    assert state.read(paths.fleet_dir("t")) == ledger.state


ABANDONED = {
    "its owner lives": (lambda known: known, None),
    "its owner's pid is another process now": (
        lambda known: dataclasses.replace(known, owner=procfs.Process(os.getpid(), 1)),
        "its owner, process",
    ),
    "the machine was restarted": (lambda known: dataclasses.replace(known, boot="earlier"), "restarted"),
    "nobody owns it and nothing runs": (lambda known: dataclasses.replace(known, owner=None), "none of its processes"),
}


@pytest.mark.parametrize("case", ABANDONED)
def test_when_a_fleet_counts_as_left_over(case: str, ledger: state.Ledger) -> None:
    change, reason = ABANDONED[case]
    why = stopping.abandoned(change(ledger.state))
    assert why is None if reason is None else reason in str(why)


def test_leftovers_name_the_fleet_and_the_reason(ledger: state.Ledger) -> None:
    assert stopping.leftovers() == []
    dead = dataclasses.replace(ledger.state, owner=procfs.Process(os.getpid(), 1))
    state.Ledger(paths.fleet_dir("t"), dead).save()
    (left,) = stopping.leftovers()
    assert left.name == "t"
    assert "is gone" in left.why


def test_after_a_restart_of_the_machine_no_process_is_touched(ledger: state.Ledger, bystander: procfs.Process) -> None:
    ledger.record(state.ProcessRecord("etcd", ("etcd",), "log", process=bystander))
    stopping.undo(dataclasses.replace(ledger.state, boot="earlier"))
    assert procfs.alive(bystander)
    ledger.record(state.ProcessRecord("etcd", ("etcd",), "log"))


def test_a_program_that_ends_is_reported_with_its_own_log(supervisor: processes.Supervisor) -> None:
    broken = processes.Program(
        "sg/etcd", ["sh", "-c", "echo 'cannot bind' >&2; exit 3"], processes.Probe("http://127.0.0.1:9/readyz")
    )
    supervisor.start(processes.Program("sg/other", ["sh", "-c", "echo 'not this one'; sleep 60"]))
    supervisor.start(broken)
    with pytest.raises(errors.ComponentFailed) as failure:
        supervisor.wait_ready(broken)
    said = str(failure.value)
    assert "sg/etcd failed" in said
    assert "exit code 3" in said
    assert "http://127.0.0.1:9/readyz" in said
    assert "| cannot bind" in said
    assert "not this one" not in said


def test_a_program_that_never_answers_says_what_was_last_seen(supervisor: processes.Supervisor) -> None:
    slow = processes.Program("slow", ["sleep", "60"], processes.Probe("http://127.0.0.1:9/x"), ready_within=0.3)
    supervisor.start(slow)
    with pytest.raises(errors.ComponentFailed, match=r"(?s)waited for: 200 from .*last seen: .*refused"):
        supervisor.wait_ready(slow)


def test_a_frozen_and_thawed_process_is_the_same(supervisor: processes.Supervisor) -> None:
    process = supervisor.start(processes.Program("sleeper", ["sleep", "60"]))
    supervisor.signal("sleeper", signal.SIGSTOP)
    assert procfs.alive(process)
    supervisor.kill("sleeper")
    assert not procfs.alive(process)
    again = supervisor.restart("sleeper")
    assert again != process
    assert procfs.alive(again)


def test_a_ctrl_c_of_the_terminal_does_not_reach_the_fleet(supervisor: processes.Supervisor) -> None:
    process = supervisor.start(processes.Program("sleeper", ["sleep", "60"]))
    assert os.getsid(process.pid) == process.pid != os.getsid(0)


def test_callers_settings_do_not_reach_the_fleet(
    supervisor: processes.Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    program = processes.Program("show", [sys.executable, "-c", "import os; print(sorted(os.environ), flush=True)"])
    supervisor.start(program)
    log = supervisor.log_of("show")
    waiting.until("the program's answer", lambda: None if log.read_text() else "nothing yet", within=10)
    assert "HTTPS_PROXY" not in log.read_text()
    assert state.MARK in log.read_text()
