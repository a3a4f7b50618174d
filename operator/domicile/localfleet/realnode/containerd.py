"""containerd for the real node: its configuration, how it finds the fleet's registry, and the pods' network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet.realnode import bridge

_CONFIGURATION = """\
version = 3
root = "{directory}/root"
state = "{directory}/state"

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"

# Tells who enforces NetworkPolicies of a pod's address before a container of that pod runs.
[plugins."io.containerd.nri.v1.nri"]
  socket_path = "{nri}"
  plugin_path = "{directory}/nri/plugins"
  plugin_config_path = "{directory}/nri/conf.d"

[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "{directory}/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE runc cannot lower a sandbox's oom_score_adj, and fails without naming the reason.
  restrict_oom_score_adj = true
  # So that what a crash leaves of the pods' network namespaces lies below our own directory.
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        Root = "{directory}/runc"
        SystemdCgroup = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{directory}/cni"
"""


@dataclass(frozen=True)
class Layout:
    directory: Path
    runc: Path
    plugins: Path
    pause: str
    registry: str
    network: str
    """Name of the pods' network; CNI keeps files outside our directory under this name."""

    @property
    def socket(self) -> Path:
        return self.directory / "containerd.sock"

    @property
    def nri(self) -> Path:
        return self.directory / "nri.sock"

    @property
    def configuration(self) -> Path:
        return self.directory / "containerd.toml"


def configure(layout: Layout, pods: bridge.Bridge) -> None:
    layout.directory.mkdir(parents=True, exist_ok=True)
    layout.configuration.write_text(
        _CONFIGURATION.format(
            directory=layout.directory,
            socket=layout.socket,
            nri=layout.nri,
            pause=layout.pause,
            runc=layout.runc,
            plugins=layout.plugins,
        )
    )
    _trust_registry(layout)
    (layout.directory / "cni").mkdir(exist_ok=True)
    (layout.directory / "cni" / "10-pods.conflist").write_text(json.dumps(_network(layout, pods), indent=1))


def _trust_registry(layout: Layout) -> None:
    hosts = layout.directory / "certs.d" / layout.registry
    hosts.mkdir(parents=True, exist_ok=True)
    (hosts / "hosts.toml").write_text(
        f'server = "http://{layout.registry}"\n\n[host."http://{layout.registry}"]\n  capabilities = ["pull", "resolve"]\n'
    )


def _network(layout: Layout, pods: bridge.Bridge) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": layout.network,
        "plugins": [
            {
                "type": "bridge",
                "bridge": pods.name,
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,  # else a pod cannot reach itself by its Service
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(layout.directory / "addresses"),
                    "ranges": [[{"subnet": str(pods.network), "rangeStart": str(pods.network[2])}]],
                },
            }
        ],
    }
