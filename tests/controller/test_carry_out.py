"""Carrying out: the hub first, placing only on record and only by the leader, withdrawing whatever the hub does."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

import builders as a
from controller.recording import Recorder
from decision import world as w
from domicile import decision, fleet, kube
from domicile.controller.carry_out import CarryOut
from domicile.controller.memory import Memory

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DOWN = kube.Unreachable("https://hub", "PATCH", "connection refused")


class FakeHub:
    """Notes what is asked of it; fails where it is told to."""

    def __init__(self, log: list[str], failure: Exception | None = None) -> None:
        self._log, self._failure = log, failure

    async def add_finalizer(self, _: Any) -> None:
        self._note("finalizer")

    async def write_status(self, *_: Any) -> None:
        self._note("status")

    async def release_finalizer(self, _: Any) -> None:
        self._note("release")

    async def tell(self, _: Any, told: Any, decision: str) -> None:
        self._log.append(f"event {told.reason}")

    def _note(self, what: str) -> None:
        if self._failure is not None:
            raise self._failure
        self._log.append(what)


class FakeFleet:
    """Notes what is asked of it."""

    def __init__(self, log: list[str], withdrawn: Any) -> None:
        self._log, self._withdrawn = log, withdrawn

    async def place(self, permit: Any, *_: Any) -> fleet.Applied:
        self._log.append(f"place {permit.member}")
        return fleet.Applied(())

    async def withdraw(self, member: Any, _: Any) -> Any:
        self._log.append(f"withdraw {member}")
        if isinstance(self._withdrawn, Exception):
            raise self._withdrawn
        return self._withdrawn


WITHDRAWN = fleet.Withdrawn()


def carry_out(
    log: list[str],
    *,
    failure: Exception | None = None,
    leads: tuple[bool, ...] = (),
    withdrawn: Any = WITHDRAWN,
    recorder: Recorder | None = None,
) -> CarryOut:
    """`leads` answers one question after the other; then it is True. `withdrawn` is what comes of withdrawing."""
    answers = iter(leads)
    hub, members = cast(Any, FakeHub(log, failure)), cast(Any, FakeFleet(log, withdrawn))
    evidence = (recorder or Recorder()).ready()
    return CarryOut(hub, members, evidence, lambda: NOW, lambda: next(answers, True), lambda name: None)


PLACING = w.world()
MOVING = replace(w.running(), policies=(a.policy(everywhere=("PH",)),))


def planned(state: Any) -> tuple[decision.Plan, decision.Snapshot, datetime]:
    seen = w.snapshot(state)
    plan = decision.decide(seen, state.now)
    assert isinstance(plan, decision.Plan)
    return plan, seen, state.now


async def test_the_decision_is_on_record_before_the_member_is_written() -> None:
    log: list[str] = []
    await carry_out(log)(*planned(PLACING), Memory())
    assert log.index("status") < log.index("place sg")


@pytest.mark.parametrize("failure", [DOWN, kube.Conflict(409, "Conflict", "changed", {}, "PATCH")])
async def test_nothing_is_placed_that_is_not_on_record(failure: Exception) -> None:
    log: list[str] = []
    with pytest.raises(type(failure)):
        await carry_out(log, failure=failure)(*planned(PLACING), Memory())
    assert log == []


STUCK = "whether pod x still runs is unknown: its node n is not Ready"
BEHIND = fleet.HubBehind("sg", fleet.Term(9, "a9"), fleet.Term(7, "a7"))
OUTCOMES: dict[str, tuple[Any, str]] = {
    "a node that tells nothing": (fleet.Withdrawing(("Pod/x",), (STUCK,)), STUCK),
    "a hub that is behind": (BEHIND, str(BEHIND)),
    "nothing, it only takes its time": (fleet.Withdrawing(("Pod/x",)), ""),
    "an API server that fails, in words that may change": (DOWN, ""),
    "rights that are missing": (
        kube.Forbidden(403, "Forbidden", "may not, on port 4711", {}, "DELETE"),
        "the member does not let Domicile do it: `domicile cluster join` gives the rights that are missing",
    ),
    "nothing any more": (fleet.Withdrawn(), ""),
}


@pytest.mark.parametrize(("outcome", "stuck"), OUTCOMES.values(), ids=OUTCOMES)
async def test_what_keeps_a_model_from_being_withdrawn_is_remembered_and_told_once(outcome: Any, stuck: str) -> None:
    log, memory = list[str](), Memory()
    act = carry_out(log, withdrawn=outcome)
    first = await act(*planned(MOVING), memory)
    assert memory.stuck.get("sg", "") == stuck
    again = await act(*planned(MOVING), memory)
    if not isinstance(outcome, fleet.Withdrawn):  # That is news each time.
        assert (first.changed, again.changed) == (bool(stuck), False)


async def test_withdrawing_goes_on_with_the_hub_down() -> None:
    log: list[str] = []
    plan, seen, now = planned(MOVING)
    with pytest.raises(kube.Unreachable):
        await carry_out(log, failure=DOWN)(plan, seen, now, Memory())
    assert log == ["withdraw sg"]


async def test_withdrawing_goes_on_where_the_finalizer_cannot_be_added() -> None:
    log: list[str] = []
    plan, seen, now = planned(MOVING)
    plan = replace(plan, acts=(decision.AddFinalizer(), *plan.acts))
    with pytest.raises(kube.Unreachable):
        await carry_out(log, failure=DOWN)(plan, seen, now, Memory())
    assert log == ["withdraw sg"]


async def test_who_does_not_lead_does_nothing() -> None:
    log: list[str] = []
    done = await carry_out(log, leads=(False,))(*planned(PLACING), Memory())
    assert (log, done.failed) == ([], True)


async def test_who_lost_the_lease_while_the_hub_took_its_time_touches_no_member() -> None:
    log: list[str] = []
    done = await carry_out(log, leads=(True, False, False, False))(*planned(MOVING), Memory())
    assert not [entry for entry in log if entry.startswith(("place", "withdraw"))]
    assert done.failed
