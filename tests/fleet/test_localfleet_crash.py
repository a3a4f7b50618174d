"""What a fleet leaves behind when it fails, is killed, or is stopped: nothing."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile import localfleet
from domicile.localfleet import controlplane, errors, keeper, paths, procfs, progress, state, stopping, waiting
from domicile.localfleet.realnode import cgroups, nftables, node, undoing

SMALL = (
    localfleet.RegionSpec(
        "sg",
        (
            localfleet.NodeSpec("sg-h100-0", localfleet.H100),
            localfleet.NodeSpec("sg-l4-0", localfleet.L4, may_be_real=True),
        ),
    ),
)
OWNER = """
import sys, time
from domicile import localfleet
from domicile.localfleet import progress
sys.path.insert(0, {tests!r})
from test_localfleet_crash import SMALL
spec = localfleet.FleetSpec(name={name!r}, regions=SMALL, real_node_in={real!r})
with localfleet.running(spec, progress.PlainProgress()) as fleet:
    print("up", fleet.regions["sg"].real_node, flush=True)
    time.sleep(600)
"""
WITHOUT_AND_WITH = [
    pytest.param(None, id="simulated"),
    pytest.param("sg", id="real-node", marks=pytest.mark.real_node),
]


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """In a run root of its own: other fleets of this machine are not to be seen, nor to be cleared."""
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))
    chosen = f"crash-{os.getpid()}"
    yield chosen
    localfleet.down(chosen)


def host(real: str | None = None) -> dict[str, object]:
    """What a fleet might leave in its run root; with a real node, whatever it changes on this machine."""
    ours: dict[str, object] = {
        "fleets": sorted(path.name for path in paths.fleets_dir().glob("*/")),
        "ports": sorted(path.name for path in stopping.ports_dir().glob("*")),
    }
    if real is None:
        return ours
    return {
        **ours,
        "sysctls": {each: (Path("/proc/sys") / each).read_text() for each in node.SYSCTLS},
        "links": sorted(path.name for path in Path("/sys/class/net").iterdir()),
        "mounts": sorted(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        "tables": nftables.tables(),
        "cgroups": sorted(str(path) for place in cgroups.directories("") for path in place.glob("domicile-*")),
        "directories": [place for place in undoing.OUTSIDE if os.path.lexists(place)],
    }


@contextlib.contextmanager
def owner_process(name: str, real: str | None) -> Iterator[tuple[subprocess.Popen[str], state.State]]:
    """Another process with a fleet that is up."""
    script = OWNER.format(tests=str(Path(__file__).parent), name=name, real=real)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout
        line = child.stdout.readline()
        assert line.startswith("up"), "the owner ended before its fleet was up; see its stderr above"
        if real and "None" in line:
            pytest.skip("the real node of this machine is taken")
        known = state.read(paths.fleet_dir(name))
        assert known
        yield child, known
    finally:
        child.kill()
        child.wait()
        assert child.stdout
        child.stdout.close()


def wait_until_ended(known: state.State) -> None:
    def look() -> str | None:
        left = stopping.living(known)
        if left:
            return f"processes {[process.pid for process in left]} still run"
        return "its directory is still there" if paths.fleet_dir(known.name).exists() else None

    waiting.until(f"nothing left of fleet {known.name}", look, within=60)


@pytest.mark.parametrize("real", WITHOUT_AND_WITH)
def test_a_fleet_ends_with_an_owner_that_is_killed(real: str | None, name: str) -> None:
    before = host(real)
    with owner_process(name, real) as (owner, known):
        owner.kill()
        owner.wait()
        wait_until_ended(known)
    assert host(real) == before


@pytest.mark.parametrize("real", WITHOUT_AND_WITH)
def test_the_next_start_clears_what_a_killed_owner_and_keeper_left(real: str | None, name: str) -> None:
    before = host(real)
    with owner_process(name, real) as (owner, known):
        keeping = known.processes[keeper.NAME].process
        assert keeping
        procfs.kill([keeping])
        owner.kill()
        owner.wait()
        assert [left.name for left in localfleet.leftovers()] == [name]
        spec = localfleet.FleetSpec(name=name, regions=SMALL, real_node_in=real)
        with localfleet.running(spec, progress.PlainProgress()) as fleet:
            assert procfs.with_environment(known.mark) == []
            assert bool(fleet.regions["sg"].real_node) == bool(real)
    assert host(real) == before


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_to_the_owner_stops_the_fleet(number: signal.Signals, name: str) -> None:
    before = host()
    with owner_process(name, None) as (owner, known):
        owner.send_signal(number)
        owner.wait(timeout=60)
        assert stopping.living(known) == []
    assert host() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_start_undoes_it(number: signal.Signals, name: str) -> None:
    before = host()
    script = OWNER.format(tests=str(Path(__file__).parent), name=name, real=None)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL) as owner:
        waiting.until("the region's API server started", lambda: None if half_started(name) else "not yet", within=60)
        owner.send_signal(number)
        assert owner.wait(timeout=60) != 0
    assert host() == before


def half_started(name: str) -> bool:
    known = state.read(paths.fleet_dir(name))
    return known is not None and "sg/kube-apiserver" in known.processes


def test_down_by_name_stops_a_fleet_that_was_to_outlive_its_owner(name: str) -> None:
    before = host()
    spec = localfleet.FleetSpec(name=name, regions=SMALL)
    up = localfleet.start(spec, progress.PlainProgress(), outlive=True)
    assert localfleet.leftovers() == []
    assert keeper.NAME not in up.ledger.state.processes
    assert localfleet.down(name)
    assert not localfleet.down(name)
    assert host() == before


def test_a_component_that_fails_shows_its_own_log_and_all_is_undone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = host()
    monkeypatch.setattr(controlplane, "REGION_CONTROLLERS", ("no-such-controller",))
    with pytest.raises(errors.ComponentFailed) as failure:
        localfleet.start(localfleet.FleetSpec(name=name, regions=SMALL), progress.PlainProgress())
    assert failure.value.component == "sg/kube-controller-manager"
    assert failure.value.log.name == "sg-kube-controller-manager.log"
    assert "is not in the list of known controllers" in failure.value.log.read_text()
    assert "is not in the list of known controllers" in str(failure.value)
    assert host() == before
