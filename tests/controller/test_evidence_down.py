"""The store of evidence is down: nothing is placed that cannot be recorded, what has to go goes, and is told later."""

import asyncio
import threading
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

import builders as a
from controller.evidence_cases import (
    FULL,
    GOING,
    PLACING,
    UNLAWFUL,
    UNRECORDED,
    act,
    decided,
    down,
    opened,
    owing,
    payloads,
    still_open,
    told_late,
    up,
)
from controller.recording import Recorder
from controller.test_carry_out import carry_out
from decision import world as w
from domicile import audit, decision
from domicile.controller.evidence import NotRecorded
from domicile.controller.memory import Memory
from domicile.decision import Plan, Snapshot, Withdraw
from domicile.evidence.store import StoreDown


async def test_what_cannot_be_recorded_is_not_placed() -> None:
    recorder = await opened()
    recorder.storage.failing = FULL
    with pytest.raises(NotRecorded, match=FULL):
        await decided(recorder, PLACING)
    assert FULL in recorder.evidence.down


async def test_nothing_is_placed_before_it_was_found_that_it_can_be_recorded_again() -> None:
    recorder = await down()
    recorder.storage.failing = ""
    with pytest.raises(NotRecorded, match=FULL):
        await decided(recorder, PLACING)


async def test_what_only_goes_is_decided_without_a_record() -> None:
    assert (await decided(await down(), GOING)).intents == {}


async def test_what_went_meanwhile_is_told_later_with_its_moment() -> None:
    recorder = await down()
    await recorder.evidence.done(await decided(recorder, GOING), act(GOING, Withdraw))
    assert recorder.story == []
    assert await up(recorder) == ["late Done"]
    assert recorder.trail.late[0].body["done"] == audit.moment(a.NOW)


async def begun_and_down() -> Recorder:
    """The store went down between the intent and the act."""
    recorder = await opened()
    await decided(recorder, GOING)
    recorder.storage.failing = FULL
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    return recorder


async def test_what_was_begun_before_is_told_under_its_decision() -> None:
    recorder = await begun_and_down()
    await recorder.evidence.done(UNRECORDED, act(GOING, Withdraw))
    assert await up(recorder) == ["Withdrawn", "Done sg"]
    assert still_open(recorder) == []


async def test_what_failed_of_what_was_begun_before_is_told_too() -> None:
    recorder = await begun_and_down()
    await recorder.evidence.failed(UNRECORDED, act(GOING, Withdraw), "Forbidden", "may not")
    assert await up(recorder) == ["Withdrawn", "Failed sg"]


async def test_an_outcome_that_cannot_be_recorded_is_owed_and_told_once() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    recorder.storage.failing = FULL
    await recorder.evidence.done(first, act(PLACING), "InferenceService")
    assert await up(recorder) == ["Placed", "Done sg"]
    assert await up(recorder) == ["Placed", "Done sg"]


async def test_what_is_owed_is_told_in_its_order() -> None:
    recorder = await owing("sg", "ph", "de")
    await recorder.opened()
    assert told_late(recorder) == [a.uid("sg"), a.uid("ph"), a.uid("de")]


async def test_what_came_to_be_owed_while_it_was_told_is_told_after_it() -> None:
    recorder = await owing("sg")
    append, began, go_on = recorder.storage.append, threading.Event(), threading.Event()

    def slow(batch: Any) -> None:
        if b'"Outcome"' in payloads(batch.lines):
            began.set()
            go_on.wait(10)
        append(batch)

    recorder.storage.append = slow
    opening = asyncio.create_task(recorder.opened())
    assert await asyncio.to_thread(began.wait, 10)
    await recorder.evidence.done(UNRECORDED, Withdraw(a.member("ph")))
    go_on.set()
    await opening
    assert (told_late(recorder), recorder.evidence.down) == ([a.uid("sg"), a.uid("ph")], "")


async def test_what_is_owed_stays_so_where_the_store_goes_down_again() -> None:
    """And comes before what came to be owed meanwhile."""
    recorder = await owing("sg", "ph")
    append, began, go_on = recorder.storage.append, threading.Event(), threading.Event()

    def fail_once(batch: Any) -> None:
        if b'"Outcome"' in payloads(batch.lines):
            recorder.storage.append = append
            began.set()
            go_on.wait(10)
            raise StoreDown(FULL)
        append(batch)

    recorder.storage.append = fail_once
    opening = asyncio.create_task(recorder.opened())
    assert await asyncio.to_thread(began.wait, 10)
    await recorder.evidence.done(UNRECORDED, Withdraw(a.member("de")))
    go_on.set()
    await opening
    assert (told_late(recorder), FULL in recorder.evidence.down) == ([], True)
    await recorder.opened()
    assert told_late(recorder) == [a.uid("sg"), a.uid("ph"), a.uid("de")]


async def test_that_it_went_down_and_came_back_is_told_once_each() -> None:
    recorder = await opened()
    recorder.changes, recorder.storage.failing = 0, FULL
    for _ in range(3):
        with pytest.raises(NotRecorded):
            await decided(recorder, PLACING)
    went_down = recorder.changes
    await up(recorder)
    assert (went_down, recorder.changes) == (1, 2)


async def test_the_first_reason_stands_until_it_comes_back() -> None:
    """Models are told it: words that change with each attempt would be a write to each of them."""
    recorder = await down()
    first, recorder.storage.failing = recorder.evidence.down, "another reason"
    await recorder.opened()
    assert recorder.evidence.down == first


async def test_each_time_that_it_can_be_recorded_again_is_a_record() -> None:
    recorder = await down()
    await up(recorder)
    terms = [(each.kind, each.body["epoch"], each.epoch) for each in recorder.trail.others]
    assert terms == [("Term", recorder.epoch, recorder.epoch)] * 2


def odd(state: w.World, said: Any) -> tuple[Plan, Snapshot, datetime]:
    """The member says this of the model, beside what is usual."""
    seen = w.snapshot(w.on(state, "sg"))
    service = seen.seen["sg"].inference_service
    assert service is not None
    there = replace(seen.seen["sg"], inference_service=replace(service, manifest={**service.manifest, "said": said}))
    seen = replace(seen, seen={**seen.seen, "sg": there})
    plan = decision.decide(seen, state.now)
    assert isinstance(plan, Plan)
    return plan, seen, state.now


TOO_LONG = "x" * (600 << 10)
ODD: dict[str, Any] = {
    "what is too large": TOO_LONG,
    "what is no number of JSON": float("nan"),
    "what is no text": bytes([0xED, 0xA0, 0x80]).decode("utf-8", "surrogatepass"),
    "what is of no known sort": {1: {"a": 1}, "b": 2},
}


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
async def test_what_has_no_form_as_a_record_is_not_placed(said: Any) -> None:
    recorder = await opened()
    with pytest.raises(NotRecorded):
        await recorder.evidence.decided(*odd(PLACING, said))
    assert (recorder.story, recorder.evidence.down) == ([], "")


@pytest.mark.parametrize("said", ODD.values(), ids=ODD)
async def test_what_has_no_form_as_a_record_goes_all_the_same(said: Any) -> None:
    log: list[str] = []
    done = await carry_out(log)(*odd(UNLAWFUL, said), Memory())
    assert (log, done.failed) == (["withdraw sg"], True)


async def test_an_outcome_that_has_no_form_as_a_record_is_told_to_people(caplog: pytest.LogCaptureFixture) -> None:
    recorder = await opened()
    await recorder.evidence.failed(await decided(recorder, PLACING), act(PLACING), "Odd", TOO_LONG)
    assert (recorder.story, recorder.evidence.down) == (["Placed"], "")
    assert "has no form as a record" in caplog.text


async def test_an_outcome_that_has_no_form_as_a_record_keeps_no_other_from_being_told() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    recorder.storage.failing = FULL
    await recorder.evidence.done(first, act(PLACING), "InferenceService")
    await recorder.evidence.failed(first, act(PLACING), "Odd", TOO_LONG)
    assert await up(recorder) == ["Placed", "Done sg"]
