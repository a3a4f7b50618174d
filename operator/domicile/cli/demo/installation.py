"""What the demo puts on a hub: the kinds, and the chart's own roles and admission policies as Helm renders them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

Manifest = Mapping[str, Any]

NAMESPACE: Final = "domicile-system"
OPERATOR: Final = "domicile"
"""The operator's ServiceAccount."""
RENDERED: Final = Path(__file__).with_name("installation.yaml")
"""A copy, so that a demo needs no Helm: tests/chart/test_installation.py holds it to the chart."""
HELM_ARGUMENTS: Final = (
    "template",
    "domicile",
    "charts/domicile",
    f"--namespace={NAMESPACE}",
    "--kube-version=1.36.0",
    "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy",
    "--set=operator.enabled=false",
    "--set=crds.install=false",
)
"""How it is rendered, from the root of the repository."""


def manifests(*, admission: bool) -> list[Manifest]:
    """Everything, in the order in which it is to be made. Admission policies only where the API server knows them."""
    from domicile.api import KINDS
    from domicile.api.crd import crd

    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    rendered = [each for each in yaml.safe_load_all(RENDERED.read_text()) if each]
    if not admission:
        rendered = [each for each in rendered if not each["apiVersion"].startswith("admissionregistration.")]
    return [namespace, *(crd(kind) for kind in KINDS), *rendered]


def people(governance: str, team: str, platform: str, namespace: str) -> list[Manifest]:
    """Who is who: three groups, bound to the chart's roles. None has the others' rights."""
    return [
        _bound("demo-governance", "domicile-governance", governance),
        _bound("demo-platform", "domicile-platform", platform),
        _bound("demo-team-reads", "domicile-view", team),
        _bound("demo-team", "domicile-ai-team", team, namespace),
        _bound("demo-team-events", "view", team, namespace),
        _bound("demo-platform", "domicile-platform", platform, NAMESPACE, kind="Role"),
    ]


def _bound(name: str, role: str, group: str, namespace: str = "", kind: str = "ClusterRole") -> dict[str, Any]:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding" if namespace else "ClusterRoleBinding",
        "metadata": {"name": name, **({"namespace": namespace} if namespace else {})},
        "roleRef": {"apiGroup": api, "kind": kind, "name": role},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }
