"""Starts the programs of a fleet, each with its own log and session, and waits until they answer."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from domicile.localfleet import errors, procfs, state, waiting


@dataclass(frozen=True)
class Probe:
    """An HTTP address that answers 200 once a program is ready."""

    url: str
    authority: Path | None = None
    client: tuple[Path, Path] | None = None
    """Certificate and key to show, for servers that ask for one."""

    def ask(self) -> str | None:
        """None when ready, else what was seen."""
        try:
            with urllib.request.urlopen(self.url, timeout=5, context=self._tls()) as answer:
                return None if answer.status == 200 else f"{self.url} answered {answer.status}"
        except urllib.error.HTTPError as error:
            # The body of /readyz lists the checks that fail.
            failing = [line for line in error.read().decode(errors="replace").splitlines() if line.startswith("[-]")]
            return f"{self.url} answered {error.code} {'; '.join(failing)}".rstrip()
        except (OSError, ValueError) as error:
            return f"{self.url}: {error}"

    def _tls(self) -> ssl.SSLContext | None:
        if self.authority is None:
            return None
        context = ssl.create_default_context(cafile=str(self.authority))
        if self.client:
            context.load_cert_chain(*self.client)
        return context


@dataclass(frozen=True)
class Program:
    """A process to start, as data."""

    name: str
    argv: Sequence[str]
    ready: Probe | None = None
    ready_within: float = 90.0
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    inherits: tuple[int, ...] = ()
    """Open file descriptors that it shares with us, such as a lock."""


class Supervisor:
    """Starts, restarts and stops the processes of one fleet, and keeps its ledger true."""

    def __init__(self, ledger: state.Ledger, logs: Path, work: Path) -> None:
        self._ledger, self._logs, self._work = ledger, logs, work
        self.cancelled = threading.Event()
        self.starting = True
        """While the fleet starts, any process that ends has failed; later a test may have killed it."""
        logs.mkdir(parents=True, exist_ok=True)

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name.replace('/', '-')}.log"

    def start(self, program: Program) -> procfs.Process:
        """On record before it runs; the mark in its environment finds it should we die between the two."""
        if self.cancelled.is_set():
            raise errors.StartCancelled(f"{program.name} was not started: the fleet is being stopped")
        log = self.log_of(program.name)
        record = state.ProcessRecord(
            program.name, tuple(map(str, program.argv)), str(log), environment=dict(program.environment)
        )
        self._ledger.record(record)
        return self._spawn(record, program.inherits)

    def restart(self, name: str) -> procfs.Process:
        return self._spawn(self._ledger.state.processes[name])

    def wait_ready(self, program: Program) -> None:
        """Raises ComponentFailed, with the end of the log, when it ends or does not answer in time."""
        if program.ready is None:
            return
        probe = program.ready
        self.wait(program.name, f"200 from {probe.url}", probe.ask, within=program.ready_within)

    def wait(self, name: str, what: str, ask: Callable[[], str | None], within: float) -> None:
        """Waits for `ask` to return None, for as long as the process `name` lives."""

        def look() -> str | None:
            if self.cancelled.is_set():
                raise errors.StartCancelled(f"stopped waiting for {name}")
            for watched in self._ledger.state.processes if self.starting else (name,):
                if self._ended(watched):
                    raise self.failed(watched, what if watched == name else f"{what} of {name}", "")
            return ask()

        try:
            waiting.until(what, look, within=within)
        except errors.WaitedTooLong as error:
            raise self.failed(name, f"{what}, {within:.0f} s", str(error)) from error

    def failed(self, name: str, waited_for: str, last_seen: str) -> errors.ComponentFailed:
        """The failure of a process, with its log. That it has ended, if it has, says more than what was last seen."""
        return errors.ComponentFailed(name, waited_for, self._ended(name) or last_seen, self.log_of(name))

    def signal(self, name: str, number: signal.Signals) -> None:
        process = self._ledger.state.processes[name].process
        if process:
            procfs.send(process, number)

    def kill(self, name: str) -> None:
        process = self._ledger.state.processes[name].process
        if process:
            procfs.kill([process])

    def pid(self, name: str) -> int | None:
        process = self._ledger.state.processes[name].process
        return process.pid if process and procfs.alive(process) else None

    def _spawn(self, record: state.ProcessRecord, inherits: tuple[int, ...] = ()) -> procfs.Process:
        mark_name, _, mark_value = self._ledger.state.mark.partition("=")
        environment = {**_inherited(), **record.environment, mark_name: mark_value}
        with Path(record.log).open("ab") as log:
            child = subprocess.Popen(
                record.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._work,
                env=environment,
                pass_fds=inherits,
                start_new_session=True,  # a terminal's Ctrl-C is for the owner alone
            )
        _children[child.pid] = child
        process = procfs.identify(child.pid) or procfs.Process(child.pid, 0)
        self._ledger.record(replace(record, process=process))
        return process

    def _ended(self, name: str) -> str | None:
        record = self._ledger.state.processes.get(name)
        process = record.process if record else None
        if process is None or procfs.alive(process):
            return None
        child = _children.get(process.pid)
        code = child.poll() if child else None
        if code is None:
            return "the process is gone"
        return f"the process was ended by signal {-code}" if code < 0 else f"the process ended with exit code {code}"


# Kept so that Popen's own clean-up does not reap a child before its exit code was read.
_children: dict[int, subprocess.Popen[bytes]] = {}


def forget_ended_children() -> None:
    for pid, child in list(_children.items()):
        with suppress(ChildProcessError):
            if child.poll() is not None:
                _children.pop(pid, None)


def _inherited() -> dict[str, str]:
    """What a server needs of our environment; proxies and Kubernetes settings of the caller are none of it."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if name in os.environ}
