"""Where a log is kept: what `store.Log` asks of it, and the errors by which it says no. Files are in `segments`, a database in `postgres`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from domicile.evidence.findings import Segment
from domicile.evidence.ranges import Ranges


class StoreDown(Exception):
    """Nothing can be recorded now, and so nothing may be done."""


class StaleEpoch(Exception):
    """Somebody else has opened the log since, or recorded in a later term of the hub: who appends leads no more."""


class LogDamaged(Exception):
    """The log that is kept is not as it was written."""


@dataclass(frozen=True)
class Batch:
    """What is kept together, or not at all."""

    first: int
    """Sequence of its first record: how many there are before it."""
    size: int
    """How many there are with it."""
    root: bytes
    """Of the tree over all of these."""
    lines: bytes
    """The records, and the checkpoint of the log with them."""
    epoch: int
    """The term in which its last record was made: the latest of it."""


class Home(Protocol):
    """Where records are kept that the log has only what they hash to of. Every method may block, and raises StoreDown where it cannot be done."""

    def keep(self, lines: Sequence[bytes]) -> None:
        """Keep these for good. Of what a process does not live to record it may have more than the log."""
        ...

    def remove(self, leaves: Collection[bytes]) -> None:
        """Keep no longer what hashes to these. Of none: find out whether it could be done."""
        ...

    def kept(self) -> Iterator[bytes]:
        """All lines that are kept there."""
        ...

    def close(self) -> None:
        """Hold nothing open."""
        ...


class Storage(Protocol):
    """A log that is kept somewhere and is open, for one process to append to. Every method may block, and raises StoreDown where it cannot be
    done."""

    @property
    def where(self) -> str:
        """For messages: the log in where."""
        ...

    @property
    def epoch(self) -> int:
        """In older terms than this nothing is appended."""
        ...

    def acknowledged(self) -> Iterator[Segment]:
        """All that was acknowledged, in order: up to the last checkpoint."""
        ...

    @property
    def odd(self) -> bytes | None:
        """After `acknowledged`: what stands behind the last checkpoint and is no record, None if there is no such thing."""
        ...

    def go_on(self, size: int, root: bytes) -> None:
        """What was acknowledged was found to be in order, and to be so many records: keep it for good, and put aside what stands after it.
        Raises LogDamaged where there were more, and StaleEpoch where somebody else opened the log meanwhile."""
        ...

    def append(self, batch: Batch) -> None:
        """Keep it for good. Where this raises StoreDown, `holds` is asked before anything else is appended. Raises StaleEpoch and LogDamaged
        where nothing can be appended any more."""
        ...

    def holds(self, batch: Batch) -> bool:
        """Whether a batch is kept that could not be appended for certain. Where it is not, it will not be. Raises as `append` does."""
        ...

    def withhold(self, gone: Ranges) -> None:
        """Keep of these records, of those that were acknowledged, no more than what they hash to. Whatever ends it, the log is as it was
        written, and this may be called again. Of none: find out whether it could be done. Raises as `append` does."""
        ...

    def close(self) -> None:
        """Let another process have it."""
        ...
