"""Brings up one cluster in the right order: control plane, then what a hub or a region needs on top."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domicile.localfleet import (
    apiclient,
    build,
    components,
    controlplane,
    errors,
    etcds,
    fleet,
    kserve,
    kwok,
    ports,
    processes,
    registry,
    spec,
    state,
)
from domicile.localfleet.realnode import node

Note = Callable[[str], None]
Object = dict[str, Any]
NODES_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Common:
    """What every cluster of a fleet is built with."""

    fleet: str
    directory: Path
    programs: build.Programs
    ports: ports.Ports
    supervisor: processes.Supervisor
    pool: Executor
    registry: registry.Registry
    images: Future[registry.Images]
    ledger: state.Ledger


@dataclass(frozen=True)
class RealNode:
    """The node of a region that a kubelet of this machine is to be."""

    spec: spec.NodeSpec
    runc: Path


@dataclass(frozen=True)
class Joined:
    """What became of it; both empty when all is as it should be."""

    no_real_node: str = ""
    no_network_policies: str = ""


def hub(common: Common, etcd: etcds.Etcd, note: Note) -> fleet.Cluster:
    plane, server, api = _api_server(common, spec.HUB, etcd, note)
    with _answering(common, server):
        return _hub(common, plane, server, api, note)


def region(
    common: Common,
    etcd: etcds.Etcd,
    wanted: spec.RegionSpec,
    index: int,
    real: RealNode | None,
    note: Note,
) -> fleet.Region:
    plane, server, api = _api_server(common, wanted.name, etcd, note)
    with _answering(common, server):
        return _region(common, plane, server, api, wanted, index, real, note)


@contextmanager
def _answering(common: Common, server: processes.Program) -> Generator[None]:
    """For requests of the set-up: to get no answer is a failure of that server, which shows its log."""
    try:
        yield
    except errors.RequestRefused as error:
        if error.status:
            raise
        raise common.supervisor.failed(server.name, "an answer to a request of the set-up", str(error)) from error


def _hub(
    common: Common,
    plane: controlplane.ControlPlane,
    server: processes.Program,
    api: apiclient.ApiClient,
    note: Note,
) -> fleet.Cluster:
    manager = controlplane.controller_manager(plane, controlplane.HUB_CONTROLLERS, common.programs, common.ports)
    common.supervisor.start(manager)
    note("controller manager")
    common.supervisor.wait_ready(manager)
    return fleet.Cluster(plane, _kube_system_uid(common, server, api), common.supervisor, server)


def _region(
    common: Common,
    plane: controlplane.ControlPlane,
    server: processes.Program,
    api: apiclient.ApiClient,
    wanted: spec.RegionSpec,
    index: int,
    real: RealNode | None,
    note: Note,
) -> fleet.Region:
    joining = common.pool.submit(_join, common, plane, api, wanted, real) if real else None
    share = common.programs.share(components.KSERVE_CONTROLLER)
    note("CRDs")
    crds = kserve.crds(share)
    creating = [common.pool.submit(api.create, crd) for crd in crds]
    waited_for = [
        controlplane.controller_manager(plane, controlplane.REGION_CONTROLLERS, common.programs, common.ports),
        controlplane.scheduler(plane, common.programs, common.ports),
    ]
    for program in waited_for:
        common.supervisor.start(program)
    _apply_all(api, kwok.manifests(common.programs.share(components.KWOK_CONTROLLER)))
    simulator = kwok.controller(plane, index, common.programs, common.ports)
    common.supervisor.start(simulator)
    for simulated in wanted.nodes:
        if real is None or simulated != real.spec:
            api.create(kwok.node(wanted, simulated))
    _apply_all(api, kserve.manifests(share))
    for each in creating:
        each.result()
    common.supervisor.wait(server.name, "KServe's CRDs served", lambda: kserve.unserved(api, crds), within=60)

    note("KServe")
    controller, webhook_port = kserve.controller(
        plane, kserve.token_kubeconfig(plane, api), common.programs, common.ports
    )
    common.supervisor.start(controller)
    common.supervisor.wait_ready(controller)
    authority = plane.identities.authority.certificate
    _apply_all(api, kserve.webhook_configurations(share, webhook_port, authority))
    api.apply(kserve.serving_runtime(common.images.result().model_server))

    note("nodes")
    for program in (*waited_for, simulator):
        common.supervisor.wait_ready(program)
    joined = joining.result() if joining else Joined()
    names = [each.name for each in wanted.nodes]
    common.supervisor.wait(
        simulator.name, f"nodes {names} Ready", lambda: not_ready(api, names), within=NODES_READY_SECONDS
    )
    return fleet.Region(
        plane,
        _kube_system_uid(common, server, api),
        common.supervisor,
        server,
        spec=wanted,
        real_node=real.spec.name if real and not joined.no_real_node else None,
        no_real_node=joined.no_real_node,
        no_network_policies=joined.no_network_policies,
    )


def _join(
    common: Common, plane: controlplane.ControlPlane, api: apiclient.ApiClient, region: spec.RegionSpec, real: RealNode
) -> Joined:
    """The node is simulated after all when another fleet was quicker."""
    parts = node.Parts(common.programs, real.runc, common.supervisor, common.ledger, common.ports)
    try:
        unenforced = node.up(parts, plane, api, region, real.spec, common.registry, common.images.result())
    except errors.RealNodeUnavailable as error:
        api.create(kwok.node(region, real.spec))
        return Joined(no_real_node=str(error))
    return Joined(no_network_policies=unenforced or "")


def not_ready(api: apiclient.ApiClient, names: Iterable[str]) -> str | None:
    """None once these nodes are Ready and take pods."""
    nodes: dict[str, Object] = {each["metadata"]["name"]: each for each in api.get("/api/v1/nodes")["items"]}
    waiting_for: list[str] = []
    for name in names:
        found = nodes.get(name)
        conditions: list[Object] = (found.get("status", {}).get("conditions") or []) if found else []
        ready = next((each for each in conditions if each["type"] == "Ready"), None)
        if found is None:
            waiting_for.append(f"{name} is not registered")
        elif ready is None or ready["status"] != "True":
            waiting_for.append(f"{name}: {ready['message'] if ready else 'no Ready condition yet'}")
        elif found["spec"].get("taints"):
            waiting_for.append(f"{name} is still tainted: {[taint['key'] for taint in found['spec']['taints']]}")
    return "; ".join(waiting_for) or None


def _api_server(
    common: Common, name: str, etcd: etcds.Etcd, note: Note
) -> tuple[controlplane.ControlPlane, processes.Program, apiclient.ApiClient]:
    plane = controlplane.prepare(name, common.fleet, common.directory / name, common.ports)
    server = controlplane.api_server(plane, etcd, common.programs)
    note("API server")
    common.supervisor.start(server)
    common.supervisor.wait_ready(server)
    api = apiclient.ApiClient(plane.url, plane.identities.authority.certificate, plane.identities.admin)
    with _answering(common, server):
        _apply_all(api, controlplane.set_up_rbac())
    return plane, server, api


def _apply_all(api: apiclient.ApiClient, manifests: Iterable[Object]) -> None:
    for manifest in manifests:
        api.apply(manifest)


def _kube_system_uid(common: Common, server: processes.Program, api: apiclient.ApiClient) -> str:
    """The API server makes the namespace a moment after it is ready."""
    found: list[str] = []

    def look() -> str | None:
        namespace = api.find("/api/v1/namespaces/kube-system")
        if namespace is None:
            return "no namespace kube-system yet"
        found.append(namespace["metadata"]["uid"])
        return None

    common.supervisor.wait(server.name, "namespace kube-system", look, within=30)
    return found[0]
