"""A model stays where it serves: of several clusters that it was given to, rendezvous does not decide between what serves and
what does not. Each history is told of several models, as each has an order of clusters of its own."""

from dataclasses import replace

import pytest

import builders as a
from decision import world as w

NAMES = ("m1", "m2", "m3", "m4", "m5", "m6")
NODE = a.node()


def views(*with_accelerators: str):
    return {name: a.view(name, *((NODE,) if name in with_accelerators else ())) for name in ("sg", "sg2")}


@pytest.mark.parametrize("name", NAMES)
def test_a_node_that_is_lost_for_a_moment_moves_nothing_for_good(name: str) -> None:
    model = w.model(name=name, accelerators={"count": 1})
    state = w.running("sg", "sg2", model=model, views=views("sg"))
    lost = w.settled(replace(w.forgotten(state), views=views("sg2")))
    assert lost.states == {"sg": "Serving", "sg2": "Starting"}
    back = w.settled(replace(w.forgotten(lost), views=views("sg", "sg2")))
    assert back.states == {"sg": "Serving"}
    assert back.condition() == ("True", "Serving")
    assert back.done == ("status", "withdraw sg2", "status")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("serves", ["sg", "sg2"])
def test_of_two_clusters_the_one_that_serves_is_kept(name: str, serves: str) -> None:
    both = w.settled(w.world("sg", "sg2", model=w.model(name=name, placement={"clusterCount": 2})))
    both = w.settled(w.serving_on(both, serves))
    one = w.settled(w.with_model(both, name=name, placement={"clusterCount": 1}))
    assert one.states == {serves: "Serving"}
    assert one.condition() == ("True", "Serving")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("serves", ["sg", "sg2"])
def test_the_one_that_served_is_kept_where_the_workload_changes_in_the_same_edit(name: str, serves: str) -> None:
    both = w.settled(w.world("sg", "sg2", model=w.model(name=name, placement={"clusterCount": 2})))
    both = w.settled(w.serving_on(both, serves))
    edited = w.with_model(both, name=name, placement={"clusterCount": 1}, runtime={"image": a.IMAGE, "args": ["new"]})
    assert w.acts(edited) == [f"Place {serves}"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("serves", ["sg", "sg2"])
def test_of_two_that_do_not_serve_the_first_that_comes_to_serve_is_kept(name: str, serves: str) -> None:
    both = w.settled(w.world("sg", "sg2", model=w.model(name=name, placement={"clusterCount": 2})))
    one = w.settled(w.with_model(both, name=name, placement={"clusterCount": 1}))
    assert one.states == {"sg": "Starting", "sg2": "Starting"}
    served = w.settled(w.serving_on(one, serves))
    assert served.states == {serves: "Serving"}
    assert set(served.there) == {a.uid(serves)}


@pytest.mark.parametrize("name", NAMES)
def test_what_did_serve_before_it_went_out_of_sight_is_not_thought_to_serve(name: str) -> None:
    both = w.settled(w.world("sg", "sg2", model=w.model(name=name, placement={"clusterCount": 2})))
    both = w.settled(w.hidden(w.settled(w.serving_on(both, "sg", "sg2")), "sg"))
    assert both.states == {"sg": "OutOfSight", "sg2": "Serving"}
    one = w.settled(w.with_model(both, name=name, placement={"clusterCount": 1}))
    assert one.states == {"sg": "Leaving", "sg2": "Serving"}
    assert one.condition() == ("True", "Serving")
