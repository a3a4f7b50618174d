"""Evidence as the controller keeps it: no act without its intent, and no end that is not seen."""

from dataclasses import replace
from typing import Any

import builders as a
from controller.evidence_cases import (
    BEGUN,
    FULL,
    GOING,
    GONE,
    PLACING,
    SERVES,
    SERVING,
    STARTING,
    UID,
    UNLAWFUL,
    UNRECORDED,
    act,
    decided,
    opened,
    still_open,
    taken_over,
    up,
)
from controller.recording import Recorder
from controller.test_carry_out import carry_out, planned
from decision import world as w
from domicile.audit import Same, replay
from domicile.controller.memory import Memory
from domicile.decision import Refusal, ReleaseFinalizer


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
