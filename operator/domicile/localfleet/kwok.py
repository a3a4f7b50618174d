"""kwok in a region: simulated GPU nodes and their pods. Nodes without its annotation are left to their kubelets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from domicile.localfleet import build, components, controlplane, extracts, kubeconfigs, ports, processes, spec

Object = dict[str, Any]
USER = "kwok-controller"
ANNOTATION = ("kwok.x-k8s.io/node", "fake")
STAGES = ("node-initialize", "node-heartbeat-with-lease", "pod-ready", "pod-complete", "pod-delete")


def manifests(share: Path) -> list[Object]:
    """The role kwok ships, bound to its user."""
    (role,) = extracts.read(share / "kwok" / "role.yaml")
    binding: Object = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": USER},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
    }
    return [role, binding]


def controller(
    plane: controlplane.ControlPlane, index: int, programs: build.Programs, free: ports.Ports
) -> processes.Program:
    """`index` tells regions apart: each simulates its own pod addresses."""
    share = programs.share(components.KWOK_CONTROLLER) / "kwok"
    stages = plane.directory / "kwok-stages.yaml"
    stages.write_text("\n---\n".join(_with_image_ids((share / f"{stage}.yaml").read_text()) for stage in STAGES))
    # It stands for the kubelets of its nodes.
    pair = plane.identities.authority.client("kwok", USER, ["system:nodes"])
    kubeconfig = kubeconfigs.with_certificate(plane.directory / "kwok.kubeconfig", plane.server, USER, pair)
    port = free.take()
    argv = [
        str(programs.binary("kwok")),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={'='.join(ANNOTATION)}",
        "--node-lease-duration-seconds=40",
        f"--cidr=10.{64 + index}.0.1/16",
        f"--server-address=127.0.0.1:{port}",
    ]
    probe = processes.Probe(f"http://127.0.0.1:{port}/healthz")
    return processes.Program(plane.program_name("kwok"), argv, probe)


def node(region: spec.RegionSpec, wanted: spec.NodeSpec) -> Object:
    """A simulated node as kwok takes it over: its capacity stands in the status it is created with."""
    resources = {"cpu": wanted.cpu, "memory": wanted.memory, "pods": str(wanted.pods), **gpu_resources(wanted)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": wanted.name,
            "labels": {"type": "kwok", **labels(region, wanted)},
            "annotations": dict([ANNOTATION]),
        },
        "status": {
            "capacity": resources,
            "allocatable": resources,
            "nodeInfo": {"kubeletVersion": f"v{components.KUBERNETES}"},
        },
    }


def _with_image_ids(stage: str) -> str:
    """As a kubelet reports them: an image asked for by digest has that reference as its imageID."""
    image = "- image: {{ .image | Quote }}\n"
    return stage.replace(image, f"{image}        imageID: {{{{ .image | Quote }}}}\n")


def labels(region: spec.RegionSpec, wanted: spec.NodeSpec) -> dict[str, str]:
    """Topology, and what GPU feature discovery would say."""
    topology = region.topology or region.name
    known = {
        "kubernetes.io/hostname": wanted.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/region": topology,
        "topology.kubernetes.io/zone": wanted.zone or f"{topology}a",
    }
    if wanted.gpu:
        known |= {
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": wanted.gpu.product,
            "nvidia.com/gpu.memory": str(wanted.gpu.memory_mib),
            "nvidia.com/gpu.count": str(wanted.gpu.count),
        }
    return {**known, **wanted.labels}


def gpu_resources(wanted: spec.NodeSpec) -> dict[str, str]:
    return {"nvidia.com/gpu": str(wanted.gpu.count)} if wanted.gpu else {}
