"""What a real node changes on its host, and that it is put back: what is ours, and nothing of others."""

import dataclasses
import ipaddress
import logging
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from domicile.localfleet import paths, state, stopping
from domicile.localfleet.realnode import bridge, cgroups, nftables, node, possible, undoing


@dataclasses.dataclass
class Host:
    """The places of a machine where a node leaves something."""

    root: Path
    fleet: state.State

    @property
    def plugins(self) -> Path:
        return self.root / "kubelet" / "device-plugins"

    @property
    def empty(self) -> Path:
        return self.root / "kubelet" / "plugins"

    @property
    def log(self) -> Path:
        return self.root / "logs" / "pod.log"

    @property
    def own(self) -> Path:
        return self.root / "node"


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose name leaves room for that of a socket, which has 107 bytes at the most: pytest's own grow with each run."""
    with tempfile.TemporaryDirectory(prefix="domicile-") as name:
        yield Path(name)


@pytest.fixture
def host(short: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("DOMICILE_RUN", str(short / "run"))
    changes = state.HostChanges(directories=(str(short / "node"),), made_directories=(str(short / "kubelet"),))
    made = Host(short, dataclasses.replace(state.fresh("t", owned=True), host=changes))
    for place in (made.plugins, made.empty, made.log.parent, made.own):
        place.mkdir(parents=True)
    (made.plugins / "kubelet_internal_checkpoint").touch()
    made.log.symlink_to(made.own / "0.log")
    (made.log.parent / "others.log").symlink_to("/elsewhere/0.log")
    monkeypatch.setattr(undoing, "CONTAINER_LOGS", made.log.parent)
    monkeypatch.setattr(undoing, "CNI_RESULTS", short / "cni")
    monkeypatch.setattr(undoing, "DEVICE_PLUGINS", made.plugins)
    monkeypatch.setattr(possible, "KUBELET_SOCKET", made.plugins / "kubelet.sock")
    return made


@pytest.fixture
def other_kubelet(host: Host) -> Iterator[None]:
    """One that was installed since, and answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(host.plugins / "kubelet.sock"))
        listening.listen()
        yield


def test_what_the_node_left_outside_its_directory_is_removed(host: Host) -> None:
    stopping.undo(host.fleet)
    assert not host.own.exists()
    assert not host.plugins.parent.exists()
    assert [path.name for path in host.log.parent.iterdir()] == ["others.log"]


def test_files_are_removed_also_when_the_machine_was_restarted_since(host: Host) -> None:
    stopping.undo(dataclasses.replace(host.fleet, boot="earlier"))
    assert not host.own.exists()
    assert not host.plugins.parent.exists()
    assert [path.name for path in host.log.parent.iterdir()] == ["others.log"]


def test_what_a_restart_has_made_anew_is_not_the_nodes(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "EMPTIED_BY_RESTART", f"{host.root}/kubelet")
    stopping.undo(dataclasses.replace(host.fleet, boot="earlier"))
    assert host.empty.exists()


def test_a_file_that_a_power_cut_left_half_written_stops_nothing(host: Host) -> None:
    bundle = host.own / "containerd" / "state" / "io.containerd.runtime.v2.task" / "k8s.io" / "pod"
    bundle.mkdir(parents=True)
    (bundle / "bootstrap.json").write_text('{"addr')
    stopping.undo(dataclasses.replace(host.fleet, boot="earlier"))
    assert not host.own.exists()


@pytest.mark.parametrize("boot", ["this", "earlier"])
def test_a_kubelet_that_was_installed_since_keeps_its_files(host: Host, other_kubelet: None, boot: str) -> None:
    stopping.undo(host.fleet if boot == "this" else dataclasses.replace(host.fleet, boot=boot))
    assert sorted(path.name for path in host.plugins.iterdir()) == ["kubelet.sock", "kubelet_internal_checkpoint"]
    assert host.empty.exists()
    assert not host.own.exists()


def test_a_sysctl_that_cannot_be_put_back_is_told(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    changes = dataclasses.replace(host.fleet.host, sysctls={"no/such/sysctl": "7"})
    with caplog.at_level(logging.WARNING):
        stopping.undo(dataclasses.replace(host.fleet, host=changes))
    assert "/proc/sys/no/such/sysctl was 7" in caplog.text


def test_tables_of_the_kernels_filter_are_removed(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(nftables, "delete", deleted.append)
    stopping.undo(dataclasses.replace(host.fleet, host=dataclasses.replace(host.fleet.host, tables=("dmctest",))))
    assert deleted == ["dmctest"]


@pytest.fixture
def v2(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A cgroup v2 whose root offers cpu and pids; returns what is written to its root's control file."""
    root = host.root / "cgroup"
    root.mkdir()
    (root / "cgroup.controllers").write_text("cpuset cpu memory pids rdma\n")
    (root / "cgroup.subtree_control").write_text("cpu pids\n")
    written: list[str] = []
    monkeypatch.setattr(cgroups, "ROOT", root)
    monkeypatch.setattr(cgroups, "_switch", lambda directory, word: written.append(word))
    return written


def test_controllers_that_the_root_did_not_offer_are_on_record_before_they_are_switched_on(
    host: Host, v2: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = paths.fleet_dir("t")
    directory.mkdir(parents=True)
    ledger = state.Ledger(directory, host.fleet)
    monkeypatch.setattr(bridge, "make", lambda pods: None)
    monkeypatch.setattr(cgroups, "make", lambda groups: None)
    pods = bridge.Bridge("dmctest", ipaddress.IPv4Network("10.244.0.0/24"))
    node._change_host(ledger, pods, "domicile-test", host.own, "network")
    known = state.read(directory)
    assert known
    assert known.host.controllers == ("cpuset", "memory")
    assert known.host.tables == ("dmctest",)


def test_the_root_offers_no_more_controllers_than_before(host: Host, v2: list[str]) -> None:
    changes = dataclasses.replace(host.fleet.host, controllers=("cpuset", "memory"))
    stopping.undo(dataclasses.replace(host.fleet, host=changes))
    assert v2 == ["-cpuset", "-memory"]


def test_a_controller_that_stays_on_is_told(
    host: Host, v2: list[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(directory: Path, word: str) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(cgroups, "_switch", busy)
    changes = dataclasses.replace(host.fleet.host, controllers=("memory",))
    stopping.undo(dataclasses.replace(host.fleet, host=changes))
    assert "memory" in caplog.text
