"""The words of a status: what a person reads who wants to know where the model is, why there, and why not elsewhere."""

from dataclasses import replace

import pytest

import builders as a
from decision import world as w
from domicile import placement


def many(count: int, **changed: object) -> w.World:
    """So many clusters, all in the Philippines."""
    names = [f"ph{number:02}" for number in range(count)]
    return w.world(*names, **changed)


def test_serving_says_where_and_why_not_elsewhere() -> None:
    state = w.running("sg", "ph")
    assert state.message() == "serving on sg"
    assert state.message("Placed") == "on sg; not ph: worker nodes are in PH, sg-customer-data allows SG"
    assert state.message("PolicyCompliant") == "1 of 2 clusters lawful under sg-customer-data"
    assert [(e.cluster, e.reason) for e in state.status.exclusions] == [("ph", "WorkersOutsideJurisdiction")]
    assert state.status.clusters is not None
    assert state.status.clusters.model_dump() == {"considered": 2, "lawful": 1, "able": 1}
    assert state.status.placed_on == "sg"


def test_order_and_generation_of_conditions() -> None:
    conditions = w.running().status.conditions
    assert [c.type for c in conditions] == ["Ready", "PolicyCompliant", "Placed", "Available"]
    assert {c.observed_generation for c in conditions} == {1}


def test_of_many_exclusions_three_are_in_the_message_and_twenty_on_the_object() -> None:
    state = w.settled(many(25))
    assert state.message().startswith("none of 25 clusters is lawful under sg-customer-data; not ph00: ")
    assert state.message().endswith("; and 22 more")
    assert len(state.status.exclusions) == 20


def test_one_cluster_is_no_clusters() -> None:
    assert w.settled(many(1)).message().startswith("none of 1 cluster is lawful")


def test_without_a_cluster_nothing_is_lawful() -> None:
    assert w.settled(w.world(views={})).message() == "none of 0 clusters is lawful under sg-customer-data"


def test_without_a_policy_the_data_class_is_named() -> None:
    state = w.settled(w.world(policies=()))
    assert state.condition() == ("False", "NoMatchingPolicy")
    assert state.message() == "no ResidencyPolicy covers data class customer.pii in this namespace"
    assert state.condition("Placed") == ("False", "NoMatchingPolicy")


def test_lawful_and_not_able_says_what_is_lacking() -> None:
    state = w.settled(w.world("sg", model=w.model(accelerators={"count": 2})))
    assert state.condition() == ("False", "NoAbleCluster")
    assert "needs 2 accelerators on one node; no ready node has any" in state.message()


def test_an_unlawful_copy_that_cannot_be_reached_is_said_to_be_so() -> None:
    hidden = w.hidden(replace(w.running(), policies=(a.policy(everywhere=("PH",)),)), "sg")
    state = w.settled(hidden)
    assert state.condition() == ("False", "UnlawfulPlacement")
    assert state.message().startswith("being withdrawn from sg once it is in sight: worker nodes are in SG")
    assert state.status.placed_on == "ph, sg (leaving)"


def test_each_unlawful_copy_is_named() -> None:
    policies = (a.policy(everywhere=("SG", "PH")),)
    both = w.settled(w.world(model=w.model(placement={"clusterCount": 2}), policies=policies))
    leaving = w.step(replace(both, policies=(a.policy(everywhere=("DE",)),)))
    assert "being withdrawn from ph: " in leaving.message()
    assert "being withdrawn from sg: " in leaving.message()


STATES = {
    "a failing one first": (("Serving", "Starting", "Failing"), ("False", "Forbidden")),
    "then one that starts": (("Serving", "Starting", "OutOfSight"), ("False", "Progressing")),
    "then one out of sight": (("Serving", "Serving", "OutOfSight"), ("Unknown", "ClusterOutOfSight")),
    "all serve": (("Serving", "Serving", "Serving"), ("True", "Serving")),
}


@pytest.mark.parametrize(("wanted", "available"), STATES.values(), ids=STATES.keys())
def test_of_several_clusters_the_worst_is_told(wanted: tuple[str, ...], available: tuple[str, str]) -> None:
    names = ("de", "ph", "sg")
    policies = (a.policy(everywhere=("SG", "PH", "DE")),)
    state = w.settled(w.world(*names, model=w.model(placement={"clusterCount": 3}), policies=policies))
    state = w.serving_on(state, *(name for name, how in zip(names, wanted, strict=True) if how == "Serving"))
    for name, how in zip(names, wanted, strict=True):
        if how == "Failing":
            there = {uid: copy for uid, copy in state.there.items() if uid != a.uid(name)}
            state = replace(state, there=there, refusals={name: w.Refusal("Forbidden", "no quota")})
        if how == "OutOfSight":
            state = w.hidden(state, name)
    state = w.step(state, at_most=1)
    assert tuple(state.states[name] for name in names) == wanted
    assert state.condition("Available") == available


def test_long_names_of_many_clusters_fit() -> None:
    rows = tuple(w.row(f"c{number:02}{'x' * 250}", at=str(number)) for number in range(20))
    state = w.settled(w.recorded(w.world("sg"), *rows))
    assert len(state.status.placed_on) == 4096
    assert state.status.placed_on.endswith("...")
    assert len(state.status.placements) == 21


def test_a_held_cluster_says_for_whom_the_model_stays() -> None:
    state = w.settled(w.hidden(w.running(), "sg"))
    assert state.message() == "sg is out of sight (Unreachable): see RegionalCluster sg; what runs there goes on"
    slow = replace(state.views["sg"], connection=placement.OutOfSight("Connecting", "x", a.LONG_AGO))
    assert w.settled(replace(state, views={**state.views, "sg": slow})).message() == state.message()
