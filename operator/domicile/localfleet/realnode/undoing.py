"""Takes a real node off the host again, from the fleet's record alone. Every step can be repeated."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from domicile.localfleet import errors, procfs, state
from domicile.localfleet.realnode import bridge, cgroups, nftables, possible

_LOG = logging.getLogger(__name__)

_MNT_DETACH = 2
_UNMOUNT_SECONDS = 10.0
# Fixed in the sources of the kubelet, containerd and CNI, whatever their flags say.
OUTSIDE = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/run/containerd", "/run/netns")
DEVICE_PLUGINS = possible.KUBELET_SOCKET.parent
CNI_RESULTS = Path("/var/lib/cni/results")
CONTAINER_LOGS = Path("/var/log/containers")
EMPTIED_BY_RESTART = "/run"


def stop_node(known: state.State) -> None:
    """The kubelet first, else it starts again what is being ended; then every process in the node's cgroups."""
    kubelets = [
        record.process for name, record in known.processes.items() if name.endswith("/kubelet") and record.process
    ]
    procfs.kill(kubelets)
    groups = [Path(path) for path in known.host.cgroups]
    end = time.monotonic() + _UNMOUNT_SECONDS
    while inside := cgroups.processes(groups):
        left = procfs.kill(inside, within=2.0)
        if left and time.monotonic() > end:
            pids = ", ".join(str(process.pid) for process in left)
            raise errors.StillThere(f"pod processes {pids} of fleet {known.name} do not end")


def undo_host_changes(known: state.State) -> None:
    host = known.host
    _unmount_below(host.directories)
    for table in host.tables:
        nftables.delete(table)
    for link in host.links:
        bridge.remove(link)
    remove_traces(host)
    left = cgroups.remove([Path(path) for path in host.cgroups])
    if left:
        raise errors.StillThere(f"cgroups of fleet {known.name} cannot be removed: {', '.join(map(str, left))}")
    if kept := cgroups.withdraw(host.controllers):
        _LOG.warning("the cgroup controllers %s were off before the real node, and others use them now", kept)
    for name, value in host.sysctls.items():
        _restore_sysctl(Path("/proc/sys", name), value)


def mounts_below(prefixes: tuple[str, ...]) -> list[str]:
    """Deepest first."""
    points = [_unescaped(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    ours = [point for point in points if any(point == prefix or point.startswith(f"{prefix}/") for prefix in prefixes)]
    return sorted(ours, key=len, reverse=True)


def _unmount_below(prefixes: tuple[str, ...]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    end = time.monotonic() + _UNMOUNT_SECONDS
    while points := mounts_below(prefixes):
        for point in points:
            if libc.umount2(os.fsencode(point), 0):
                libc.umount2(
                    os.fsencode(point), _MNT_DETACH
                )  # busy: gone from the tree now, and for good with its last user
        if mounts_below(prefixes) and time.monotonic() > end:
            raise errors.StillThere(f"these mounts cannot be removed: {', '.join(mounts_below(prefixes))}")


def remove_traces(host: state.HostChanges, *, restarted: bool = False) -> None:
    """Files that the kubelet, containerd and CNI put outside our directory; what others put there stays.

    `restarted`: the machine was, since the node ran.
    """
    # A kubelet's places are fixed: once another one runs, what is in them is its own.
    other_kubelet = possible.other_kubelet() is not None
    plugins = DEVICE_PLUGINS.glob("kubelet*") if host.directories and not other_kubelet else ()
    for path in (*_traces(host), *plugins):
        with suppress(OSError):
            path.unlink()
    for place in host.made_directories:
        made_anew = restarted and Path(place).is_relative_to(EMPTIED_BY_RESTART)
        taken_over = other_kubelet and DEVICE_PLUGINS.is_relative_to(place)
        if not (made_anew or taken_over):
            _remove_empty_directories(place)
    for directory in host.directories:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_empty_directories(place: str) -> None:
    for directory, _, _ in os.walk(place, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)


def _traces(host: state.HostChanges) -> Iterator[Path]:
    for path in CONTAINER_LOGS.glob("*"):
        if path.is_symlink() and any(os.readlink(path).startswith(f"{own}/") for own in host.directories):
            yield path
    for network in host.networks:
        for path in CNI_RESULTS.glob(f"{network}-*-eth0"):
            container = path.name.removeprefix(f"{network}-").removesuffix("-eth0")
            yield from (path, CNI_RESULTS / f"cni-loopback-{container}-lo")
    for own in host.directories:
        for bootstrap in Path(own).glob("containerd/state/io.containerd.runtime.v2.task/*/*/bootstrap.json"):
            with suppress(OSError, ValueError):  # a power cut may leave it half written
                address = json.loads(bootstrap.read_text()).get("address", "")
                yield Path(str(address).removeprefix("unix://"))


def _restore_sysctl(path: Path, value: str) -> None:
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError as error:
        # Not raised: it would hold up every fleet after this one, and nobody could do more about it then.
        _LOG.warning("%s was %s before the real node, and cannot be put back: %s", path, value, error)


def _unescaped(path: str) -> str:
    """mountinfo writes blanks and the like as octal numbers."""
    return path.encode().decode("unicode_escape") if "\\" in path else path
