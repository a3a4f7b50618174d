"""Logs made for tests, by the code that would write them: batches of records with a checkpoint after each."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domicile.evidence import checkpoint, dsse, records
from domicile.evidence.checkpoint import Checkpoint
from domicile.evidence.findings import Segment
from domicile.evidence.keys import LocalSigner
from domicile.evidence.merkle import Tree, leaf
from domicile.evidence.records import Content, Place

ORIGIN = "domicile.dev/evidence/36c069f1-b114-4ef9-a73c-fe55498e3bc7"
BEGAN = datetime(2026, 11, 28, 9, tzinfo=UTC)


def signer(seed: int = 1) -> LocalSigner:
    return LocalSigner(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))


OURS, NEXT, STOLEN = signer(1), signer(2), signer(3)


def content(number: int) -> Content:
    return Content("Placed", "SovereignModel/retail-banking/fraud-scorer", f"sha256:{number:064x}", {"cluster": "sg"})


class Writer:
    """Writes a log of records like `content`, in batches; `by` signs."""

    def __init__(self, by: LocalSigner = OURS, origin: str = ORIGIN) -> None:
        self.by, self.origin = by, origin
        self.tree, self.last, self.lines = Tree(), records.NOTHING, list[bytes]()

    def record(self, *, time: datetime | None = None, epoch: int = 3, by: LocalSigner | None = None) -> None:
        sequence = len(self.tree)
        at = time or BEGAN + timedelta(seconds=sequence)
        payload = records.payload(content(sequence), Place(sequence, self.last, at, epoch, self.origin))
        self.put(records.sealed(payload, by or self.by))

    def put(self, envelope: dsse.Envelope) -> None:
        """Go on by a record."""
        self.tree.append(leaf(envelope.signed))
        self.last = records.digest(envelope.payload)
        self.lines.append(envelope.line())

    def note(self, size: int | None = None) -> str:
        count = len(self.tree) if size is None else size
        return checkpoint.signed(Checkpoint(self.origin, count, self.tree.root(count)), self.by)

    def seal(self) -> None:
        self.lines.append(dsse.canonical({"checkpoint": self.note()}))

    def batch(self, count: int) -> None:
        for _ in range(count):
            self.record()
        self.seal()


def written(batches: int = 4, of: int = 5, by: LocalSigner = OURS) -> Writer:
    """A log of so many batches."""
    writer = Writer(by)
    for _ in range(batches):
        writer.batch(of)
    return writer


def segments(lines: Sequence[bytes], at: Sequence[int] = ()) -> tuple[Segment, ...]:
    """The lines, in segments that begin at these."""
    bounds = [0, *at, len(lines)]
    return tuple(
        Segment(f"{begin:04}.jsonl", b"".join(line + b"\n" for line in lines[begin:end]))
        for begin, end in pairwise(bounds)
    )


Tampering = Callable[[list[bytes]], None]
