"""Checkpoints and keys: what others keep of a log, and who signed it."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from domicile.evidence import checkpoint, keys
from domicile.evidence.checkpoint import Checkpoint, NotACheckpoint
from domicile.evidence.keys import PublicKey, UnusableKey
from domicile.evidence.merkle import EMPTY
from evidence.logs import NEXT, ORIGIN, OURS

STATE = Checkpoint(ORIGIN, 42, bytes(range(32)))
NOTE = checkpoint.signed(STATE, OURS)


def test_a_checkpoint_is_written_as_transparency_logs_write_theirs() -> None:
    body, signature = NOTE.split("\n\n")
    assert body == f"{ORIGIN}\n42\n{base64.b64encode(bytes(range(32))).decode()}"
    assert signature.startswith(f"— {ORIGIN} ")
    assert signature.endswith("\n")
    assert checkpoint.parsed(NOTE).checkpoint == STATE


def test_it_is_signed_by_who_signed_it_alone() -> None:
    note = checkpoint.parsed(NOTE)
    assert note.signed_by(OURS.public)
    assert not note.signed_by(NEXT.public)
    assert not checkpoint.parsed(NOTE.replace("42", "43")).signed_by(OURS.public)


def test_signatures_of_others_beside_it_are_let_be() -> None:
    more = NOTE + checkpoint.signed(STATE, NEXT).split("\n\n")[1]
    assert checkpoint.parsed(more).signed_by(NEXT.public)
    assert checkpoint.parsed(more).signed_by(OURS.public)


def test_where_one_of_a_signer_s_signatures_fails_it_is_not_signed() -> None:
    other = checkpoint.signed(Checkpoint(ORIGIN, 43, bytes(range(32))), OURS).split("\n\n")[1]
    assert not checkpoint.parsed(NOTE + other).signed_by(OURS.public)


WRONG = {
    "nothing": ("", "an origin, a size and a root"),
    "no signatures": (STATE.body, "an origin, a size and a root"),
    "no origin": (NOTE.replace(ORIGIN, ""), "an origin, a size and a root"),
    "a size that is none": (NOTE.replace("\n42\n", "\n042\n"), "an origin, a size and a root"),
    "one line more": (NOTE.replace("\n42\n", "\n42\n42\n"), "an origin, a size and a root"),
    "cut at the end": (NOTE[:-1], "an origin, a size and a root"),
    "a root that is no base64": (NOTE.replace("\nAAEC", "\n!AEC"), "no base64"),
    "a root that is too short": (checkpoint.signed(Checkpoint(ORIGIN, 1, EMPTY[:31]), OURS), "32 bytes"),
    "an origin with a space": (NOTE.replace(ORIGIN, "a log"), "an origin, a size and a root"),
    "an origin with a plus": (NOTE.replace(ORIGIN, "a+log"), "an origin, a size and a root"),
    "something else among its signatures": (NOTE + "who knows\n", "is no signature"),
    "bits of the root that nobody reads": (NOTE.replace("Hh8=\n", "Hh9=\n"), "not as it is written"),
    "too long": (NOTE + "x" * checkpoint.LONGEST, "more than"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_no_checkpoint(text: str, says: str) -> None:
    with pytest.raises(NotACheckpoint, match=says):
        checkpoint.parsed(text)


def pem(key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_public_key_is_read_as_openssl_writes_it() -> None:
    text = pem(Ed25519PublicKey.from_public_bytes(OURS.public.raw))
    assert keys.of_pem(text, 7) == PublicKey(OURS.public.raw, 7)


def test_other_keys_are_refused() -> None:
    with pytest.raises(UnusableKey, match="it is no public key in PEM"):
        keys.of_pem("nothing")
    with pytest.raises(UnusableKey, match="evidence is signed with Ed25519"):
        keys.of_pem(pem(ec.generate_private_key(ec.SECP256R1()).public_key()))


def test_a_key_that_is_given_twice_was_revoked_if_either_says_so() -> None:
    raw = OURS.public.raw
    for given in ([PublicKey(raw), PublicKey(raw, 9), PublicKey(raw, 4)], [PublicKey(raw, 4), PublicKey(raw)]):
        assert keys.by_id(given) == {OURS.public.keyid: PublicKey(raw, 4)}
    assert keys.by_id([PublicKey(raw, 9), PublicKey(raw, 4, EMPTY)])[OURS.public.keyid].root == EMPTY
