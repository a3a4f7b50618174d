"""What was decided: acts in their order, the status to report, events to tell, and when to look again."""

from dataclasses import dataclass, field
from datetime import datetime

from domicile.api import SovereignModelStatus
from domicile.placement import Choice
from domicile.residency import Judgement, MemberId, Permit
from domicile.serving.workload import Workload


@dataclass(frozen=True)
class AddFinalizer:
    """Make sure that the model stays until nothing of it is left on any member."""


@dataclass(frozen=True)
class Withdraw:
    """Remove the model from a member, and prove that nothing of it is left there."""

    member: MemberId


@dataclass(frozen=True)
class Place:
    """Write the workload to the member that the permit names."""

    permit: Permit
    workload: Workload


@dataclass(frozen=True)
class ReleaseFinalizer:
    """Let the model go: its absence was proved everywhere."""


Act = AddFinalizer | Withdraw | Place | ReleaseFinalizer


@dataclass(frozen=True)
class Plan:
    """What to do about one model. The status is made durable before the first act on a member."""

    acts: tuple[Act, ...]
    status: SovereignModelStatus
    look_again: datetime | None
    """When time alone may change the decision; None if only an event can."""
    judgement: Judgement | None = field(default=None, compare=False)
    """What the acts and the status follow from, for the record; None where the model is let go, which needs no judgement."""
    choice: Choice | None = field(default=None, compare=False)
    """The same of the clusters; None where none is chosen anew."""


@dataclass(frozen=True)
class Wait:
    """Too early to decide: something is about to be known."""

    why: str
    look_again: datetime
