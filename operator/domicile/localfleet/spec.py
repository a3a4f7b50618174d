"""What a fleet is to look like, as data that a caller can replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domicile.localfleet import errors, paths

HUB = "hub"


@dataclass(frozen=True)
class Gpu:
    """GPUs of one node, told in the labels of NVIDIA's GPU feature discovery."""

    product: str
    memory_mib: int
    count: int


H100 = Gpu("NVIDIA-H100-80GB-HBM3", memory_mib=81559, count=8)
L4 = Gpu("NVIDIA-L4", memory_mib=23034, count=2)


@dataclass(frozen=True)
class NodeSpec:
    """A node; simulated by kwok unless the fleet's real node takes its place."""

    name: str
    gpu: Gpu | None = None
    cpu: str = "32"
    memory: str = "256Gi"
    pods: int = 110
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    may_be_real: bool = False


@dataclass(frozen=True)
class RegionSpec:
    name: str
    nodes: tuple[NodeSpec, ...]
    topology: str = ""
    """Value of topology.kubernetes.io/region; the name when empty."""


@dataclass(frozen=True)
class FleetSpec:
    name: str = "demo"
    regions: tuple[RegionSpec, ...] = ()
    """The three regions of the demo when empty."""
    real_node_in: str | None = None
    """The region whose `may_be_real` node is a kubelet with containerd, where this machine can run one; else kwok's."""

    def __post_init__(self) -> None:
        if not self.regions:
            object.__setattr__(self, "regions", default_regions())
        _check(self)

    def region(self, name: str) -> RegionSpec:
        return next(region for region in self.regions if region.name == name)

    def real_node(self) -> NodeSpec | None:
        if self.real_node_in is None:
            return None
        return next(node for node in self.region(self.real_node_in).nodes if node.may_be_real)


def default_regions() -> tuple[RegionSpec, ...]:
    return (
        _region("sg", "ap-southeast-1", h100=2, l4=1),
        _region("ph", "ap-southeast-3", h100=1, l4=2),
        _region("de", "eu-central-1", h100=2, l4=1),
    )


def _region(name: str, topology: str, *, h100: int, l4: int) -> RegionSpec:
    zones = "abc"
    big = [NodeSpec(f"{name}-h100-{i}", H100, zone=f"{topology}{zones[i % 3]}") for i in range(h100)]
    small = [
        NodeSpec(f"{name}-l4-{i}", L4, cpu="16", memory="64Gi", zone=f"{topology}{zones[i % 3]}", may_be_real=i == 0)
        for i in range(l4)
    ]
    return RegionSpec(name, (*big, *small), topology)


def _check(fleet: FleetSpec) -> None:
    paths.checked_name(fleet.name)
    names = [region.name for region in fleet.regions]
    for name in names:
        paths.checked_name(name)
    if len(set(names)) != len(names) or HUB in names:
        raise errors.InvalidSpec(f"regions {names}: each needs its own name, and {HUB!r} is the hub's")
    if fleet.real_node_in is None:
        return
    if fleet.real_node_in not in names:
        raise errors.InvalidSpec(f"real_node_in={fleet.real_node_in!r} is not one of the regions {names}")
    if not any(node.may_be_real for node in fleet.region(fleet.real_node_in).nodes):
        raise errors.InvalidSpec(f"no node of region {fleet.real_node_in!r} has may_be_real=True")
