"""The chart as Helm renders it, and the chart installed on the fleet's hub."""

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "domicile"
NAMESPACE = "domicile-system"
SHARED_NAMESPACE = "chart-test"
KUBERNETES = "1.36.3"
IMAGE = ("--set", "image.repository=registry.example/domicile")

Manifest = dict[str, Any]
Answer = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Helm:
    program: Path

    def __call__(self, *arguments: str, kubeconfig: Path | None = None) -> Answer:
        where = ("--kubeconfig", str(kubeconfig)) if kubeconfig else ()
        return subprocess.run(
            [self.program, *arguments, *where], check=False, capture_output=True, text=True, timeout=120
        )

    def template(self, *arguments: str, admission: bool = True) -> Answer:
        apis = ("--api-versions", "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy") if admission else ()
        where = ("--namespace", NAMESPACE, "--kube-version", KUBERNETES)
        return self("template", "domicile", str(CHART), *where, *apis, *arguments)

    def manifests(self, *arguments: str, admission: bool = True) -> list[Manifest]:
        rendered = self.template(*IMAGE, *arguments, admission=admission)
        assert rendered.returncode == 0, rendered.stderr
        return [manifest for manifest in yaml.safe_load_all(rendered.stdout) if manifest]


@dataclass(frozen=True)
class Kubectl:
    """kubectl as one user of the hub."""

    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: Manifest | None = None) -> Answer:
        text = json.dumps(stdin) if stdin is not None else None
        command = [ROOT / ".venv" / "bin" / "kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        return subprocess.run(command, input=text, check=False, capture_output=True, text=True, timeout=60)

    def get(self, *arguments: str) -> Manifest:
        answer = self("get", *arguments, "--output", "json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)


@dataclass(frozen=True)
class Hub:
    """The hub with the chart installed."""

    kubeconfig_for: Callable[[str, Sequence[str]], Path]
    admin: Kubectl

    def as_user(self, name: str, *groups: str) -> Kubectl:
        return Kubectl(self.kubeconfig_for(name, groups))

    def as_operator(self) -> Kubectl:
        return self.as_user(f"system:serviceaccount:{NAMESPACE}:domicile", "system:serviceaccounts")


def kinds(manifests: Sequence[Manifest], *wanted: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in wanted]


def model(name: str = "", **metadata: Any) -> Manifest:
    digest = "sha256:" + "0" * 64
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "SovereignModel",
        "metadata": {**({"name": name} if name else {}), "namespace": SHARED_NAMESPACE, **metadata},
        "spec": {
            "dataClasses": ["customer.pii"],
            "modelFormat": {"name": "sklearn"},
            "storageUri": f"oci://registry.example/models/fraud@{digest}",
            "runtime": {"image": f"registry.example/serving/sklearn@{digest}"},
        },
    }


@pytest.fixture(scope="session")
def helm(fleet: Any) -> Helm:
    return Helm(fleet.binary("helm"))


@pytest.fixture(scope="session")
def hub(fleet: Any, helm: Helm) -> Hub:
    """The chart installed by Helm itself, and its admission policies seen to act."""
    # --take-ownership: the fleet may have put the kinds there already.
    arguments = ("--install", "--create-namespace", "--namespace", NAMESPACE, "--take-ownership", *IMAGE)
    installed = helm("upgrade", "domicile", str(CHART), *arguments, kubeconfig=fleet.hub.kubeconfig)
    assert installed.returncode == 0, installed.stderr
    admin = Kubectl(fleet.hub.kubeconfig)
    up = Hub(fleet.hub.kubeconfig_for, admin)
    crds = admin("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    assert crds.returncode == 0, crds.stderr
    admin("create", "namespace", SHARED_NAMESPACE)
    binding = ("--clusterrole=domicile-ai-team", "--group=team", "--namespace", SHARED_NAMESPACE)
    admin("create", "rolebinding", "team", *binding)
    _await_policies(admin)
    return up


def _await_policies(admin: Kubectl) -> None:
    """API servers read new policies a moment after they were written."""
    deadline = time.monotonic() + 30
    answer = ""
    while time.monotonic() < deadline:
        probe = admin("create", "--dry-run=server", "--output=json", "--filename=-", stdin=model("probe"))
        answer = probe.stderr or probe.stdout
        if probe.returncode == 0 and json.loads(probe.stdout)["metadata"].get("finalizers"):
            refused = admin(
                "create", "--dry-run=server", "--filename=-", stdin=model("probe", finalizers=["domicile.dev/withdraw"])
            )
            if refused.returncode == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"the admission policies did not act within 30 s; last answer: {answer}")
