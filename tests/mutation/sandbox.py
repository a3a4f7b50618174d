"""A copy of the project in which the residency engine holds all its mutants at once, each asleep until it is named."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SANDBOX = ROOT / ".mutants"
RESULTS = SANDBOX / "results.jsonl"
COPIED = ("operator", "tests", "packs", "examples", "crds", "charts")
PACKAGE = Path("operator") / "domicile"
MUTATED = PACKAGE / "residency"
_IDLE = re.compile(r"""(?<=\bcast\()(?:None|"[^"]*"|[\w.]+)(?=, )|, strict=\w+|, (?=\))""")
"""The first argument of cast(), and strict= of zip(), of which mutmut leaves the comma behind."""


@dataclass(frozen=True)
class Mutant:
    """One change. `name` is what wakes it: its module and the name that mutmut gave it."""

    name: str
    diff: str

    @property
    def function(self) -> str:
        """The function that it changes, as mutmut names it."""
        return self.name.rpartition("__mutmut_")[0]

    @property
    def idle(self) -> bool:
        """Whether it changes what is for the type checker alone, or asserts what holds by construction."""
        changed = [line for line in self.diff.splitlines()[2:] if line[0] in "+-"]
        return len({_IDLE.sub("", line[1:]) for line in changed}) == 1


def prepare() -> None:
    """Copy what the tests read, and put the mutants in place."""
    shutil.rmtree(SANDBOX, ignore_errors=True)
    for name in COPIED:
        shutil.copytree(ROOT / name, SANDBOX / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    project = (ROOT / "pyproject.toml").read_text()
    (SANDBOX / "pyproject.toml").write_text(f'{project}\n[tool.mutmut]\nsource_paths = ["{PACKAGE.parent}"]\n')


def mutate() -> list[Mutant]:
    """Write the engine with its mutants over the copy. mutmut reads its configuration from the working directory, the sandbox."""
    found: list[Mutant] = []
    for path in sorted((ROOT / MUTATED).rglob("*.py")):
        found.extend(_mutate(path.relative_to(ROOT)))
    (SANDBOX / "mutants.json").write_text(json.dumps({mutant.name: mutant.diff for mutant in found}))
    return found


def _mutate(path: Path) -> Iterator[Mutant]:
    made = import_module("mutmut.mutation.file_mutation").mutate_file_contents(str(path), (ROOT / path).read_text())
    (SANDBOX / path).write_text(made.code)
    lines = made.code.splitlines()

    def function(name: str) -> list[str]:
        span = made.line_span_by_function_name[name]
        return [line.replace(name, name.rpartition("__mutmut_")[0]) for line in lines[span.start - 1 : span.end]]

    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = ".".join(part for part in parts if part != "__init__")
    for name in made.mutant_names:
        original = f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"
        difference = unified_diff(function(original), function(name), str(path), str(path), lineterm="", n=1)
        yield Mutant(f"{module}.{name}", "\n".join(difference))
