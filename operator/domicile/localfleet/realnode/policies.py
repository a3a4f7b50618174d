"""kube-network-policies for the real node: what it may do, how it runs, and whether this kernel lets it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import build, processes
from domicile.localfleet.realnode import bridge

Object = dict[str, Any]
NAME = "kube-network-policies"
QUEUE = 7447
"""Number of the netfilter queue: one a machine, as the real node is."""
_CHECK_SECONDS = 10.0


@dataclass(frozen=True)
class Layout:
    node: str
    kubeconfig: Path
    pods: bridge.Bridge
    table: str
    nri: Path
    health_port: int


def not_enforceable(programs: build.Programs) -> str | None:
    """Why NetworkPolicies have no effect on this machine; tried in a network namespace of its own, which is gone again."""
    try:
        answer = subprocess.run(
            [programs.binary(NAME), "--check"], capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{NAME} --check did not end within {_CHECK_SECONDS:.0f} s"
    return None if answer.returncode == 0 else answer.stderr.strip() or f"{NAME} --check ended with {answer.returncode}"


def manifests() -> list[Object]:
    """What the project's install.yaml lets it do, for its user."""
    role: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": [
            {"apiGroups": [""], "resources": ["pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["list", "watch"]},
        ],
    }
    binding: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": NAME}],
    }
    return [role, binding]


def program(name: str, layout: Layout, programs: build.Programs) -> processes.Program:
    """Ready once it has heard of all policies and pods, and reads the queue in which new connections wait."""
    argv = [
        str(programs.binary(NAME)),
        f"--kubeconfig={layout.kubeconfig}",
        f"--node={layout.node}",
        f"--bridge={layout.pods.name}",
        f"--table={layout.table}",
        f"--queue={QUEUE}",
        f"--nri-socket={layout.nri}",
        f"--health-address=127.0.0.1:{layout.health_port}",
    ]
    return processes.Program(name, argv, processes.Probe(f"http://127.0.0.1:{layout.health_port}/healthz"))
