"""The store of built components: keys by content, atomic entries, and the build times measured on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from domicile.localfleet import components, paths

RECIPE = 2
"""Raised when the way of building changes in a manner that the rest of the key does not show."""


@dataclass(frozen=True)
class Entry:
    """One built component: `bin/` and, for some, files of its module's source under `share/`."""

    directory: Path

    def binary(self, name: str) -> Path:
        return self.directory / "bin" / name

    @property
    def share(self) -> Path:
        return self.directory / "share"

    def complete(self, component: components.Component) -> bool:
        return all(os.access(self.binary(name), os.X_OK) for name in component.binaries)


def key(component: components.Component, go_version: str, modules: Path = paths.MODULES) -> str:
    """Same key, same binaries: everything that goes into the build, and nothing that does not."""
    build = asdict(component)
    for told_to_people in ("expected_seconds", "version_arguments"):
        build.pop(told_to_people)
    if component.patched_package is None:
        build.pop("patched_package")  # it came later, and leaves the keys of those without it as they were
    digest = hashlib.sha256()
    digest.update(json.dumps([RECIPE, build, go_version, platform.system(), platform.machine()]).encode())
    directory = modules / component.module_dir
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"\0{path.relative_to(directory).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def entry(component: components.Component, go_version: str) -> Entry:
    name = f"{component.name}-{component.version}-{key(component, go_version)[:16]}"
    return Entry(paths.cache_root() / "built" / name)


@contextmanager
def being_filled(target: Entry) -> Generator[Entry]:
    """A scratch entry that becomes `target` in one rename when the block ends well, and vanishes when not."""
    scratch_root = paths.cache_root() / "scratch"
    scratch_root.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{target.directory.name}-", dir=scratch_root))
    scratch.chmod(0o755)
    try:
        yield Entry(scratch)
        target.directory.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target.directory, ignore_errors=True)
        scratch.rename(target.directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def drop_scratch() -> None:
    """What killed builds left behind; to be called under the build lock."""
    shutil.rmtree(paths.cache_root() / "scratch", ignore_errors=True)


class Timings:
    """How long things took on this machine; kept beside the binaries so that estimates get better."""

    def __init__(self) -> None:
        self._file = paths.cache_root() / "timings.json"

    def expected(self, name: str, otherwise: float) -> float:
        return self._read().get(name, otherwise)

    def measured(self, name: str, seconds: float) -> None:
        known = self._read()
        known[name] = round(seconds, 1)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Members start in threads of one process, and each is measured.
        scratch = self._file.with_name(f"timings.{os.getpid()}.{threading.get_ident()}.tmp")
        scratch.write_text(json.dumps(known, indent=1, sort_keys=True))
        scratch.replace(self._file)

    def _read(self) -> dict[str, float]:
        try:
            raw = json.loads(self._file.read_text())
            return {str(name): float(seconds) for name, seconds in raw.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}  # an estimate that is lost is only less exact
