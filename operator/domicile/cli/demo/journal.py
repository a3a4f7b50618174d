"""The demo's own directory: a lock, a journal of what has to be undone, and a place for files. It outlives a killed demo."""

import fcntl
import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from domicile.cli.demo import processes
from domicile.cli.failure import Failure
from domicile.localfleet import paths, procfs

_LOCK = "lock"
_STOP_SECONDS = 180.0


@dataclass(frozen=True)
class Made:
    """An object that the demo made on a cluster that was there before."""

    cluster: str
    """Name of the region, or `hub`."""
    path: str
    """Its URL path."""


@dataclass(frozen=True)
class Given:
    """Clusters that were there before, and what the demo made on them."""

    kubeconfig: str
    """Path; empty for kubectl's default."""
    hub_context: str
    regions: tuple[tuple[str, str], ...]
    """Code and context of each."""
    operator: int = 0
    """Process id; 0 while there is none."""
    made: tuple[Made, ...] = ()

    @property
    def touched(self) -> bool:
        """Whether anything of the demo may be there: it is put on record before it is made."""
        return bool(self.made or self.operator)

    def shown(self) -> tuple[str, ...]:
        """What is on record, one line for each object."""
        contexts = {"hub": self.hub_context, **{code.lower(): context for code, context in self.regions}}
        return tuple(f"{made.cluster} (context {contexts[made.cluster]}): {made.path}" for made in self.made)


@dataclass(frozen=True)
class Entry:
    """What a demo has to undo."""

    kept: bool = False
    given: Given | None = None


@dataclass
class Journal:
    """The journal of the demo that this process runs. Each change is on disk before the call returns."""

    directory: Path
    entry: Entry | None
    lock: IO[str] = field(repr=False)

    @property
    def work(self) -> Path:
        """Where kubeconfigs, YAML files and the operator's log are."""
        return self.directory / "work"

    def write(self, entry: Entry | None) -> None:
        """Replace what is on record; None: there is nothing to undo any more."""
        self.entry = entry
        file = self.directory / "journal.json"
        if entry is None:
            file.unlink(missing_ok=True)
            return
        scratch = file.with_suffix(".tmp")
        scratch.write_text(json.dumps(asdict(entry), indent=1))
        scratch.replace(file)

    def change_given(self, change: Callable[[Given], Given]) -> None:
        """Change what is on record of the given clusters."""
        if self.entry is not None and self.entry.given is not None:
            self.write(replace(self.entry, given=change(self.entry.given)))

    def fresh_work(self) -> Path:
        """An empty directory for files; nobody else can read it."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True, mode=0o700)
        return self.work

    def close(self) -> None:
        """Let the next demo begin."""
        self.lock.close()


def claim() -> Journal:
    """The journal, for this process alone. Failure if another demo runs now."""
    journal = _try_claim()
    if journal is None:
        holder = _holder()
        who = f"process {holder.pid}" if holder else "which has only just begun"
        raise Failure(f"a demo is running already, {who}: wait for it, or stop it with `domicile demo down`")
    return journal


def claim_from_whoever_has_it(tell: Callable[[str], None]) -> Journal:
    """The journal; a demo that runs now is told to stop, as by Ctrl-C, and waited for."""
    deadline = time.monotonic() + _STOP_SECONDS
    told: procfs.Process | None = None
    while (journal := _try_claim()) is None:
        holder = _holder()
        # Until it has written its own name, whoever took the lock stands there as its dead forerunner.
        if holder and holder != told and processes.alive(holder):
            tell(f"stopping the demo that runs as process {holder.pid}")
            processes.send(holder, signal.SIGTERM)
            told = holder
        if time.monotonic() > deadline:
            who = f"process {holder.pid}" if holder else "which does not say who it is"
            raise Failure(f"the demo, {who}, does not end within {_STOP_SECONDS:.0f} s")
        time.sleep(0.1)
    return journal


def _try_claim() -> Journal | None:
    directory = _directory()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (directory / _LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    own = processes.own()
    lock.truncate(0)
    lock.write(f"{own.pid} {own.started}")
    lock.flush()
    return Journal(directory, _read(directory), lock)


def _holder() -> procfs.Process | None:
    """Who wrote itself into the lock last; None while somebody is about to."""
    try:
        pid, started = (_directory() / _LOCK).read_text().split()
        return procfs.Process(int(pid), int(started))
    except (OSError, ValueError):
        return None


def _directory() -> Path:
    return paths.run_root() / "demo"


def _read(directory: Path) -> Entry | None:
    try:
        raw: dict[str, Any] = json.loads((directory / "journal.json").read_text())
    except FileNotFoundError:
        return None
    given: dict[str, Any] | None = raw["given"]
    return Entry(raw["kept"], _given(given) if given else None)


def _given(raw: dict[str, Any]) -> Given:
    return Given(
        raw["kubeconfig"],
        raw["hub_context"],
        tuple((code, context) for code, context in raw["regions"]),
        raw["operator"],
        tuple(Made(**each) for each in raw["made"]),
    )
