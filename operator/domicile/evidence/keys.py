"""Keys that sign evidence: Ed25519, known by the digest of the public key. A key that was revoked has signed up to a size of the log."""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key


class UnusableKey(Exception):
    """It is no public key of the sort that signs evidence."""


class Signer(Protocol):
    """What signs records and checkpoints."""

    @property
    def public(self) -> "PublicKey":
        """The key that checks what it signs."""
        ...

    def sign(self, data: bytes) -> bytes:
        """The signature."""
        ...


@dataclass(frozen=True)
class PublicKey:
    """A key that signed evidence."""

    raw: bytes
    """32 bytes, as RFC 8032 has them."""
    until: int | None = None
    """It was revoked when the log had so many records: those after them it has not signed lawfully. None: it was not revoked."""
    root: bytes | None = None
    """Of the tree over those records, where it is known: so that a stolen key cannot write anew what it had signed."""

    @property
    def keyid(self) -> str:
        """`sha256:<hex>` of the raw key."""
        return f"sha256:{hashlib.sha256(self.raw).hexdigest()}"

    def checks(self, signature: bytes, data: bytes) -> bool:
        """Whether it is its signature over the data."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except InvalidSignature:
            return False
        return True


def of_pem(text: str, until: int | None = None) -> PublicKey:
    """The key of a PEM text, as `openssl pkey -pubout` writes it. Raises UnusableKey."""
    try:
        found = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UnusableKey(f"it is no public key in PEM: {error}") from error
    if not isinstance(found, Ed25519PublicKey):
        raise UnusableKey(f"it is a {type(found).__name__}: evidence is signed with Ed25519")
    return PublicKey(found.public_bytes(Encoding.Raw, PublicFormat.Raw), until)


def by_id(keys: Iterable[PublicKey]) -> Mapping[str, PublicKey]:
    """By keyid. Of two entries for one key the one counts that was revoked, and first."""
    found: dict[str, PublicKey] = {}
    for key in keys:
        before = found.get(key.keyid)
        if before is None or _end(key) < _end(before):
            found[key.keyid] = key
    return found


def _end(key: PublicKey) -> float:
    return math.inf if key.until is None else key.until


class LocalSigner:
    """Signs with a private key in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @property
    def public(self) -> PublicKey:
        """The key that checks what it signs."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """The signature."""
        return self._key.sign(data)
