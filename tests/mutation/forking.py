"""A pytest plugin: tests are collected once, then each mutant gets a process of its own, forked from there.

A fork costs milliseconds where a new pytest costs seconds. A mutant sees only tests that call the function it changes, those first that
noticed others of that function; the first that fails ends it. What is called before the first test (to build a constant, or a test's
parameters) is not changed by a mutant that wakes later: `early` lists such functions, for the caller to try in new processes.
"""

import json
import os
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import pytest
from _pytest.runner import runtestprotocol

MEMORY = 4 * 2**30
"""Bytes that a mutant may take: a loop without end ends here."""
PROCESSES = os.cpu_count() or 1

T = TypeVar("T")

_trampoline: Any = import_module("mutmut.mutation.trampoline")
_called: set[str] = set()
_awake = "stats"


def _record(name: str, caller: str | None = None) -> None:
    _called.add(name)


# In its mode "stats" a mutated module reports each call of a function that has mutants. mutmut asks the environment at each call which
# mutant is awake, which takes most of the time.
_trampoline.record_trampoline_hit = _record
_trampoline.get_mutant_under_test = lambda: _awake


@dataclass(frozen=True)
class Seen:
    """One test without mutants: seconds, and what it called."""

    item: pytest.Item
    took: float
    calls: frozenset[str]


@dataclass
class Kills:
    """Which tests noticed mutants, of a function and of its module. They are the first to see the next."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, function: str, test: str) -> None:
        self.counts.update([(function, test), (_module(function), test)])

    def promise(self, function: str, seen: Seen) -> float:
        """What may be hoped for in a second of the test."""
        test = seen.item.nodeid
        return (1 + 10 * self.counts[function, test] + self.counts[_module(function), test]) / (0.02 + seen.took)


def _module(function: str) -> str:
    return function.rpartition(".")[0]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", type=Path, help="a JSON list of names")
    parser.addoption("--at-most", type=float, default=float("inf"), help="tests that take more seconds see no mutant")
    parser.addoption("--results", type=Path, help="a line of JSON for each mutant is added here")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    early = frozenset(_called)
    mutants: Path = session.config.option.mutants
    into: Path = session.config.option.results
    names: list[str] = json.loads(mutants.read_text())
    with into.open("a", buffering=1) as results:
        seen = [each for each in _baseline(session.items) if each.took <= session.config.option.at_most]
        results.write(json.dumps({"early": sorted(early)}) + "\n")
        for name, by in _tried(names, seen):
            results.write(json.dumps({"mutant": name, "by": by}) + "\n")
    return True


def _baseline(items: Sequence[pytest.Item]) -> Iterator[Seen]:
    def measured(item: pytest.Item) -> Callable[[], str]:
        def run() -> str:
            _called.clear()
            began = time.monotonic()
            if not _passes(item, None):
                return json.dumps({"failed": item.nodeid})
            return json.dumps({"took": time.monotonic() - began, "calls": sorted(_called)})

        return run

    for item, said in _forked((item, measured(item)) for item in items):
        found = json.loads(said or "{}")
        if "took" not in found:
            raise pytest.UsageError(f"{item.nodeid} fails without any mutant")
        yield Seen(item, found["took"], frozenset(found["calls"]))


def _tried(names: Sequence[str], seen: Sequence[Seen]) -> Iterator[tuple[str, str | None]]:
    """Each mutant, and the test that noticed it; `time` if it never ended or ate its memory, None if nothing noticed."""
    kills = Kills()

    def woken(name: str) -> Callable[[], str]:
        function = name.rpartition("__mutmut_")[0]
        ordered = sorted((s for s in seen if function in s.calls), key=lambda s: -kills.promise(function, s))
        return lambda: _first_to_notice(name, ordered)

    for name, said in _forked((name, woken(name)) for name in names):
        by = "time" if said is None else said or None
        if by is not None and by != "time":
            kills.add(name.rpartition("__mutmut_")[0], by)
        yield name, by


def _first_to_notice(name: str, ordered: Sequence[Seen]) -> str:
    global _awake
    _awake = name
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    for seen, following in zip(ordered, [*ordered[1:], None], strict=True):
        signal.setitimer(signal.ITIMER_REAL, 10 + 20 * seen.took)
        if not _passes(seen.item, following.item if following else None):
            return seen.item.nodeid
    return ""


def _passes(item: pytest.Item, following: pytest.Item | None) -> bool:
    return all(report.passed or report.skipped for report in runtestprotocol(item, log=False, nextitem=following))


def _forked(work: Iterator[tuple[T, Callable[[], str]]]) -> Iterator[tuple[T, str | None]]:
    """What each function returns in a process of its own, as many at once as there are processors; None where it did not end well."""
    running: dict[int, tuple[T, int]] = {}
    for thing, function in work:
        if len(running) == PROCESSES:
            yield _ended(running)
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            _answer(theirs, function)
        os.close(theirs)
        running[child] = thing, ours
    while running:
        yield _ended(running)


def _answer(to: int, function: Callable[[], str]) -> None:
    try:
        os.write(to, b"=" + function().encode())
    finally:
        os._exit(0)


def _ended(running: dict[int, tuple[T, int]]) -> tuple[T, str | None]:
    child, _ = os.wait()
    thing, ours = running.pop(child)
    with os.fdopen(ours, "rb") as pipe:
        said = pipe.read().decode()
    return thing, said[1:] if said.startswith("=") else None
