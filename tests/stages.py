"""Runs the gates one after the other and says what each took: time, memory, tests. `make check` and `make test` call it."""

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence import postgresql

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
RESULTS = ROOT / ".test-results"
INTERRUPTED = 130


@dataclass(frozen=True)
class Stage:
    """One command. With `junit` it is a pytest run, and its tests are counted."""

    says: str
    command: Sequence[str]
    junit: bool = False
    env: Mapping[str, str] = field(default_factory=dict)


def pytest(says: str, *arguments: str, env: Mapping[str, str] | None = None) -> Stage:
    return Stage(says, ("pytest", "--durations=5", "--durations-min=1", *arguments), junit=True, env=env or {})


# On all cores; those of a fleet share one fleet and this machine's one real node, and do not.
UNIT = ("tests", "--ignore=tests/fleet", "--ignore=tests/chart", "-n=auto", "--dist=worksteal")
FULL = {"DOMICILE_TESTS": "full"}

STAGES: dict[str, Stage] = {
    "lint": Stage("ruff's rules", ("ruff", "check", "--no-cache", ".")),
    "format": Stage("ruff's format", ("ruff", "format", "--check", ".")),
    "types": Stage("pyright: strict for operator/, basic for tests", ("pyright",)),
    "imports": Stage("who may import whom", ("lint-imports",)),
    "crds": Stage("crds/ is what operator/domicile/api says", ("domicile", "crds", "--check")),
    "unit": pytest("unit tests; the pure core covered to the last branch", *UNIT, "-m", "not slow", "--cov"),
    "unit-full": pytest("unit tests with the slow ones and more examples", *UNIT, "--cov", env=FULL),
    "chart": pytest("the chart on a real API server", "tests/chart", "-m", "not slow"),
    "chart-full": pytest("the chart on a real API server, slow tests too", "tests/chart", env=FULL),
    "fleet": pytest("real API servers, KServe, kwok", "tests/fleet", "-m", "not slow"),
    "fleet-full": pytest("real API servers, KServe, kwok, slow tests too", "tests/fleet", env=FULL),
    "e2e": pytest("users' stories from outside", "e2e", "-m", "not slow"),
    "e2e-full": pytest("users' stories from outside, slow ones too", "e2e", env=FULL),
}

STATIC = ("lint", "format", "types", "imports", "crds")
RUNS: dict[str, tuple[str, ...]] = {
    "check": (*STATIC, "unit"),
    "test": (*STATIC, "unit", "fleet", "chart", "e2e"),
    "test-full": (*STATIC, "unit-full", "fleet-full", "chart-full", "e2e-full"),
}


@dataclass(frozen=True)
class Outcome:
    name: str
    exit_code: int
    seconds: float
    peak_mib: int
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def ok(self) -> bool:
        # No tests at all is a failure: pytest says 5 for it, and a run that ends before the first test leaves no count.
        return self.exit_code == 0 and self.failed == 0 and (not STAGES[self.name].junit or self.passed > 0)


class PeakMemory:
    """Greatest sum of resident memory over a process and all that it started, looked at every half second.

    Memory that processes share counts once for each, so this is at most too much. Linux only; elsewhere 0.
    """

    def __init__(self, pid: int) -> None:
        self.mib = 0
        self._pid = pid
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[int] = {self._pid}
        while not self._done.wait(0.5):
            processes = dict(_processes())
            # A server that detached from its parent was a child at some look: once seen, it is counted until it ends.
            seen &= processes.keys()
            grown = True
            while grown:
                children = {pid for pid, (parent, _) in processes.items() if parent in seen} - seen
                seen |= children
                grown = bool(children)
            self.mib = max(self.mib, sum(processes[pid][1] for pid in seen) // 1024)


def _processes() -> Iterator[tuple[int, tuple[int, int]]]:
    """Each process: its id, its parent's, and its resident memory in KiB."""
    page_kib = os.sysconf("SC_PAGE_SIZE") // 1024
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            after_name = (entry / "stat").read_text().rpartition(")")[2].split()
            pages = int((entry / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue  # it ended while we looked
        yield int(entry.name), (int(after_name[1]), pages * page_kib)


def run(name: str) -> Outcome:
    stage = STAGES[name]
    print(f"\n== {name}: {stage.says}", flush=True)
    report = RESULTS / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [str(BIN / stage.command[0]), *stage.command[1:]]
    if stage.junit:
        command.append(f"--junitxml={report}")
    # The venv first: pre-commit, a CI and a shell without it activated must all run the same tools.
    env = {**os.environ, **stage.env, **_not_covered(), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL)
    with PeakMemory(process.pid) as memory:
        exit_code = _wait(process)
    seconds = time.monotonic() - begun
    if exit_code == 5 and stage.junit:
        print(f"{name}: no tests were found, and that is a failure", flush=True)
    return Outcome(name, exit_code, seconds, memory.mib, *_counts(report))


def _not_covered() -> Mapping[str, str]:
    """What no test can reach here: without PostgreSQL its tests are skipped on a developer's machine. In CI they fail."""
    if postgresql.binaries() is not None or os.environ.get("CI"):
        return {}
    return {"DOMICILE_NOT_COVERED": "operator/domicile/evidence/postgres/*"}


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Ctrl-C reaches the stage too, and it is left the time to stop what it started."""
    interrupted = False
    while True:
        try:
            exit_code = process.wait()
            return INTERRUPTED if interrupted else exit_code
        except KeyboardInterrupt:
            interrupted = True
            print("\ninterrupted: waiting for the stage to stop what it started", flush=True)


def _counts(report: Path) -> tuple[int, int, int]:
    if not report.exists():
        return 0, 0, 0
    suites = ET.parse(report).getroot().iter("testsuite")
    total = failed = skipped = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return max(0, total - failed - skipped), failed, skipped


def table(outcomes: Sequence[Outcome]) -> str:
    lines = [f"{'stage':<12}{'time':>9}{'peak memory':>13}{'passed':>9}{'failed':>9}{'skipped':>9}"]
    for outcome in outcomes:
        counts = (outcome.passed, outcome.failed, outcome.skipped) if STAGES[outcome.name].junit else ("", "", "")
        memory = f"{outcome.peak_mib} MiB" if outcome.peak_mib else "-"
        verdict = "" if outcome.ok else f"  FAILED (exit {outcome.exit_code})"
        lines.append(
            f"{outcome.name:<12}{_clock(outcome.seconds):>9}{memory:>13}"
            + "".join(f"{count:>9}" for count in counts)
            + verdict
        )
    return "\n".join(lines)


def closing(outcomes: Sequence[Outcome], left_out: Sequence[str]) -> str:
    """The last line. A gate that failed without a failed test (lint, coverage, no tests) counts as one failure."""
    passed = sum(outcome.passed for outcome in outcomes)
    failed = sum(outcome.failed or (0 if outcome.ok else 1) for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    bad = [outcome.name for outcome in outcomes if not outcome.ok]
    lines = [f"failed: {', '.join(bad)}"] if bad else []
    if left_out:
        lines.append(f"not run, because a stage before did not pass: {', '.join(left_out)}")
    lines.append(f"{passed} passed, {failed} failed, {skipped} skipped in {_clock(seconds)}")
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}m{seconds % 60:04.1f}s" if seconds >= 60 else f"{seconds:.1f}s"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a stage, or a run of them: check, test, test-full")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parsed = parser.parse_args(arguments)
    if parsed.list or not parsed.names:
        for name, stages in RUNS.items():
            print(f"{name:<12} {' '.join(stages)}")
        for name, stage in STAGES.items():
            print(f"{name:<12} {stage.says}")
        return 0
    names = [stage for name in parsed.names for stage in RUNS.get(name, (name,))]
    if unknown := [name for name in names if name not in STAGES]:
        parser.error(f"no stage is called {', '.join(unknown)}: --list says what there is")
    RESULTS.mkdir(exist_ok=True)
    outcomes: list[Outcome] = []
    for name in names:
        # The cheap gates all run, so that one look shows all that is wrong; no fleet is started for code that fails them.
        cheap = name in STATIC or name.startswith("unit")
        if not cheap and any(not outcome.ok for outcome in outcomes if outcome.name in (*STATIC, "unit", "unit-full")):
            continue
        outcomes.append(run(name))
        if outcomes[-1].exit_code == INTERRUPTED:
            break
    left_out = [name for name in names if name not in {outcome.name for outcome in outcomes}]
    wide = min(shutil.get_terminal_size().columns, 80)
    print(f"\n{'-' * wide}\n{table(outcomes)}\n\n{closing(outcomes, left_out)}", flush=True)
    return 0 if all(outcome.ok for outcome in outcomes) and not left_out else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
