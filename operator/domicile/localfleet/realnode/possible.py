"""Says whether this machine can run a real node, and if not, why."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet.realnode import cgroups

# Bits of the capability set that mounts, namespaces and bridges need (linux/capability.h).
NEEDED_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}
ARCHITECTURES = ("x86_64", "aarch64")
KUBELET_SOCKET = Path("/var/lib/kubelet/device-plugins/kubelet.sock")


@dataclass(frozen=True)
class Possible:
    """A kubelet with containerd can run here."""


@dataclass(frozen=True)
class NotPossible:
    reason: str


def real_node_possible() -> Possible | NotPossible:
    """Looks only; changes nothing and fetches nothing."""
    for check in CHECKS:
        reason = check()
        if reason:
            return NotPossible(reason)
    return Possible()


def _linux() -> str | None:
    if platform.system() != "Linux":
        return f"a real node needs Linux, this is {platform.system()}"
    if platform.machine() not in ARCHITECTURES:
        return f"a real node was made for {' and '.join(ARCHITECTURES)}, this is {platform.machine()}"
    return None


def _root() -> str | None:
    if os.geteuid() != 0:
        return "a real node needs root: containers are mounts, namespaces and cgroups"
    held = _effective_capabilities()
    missing = [name for name, bit in NEEDED_CAPABILITIES.items() if not held >> bit & 1]
    return f"root lacks {', '.join(missing)} here, as in an unprivileged container" if missing else None


def _cgroups() -> str | None:
    return cgroups.unusable()


def _overlayfs() -> str | None:
    known = Path("/proc/filesystems").read_text().split()
    modules = Path(f"/lib/modules/{os.uname().release}/kernel/fs/overlayfs")
    return None if "overlay" in known or modules.exists() else "the kernel has no overlayfs"


def _runc_obtainable() -> str | None:
    from domicile.localfleet.realnode import runc

    if runc.present() or (shutil.which("apt-get") and shutil.which("dpkg")):
        return None
    return "there is no runc on PATH, and no apt-get to fetch it with: install the package runc"


def _mount_command() -> str | None:
    return None if shutil.which("mount") else "the kubelet needs the command mount (package util-linux)"


def other_kubelet() -> str | None:
    """Says so when one runs: its device plugin socket has a fixed place, which a second kubelet would take over."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(KUBELET_SOCKET))
        except OSError:
            return None
    return f"a kubelet runs on this machine already: {KUBELET_SOCKET} answers"


CHECKS: tuple[Callable[[], str | None], ...] = (
    _linux,
    _root,
    _cgroups,
    _overlayfs,
    _mount_command,
    _runc_obtainable,
    other_kubelet,
)


def _effective_capabilities() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0
