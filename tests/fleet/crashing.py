"""`domicile operator` that dies by SIGKILL right after its n-th write was answered: before it could know of it.

Run as a module with CRASH_AFTER=n and STEPS=file; what was written is noted in the file, a line a write. Leases,
claims to members and dry runs do not count. Dying after write n leaves the world as dying before write n + 1 does: what the process knew is lost either way.
"""

import os
import signal
from pathlib import Path
from typing import Any

from domicile.cli.main import main
from domicile.kube.transport import Transport

WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def _of_who_leads(path: str) -> bool:
    """Written by each process that begins to lead, however little there is to do."""
    return "/leases" in path or "/hubclaims" in path


def crash_after(number: int, steps: Path) -> None:
    send, count = Transport.send, 0

    async def counted(self: Transport, method: str, path: str, **more: Any) -> Any:
        nonlocal count
        try:
            return await send(self, method, path, **more)
        finally:
            if method in WRITES and not _of_who_leads(path) and "dryRun" not in (more.get("query") or {}):
                count += 1
                with steps.open("a") as file:
                    file.write(f"{method} {path}\n")
                if count == number:
                    os.kill(os.getpid(), signal.SIGKILL)

    Transport.send = counted


if __name__ == "__main__":
    crash_after(int(os.environ["CRASH_AFTER"]), Path(os.environ["STEPS"]))
    main()
