"""Finds runc, or unpacks Debian's into the cache: it needs cgo and libseccomp, so it is not built from Go modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from domicile.localfleet import errors, locks, paths, progress

_USUAL_PLACES = ("/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc")
_FETCH_SECONDS = 300
_EXPECTED_SECONDS = 15.0


def present() -> Path | None:
    """One that runs: on PATH, in a usual place, or in the cache."""
    on_path = shutil.which("runc")
    for candidate in (*([on_path] if on_path else []), *_USUAL_PLACES, str(_cached())):
        if _runs(candidate):
            return Path(candidate)
    return None


def obtain(show: progress.Progress) -> Path:
    found = present()
    if found:
        return found
    with locks.held(paths.cache_root() / "runc.lock", within=_FETCH_SECONDS, waiting=show.say):
        if not _runs(str(_cached())):
            steps = [progress.Step("runc", _EXPECTED_SECONDS)]
            with show.working("fetching runc from the Debian archive into the cache", steps, at_once=False) as track:
                track.begin("runc", "nothing is installed")
                _fetch()
                track.done("runc")
    if not _runs(str(_cached())):
        raise errors.RealNodeUnavailable(
            f"runc was unpacked to {_cached()}, but does not run: is the package libseccomp2 installed?"
        )
    return _cached()


def _cached() -> Path:
    return paths.cache_root() / "debian" / "runc" / "usr" / "sbin" / "runc"


def _runs(binary: str) -> bool:
    if not os.access(binary, os.X_OK):
        return False
    try:
        return subprocess.run([binary, "--version"], capture_output=True, timeout=10, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _fetch() -> None:
    target = paths.cache_root() / "debian" / "runc"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="runc-", dir=target.parent) as scratch:
        work = Path(scratch)
        failure = _apt(work, "download", "runc")
        if failure:
            # The package lists may be missing or stale; ours lie in the scratch directory, not in the system.
            failure = _apt(work, "update", private=True) or _apt(work, "download", "runc", private=True)
        packages = list(work.glob("runc_*.deb"))
        if failure or not packages:
            raise errors.RealNodeUnavailable(f"`apt-get download runc` failed: {failure}. Install the package runc.")
        unpacked = work / "unpacked"
        subprocess.run(["dpkg", "-x", packages[0], unpacked], check=True, capture_output=True)
        shutil.rmtree(target, ignore_errors=True)
        unpacked.rename(target)


def _apt(work: Path, *arguments: str, private: bool = False) -> str | None:
    """None when it went well, else what apt-get said."""
    options = ["-q", "-o", "APT::Sandbox::User=root"]
    if private:
        lists = work / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        options += ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={work}"]
    try:
        answer = subprocess.run(
            ["apt-get", *options, *arguments],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if answer.returncode == 0 else (answer.stderr or answer.stdout)[-800:]
