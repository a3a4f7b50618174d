"""The demo's world on this machine: a local fleet, a model packed for its registry, and a certificate for each person."""

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from domicile import localfleet
from domicile.cli.demo import model, operating
from domicile.cli.demo.kubectl import Person
from domicile.cli.demo.world import Region, World
from domicile.localfleet import components, images, progress

FLEET: Final = "demo"
_CODES: Final = ("SG", "PH", "DE")


@dataclass(frozen=True)
class Local:
    """The fleet, and the world made of it."""

    fleet: localfleet.Fleet
    world: World

    @property
    def mark(self) -> Mapping[str, str]:
        """What makes a process one of the fleet's: it is ended with it."""
        name, _, value = self.fleet.ledger.state.mark.partition("=")
        return {name: value}

    @property
    def where(self) -> tuple[tuple[Path, str], Mapping[str, tuple[Path, str]]]:
        """Kubeconfig and context of the hub's and the regions' administrators."""
        regions = {name: (each.kubeconfig, each.context) for name, each in self.fleet.regions.items()}
        return (self.fleet.hub.kubeconfig, self.fleet.hub.context), regions


def start(work: Path, show: progress.Progress, *, keep: bool, real_node: bool) -> Local:
    """Build what is missing, start the fleet, and train the model meanwhile."""
    spec = localfleet.FleetSpec(name=FLEET, real_node_in="sg" if real_node else None)
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(model.train)
        fleet = localfleet.start(spec, show, outlive=keep)
        try:
            trained = training.result()
            packed = images.model({model.FILE: trained.artifact})
            reference = fleet.registry.push(packed, "models/fraud-scorer")
            return Local(fleet, _world(fleet, work, trained, reference, real_node=real_node))
        except BaseException:
            down()
            raise


def down() -> bool:
    """Stop the fleet and all that carries its mark. Whether there was one."""
    return localfleet.down(FLEET)


def save_logs(fleet: localfleet.Fleet, work: Path) -> Path:
    """The fleet's logs end with it; a copy stays until the next demo."""
    return Path(shutil.copytree(fleet.logs, work / "logs", dirs_exist_ok=True))


def _world(fleet: localfleet.Fleet, work: Path, trained: model.Trained, image: str, *, real_node: bool) -> World:
    kubeconfig = work / "platform.kubeconfig"
    platform = fleet.hub.kubeconfig_for("platform", [operating.PLATFORM])
    contexts = {"hub": platform, **{code.lower(): fleet.regions[code.lower()].kubeconfig for code in _CODES}}
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(yaml.safe_dump(merged(contexts), sort_keys=False))

    def person(name: str, groups: tuple[str, ...]) -> Person:
        return Person(f"{name}@hub", work, ("--kubeconfig", str(fleet.hub.kubeconfig_for(name, groups))))

    def at(context: str) -> Person:
        flags = ("--kubeconfig", str(kubeconfig), "--context", context)
        return Person(f"platform@{context}", work, flags, {"KUBECONFIG": str(kubeconfig)})

    home = fleet.regions["sg"]
    no_node = home.no_real_node or "" if real_node else "switched off by --no-real-node"
    no_prediction = "" if home.real_node else f"no real node: {no_node}. kwok simulates pods, and they answer nothing"
    return World(
        kubeconfig=kubeconfig,
        hub_context="hub",
        regions=tuple(Region(code, code.lower(), at(code.lower())) for code in _CODES),
        root=Person("admin@hub", work, ("--kubeconfig", str(fleet.hub.kubeconfig))),
        platform=at("hub"),
        governance=person("governance", (operating.GOVERNANCE,)),
        team=person("bank-team", (operating.TEAM,)),
        work=work,
        trained=trained,
        model_image=image,
        server_image=fleet.images.model_server,
        serves=True,
        no_prediction=no_prediction,
        real_node=home.real_node or "",
        about=_about(fleet, home, no_node),
    )


def merged(kubeconfigs: Mapping[str, Path]) -> dict[str, Any]:
    """One kubeconfig of several that have one cluster and one user each, by name of the context. The first is current."""
    parts: dict[str, list[dict[str, Any]]] = {"clusters": [], "users": [], "contexts": []}
    for name, path in kubeconfigs.items():
        one: dict[str, Any] = yaml.safe_load(path.read_text())
        parts["clusters"].append({"name": name, "cluster": one["clusters"][0]["cluster"]})
        parts["users"].append({"name": name, "user": one["users"][0]["user"]})
        parts["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    return {"apiVersion": "v1", "kind": "Config", **parts, "current-context": next(iter(kubeconfigs))}


def _about(fleet: localfleet.Fleet, home: localfleet.Region, no_node: str) -> tuple[str, ...]:
    nodes = sum(len(region.spec.nodes) for region in fleet.regions.values())
    servers = f"Kubernetes {components.KUBERNETES}, etcd {components.ETCD}, KServe {components.KSERVE}"
    if home.real_node:
        node = (
            f"node {home.real_node} is real (kubelet, containerd {components.CONTAINERD}, runc; its GPUs are made up)"
        )
        simulated = f"{nodes - 1} nodes are simulated by kwok {components.KWOK}"
    else:
        node = f"no real node: {no_node}"
        simulated = f"all {nodes} nodes are simulated by kwok {components.KWOK}"
    return (
        f"a hub and {len(fleet.regions)} regional clusters are up after {fleet.start_seconds:.0f} s: {servers}",
        f"{node}; {simulated}",
    )
