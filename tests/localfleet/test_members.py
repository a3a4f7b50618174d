"""Setting a cluster up: a server that gives no answer is what failed, and its log is what is shown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from domicile.localfleet import (
    apiclient,
    build,
    controlplane,
    errors,
    kserve,
    members,
    paths,
    processes,
    spec,
    state,
    stopping,
)

SERVER = processes.Program("sg/kube-apiserver", ("sleep", "60"))


@pytest.fixture
def common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[members.Common]:
    """A fleet of which only an API server runs, which says a last word in its log."""
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))
    directory = paths.fleet_dir("t")
    directory.mkdir(parents=True)
    ledger = state.Ledger(directory, state.fresh("t", owned=True))
    supervisor = processes.Supervisor(ledger, directory / "logs", tmp_path)
    supervisor.log_of(SERVER.name).write_text("out of memory\n")
    unused: Any = None
    programs = build.Programs({}, {"kserve": tmp_path, "kwok": tmp_path})
    with ThreadPoolExecutor(1) as pool:
        yield members.Common("t", directory, programs, unused, supervisor, pool, unused, unused, ledger)
    stopping.down("t")


def region(common: members.Common, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    """Set a region up whose API server is ready and fails the first request after that in this way."""

    def refused(*_: object) -> Any:
        raise failure

    monkeypatch.setattr(members, "_api_server", lambda *_: (None, SERVER, None))
    monkeypatch.setattr(kserve, "crds", refused)
    etcd: Any = None
    members.region(common, etcd, spec.RegionSpec("sg", ()), 0, None, lambda text: None)


def test_no_answer_to_a_request_of_the_set_up_is_a_failure_of_the_server(
    common: members.Common, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = errors.RequestRefused("PATCH https://127.0.0.1:1/x", 0, "ConnectionResetError(104)")
    with pytest.raises(errors.ComponentFailed) as failure:
        region(common, monkeypatch, gone)
    assert failure.value.component == "sg/kube-apiserver"
    assert "| out of memory" in str(failure.value)
    assert "PATCH https://127.0.0.1:1/x got no answer: ConnectionResetError(104)" in str(failure.value)


def test_an_answer_is_told_as_it_is(common: members.Common, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.RequestRefused, match="answered with 422: no such field"):
        region(common, monkeypatch, errors.RequestRefused("PATCH x", 422, "no such field"))


def test_the_roles_of_the_control_plane_are_such_requests_too(
    common: members.Common, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Any:
        raise errors.RequestRefused("PATCH x", 0, "refused")

    identities = SimpleNamespace(authority=SimpleNamespace(certificate=None), admin=None)
    plane = SimpleNamespace(url="", identities=identities)
    monkeypatch.setattr(controlplane, "prepare", lambda *_: plane)
    monkeypatch.setattr(controlplane, "api_server", lambda *_: SERVER)
    monkeypatch.setattr(apiclient, "ApiClient", lambda *_: SimpleNamespace(apply=refused))
    etcd: Any = None
    with pytest.raises(errors.ComponentFailed, match=r"(?s)sg/kube-apiserver failed.*out of memory"):
        members.region(common, etcd, spec.RegionSpec("sg", ()), 0, None, lambda text: None)
