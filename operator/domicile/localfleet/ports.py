"""Free loopback ports, each given once, also across fleets that start at the same time."""

from __future__ import annotations

import random
import socket
from pathlib import Path

from domicile.localfleet import errors

# Below the kernel's ephemeral range (32768 on Linux): a port of ours stays free while its server is restarted, because
# no outgoing connection of anybody is ever given it.
FIRST, LAST = 18000, 31000


class Ports:
    """Reserves ports by files in a directory shared by all fleets of a run root."""

    def __init__(self, directory: Path, fleet: str) -> None:
        self._directory, self._fleet = directory, fleet
        directory.mkdir(parents=True, exist_ok=True)

    def take(self) -> int:
        for port in random.sample(range(FIRST, LAST), LAST - FIRST):
            if self._reserve(port):
                if free(port):
                    return port
                (self._directory / str(port)).unlink(missing_ok=True)
        raise errors.LocalFleetError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")

    def release_all(self) -> None:
        for path in self._directory.iterdir():
            if path.name.isdigit() and _owner(path) == self._fleet:
                path.unlink(missing_ok=True)

    def _reserve(self, port: int) -> bool:
        try:
            with (self._directory / str(port)).open("x") as file:
                file.write(self._fleet)
        except FileExistsError:
            return False
        return True


def unreserved(directory: Path) -> int:
    """A free port that no fleet has: for one process outside of any, which listens on it at once."""
    for port in random.sample(range(FIRST, LAST), LAST - FIRST):
        if not (directory / str(port)).exists() and free(port):
            return port
    raise errors.LocalFleetError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


def free(port: int, address: str = "127.0.0.1") -> bool:
    # On every address: a server of somebody else on 0.0.0.0 would answer for ours.
    for host in {address, "0.0.0.0"}:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True


def _owner(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
