"""The kubelet's configuration and arguments."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import certs


@dataclass(frozen=True)
class Layout:
    directory: Path
    node: str
    address: str
    port: int
    health_port: int
    cgroup: str
    containerd_socket: Path
    authority: Path
    serving: certs.KeyPair
    kubeconfig: Path


def configuration(layout: Layout) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.address,
        "port": layout.port,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.health_port,
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "podLogsDir": str(layout.directory / "pod-logs"),
        "volumePluginDir": str(layout.directory / "volume-plugins"),
        "resolvConf": "",  # no DNS in pods, and none of the host's
        "clusterDomain": "cluster.local",
        "tlsCertFile": str(layout.serving.certificate),
        "tlsPrivateKeyFile": str(layout.serving.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.authority)},
        },
        "authorization": {"mode": "Webhook"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        "nodeStatusUpdateFrequency": "5s",
        "nodeStatusReportFrequency": "30s",
        "syncFrequency": "10s",
        "maxPods": 30,
        "serializeImagePulls": False,
        # The machine's disk is shared with others: how full it is must not evict or delete.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
            "imagefs.inodesFree": "0%",
        },
    }


def arguments(layout: Layout) -> list[str]:
    """Writes the configuration; returns what follows the program's name."""
    layout.directory.mkdir(parents=True, exist_ok=True)
    file = layout.directory / "kubelet.json"
    file.write_text(json.dumps(configuration(layout), indent=1))
    return [
        f"--config={file}",
        f"--kubeconfig={layout.kubeconfig}",
        f"--root-dir={layout.directory / 'kubelet'}",
        f"--cert-dir={layout.directory / 'pki'}",
        f"--hostname-override={layout.node}",
        f"--node-ip={layout.address}",
        "--v=1",
    ]
