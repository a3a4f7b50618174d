"""Stops a fleet and undoes what it changed, from its record alone: by its owner, by another, or after a crash."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import errors, locks, paths, ports, processes, procfs, state
from domicile.localfleet.realnode import undoing

LOCK_SECONDS = 120.0


@dataclass(frozen=True)
class Leftover:
    """A fleet that nobody owns any more."""

    name: str
    why: str
    processes: int


def down(name: str, *, only_id: str | None = None, only_if_abandoned: bool = False) -> bool:
    """Stops everything the fleet started and nothing else. False when there is no such fleet. Can be repeated."""
    directory = paths.fleet_dir(name)
    with locks.held(lock_file(name), within=LOCK_SECONDS):
        known = state.read(directory)
        if only_id and (known is None or known.id != only_id):
            return False
        if only_if_abandoned and known is not None and not abandoned(known):
            return False  # its name was taken again while we waited for the lock
        if known is None and not directory.exists():
            return False
        if known is not None:
            undo(known)
        ports.Ports(ports_dir(), name).release_all()
        _remove(directory)
        return True


def undo(known: state.State) -> None:
    """Ends the fleet's processes, then what its real node left on the host."""
    if known.boot != procfs.boot_id():
        # The machine was restarted since: nothing of it runs, pids and sysctls are others', but its files are still there.
        undoing.remove_traces(known.host, restarted=True)
        return
    undoing.stop_node(known)
    # The data of a fleet ends with it, so nothing needs a gentle end.
    survivors = procfs.kill(living(known))
    survivors += procfs.kill(living(known))  # children born while their parents were being killed
    processes.forget_ended_children()
    if survivors:
        pids = ", ".join(str(process.pid) for process in survivors)
        raise errors.StillThere(f"processes {pids} of fleet {known.name} do not end, not even by SIGKILL")
    undoing.undo_host_changes(known)


def living(known: state.State) -> list[procfs.Process]:
    """Processes on record, and those that carry the fleet's mark without being on record; never ourselves."""
    on_record = [record.process for record in known.processes.values() if record.process]
    found = {process for process in on_record if procfs.alive(process)} | set(procfs.with_environment(known.mark))
    return [process for process in found if process.pid != os.getpid()]


def leftovers() -> list[Leftover]:
    """Fleets of this run root whose owner is gone, or whose machine was restarted."""
    found: list[Leftover] = []
    for directory in sorted(paths.fleets_dir().glob("*/")):
        known = state.read(directory)
        if known is None:
            found.append(Leftover(directory.name, "it has no record: it was being removed", 0))
            continue
        why = abandoned(known)
        if why:
            found.append(Leftover(known.name, why, len(living(known))))
    return found


def abandoned(known: state.State) -> str | None:
    """Why nobody needs this fleet any more; None when somebody may."""
    if known.boot != procfs.boot_id():
        return "the machine was restarted since"
    if known.owner is not None:
        return None if procfs.alive(known.owner) else f"its owner, process {known.owner.pid}, is gone"
    return None if living(known) else "none of its processes runs any more"


def lock_file(name: str) -> Path:
    return paths.fleets_dir() / f"{paths.checked_name(name)}.lock"


def ports_dir() -> Path:
    return paths.run_root() / "ports"


def _remove(directory: Path) -> None:
    # The record goes last: whoever finds it after a crash in between starts over.
    for path in directory.iterdir() if directory.exists() else ():
        if path.name == state.FILE:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        raise errors.StillThere(f"{directory} cannot be removed: {sorted(path.name for path in directory.iterdir())}")
