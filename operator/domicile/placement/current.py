"""How a model stands on a cluster that it was given to, as far as placement asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Current:
    """The model was given to this cluster."""

    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    """The one in use there."""
    serving: bool = False
    """Whether it serves there, or did when it was last reported."""
    starved: bool = False
    """Whether no pod of it has a node there, for want of accelerators."""
