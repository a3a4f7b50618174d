"""Worlds, and steps with a recorder, that the tests of evidence share."""

from dataclasses import replace
from typing import Any

import pytest

import builders as a
from controller.recording import Recorder
from controller.test_carry_out import planned
from decision import world as w
from domicile.controller.evidence import NotRecorded, Recorded
from domicile.decision import Place, Withdraw
from domicile.decision.plan import Act
from domicile.evidence import dsse

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


async def refused(recorder: Recorder, opening: Any = None) -> str:
    """Why another process records nothing, and places nothing."""
    recorder.next_process()
    recorder.evidence.opening = opening or recorder.evidence.opening
    await recorder.opened()
    with pytest.raises(NotRecorded):
        await decided(recorder, PLACING)
    return recorder.evidence.down
