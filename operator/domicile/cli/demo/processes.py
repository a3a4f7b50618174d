"""Processes that another run of the demo left or is. Ids are used again: on Linux the start time tells them apart, elsewhere
what ps says."""

import os
import platform
import signal
import subprocess
from contextlib import suppress
from typing import Final

from domicile.localfleet import procfs

LINUX: Final = platform.system() == "Linux"


def own() -> procfs.Process:
    """This process."""
    return (procfs.identify(os.getpid()) if LINUX else None) or procfs.Process(os.getpid(), 0)


def find(pid: int, words: str) -> procfs.Process | None:
    """The process of this id, if it lives and has these words in its command line."""
    if not pid:
        return None
    if LINUX:
        process, command = procfs.identify(pid), procfs.command_line(pid)
    else:
        process, command = procfs.Process(pid, 0), _said_by_ps(pid)
    return process if words in command else None


def alive(process: procfs.Process) -> bool:
    """Whether this very process still runs."""
    return procfs.alive(process) if LINUX else bool(_said_by_ps(process.pid))


def send(process: procfs.Process, number: signal.Signals) -> None:
    """Signals it; nothing happens when it is gone."""
    if LINUX:
        procfs.send(process, number)
        return
    with suppress(ProcessLookupError):
        os.kill(process.pid, number)


def _said_by_ps(pid: int) -> str:
    """State and command line; empty when it has ended."""
    command = ("ps", "-ww", "-o", "stat=,command=", "-p", str(pid))
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return "" if shown.startswith("Z") else shown
