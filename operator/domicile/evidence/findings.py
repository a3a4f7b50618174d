"""What is looked at when a log is verified, and what is found. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from domicile.evidence import dsse, records
from domicile.evidence.merkle import Tree
from domicile.evidence.records import Place
from domicile.evidence.withheld import Register

Reason = Literal[
    "Unreadable", "SignatureInvalid", "KeyUnknown", "KeyRevoked", "Missing", "OutOfOrder", "Repeated", "ChainBroken",
    "ClockWentBack", "EpochWentBack", "OfAnotherLog", "CheckpointInvalid", "Unsealed", "TailCut", "Rewritten",
    "Withheld",
]  # fmt: skip
PROOFS: Final = frozenset[Reason]({"TailCut", "Rewritten"})
"""What a checkpoint proves that is signed with one of the keys."""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Segment:
    """A part of the log."""

    name: str
    content: bytes
    """Lines: envelopes, and after each batch of them a checkpoint."""


@dataclass(frozen=True)
class Witnessed:
    """A checkpoint that somebody else kept."""

    where: str
    """Who: such as the member."""
    note: str


@dataclass(frozen=True)
class Report:
    """What was found."""

    findings: tuple[Finding, ...]
    size: int
    """How many records it has, by the sequence of the last one that is genuine."""
    root: bytes | None
    """Of the tree over them; None where some are missing or cannot be read."""
    witnessed: tuple[tuple[str, int], ...] = ()
    """Who kept a checkpoint that the log agrees with, and of how many records."""
    removed: int = 0
    """How many of the records are kept no longer, as a record says."""
    elsewhere: tuple[tuple[str, int], ...] = ()
    """Where records are kept that were not given, and how many."""
    register: Register = field(default_factory=Register, compare=False)
    """Which they are."""
    tree: Tree = field(default_factory=Tree, compare=False)
    """Of the records that could be read, for who goes on with the log."""
    last: str = field(default=records.NOTHING, compare=False)
    """Digest of the last of them."""
    epoch: int = field(default=0, compare=False)
    """The term in which it was recorded."""


Read = Callable[[dsse.Envelope, Place], None]
"""Is given each record whose place is right, in the order of the log."""
