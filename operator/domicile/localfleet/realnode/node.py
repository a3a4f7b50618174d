"""Brings the real node up: host changes on record first, then containerd and the kubelet, then labels and GPUs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import (
    apiclient,
    build,
    controlplane,
    errors,
    kubeconfigs,
    kwok,
    locks,
    paths,
    ports,
    processes,
    progress,
    registry,
    spec,
    state,
)
from domicile.localfleet.realnode import bridge, cgroups, containerd, kubelet, policies, runc, undoing

LOCK = Path("/run/lock/domicile-real-node.lock")
LOCK_SECONDS = 15.0
READY_SECONDS = 90.0
SYSCTLS = (
    # written by the kubelet
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    # written by the CNI bridge plugin
    "net/ipv4/ip_forward",
)


@dataclass(frozen=True)
class Parts:
    """What a node is made with."""

    programs: build.Programs
    runc: Path
    supervisor: processes.Supervisor
    ledger: state.Ledger
    ports: ports.Ports


def obtain_runc(show: progress.Progress) -> Path:
    return runc.obtain(show)


@contextmanager
def the_only_one(waiting: Callable[[str], None] | None = None) -> Generator[int]:
    """The lock of this machine's real node. RealNodeUnavailable when another fleet has it."""
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(locks.held(LOCK, within=LOCK_SECONDS, waiting=waiting))
        except errors.WaitedTooLong as error:
            raise errors.RealNodeUnavailable(
                "another fleet on this machine has a real node, and there can be one at a time"
            ) from error
        yield lock


def up(
    parts: Parts,
    plane: controlplane.ControlPlane,
    api: apiclient.ApiClient,
    region: spec.RegionSpec,
    wanted: spec.NodeSpec,
    serving: registry.Registry,
    images: registry.Images,
) -> str | None:
    """Returns when the node is registered, labelled and has its GPUs; Ready comes a moment later. It says why
    NetworkPolicies have no effect on this node; None when they are enforced.

    Raises RealNodeUnavailable, with nothing changed on this machine, when it cannot be the one real node here.
    """
    fleet = parts.ledger.state.name
    directory = paths.socket_dir(plane.directory / "node", "kubelet/device-plugins/kubelet.sock.1234567890")
    short = hashlib.sha256(parts.ledger.state.id.encode()).hexdigest()[:8]
    pods = bridge.Bridge(f"dmc{short}", bridge.free_network())
    cgroup = f"domicile-{short}"
    network = containerd.Layout(
        directory=directory / "containerd",
        runc=parts.runc,
        plugins=parts.programs.binary("bridge").parent,
        pause=images.pause,
        registry=serving.address,
        network=f"domicile-{fleet}-{short}",
    )
    # containerd and its shims inherit the lock: it is free again when the last process of the node is gone, not before.
    with the_only_one() as lock:
        _change_host(parts.ledger, pods, cgroup, directory, network.network)
        _containerd(parts, plane, network, pods, lock)
    unenforced = policies.not_enforceable(parts.programs)
    if unenforced is None:
        _policies(parts, plane, api, wanted, pods, network)  # before there can be a pod
    agent = _kubelet(parts, plane, wanted, pods, cgroup, directory, network)
    parts.supervisor.wait_ready(agent)
    _dress(parts.supervisor, agent.name, api, region, wanted)
    return unenforced


def _change_host(ledger: state.Ledger, pods: bridge.Bridge, cgroup: str, directory: Path, network: str) -> None:
    """On record before it is done, so that a crash in between leaves nothing unknown."""
    groups = cgroups.directories(cgroup)
    ledger.change_host(
        state.HostChanges(
            sysctls={name: text for name in SYSCTLS if (text := _sysctl(name)) is not None},
            links=(pods.name,),
            cgroups=tuple(map(str, groups)),
            controllers=tuple(cgroups.not_offered()),
            directories=(str(directory),),
            made_directories=tuple(place for place in undoing.OUTSIDE if not os.path.lexists(place)),
            networks=(network,),
            tables=(pods.name,),
        )
    )
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    cgroups.make(groups)
    bridge.make(pods)


def _containerd(
    parts: Parts, plane: controlplane.ControlPlane, layout: containerd.Layout, pods: bridge.Bridge, lock: int
) -> processes.Program:
    containerd.configure(layout, pods)
    binary = parts.programs.binary("containerd")
    program = processes.Program(
        plane.program_name("containerd"),
        [str(binary), f"--config={layout.configuration}"],
        # containerd looks for its shim on PATH, and it has to be of the same version.
        environment={"PATH": f"{binary.parent}:{layout.runc.parent}:{os.environ.get('PATH', '')}"},
        inherits=(lock,),
    )
    parts.supervisor.start(program)
    parts.supervisor.wait(
        program.name,
        f"socket {layout.socket}",
        lambda: None if layout.socket.exists() else "no socket yet",
        within=30,
    )
    return program


def _policies(
    parts: Parts,
    plane: controlplane.ControlPlane,
    api: apiclient.ApiClient,
    wanted: spec.NodeSpec,
    pods: bridge.Bridge,
    network: containerd.Layout,
) -> None:
    for manifest in policies.manifests():
        api.apply(manifest)
    identity = plane.identities.authority.client(policies.NAME, policies.NAME)
    kubeconfig = plane.directory / f"{policies.NAME}.kubeconfig"
    layout = policies.Layout(
        node=wanted.name,
        kubeconfig=kubeconfigs.with_certificate(kubeconfig, plane.server, policies.NAME, identity),
        pods=pods,
        table=pods.name,
        nri=network.nri,
        health_port=parts.ports.take(),
    )
    program = policies.program(plane.program_name(policies.NAME), layout, parts.programs)
    parts.supervisor.start(program)
    parts.supervisor.wait_ready(program)


def _kubelet(
    parts: Parts,
    plane: controlplane.ControlPlane,
    wanted: spec.NodeSpec,
    pods: bridge.Bridge,
    cgroup: str,
    directory: Path,
    network: containerd.Layout,
) -> processes.Program:
    user = f"system:node:{wanted.name}"
    authority = plane.identities.authority
    identity = authority.client("kubelet", user, ["system:nodes"])
    layout = kubelet.Layout(
        directory=directory,
        node=wanted.name,
        address=pods.address,
        port=parts.ports.take(),
        health_port=parts.ports.take(),
        cgroup=cgroup,
        containerd_socket=network.socket,
        authority=authority.certificate,
        serving=authority.server("kubelet-serving", user, [pods.address, wanted.name]),
        kubeconfig=kubeconfigs.with_certificate(plane.directory / "kubelet.kubeconfig", plane.server, user, identity),
    )
    program = processes.Program(
        plane.program_name("kubelet"),
        [str(parts.programs.binary("kubelet")), *kubelet.arguments(layout)],
        processes.Probe(f"http://127.0.0.1:{layout.health_port}/healthz"),
    )
    parts.supervisor.start(program)
    return program


def _dress(
    supervisor: processes.Supervisor,
    program: str,
    api: apiclient.ApiClient,
    region: spec.RegionSpec,
    wanted: spec.NodeSpec,
) -> None:
    """The labels of its spec, and GPUs as a device plugin would report them."""
    path = f"/api/v1/nodes/{wanted.name}"
    supervisor.wait(
        program,
        f"node {wanted.name} registered",
        lambda: None if api.find(path) else f"the API server knows no node {wanted.name}",
        within=READY_SECONDS,
    )
    api.merge(path, {"metadata": {"labels": kwok.labels(region, wanted)}})
    gpus = kwok.gpu_resources(wanted)
    if gpus:
        change: dict[str, Any] = {"status": {"capacity": gpus, "allocatable": gpus}}
        api.merge(f"{path}/status", change)


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None
