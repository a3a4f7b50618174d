"""Makes the programs of a fleet be there: present on the machine, in the cache, or built now from Go modules."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from domicile.localfleet import cache, components, errors, extracts, golang, locks, paths, progress

_LOCK_SECONDS = 3600.0
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Programs:
    """Where each binary lies, and where each component's source files lie."""

    binaries: Mapping[str, Path]
    shares: Mapping[str, Path]

    def binary(self, name: str) -> Path:
        try:
            return self.binaries[name]
        except KeyError:
            raise errors.LocalFleetError(
                f"no binary {name!r} in this fleet; there are: {', '.join(sorted(self.binaries))}"
            ) from None

    def share(self, component: components.Component) -> Path:
        return self.shares[component.name]


@dataclass(frozen=True)
class Present:
    """A tool of the machine that is used instead of a build."""

    component: components.Component
    binary: Path
    version: str


@dataclass(frozen=True)
class Plan:
    """What is used as it is, what lies in the cache, what has to be built."""

    present: tuple[Present, ...]
    cached: tuple[tuple[components.Component, cache.Entry], ...]
    missing: tuple[tuple[components.Component, cache.Entry], ...]

    def programs(self) -> Programs:
        binaries = {used.component.binaries[0]: used.binary for used in self.present}
        shares: dict[str, Path] = {}
        for component, entry in (*self.cached, *self.missing):
            shares[component.name] = entry.share
            binaries.update({name: entry.binary(name) for name in component.binaries})
        return Programs(binaries, shares)


def ensure_built(wanted: Sequence[components.Component], show: progress.Progress) -> Programs:
    """Everything in `wanted`, built if need be. Safe to interrupt: a second call goes on where the first stopped."""
    go = golang.toolchain(show)
    plan = plan_for(wanted, go.version)
    for used in plan.present:
        show.say(f"using {used.component.name} {used.version} at {used.binary}")
    if plan.missing:
        with locks.held(paths.cache_root() / "build.lock", within=_LOCK_SECONDS, waiting=show.say):
            plan = plan_for(wanted, go.version)  # another process may have built it meanwhile
            cache.drop_scratch()
            _build_all(plan.missing, go, show)
    return plan.programs()


def plan_for(wanted: Iterable[components.Component], go_version: str) -> Plan:
    present: list[Present] = []
    cached: list[tuple[components.Component, cache.Entry]] = []
    missing: list[tuple[components.Component, cache.Entry]] = []
    for component in dict.fromkeys(wanted):
        tool = _present(component)
        if tool:
            present.append(tool)
            continue
        entry = cache.entry(component, go_version)
        (cached if entry.complete(component) else missing).append((component, entry))
    return Plan(tuple(present), tuple(cached), tuple(missing))


def fits(wanted: str, found: str) -> bool:
    """Same major and minor version: a patch release does not change what a fleet relies on."""
    return wanted.split(".")[:2] == found.split(".")[:2]


def _present(component: components.Component) -> Present | None:
    if not component.version_arguments:
        return None
    (name,) = component.binaries
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [str(Path(assets) / name)] if assets else []
    on_path = shutil.which(name)
    for candidate in [*places, *([on_path] if on_path else [])]:
        version = _version_of(candidate, component.version_arguments)
        if version and fits(component.version, version):
            return Present(component, Path(candidate), version)
    return None


def _version_of(binary: str, arguments: Sequence[str]) -> str | None:
    if not os.access(binary, os.X_OK):
        return None
    try:
        answer = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout)
    return ".".join(match.groups()) if match else None


def _build_all(
    missing: Sequence[tuple[components.Component, cache.Entry]], go: golang.Go, show: progress.Progress
) -> None:
    timings = cache.Timings()
    steps = [
        progress.Step(
            f"{component.name} {component.version}", timings.expected(component.name, component.expected_seconds)
        )
        for component, _ in missing
    ]
    with show.working("building the fleet's programs", steps, at_once=False) as track:
        for step, (component, entry) in zip(steps, missing, strict=True):
            track.begin(step.name)
            with cache.being_filled(entry) as scratch:
                _build(component, scratch, go)
            timings.measured(component.name, track.done(step.name))


def _build(component: components.Component, into: cache.Entry, go: golang.Go) -> None:
    (into.directory / "bin").mkdir()
    module_dir = paths.MODULES / component.module_dir
    patched = into.directory / "patched"
    if component.patched_main:
        module_dir = _with_patched_main(component, component.patched_main, module_dir, patched, go)
    if component.patched_package:
        module_dir = _with_patched_package(component, component.patched_package, module_dir, patched, go)
    for target in component.targets:
        command = [str(go.binary), "build", "-mod=readonly", "-trimpath", "-ldflags", " ".join(component.ldflags)]
        if component.tags:
            command += ["-tags", ",".join(component.tags)]
        command += ["-o", str(into.binary(target.binary)), target.package]
        _run(component, command, module_dir, go)
    for files in component.sources:
        extracts.copy(files, _module_source(component, files.module, module_dir, go), into.share)
    shutil.rmtree(patched, ignore_errors=True)


def _with_patched_main(
    component: components.Component, patch: components.PatchedMain, module_dir: Path, work: Path, go: golang.Go
) -> Path:
    source = _module_source(component, patch.module, module_dir, go) / patch.path
    shutil.copytree(module_dir, work)
    (work / "main.go").write_text(_patched(component, patch, source))
    return work


def _with_patched_package(
    component: components.Component, patch: components.PatchedPackage, module_dir: Path, work: Path, go: golang.Go
) -> Path:
    package = _module_source(component, patch.module, paths.MODULES / patch.pinned_in, go) / patch.path
    shutil.copytree(module_dir, work)
    for source in package.glob("*.go"):
        if not source.name.endswith("_test.go"):
            (work / patch.into / source.name).write_bytes(source.read_bytes())
    (work / patch.into / patch.file).write_text(_patched(component, patch, package / patch.file))
    return work


def _patched(
    component: components.Component, patch: components.PatchedMain | components.PatchedPackage, source: Path
) -> str:
    text = source.read_text()
    if text.count(patch.old) != 1:
        raise errors.BuildFailed(component.name, f"{source} does not hold the text to replace", patch.old)
    return text.replace(patch.old, patch.new)


def _module_source(component: components.Component, module: str, module_dir: Path, go: golang.Go) -> Path:
    """The module's unpacked source, downloaded and checked against go.sum if it is not there yet."""
    answer = _run(component, [str(go.binary), "mod", "download", "-json", module], module_dir, go)
    return Path(json.loads(answer)["Dir"])


def _run(component: components.Component, command: Sequence[str], directory: Path, go: golang.Go) -> str:
    answer = subprocess.run(
        command,
        cwd=directory,
        env=go.environment(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if answer.returncode:
        raise errors.BuildFailed(
            component.name, f"`{' '.join(command)}` ended with {answer.returncode}", answer.stderr or answer.stdout
        )
    return answer.stdout
