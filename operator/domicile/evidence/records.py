"""Records: one Statement each, which says its place in the log, what came before it, when, and in which term of the hub. Pure."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

from domicile.evidence.dsse import (
    IN_TOTO,
    LONGEST,
    STATEMENT,
    Envelope,
    Malformed,
    Signature,
    canonical,
    pae,
    read_object,
)
from domicile.evidence.keys import Signer

PREDICATE: Final = "https://domicile.dev/evidence/record/v1"
GREATEST: Final = 1 << 53
"""Numbers up to it are the same for every reader of JSON."""
LARGEST_BODY: Final = LONGEST // 2
"""Bytes of what is said: in base64, with all that comes to it, it has to fit into an envelope."""
REMOVED: Final = "Removed"
"""Kind of a record: earlier ones, in `ranges`, are kept no longer."""
ELSEWHERE: Final = "Elsewhere"
"""Kind of a record: the `next` ones are kept in another place, which it calls `home`."""
NOTHING: Final = ""
"""Digest of the record before the first."""
_SURELY_READ: Final = 300
"""Nested so often, everybody who reads JSON reads it."""
_BEFORE_BODY: Final = b'{"_type":"%b","predicate":{"body":' % STATEMENT.encode()
"""How a Statement begins: of its keys, which are sorted, body comes first."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_MOMENT: Final = re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}\.[0-9]{6}Z")


class NotRecordable(ValueError):
    """What is to be recorded has no form as a record."""


@dataclass(frozen=True)
class Content:
    """What is recorded."""

    kind: str
    """What sort of thing, as one CamelCase word."""
    subject: str
    """What it is about, as kind/namespace/name."""
    digest: str
    """`sha256:<hex>` of the subject's spec."""
    body: Mapping[str, Any]
    """All else that is said, as JSON has it."""
    home: str = ""
    """Where it is kept, if not in the log itself. That has what it hashes to, and a record of kind Elsewhere before it."""


@dataclass(frozen=True)
class Place:
    """Where a record stands in the log."""

    sequence: int
    """How many records are before it."""
    previous: str
    """Digest of the payload of the one before."""
    time: datetime
    """When it was recorded, by the hub's clock."""
    epoch: int
    """The term of the hub in which it was."""
    origin: str
    """Which log it is a record of, as its checkpoints name it."""


def check(content: Content, epoch: int) -> bytes:
    """The body as it is written. Raises NotRecordable for what could not be read again, before anything of it is recorded."""
    if type(epoch) is not int or not 0 <= epoch < GREATEST:
        raise NotRecordable(f"epoch {epoch!r} is no number from 0 to 2^53")
    if not _DIGEST.fullmatch(content.digest):
        raise NotRecordable("the digest of the subject is no sha256:<hex>")
    try:
        body = canonical(dict(content.body))
        length = len(body) + len(canonical({"kind": content.kind, "subject": content.subject}))
        # A key that is there twice cannot come of it: keys are sorted, and what is no text is not sorted among texts. What is nested is read
        # once, deeper than it will stand.
        if body.count(b"{") + body.count(b"[") > _SURELY_READ:
            read_object(b'{"a":{"b":{"c":%b}}}' % body)
    except (TypeError, ValueError, RecursionError, Malformed) as error:
        raise NotRecordable(f"it cannot be written as JSON: {error}") from error
    if length > LARGEST_BODY:
        raise NotRecordable(f"it has {length} bytes, and at most {LARGEST_BODY} can be recorded")
    return body


def payload(content: Content, place: Place, body: bytes | None = None) -> bytes:
    """The Statement's bytes. `body` is what `check` returned, where it was asked: nothing is written twice."""
    algorithm, _, value = content.digest.partition(":")
    around = canonical(
        {
            "_type": STATEMENT,
            "subject": [{"name": content.subject, "digest": {algorithm: value}}],
            "predicateType": PREDICATE,
            "predicate": {
                "sequence": place.sequence,
                "previous": place.previous,
                "time": moment(place.time),
                "epoch": place.epoch,
                "log": place.origin,
                "kind": content.kind,
                "body": {},
            },
        }
    )
    written = canonical(dict(content.body)) if body is None else body
    return b"%b%b%b" % (_BEFORE_BODY, written, around[len(_BEFORE_BODY) + len(b"{}") :])


def sealed(payload: bytes, signer: Signer) -> Envelope:
    """The payload, signed."""
    return Envelope(payload, (Signature(signer.public.keyid, signer.sign(pae(IN_TOTO, payload))),))


def moment(time: datetime) -> str:
    """A time in UTC, to the microsecond."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def is_digest(text: str) -> bool:
    """Whether it is `sha256:<hex>`."""
    return _DIGEST.fullmatch(text) is not None


def digest(payload: bytes) -> str:
    """By which the next record names this one."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def place(envelope: Envelope) -> Place:
    """Where the record says that it stands. Raises Malformed."""
    statement = envelope.statement
    predicate = statement.get("predicate")
    if statement.get("predicateType") != PREDICATE or not isinstance(predicate, dict):
        raise Malformed(f"it is no record of type {PREDICATE}")
    found = cast("Mapping[str, Any]", predicate)
    sequence, previous, time, epoch = (found.get(key) for key in ("sequence", "previous", "time", "epoch"))
    if not isinstance(origin := found.get("log"), str):
        raise Malformed("it does not say which log it is of")
    if type(sequence) is not int or type(epoch) is not int or not (0 <= sequence < GREATEST and 0 <= epoch < GREATEST):
        raise Malformed("its sequence or its epoch is no number")
    if not isinstance(previous, str) or not (previous == NOTHING or _DIGEST.fullmatch(previous)):
        raise Malformed("it does not say which record is before it")
    if not isinstance(time, str) or not _MOMENT.fullmatch(time):
        raise Malformed("it does not say when it was recorded")
    try:
        moment = datetime.fromisoformat(time)
    except ValueError as error:
        raise Malformed(f"there is no such time as {time}") from error
    return Place(sequence, previous, moment, epoch, origin)
