"""A running fleet as its user sees it: the hub, the regions, the registry, their kubeconfigs and logs."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from domicile.localfleet import (
    apiclient,
    build,
    certs,
    components,
    controlplane,
    kubeconfigs,
    processes,
    procfs,
    progress,
    registry,
    spec,
    state,
)

APISERVER = "kube-apiserver"


@dataclass(frozen=True)
class Cluster:
    """A hub or a region; up when you get it."""

    plane: controlplane.ControlPlane
    kube_system_uid: str
    """What tells this cluster from any other of the same name."""
    supervisor: processes.Supervisor = field(repr=False)
    api_server: processes.Program = field(repr=False)

    @property
    def name(self) -> str:
        return self.plane.name

    @property
    def url(self) -> str:
        return self.plane.url

    @property
    def context(self) -> str:
        return self.plane.context

    @property
    def kubeconfig(self) -> Path:
        """The set-up administrator's (system:masters)."""
        return self.plane.admin_kubeconfig

    @property
    def audit_log(self) -> Path:
        return self.plane.audit_log

    @property
    def authority(self) -> Path:
        """The certificate of the cluster's authority."""
        return self.plane.identities.authority.certificate

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A client certificate for this user and these groups; what they may do is for RBAC to say."""
        file, pair = self._identity(user, groups)
        users = self.plane.directory / "users"
        return kubeconfigs.with_certificate(users / f"{file}.kubeconfig", self.plane.server, user, pair)

    def _identity(self, user: str, groups: Sequence[str]) -> tuple[str, certs.KeyPair]:
        # Distinct identities get distinct files, also when their names differ only in odd characters.
        file = f"{user[:40].replace('/', '_')}-{hashlib.sha256(repr((user, tuple(groups))).encode()).hexdigest()[:8]}"
        return file, self.plane.identities.authority.client(f"user-{file}", user, groups)

    def api(self) -> apiclient.ApiClient:
        """A set-up client with the administrator's rights."""
        return apiclient.ApiClient(self.url, self.authority, self.plane.identities.admin)

    def api_as(self, user: str, groups: Sequence[str] = (), agent: str = apiclient.MANAGER) -> apiclient.ApiClient:
        """A client with this identity, whose requests are told from others of that user by the agent that they name."""
        return apiclient.ApiClient(self.url, self.authority, self._identity(user, groups)[1], agent)

    def freeze_apiserver(self) -> None:
        """It accepts connections and answers nothing, as behind a broken network."""
        self.supervisor.signal(self.plane.program_name(APISERVER), signal.SIGSTOP)

    def thaw_apiserver(self) -> None:
        self.supervisor.signal(self.plane.program_name(APISERVER), signal.SIGCONT)

    def stop_apiserver(self) -> None:
        """Kills it at once: connections are refused until `start_apiserver`."""
        self.supervisor.kill(self.plane.program_name(APISERVER))

    def start_apiserver(self) -> None:
        """The same server again, on the same port, with the same data; returns when it is ready."""
        if self.supervisor.pid(self.api_server.name) is None:
            self.supervisor.restart(self.api_server.name)
        self.supervisor.wait_ready(self.api_server)


@dataclass(frozen=True)
class Region(Cluster):
    spec: spec.RegionSpec = field(kw_only=True)
    real_node: str | None = field(default=None, kw_only=True)
    """Name of the node that is a kubelet of this machine."""
    no_real_node: str = field(default="", kw_only=True)
    """Why there is none, where one was asked for."""
    no_network_policies: str = field(default="", kw_only=True)
    """Why NetworkPolicies have no effect on the real node; empty when they are enforced there."""


@dataclass(frozen=True)
class Fleet:
    spec: spec.FleetSpec
    directory: Path
    hub: Cluster
    regions: Mapping[str, Region]
    registry: registry.Registry
    images: registry.Images
    programs: build.Programs = field(repr=False)
    ledger: state.Ledger = field(repr=False)
    start_seconds: float = 0.0

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def clusters(self) -> Mapping[str, Cluster]:
        return {self.hub.name: self.hub, **self.regions}

    def binary(self, name: str, show: progress.Progress | None = None) -> Path:
        """A program of the fleet; one that no fleet needs to run, such as "helm", is built at its first use."""
        if name in self.programs.binaries:
            return self.programs.binary(name)
        optional = [component for component in components.EVERYTHING if name in component.binaries]
        return build.ensure_built(optional, show or progress.PlainProgress()).binary(name)

    def memory(self) -> dict[str, int]:
        """Resident bytes per process of the fleet, pods left out."""
        running = self.ledger.state.processes.items()
        return {name: procfs.resident_bytes(record.process.pid) for name, record in running if record.process}
