"""What one model needs of a cluster, as placement counts it: copies, accelerators a copy, memory an accelerator."""

from dataclasses import dataclass

from domicile.api import SovereignModelSpec
from domicile.api.quantity import parse

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Need:
    """What a cluster must have for a model."""

    replicas: int = 1
    """Copies that must run at the least."""
    accelerators: int = 0
    """Accelerators of one copy, all on one node; 0 is none."""
    min_memory: int = 0
    """Least memory of each accelerator, in bytes; 0 is any, known or not."""
    products: tuple[str, ...] = ()
    """Products that will do; empty is any."""
    peers: tuple[str, ...] = ()
    """Names of the peers that it has to do with."""


def need(spec: SovereignModelSpec) -> Need:
    """The need of a model's spec."""
    wanted, peers = spec.resources.accelerators, tuple(sorted({*spec.network.callers, *spec.network.egress}))
    if wanted is None:
        return Need(spec.replicas.min, peers=peers)
    memory = (
        0 if wanted.min_memory is None else int(parse(wanted.min_memory).to_integral_value(rounding="ROUND_CEILING"))
    )
    return Need(spec.replicas.min, wanted.count, memory, tuple(sorted(wanted.products)), peers)


def gibibytes(size: int) -> str:
    """A number of bytes for people, in Gi and never rounded up: 22.5Gi."""
    tenths = size * 10 // (1024 * _MIB)
    return f"{tenths // 10}Gi" if tenths % 10 == 0 else f"{tenths // 10}.{tenths % 10}Gi"
