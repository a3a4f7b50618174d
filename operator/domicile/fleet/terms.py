"""The terms of a hub: which of its processes led when. Members remember the last one; a hub that does not know it is behind. Pure."""

from dataclasses import dataclass, replace
from typing import Final

_REMEMBERED: Final = 256
"""Terms before the current one. A member that was out of sight for longer is for a person to confirm."""


@dataclass(frozen=True)
class Term:
    """The time during which one process leads."""

    epoch: int
    """Counts up."""
    token: str
    """Drawn at random, without a slash or a space: a hub that was restored from a backup counts on from there, and would count
    to the same epochs."""

    def __str__(self) -> str:
        return f"{self.epoch}/{self.token}"


@dataclass(frozen=True)
class Terms:
    """What a hub knows of its own terms. It is kept with the lease."""

    current: Term
    past: tuple[Term, ...] = ()
    """Before the current one, the earliest first."""
    confirmed: int = -1
    """Of terms up to this epoch, known or not, a person said that the hub goes on from them."""

    def know(self, term: Term) -> bool:
        """Whether the term was this hub's, or was confirmed to be."""
        return term == self.current or term in self.past or term.epoch <= self.confirmed

    def begin(self, token: str) -> "Terms":
        """The next one."""
        return replace(
            self,
            current=Term(self.current.epoch + 1, token),
            past=(*self.past, self.current)[-_REMEMBERED:],
        )

    def begin_after(self, epoch: int, token: str) -> "Terms":
        """One that comes after that epoch, which a person confirmed."""
        begun = self.begin(token)
        later = replace(begun.current, epoch=max(begun.current.epoch, epoch + 1))
        return replace(begun, current=later, confirmed=max(self.confirmed, epoch))

    def wire(self) -> str:
        """The terms in one line, the current one last."""
        return " ".join(map(str, (*self.past, self.current)))


def parse(wire: str, confirmed: int = -1) -> Terms | None:
    """What `wire` wrote; None if it is anything else."""
    words = [word.partition("/") for word in wire.split()]
    if not words or not all(epoch.isascii() and epoch.isdigit() and token for epoch, _, token in words):
        return None
    *past, current = (Term(int(epoch), token) for epoch, _, token in words)
    return Terms(current, tuple(past), confirmed)
