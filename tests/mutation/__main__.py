"""Mutation testing of the residency engine: changes it in thousands of small ways, and says which changes no test notices.

`make mutants` runs it, in .mutants/. `--only` takes a part of names; `--again` goes on with an earlier run: mutants that were noticed
stay noticed. docs/mutation.md argues what survives.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from mutation import sandbox
from mutation.sandbox import RESULTS, SANDBOX, Mutant

TESTS = "tests/residency"
RANDOM = ("test_oracle.py", "test_properties.py")
QUICK = ("--at-most=0.5", *(f"--ignore={TESTS}/{name}" for name in RANDOM), TESTS)
ALL = (TESTS,)
ORACLE_CASES = "300"
PROCESSES = os.cpu_count() or 1
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def main() -> None:
    """Run, and print what survived."""
    arguments = argparse.ArgumentParser(prog="mutation", description=__doc__)
    arguments.add_argument("--only", default="", help="try those alone whose name this regular expression finds")
    arguments.add_argument(
        "--again", action="store_true", help="keep what an earlier run has noticed of the same mutants"
    )
    asked = arguments.parse_args()
    noticed = _noticed() if asked.again else {}
    sandbox.prepare()
    os.chdir(SANDBOX)
    every = sandbox.mutate()
    for mutant in every:
        if noticed.get(mutant.name) == mutant.diff:
            _write({"mutant": mutant.name, "by": "an earlier run"})
    mutants = [mutant for mutant in every if re.search(asked.only, mutant.name)]
    _report(mutants, _survivors(mutants))


def _noticed() -> dict[str, str]:
    """Mutants of an earlier run that a test noticed, with their difference."""
    diffs: dict[str, str] = json.loads((SANDBOX / "mutants.json").read_text())
    return {name: diffs[name] for name, by in _results() if by is not None and name in diffs}


def _results() -> Iterable[tuple[str, str | None]]:
    lines = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    return [(line["mutant"], line["by"]) for line in lines if "mutant" in line]


def _write(line: dict[str, object]) -> None:
    with RESULTS.open("a") as results:
        results.write(json.dumps(line) + "\n")


def _survivors(mutants: list[Mutant]) -> list[Mutant]:
    """Quick tests see all mutants, the others those that are left."""
    left = [mutant for mutant in mutants if not mutant.idle]
    for tests in (QUICK, ALL):
        print(f"{len(left)} of {len(mutants)} mutants", flush=True)
        left = _left_by(left, tests)
    return left


def _left_by(mutants: list[Mutant], tests: tuple[str, ...]) -> list[Mutant]:
    noticed = {name for name, by in _results() if by is not None}
    names = SANDBOX / "names.json"
    names.write_text(json.dumps([mutant.name for mutant in mutants if mutant.name not in noticed]))
    # What a failure looks like is of no interest here, and takes longest.
    command = (
        *PYTEST,
        "--tb=no",
        "--assert=plain",
        "-p",
        "mutation.forking",
        f"--mutants={names}",
        f"--results={RESULTS}",
        *tests,
    )
    subprocess.run(command, env=_environment(), check=True)
    noticed = {name for name, by in _results() if by is not None}
    early = {name for line in RESULTS.read_text().splitlines() for name in json.loads(line).get("early", ())}
    left = [mutant for mutant in mutants if mutant.name not in noticed]
    return left if tests is QUICK else _tried_anew(left, early)


def _tried_anew(mutants: list[Mutant], early: set[str]) -> list[Mutant]:
    """Those whose function was called before the first test have a process that has the change from its beginning."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        survived = list(pool.map(lambda mutant: mutant.function not in early or _survives(mutant), mutants))
    return [mutant for mutant, still in zip(mutants, survived, strict=True) if still]


def _survives(mutant: Mutant) -> bool:
    environment = {**_environment(), "MUTANT_UNDER_TEST": mutant.name}
    command = (*PYTEST, "-x", *ALL)
    survives = not subprocess.run(command, env=environment, check=False, capture_output=True, timeout=900).returncode
    if not survives:
        _write({"mutant": mutant.name, "by": "a new process"})
    return survives


def _environment() -> dict[str, str]:
    return {**os.environ, "DOMICILE_ORACLE_CASES": ORACLE_CASES, "PYTHONPATH": "operator:tests"}


def _report(mutants: list[Mutant], survivors: list[Mutant]) -> None:
    for mutant in survivors:
        print(f"# {mutant.name}\n{mutant.diff}\n")
    idle = sum(mutant.idle for mutant in mutants)
    print(f"{len(mutants)} mutants: {idle} of cast() and strict= not tried, {len(survivors)} noticed by no test")


if __name__ == "__main__":
    main()
