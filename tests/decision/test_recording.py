"""While decisions cannot be recorded nothing is placed and nothing is changed, what has to go goes, and what runs stays."""

from dataclasses import replace

import pytest

import builders as a
from decision import world as w

WHY = "the disk is full"
SAYS = f"nothing is placed while decisions cannot be recorded: {WHY}"


def down(state: w.World) -> w.World:
    return replace(w.forgotten(state), unrecordable=WHY)


def up(state: w.World) -> w.World:
    return replace(w.forgotten(state), unrecordable="")


def placed_on(*names: str, state: w.World) -> w.World:
    return replace(state, policies=(a.policy(everywhere=names),))


STARTING = w.settled(w.world())
SERVING = w.running()


def test_a_new_model_is_placed_nowhere() -> None:
    assert w.acts(down(w.world())) == []


def test_a_new_model_is_told_why() -> None:
    told = w.settled(down(w.world()))
    assert told.condition("Placed") == told.condition("Ready") == ("False", "EvidenceStoreDown")
    assert told.message("Placed") == f"on 0 of 1 cluster: {SAYS}"


def test_every_cluster_that_could_have_it_is_told_as_such() -> None:
    told = w.settled(down(w.world("sg", "sg2", "ph")))
    assert {e.cluster: e.reason for e in told.status.exclusions} == {
        "sg": "EvidenceStoreDown",
        "sg2": "EvidenceStoreDown",
        "ph": "WorkersOutsideJurisdiction",
    }


def test_a_new_model_is_told_why_also_where_most_clusters_are_unlawful() -> None:
    told = w.settled(down(w.world("de1", "de2", "de3", "de4", "sg")))
    assert SAYS in told.message("Ready")


def test_a_new_model_is_placed_once_decisions_are_recorded_again() -> None:
    told = w.settled(down(w.world()))
    assert w.acts(up(told)) == ["Place sg"]


def test_where_the_law_forbids_all_of_them_that_is_what_is_told() -> None:
    told = w.settled(down(w.world(policies=(a.policy(everywhere=("FR",)),))))
    assert told.condition("Placed") == ("False", "NoLawfulCluster")


def test_a_cluster_that_could_not_take_it_anyway_is_told_as_such() -> None:
    state = w.world("sg", model=w.model(accelerators={"count": 1}))
    assert w.settled(down(state)).condition("Placed") == w.settled(state).condition("Placed")


LEFT_ALONE: dict[str, w.World] = {
    "that serves": SERVING,
    "that starts": STARTING,
    "that serves, and is out of sight": w.settled(w.hidden(SERVING, "sg")),
    "that nowhere else is lawful for": w.running("sg"),
    "that another cluster could have": w.running("sg", "sg2"),
}


@pytest.mark.parametrize("state", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_nothing_is_written_of_a_model(state: w.World) -> None:
    assert w.settled(down(state)).done == ()


def test_one_that_came_to_serve_meanwhile_is_told_to_serve() -> None:
    served = w.settled(w.serving_on(down(STARTING), "sg"))
    assert (served.states, served.done) == ({"sg": "Serving"}, ("status",))


def test_one_that_comes_to_fail_meanwhile_is_told_to_fail() -> None:
    pod = {"node": "gpu-0", "waiting": (("ErrImagePull", "no such image"),)}
    failed = w.settled(down(w.on(STARTING, "sg", pod=pod)))
    assert failed.states == {"sg": "Failing"}
    assert "an image cannot be pulled" in failed.message()


def test_one_that_was_decided_and_of_which_nothing_is_there_does_not_start() -> None:
    """Nothing is written, and so nothing will come of it."""
    decided = w.step(w.world(), at_most=1)
    told = w.settled(down(decided))
    assert told.states == {"sg": "Failing"}
    assert SAYS in told.message()


def test_one_that_cannot_be_placed_for_another_reason_does_not_start() -> None:
    """Though it is there: what was written before may come to serve, but only where nothing else is in its way."""
    state = w.settled(w.world("sg", model=w.model(accelerators={"count": 1}), views={"sg": a.view("sg", a.node())}))
    lost = w.settled(replace(w.forgotten(state), views={"sg": a.view("sg")}))
    assert lost.states == {"sg": "Failing"}


def test_what_drifted_is_not_put_right() -> None:
    drifted = w.on(SERVING, "sg", selector={"zone": "b"}, serves=True)
    assert (w.acts(drifted), w.acts(down(drifted))) == (["Place sg"], [])


def test_what_drifted_is_put_right_once_decisions_are_recorded_again() -> None:
    drifted = w.settled(down(w.on(SERVING, "sg", selector={"zone": "b"}, serves=True)))
    assert w.acts(up(drifted)) == ["Place sg"]


def test_another_spec_waits() -> None:
    edited = w.with_model(SERVING, runtime={"image": a.IMAGE, "args": ["new"]})
    assert (w.acts(edited), w.acts(down(edited))) == (["Place sg"], [])


def test_a_move_does_not_begin() -> None:
    """From where it waits for accelerators to where some are free: what is there would be lost, and nothing come instead."""
    model = w.model(accelerators={"count": 1})
    views = {name: a.view(name, a.node()) for name in ("sg", "sg2")}
    state = w.settled(w.world("sg", "sg2", model=model, views=views))
    (there,) = state.states
    starved = w.on(
        state, there, pod={"node": "", "unschedulable": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}
    )
    assert w.acts(starved) != []
    assert w.acts(down(starved)) == []


def test_a_further_copy_is_not_begun_and_the_first_one_stays() -> None:
    more = w.with_model(w.running("sg", "sg2"), placement={"clusterCount": 2})
    told = w.settled(down(more))
    assert told.states == {"sg": "Serving"}
    assert told.condition("Placed") == ("False", "EvidenceStoreDown")


def test_what_is_unlawful_is_withdrawn_all_the_same() -> None:
    assert w.acts(down(placed_on("PH", state=SERVING))) == ["Withdraw sg"]


def test_what_is_unlawful_goes_and_nothing_comes_instead() -> None:
    moved = w.settled(down(placed_on("PH", state=SERVING)))
    assert (moved.states, moved.there) == ({}, {})
    assert moved.condition("Placed") == ("False", "EvidenceStoreDown")


def test_what_went_is_placed_elsewhere_once_decisions_are_recorded_again() -> None:
    moved = w.settled(down(placed_on("PH", state=SERVING)))
    assert w.acts(up(moved)) == ["Place ph"]


def test_a_deleted_model_goes() -> None:
    assert w.settled(down(w.deleted(SERVING))).model is None
