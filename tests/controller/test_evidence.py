"""Evidence as the controller keeps it: no act without its intent, no end that is not seen, and nothing placed that cannot be recorded."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

import builders as a
from controller.recording import HUB, Recorder
from controller.test_carry_out import carry_out, planned
from controller.test_whole_pass import Killed, Shell, message, placed_shell
from decision import world as w
from domicile import audit, decision, kube
from domicile.audit import Same, replay
from domicile.controller import evidence as module
from domicile.controller.evidence import Evidence, NotRecorded, Recorded
from domicile.controller.memory import Memory
from domicile.controller.opening import ORIGIN, Database, Directory, Signing, opening
from domicile.decision import Place, Plan, Refusal, ReleaseFinalizer, Snapshot, Withdraw
from domicile.decision.plan import Act
from domicile.evidence import dsse
from domicile.evidence.checkpoint import Checkpoint, parsed, signed
from domicile.evidence.records import Content
from domicile.evidence.segments import Segments
from domicile.evidence.store import Log, StoreDown
from domicile.evidence.verifying import Read
from evidence.logs import OURS
from waiting import eventually

UID = a.model_ref().uid
UNRECORDED = Recorded(UID, f"SovereignModel/{a.model_ref()}")
FULL = "the disk is full"
PLACING = w.world()
BEGUN = w.step(PLACING, at_most=1)
"""The decision is in the status, and nothing is on the member."""
STARTING = w.step(PLACING)
SERVES = w.serving_on(STARTING, "sg")
SERVING = w.running()
UNLAWFUL = replace(SERVING, policies=(a.policy(everywhere=("PH",)),))
GOING = w.deleted(SERVING)
GONE = w.step(w.step(w.step(GOING)))


async def opened() -> Recorder:
    """A recorder whose log is open; the model of these worlds is there."""
    recorder = Recorder()
    recorder.models = [UID]
    await recorder.opened()
    return recorder


async def taken_over(recorder: Recorder) -> None:
    """Another process leads."""
    recorder.next_process()
    await recorder.opened()


async def decided(recorder: Recorder, state: w.World) -> Recorded:
    plan, seen, now = planned(state)
    return await recorder.evidence.decided(plan, seen, now)


async def settled(recorder: Recorder, state: w.World) -> list[str]:
    """The story, once it was looked what became of what was begun."""
    await recorder.evidence.settle(w.snapshot(state))
    return recorder.story


def act(state: w.World, kind: type[Any] = Place) -> Act:
    return next(each for each in w.plan(state).acts if isinstance(each, kind))


def still_open(recorder: Recorder) -> list[str]:
    return [" ".join((key[0], i.cluster)) for acts in recorder.trail.ledger.open.values() for key, i in acts.items()]


# The order of things.


async def test_the_decision_is_durable_then_the_status_then_the_member_then_the_outcome() -> None:
    log, recorder = list[str](), Recorder()
    append = recorder.storage.append

    def noted(batch: Any) -> None:
        append(batch)
        log.append(f"record {recorder.story[-1]}")

    recorder.storage.append = noted
    await carry_out(log, recorder=recorder)(*planned(PLACING), Memory())
    order = ["record Placed", "status", "place sg", "record Done sg"]
    assert [each for each in log if not each.startswith("event")] == order


async def test_where_the_decision_cannot_be_recorded_nothing_is_written_to_the_hub_or_a_member() -> None:
    log, recorder = list[str](), Recorder()
    carry = carry_out(log, recorder=recorder)
    recorder.storage.failing = FULL
    done = await carry(*planned(PLACING), Memory())
    assert (log, done.changed) == ([], True)


async def test_of_a_decision_that_cannot_be_recorded_what_has_to_go_goes() -> None:
    log, recorder = list[str](), Recorder()
    carry = carry_out(log, recorder=recorder)
    recorder.storage.failing = FULL
    await carry(*planned(UNLAWFUL), Memory())
    assert log == ["withdraw sg"]


async def test_a_decision_of_nothing_new_is_no_record() -> None:
    recorder = await opened()
    assert (await decided(recorder, SERVING)).digest == ""
    assert recorder.story == []


async def test_a_decision_that_only_says_something_is_a_record() -> None:
    recorder = await opened()
    await decided(recorder, SERVES)
    assert recorder.story == ["Observed"]


async def test_every_decision_that_was_recorded_is_decided_again() -> None:
    recorder = await opened()
    for state in (PLACING, SERVES, UNLAWFUL, GOING):
        await decided(recorder, state)
    trail = recorder.trail
    assert [replay(each, trail.values) for each in recorder.decisions] == [Same()] * 4


async def test_a_record_says_who_decided_and_about_which_model() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    assert recorder.decisions[0].body["context"] == {"uid": UID, "carried": {}, "identity": "test", "version": "0"}


async def test_of_a_second_model_only_what_is_its_own_is_recorded() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    before = len(recorder.storage.lines)
    await decided(recorder, replace(PLACING, model=w.model(name="chat")))
    assert len(recorder.storage.lines) - before < before / 2


# Acts, and what comes of them.


async def test_an_act_that_was_carried_out_ends() -> None:
    recorder = await opened()
    await recorder.evidence.done(await decided(recorder, PLACING), act(PLACING), "InferenceService")
    assert (recorder.story, still_open(recorder)) == (["Placed", "Done sg"], [])


async def test_what_was_written_is_told() -> None:
    recorder = await opened()
    await recorder.evidence.done(await decided(recorder, PLACING), act(PLACING), "InferenceService", "NetworkPolicy")
    ((_, (outcome,)),) = recorder.trail.acts_of(recorder.decisions[0])
    assert outcome.body["wrote"] == ["InferenceService", "NetworkPolicy"]


async def test_an_act_that_is_tried_again_is_no_second_decision() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    assert await decided(recorder, BEGUN) is first
    assert recorder.story == ["Placed"]


async def test_an_attempt_that_failed_is_told_and_ends_nothing() -> None:
    recorder = await opened()
    await recorder.evidence.failed(await decided(recorder, PLACING), act(PLACING), "Forbidden", "no quota")
    assert (recorder.story, still_open(recorder)) == (["Placed", "Failed sg"], ["Place sg"])


async def test_an_attempt_at_what_was_never_recorded_is_not_told() -> None:
    recorder = await opened()
    await recorder.evidence.failed(UNRECORDED, act(PLACING), "Forbidden", "no quota")
    assert recorder.story == []


async def test_an_act_that_goes_on_is_told_under_the_decision_that_began_it() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    second = await decided(recorder, replace(BEGUN, refusals={"sg": Refusal("Forbidden", "no quota")}))
    await recorder.evidence.done(second, act(PLACING), "InferenceService")
    (outcome,) = (each for outcomes in recorder.trail.outcomes.values() for each in outcomes)
    assert second.digest != first.digest == outcome.body["decision"]


async def test_an_act_that_is_not_wanted_any_more_is_overtaken() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    await decided(recorder, replace(PLACING, policies=(a.policy(everywhere=("PH",)),)))
    assert recorder.story == ["Placed", "Overtaken sg", "Placed"]


async def test_an_act_that_is_not_wanted_any_more_and_was_done_is_found_done() -> None:
    """The member did it, and its answer was lost."""
    recorder = await opened()
    await decided(recorder, PLACING)
    await decided(recorder, SERVES)
    assert recorder.story == ["Placed", "FoundDone sg", "Observed"]


async def test_an_act_on_a_member_that_went_out_of_sight_stays_open() -> None:
    """Nobody knows whether it was done."""
    recorder = await opened()
    await decided(recorder, PLACING)
    await decided(recorder, w.hidden(STARTING, "sg"))
    assert (recorder.story, still_open(recorder)) == (["Placed", "Observed"], ["Place sg"])


async def test_drift_that_is_put_right_is_told_under_the_decision_that_stands() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    await recorder.evidence.done(first, act(PLACING), "InferenceService")
    drifted = w.on(STARTING, "sg", selector={"zone": "b"})
    again = await decided(recorder, drifted)
    await recorder.evidence.done(again, act(drifted), "InferenceService")
    assert again is first
    assert recorder.story == ["Placed", "Done sg", "Done sg"]


async def test_what_was_done_and_wrote_nothing_is_told_once() -> None:
    recorder = await opened()
    first = await decided(recorder, PLACING)
    for _ in range(3):
        await recorder.evidence.done(first, act(PLACING))
    assert recorder.story == ["Placed", "Done sg"]


async def test_drift_that_a_later_process_finds_is_a_decision_of_its_own() -> None:
    recorder = await opened()
    await recorder.evidence.done(await decided(recorder, PLACING), act(PLACING), "InferenceService")
    await taken_over(recorder)
    await decided(recorder, w.on(STARTING, "sg", selector={"zone": "b"}))
    assert recorder.story == ["Placed", "Done sg", "Updated"]


async def test_nothing_is_kept_of_a_model_that_was_let_go() -> None:
    recorder = await opened()
    await recorder.evidence.done(await decided(recorder, GONE), act(GONE, ReleaseFinalizer))
    assert (recorder.story, recorder.evidence._standing) == (["LetGo", "Done"], {})


# The store is down.


async def down() -> Recorder:
    recorder = await opened()
    recorder.storage.failing = FULL
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    return recorder


async def up(recorder: Recorder) -> list[str]:
    """The story, once it can be recorded again."""
    recorder.storage.failing = ""
    await recorder.opened()
    return recorder.story


async def owing(*clusters: str) -> Recorder:
    """The model went from these clusters while nothing could be recorded; now it can."""
    recorder = await down()
    for cluster in clusters:
        await recorder.evidence.done(UNRECORDED, Withdraw(a.member(cluster)))
    recorder.storage.failing = ""
    return recorder


def told_late(recorder: Recorder) -> list[str]:
    """UIDs of the clusters that the model went from, as it is told."""
    return [each.body["of"][0] for each in recorder.trail.late]


def payloads(lines: bytes) -> bytes:
    return b"".join(dsse.parsed(line).payload for line in lines.splitlines() if b"payload" in line)


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


# What has no form as a record.


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


# Opening.


async def test_who_leads_no_more_records_nothing() -> None:
    recorder = await opened()
    recorder.epoch = 5
    await decided(recorder, PLACING)
    recorder.epoch = 1
    with pytest.raises(NotRecorded, match="epoch 1 is over: epoch 5 has begun"):
        await decided(recorder, SERVES)
    assert "epoch 1 is over" in recorder.evidence.down


async def refused(recorder: Recorder, opening: Any = None) -> str:
    """Why another process records nothing, and places nothing."""
    recorder.next_process()
    recorder.evidence.opening = opening or recorder.evidence.opening
    await recorder.opened()
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    return recorder.evidence.down


async def test_a_log_that_was_changed_is_not_gone_on_with() -> None:
    recorder = await opened()
    recorder.storage.lines = recorder.storage.lines.replace(b'"sig":"', b'"sig":"AAAA', 1)
    assert (await refused(recorder)).startswith("the log in memory is not as it was written")


async def test_a_log_of_another_version_is_not_gone_on_with() -> None:
    recorder = await opened()
    assert recorder.evidence._log is not None
    odd = Content(audit.DECISION, "SovereignModel/x/y", a.DIGEST, {"of": "another version"})
    await recorder.evidence._log.append(odd, recorder.epoch)
    assert (await refused(recorder)).startswith("record 1 is not as records of this version are: KeyError")


async def test_a_key_that_is_missing_is_told(tmp_path: Path) -> None:
    missing = Directory(tmp_path, Signing(tmp_path / "mounted" / "key.pem"), lambda: a.NOW)
    assert (await refused(await opened(), missing)).startswith(f"the key in {tmp_path}/mounted/key.pem cannot be used")


async def test_a_log_goes_on_with_the_key_that_was_made_beside_it(tmp_path: Path) -> None:
    recorder = Recorder()
    for count in (1, 2):
        recorder.next_process().opening = Directory(tmp_path, Signing(), lambda: a.NOW)
        evidence = await recorder.opened()
        assert (evidence.down, len(evidence._log or ())) == ("", count)
        await evidence.close()


async def test_a_log_goes_on_with_another_key_where_the_one_before_is_known(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.next_process().opening = Directory(tmp_path, Signing(), lambda: a.NOW)
    await (await recorder.opened()).close()
    retired = (tmp_path / "key.pem").rename(tmp_path / "retired.pem")
    public = load_pem_private_key(retired.read_bytes(), None).public_key()
    before = tmp_path / "before.pem"
    before.write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    recorder.next_process().opening = Directory(tmp_path, Signing(keys_before=(before,)), lambda: a.NOW)
    evidence = await recorder.opened()
    assert (evidence.down, len(evidence._log or ())) == ("", 2)
    await evidence.close()


async def test_a_hub_that_is_not_known_has_no_log() -> None:
    recorder = await opened()
    recorder.next_process().hub = lambda: ""
    await recorder.opened()
    assert recorder.evidence.down == "the hub's namespace kube-system is not known"


async def test_who_closed_the_log_records_nothing_more() -> None:
    recorder = await opened()
    await recorder.evidence.close()
    await recorder.evidence.close()
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)


# Keeping it open.


@asynccontextmanager
async def kept(evidence: Evidence) -> AsyncIterator[None]:
    """It is kept open meanwhile."""
    keeping = asyncio.create_task(evidence.keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again without waiting for long."""
    monkeypatch.setattr(module, "_FIRST_TRY", 0.001)


@pytest.mark.usefixtures("soon")
async def test_a_log_that_cannot_be_opened_is_opened_once_it_can() -> None:
    recorder = Recorder()
    recorder.storage.failing = FULL
    async with kept(recorder.evidence):
        await eventually(lambda: FULL in recorder.evidence.down)
        recorder.storage.failing = ""
        await eventually(lambda: recorder.evidence.down == "")


@pytest.mark.usefixtures("soon")
async def test_whenever_it_goes_down_it_comes_back() -> None:
    recorder = Recorder()
    async with kept(recorder.evidence):
        for _ in range(3):
            await eventually(lambda: recorder.evidence.down == "")
            recorder.storage.failing = FULL
            with pytest.raises(NotRecorded):
                await decided(recorder, PLACING)
            recorder.storage.failing = ""
        await eventually(lambda: recorder.evidence.down == "")


async def test_it_is_tried_less_often_the_longer_it_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, waited, enough = Recorder(), list[float](), asyncio.Event()
    recorder.storage.failing = FULL

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 7:
            enough.set()
            await asyncio.Future()

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    async with kept(recorder.evidence):
        await asyncio.wait_for(enough.wait(), 10)
    assert waited == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


async def test_who_waits_for_the_log_goes_on_once_it_was_tried() -> None:
    recorder = Recorder()
    recorder.storage.failing = FULL
    async with kept(recorder.evidence):
        await recorder.evidence.tried()
        assert FULL in recorder.evidence.down


async def test_nobody_waits_long_for_a_long_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPENED_WITHIN", 0.01)
    recorder, ready = Recorder(), threading.Event()
    opening = recorder.evidence.opening

    def long(hub: str, epoch: int, read: Read) -> Log:
        ready.wait(10)
        return opening(hub, epoch, read)

    recorder.evidence.opening = long
    async with kept(recorder.evidence):
        await recorder.evidence.tried()
        assert recorder.evidence.down == "the log is not open yet"
        ready.set()
        await eventually(lambda: recorder.evidence.down == "")


# Another process.


async def left(state: w.World) -> Recorder:
    """A process decided and died, and another one leads."""
    recorder = await opened()
    await decided(recorder, state)
    await taken_over(recorder)
    return recorder


async def test_an_act_whose_process_died_before_it_was_carried_out_is_found_undone() -> None:
    assert await settled(await left(PLACING), BEGUN) == ["Placed", "FoundUndone sg"]


async def test_an_act_whose_process_died_before_its_outcome_was_recorded_is_found_done() -> None:
    assert await settled(await left(PLACING), STARTING) == ["Placed", "FoundDone sg"]


async def test_what_was_settled_is_not_looked_at_again() -> None:
    recorder = await left(PLACING)
    await settled(recorder, STARTING)
    assert await settled(recorder, BEGUN) == ["Placed", "FoundDone sg"]


async def test_what_cannot_be_seen_stays_open_until_it_can() -> None:
    recorder = await left(PLACING)
    assert await settled(recorder, w.hidden(STARTING, "sg")) == ["Placed"]
    await decided(recorder, w.hidden(STARTING, "sg"))
    assert await settled(recorder, STARTING) == ["Placed", "Observed", "FoundDone sg"]


async def test_what_this_process_began_is_not_taken_for_what_another_one_did() -> None:
    """One act of the process before is on a member that is out of sight. Those of this process are tried again, and have no end yet."""
    recorder = await left(PLACING)
    elsewhere = replace(w.hidden(BEGUN, "sg"), policies=(a.policy(everywhere=("PH",)),))
    await settled(recorder, elsewhere)
    await decided(recorder, elsewhere)
    assert await settled(recorder, elsewhere) == ["Placed", "Placed"]
    assert still_open(recorder) == ["Place sg", "Place ph"]


async def test_what_this_process_began_is_not_settled() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    assert await settled(recorder, BEGUN) == ["Placed"]


async def test_nothing_is_settled_while_the_log_is_not_open() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    recorder.next_process()
    assert await settled(recorder, STARTING) == ["Placed"]
    await recorder.opened()
    assert await settled(recorder, STARTING) == ["Placed", "FoundDone sg"]


async def test_nothing_is_settled_while_the_store_is_down() -> None:
    recorder = await left(PLACING)
    recorder.storage.failing = FULL
    with pytest.raises(NotRecorded):
        await decided(recorder, replace(PLACING, model=w.model(name="chat")))
    recorder.storage.failing = ""
    assert await settled(recorder, STARTING) == ["Placed"]


async def test_what_was_found_while_the_store_went_down_is_told_once_it_is_back() -> None:
    recorder = await left(PLACING)
    recorder.storage.failing = FULL
    assert await settled(recorder, STARTING) == ["Placed"]
    assert await up(recorder) == ["Placed", "FoundDone sg"]
    assert await settled(recorder, BEGUN) == ["Placed", "FoundDone sg"]


OF_THE_GONE: dict[str, tuple[w.World, list[str]]] = {
    "placed": (PLACING, ["Placed", "Overtaken sg"]),
    "withdrawn": (GOING, ["Withdrawn", "FoundDone sg"]),
    "let go": (GONE, ["LetGo", "FoundDone"]),
}


@pytest.mark.parametrize(("state", "story"), OF_THE_GONE.values(), ids=OF_THE_GONE)
async def test_acts_on_a_model_that_is_gone_are_settled_when_the_log_is_opened(
    state: w.World, story: list[str]
) -> None:
    recorder = await opened()
    await decided(recorder, state)
    recorder.models = []
    await taken_over(recorder)
    assert (recorder.story, still_open(recorder)) == (story, [])


# Whole stories.


def shell_down() -> Shell:
    shell = Shell()
    shell.recorder.storage.failing = FULL
    return shell


def back(shell: Shell) -> Shell:
    shell.recorder.storage.failing = ""
    asyncio.run(shell.recorder.opened())
    return shell


def test_a_model_that_waits_for_the_store_is_told_so_and_placed_nowhere() -> None:
    shell = shell_down().reconcile()
    ready = shell.live["status"]["conditions"][0]
    assert (ready["status"], ready["reason"], shell.fleet.calls) == ("False", "EvidenceStoreDown", [])
    assert FULL in message(shell)


def test_a_model_that_waits_for_the_store_is_told_so_once() -> None:
    assert shell_down().reconcile(times=4).hub_writes == 1


def test_a_model_that_serves_is_not_told_that_the_store_is_down() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    asyncio.run(shell.recorder.evidence.done(UNRECORDED, Withdraw(a.member("de"))))
    assert shell.recorder.evidence.down != ""
    assert shell.reconcile(times=3).hub_writes == 0


def test_what_waited_is_placed_once_the_store_is_back() -> None:
    shell = back(shell_down().reconcile()).reconcile()
    assert shell.fleet.calls == ["place sg+"]
    assert shell.recorder.story == ["Placed", "Done sg"]


def test_what_is_unlawful_goes_while_the_store_is_down_and_nothing_comes_instead() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    shell.govern("PH")
    shell.reconcile(times=3)
    assert shell.fleet.calls == ["withdraw sg+", "withdraw sg"]
    assert back(shell).reconcile().recorder.story[-3:] == ["late Done", "Placed", "Done ph"]


def test_a_model_is_let_go_while_the_store_is_down() -> None:
    shell = placed_shell()
    shell.recorder.storage.failing = FULL
    shell.delete()
    assert shell.reconcile(times=3).gone
    assert back(shell).recorder.story[-2:] == ["late Done", "late Done"]


def test_with_a_log_that_was_changed_the_operator_goes_on_without_placing() -> None:
    shell = placed_shell()
    recorder = shell.recorder
    recorder.storage.lines = recorder.storage.lines.replace(b'"sig":"', b'"sig":"AAAA', 1)
    shell = shell.restarted()
    shell.govern("PH")
    shell.reconcile(times=3)
    assert shell.fleet.calls == ["withdraw sg+", "withdraw sg"]
    assert "is not as it was written" in message(shell)


def test_a_refusal_is_recorded_once_however_often_it_is_tried() -> None:
    shell = Shell()

    def refuse(call: str) -> None:
        raise kube.Forbidden(403, "Forbidden", "no quota", {}, call)

    shell.fleet.before = refuse
    shell.reconcile(times=5)
    assert shell.recorder.story.count("Failed sg") == 1


def test_another_refusal_is_recorded_too() -> None:
    shell = Shell()
    errors = [kube.Forbidden, kube.Invalid]

    def refuse(call: str) -> None:
        raise errors[0](403, errors[0].__name__, "no", {}, call)

    shell.fleet.before = refuse
    shell.reconcile(times=2)
    errors.pop(0)
    shell.reconcile(times=2)
    assert shell.recorder.story.count("Failed sg") == 2


def killed(*, after: bool) -> Shell:
    """The process that places dies before the act, or after it and before its outcome is recorded, and another one leads."""
    shell = Shell()

    def before(_: str) -> None:
        raise Killed

    async def done(decided: Recorded, act: Act, *wrote: str) -> None:
        raise Killed

    if after:
        shell.recorder.evidence.done = done
    else:
        shell.fleet.before = before
    with suppress(Killed):
        shell.reconcile()
    shell.fleet.before = lambda _: None
    return shell.restarted()


KILLS: dict[str, tuple[bool, list[str]]] = {
    "between the intent and the act": (False, ["Placed", "FoundUndone sg", "Placed", "Done sg"]),
    "between the act and its outcome": (True, ["Placed", "FoundDone sg"]),
}


@pytest.mark.parametrize(("after", "story"), KILLS.values(), ids=KILLS)
def test_who_takes_over_finds_out_what_became_of_what_was_begun(after: bool, story: list[str]) -> None:
    shell = killed(after=after).reconcile()
    assert (shell.recorder.story, list(shell.fleet.there)) == (story, ["sg"])


def test_what_was_begun_is_settled_before_anything_else_is_decided() -> None:
    """Of what the new decision does not want any more, too: it was not overtaken, it was never done."""
    shell = killed(after=False)
    shell.govern("PH")
    assert shell.reconcile().recorder.story[:3] == ["Placed", "FoundUndone sg", "Evicted+Placed"]


def test_a_log_is_in_a_directory_or_in_the_database_of_an_address() -> None:
    signing = Signing()
    assert isinstance(opening("/var/lib/evidence", signing, lambda: a.NOW), Directory)
    assert isinstance(opening("postgresql://hub.example/evidence", signing, lambda: a.NOW), Database)


async def test_processes_that_share_a_log_are_given_its_key() -> None:
    database = Database("postgresql://hub.example/evidence", Signing(), lambda: a.NOW)
    assert "--evidence-key" in await refused(await opened(), database)


async def test_who_cannot_have_the_directory_makes_no_key_in_it(tmp_path: Path) -> None:
    held = Segments(tmp_path)
    assert "another process" in await refused(await opened(), Directory(tmp_path, Signing(), lambda: a.NOW))
    assert not (tmp_path / "key.pem").exists()
    held.close()


# What members keep.


def head(records: int, root: bytes | None = None) -> str:
    return signed(Checkpoint(f"{ORIGIN}{HUB}", records, root or bytes(32)), OURS)


async def test_a_head_is_given_to_members_as_long_as_the_log_can_be_gone_on_with() -> None:
    recorder = Recorder()
    assert recorder.evidence.head == ""
    await recorder.opened()
    assert parsed(recorder.evidence.head).checkpoint.size == 1
    recorder.evidence.kept("sg", head(100))
    assert recorder.evidence.head == ""


AGAINST = {
    "a member that knows of more": (head(100), "its tail was cut"),
    "a member that knows of others": (head(1), "history was rewritten"),
}


@pytest.mark.parametrize(("note", "said"), AGAINST.values(), ids=AGAINST)
async def test_nothing_is_placed_while_a_member_knows_of_another_log(note: str, said: str) -> None:
    recorder = await opened()
    changes = recorder.changes
    recorder.evidence.kept("sg", note)
    assert said in recorder.evidence.unrecordable
    with pytest.raises(NotRecorded, match=said):
        await decided(recorder, PLACING)
    recorder.evidence.kept("sg", "")
    assert (recorder.evidence.unrecordable, recorder.changes) == ("", changes + 2)


async def test_a_member_that_agrees_holds_nobody_up() -> None:
    recorder = await opened()
    recorder.evidence.kept("sg", recorder.evidence.head)
    await decided(recorder, PLACING)
    assert recorder.evidence.unrecordable == ""


async def test_what_a_member_keeps_is_compared_when_the_log_is_opened_later() -> None:
    recorder = Recorder()
    recorder.evidence.kept("sg", head(100))
    assert recorder.evidence.unrecordable == "the log is not open yet"
    await recorder.opened()
    assert "its tail was cut" in recorder.evidence.unrecordable


async def test_a_log_that_can_record_no_more_is_opened_anew() -> None:
    recorder = await opened()
    first = recorder.evidence._log
    assert first is not None
    first._shut = StoreDown("recording was broken off")
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    assert await up(recorder) == []
    assert recorder.evidence._log is not first


# What governance changes.


async def test_what_governance_changed_is_recorded_before_the_first_decision_by_it() -> None:
    recorder = await opened()
    await decided(recorder, PLACING)
    kinds = [(each.sequence, each.kind) for each in (*recorder.trail.others, *recorder.decisions)]
    assert [kind for _, kind in sorted(kinds)] == ["Term", "Law", "Decision"]


async def test_what_governance_changed_is_recorded_without_a_decision_and_once() -> None:
    recorder = await opened()
    for _ in range(2):
        await recorder.evidence.law(w.snapshot(PLACING).engine.law)
    assert [each.kind for each in recorder.trail.others] == ["Term", "Law"]


async def test_what_governance_changed_while_the_store_was_down_is_recorded_later() -> None:
    recorder = await opened()
    law = w.snapshot(PLACING).engine.law
    recorder.storage.failing = FULL
    await recorder.evidence.law(law)
    await recorder.evidence.law(law)
    assert await up(recorder) == []
    await recorder.evidence.law(law)
    assert [each.kind for each in recorder.trail.others if each.kind == "Law"] == ["Law"]
