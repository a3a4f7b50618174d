"""Ports: each is given once, below the range from which the kernel takes those of outgoing connections."""

import socket
from pathlib import Path

import pytest

from domicile.cli.demo import operating
from domicile.localfleet import ports, stopping


def test_a_passing_port_is_none_that_a_fleet_has_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "FIRST", 30990)
    monkeypatch.setattr(ports, "LAST", 30994)
    monkeypatch.setattr(ports, "free", lambda port: True)
    taken = {ports.Ports(tmp_path, "fleet").take() for _ in range(3)}
    assert ports.unreserved(tmp_path) not in taken


def test_the_operators_port_is_one_that_no_outgoing_connection_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))
    assert ports.FIRST <= operating.free_port() < ports.LAST
    assert not list(stopping.ports_dir().glob("*")), "reserved, and nobody gives it back"


def test_a_port_in_use_is_not_free() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assert not ports.free(listening.getsockname()[1])
