"""Checkpoints: how many records a log has and the root of the tree over them, signed, as C2SP's tlog-checkpoint and signed-note write it.

Who keeps one can tell whether a log that is shown later begins with the same records, without trusting whose log it is. Pure."""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from domicile.evidence.base64text import decoded, encoded
from domicile.evidence.keys import PublicKey, Signer

_ED25519: Final = b"\x01"
_SIGNATURE: Final = re.compile(r"— (\S+) (\S+)")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
CHECKPOINT: Final = b'{"checkpoint":'
"""How a line of a log begins that is one, and no record."""
LONGEST: Final = 100_000
"""Characters of a checkpoint: signed-note wants room for sixteen signatures, which may be of another sort once."""
_NAME: Final = re.compile(r"[!-*,-~]{1,255}")
"""What a log may be called: signed-note allows neither spaces nor a plus."""


class NotACheckpoint(Exception):
    """It is not written as checkpoints are."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log."""

    origin: str
    """Which log: domicile.dev/evidence/ and the UID of the hub."""
    size: int
    """How many records it has."""
    root: bytes
    """Of the tree over them."""

    @property
    def body(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{encoded(self.root)}\n"


@dataclass(frozen=True)
class Note:
    """A checkpoint with its signatures."""

    checkpoint: Checkpoint
    signatures: tuple[tuple[str, bytes], ...]
    """Name of the signer, and the hash of its key with the signature after it."""

    def signed_by(self, key: PublicKey) -> bool:
        """Whether the key signed it, under the name of the log."""
        mark = _mark(self.checkpoint.origin, key)
        found = [value[4:] for name, value in self.signatures if name == self.checkpoint.origin and value[:4] == mark]
        return bool(found) and all(key.checks(each, self.checkpoint.body.encode()) for each in found)


def signed(checkpoint: Checkpoint, signer: Signer) -> str:
    """The note."""
    value = _mark(checkpoint.origin, signer.public) + signer.sign(checkpoint.body.encode())
    return f"{checkpoint.body}\n— {checkpoint.origin} {encoded(value)}\n"


def is_name(origin: str) -> bool:
    """Whether a log may be called so."""
    return _NAME.fullmatch(origin) is not None


def parsed(note: str) -> Note:
    """A note, read. Raises NotACheckpoint. Whose signatures it has is another question."""
    if len(note) > LONGEST:
        raise NotACheckpoint(f"it has more than {LONGEST} characters")
    body, _, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if len(lines) != 3 or not is_name(lines[0]) or not _SIZE.fullmatch(lines[1]) or not signatures.endswith("\n"):
        raise NotACheckpoint("it has not an origin, a size and a root, and signatures after them")
    root = _bytes(lines[2])
    if len(root) != 32:
        raise NotACheckpoint("its root has not 32 bytes")
    found = [_SIGNATURE.fullmatch(each) for each in signatures.removesuffix("\n").split("\n")]
    if None in found:
        raise NotACheckpoint("what stands after its root is no signature")
    return Note(
        Checkpoint(lines[0], int(lines[1]), root),
        tuple((each[1], _bytes(each[2])) for each in found if each is not None),
    )


def _mark(name: str, key: PublicKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]


def _bytes(value: str) -> bytes:
    try:
        return decoded(value)
    except ValueError as error:
        raise NotACheckpoint(str(error)) from error
