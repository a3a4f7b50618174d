"""The node's bridge: made before the kubelet starts, because its address is the node's own, and removed afterwards."""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import errors

# linux/sockios.h
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8913, 0x8914, 0x8916, 0x891C
_SIOCBRADDBR, _SIOCBRDELBR = 0x89A0, 0x89A1
_IFF_UP = 1
CANDIDATES = tuple(ipaddress.IPv4Network(f"10.{second}.{third}.0/24") for second in (244, 245) for third in range(256))


@dataclass(frozen=True)
class Bridge:
    name: str
    network: ipaddress.IPv4Network

    @property
    def address(self) -> str:
        """The first of the network: gateway of the pods, and the node's InternalIP."""
        return str(self.network[1])


def free_network(routes: Iterable[ipaddress.IPv4Network] | None = None) -> ipaddress.IPv4Network:
    """A network for pods that no route of this machine covers."""
    taken = list(known_routes() if routes is None else routes)
    for candidate in CANDIDATES:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise errors.RealNodeUnavailable("every network of 10.244.0.0/16 and 10.245.0.0/16 is routed somewhere already")


def known_routes() -> list[ipaddress.IPv4Network]:
    """All but the default route."""
    found: list[ipaddress.IPv4Network] = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        destination, mask = (socket.inet_ntoa(struct.pack("=L", int(fields[i], 16))) for i in (1, 7))
        if mask != "0.0.0.0":
            found.append(ipaddress.IPv4Network(f"{destination}/{mask}"))
    return found


def make(bridge: Bridge) -> None:
    with _control() as control:
        fcntl.ioctl(control, _SIOCBRADDBR, bridge.name.encode() + b"\0")
        fcntl.ioctl(control, _SIOCSIFADDR, _with_address(bridge.name, bridge.address))
        fcntl.ioctl(control, _SIOCSIFNETMASK, _with_address(bridge.name, str(bridge.network.netmask)))
        _set_up(control, bridge.name, up=True)


def remove(name: str) -> None:
    """Does nothing when it is not there."""
    if not exists(name):
        return
    with _control() as control, suppress(FileNotFoundError):
        _set_up(control, name, up=False)  # the kernel refuses to delete a bridge that is up
        fcntl.ioctl(control, _SIOCBRDELBR, name.encode() + b"\0")


def exists(name: str) -> bool:
    return Path("/sys/class/net", name).exists()


def _set_up(control: socket.socket, name: str, *, up: bool) -> None:
    answer = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode(), 0))
    (flags,) = struct.unpack_from("h", answer, 16)
    wanted = flags | _IFF_UP if up else flags & ~_IFF_UP
    fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", name.encode(), wanted))


def _with_address(name: str, address: str) -> bytes:
    return struct.pack("16sHH4s8x", name.encode(), socket.AF_INET, 0, socket.inet_aton(address))


def _control() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
