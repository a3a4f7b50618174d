"""Mutation testing of the residency engine: changes it in thousands of small ways, and says which changes no test notices.

`make mutants` runs it, in .mutants/, with mutmut in an environment of its own. First the quick tests of residency/ see every mutant,
then the oracle those that are left. What survives is listed with its difference; docs/mutation.md argues each.
"""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SANDBOX = ROOT / ".mutants"
BIN = Path(sys.executable).parent
COPIED = ("tests", "packs", "examples", "crds", "charts")
MUTATED = ("src/domicile/residency/*.py", "src/domicile/residency/cel/*.py")
QUICK = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "tests" / "residency").rglob("test_*.py")
    if path.name not in ("test_oracle.py", "test_properties.py")
)
SECOND = ("tests/residency/test_oracle.py",)
PROCESSES = os.cpu_count() or 1


def prepare() -> None:
    """The package under src/, as mutmut wants it, with what its tests read."""
    shutil.rmtree(SANDBOX, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", ".*")
    shutil.copytree(ROOT / "operator" / "domicile", SANDBOX / "src" / "domicile", ignore=ignore)
    for name in COPIED:
        shutil.copytree(ROOT / name, SANDBOX / name, ignore=ignore)
    tests = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    wanted = {
        "tool.mutmut": {
            "source_paths": ["src"],
            "only_mutate": list(MUTATED),
            "pytest_add_cli_args_test_selection": QUICK,
            "also_copy": list(COPIED),
            "mutate_only_covered_lines": True,
        },
        "tool.pytest.ini_options": tests,
    }
    (SANDBOX / "pyproject.toml").write_text("\n".join(_table(name, table) for name, table in wanted.items()))


def _table(name: str, table: dict[str, object]) -> str:
    return "\n".join([f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items()), ""])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if not isinstance(value, list) else f"[{', '.join(_value(each) for each in value)}]"


def survivors() -> list[str]:
    """Names of the mutants that the quick tests do not notice."""
    subprocess.run([BIN / "mutmut", "run", "--max-children", str(PROCESSES)], cwd=SANDBOX, check=False)
    listed = subprocess.run([BIN / "mutmut", "results"], cwd=SANDBOX, check=True, capture_output=True, text=True)
    found = [line.strip().partition(": ") for line in listed.stdout.splitlines()]
    return [name for name, _, state in found if state in ("survived", "suspicious", "no tests")]


def unnoticed(names: list[str]) -> Iterator[str]:
    """Those that the oracle and the properties do not notice either."""
    with ThreadPoolExecutor(PROCESSES) as pool:
        for name, noticed in zip(names, pool.map(_noticed, names), strict=True):
            if not noticed:
                yield name


def _noticed(name: str) -> bool:
    env = {**os.environ, "MUTANT_UNDER_TEST": name, "DOMICILE_ORACLE_CASES": "600", "PYTHONPATH": "src"}
    command = [BIN / "python", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *SECOND]
    ended = subprocess.run(command, cwd=SANDBOX / "mutants", env=env, check=False, capture_output=True, timeout=900)
    return ended.returncode != 0


def main() -> None:
    """Run, and print what survived."""
    prepare()
    left = sorted(unnoticed(survivors()))
    for name in left:
        shown = subprocess.run([BIN / "mutmut", "show", name], cwd=SANDBOX, check=True, capture_output=True, text=True)
        print(shown.stdout)
    print(f"{len(left)} mutants survived")


if __name__ == "__main__":
    main()
