"""Where the local fleet keeps what it builds (the cache) and what it runs (one directory per fleet)."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from domicile.localfleet import errors

# sun_path holds 108 bytes; containerd and the kubelet add names of their own behind ours.
LONGEST_SOCKET = 100
LONGEST_NAME = 20
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")

PACKAGE = Path(__file__).parent
MODULES = PACKAGE / "modules"


def cache_root() -> Path:
    """Built binaries; safe to delete, never inside a work tree unless somebody asks for it."""
    chosen = os.environ.get("DOMICILE_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "domicile"


def run_root() -> Path:
    chosen = os.environ.get("DOMICILE_RUN")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "domicile"


def fleets_dir() -> Path:
    return run_root() / "fleets"


def fleet_dir(name: str) -> Path:
    return fleets_dir() / checked_name(name)


def failed_start(name: str) -> Path:
    """Where the logs of a fleet that did not come up are kept."""
    return run_root() / "failed-starts" / checked_name(name)


def checked_name(name: str) -> str:
    """Names become directory, host, bridge and cgroup names, so they are DNS labels, and short."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise errors.InvalidSpec(
            f"{name!r} is no name for a fleet, region or node: use lower-case letters, digits and '-', at most {LONGEST_NAME}"
        )
    return name


def socket_dir(preferred: Path, longest_socket: str) -> Path:
    """`preferred`, or a short directory of our own when a unix socket below it would not fit in sun_path."""
    if len(os.fsencode(preferred / longest_socket)) < LONGEST_SOCKET:
        return preferred
    mark = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"domicile-{mark}"
