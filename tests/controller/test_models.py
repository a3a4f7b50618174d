"""One reconcile of a model: when it is looked at again, and that what goes wrong with one stops no other."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

import builders as a
from controller.fakes import FakeFleet, Later
from controller.recording import Recorder
from domicile import kube, placement
from domicile.api import ModelRemnant
from domicile.controller.carry_out import Done
from domicile.controller.memory import Memory
from domicile.controller.models import Models
from domicile.controller.queue import KeyedQueue
from domicile.controller.store import Store
from domicile.decision import Plan, Snapshot

NAME = ("retail-banking", "fraud-scorer")
NOTHING, CHANGED = Done(False, False, False), Done(True, False, False)
FAILED, PENDING = Done(False, True, False), Done(False, False, True)


class FakeCarryOut:
    """Answers with what a test says, in turn, the last one again and again; an exception is raised."""

    def __init__(self, *answers: Done | Exception) -> None:
        self.answers: list[Done | Exception] = list(answers)
        self.plans: list[Plan] = []
        self.memories: list[Memory] = []
        self.seen: list[Snapshot] = []

    async def __call__(self, plan: Plan, seen: Snapshot, decided: datetime, memory: Memory) -> Done:
        self.plans.append(plan)
        self.memories.append(memory)
        self.seen.append(seen)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Loop:
    """The loop, with fakes around it."""

    def __init__(
        self, *answers: Done | Exception, policies: Sequence[Any] = (), view: placement.ClusterView | None = None
    ) -> None:
        self.store, self.later, self.carry_out = Store(), Later(), FakeCarryOut(*answers or (NOTHING,))
        members = FakeFleet({"sg": view or a.view()})
        self.models = Models(
            self.store,
            cast(Any, members),
            cast(Any, self.carry_out),
            Recorder().ready(),
            lambda: a.NOW,
            cast(Any, self.later),
        )
        self.put(NAME[1])
        self.store.namespaces.put({"metadata": {"name": NAME[0], "resourceVersion": "1"}})
        self.store.hub = a.member("hub")
        for rule in (*policies, a.HUB):
            shelf = self.store.policies if rule.info.kind == "ResidencyPolicy" else self.store.attestations
            shelf.put({**rule.wire(), "metadata": {"name": rule.metadata.name, "uid": "x", "resourceVersion": "1"}})

    def put(self, name: str, *, version: int = 1, uid: str | None = None, **changed: Any) -> None:
        meta = {"name": name, "namespace": NAME[0], "uid": uid or a.uid(name), "resourceVersion": str(version)}
        self.store.models.put({**a.model(name).wire(), "metadata": meta, **changed})

    def reconcile(self, name: tuple[str, str] = NAME, *, times: int = 1) -> list[float]:
        """When it is to be looked at again, each time."""

        async def main() -> None:
            for _ in range(times):
                await self.models.reconcile(name)

        asyncio.run(main())
        return self.later.seconds


def test_nothing_to_do_needs_no_look_again() -> None:
    assert Loop().reconcile() == []


def test_a_model_that_is_not_there_is_left_alone() -> None:
    loop = Loop()
    assert loop.reconcile(("retail-banking", "another")) == []
    assert loop.carry_out.plans == []


def test_a_model_of_which_nothing_can_be_read_is_left_alone_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    loop = Loop()
    loop.put(NAME[1], version=2, status={"placements": [{}]})
    with caplog.at_level(logging.WARNING):
        assert loop.reconcile() == []
    assert "cannot be read" in caplog.text
    assert loop.carry_out.plans == []


def test_a_model_that_can_be_read_in_part_is_decided_on_and_remembered_as_it_was() -> None:
    loop = Loop(FAILED)
    loop.reconcile()
    loop.put(NAME[1], version=2, spec={"dataClasses": ["customer.pii"]})
    assert loop.reconcile() == [1.0, 2.0]
    assert isinstance(loop.carry_out.seen[1].model, ModelRemnant)
    assert loop.carry_out.memories[0] is loop.carry_out.memories[1]


def test_a_bug_with_a_model_that_can_be_read_in_part_is_tried_ever_more_rarely() -> None:
    loop = Loop(RuntimeError("a bug"))
    loop.put(NAME[1], version=2, spec={})
    assert loop.reconcile(times=3) == [1.0, 2.0, 4.0]


def test_a_wait_is_looked_at_again_at_its_end_and_nothing_is_carried_out() -> None:
    since = a.NOW - timedelta(seconds=4)
    connecting = placement.ClusterView(a.member(), placement.OutOfSight("Connecting", "first attempt", since))
    loop = Loop(policies=(a.policy(), a.attestation()), view=connecting)
    assert loop.reconcile() == [6.0]
    assert loop.carry_out.plans == []


LAPSES = {
    "soon": (timedelta(minutes=5), 300.0),
    "in a year: timers and calendars differ": (timedelta(days=365), 3600.0),
}


@pytest.mark.parametrize(("ahead", "seconds"), LAPSES.values(), ids=LAPSES.keys())
def test_a_lapse_ahead_is_looked_at_again(ahead: timedelta, seconds: float) -> None:
    loop = Loop(policies=(a.policy(), a.attestation(until=a.NOW + ahead)))
    assert loop.reconcile() == [seconds]


def test_what_was_begun_is_looked_at_again_after_a_second() -> None:
    assert Loop(PENDING).reconcile() == [1.0]


def test_what_changed_something_is_decided_anew_at_once() -> None:
    loop = Loop(CHANGED, CHANGED, NOTHING)
    assert loop.reconcile() == []
    assert len(loop.carry_out.plans) == 3


def test_a_change_without_end_gives_way_to_others() -> None:
    loop = Loop(CHANGED)
    assert loop.reconcile() == [1.0]
    assert len(loop.carry_out.plans) == 6


ERRORS: dict[str, Done | Exception] = {
    "something failed": FAILED,
    "the hub refused": kube.KubeError("no"),
    "a bug": RuntimeError("a bug"),
}


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS.keys())
def test_failures_are_tried_again_ever_more_rarely(answer: Done | Exception) -> None:
    assert Loop(answer).reconcile(times=9) == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


@pytest.mark.parametrize("answer", ERRORS.values(), ids=ERRORS.keys())
def test_a_success_ends_the_back_off(answer: Done | Exception) -> None:
    assert Loop(answer, answer, NOTHING, answer).reconcile(times=4) == [1.0, 2.0, 1.0]


def test_a_failure_does_not_put_off_a_lapse() -> None:
    loop = Loop(FAILED, policies=(a.policy(), a.attestation(until=a.NOW + timedelta(minutes=5))))
    assert loop.reconcile() == [1.0, 300.0]


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    Loop(RuntimeError("a bug")).reconcile()
    assert "Traceback" in caplog.text


def test_one_models_bug_stops_no_other() -> None:
    loop = Loop(RuntimeError("a bug"), NOTHING)
    loop.put("another")

    async def main() -> None:
        queue: KeyedQueue[tuple[str, str]] = KeyedQueue()
        queue.add(NAME)
        queue.add((NAME[0], "another"))
        worker = asyncio.create_task(queue.work(loop.models.reconcile))
        while not queue.idle:
            await asyncio.sleep(0)
        assert not worker.done()
        worker.cancel()

    asyncio.run(main())
    assert [seen.model.metadata.name for seen in loop.carry_out.seen] == [NAME[1], "another"]
    assert loop.later.asked == [(NAME[1], 1.0)]


def test_what_is_remembered_of_a_model_is_remembered_until_it_is_gone() -> None:
    loop = Loop(NOTHING)
    loop.reconcile(times=2)
    first, again = loop.carry_out.memories
    assert first is again
    loop.store.models.remove({"metadata": {"name": NAME[1], "namespace": NAME[0], "uid": a.uid(NAME[1])}})
    loop.reconcile()
    assert loop.models._memories.of(a.uid(NAME[1])) is not first


def test_nothing_is_remembered_of_an_earlier_model_of_the_same_name() -> None:
    loop = Loop(NOTHING)
    loop.reconcile()
    loop.carry_out.memories[0].proven_absent.add(a.member())
    loop.put(NAME[1], version=2, uid=a.uid("second"))
    loop.reconcile()
    assert loop.carry_out.memories[1].proven_absent == set()
    assert set(loop.models._memories._by_uid) == {a.uid("second")}


def test_a_decision_sees_what_was_remembered() -> None:
    loop = Loop(NOTHING)
    loop.reconcile()
    loop.carry_out.memories[0].proven_absent.add(a.member())
    loop.reconcile()
    assert loop.carry_out.seen[1].proven_absent == {a.member()}


def test_an_unknown_namespace_is_told_to_the_decision_as_unknown() -> None:
    loop = Loop(NOTHING)
    loop.store.namespaces.remove(NAME[0])
    loop.reconcile()
    assert loop.carry_out.seen[0].unknown == ("Namespace/retail-banking",)
