"""The work queue: each key at most once, never twice at a time, and at the earliest of its moments."""

import asyncio
from collections.abc import Callable

import pytest

from controller import virtual_time
from domicile.controller.queue import KeyedQueue

Log = list[tuple[float, str]]


def worked(
    queue_of: Callable[[KeyedQueue[str]], None], *, until: float = 100.0, takes: float = 0.0, workers: int = 1
) -> Log:
    """When each piece of work began, for a queue that is filled so."""
    log: Log = []

    async def main() -> None:
        queue: KeyedQueue[str] = KeyedQueue()

        async def reconcile(key: str) -> None:
            log.append((virtual_time.now(), key))
            await asyncio.sleep(takes)

        queue_of(queue)
        tasks = [asyncio.create_task(queue.work(reconcile)) for _ in range(workers)]
        await asyncio.sleep(until)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    virtual_time.run(main())
    return log


def at(moment: float, what: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_at(moment, what)


def test_a_key_that_waits_is_not_added_again() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        for key in ("a", "b", "a"):
            q.add(key)

    assert worked(fill) == [(0.0, "a"), (0.0, "b")]


def test_a_key_that_is_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        q.add("a")
        for moment in (1.0, 2.0, 3.0):
            at(moment, lambda: q.add("a"))

    assert worked(fill, takes=5.0) == [(0.0, "a"), (5.0, "a")]


def test_a_key_is_never_worked_on_twice_at_a_time() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        q.add("a")
        at(1.0, lambda: q.add("a"))
        at(1.0, lambda: q.add("b"))

    assert worked(fill, takes=5.0, workers=3) == [(0.0, "a"), (1.0, "b"), (5.0, "a")]


DELAYS = {
    "one": ([("after", 5)], [5.0]),
    "the earlier one first": ([("after", 3), ("after", 7)], [3.0]),
    "the earlier one last": ([("after", 7), ("after", 3)], [3.0]),
    "at once after all": ([("after", 7), ("now", 0)], [0.0]),
    "at once, and later": ([("now", 0), ("after", 7)], [0.0, 7.0]),
    "in the past": ([("after", -3)], [0.0]),
}


@pytest.mark.parametrize(("adds", "moments"), DELAYS.values(), ids=DELAYS.keys())
def test_of_several_delays_the_earliest_counts(adds: list[tuple[str, float]], moments: list[float]) -> None:
    def fill(q: KeyedQueue[str]) -> None:
        for how, seconds in adds:
            q.add("a") if how == "now" else q.add_after("a", seconds)

    assert [moment for moment, _ in worked(fill)] == moments


def test_a_delay_that_ends_during_the_work_is_not_lost() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        q.add("a")
        at(1.0, lambda: q.add_after("a", 2.0))

    assert worked(fill, takes=10.0) == [(0.0, "a"), (10.0, "a")]


def test_after_a_delay_has_fired_another_can_be_set() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        q.add_after("a", 1.0)
        at(2.0, lambda: q.add_after("a", 3.0))

    assert [moment for moment, _ in worked(fill)] == [1.0, 5.0]


def test_keys_have_delays_of_their_own() -> None:
    def fill(q: KeyedQueue[str]) -> None:
        q.add_after("a", 9.0)
        q.add_after("b", 1.0)
        at(2.0, lambda: q.add("b"))

    assert worked(fill) == [(1.0, "b"), (2.0, "b"), (9.0, "a")]


def test_a_worker_that_is_stopped_in_its_work_leaves_the_key_to_the_others() -> None:
    began: list[float] = []

    async def main() -> None:
        queue: KeyedQueue[str] = KeyedQueue()

        async def reconcile(key: str) -> None:
            began.append(virtual_time.now())
            await asyncio.sleep(10)

        first = asyncio.create_task(queue.work(reconcile))
        queue.add("a")
        await asyncio.sleep(1)
        queue.add("a")
        first.cancel()
        second = asyncio.create_task(queue.work(reconcile))
        await asyncio.sleep(20)
        second.cancel()

    virtual_time.run(main())
    assert began == [0.0, 1.0]


def test_idle_is_when_nothing_is_due_or_being_worked_on() -> None:
    idle: list[bool] = []

    async def main() -> None:
        queue: KeyedQueue[str] = KeyedQueue()
        worker = asyncio.create_task(queue.work(lambda _: asyncio.sleep(2)))
        queue.add_after("a", 1.0)
        for _ in range(3):
            idle.append(queue.idle)
            await asyncio.sleep(1.5)
        worker.cancel()

    virtual_time.run(main())
    assert idle == [True, False, True]


def test_virtual_time_tells_when_nothing_would_ever_happen() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(virtual_time.NothingWillHappen):
        virtual_time.run(main())
