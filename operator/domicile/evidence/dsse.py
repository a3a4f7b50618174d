"""DSSE envelopes (Dead Simple Signing Envelope, v1) of in-toto Statements: a payload, and signatures over its type and its bytes. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

from domicile.evidence.base64text import decoded, encoded

IN_TOTO: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
LONGEST: Final = 1 << 20
"""Bytes of one envelope: a hundred times what a record is to have."""
_SHOWN: Final = 100
_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_USUAL: Final = re.compile(
    rb'\{"payload":"([A-Za-z0-9+/=]*)","payloadType":"'
    + re.escape(IN_TOTO.encode())
    + rb'","signatures":\[\{"keyid":"([ !#-\[\]-~]*)","sig":"([A-Za-z0-9+/=]*)"\}\]\}'
)
"""A line with one signature and a plain keyid, as it is written here: it need not be read as JSON and written anew to compare."""


class Malformed(Exception):
    """It is no envelope of a Statement."""


@dataclass(frozen=True)
class Signature:
    """One signature."""

    keyid: str
    value: bytes


@dataclass(frozen=True)
class Envelope:
    """A Statement as it was signed. Signatures are over the bytes of the payload, so that nothing is ever written anew to check them."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed(self) -> bytes:
        """What the signatures are over."""
        return pae(IN_TOTO, self.payload)

    @property
    def statement(self) -> dict[str, Any]:
        """The payload, read. Raises Malformed."""
        found = read_object(self.payload)
        if found.get("_type") != STATEMENT:
            raise Malformed(f"the payload is no Statement: its _type is {shown(str(found.get('_type')))}")
        return found

    def line(self) -> bytes:
        """As JSON, without line breaks."""
        signatures = [{"keyid": each.keyid, "sig": encoded(each.value)} for each in self.signatures]
        rest = canonical({"payloadType": IN_TOTO, "signatures": signatures})
        return b'{"payload":"%b",%b' % (
            encoded(self.payload).encode(),
            rest[1:],
        )  # as canonical JSON has it, in half the time


def pae(payload_type: str, payload: bytes) -> bytes:
    """Pre-authentication encoding: the type and the payload, each with its length before it."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def canonical(value: dict[str, Any]) -> bytes:
    """The same bytes for the same value: keys sorted, no spaces, UTF-8."""
    return _ENCODER.encode(value).encode()


def parsed(line: bytes) -> Envelope:
    """The envelope of a line. Raises Malformed for anything else, also for an envelope that is written in another way: of the bytes of a
    log none may be changed without being noticed."""
    if len(line) <= LONGEST and (usual := _USUAL.fullmatch(line)):
        payload, keyid, value = (each.decode() for each in usual.groups())
        return Envelope(_bytes(payload), (Signature(keyid, _bytes(value)),))
    found = read_object(line)
    if set(found) != {"payload", "payloadType", "signatures"} or found["payloadType"] != IN_TOTO:
        raise Malformed(f"it is no envelope of type {IN_TOTO}")
    signatures = found["signatures"]
    if not isinstance(signatures, list) or not signatures:
        raise Malformed("it has no signatures")
    envelope = Envelope(_bytes(found["payload"]), tuple(_signature(each) for each in cast("list[Any]", signatures)))
    if len({each.keyid for each in envelope.signatures}) != len(envelope.signatures):
        raise Malformed("it is signed twice with one key")
    if envelope.line() != line:
        raise Malformed("it is not written as envelopes are here: keys sorted, no spaces")
    return envelope


def _signature(value: Any) -> Signature:
    if not isinstance(value, dict):
        raise Malformed("a signature is no object")
    found = cast("dict[str, Any]", value)
    if set(found) != {"keyid", "sig"} or not isinstance(found["keyid"], str):
        raise Malformed("a signature has not just keyid and sig")
    return Signature(found["keyid"], _bytes(found["sig"]))


def read_object(text: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8. Raises Malformed for anything else, for a key that is there twice, and for what is no JSON though Python reads
    it."""
    if len(text) > LONGEST:
        raise Malformed(f"it has more than {LONGEST} bytes")
    try:
        found = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is no JSON: {shown(str(error))}") from error
    if not isinstance(found, dict):
        raise Malformed("it is no JSON object")
    return cast("dict[str, Any]", found)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a key is there twice")  # Two readers could see two values.
    return found


def _refused(constant: str) -> None:
    raise Malformed(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_refused)


def shown(text: str) -> str:
    """What somebody else wrote, for a sentence: short, on one line, and without signs that a terminal acts on."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}..."


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str):
        raise Malformed("what is to be base64 is no text")
    try:
        return decoded(value)
    except ValueError as error:
        raise Malformed(str(error)) from error
