"""Placement, pure: from the lawful clusters to the chosen ones, or the reason why none is."""

from domicile.placement.ability import Ability, Able, NotSeen, NotYet, Unable, ability
from domicile.placement.accelerators import MEMORY_LABEL, PRODUCT_LABEL, Selector
from domicile.placement.choice import Candidate, Choice, Chosen, Hold, Keep, PassedOver, Place, choose
from domicile.placement.current import Current
from domicile.placement.need import Need, need
from domicile.placement.view import (
    AcceleratorNode,
    ClusterView,
    Connected,
    FenceDown,
    FenceInForce,
    ModelName,
    OutOfSight,
    ServingAvailable,
    ServingMissing,
)

__all__ = [
    "MEMORY_LABEL",
    "PRODUCT_LABEL",
    "Ability",
    "Able",
    "AcceleratorNode",
    "Candidate",
    "Choice",
    "Chosen",
    "ClusterView",
    "Connected",
    "Current",
    "FenceDown",
    "FenceInForce",
    "Hold",
    "Keep",
    "ModelName",
    "Need",
    "NotSeen",
    "NotYet",
    "OutOfSight",
    "PassedOver",
    "Place",
    "Selector",
    "ServingAvailable",
    "ServingMissing",
    "Unable",
    "ability",
    "choose",
    "need",
]
