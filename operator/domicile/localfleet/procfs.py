"""Processes through /proc: a process is a pid and its start time, so that a recycled pid is never taken for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    pid: int
    started: int
    """Clock ticks after boot, field 22 of /proc/PID/stat."""


def boot_id() -> str:
    """Start times compare only within one boot."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Process | None:
    """The process that has this pid now, if it lives."""
    fields = _stat(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return Process(pid, int(fields[19]))


def alive(process: Process) -> bool:
    return identify(process.pid) == process


def send(process: Process, number: signal.Signals) -> None:
    """Signals this very process; does nothing when it is gone and its pid serves another."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (ProcessLookupError, OSError):
        return
    try:
        # The descriptor holds on to one process; only now is it safe to ask which one it is.
        if alive(process):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
    finally:
        os.close(descriptor)


def gone(processes: Iterable[Process], within: float) -> list[Process]:
    """Waits until they have ended; returns those that have not."""
    end = time.monotonic() + within
    left = [process for process in processes if alive(process)]
    while left and time.monotonic() < end:
        time.sleep(0.02)
        left = [process for process in left if alive(process)]
    return left


def kill(processes: Collection[Process], within: float = 10.0) -> list[Process]:
    for process in processes:
        send(process, signal.SIGKILL)
    reap(processes)
    return gone(processes, within)


def reap(processes: Collection[Process]) -> None:
    """Takes our own dead children off the process table."""
    for process in processes:
        with suppress(ChildProcessError, OSError):
            os.waitpid(process.pid, os.WNOHANG)


def with_environment(entry: str) -> list[Process]:
    """Every process whose environment holds exactly this NAME=VALUE, other than our own."""
    wanted = entry.encode()
    found: list[Process] = []
    for pid in _pids():
        if pid == os.getpid():
            continue
        try:
            environment = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # ended meanwhile, or not ours to read: then it is not one of ours
        process = identify(pid)
        if wanted in environment and process:
            found.append(process)
    return found


def command_line(pid: int) -> str:
    """Its words with blanks between them; empty when it has ended, and for what the kernel runs."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def command_lines() -> dict[int, str]:
    """Of every process, by its id."""
    return {pid: command_line(pid) for pid in _pids()}


def resident_bytes(pid: int) -> int:
    try:
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The second field is the command in brackets, and may itself hold blanks and brackets.
    return text.rpartition(")")[2].split()
