"""The chart as Helm renders it, and the chart installed on the fleet's hub."""

import functools
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import objects, persons
from chart.objects import OTHER_NAMESPACE, SHARED_NAMESPACE, Manifest, annotated
from chart.persons import DRY, People, Person, in_use, made
from domicile.localfleet import waiting

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "domicile"
NAMESPACE = "domicile-system"
OPERATOR = f"system:serviceaccount:{NAMESPACE}:domicile"
KUBERNETES = "1.36.3"
IMAGE = ("--set", "image.repository=registry.example/domicile")

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
    person: Callable[..., Person]
    """By name and groups, known to the API server by a client certificate."""
    root: Person
    """The set-up administrator, who may do everything that admission lets pass."""

    def as_user(self, name: str, *groups: str) -> Kubectl:
        return Kubectl(self.kubeconfig_for(name, groups))

    def as_operator(self) -> Kubectl:
        return self.as_user(OPERATOR, "system:serviceaccounts")


def kinds(manifests: Sequence[Manifest], *wanted: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in wanted]


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
    root = Person("admin", fleet.hub.api())
    up = Hub(fleet.hub.kubeconfig_for, admin, lambda name, *groups: persons.person(fleet.hub, name, groups), root)
    crds = admin("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    assert crds.returncode == 0, crds.stderr
    for namespace in (SHARED_NAMESPACE, OTHER_NAMESPACE):
        root.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        root.create(_bound("domicile-ai-team", "team", namespace))
    root.create(_bound("domicile-declassifier", "declassifier", SHARED_NAMESPACE))
    for role in ("governance", "approver", "platform", "view"):
        root.create(_bound(f"domicile-{role}", role))
    root.create(_bound("admin", "namespace-admins"))
    await_policies(up)
    return up


@pytest.fixture(scope="session")
def people(hub: Hub) -> People:
    return People(
        ali=hub.person("ali", "team"),
        gil=hub.person("gil", "governance"),
        gus=hub.person("gus", "governance"),
        ana=hub.person("ana", "approver"),
        pat=hub.person("pat", "governance", "approver"),
        dora=hub.person("dora", "declassifier"),
        root=hub.root,
        operator=hub.person(OPERATOR, "system:serviceaccounts"),
    )


def _bound(role: str, group: str, namespace: str = "") -> Manifest:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": f"chart-test-{role}", **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }


def await_policies(hub: Hub) -> None:
    """API servers read new policies a moment after they were written. Each guard, and so each stamp, is seen to act."""
    operator = hub.person(OPERATOR)
    forgeries: list[tuple[Callable[[], Manifest], Manifest]] = [
        (objects.of_several_classes, annotated(requested_by="eve")),
        (functools.partial(objects.of_several_classes, declassified_by="eve"), annotated(declassified_by="eve")),
        (objects.attestation, annotated(verified_by="eve")),
        (objects.record, annotated(approved_by="eve")),
        (objects.exception, annotated(requested_by="eve")),
        (functools.partial(objects.policy, confirmed_by="eve"), annotated(confirmed_change="a reason, and no change")),
        (functools.partial(objects.group, confirmed_by="eve"), annotated(confirmed_change="a reason, and no change")),
        (
            functools.partial(objects.classification, confirmed_by="eve"),
            annotated(confirmed_change="a reason, and no change"),
        ),
    ]

    def forged(make: Callable[[], Manifest], change: Manifest) -> str | None:
        reply = hub.root.create(probe := make())
        if reply.status != 201:
            return reply.said
        answer = hub.root.patch(probe, change, **DRY)
        hub.root.delete(probe)
        if probe["kind"] == "SovereignModel":
            operator.patch(probe, {"metadata": {"finalizers": None}})
        return None if answer.status == 403 else f"forging was answered with {answer.status} {answer.said}"

    def deleted() -> str | None:
        probe = made(hub.root, objects.policy())
        in_use(operator, probe)
        answer = hub.root.delete(probe, **DRY)
        hub.root.patch(probe, annotated(confirmed_deletion="it was a probe"))
        hub.root.delete(probe)
        return None if answer.status == 403 else f"deleting was answered with {answer.status}"

    for make, change in forgeries:
        waiting.until(f"{change} is refused", functools.partial(forged, make, change), within=60)
    waiting.until("deleting a policy in use is refused", deleted, within=60)
