"""Slots: a slow member takes no more than its own, and who waits is woken when one is free."""

import asyncio

import builders as a
from controller.fakes import FakeFleet
from controller.recording import Recorder
from decision import world as w
from domicile import decision
from domicile.controller.carry_out import CarryOut, Done
from domicile.controller.memory import Memory
from domicile.controller.slots import Slots


def test_no_more_are_taken_than_there_are_and_others_have_their_own() -> None:
    slots: Slots[str] = Slots(2, lambda key: None)
    assert [slots.take("sg", key) for key in ("a", "b", "c")] == [True, True, False]
    assert slots.take("ph", "d")


def test_who_waits_is_woken_in_turn_and_once() -> None:
    woken: list[str] = []
    slots: Slots[str] = Slots(1, woken.append)
    slots.take("sg", "a")
    assert [slots.take("sg", key) for key in ("b", "b", "c")] == [False, False, False]
    slots.give("sg")
    assert woken == ["b"]
    assert slots.take("sg", "b")
    slots.give("sg")
    assert woken == ["b", "c"]


def test_who_is_woken_and_needs_it_no_more_holds_up_nobody() -> None:
    woken: list[str] = []
    slots: Slots[str] = Slots(2, woken.append)
    for key in ("a", "b", "c", "d"):
        slots.take("sg", key)
    slots.give("sg")
    slots.give("sg")
    assert woken == ["c", "d"]


def test_who_took_a_slot_waits_no_more() -> None:
    woken: list[str] = []
    slots: Slots[str] = Slots(1, woken.append)
    slots.take("sg", "a")
    slots.take("sg", "b")
    slots.take("sg", "c")
    slots.give("sg")
    assert slots.take("sg", "c")
    slots.give("sg")
    assert woken == ["b"]


class SlowFleet(FakeFleet):
    """Members that answer when they are told to."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = 0
        self.answer = asyncio.Event()

    async def place(self, permit, workload, now):
        self.under_way += 1
        await self.answer.wait()
        return await super().place(permit, workload, now)


async def test_models_of_a_slow_member_wait_for_each_other_and_take_no_workers() -> None:
    fleet, woken = SlowFleet(), []
    carry_out = CarryOut(None, fleet, Recorder().ready(), lambda: a.NOW, lambda: True, woken.append)  # type: ignore[arg-type]
    placing = w.step(w.world(), at_most=1)  # The decision is on record, and nothing is placed.
    plan, seen = w.plan(placing), w.snapshot(placing)
    assert [act for act in plan.acts if isinstance(act, decision.Place)]
    running = [asyncio.create_task(carry_out(plan, seen, placing.now, Memory())) for _ in range(6)]
    done, waiting = await asyncio.wait(running, timeout=1)
    assert fleet.under_way == 4
    assert [task.result() for task in done] == [Done(changed=False, failed=False, pending=False, crowded=True)] * 2
    fleet.answer.set()
    await asyncio.gather(*waiting)
    assert woken == [("retail-banking", "fraud-scorer")]
