"""What the controller remembers of a model between two looks. All of it can be lost: it is found out again."""

from dataclasses import dataclass, field

from domicile.decision import Refusal
from domicile.residency import MemberId


@dataclass
class Memory:
    """Of one model, by its UID."""

    refusals: dict[str, Refusal] = field(default_factory=dict[str, Refusal])
    """By member: why the last write there failed."""
    stuck: dict[str, str] = field(default_factory=dict[str, str])
    """By member: what keeps the model from being withdrawn there, and is for somebody to look at."""
    proven_absent: set[MemberId] = field(default_factory=set[MemberId])
    """Members that were asked consistently and had nothing of the model since the last write there. By identity: what one
    cluster had not says nothing of another that bears its name."""
    failures: int = 0
    """Passes in a row that did not go through, for the back-off."""


class Memories:
    """Of all models."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Memory] = {}

    def of(self, uid: str) -> Memory:
        """The memory of a model; empty at first."""
        return self._by_uid.setdefault(uid, Memory())

    def forget(self, uid: str) -> None:
        """The model is gone."""
        self._by_uid.pop(uid, None)
