"""What an auditor asks of a model's history: its versions, where and on which nodes they were, and what replaced them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import builders as a
from audit.chronicle import Chronicle, at, minutes
from decision import world as w
from decision.world import World
from domicile.audit import Trail, running
from domicile.audit.lineage import Version, lineage

PH_ONLY = (a.policy(everywhere=("PH",)),)
ASKED = {"annotations": {"domicile.dev/requested-by": "ana"}}
NEXT = {"runtime": {"image": a.IMAGE, "args": ["next"]}}
LAST = {"runtime": {"image": a.IMAGE, "args": ["last"]}}


def placed(log: Chronicle, **changed: Any) -> World:
    """The model serves on sg since minute 1."""
    state = log.passed(w.world(model=w.model(metadata=ASKED), **changed))
    return log.passed(at(w.serving_on(state, "sg"), 1), times=2)


def edited(log: Chronicle, state: World, count: float, **spec: Any) -> World:
    """Another version serves there a minute later."""
    state = log.passed(at(w.with_model(state, **spec), count), times=2)
    return log.passed(at(w.serving_on(state, "sg"), count + 1), times=2)


def ran(log: Chronicle, count: float, *nodes: str, of: str, on: str = "sg") -> None:
    """The pods of a workload are on these nodes then."""
    body = {
        "uid": a.model_ref().uid,
        "cluster": [on, a.uid(on)],
        "nodes": [{"node": node, "workload": of, "pods": 1} for node in nodes],
    }
    log.add(running.ran(f"SovereignModel/{a.model_ref()}", body), minutes(count))


def versions(log: Chronicle) -> list[tuple[str, tuple[int, ...], float, float | None, float | None]]:
    """Cluster, generations, and the minutes at which each was decided, written and ended."""
    return [
        (each.cluster, each.revision.generations, _minute(each.since), _minute(each.written), _minute(each.until))
        for each in lineage(log.trail)
    ]


def nodes(version: Version) -> list[tuple[str, float, float | None]]:
    return [(each.node, _minute(each.since), _minute(each.until)) for each in version.nodes]


def workloads(log: Chronicle) -> Sequence[str]:
    """Of the acts, each once."""
    found = (act for each in log.decisions for act in each.body["acts"] if act["act"] == "Place")
    return list(dict.fromkeys(act["workload"] for act in found))


def without(trail: Trail, *dropped: int) -> Trail:
    """The log without these of its decisions."""
    left = {each.digest: each for number, each in enumerate(trail.decisions.values()) if number not in dropped}
    return replace(trail, decisions=left)


def _minute(moment: Any) -> Any:
    return None if moment is None else (moment - a.NOW).total_seconds() / 60


def test_a_version_says_what_it_is_who_asked_for_it_and_by_which_permit() -> None:
    log = Chronicle()
    placed(log)
    (version,) = lineage(log.trail)
    assert (version.model, version.uid) == (str(a.model_ref()), a.model_ref().uid)
    assert (version.cluster, version.cluster_uid) == ("sg", a.uid("sg"))
    assert version.revision.workload == log.decisions[0].body["acts"][0]["workload"]
    assert (version.revision.generations, version.asked_by) == ((1,), ("ana",))
    assert [each.permit for each in version.permits] == [log.decisions[0].body["acts"][0]["permit"]]
    assert set(version.artifacts) == {a.ARTIFACT, a.IMAGE}
    assert (version.since, version.written, version.until, version.replaced_by) == (a.NOW, a.NOW, None, None)
    assert nodes(version) == [("gpu-0", 1, None)]


def test_a_version_that_replaces_another_ends_it_when_it_was_written() -> None:
    log = Chronicle()
    edited(log, placed(log), 5, **NEXT)
    assert versions(log) == [("sg", (1,), 0, 0, 5), ("sg", (2,), 5, 5, None)]
    first, second = lineage(log.trail)
    assert first.replaced_by == second.revision
    assert (nodes(first), nodes(second)) == ([("gpu-0", 1, 5)], [("gpu-0", 6, None)])


def test_a_version_whose_pods_are_there_still_is_told_with_them() -> None:
    """The next one was written, and is not rolled out yet."""
    log = Chronicle()
    state = placed(log)
    log.passed(at(w.with_model(state, **NEXT), 5))
    first, second = workloads(log)
    ran(log, 6, "gpu-0", of=first)
    ran(log, 7, "gpu-1", of=first)
    ran(log, 8, "gpu-0", of=second)
    assert [nodes(each) for each in lineage(log.trail)] == [
        [("gpu-0", 1, 7), ("gpu-1", 7, 8)],
        [("gpu-0", 8, None)],
    ]


def test_a_version_that_was_not_written_replaces_none() -> None:
    log = Chronicle()
    state = placed(log)
    log.failed(log.decided(at(w.with_model(state, **NEXT), 5)), "Place", "Forbidden", "no quota")
    assert versions(log) == [("sg", (1,), 0, 0, None), ("sg", (2,), 5, None, None)]
    assert [each.replaced_by for each in lineage(log.trail)] == [None, None]


def test_what_was_never_written_is_passed_over_by_what_came_after_it() -> None:
    log = Chronicle()
    state = log.decided(at(w.with_model(placed(log), **NEXT), 5))
    edited(log, state, 7, **LAST)
    assert versions(log) == [("sg", (1,), 0, 0, 7), ("sg", (2,), 5, None, 7), ("sg", (3,), 7, 7, None)]
    first, second, third = lineage(log.trail)
    assert first.replaced_by == second.replaced_by == third.revision


def test_generations_with_the_same_workload_are_one_version() -> None:
    """What the model may hold has changed, and what runs has not."""
    log = Chronicle()
    state = placed(log)
    log.passed(at(w.with_model(state, placement={"clusterCount": 2}), 5), times=2)
    assert log.decisions[-1].body["acts"] == []
    assert versions(log) == [("sg", (1, 2), 0, 0, None)]
    (version,) = lineage(log.trail)
    assert [_minute(each.decision.time) for each in version.permits] == [0, 5]
    assert len({each.permit for each in version.permits}) == 2
    assert set(version.artifacts) == {a.ARTIFACT, a.IMAGE}
    assert nodes(version) == [("gpu-0", 1, None)]


def test_a_permit_that_stands_is_told_once() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(w.hidden(state, "sg"), 5))
    log.decided(at(state, 6))
    (version,) = lineage(log.trail)
    assert [_minute(each.decision.time) for each in version.permits] == [0]


def test_what_is_held_as_it_is_was_not_asked_for_anew() -> None:
    log = Chronicle()
    held = replace(w.with_model(placed(log), **NEXT), unreadable=("ResidencyPolicy/next",))
    log.decided(at(held, 5))
    assert log.decisions[-1].body["acts"] == []
    assert versions(log) == [("sg", (1,), 0, 0, None)]


def test_what_stays_under_a_permit_though_nothing_says_that_it_was_written_is_told_too() -> None:
    """The record of that is missing."""
    log = Chronicle()
    state = placed(log)
    log.passed(at(w.with_model(state, placement={"clusterCount": 2}), 5))
    (version,) = lineage(replace(log.trail, outcomes={}))
    assert (version.revision.generations, version.written, version.until) == ((1, 2), None, None)


def test_another_permit_for_the_same_workload_is_written_into_the_same_version() -> None:
    """What it rests on ends at another time."""
    log = Chronicle()
    attestations = (w.attested("sg", until=minutes(600)), w.attested("ph"))
    log.passed(at(replace(placed(log), attestations=attestations), 5), times=2)
    assert versions(log) == [("sg", (1,), 0, 0, None)]
    (version,) = lineage(log.trail)
    assert [_minute(each.decision.time) for each in version.permits] == [0, 5]
    assert len(version.placings) == 2


def test_a_version_that_comes_back_is_told_twice() -> None:
    log = Chronicle()
    state = edited(log, placed(log), 5, **NEXT)
    edited(log, state, 10)
    assert versions(log) == [("sg", (1,), 0, 0, 5), ("sg", (2,), 5, 5, 10), ("sg", (3,), 10, 10, None)]
    first, second, third = lineage(log.trail)
    assert (first.replaced_by, second.replaced_by) == (second.revision, third.revision)
    assert [nodes(each) for each in (first, second, third)] == [
        [("gpu-0", 1, 5)],
        [("gpu-0", 6, 10)],
        [("gpu-0", 11, None)],
    ]


def test_pods_that_a_version_finds_when_it_comes_back_are_its_own_too() -> None:
    """The one between was written, and never rolled out."""
    log = Chronicle()
    state = log.passed(at(w.with_model(placed(log), **NEXT), 5))
    first, _ = workloads(log)
    there = replace(state.there[a.uid("sg")], pod={"node": "gpu-0", "workload": first})
    state = log.passed(at(replace(state, there={a.uid("sg"): there}), 6), times=2)
    log.decided(at(w.with_model(state), 7))
    assert [nodes(each) for each in lineage(log.trail)] == [[("gpu-0", 1, 7)], [], [("gpu-0", 7, None)]]
    edited(log, state, 7)
    assert versions(log) == [("sg", (1,), 0, 0, 5), ("sg", (2,), 5, 5, 7), ("sg", (3,), 7, 7, None)]
    assert [nodes(each) for each in lineage(log.trail)][:2] == [[("gpu-0", 1, 7)], []]
    ran(log, 9, "gpu-0", "gpu-1", of=first)
    assert nodes(lineage(log.trail)[2]) == [("gpu-0", 7, None), ("gpu-1", 9, None)]


def test_a_version_that_was_given_up_ends_then_and_the_one_before_it_stays() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(w.with_model(state, **NEXT), 5))
    back = w.with_model(w.with_model(state, **NEXT))
    log.passed(at(back, 7))
    assert versions(log) == [("sg", (1, 3), 0, 0, None), ("sg", (2,), 5, None, 7)]
    assert [each.replaced_by for each in lineage(log.trail)] == [None, None]


def test_a_version_that_was_found_unwritten_and_is_wanted_still_goes_on() -> None:
    log = Chronicle()
    state = log.decided(w.world())
    log.outcome(state, "Place", "FoundUndone", 4)
    assert versions(log) == [("sg", (1,), 0, None, 4)]
    log.decided(at(state, 5))
    assert versions(log) == [("sg", (1,), 0, None, None)]
    log.outcome(state, "Place", "Done", 6)
    assert versions(log) == [("sg", (1,), 0, 6, None)]


def test_a_model_that_moves_has_its_version_on_each_cluster() -> None:
    log = Chronicle()
    state = log.passed(at(replace(placed(log), policies=PH_ONLY), 10))
    state = log.passed(at(state, 11))
    state = log.passed(at(state, 12), times=2)
    log.passed(at(w.serving_on(state, "ph"), 13), times=2)
    assert versions(log) == [("sg", (1,), 0, 0, 12), ("ph", (1,), 10, 10, None)]
    sg, ph = lineage(log.trail)
    assert (sg.revision, sg.replaced_by) == (ph.revision, None)
    assert (nodes(sg), nodes(ph)) == ([("gpu-0", 1, 11)], [("gpu-0", 13, None)])


def test_a_model_that_comes_back_to_a_cluster_is_there_on_other_nodes() -> None:
    log = Chronicle()
    state = placed(log)
    (workload,) = workloads(log)
    log.late(state, done=20, recorded=20)
    ran(log, 21, of=workload)
    log.decided(at(replace(w.world(model=w.model(metadata=ASKED)), now=minutes(30)), 30))
    ran(log, 31, "gpu-7", of=workload)
    assert [(_minute(each.until), nodes(each)) for each in lineage(log.trail)] == [
        (20, [("gpu-0", 1, 20)]),
        (None, [("gpu-7", 31, None)]),
    ]


def test_what_has_gone_has_gone_from_its_nodes_though_nobody_recorded_that() -> None:
    """Nothing could be recorded meanwhile."""
    log = Chronicle()
    log.late(placed(log), done=20, recorded=30)
    (version,) = lineage(log.trail)
    assert nodes(version) == [("gpu-0", 1, 20)]


def test_a_node_is_told_once_from_the_first_to_the_last_of_its_pods() -> None:
    log = Chronicle()
    placed(log)
    (workload,) = workloads(log)
    for count, on in ((2, ["gpu-1"]), (3, ["gpu-0"]), (4, []), (5, ["gpu-1", "gpu-0"]), (6, ["gpu-1"])):
        ran(log, count, *on, of=workload)
    (version,) = lineage(log.trail)
    assert nodes(version) == [("gpu-0", 1, 6), ("gpu-1", 2, None)]


def test_an_act_that_is_carried_over_is_one_version() -> None:
    log = Chronicle()
    state = log.decided(at(log.decided(w.world()), 1))
    log.outcome(state, "Place", "FoundDone", 2)
    assert versions(log) == [("sg", (1,), 0, 2, None)]


def test_pods_of_what_was_never_placed_are_a_version_that_nobody_asked_for() -> None:
    """A cluster was put back from a backup; or it ran before there was evidence."""
    log = Chronicle()
    state = log.passed(at(w.on(w.world(policies=PH_ONLY), "sg", serves=True), 2))
    log.passed(at(log.passed(at(state, 3)), 4), times=2)
    ph, sg = sorted(lineage(log.trail), key=lambda each: each.cluster)
    assert (sg.placings, sg.permits, sg.artifacts, sg.asked_by, sg.written) == ((), (), (), (), None)
    assert (_minute(sg.since), _minute(sg.until), nodes(sg)) == (2, 3, [("gpu-0", 2, 3)])
    assert (sg.model, sg.revision) == (str(a.model_ref()), replace(ph.revision, generations=()))
    assert sg.stay is not None


def test_pods_without_the_annotation_are_of_a_version_without_a_name() -> None:
    log = Chronicle()
    placed(log)
    ran(log, 5, "gpu-3", of="")
    assert [(each.revision.workload[:7], nodes(each)) for each in lineage(log.trail)] == [
        ("sha256:", [("gpu-0", 1, 5)]),
        ("", [("gpu-3", 5, None)]),
    ]


def test_what_is_seen_after_it_had_gone_is_of_no_version_that_had_been_there() -> None:
    log = Chronicle()
    state = placed(log)
    (workload,) = workloads(log)
    log.late(state, done=20, recorded=20)
    ran(log, 21, of=workload)
    ran(log, 25, "gpu-8", of=workload)
    ran(log, 26, of=workload)
    first, strange = lineage(log.trail)
    assert nodes(first) == [("gpu-0", 1, 20)]
    assert (strange.placings, strange.stay, _minute(strange.until)) == ((), None, 26)
    assert nodes(strange) == [("gpu-8", 25, 26)]


def test_two_models_of_one_name_are_two() -> None:
    log = Chronicle()
    state = log.passed(at(w.deleted(placed(log)), 10))
    assert log.passed(at(log.passed(at(state, 11)), 12), times=2).model is None
    log.passed(at(w.world(model=w.model(metadata={"uid": a.uid("made anew")})), 20))
    assert versions(log) == [("sg", (1,), 0, 0, 12), ("sg", (1,), 20, 20, None)]
    assert [each.uid for each in lineage(log.trail)] == [a.model_ref().uid, a.uid("made anew")]


def test_of_a_log_in_which_values_are_missing_the_rest_is_told() -> None:
    log = Chronicle()
    edited(log, placed(log), 5, **NEXT)
    whole = log.trail
    trail = Trail(decisions=whole.decisions, outcomes=whole.outcomes, running=whole.running)
    first, second = lineage(trail)
    assert (first.revision.generations, first.asked_by, first.artifacts) == ((), (), ())
    assert (_minute(first.until), first.replaced_by, nodes(first)) == (5, second.revision, [("gpu-0", 1, 5)])


def test_of_a_log_in_which_decisions_are_missing_the_rest_is_told() -> None:
    log = Chronicle()
    edited(log, placed(log), 5, **NEXT)
    before, after = workloads(log)
    strange, second = lineage(without(log.trail, 0))
    assert (strange.revision.workload, strange.placings, nodes(strange)) == (before, (), [("gpu-0", 1, 5)])
    assert (second.revision.workload, nodes(second)) == (after, [("gpu-0", 6, None)])
    every = range(len(log.decisions))
    assert [(each.revision.workload, each.stay) for each in lineage(without(log.trail, *every))] == [
        (before, None),
        (after, None),
    ]
