"""What was done to a log is found, each with its own name, by who has the public keys and what others kept."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domicile.evidence import dsse, keys
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.keys import PublicKey
from domicile.evidence.verifying import verify
from evidence.logs import BEGAN, NEXT, ORIGIN, OURS, STOLEN, Tampering, Writer, segments, written

KEYS = keys.by_id([OURS.public])
WHOLE = written()
"""20 records in four batches: lines 0 to 4 are records and 5 a checkpoint, and so on."""


def looked_at(
    lines: Iterable[bytes], *, by: Mapping[str, PublicKey] = KEYS, kept: tuple[str, ...] = (), at: tuple[int, ...] = ()
) -> Report:
    witnesses = [Witnessed(f"member {number}", note) for number, note in enumerate(kept)]
    return verify(ORIGIN, segments(list(lines), at), by, witnesses)


def told(report: Report) -> list[str]:
    return [found.reason for found in report.findings]


def test_a_log_as_it_was_written_is_found_whole_and_agrees_with_what_members_kept() -> None:
    report = looked_at(WHOLE.lines, kept=(WHOLE.note(7), WHOLE.note(20), WHOLE.note(0)), at=(6, 12))
    assert report == Report((), 20, WHOLE.tree.root(), (("member 0", 7), ("member 1", 20), ("member 2", 0)))


def test_a_log_without_records_is_whole() -> None:
    assert looked_at([]) == Report((), 0, Writer().tree.root())


def bit_flipped(lines: list[bytes]) -> None:
    payload = lines[7].replace(b'"payload":"', b"", 1)
    at = len(lines[7]) - len(payload) + 40
    lines[7] = lines[7][:at] + (b"A" if lines[7][at : at + 1] != b"A" else b"B") + lines[7][at + 1 :]


def dropped(lines: list[bytes]) -> None:
    del lines[8]


def two_dropped(lines: list[bytes]) -> None:
    del lines[8:10]


def swapped(lines: list[bytes]) -> None:
    lines[8], lines[9] = lines[9], lines[8]


def twice(lines: list[bytes]) -> None:
    lines.insert(9, lines[7])


def signed_by_nobody(lines: list[bytes]) -> None:
    forged = Writer(STOLEN)
    forged.batch(1)
    lines[0] = forged.lines[0]


def no_record(lines: list[bytes]) -> None:
    lines[8] = b"{}"


def a_word_in_it(lines: list[bytes]) -> None:
    lines[8] = dsse.canonical({"checkpoint": "9 records, all is well"})


TAMPERED: Mapping[str, tuple[Tampering, dict[str, str]]] = {
    "a bit is flipped": (
        bit_flipped,
        {"SignatureInvalid": "0000.jsonl:8, which is to be record 6, is not as it was signed"},
    ),
    "a record is dropped": (dropped, {"Missing": "record 7 is missing before record 8 (0000.jsonl:9)"}),
    "two are": (two_dropped, {"Missing": "records 7 to 8 are missing before record 9 (0000.jsonl:9)"}),
    "two are swapped": (swapped, {"OutOfOrder": "record 7 (0000.jsonl:10) stands after record 8"}),
    "one is there twice": (twice, {"Repeated": "record 6 (0000.jsonl:10) is there a second time"}),
    "one is signed by somebody else": (signed_by_nobody, {"KeyUnknown": "none of the keys that are given"}),
    "something else is in its place": (
        no_record,
        {"Unreadable": "0000.jsonl:9, which is to be record 7, cannot be read"},
    ),
    "a checkpoint is in its place": (
        a_word_in_it,
        {"CheckpointInvalid": "at 0000.jsonl:9 cannot be read", "Missing": "record 7 is missing"},
    ),
}


@pytest.mark.parametrize(("tamper", "expected"), TAMPERED.values(), ids=TAMPERED)
def test_what_was_done_to_a_log_is_found(tamper: Tampering, expected: dict[str, str]) -> None:
    lines = list(WHOLE.lines)
    tamper(lines)
    report = looked_at(lines, kept=(WHOLE.note(),))
    assert sorted(told(report)) == sorted(expected)
    for found in report.findings:
        assert expected[found.reason] in found.message
    # What is there a second time takes nothing from what was read, and from what is missing on nothing is compared.
    unharmed = "Repeated" in expected
    assert (report.root, report.witnessed) == ((WHOLE.tree.root(), (("member 0", 20),)) if unharmed else (None, ()))


def test_a_tail_that_was_cut_is_found_by_what_a_member_kept() -> None:
    """At the end of a batch: nothing in the log itself tells."""
    assert looked_at(WHOLE.lines[:18]).findings == ()
    (found,) = looked_at(WHOLE.lines[:18], kept=(WHOLE.note(15), WHOLE.note(20))).findings
    assert (found.reason, found.message) == (
        "TailCut",
        "the log has 15 records, and member 1 kept a checkpoint of 20: its tail was cut, or it was put back from an older copy",
    )


def test_a_log_that_its_owner_wrote_anew_is_found_by_what_a_member_kept() -> None:
    """With its own keys, every link in order: the record that was not wanted is left out."""
    anew = Writer()
    for _ in range(25):
        anew.record(time=BEGAN + timedelta(minutes=1))
    anew.seal()
    assert looked_at(anew.lines).findings == ()
    (found,) = looked_at(anew.lines, kept=(WHOLE.note(15),)).findings
    assert (found.reason, "first 15 records" in found.message) == ("Rewritten", True)


def test_a_segment_that_was_put_back_from_an_older_copy_is_found() -> None:
    whole = segments(WHOLE.lines, (12,))
    older = Segment(whole[0].name, b"".join(line + b"\n" for line in WHOLE.lines[:6]))
    (found,) = verify(ORIGIN, (older, whole[1]), KEYS).findings
    assert (found.reason, found.message) == (
        "Missing",
        "records 5 to 9 are missing at the end of 0000.jsonl, which was cut or put back from an older copy",
    )


def test_what_a_revoked_key_signed_is_lawful_up_to_its_revocation_and_forged_after() -> None:
    writer = written(2)
    writer.by = NEXT
    writer.batch(3)
    by = keys.by_id([PublicKey(OURS.public.raw, until=10), NEXT.public])
    assert looked_at(writer.lines, by=by, kept=(writer.note(),)).findings == ()
    writer.record(by=OURS)
    writer.seal()
    (found,) = looked_at(writer.lines, by=by).findings
    assert (found.reason, "record 13" in found.message, "revoked at record 10" in found.message) == (
        "KeyRevoked",
        True,
        True,
    )


def test_a_checkpoint_by_a_key_that_was_revoked_counts_up_to_its_revocation() -> None:
    by = keys.by_id([PublicKey(OURS.public.raw, until=10), NEXT.public])
    kept = written(2).note(10), written(3).note(11)
    report = looked_at(written(2).lines, by=by, kept=kept)
    assert report.witnessed == (("member 0", 10),)
    assert [(f.reason, f.message) for f in report.findings] == [
        ("KeyRevoked", "the checkpoint that member 1 kept, of 11 records, is signed with a key that was revoked before")
    ]


def test_one_that_was_forged_and_put_between_breaks_the_chain() -> None:
    """With a key that is good: what comes after it names another record."""
    lines, forged = list(WHOLE.lines), Writer()
    for number in range(8):
        forged.record(time=BEGAN + timedelta(seconds=number, milliseconds=number // 7))
    lines[8] = forged.lines[7]
    report = looked_at(lines)
    assert told(report) == ["ChainBroken", *["CheckpointInvalid"] * 3]
    assert report.findings[0].message == "record 8 (0000.jsonl:10) does not follow the one before it: it names another"


def test_a_first_record_that_names_one_before_it_is_not_the_first() -> None:
    writer = Writer()
    writer.last = f"sha256:{'ab' * 32}"
    writer.batch(1)
    assert told(looked_at(writer.lines)) == ["ChainBroken"]


def test_a_log_of_which_the_beginning_is_gone_says_so() -> None:
    (found,) = looked_at(WHOLE.lines[6:]).findings
    assert found.message == "records 0 to 4 are missing before record 5 (0000.jsonl:1)"


def test_a_clock_that_went_back_and_a_term_that_came_back_are_found() -> None:
    writer = Writer()
    writer.record(epoch=4)
    writer.record(epoch=4, time=BEGAN - timedelta(seconds=1))
    writer.record(epoch=3)
    writer.seal()
    assert told(looked_at(writer.lines)) == ["ClockWentBack", "EpochWentBack"]


def test_a_checkpoint_of_another_size_or_of_other_records_is_found() -> None:
    for lines, says in (
        ([*WHOLE.lines[:5], WHOLE.lines[11]], "is of 10 records, and there are 5"),
        ([*WHOLE.lines[:5], other_of(5)], "of other records"),
    ):
        (found,) = looked_at(lines).findings
        assert (found.reason, says in found.message) == ("CheckpointInvalid", True)


def other_of(size: int) -> bytes:
    other = Writer()
    for _ in range(size):
        other.record(time=BEGAN + timedelta(hours=1))
    other.seal()
    return other.lines[-1]


KEPT = {
    "what cannot be read": ("nothing", "cannot be read"),
    "one of another log": (Writer(origin="domicile.dev/evidence/another").note(), "is of another log"),
    "one signed by somebody else": (written(by=STOLEN).note(), "is signed with none of the keys that are given"),
}


@pytest.mark.parametrize(("note", "says"), KEPT.values(), ids=KEPT)
def test_what_a_member_kept_and_is_no_checkpoint_of_the_log(note: str, says: str) -> None:
    report = looked_at(WHOLE.lines, kept=(note,))
    (found,) = report.findings
    assert (found.reason, says in found.message, report.witnessed) == ("CheckpointInvalid", True, ())


def test_a_log_that_ends_in_the_middle_of_a_line_says_so() -> None:
    content = segments(WHOLE.lines[:3])[0].content[:-20]
    report = verify(ORIGIN, (Segment("0000.jsonl", content),), KEYS)
    assert (report.size, [f.message for f in report.findings]) == (
        2,
        [
            "0000.jsonl ends in the middle of a line",
            "no checkpoint stands behind record 1: it was never acknowledged, or its checkpoint was taken away",
        ],
    )


def test_gaps_are_told_of_once_however_late_what_was_passed_over_comes() -> None:
    order = [0, 8, 3, 5, 10]
    plain = [line for line in WHOLE.lines if not line.startswith(b'{"checkpoint"')]
    report = looked_at([plain[number] for number in order])
    assert told(report) == ["OutOfOrder", "OutOfOrder", *["Missing"] * 4, "Unsealed"]
    assert [f.message.partition(" missing")[0] for f in report.findings[2:-1]] == [
        "records 1 to 2 are",
        "record 4 is",
        "records 6 to 7 are",
        "record 9 is",
    ]


def test_a_record_of_another_log_is_found_though_its_key_is_good() -> None:
    other = Writer(origin="domicile.dev/evidence/another")
    other.batch(1)
    assert told(looked_at(other.lines)) == ["OfAnotherLog", "CheckpointInvalid", "Unsealed"]


def test_history_that_was_written_anew_is_found_also_behind_what_draws_the_eye() -> None:
    anew = Writer()
    for _ in range(20):
        anew.record(time=BEGAN + timedelta(minutes=1))
    anew.seal()
    anew.lines.insert(20, anew.lines[19])
    assert told(looked_at(anew.lines, kept=(WHOLE.note(15),))) == ["Repeated", "Rewritten"]


def test_a_tail_that_was_cut_is_found_also_where_rubbish_stands_in_its_place() -> None:
    lines = [*WHOLE.lines[:12], *[b""] * 10]
    report = looked_at(lines, kept=(WHOLE.note(7), WHOLE.note(20)))
    assert (report.size, report.witnessed) == (10, (("member 0", 7),))
    assert told(report) == [*["Unreadable"] * 10, "TailCut"]


def test_rubbish_between_records_takes_nothing_from_those_after_it() -> None:
    report = looked_at([*WHOLE.lines[:7], b"", b"rubbish", *WHOLE.lines[7:]])
    assert told(report) == ["Unreadable", "Unreadable"]
    assert report.size == 20


def test_a_key_that_was_revoked_tells_how_long_the_log_was_and_what_it_was() -> None:
    raw = OURS.public.raw
    (found,) = looked_at(WHOLE.lines, by=keys.by_id([PublicKey(raw, 30)])).findings
    assert (found.reason, "was revoked at record 30" in found.message) == ("TailCut", True)
    root = WHOLE.tree.root()
    assert looked_at(WHOLE.lines, by=keys.by_id([PublicKey(raw, 20, root)])).findings == ()
    anew = Writer()
    for _ in range(20):
        anew.record(time=BEGAN + timedelta(minutes=1))
    anew.seal()
    assert told(looked_at(anew.lines, by=keys.by_id([PublicKey(raw, 20, root)]))) == ["Rewritten"]


def test_of_many_findings_of_a_sort_it_is_said_how_many() -> None:
    report = looked_at([b""] * 1_000)
    assert len(report.findings) == 101
    assert report.findings[-1].message == "and 900 more of this sort"


def test_checkpoints_that_are_nested_without_end_or_written_in_another_way_are_no_checkpoints() -> None:
    for line in (
        b'{"checkpoint":' + b"[" * 100_000,
        b'{"checkpoint":1}',
        b'{"checkpoint":"x","checkpoint":"y"}',
        WHOLE.lines[5].replace(b"}", b" }"),
    ):
        assert "CheckpointInvalid" in told(looked_at([*WHOLE.lines[:5], line]))


def test_what_is_printed_of_a_record_that_somebody_else_wrote_is_plain() -> None:
    envelope = dsse.parsed(WHOLE.lines[0])
    odd = dsse.Envelope(envelope.payload, (dsse.Signature("\x1b[2J\nOK", b""),))
    (found, *_) = looked_at([odd.line()]).findings
    assert "\\x1b[2J\\nOK" in found.message


@settings(max_examples=300)
@given(st.data())
def test_no_byte_can_be_changed_and_no_line_left_out_without_a_finding(data: st.DataObject) -> None:
    """With the last checkpoint kept by a member."""
    lines = list(WHOLE.lines)
    number = data.draw(st.integers(0, len(lines) - 1))
    line = lines[number]
    if data.draw(st.booleans()):
        at, bit = data.draw(st.integers(0, len(line) - 1)), data.draw(st.integers(0, 7))
        lines[number] = line[:at] + bytes([line[at] ^ (1 << bit)]) + line[at + 1 :]
    elif not line.startswith(b'{"checkpoint"'):
        del lines[number]
    else:
        return
    assert looked_at(lines, kept=(WHOLE.note(),)).findings
