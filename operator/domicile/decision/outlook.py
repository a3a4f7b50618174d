"""The decision before it is put in words: the judgement, the choice, and how the model stands on each member."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from domicile.placement import Choice
from domicile.residency import Judgement, MemberId

State = Literal["Starting", "Serving", "Failing", "OutOfSight", "Leaving"]
NOT_RECORDED = "EvidenceStoreDown"
"""Reason of NotYet while nothing can be recorded."""


@dataclass(frozen=True)
class Standing:
    """How the model stands on one member."""

    member: MemberId
    state: State
    permit: str
    """Digest of the permit that it is, or was, there under."""
    node_selector: Mapping[str, str] = field(default_factory=dict[str, str])
    endpoint: str = ""
    reason: str = ""
    """Why it does not serve; empty where it does."""
    message: str = ""


@dataclass(frozen=True)
class Outlook:
    """A whole decision."""

    judgement: Judgement
    choice: Choice
    able: int
    """How many of the lawful clusters can run the model."""
    hosts: tuple[Standing, ...]
    """On the chosen members."""
    leaving: tuple[Standing, ...]
    surplus: tuple[Standing, ...]
    """Lawful, no longer chosen, and there until the chosen ones serve."""
