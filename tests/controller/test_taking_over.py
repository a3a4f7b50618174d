"""A process that follows another one finds out what became of what that began."""

from contextlib import suppress
from dataclasses import replace

import pytest

import builders as a
from controller.evidence_cases import (
    BEGUN,
    FULL,
    GOING,
    GONE,
    PLACING,
    STARTING,
    decided,
    opened,
    settled,
    still_open,
    taken_over,
    up,
)
from controller.recording import Recorder
from controller.test_whole_pass import Killed, Shell
from decision import world as w
from domicile.controller.evidence import NotRecorded, Recorded
from domicile.decision.plan import Act


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
