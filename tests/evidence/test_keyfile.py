"""The key of the log, in a file: made once for its owner alone, and never taken for another."""

import base64
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from domicile.evidence import keyfile
from domicile.evidence.storage import StoreDown

OURS = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)


def private(
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption | None = None
) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def public(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unknown(pem: bytes) -> bytes:
    """The same of a sort that there is not: Ed25519 has the object identifier 1.3.101.112."""
    first, *lines, last = pem.strip().split(b"\n")
    der = base64.b64decode(b"".join(lines)).replace(b"\x2b\x65\x70", b"\x2b\x65\x7f")
    return b"\n".join([first, base64.b64encode(der), last, b""])


def test_a_key_that_is_there_signs(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(private(OURS))
    signer = keyfile.signer(tmp_path / "key.pem")
    assert signer.public.checks(signer.sign(b"it"), b"it")


def test_a_key_that_is_missing_is_made_and_is_the_same_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "key.pem"
    assert keyfile.signer_made_once(path).public == keyfile.signer_made_once(path).public


def test_a_key_that_was_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "evidence" / "key.pem"
    keyfile.signer_made_once(path)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]


def test_nothing_is_left_beside_a_key_that_was_made(tmp_path: Path) -> None:
    keyfile.signer_made_once(tmp_path / "key.pem")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_a_key_that_is_there_is_never_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"")
    with pytest.raises(StoreDown, match="cannot be used"):
        keyfile.signer_made_once(path)
    assert path.read_bytes() == b""


def test_where_no_key_can_be_made_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreDown, match="no key can be made in"):
        keyfile.signer_made_once(tmp_path / "file" / "key.pem")


def test_where_it_cannot_be_looked_for_a_key_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreDown, match="File name too long"):
        keyfile.signer_made_once(tmp_path / ("k" * 300))


P256 = ec.generate_private_key(ec.SECP256R1())
UNUSABLE: dict[str, tuple[bytes | None, str]] = {
    "none": (None, "No such file"),
    "no PEM": (b"secret", "cannot be used"),
    "a public key": (public(OURS), "cannot be used"),
    "a key with a password": (private(OURS, encryption=BestAvailableEncryption(b"x")), "assword"),
    "a key of another sort": (private(P256), "is a .*ECPrivateKey.*: evidence is signed with Ed25519"),
    "a key that nobody knows": (unknown(private(OURS)), "cannot be used"),
}


@pytest.mark.parametrize(("content", "why"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_sign_is_told_with_its_file(tmp_path: Path, content: bytes | None, why: str) -> None:
    path = tmp_path / "key.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreDown, match=why) as told:
        keyfile.signer(path)
    assert str(path) in str(told.value)


def test_the_public_key_of_a_file_checks_what_was_signed_before(tmp_path: Path) -> None:
    path = tmp_path / "before.pem"
    path.write_bytes(public(OURS))
    assert keyfile.public(path).checks(OURS.sign(b"it"), b"it")


def test_the_public_key_of_a_private_one_is_written_as_openssl_does(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(private(OURS))
    assert keyfile.pem(keyfile.public(path)).encode() == public(OURS)


UNREADABLE: dict[str, bytes | None] = {
    "none": None,
    "no PEM": b"secret",
    "no text": b"\xff",
    "a key of another sort": public(P256),
    "a key that nobody knows": unknown(public(OURS)),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_what_checks_nothing_is_told_with_its_file(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "before.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StoreDown, match=str(path)):
        keyfile.public(path)
