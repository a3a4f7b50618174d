"""One module of the fleet writes to members, another deletes there, and only the fleet itself opens them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import domicile.fleet
from domicile import kube
from domicile.fleet import kinds

FOLDER = Path(domicile.fleet.__file__).parent
PACKAGE = FOLDER.parent
WRITING = {"create", "apply", "apply_status", "patch", "patch_status", "json_patch", "replace", "delete", "raw"}


def calls(file: Path) -> Iterator[tuple[str, str]]:
    """Object and method of each call of an attribute."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield ast.unparse(node.func.value), node.func.attr


def test_only_the_gate_writes_and_only_withdrawal_deletes() -> None:
    found = {
        (file.name, f"{of}.{method}")
        for file in FOLDER.rglob("*.py")
        for of, method in calls(file)
        if method in WRITING and of.endswith("api")
    }
    assert found == {
        ("gate.py", "api.create"),
        ("gate.py", "api.apply"),
        ("gate.py", "api.json_patch"),
        ("withdrawal.py", "api.delete"),
        # The namespace of what outlived it, empty.
        ("withdrawal.py", "api.create"),
        # What the gate grants and withdrawal takes back.
        ("granting.py", "self.api.create"),
        ("granting.py", "self.api.apply"),
        ("granting.py", "self.api.json_patch"),
        # The claim of the hub.
        ("claiming.py", "api.create"),
        ("claiming.py", "api.json_patch"),
        # What keeps its namespaces to themselves.
        ("isolating.py", "api.create"),
        ("isolating.py", "api.json_patch"),
        # The fence's policies, its namespace, and dry runs that it must refuse.
        ("guard.py", "api.create"),
        ("guard.py", "api.apply"),
        ("guard.py", "api.json_patch"),
        ("proofs.py", "api.raw"),
        ("discovery.py", "api.raw"),
    }


def test_discovery_only_reads() -> None:
    tree = ast.parse((FOLDER / "discovery.py").read_text())
    verbs = {
        ast.literal_eval(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "raw"
    }
    assert verbs == {"GET"}


def test_proofs_make_nothing() -> None:
    tree = ast.parse((FOLDER / "proofs.py").read_text())
    queries = [
        ast.literal_eval(keyword.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "raw"
        for keyword in node.keywords
        if keyword.arg == "query"
    ]
    assert queries == [{"dryRun": "All"}]


def test_the_guard_writes_the_fence_and_its_namespace_alone() -> None:
    tree = ast.parse((FOLDER / "guard.py").read_text())
    written = {
        (node.func.attr, ast.unparse(node.args[0]))
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITING
    }
    assert written == {("create", "NAMESPACES"), ("apply", "kind"), ("json_patch", "kind")}
    assert set(kinds.FENCE.values()) == {
        kube.VALIDATING_ADMISSION_POLICIES,
        kube.VALIDATING_ADMISSION_POLICY_BINDINGS,
    }


def test_nobody_goes_around_the_gate() -> None:
    """Outside of the fleet nobody has a member's client in hand, nor calls the gate but through Fleet.place."""
    inner = {"domicile.fleet.gate", "domicile.fleet.withdrawal", "domicile.fleet.member", "domicile.fleet.connection"}
    importers = {
        f"{file.relative_to(PACKAGE)} imports {module}"
        for file in PACKAGE.rglob("*.py")
        if FOLDER not in file.parents
        for node in ast.walk(ast.parse(file.read_text()))
        for module in _imported(node)
        if module in inner
    }
    assert not importers


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
