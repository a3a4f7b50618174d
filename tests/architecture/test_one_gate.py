"""No permit, no write: permits are made in one place, and members are written to in one place."""

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "operator" / "domicile"

WRITES = frozenset({"apply", "apply_status", "create", "patch", "patch_status", "json_patch", "delete"})
"""Methods of kube.Api that change something."""

MAY_WRITE_TO_MEMBERS = {
    "fleet/claiming.py": {"create", "json_patch"},
    "fleet/gate.py": {"apply", "create", "json_patch"},
    "fleet/granting.py": {"apply", "create", "json_patch"},
    "fleet/guard.py": {"apply", "create", "json_patch"},
    "fleet/isolating.py": {"create", "json_patch"},
    "fleet/withdrawal.py": {"create", "delete"},
}
"""In fleet/, which alone has connections to members. Placing applies, and patches out what others added, which applying leaves;
withdrawing deletes, and needs no permit, and gives what outlived its namespace the namespace back; granting is for the gate, and
taking back for withdrawal; the guard writes the fence, keeps namespaces to themselves, and claims the member for the hub: nothing
that runs."""


def calls(source: str) -> Iterator[tuple[str, ast.Call]]:
    """Each call, with the last part of what is called: `api.apply(...)` is apply."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            yield name, node


def permits_made(source: str) -> list[int]:
    """Lines on which a Permit is made, or copied with changes."""
    return [call.lineno for name, call in calls(source) if name in {"Permit", "__new__"}]


def writes(source: str) -> set[str]:
    """Methods of a client that change something, as far as the source calls them on an `api` or `client`."""
    found = set()
    for name, call in calls(source):
        target = call.func.value if isinstance(call.func, ast.Attribute) else None
        of = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
        if name in WRITES and of.strip("_") in ("api", "client"):
            found.add(name)
    return found


def sources(folder: str = "") -> Iterator[tuple[str, str]]:
    for path in sorted((PACKAGE / folder).rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), path.read_text()


def test_permits_are_made_by_the_residency_engine_alone() -> None:
    made = {name for name, source in sources() if permits_made(source)}
    assert made == {"residency/permit.py"}


def test_members_are_written_to_by_the_gate_and_by_withdrawal_alone() -> None:
    found = {name: written for name, source in sources("fleet") if (written := writes(source))}
    assert found == MAY_WRITE_TO_MEMBERS


def test_the_gate_alone_grants() -> None:
    granting = {name for name, source in sources("fleet") if any(called == "grant" for called, _ in calls(source))}
    assert granting == {"fleet/gate.py"}


def test_only_the_fleet_and_joining_open_connections_from_a_secret_s_kubeconfig() -> None:
    opening = {name for name, source in sources() if any(called == "from_secret" for called, _ in calls(source))}
    assert {name for name in opening if not name.startswith(("kube/", "cli/join/"))} == {"fleet/fleet.py"}


def test_the_guards_see_what_they_look_for() -> None:
    assert permits_made("residency.Permit(model, member, grounds, until, seal)") == [1]
    assert writes("async def f(self):\n    await self._api.apply(kind, manifest)") == {"apply"}
    assert writes("memory.delete(name)") == set()
