"""The key that signs evidence, in a file: PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from domicile.evidence.keys import LocalSigner, PublicKey, UnusableKey, of_pem
from domicile.evidence.storage import StoreDown


def signer(path: Path) -> LocalSigner:
    """The signer of a file. Raises StoreDown where there is none that can be used."""
    try:
        found = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StoreDown(f"the key in {path} cannot be used: {error}") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise StoreDown(f"the key in {path} is a {type(found).__name__}: evidence is signed with Ed25519")
    return LocalSigner(found)


def signer_made_once(path: Path) -> LocalSigner:
    """The signer of a file, which is made where it is missing, for its owner alone to read. Raises StoreDown."""
    try:
        if not path.exists():
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _written(path, pem)
    except OSError as error:
        raise StoreDown(f"no key can be made in {path}: {error}") from error
    return signer(path)


def public(path: Path) -> PublicKey:
    """The public key of a file, which has it or the private one. Raises StoreDown."""
    try:
        text = path.read_text()
        return signer(path).public if "PRIVATE KEY" in text else of_pem(text)
    except (OSError, ValueError, UnusableKey) as error:
        raise StoreDown(f"the public key in {path} cannot be used: {error}") from error


def pem(key: PublicKey) -> str:
    """The public key as text, as `openssl pkey -pubout` writes it."""
    found = Ed25519PublicKey.from_public_bytes(key.raw)
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _written(path: Path, content: bytes) -> None:
    """All of it or nothing, for good: a log that is signed with a key that is lost cannot be gone on with."""
    begun = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    begun.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
