"""On which nodes a model's pods are: what is recorded of it, and when."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import builders as a
from audit.test_ledger import RELEASE, SUBJECT, UID, WITHDRAW, begun, only, told
from decision import world as w
from domicile import audit
from domicile.audit import Bag, Ended, Ledger, Values, running
from domicile.audit.running import Nodes
from domicile.decision import ReleaseFinalizer, Snapshot, Withdraw
from domicile.evidence.records import Content
from domicile.serving import SeenPod, workload

WORKLOAD = workload(a.model(), {}).digest
SG, PH = ["sg", a.uid("sg")], ["ph", a.uid("ph")]


def pod(node: str = "gpu-0", **changed: Any) -> SeenPod:
    return a.seen_pod(workload(a.model(), {}), node=node, **changed)


def seeing(*pods: SeenPod) -> Snapshot:
    """These pods are on sg, and none on ph."""
    seen = w.snapshot(w.running())
    return replace(seen, seen={**seen.seen, "sg": replace(seen.seen["sg"], pods=pods)})


def on(node: str, pods: int = 1, of: str = WORKLOAD) -> dict[str, Any]:
    return {"node": node, "workload": of, "pods": pods}


def changes(known: Nodes, seen: Snapshot) -> list[tuple[list[str], Any]]:
    return [(body["cluster"], body["nodes"]) for body in running.changed(known, seen)]


PODS: Mapping[str, tuple[tuple[SeenPod, ...], list[dict[str, Any]]]] = {
    "one": ((pod(),), [on("gpu-0")]),
    "one that is not ready": ((pod(ready=False),), [on("gpu-0")]),
    "several, by node": ((pod("gpu-1"), pod("gpu-0"), pod("gpu-1")), [on("gpu-0"), on("gpu-1", 2)]),
    "two workloads on a node": ((pod(), pod(workload="before")), [on("gpu-0", of="before"), on("gpu-0")]),
    "one of nobody knows what": ((pod(workload=""),), [on("gpu-0", of="")]),
    "one without a node": ((pod(), pod(""), pod("gpu-2")), [on("gpu-0"), on("gpu-2")]),
    "one on its way out": ((pod(), pod("gpu-1", deleting=True)), [on("gpu-0")]),
    "one that has ended": ((pod("gpu-1", finished=True), pod()), [on("gpu-0")]),
}


@pytest.mark.parametrize(("pods", "nodes"), PODS.values(), ids=PODS)
def test_the_nodes_are_those_of_the_pods_that_count(pods: tuple[SeenPod, ...], nodes: list[dict[str, Any]]) -> None:
    assert changes({}, seeing(*pods)) == [(SG, nodes)]


def test_what_is_recorded_already_is_not_recorded_again() -> None:
    assert changes({a.uid("sg"): [on("gpu-0")]}, seeing(pod())) == []


def test_that_a_pod_came_or_changed_its_node_or_its_workload_is_recorded() -> None:
    known = {a.uid("sg"): [on("gpu-0")]}
    for pods in ((pod(), pod()), (pod("gpu-1"),), (pod(workload="next"),)):
        assert [cluster for cluster, _ in changes(known, seeing(*pods))] == [SG]


def test_that_there_is_none_any_more_is_recorded() -> None:
    assert changes({a.uid("sg"): [on("gpu-0")]}, seeing()) == [(SG, [])]


def test_where_there_never_was_one_nothing_is_recorded() -> None:
    assert changes({}, seeing()) == []


def test_each_member_is_told_by_itself() -> None:
    assert changes({a.uid("ph"): [on("gpu-7")]}, seeing(pod())) == [(PH, []), (SG, [on("gpu-0")])]


def test_of_a_member_out_of_sight_nothing_has_changed() -> None:
    hidden = w.snapshot(w.hidden(w.running(), "sg"))
    assert changes({a.uid("sg"): [on("gpu-9")]}, hidden) == []


def test_another_cluster_under_the_same_name_has_nodes_of_its_own() -> None:
    rebuilt = w.snapshot(w.registered(w.running(), "sg", at="rebuilt"))
    assert changes({a.uid("sg"): [on("gpu-0")]}, rebuilt) == []


def record(cluster: list[str], *nodes: dict[str, Any]) -> Content:
    return running.ran(SUBJECT, {"uid": UID, "cluster": cluster, "nodes": list(nodes)})


def test_a_record_is_about_the_model_and_has_its_nodes_and_no_more_of_the_pods() -> None:
    seen = seeing(pod())
    (body,) = running.changed({}, seen)
    found = running.ran(audit.subject_of(seen.ref), body)
    assert (found.kind, found.subject, found.digest) == (audit.RUNNING, SUBJECT, audit.digest_of(body))
    assert found.body == {"uid": seen.ref.uid, "cluster": SG, "nodes": [on("gpu-0")]}


def test_what_was_recorded_last_of_each_member_is_known() -> None:
    ledger = told(Ledger(), record(SG, on("gpu-0")), record(PH, on("gpu-5")), record(SG, on("gpu-1", 2)))
    assert ledger.running == {UID: {a.uid("sg"): [on("gpu-1", 2)], a.uid("ph"): [on("gpu-5")]}}


def test_a_member_without_any_is_forgotten_and_a_model_without_any_too() -> None:
    ledger = told(Ledger(), record(SG, on("gpu-0")), record(PH, on("gpu-5")), record(SG))
    assert ledger.running == {UID: {a.uid("ph"): [on("gpu-5")]}}
    assert told(ledger, record(PH), record(PH)) == Ledger()


def test_what_a_later_version_says_of_a_node_is_passed_over() -> None:
    assert told(Ledger(), record(SG, {**on("gpu-0"), "zone": "a"})).running == {UID: {a.uid("sg"): [on("gpu-0")]}}


LET_GO: Mapping[str, tuple[Ended, bool]] = {
    "it was": ("Done", True),
    "a later process found that it was": ("FoundDone", True),
    "a later process found that it was not": ("FoundUndone", False),
    "it is not wanted any more": ("Overtaken", False),
}


@pytest.mark.parametrize(("how", "forgotten"), LET_GO.values(), ids=LET_GO)
def test_of_a_model_that_was_let_go_nothing_is_kept(how: Ended, forgotten: bool) -> None:
    """Also of a member that is registered no more."""
    ledger = told(begun(Ledger(), RELEASE), record(SG, on("gpu-0")))
    told(ledger, audit.ended(UID, only(ledger, ("Release",)), how))
    assert (ledger.running == {}) is forgotten


def test_of_a_model_that_was_let_go_while_nothing_could_be_recorded_nothing_is_kept() -> None:
    ledger = told(Ledger(), record(SG, on("gpu-0")))
    told(ledger, audit.late(UID, SUBJECT, Withdraw(a.member("ph")), a.NOW))
    assert ledger.running.keys() == {UID}
    assert told(ledger, audit.late(UID, SUBJECT, ReleaseFinalizer(), a.NOW)) == Ledger()


def test_other_acts_that_end_say_nothing_of_nodes() -> None:
    ledger = told(begun(Ledger(), WITHDRAW), record(SG, on("gpu-0")))
    told(ledger, audit.ended(UID, only(ledger, ("Withdraw", a.uid("ph"))), "Done"))
    assert ledger.running.keys() == {UID}


def test_where_details_of_a_member_are_kept_its_nodes_are_too() -> None:
    (body,) = running.changed({}, seeing(pod()))
    bag = Bag(homes={a.uid("sg"): "SG"})
    apart = running.apart(body, bag)
    assert "gpu-0" not in str(apart)
    ((digest, value),) = bag.apart["SG"].items()
    assert (apart["nodes"], value) == (digest, {"nodes": [on("gpu-0")]})
    assert running.nodes_of(apart, Values({digest: value})) == [on("gpu-0")]
    assert running.nodes_of(apart, Values({})) == []
    known = running.nodes_after({}, apart)
    assert (known, changes(known, seeing(pod()))) == ({a.uid("sg"): digest}, [])
    assert changes(known, seeing(pod("gpu-1"))) == [(SG, [on("gpu-1")])]


def test_nodes_that_have_no_form_as_a_record_are_none_that_were_recorded() -> None:
    assert [nodes for _, nodes in changes({a.uid("sg"): a.DIGEST}, seeing(pod("\ud800")))] == [[on("\ud800")]]


def test_of_a_member_without_such_a_place_and_of_no_nodes_all_is_in_the_record() -> None:
    (body,) = running.changed({}, seeing(pod()))
    assert running.apart(body, Bag()) == body
    none = {**body, "nodes": []}
    assert running.apart(none, Bag(homes={a.uid("sg"): "SG"})) == none
