"""Starts a fleet, its clusters beside each other; when one part fails, all of it is undone."""

from __future__ import annotations

import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from domicile.localfleet import (
    build,
    cache,
    components,
    errors,
    etcds,
    fleet,
    keeper,
    locks,
    members,
    paths,
    ports,
    processes,
    progress,
    registry,
    spec,
    state,
    stopping,
)
from domicile.localfleet.realnode import node, possible

EXPECTED_SECONDS = 30.0
Result = TypeVar("Result")
_keepers: dict[str, subprocess.Popen[bytes]] = {}


def start(wanted: spec.FleetSpec, show: progress.Progress | None = None, *, outlive: bool = False) -> fleet.Fleet:
    """The whole fleet, up and ready.

    With `outlive` it stays until `down(name)`; else it ends with this process, however this process ends.
    """
    show = show or progress.for_stream(sys.stderr)
    if platform.system() != "Linux":
        raise errors.LocalFleetError(f"a local fleet needs Linux and its /proc; this is {platform.system()}")
    _clear_leftovers(show)
    real = _real_node(wanted, show)
    needed = (*components.FLEET, *(components.REAL_NODE if isinstance(real, members.RealNode) else ()))
    programs = build.ensure_built(needed, show)
    began = time.monotonic()
    ledger = _claim(wanted, show, outlive=outlive)
    try:
        return _Start(wanted, ledger, programs, show, began, real).run()
    except BaseException as error:
        show.say(f"fleet {wanted.name}: the start failed, stopping what was started")
        kept = None if _is_cancelled(error) else _kept_logs(wanted.name)
        down(wanted.name, only_id=ledger.state.id)
        if kept is None:
            raise
        show.say(f"the logs of that start are in {kept}")
        if isinstance(error, errors.ComponentFailed):
            raise error.with_log_in(kept) from error.__cause__
        raise


@contextmanager
def running(wanted: spec.FleetSpec, show: progress.Progress | None = None) -> Generator[fleet.Fleet]:
    """A fleet for the length of a block; SIGINT and SIGTERM end the block, and with it the fleet."""
    show = show or progress.for_stream(sys.stderr)
    with _terminated_as_exit():
        up = start(wanted, show)
        try:
            yield up
        finally:
            show.say(f"fleet {wanted.name}: stopping")
            down(wanted.name, only_id=up.ledger.state.id)


def down(name: str, *, only_id: str | None = None) -> bool:
    """Stops the fleet of this name, whoever started it. False when there is none."""
    stopped = stopping.down(name, only_id=only_id)
    keeping = _keepers.get(name)
    if keeping and (stopped or keeping.poll() is not None):
        keeper.dismiss(_keepers.pop(name))
    return stopped


def _is_cancelled(error: BaseException) -> bool:
    return isinstance(error, errors.StartCancelled) or not isinstance(error, Exception)


def _kept_logs(name: str) -> Path | None:
    """A copy of the fleet's logs, which end with it; it stays until the next start of this name. None if there is no room."""
    copy = paths.failed_start(name)
    try:
        shutil.rmtree(copy, ignore_errors=True)
        return Path(shutil.copytree(paths.fleet_dir(name) / "logs", copy))
    except OSError:
        return None


def _real_node(wanted: spec.FleetSpec, show: progress.Progress) -> members.RealNode | possible.NotPossible | None:
    """The real node to make, or why it is simulated; None when nobody asked for one."""
    asked_for = wanted.real_node()
    if asked_for is None:
        return None
    answer = possible.real_node_possible()
    if isinstance(answer, possible.Possible):
        try:
            # Looked at before the build and let go again: a fleet that builds for minutes keeps no other from its node.
            with node.the_only_one(show.say):
                return members.RealNode(asked_for, node.obtain_runc(show))
        except errors.RealNodeUnavailable as error:
            answer = possible.NotPossible(str(error))
    show.say(f"node {asked_for.name} will be simulated: {answer.reason}")
    return answer


def _clear_leftovers(show: progress.Progress) -> None:
    """Of any name: a dead fleet holds ports, memory, and perhaps the one real node."""
    for left in stopping.leftovers():
        show.say(f"clearing what is left of fleet {left.name}: {left.why}; {left.processes} processes still ran")
        stopping.down(left.name, only_if_abandoned=True)


def _claim(wanted: spec.FleetSpec, show: progress.Progress, *, outlive: bool) -> state.Ledger:
    """Takes the name; raises FleetRunning when somebody has it."""
    directory = paths.fleet_dir(wanted.name)
    with locks.held(stopping.lock_file(wanted.name), within=stopping.LOCK_SECONDS, waiting=show.say):
        known = state.read(directory)
        if known is not None:
            owner = f"process {known.owner.pid}" if known.owner else "nobody in particular"
            raise errors.FleetRunning(
                f"fleet {wanted.name!r} is running in {directory}, owned by {owner}.\n"
                f"Choose another name, or stop it first: localfleet.down({wanted.name!r})."
            )
        shutil.rmtree(paths.failed_start(wanted.name), ignore_errors=True)
        directory.mkdir(parents=True, mode=0o700)
        ledger = state.Ledger(directory, state.fresh(wanted.name, owned=not outlive))
        ledger.save()
    if not outlive:
        (directory / "logs").mkdir()
        _keepers[wanted.name] = keeper.start(ledger, directory / "logs" / "keeper.log")
    return ledger


@dataclass
class _Start:
    wanted: spec.FleetSpec
    ledger: state.Ledger
    programs: build.Programs
    show: progress.Progress
    began: float
    real: members.RealNode | possible.NotPossible | None

    def __post_init__(self) -> None:
        self.directory = paths.fleet_dir(self.wanted.name)
        self.supervisor = processes.Supervisor(self.ledger, self.directory / "logs", self.directory)
        self.ports = ports.Ports(stopping.ports_dir(), self.wanted.name)
        self.timings = cache.Timings()

    def run(self) -> fleet.Fleet:
        steps = [self._step(name) for name in ("registry", spec.HUB, *(region.name for region in self.wanted.regions))]
        with self.show.working(f"starting fleet {self.wanted.name}", steps, at_once=True) as track:
            return self._all(track)

    def _all(self, track: progress.Track) -> fleet.Fleet:
        with ThreadPoolExecutor(max_workers=16, thread_name_prefix="fleet") as pool:
            try:
                serving, serving_program = registry.prepare(self.directory / "registry", self.programs, self.ports)
                images = pool.submit(self._timed, track, "registry", self._registry, serving, serving_program)
                common = members.Common(
                    fleet=self.wanted.name,
                    directory=self.directory,
                    programs=self.programs,
                    ports=self.ports,
                    supervisor=self.supervisor,
                    pool=pool,
                    registry=serving,
                    images=images,
                    ledger=self.ledger,
                )
                hub = pool.submit(self._timed, track, spec.HUB, self._hub, common)
                etcd = pool.submit(self._etcd, "etcd-regions")
                regions = {
                    region.name: pool.submit(self._timed, track, region.name, self._region, common, etcd, region, index)
                    for index, region in enumerate(self.wanted.regions)
                }
                _first_failure_ends_all([images, hub, etcd, *regions.values()])
            except BaseException:
                self.supervisor.cancelled.set()
                raise
        self.supervisor.starting = False
        return fleet.Fleet(
            spec=self.wanted,
            directory=self.directory,
            hub=hub.result(),
            regions={name: each.result() for name, each in regions.items()},
            registry=serving,
            images=images.result(),
            programs=self.programs,
            ledger=self.ledger,
            start_seconds=time.monotonic() - self.began,
        )

    def _registry(
        self, note: Callable[[str], None], serving: registry.Registry, program: processes.Program
    ) -> registry.Images:
        self.supervisor.start(program)
        self.supervisor.wait_ready(program)
        note("pushing images")
        return registry.push_own_images(serving, self.programs)

    def _etcd(self, name: str) -> etcds.Etcd:
        etcd, program = etcds.prepare(name, self.directory / name, self.programs, self.ports)
        self.supervisor.start(program)
        self.supervisor.wait_ready(program)
        return etcd

    def _hub(self, note: Callable[[str], None], common: members.Common) -> fleet.Cluster:
        note("etcd")
        return members.hub(common, self._etcd("etcd-hub"), note)

    def _region(
        self,
        note: Callable[[str], None],
        common: members.Common,
        etcd: Future[etcds.Etcd],
        region: spec.RegionSpec,
        index: int,
    ) -> fleet.Region:
        note("etcd")
        here = region.name == self.wanted.real_node_in
        real = self.real if here and isinstance(self.real, members.RealNode) else None
        up = members.region(common, etcd.result(), region, index, real, note)
        if real and up.no_real_node:
            self.show.say(f"node {real.spec.name} is simulated: {up.no_real_node}")
        if real and up.no_network_policies:
            self.show.say(f"NetworkPolicies have no effect on node {real.spec.name}: {up.no_network_policies}")
        if here and isinstance(self.real, possible.NotPossible):
            return replace(up, no_real_node=self.real.reason)
        return up

    def _timed(self, track: progress.Track, step: str, work: Callable[..., Result], *arguments: object) -> Result:
        track.begin(step)

        def note(text: str) -> None:
            track.note(step, text)

        result = work(note, *arguments)
        self.timings.measured(f"start {step}", track.done(step))
        return result

    def _step(self, name: str) -> progress.Step:
        return progress.Step(name, self.timings.expected(f"start {name}", EXPECTED_SECONDS))


def _first_failure_ends_all(futures: list[Future[Any]]) -> None:
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for each in done:
        each.result()


@contextmanager
def _terminated_as_exit() -> Generator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that clean-up runs. Only the main thread may set handlers."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
