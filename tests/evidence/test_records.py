"""Records say where they stand, and are read strictly."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domicile.evidence import dsse, records
from domicile.evidence.dsse import Envelope, Malformed
from domicile.evidence.records import Place
from evidence.logs import OURS, content

AT = datetime(2026, 11, 28, 9, 0, 0, 120000, tzinfo=UTC)
PLACE = Place(17, f"sha256:{'ab' * 32}", AT, 3)
PAYLOAD = records.payload(content(1), PLACE)


def test_a_record_is_a_statement_about_its_subject() -> None:
    found = json.loads(PAYLOAD)
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [
        {"name": "SovereignModel/retail-banking/fraud-scorer", "digest": {"sha256": f"{1:064x}"}}
    ]
    assert found["predicate"]["body"] == {"cluster": "sg"}
    assert found["predicate"]["time"] == "2026-11-28T09:00:00.120000Z"


def test_it_is_the_same_bytes_for_the_same_moment_wherever_the_clock_stands() -> None:
    there = AT.astimezone(timezone(timedelta(hours=8)))
    assert records.payload(content(1), Place(17, PLACE.previous, there, 3)) == PAYLOAD


def test_where_it_stands_is_read_back() -> None:
    assert records.place(records.sealed(PAYLOAD, OURS)) == PLACE
    first = records.payload(content(0), Place(0, records.NOTHING, AT, 0))
    assert records.place(Envelope(first, ())).previous == ""


def test_its_seal_is_the_signer_s() -> None:
    envelope = records.sealed(PAYLOAD, OURS)
    (signature,) = envelope.signatures
    assert signature.keyid == OURS.public.keyid
    assert OURS.public.checks(signature.value, envelope.signed)
    assert not OURS.public.checks(signature.value, envelope.payload)


def changed(**predicate: Any) -> Envelope:
    found = json.loads(PAYLOAD)
    return Envelope(dsse.canonical({**found, "predicate": {**found["predicate"], **predicate}}), ())


WRONG = {
    "a sequence that is a text": (changed(sequence="1"), "is no number"),
    "a sequence that is true": (changed(sequence=True), "is no number"),
    "one below none": (changed(sequence=-1), "is no number"),
    "an epoch below none": (changed(epoch=-1), "is no number"),
    "no epoch": (changed(epoch=None), "is no number"),
    "a digest of another sort": (changed(previous="md5:1"), "which record is before it"),
    "no digest": (changed(previous=None), "which record is before it"),
    "a time without a zone": (changed(time="2026-11-28T09:00:00.120000"), "when it was recorded"),
    "a time that is a number": (changed(time=1), "when it was recorded"),
    "a day that never comes": (changed(time="2026-02-30T09:00:00.120000Z"), "no such time"),
    "another predicate": (
        Envelope(PAYLOAD.replace(b"evidence/record/v1", b"evidence/record/v2"), ()),
        "it is no record of type",
    ),
    "no predicate": (Envelope(dsse.canonical({**json.loads(PAYLOAD), "predicate": []}), ()), "it is no record of type"),
}


@pytest.mark.parametrize(("envelope", "says"), WRONG.values(), ids=WRONG)
def test_what_is_no_record(envelope: Envelope, says: str) -> None:
    with pytest.raises(Malformed, match=says):
        records.place(envelope)
