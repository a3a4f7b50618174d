"""The decision about one model, pure: what was seen in, what to do, say and when to look again out."""

from domicile.decision.decide import decide
from domicile.decision.plan import AddFinalizer, Place, Plan, ReleaseFinalizer, Wait, Withdraw
from domicile.decision.snapshot import Refusal, Snapshot

__all__ = [
    "AddFinalizer",
    "Place",
    "Plan",
    "Refusal",
    "ReleaseFinalizer",
    "Snapshot",
    "Wait",
    "Withdraw",
    "decide",
]
