"""People at a terminal: kubectl under an identity that has one of the chart's roles, and what it says to them."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.cli.demo import installation
from fleet.world import REPOSITORY, World

KUBECTL = REPOSITORY / ".venv/bin/kubectl"


@dataclass(frozen=True)
class Person:
    """Somebody with a kubeconfig of the hub."""

    kubeconfig: Path

    def kubectl(self, *arguments: str, sends: Mapping[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl; `sends` is the manifest on its standard input."""
        return subprocess.run(
            [str(KUBECTL), f"--kubeconfig={self.kubeconfig}", *arguments],
            input=json.dumps(sends) if sends is not None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sees(self, *arguments: str, sends: Mapping[str, Any] | None = None) -> str:
        """What kubectl prints, where it succeeds."""
        done = self.kubectl(*arguments, sends=sends)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def is_refused(self, *arguments: str, sends: Mapping[str, Any] | None = None) -> str:
        """What kubectl says, where it fails."""
        done = self.kubectl(*arguments, sends=sends)
        assert done.returncode != 0, f"it was accepted: {done.stdout}"
        return done.stderr.strip()


@dataclass(frozen=True)
class People:
    """One person for each of the chart's roles, and one for two that may come together."""

    team: Person
    governance: Person
    platform: Person
    approver: Person
    """Uma, of no other role."""
    both: Person
    """Bo, of governance and approver."""
    declassifier: Person
    """Dora, of no other role; for the whole cluster."""


def people(world: World, namespace: str) -> People:
    """Their roles, bound on the hub; the team has its role in one namespace alone."""
    for binding in installation.people("governance", "team", "platform", namespace):
        world.hub.apply(dict(binding))
    for role, group in (("approver", "approver"), ("view", "approver"), ("declassifier", "declassifier")):
        world.hub.apply(_bound(role, group))
    hub = world.fleet.hub
    return People(
        team=Person(hub.kubeconfig_for("ana", ["team"])),
        governance=Person(hub.kubeconfig_for("gil", ["governance"])),
        platform=Person(hub.kubeconfig_for("pat", ["platform"])),
        approver=Person(hub.kubeconfig_for("uma", ["approver"])),
        both=Person(hub.kubeconfig_for("bo", ["governance", "approver"])),
        declassifier=Person(hub.kubeconfig_for("dora", ["declassifier"])),
    )


def _bound(role: str, group: str) -> dict[str, Any]:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"test-{group}-{role}"},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": f"domicile-{role}"},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }
