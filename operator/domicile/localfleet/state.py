"""The record of what a fleet has started, written before each start, so that it can be undone after a crash."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from domicile.localfleet import procfs

FILE = "state.json"
MARK = "DOMICILE_LOCALFLEET"
"""Every process of a fleet carries this variable; its value is the fleet's id, which no other process has."""


@dataclass(frozen=True)
class ProcessRecord:
    """One process; without `process` it was about to be started."""

    name: str
    argv: tuple[str, ...]
    log: str
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: procfs.Process | None = None


@dataclass(frozen=True)
class HostChanges:
    """What a real node changes outside its own directory; all of it is put back."""

    sysctls: Mapping[str, str] = field(default_factory=dict[str, str])
    """Values before the first change."""
    links: tuple[str, ...] = ()
    cgroups: tuple[str, ...] = ()
    """Directories of our own below the cgroup mounts."""
    controllers: tuple[str, ...] = ()
    """Controllers of cgroup v2 that its root did not offer before."""
    directories: tuple[str, ...] = ()
    """Directories that are the node's alone, with all mounts below them."""
    made_directories: tuple[str, ...] = ()
    """Shared places that were not there before; removed when nothing of others is in them."""
    networks: tuple[str, ...] = ()
    """Names of pod networks; CNI names files of its own after them."""
    tables: tuple[str, ...] = ()
    """Names of nftables tables of the family inet."""


@dataclass(frozen=True)
class State:
    name: str
    id: str
    boot: str
    owner: procfs.Process | None
    """None when the fleet is to live on without the process that started it."""
    processes: Mapping[str, ProcessRecord] = field(default_factory=dict[str, ProcessRecord])
    host: HostChanges = HostChanges()

    @property
    def mark(self) -> str:
        return f"{MARK}={self.id}"


class Ledger:
    """The state of one fleet on disk. Thread-safe; each change is on disk before the call returns."""

    def __init__(self, directory: Path, state: State) -> None:
        self._file = directory / FILE
        self._state = state
        self._lock = threading.RLock()

    @property
    def state(self) -> State:
        return self._state

    def save(self) -> None:
        with self._lock:
            scratch = self._file.with_suffix(".tmp")
            scratch.write_text(json.dumps(asdict(self._state), indent=1))
            scratch.replace(self._file)

    def record(self, record: ProcessRecord) -> None:
        with self._lock:
            self._state = replace(self._state, processes={**self._state.processes, record.name: record})
            self.save()

    def change_host(self, host: HostChanges) -> None:
        with self._lock:
            self._state = replace(self._state, host=host)
            self.save()


def fresh(name: str, *, owned: bool) -> State:
    owner = procfs.identify(os.getpid()) if owned else None
    return State(name=name, id=uuid.uuid4().hex, boot=procfs.boot_id(), owner=owner)


def read(directory: Path) -> State | None:
    """The state in a fleet's directory, None when there is none. It is never cut short: it is renamed into place."""
    try:
        raw: dict[str, Any] = json.loads((directory / FILE).read_text())
    except FileNotFoundError:
        return None
    return State(
        name=raw["name"],
        id=raw["id"],
        boot=raw["boot"],
        owner=_process(raw["owner"]),
        processes={name: _record(record) for name, record in raw["processes"].items()},
        host=_host(raw["host"]),
    )


def _process(raw: Any) -> procfs.Process | None:
    return procfs.Process(raw["pid"], raw["started"]) if raw else None


def _record(raw: Any) -> ProcessRecord:
    return ProcessRecord(
        name=raw["name"],
        argv=tuple(raw["argv"]),
        log=raw["log"],
        environment=raw["environment"],
        process=_process(raw["process"]),
    )


def _host(raw: Any) -> HostChanges:
    return HostChanges(
        sysctls=raw["sysctls"], **{name: tuple(value) for name, value in raw.items() if name != "sysctls"}
    )
