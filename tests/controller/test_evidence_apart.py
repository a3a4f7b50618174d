"""What the hub's log need not have: names of people in the clear, and what is on the nodes of a region that keeps that itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

import builders as a
from controller.evidence_cases import PLACING, SERVES, SERVING, UID, decided, taken_over
from controller.recording import HUB, Recorder
from decision import world as w
from domicile.audit import NotReplayed, Same, names, questions, replay
from domicile.controller.evidence import NotRecorded
from domicile.evidence import dsse, ranges

KEPT = {"at": "2026-11-23T09:00:00.000000Z", "keepDays": 1, "rules": [], "holds": []}
ASKED = {"annotations": {"domicile.dev/requested-by": "ana"}}


async def opened(*regions: str) -> Recorder:
    recorder = Recorder(*regions)
    recorder.models = [UID]
    await recorder.opened()
    return recorder


def text(lines: bytes) -> str:
    payloads = [dsse.parsed(line).payload for line in lines.splitlines() if line.startswith(b'{"payload"')]
    return b"".join(payloads).decode()


async def test_details_of_a_region_are_where_it_keeps_them_and_not_in_the_log() -> None:
    recorder = await opened("SG")
    await decided(recorder, SERVES)
    (pod,) = w.snapshot(SERVES).seen["sg"].pods
    assert pod.name not in text(recorder.storage.lines)
    assert pod.name in text(b"".join(line + b"\n" for line in recorder.homes["SG"].lines))


async def test_with_them_it_is_decided_again_and_without_it_is_told_where_they_are() -> None:
    recorder = await opened("SG")
    await decided(recorder, SERVES)
    whole, log = recorder.read(whole=True), recorder.read(whole=False)
    assert [replay(each, whole.values) for each in whole.decisions.values()] == [Same()]
    (found,) = (replay(each, log.values) for each in log.decisions.values())
    assert isinstance(found, NotReplayed)
    assert "is kept in SG" in found.why


async def test_of_a_member_elsewhere_all_is_in_the_log() -> None:
    recorder = await opened("PH")
    await decided(recorder, SERVES)
    assert recorder.homes["PH"].lines
    (pod,) = w.snapshot(SERVES).seen["sg"].pods
    assert pod.name in text(recorder.storage.lines)


async def test_a_process_that_follows_records_nothing_there_again() -> None:
    recorder = await opened("SG")
    await decided(recorder, SERVES)
    before = list(recorder.homes["SG"].lines)
    await taken_over(recorder)
    await decided(recorder, replace(SERVES, now=a.LONG_AHEAD))
    assert recorder.homes["SG"].lines == before
    assert len(recorder.decisions) == 2


async def test_while_a_region_cannot_keep_them_nothing_is_placed() -> None:
    recorder = await opened("SG")
    recorder.homes["SG"].failing = "Singapore is out of reach"
    with pytest.raises(NotRecorded, match="Singapore is out of reach"):
        await decided(recorder, PLACING)
    assert "Singapore is out of reach" in recorder.evidence.unrecordable
    recorder.homes["SG"].failing = ""
    await recorder.opened()
    await decided(recorder, PLACING)
    assert [each.body["what"] for each in recorder.decisions] == [["Placed"]]


async def test_what_was_not_recorded_there_is_no_orphan_that_counts() -> None:
    recorder = await opened("SG")
    recorder.storage.failing = "the disk is full"
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    recorder.storage.failing = ""
    await recorder.opened()
    await decided(recorder, PLACING)
    assert len(recorder.decisions) == 1


async def test_a_name_is_recorded_once_by_all_processes_and_stands_in_no_other_record() -> None:
    recorder = await opened()
    state = replace(SERVING, model=w.model(metadata=ASKED))
    await decided(recorder, state)
    await taken_over(recorder)
    another = w.model(metadata={**ASKED, "name": "another", "uid": a.uid("another")})
    await decided(recorder, replace(PLACING, model=another))
    values = recorder.trail.values
    assert text(recorder.storage.lines).count('"ana"') == 1
    assert [questions.asked_by(each, values) for each in recorder.decisions] == ["ana", "ana"]
    assert {replay(each, values) for each in recorder.decisions} == {Same()}


async def removed(recorder: Recorder, kind: str, *, in_fact: bool) -> None:
    """Somebody removed all records of that kind, or died before doing it."""
    log = recorder._open(HUB, recorder.epoch, lambda *_: None)
    gone = ranges.of(sequence for sequence, each in enumerate(_kinds(recorder)) if each == kind)
    recorder.storage.withholds = in_fact
    await log.remove(gone, {"why": "Retention", **KEPT}, recorder.epoch)
    recorder.storage.withholds = True


def _kinds(recorder: Recorder) -> list[str]:
    lines = [line for line in recorder.storage.lines.splitlines() if line.startswith(b'{"payload"')]
    return [dsse.parsed(line).statement["predicate"]["kind"] for line in lines]


@pytest.mark.parametrize("in_fact", [True, False], ids=["and they are gone", "and they are still there"])
async def test_nobody_counts_on_values_of_records_that_are_removed(in_fact: bool) -> None:
    recorder = await opened()
    await decided(recorder, replace(SERVES, model=w.model(metadata=ASKED)))
    await removed(recorder, "Values", in_fact=in_fact)
    await taken_over(recorder)
    another = w.model(metadata={**ASKED, "name": "another", "uid": a.uid("another")})
    await decided(recorder, replace(SERVES, model=another))
    recorder.storage.withhold(ranges.of(_said_to_be_removed(recorder)))
    last = recorder.decisions[-1]
    assert replay(last, recorder.trail.values) == Same()
    assert questions.asked_by(last, recorder.trail.values) == "ana"


def _said_to_be_removed(recorder: Recorder) -> Iterator[int]:
    for each in recorder.trail.others:
        if each.kind == "Removed":
            yield from ranges.each(tuple((first, end) for first, end in each.body["ranges"]))


async def test_each_record_that_is_kept_elsewhere_has_one_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that one of them can go, and nobody counts on it."""
    monkeypatch.setattr("domicile.audit.decisions._SMALL", 1)
    recorder = await opened("SG")
    await decided(recorder, SERVES)
    assert _kinds(recorder).count("Elsewhere") == len(recorder.homes["SG"].lines) > 1


async def test_names_of_two_logs_have_nothing_in_common() -> None:
    """Who has one log, and knows who is named there, learns nothing from another one."""
    found = set[str]()
    for _ in range(2):
        recorder = await opened()
        await decided(recorder, replace(PLACING, model=w.model(metadata=ASKED)))
        found |= {d for d, each in recorder.trail.values._values.items() if names.is_name(each)}
    assert len(found) >= 2
