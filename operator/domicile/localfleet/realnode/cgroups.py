"""The node's own cgroup, in every hierarchy of v1 or in the one of v2. (v2 is written by the book, and untested.)"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from domicile.localfleet import procfs

ROOT = Path("/sys/fs/cgroup")
NEEDED = ("cpu", "memory", "pids")
V2_WANTED = ("cpuset", "cpu", "io", "memory", "pids", "hugetlb")


def unified() -> bool:
    """cgroup v2 alone; a machine with both is used as v1."""
    return (ROOT / "cgroup.controllers").exists()


def unusable() -> str | None:
    if unified():
        there = (ROOT / "cgroup.controllers").read_text().split()
    else:
        there = [path.name for path in ROOT.glob("*") if path.is_dir()]
    missing = [name for name in NEEDED if name not in there]
    if missing:
        return f"cgroup controllers {', '.join(missing)} are not mounted below {ROOT}"
    probe = ROOT if unified() else ROOT / "memory"
    return None if os.access(probe, os.W_OK) else f"{probe} is not writable"


def directories(name: str) -> list[Path]:
    """Where the cgroup `name` is made: one directory in v2, one a hierarchy in v1."""
    if unified():
        return [ROOT / name]
    # Links such as cpuacct -> cpu,cpuacct lead to one hierarchy. "unified", v2 beside v1, is one more: runc uses it.
    return [path / name for path in sorted(ROOT.iterdir()) if path.is_dir() and not path.is_symlink()]


def not_offered() -> list[str]:
    """Controllers that `make` has the root of v2 offer, and that it does not offer yet."""
    if not unified():
        return []
    there = (ROOT / "cgroup.controllers").read_text().split()
    offered = (ROOT / "cgroup.subtree_control").read_text().split()
    return [name for name in V2_WANTED if name in there and name not in offered]


def withdraw(controllers: Iterable[str]) -> list[str]:
    """Has the root of v2 offer these no longer; returns those that others have come to use since."""
    kept: list[str] = []
    for name in controllers:
        try:
            _switch(ROOT, f"-{name}")
        except OSError:
            kept.append(name)
    return kept


def make(directories: list[Path]) -> None:
    if unified():
        _offer_controllers(ROOT)
    for directory in directories:
        directory.mkdir(exist_ok=True)
        if unified():
            _offer_controllers(directory)


def processes(directories: list[Path]) -> list[procfs.Process]:
    found: set[procfs.Process] = set()
    for directory in directories:
        for path, _, _ in os.walk(directory):  # unlike rglob, at ease with cgroups that end meanwhile
            with suppress(OSError):
                pids = Path(path, "cgroup.procs").read_text().split()
                found |= {process for pid in pids if (process := procfs.identify(int(pid)))}
    return list(found)


def remove(directories: list[Path], within: float = 10.0) -> list[Path]:
    """Removes them with all below; returns what stayed. The kernel lets go of an emptied cgroup a moment later."""
    end = time.monotonic() + within
    while True:
        for directory in directories:
            for path, _, _ in os.walk(directory, topdown=False):
                with suppress(OSError):
                    os.rmdir(path)
        left = [directory for directory in directories if directory.exists()]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def _offer_controllers(directory: Path) -> None:
    """Lets children have the controllers; those that are on already stay on."""
    there = (directory / "cgroup.controllers").read_text().split()
    for name in V2_WANTED:
        if name in there:
            with suppress(OSError):
                _switch(directory, f"+{name}")


def _switch(directory: Path, word: str) -> None:
    (directory / "cgroup.subtree_control").write_text(word)
