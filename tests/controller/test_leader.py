"""The lease: of two candidates at most one may act at any moment, whatever the network and the scheduler do to them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import virtual_time
from controller.fake_hub_api import FakeHubApi, Storage, delayed, unreachable
from domicile import kube
from domicile.controller.leader import LeadershipLost, Lease, Timing

TIMING = Timing(duration=15.0, deadline=10.0, retry=3.0)


@dataclass
class Candidate:
    """One process that wants to lead. Its clock may run too fast or too slow, and begins anywhere."""

    name: str
    storage: Storage
    speed: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        self.api = FakeHubApi(self.storage)
        self.lease = Lease(self.api.client, "domicile", "operator", self.name, self.clock, TIMING)

    def clock(self) -> float:
        return self.offset + self.speed * virtual_time.now()

    async def live(self) -> None:
        """Lead whenever it may, again and again, as a process that is started anew."""
        while True:
            await self.lease.acquire()
            try:
                await self.lease.keep()
            except LeadershipLost:
                self.lease = Lease(self.api.client, "domicile", "operator", self.name, self.clock, TIMING)


def candidates(count: int = 2, **changed: Any) -> list[Candidate]:
    storage = Storage()
    return [Candidate(f"process-{n}", storage, offset=1000.0 * n, **changed) for n in range(count)]


def lived(
    those: Sequence[Candidate], seconds: float, *, then: Callable[[], None] | None = None, look: float = 0.1
) -> list[list[str]]:
    """Who held the lease, looked at every tenth of a second; fails if two ever did."""
    seen: list[list[str]] = []

    async def main() -> None:
        tasks = [asyncio.create_task(c.live()) for c in those]
        if then is not None:
            then()
        while virtual_time.now() < seconds:
            await asyncio.sleep(look)
            holders = [c.name for c in those if c.lease.held]
            assert len(holders) <= 1, f"{holders} hold the lease at {virtual_time.now():.1f}"
            seen.append(holders)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    virtual_time.run(main())
    return seen


def leaders(seen: list[list[str]]) -> list[str]:
    """Who led, in turn."""
    turns: list[str] = []
    for holders in seen:
        turns += [name for name in holders if turns[-1:] != [name]]
    return turns


def test_one_of_two_leads_and_goes_on_leading() -> None:
    seen = lived(candidates(), 120)
    assert leaders(seen) == ["process-0"]
    assert all(seen)


def test_a_settled_leader_writes_one_renewal_each_retry() -> None:
    (only,) = candidates(1)
    lived([only], 30)
    assert 9 <= sum(request.startswith("PATCH") for request in only.api.requests) <= 10


def cut_off(candidate: Candidate) -> None:
    async def fail(verb: str) -> None:
        raise unreachable()

    candidate.api.on_way = fail


def test_a_leader_that_cannot_renew_stops_before_the_other_begins() -> None:
    first, second = candidates()
    seen = lived([first, second], 60, then=lambda: asyncio.get_running_loop().call_at(20, cut_off, first) and None)
    assert leaders(seen) == ["process-0", "process-1"]
    assert [] in seen


def test_a_renewal_of_which_the_answer_was_lost_counts_from_the_last_one_that_was_answered() -> None:
    first, second = candidates()

    async def lost(verb: str) -> None:
        if verb == "PATCH":
            raise unreachable()

    def lose() -> None:
        first.api.on_return = lost

    seen = lived([first, second], 40, then=lambda: asyncio.get_running_loop().call_at(20, lose) and None)
    assert leaders(seen) == ["process-0"]
    # It stops acting although the hub still has it as the holder.
    assert [] in seen


def test_a_paused_leader_has_stopped_when_it_wakes() -> None:
    """Stopped in the middle of a request, it wakes 60 s later, with the lease long in other hands."""
    first, second = candidates()

    def pause() -> None:
        first.api.on_return = delayed(60)

    seen = lived([first, second], 120, then=lambda: asyncio.get_running_loop().call_at(20, pause) and None)
    assert leaders(seen) == ["process-0", "process-1"]


def test_how_old_a_renewal_is_counts_from_the_answer_and_not_from_the_question() -> None:
    """The other's last renewal came while our question was on its way: it is younger than the question."""
    first, second = candidates()
    slow = [11.0]

    async def once_slow(verb: str) -> None:
        await asyncio.sleep(slow.pop() if slow else 0)

    def begin() -> None:
        second.api.on_way = once_slow
        asyncio.get_running_loop().call_at(9.5, cut_off, first)

    seen = lived([first, second], 60, then=begin)
    assert leaders(seen) == ["process-0", "process-1"]


def test_who_sees_another_as_the_holder_stops_at_once() -> None:
    first, _ = candidates()

    async def main() -> None:
        await first.lease.acquire()
        assert first.lease.held
        stolen = dict(first.storage.objects[kube.LEASES, "domicile", "operator"])
        first.storage.put(kube.LEASES, {**stolen, "spec": {**stolen["spec"], "holderIdentity": "an administrator"}})
        with pytest.raises(LeadershipLost, match="taken by another process"):
            await first.lease.keep()
        assert virtual_time.now() == pytest.approx(3.0)

    virtual_time.run(main())


def test_of_two_that_swap_at_the_same_moment_one_wins() -> None:
    first, second = candidates()
    both = asyncio.Event()
    arrived: list[str] = []

    async def together(verb: str) -> None:
        if verb == "PATCH":
            arrived.append(verb)
            if len(arrived) == 2:
                both.set()
            await both.wait()

    async def main() -> None:
        free = {"spec": {"holderIdentity": ""}, "metadata": {"name": "operator", "namespace": "domicile"}}
        first.storage.put(kube.LEASES, free)
        first.api.on_way = second.api.on_way = together
        tasks = [asyncio.create_task(c.lease.acquire()) for c in (first, second)]
        done, pending = await asyncio.wait(tasks, timeout=2.0)
        assert (len(done), len(pending)) == (1, 1)
        assert first.lease.held is not second.lease.held
        pending.pop().cancel()

    virtual_time.run(main())


def test_a_lease_that_was_released_is_taken_at_the_next_look() -> None:
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        waiting = asyncio.create_task(second.lease.acquire())
        await asyncio.sleep(4)
        assert not waiting.done()
        await first.lease.release()
        assert not first.lease.held
        await asyncio.wait_for(waiting, 3.1)
        assert second.lease.held
        await first.lease.release()
        assert second.lease.held

    virtual_time.run(main())


def test_releasing_what_another_holds_by_now_leaves_it_alone() -> None:
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        live = first.storage.objects[kube.LEASES, "domicile", "operator"]
        first.storage.put(kube.LEASES, {**live, "spec": {**live["spec"], "holderIdentity": second.name}})
        await first.lease.release()
        now = first.storage.objects[kube.LEASES, "domicile", "operator"]
        assert now["spec"]["holderIdentity"] == second.name

    virtual_time.run(main())


def test_a_release_that_fails_is_no_error() -> None:
    first, _ = candidates()

    async def main() -> None:
        await first.lease.acquire()
        cut_off(first)
        await first.lease.release()
        assert not first.lease.held

    virtual_time.run(main())


def test_it_counts_who_took_over_and_since_when() -> None:
    first, second = candidates()

    async def main() -> None:
        for candidate in (first, second):
            await candidate.lease.acquire()
            before = candidate.storage.objects[kube.LEASES, "domicile", "operator"]["spec"]
            await candidate.lease.acquire()
            after = candidate.storage.objects[kube.LEASES, "domicile", "operator"]["spec"]
            assert before["acquireTime"] == after["acquireTime"] < after["renewTime"]
            await candidate.lease.release()
        assert after["leaseTransitions"] == 1

    virtual_time.run(main())


def lease_of(candidate: Candidate) -> Any:
    return candidate.storage.objects[kube.LEASES, "domicile", "operator"]


def test_each_leader_begins_a_term_and_knows_those_before_it() -> None:
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        began = first.lease.terms
        assert (began.current.epoch, began.past) == (0, ())
        await first.lease.acquire()
        assert first.lease.terms == began, "renewing begins none"
        await first.lease.release()
        await second.lease.acquire()
        now = second.lease.terms
        assert (now.current.epoch, now.past) == (1, (began.current,))
        assert now.current.token != began.current.token

    virtual_time.run(main())


def test_a_process_that_is_started_anew_goes_on_in_its_term() -> None:
    """Or its answer was lost: the lease says already that it leads."""
    first, _ = candidates()

    async def main() -> None:
        await first.lease.acquire()
        again = Candidate(first.name, first.storage)
        await again.lease.acquire()
        assert again.lease.terms == first.lease.terms

    virtual_time.run(main())


def test_a_lease_that_was_deleted_and_one_without_terms_know_of_none() -> None:
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        began = first.lease.terms.current
        del first.storage.objects[kube.LEASES, "domicile", "operator"]
        await second.lease.acquire()
        assert not second.lease.terms.know(began)
        await second.lease.release()
        first.storage.put(kube.LEASES, {**lease_of(first), "metadata": {"name": "operator", "namespace": "domicile"}})
        third = Candidate("third", first.storage)
        await third.lease.acquire()
        assert third.lease.terms.current.epoch == 1
        assert not third.lease.terms.know(second.lease.terms.current)

    virtual_time.run(main())


def test_a_leader_whose_lease_is_deleted_knows_what_it_knew() -> None:
    first, _ = candidates()

    async def main() -> None:
        await first.lease.acquire()
        keeping = asyncio.create_task(first.lease.keep())
        began = first.lease.terms
        del first.storage.objects[kube.LEASES, "domicile", "operator"]
        await asyncio.sleep(4)
        assert first.lease.held
        assert (first.lease.terms.current.epoch, first.lease.terms.past) == (1, (began.current,))
        keeping.cancel()

    virtual_time.run(main())


def test_a_leader_that_hung_ends_also_where_nobody_leads_by_then() -> None:
    """What it knows, and what it has begun, is of a term that is over."""
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        keeping = asyncio.create_task(first.lease.keep())
        live = lease_of(first)
        first.storage.put(kube.LEASES, {**live, "spec": {**live["spec"], "holderIdentity": ""}})
        await second.lease.acquire()
        await second.lease.release()
        with pytest.raises(LeadershipLost):
            await keeping
        assert lease_of(first)["spec"]["holderIdentity"] == ""

    virtual_time.run(main())


def test_who_leads_writes_its_terms_again_where_somebody_wrote_over_them() -> None:
    first, _ = candidates()

    async def main() -> None:
        await first.lease.acquire()
        began = first.lease.terms
        meta = lease_of(first)["metadata"]
        first.storage.put(kube.LEASES, {**lease_of(first), "metadata": {**meta, "annotations": {}}})
        await first.lease.acquire()
        assert first.lease.terms == began
        assert lease_of(first)["metadata"]["annotations"] == {"domicile.dev/terms": began.wire()}

    virtual_time.run(main())


def test_a_term_after_a_confirmed_epoch_is_kept_with_what_was_confirmed() -> None:
    first, second = candidates()

    async def main() -> None:
        await first.lease.acquire()
        await first.lease.begin_after(9)
        assert (first.lease.terms.current.epoch, first.lease.terms.confirmed) == (10, 9)
        await first.lease.acquire()
        assert first.lease.terms.current.epoch == 10
        assert lease_of(first)["spec"]["leaseTransitions"] == 10
        await first.lease.release()
        await second.lease.acquire()
        assert (second.lease.terms.current.epoch, second.lease.terms.confirmed) == (11, 9)
        with pytest.raises(kube.KubeError, match="another process's"):
            await first.lease.begin_after(20)
        assert second.lease.terms.current.epoch == 11

    virtual_time.run(main())


TIMINGS = {
    "no gap for clocks that differ": (10.0, 10.0, 3.0),
    "retries too rarely": (15.0, 10.0, 10.0),
    "no retry": (15.0, 10.0, 0.0),
}


@pytest.mark.parametrize("timing", TIMINGS.values(), ids=TIMINGS.keys())
def test_timing_that_holds_no_lock_is_refused(timing: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="0 < retry < deadline < duration"):
        Timing(*timing)


def test_part_of_a_second_is_rounded_up_to_what_a_lease_can_say() -> None:
    api = FakeHubApi()
    lease = Lease(api.client, "domicile", "operator", "a", lambda: 0.0, Timing(duration=1.5, deadline=1.0, retry=0.5))
    asyncio.run(lease.acquire())
    assert api.storage.objects[kube.LEASES, "domicile", "operator"]["spec"]["leaseDurationSeconds"] == 2


legs = st.lists(st.sampled_from([0.0, 0.0, 0.1, 2.0, 6.0, 12.0, 30.0, None]), min_size=1, max_size=12)
"""How long each leg of a request takes in turn; None: it is lost."""


def unreliable(delays: Sequence[float | None]):
    left = list(delays)

    async def leg(verb: str) -> None:
        delay = left.pop(0) if left else 0.0
        await asyncio.sleep(1.0 if delay is None else delay)
        if delay is None:
            raise unreachable()

    return leg


@given(
    there=st.tuples(legs, legs), back=st.tuples(legs, legs), speeds=st.tuples(*[st.sampled_from([0.9, 1.0, 1.1])] * 2)
)
def test_no_two_hold_it_at_a_time_whatever_becomes_of_their_requests(there, back, speeds) -> None:
    those = candidates()
    for candidate, way, ret, speed in zip(those, there, back, speeds, strict=True):
        candidate.api.on_way, candidate.api.on_return = unreliable(way), unreliable(ret)
        candidate.speed = speed
    lived(those, 120, look=0.5)
