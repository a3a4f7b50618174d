"""Envelopes are DSSE's, and what is not one exactly is refused."""

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.evidence import dsse
from domicile.evidence.dsse import Envelope, Malformed, Signature

PAYLOAD = dsse.canonical({"_type": dsse.STATEMENT, "subject": []})
ENVELOPE = Envelope(PAYLOAD, (Signature("sha256:1", b"signature"),))


def test_what_is_signed_is_the_example_of_the_specification() -> None:
    assert dsse.pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_an_envelope_is_one_line_and_reads_as_it_was_written() -> None:
    line = ENVELOPE.line()
    assert b"\n" not in line
    assert dsse.parsed(line) == ENVELOPE
    assert ENVELOPE.statement == {"_type": dsse.STATEMENT, "subject": []}
    assert ENVELOPE.signed == dsse.pae(dsse.IN_TOTO, PAYLOAD)


def line(**changed: Any) -> bytes:
    found = {**json.loads(ENVELOPE.line()), **changed}
    return json.dumps({key: value for key, value in found.items() if value is not None}).encode()


def test_a_line_is_canonical_json() -> None:
    assert ENVELOPE.line() == dsse.canonical(json.loads(ENVELOPE.line()))


@given(data=st.data())
def test_a_usual_line_reads_as_any_other_does_whatever_byte_of_it_is_another(data: st.DataObject) -> None:
    """It is read in a shorter way, which must take and refuse the same lines."""
    by = data.draw(st.sampled_from(["sha256:1", "", "ü", '"', "\x7f", "\n"]))
    payload = PAYLOAD + b" " * data.draw(st.integers(0, 2))
    found = bytearray(Envelope(payload, (Signature(by, b"signature"),)).line())
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(found) - 1))
        found[at : at + data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from([b'"', b"\\", b"=", b"A", b"\n", b"{", b""])
        )
    with pytest.MonkeyPatch.context() as patched:
        short = outcome(bytes(found))
        patched.setattr(dsse, "_USUAL", re.compile(b"never"))
        assert short == outcome(bytes(found))


def outcome(text: bytes) -> Envelope | str:
    try:
        return dsse.parsed(text)
    except Malformed:
        return "refused"


SIGNATURE = {"keyid": "k", "sig": ""}
WRONG = {
    "no JSON": (b"{", "it is no JSON"),
    "nested without end": (b"[" * 100_000, "it is no JSON"),
    "no object": (b"[]", "it is no JSON object"),
    "too long": (b'"' + b"x" * dsse.LONGEST + b'"', "more than"),
    "too long, and otherwise as it is written": (
        Envelope(b"x" * dsse.LONGEST, (Signature("k", b""),)).line(),
        "more than",
    ),
    "a key twice": (b'{"payload": "", "payload": ""}', "a key is there twice"),
    "something more": (line(more=1), "it is no envelope"),
    "something less": (line(payload=None), "it is no envelope"),
    "another type": (line(payloadType="text/plain"), "it is no envelope"),
    "no signatures": (line(signatures=[]), "it has no signatures"),
    "signatures that are no list": (line(signatures={}), "it has no signatures"),
    "a signature that is no object": (line(signatures=["x"]), "a signature is no object"),
    "a signature with more": (line(signatures=[{**SIGNATURE, "more": 1}]), "not just keyid and sig"),
    "a keyid that is a number": (line(signatures=[{**SIGNATURE, "keyid": 1}]), "not just keyid and sig"),
    "a payload that is a number": (line(payload=1), "is no text"),
    "a payload that is no base64": (line(payload="!"), "it is no base64"),
    "signed twice with one key": (line(signatures=[SIGNATURE, SIGNATURE]), "signed twice with one key"),
    "spaces in it": (line(), "not written as envelopes are here"),
    "what is no JSON though Python reads it": (b'{"payload": NaN}', "NaN is no JSON"),
    "another encoding": ("{}".encode("utf-16"), "it is no JSON"),
    "a byte order mark": (b"\xef\xbb\xbf" + ENVELOPE.line(), "it is no JSON"),
    "bits that nobody reads": (line(payload="QQ==".replace("Q=", "R=")), "not as it is written"),
}


@pytest.mark.parametrize(("text", "says"), WRONG.values(), ids=WRONG)
def test_what_is_no_envelope(text: bytes, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        dsse.parsed(text)


def test_what_somebody_else_wrote_is_shown_short_and_plain() -> None:
    assert dsse.shown("\ud800\x1b[2J\nOK") == "\\ud800\\x1b[2J\\nOK"
    assert dsse.shown("x" * 101) == "x" * 100 + "..."


@pytest.mark.parametrize("payload", [b"{}", b'{"_type": "https://in-toto.io/Statement/v0.1"}', b"x", b"[]"])
def test_what_is_no_statement(payload: bytes) -> None:
    with pytest.raises(Malformed):
        _ = Envelope(payload, ()).statement


def test_what_has_no_place_in_json_is_not_written() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dsse.canonical({"nan": float("nan")})
    assert base64.b64encode(dsse.canonical({"b": 1, "a": "ü"})) == base64.b64encode('{"a":"ü","b":1}'.encode())
