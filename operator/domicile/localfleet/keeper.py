"""A process that outlives the owner of a fleet just long enough to stop it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from domicile.localfleet import procfs, state

NAME = "keeper"
_COMMAND = f"from {__name__} import main; main()"


def start(ledger: state.Ledger, log: Path) -> subprocess.Popen[bytes]:
    """Its stdin has to stay open: the end of it, also by `kill -9`, is the sign that the owner is gone."""
    known = ledger.state
    mark_name, _, mark_value = known.mark.partition("=")
    record = state.ProcessRecord(NAME, (sys.executable, "-c", _COMMAND, known.name, known.id), str(log))
    ledger.record(record)
    with log.open("ab") as output:
        child = subprocess.Popen(
            record.argv,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, mark_name: mark_value, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    ledger.record(replace(record, process=procfs.identify(child.pid)))
    return child


def dismiss(child: subprocess.Popen[bytes]) -> None:
    """After the fleet was stopped: it finds nothing left to do."""
    if child.stdin:
        child.stdin.close()
    child.wait()


def main() -> None:
    """What the keeper does: wait for the end of the pipe, then stop the fleet it was started for, and no later one."""
    name, fleet_id = sys.argv[1:]
    sys.stdin.buffer.read()
    from domicile.localfleet import stopping

    stopping.down(name, only_id=fleet_id)
