"""Records say where they stand, and are read strictly."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domicile.evidence import dsse, records
from domicile.evidence.dsse import Envelope, Malformed
from domicile.evidence.records import Place
from evidence.logs import ORIGIN, OURS, content

AT = datetime(2026, 11, 28, 9, 0, 0, 120000, tzinfo=UTC)
PLACE = Place(17, f"sha256:{'ab' * 32}", AT, 3, ORIGIN)
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
    assert records.payload(content(1), Place(17, PLACE.previous, there, 3, ORIGIN)) == PAYLOAD


def test_where_it_stands_is_read_back() -> None:
    assert records.place(records.sealed(PAYLOAD, OURS)) == PLACE
    first = records.payload(content(0), Place(0, records.NOTHING, AT, 0, ORIGIN))
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


def nested(levels: int) -> Any:
    found: Any = 1
    for _ in range(levels):
        found = [found]
    return found


NOT_RECORDABLE: dict[str, tuple[dict[str, Any], Any, str]] = {
    "an epoch that is true": ({}, True, "is no number from 0"),
    "one below none": ({}, -1, "is no number from 0"),
    "one beyond what JSON tells apart": ({}, 1 << 53, "is no number from 0"),
    "a digest of another sort": ({"digest": "md5:1"}, 3, "no sha256"),
    "a set": ({"body": {"x": {1}}}, 3, "cannot be written as JSON"),
    "no number": ({"body": {"x": float("nan")}}, 3, "cannot be written as JSON"),
    "a key that would be there twice": ({"body": {"x": [{1: "a", "1": "b"}]}}, 3, "cannot be written as JSON"),
    "half a character in its kind": ({"kind": "\ud800"}, 3, "cannot be written as JSON"),
    "half a character": ({"body": {"x": "\ud800"}}, 3, "cannot be written as JSON"),
    "too much": ({"body": {"x": "x" * (dsse.LONGEST // 2)}}, 3, "bytes, and at most"),
    "much too much": ({"body": {"x": "x" * 2 * dsse.LONGEST}}, 3, "bytes, and at most"),
    "nested without end": ({"body": {"x": nested(2_000)}}, 3, "cannot be written as JSON"),
}


@pytest.mark.parametrize(("changed", "epoch", "says"), NOT_RECORDABLE.values(), ids=NOT_RECORDABLE)
def test_what_could_not_be_read_again_is_not_recorded(changed: dict[str, Any], epoch: Any, says: str) -> None:
    with pytest.raises(records.NotRecordable, match=says):
        records.check(dataclasses.replace(content(1), **changed), epoch)


WRONG = {
    "a sequence that is a text": (changed(sequence="1"), "is no number"),
    "a sequence that is true": (changed(sequence=True), "is no number"),
    "one below none": (changed(sequence=-1), "is no number"),
    "an epoch below none": (changed(epoch=-1), "is no number"),
    "a sequence beyond what JSON tells apart": (changed(sequence=1 << 53), "is no number"),
    "no log": (changed(log=None), "which log it is of"),
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


def test_what_can_just_be_recorded_can_be_written_and_read() -> None:
    levels = next(n for n in range(1_000, 0, -1) if _recordable(n))
    payload = records.payload(dataclasses.replace(content(1), body={"x": nested(levels)}), PLACE)
    assert records.place(dsse.parsed(records.sealed(payload, OURS).line())) == PLACE


def _recordable(levels: int) -> bool:
    try:
        records.check(dataclasses.replace(content(1), body={"x": nested(levels)}), 3)
    except records.NotRecordable:
        return False
    return True


def test_what_is_nested_deep_is_read_once_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_deep(text: bytes) -> None:
        raise Malformed("too deep")

    monkeypatch.setattr(records, "read_object", too_deep)
    records.check(dataclasses.replace(content(1), body={"x": nested(100)}), 3)
    with pytest.raises(records.NotRecordable, match="too deep"):
        records.check(dataclasses.replace(content(1), body={"x": nested(400)}), 3)


@given(body=st.dictionaries(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists), max_size=4))
def test_a_body_that_was_written_before_is_written_as_it_would_be_in_the_whole(body: dict[str, Any]) -> None:
    said = dataclasses.replace(content(1), body=body)
    found = records.payload(said, PLACE, records.check(said, 3))
    assert found == records.payload(said, PLACE)
    assert found == dsse.canonical(json.loads(found))
    assert json.loads(found)["predicate"]["body"] == body
