"""Records that were removed from a log, or are kept elsewhere: the rest of it is still what it was, and nothing goes without a word."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.evidence import dsse, keys, ranges, records, withheld
from domicile.evidence.dsse import Malformed
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.merkle import leaf
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, REMOVED, Content, Place
from domicile.evidence.verifying import verify
from domicile.evidence.withheld import Withheld, without
from evidence.logs import BEGAN, ORIGIN, OURS, Writer, segments, written

KEYS = keys.by_id([OURS.public])
WHOLE = written()
"""20 records in four batches."""


def saying(writer: Writer, kind: str, body: dict[str, object]) -> Writer:
    """Go on by a record that says what is withheld."""
    said = Content(kind, "Log", f"sha256:{0:064x}", body)
    place = Place(len(writer.tree), writer.last, BEGAN + timedelta(seconds=len(writer.tree)), 3, ORIGIN)
    writer.put(records.sealed(records.payload(said, place), OURS))
    return writer


def removing(gone: Ranges, batches: int = 4) -> Writer:
    """A log that says of these records that they are removed."""
    writer = saying(written(batches), REMOVED, {"ranges": [list(each) for each in gone]})
    writer.seal()
    return writer


def content(lines: Sequence[bytes]) -> bytes:
    return segments(lines)[0].content


def looked_at(content: bytes, kept: Sequence[str] = (), apart: dict[str, list[bytes]] | None = None) -> Report:
    witnesses = [Witnessed(f"member {number}", note) for number, note in enumerate(kept)]
    return verify(ORIGIN, [Segment("0000.jsonl", content)], KEYS, witnesses, apart=apart)


def told(report: Report) -> list[tuple[str, str]]:
    return [(found.reason, found.message) for found in report.findings]


@settings(max_examples=40)
@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)))
def test_a_log_without_some_of_its_records_is_the_log_that_members_know(first: set[int], then: set[int]) -> None:
    gone = ranges.of(first | then)
    writer = removing(gone)
    rest = without(content(writer.lines), gone)
    report = looked_at(rest, [WHOLE.note(size) for size in (0, 3, 7, 20)])
    assert report.findings == ()
    assert (report.size, report.root, report.last) == (21, writer.tree.root(), writer.last)
    assert (report.removed, report.register.still_shown(), len(report.witnessed)) == (len(first | then), (), 4)
    for number in first | then:
        assert f'"sequence":{number},'.encode() not in b"".join(
            dsse.parsed(line).payload for line in rest.splitlines() if line.startswith(b'{"payload"')
        )
    # What is removed in two steps, or once more, is the same as at once.
    assert without(without(content(writer.lines), ranges.of(first)), ranges.of(then)) == rest
    assert without(rest, gone) == rest


def test_what_stands_for_many_records_is_a_hundredth_of_them() -> None:
    writer = written(20, 50)
    rest = without(content(writer.lines), ((0, 999),))
    assert len(rest) < len(content(writer.lines)) / 10
    assert len(rest.splitlines()) == 3  # One line for them, the last record, and its checkpoint.


def test_a_line_stands_for_a_thousand_records_at_most() -> None:
    for batches, of, expected in ((3, 700, [1_000, 1_000, 100]), (2, 1_000, [1_000, 1_000])):
        writer, gone = written(batches, of), ((0, batches * of),)
        rest = without(content(writer.lines), gone)
        lines = [line for line in rest.splitlines() if line.startswith(withheld.WITHHELD)]
        assert [len(withheld.parsed(line).leaves) for line in lines] == expected
        assert without(rest, gone) == rest


def test_what_is_to_be_removed_and_is_still_there_is_due() -> None:
    writer = removing(((2, 5), (7, 9)))
    report = looked_at(without(content(writer.lines), ((2, 4),)))
    assert (report.findings, report.removed, report.register.still_shown()) == ((), 2, ((4, 5), (7, 9)))


UNSAID = {
    "nothing says why": (((2, 4),), ((2, 5),), "record 4 is withheld, and no record says why"),
    "nothing at all is said": ((), ((7, 9),), "records 7 to 8 are withheld, and no record says why"),
    "it is said of what was not there yet": (((2, 4), (19, 22)), ((19, 20),), "record 19 is withheld"),
}


@pytest.mark.parametrize(("said", "gone", "expected"), UNSAID.values(), ids=UNSAID)
def test_a_record_that_goes_without_a_word_is_found(said: Ranges, gone: Ranges, expected: str) -> None:
    report = looked_at(without(content(removing(said).lines), gone))
    ((reason, message),) = told(report)
    assert reason == "Withheld"
    assert expected in message


def test_who_took_away_the_word_too_is_found() -> None:
    """The record that says what was removed is one of the log, and members know how many there were."""
    writer = removing(((2, 5),))
    cut = content(writer.lines[:-2])
    assert [reason for reason, _ in told(looked_at(without(cut, ((2, 5),)), [writer.note()]))] == [
        "Withheld",
        "TailCut",
    ]


def changed_leaf(found: Withheld) -> bytes:
    return Withheld(found.first, (b"\1" * 32, *found.leaves[1:]), found.last).line()


def changed_last(found: Withheld) -> bytes:
    return Withheld(found.first, found.leaves, f"sha256:{1:064x}").line()


def one_too_few(found: Withheld) -> bytes:
    return Withheld(found.first, found.leaves[:-1], found.last).line()


def one_too_many(found: Withheld) -> bytes:
    return Withheld(found.first, (*found.leaves, b"\1" * 32), found.last).line()


def earlier(found: Withheld) -> bytes:
    return Withheld(found.first - 1, found.leaves, found.last).line()


def later(found: Withheld) -> bytes:
    return Withheld(found.first + 1, found.leaves, found.last).line()


FORGED: dict[str, tuple[Callable[[Withheld], bytes], set[str]]] = {
    "another hash": (changed_leaf, {"CheckpointInvalid"}),
    "another record before the next": (changed_last, {"ChainBroken"}),
    "one too few": (one_too_few, {"Missing"}),
    "one too many": (one_too_many, {"Repeated", "ChainBroken", "CheckpointInvalid"}),
    "of earlier records": (earlier, {"OutOfOrder", "Missing"}),
    "of later records": (later, {"Missing", "Repeated", "ChainBroken", "CheckpointInvalid"}),
    "no line of the sort": (lambda _: b'{"withheld":{}}', {"Unreadable", "Missing"}),
    "written in another way": (lambda found: found.line().replace(b":", b": "), {"Unreadable", "Missing"}),
}


@pytest.mark.parametrize(("forge", "expected"), FORGED.values(), ids=FORGED)
def test_what_stands_for_withheld_records_cannot_be_changed(
    forge: Callable[[Withheld], bytes], expected: set[str]
) -> None:
    gone = ((2, 4),)
    lines = without(content(removing(gone).lines), gone).splitlines()
    lines[2] = forge(withheld.parsed(lines[2]))
    assert expected & {reason for reason, _ in told(looked_at(content(lines)))}
    assert {reason for reason, _ in told(looked_at(content(lines)))} <= expected | {"Withheld"}


SOME = f"sha256:{1:064x}"
MALFORMED = {
    "no object": b'{"withheld":3}',
    "no records": b'{"withheld":{"first":0,"last":"","leaves":[]}}',
    "a first that is none": b'{"withheld":{"first":true,"last":"","leaves":["a"]}}',
    "no base64": b'{"withheld":{"first":0,"last":"%b","leaves":["a"]}}' % SOME.encode(),
    "no text": b'{"withheld":{"first":0,"last":"%b","leaves":[3]}}' % SOME.encode(),
    "too short": b'{"withheld":{"first":0,"last":"%b","leaves":["YQ=="]}}' % SOME.encode(),
    "a negative first": Withheld(-1, (b"\0" * 32,), SOME).line(),
    "no digest of the last": Withheld(0, (b"\0" * 32,), "sha256:1").line(),
    "more than is read": Withheld(0, (b"\0" * 32,), SOME).line()[:-1] + b',"more":1}',
}


@pytest.mark.parametrize("line", MALFORMED.values(), ids=MALFORMED)
def test_a_line_that_is_none_of_them_is_told(line: bytes) -> None:
    with pytest.raises(Malformed):
        withheld.parsed(line)


def elsewhere() -> tuple[Writer, Writer, list[bytes]]:
    """A log of which records 3 and 4 are kept in SG; the same in full; and what is kept there."""
    full, ours = Writer(), Writer()
    full.batch(2)
    saying(full, ELSEWHERE, {"home": "SG", "next": 2})
    begin = len(full.lines)
    full.record()
    full.record()
    there = full.lines[begin:]
    full.record()
    full.seal()
    ours.lines = without(content(full.lines), ((3, 5),)).splitlines()
    return ours, full, there


def test_what_is_kept_elsewhere_is_counted_and_need_not_be_given() -> None:
    ours, full, _ = elsewhere()
    report = looked_at(content(ours.lines))
    assert (report.findings, report.size, report.root, report.elsewhere) == ((), 6, full.tree.root(), (("SG", 2),))


def test_with_what_is_kept_elsewhere_a_log_is_read_whole() -> None:
    ours, full, there = elsewhere()
    read: list[int] = []
    orphan = written().lines[0]  # Kept there by a process that did not live to record it.
    report = verify(
        ORIGIN,
        [Segment("0000.jsonl", content(ours.lines))],
        KEYS,
        read=lambda _, place: read.append(place.sequence),
        apart={"SG": [b"no line", orphan, *there]},
    )
    assert (report.findings, report.root, report.elsewhere) == ((), full.tree.root(), ())
    assert read == [0, 1, 2, 3, 4, 5]


def test_what_is_missing_elsewhere_is_told() -> None:
    ours, _, there = elsewhere()
    report = looked_at(content(ours.lines), apart={"SG": there[:1]})
    assert told(report) == [("Missing", "record 4 is kept in SG, and missing from what was given of it")]
    another = written().lines[4]
    assert told(looked_at(content(ours.lines), apart={"SG": [there[0], another]})) == told(report)


def test_what_is_kept_elsewhere_is_checked_as_if_it_were_here() -> None:
    ours, _, there = elsewhere()
    bad = dsse.Envelope(dsse.parsed(there[1]).payload, (dsse.Signature(OURS.public.keyid, b"no"),)).line()
    ((reason, message),) = told(looked_at(content(ours.lines), apart={"SG": [there[0], bad]}))
    assert (reason, message) == ("SignatureInvalid", "0000.jsonl:5, which is to be record 4, is not as it was signed")


def test_what_was_removed_is_not_looked_for_elsewhere() -> None:
    ours, full, there = elsewhere()
    saying(full, REMOVED, {"ranges": [[3, 4]]})
    full.seal()
    report = looked_at(content([*ours.lines, *full.lines[-2:]]), apart={"SG": there[1:]})
    assert (report.findings, report.removed, report.elsewhere) == ((), 1, ())


def test_one_record_accounts_for_no_more_than_a_thousand_elsewhere() -> None:
    writer = Writer()
    saying(writer, ELSEWHERE, {"home": "SG", "next": (1 << 53) - 1})
    writer.batch(1_003)
    report = looked_at(without(content(writer.lines), ((1, 1_003),)))
    assert told(report) == [("Withheld", "records 1001 to 1002 are withheld, and no record says why")]


def test_many_small_batches_are_looked_through_once() -> None:
    """In steps that a loop over each run would take thousands of times as many of."""
    writer = written(3_000, 1)
    with patch("domicile.evidence.withheld.parsed", side_effect=AssertionError("it was written just now")):
        rest = without(content(writer.lines), ((0, 3_000),))
    assert len(rest.splitlines()) == 4


def test_what_says_what_is_withheld_and_cannot_be_read_is_found() -> None:
    removed = (
        {},
        {"ranges": 3},
        {"ranges": [["a", "b"]]},
        {"ranges": [[True, 2]]},
        {"ranges": [[-1, 2]]},
        {"ranges": [[0, 1.5]]},
    )
    elsewhere = ({}, {"home": 3, "next": 1}, {"home": "SG", "next": -1}, {"home": "SG", "next": 1 << 60})
    for kind, body in [*((REMOVED, each) for each in removed), *((ELSEWHERE, each) for each in elsewhere)]:
        writer = saying(written(1), kind, dict(body))
        writer.seal()
        ((reason, message),) = told(looked_at(content(writer.lines)))
        assert (reason, "does not say which records are withheld" in message) == ("Unreadable", True)


def test_a_record_that_only_speaks_of_such_records_withholds_nothing() -> None:
    writer = saying(written(1), "Note", {"kind": "Removed", "ranges": [[0, 2]]})
    writer.seal()
    report = looked_at(without(content(writer.lines), ((0, 2),)))
    assert [reason for reason, _ in told(report)] == ["Withheld"]


def test_a_leaf_is_of_what_was_signed() -> None:
    found = withheld.parsed(without(content(WHOLE.lines), ((0, 1),)).splitlines()[0])
    assert found.leaves == (leaf(dsse.parsed(WHOLE.lines[0]).signed),)
