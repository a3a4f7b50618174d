"""On which nodes a model is, as the controller records it: where that has changed, and never in the way of anything."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

import builders as a
from controller.evidence_cases import (
    FULL,
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
    down,
    opened,
    taken_over,
    up,
)
from controller.recording import Recorder
from controller.test_carry_out import carry_out, planned
from controller.test_evidence_opening import head
from controller.test_whole_pass import placed_shell
from decision import world as w
from domicile.controller.memory import Memory
from domicile.decision import ReleaseFinalizer, Snapshot

ELSEWHERE = w.on(SERVING, "sg", pod={"node": "gpu-1"})


def told(recorder: Recorder) -> list[tuple[str, Sequence[str]]]:
    """Cluster and nodes of each record."""
    found = (each.body for each in recorder.trail.running)
    return [(body["cluster"][0], [each["node"] for each in body["nodes"]]) for body in found]


async def looked(recorder: Recorder, state: w.World) -> int:
    """How many times something was appended."""
    before = recorder.storage.appended
    await decided(recorder, state)
    return recorder.storage.appended - before


async def test_the_nodes_of_a_model_of_which_there_is_nothing_else_to_say_are_recorded_once() -> None:
    recorder = await opened()
    assert [await looked(recorder, SERVING) for _ in range(3)] == [1, 0, 0]
    assert (told(recorder), recorder.story) == ([("sg", ["gpu-0"])], [])


async def test_a_pod_that_goes_to_another_node_is_recorded() -> None:
    recorder = await opened()
    for state in (SERVING, ELSEWHERE, ELSEWHERE, SERVING):
        await decided(recorder, state)
    assert told(recorder) == [("sg", ["gpu-0"]), ("sg", ["gpu-1"]), ("sg", ["gpu-0"])]


async def test_they_are_written_together_with_a_decision_and_before_it() -> None:
    recorder = await opened()
    assert await looked(recorder, SERVES) == 1
    (running,), (decision,) = recorder.trail.running, recorder.decisions
    assert (running.subject, running.sequence) == (decision.subject, decision.sequence - 1)


async def test_of_a_model_without_pods_nothing_is_recorded() -> None:
    recorder = await opened()
    for state in (PLACING, STARTING):
        await decided(recorder, state)
    assert told(recorder) == []


async def test_that_there_are_none_any_more_is_recorded_and_nothing_kept_of_it() -> None:
    recorder = await opened()
    await decided(recorder, SERVING)
    await decided(recorder, GONE)
    assert told(recorder) == [("sg", ["gpu-0"]), ("sg", [])]
    assert recorder.evidence._ledger.running == {}


async def test_of_a_member_out_of_sight_nothing_is_recorded() -> None:
    recorder = await opened()
    await decided(recorder, SERVING)
    await decided(recorder, w.hidden(ELSEWHERE, "sg"))
    assert told(recorder) == [("sg", ["gpu-0"])]


async def test_the_next_process_knows_what_is_recorded() -> None:
    recorder = await opened()
    await decided(recorder, SERVING)
    await taken_over(recorder)
    assert await looked(recorder, SERVING) == 0


async def test_while_nothing_can_be_recorded_none_are_and_later_they_are() -> None:
    recorder = await down()
    assert await looked(recorder, SERVING) == 0
    await up(recorder)
    assert [await looked(recorder, SERVING) for _ in range(2)] == [1, 0]
    assert told(recorder) == [("sg", ["gpu-0"])]


async def test_none_are_recorded_before_it_was_found_that_they_can_be() -> None:
    recorder = await down()
    recorder.storage.failing = ""
    assert await looked(recorder, SERVING) == 0


async def test_none_are_recorded_in_a_log_that_a_member_knows_otherwise() -> None:
    recorder = await opened()
    recorder.evidence.kept("sg", head(100))
    assert await looked(recorder, SERVING) == 0


async def test_where_they_cannot_be_recorded_nothing_waits_for_it() -> None:
    recorder = await opened()
    first = await decided(recorder, SERVES)
    recorder.storage.failing = FULL
    assert await decided(recorder, w.step(ELSEWHERE)) is first
    assert FULL in recorder.evidence.down


async def test_what_has_to_go_goes_where_they_cannot_be_recorded() -> None:
    log, recorder = list[str](), Recorder()
    carry = carry_out(log, recorder=recorder)
    recorder.storage.failing = FULL
    await carry(*planned(UNLAWFUL), Memory())
    assert (log, told(recorder)) == (["withdraw sg"], [])


def named(node: str) -> Snapshot:
    """sg calls the node of the model so; ph has a pod of it too."""
    seen = w.snapshot(SERVING)
    (pod,) = seen.seen["sg"].pods
    there = {name: replace(seen.seen["sg"], pods=(replace(pod, node=on),)) for name, on in (("ph", "gpu-7"), ("sg", node))}  # fmt: skip
    return replace(seen, seen=there)


ODD = {"no text": "\ud800", "more than can be recorded": "x" * (600 << 10)}


@pytest.mark.parametrize("node", ODD.values(), ids=ODD)
async def test_nodes_that_have_no_form_as_a_record_are_left_out_and_told_to_people(
    node: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = await opened()
    plan, _, now = planned(SERVING)
    await recorder.evidence.decided(plan, named(node), now)
    assert (told(recorder), recorder.evidence.down) == ([("ph", ["gpu-7"])], "")
    assert f"the nodes of SovereignModel/{a.model_ref()} on sg have no form as a record" in caplog.text


async def test_of_a_model_that_was_let_go_nothing_is_kept() -> None:
    """Also of a cluster that was not in sight any more."""
    recorder = await opened()
    await decided(recorder, SERVING)
    record = await decided(recorder, w.unregistered(GONE, "sg"))
    assert recorder.evidence._ledger.running.keys() == {UID}
    await recorder.evidence.done(record, ReleaseFinalizer())
    assert recorder.evidence._ledger.running == {}


async def test_of_a_model_that_was_let_go_while_nothing_could_be_recorded_nothing_is_kept() -> None:
    recorder = await opened()
    await decided(recorder, SERVING)
    recorder.storage.failing = FULL
    await recorder.evidence.done(UNRECORDED, act(GONE, ReleaseFinalizer))
    assert await up(recorder) == ["late Done"]
    assert recorder.evidence._ledger.running == {}


def test_a_model_that_serves_and_does_not_move_writes_nothing_to_the_log() -> None:
    shell = placed_shell()
    assert told(shell.recorder) == [("sg", ["gpu-0"])]
    before = shell.recorder.storage.appended
    assert shell.reconcile(times=5).recorder.storage.appended == before


def test_a_model_that_moves_and_is_deleted_is_recorded_on_its_way() -> None:
    shell = placed_shell()
    shell.govern("PH")
    shell.reconcile()
    shell.fleet.serves.add("ph")
    shell.reconcile()
    shell.delete()
    assert shell.reconcile(times=3).gone
    found = told(shell.recorder)
    for cluster in ("sg", "ph"):
        assert [nodes for name, nodes in found if name == cluster] == [["gpu-0"], []]
    assert shell.recorder.evidence._ledger.running == {}
