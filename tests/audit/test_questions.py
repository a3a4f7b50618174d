"""What an auditor asks of a log: stays, times without a valid verdict, exceptions, and who asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

import builders as a
from audit.chronicle import Chronicle, at, minutes
from decision import world as w
from decision.world import World
from domicile.audit import Trail, questions
from domicile.audit.values import Values

PH_ONLY = (a.policy(everywhere=("PH",)),)


def stays(log: Chronicle) -> list[tuple[str, float, float | None]]:
    """Cluster, and the minutes from when until when."""
    return [(stay.cluster, _minute(stay.since), _minute(stay.until)) for stay in questions.stays(log.trail)]


def unheld(log: Chronicle, until: float = 60) -> list[tuple[str, float, float | None, str]]:
    found = questions.unheld(log.trail, minutes(until))
    return [(each.stay.cluster, _minute(each.since), _minute(each.until), each.why) for each in found]


def _minute(moment: Any) -> Any:
    return None if moment is None else (moment - a.NOW).total_seconds() / 60


def placed(log: Chronicle, **changed: Any) -> World:
    """The model serves on sg since the usual moment."""
    state = log.passed(w.world(**changed))
    return log.passed(at(w.serving_on(state, "sg"), 1), times=2)


def moved(log: Chronicle, state: World) -> World:
    """It may be in the Philippines alone from minute 10 on, and was gone from sg at minute 12."""
    state = log.passed(at(replace(state, policies=PH_ONLY), 10))
    state = log.passed(at(state, 11))
    state = log.passed(at(state, 12), times=2)
    return log.passed(at(w.serving_on(state, "ph"), 13), times=2)


def test_a_model_that_was_placed_is_there_from_the_decision_on() -> None:
    log = Chronicle()
    placed(log)
    (stay,) = questions.stays(log.trail)
    assert (stay.model, stay.cluster, stay.cluster_uid) == ("retail-banking/fraud-scorer", "sg", a.uid("sg"))
    assert (stay.since, stay.placed, stay.until) == (a.NOW, a.NOW, None)
    assert stay.begun == log.decisions[0]
    (permit,) = stay.permits
    assert (permit.since, permit.ends, permit.decision) == (a.NOW, a.LONG_AHEAD, log.decisions[0])
    assert permit.permit == log.decisions[0].body["acts"][0]["permit"]
    assert [name for name, _ in permit.grounds["policies"]] == ["sg-customer-data"]
    assert set(permit.grounds["artifacts"]) == {a.ARTIFACT, a.IMAGE}
    assert unheld(log) == []


def test_a_model_that_moves_is_there_until_nothing_of_it_was_found() -> None:
    log = Chronicle()
    moved(log, placed(log))
    assert stays(log) == [("sg", 0, 12), ("ph", 10, None)]
    assert [questions.stays(log.trail)[0].at(minutes(m)) for m in (-1, 0, 11.9, 12)] == [False, True, True, False]
    assert questions.stays(log.trail)[1].at(minutes(1000))


def test_until_it_is_gone_what_is_no_longer_allowed_is_without_a_valid_verdict() -> None:
    log = Chronicle()
    moved(log, placed(log))
    assert unheld(log) == [("sg", 10, 12, "worker nodes are in SG, sg-customer-data allows PH")]


def test_the_same_reason_twice_in_a_row_is_one_time_and_another_reason_is_another() -> None:
    log = Chronicle()
    state = placed(log)
    state = log.decided(at(replace(state, policies=PH_ONLY), 10))
    log.decided(at(state, 11))
    log.decided(at(replace(state, policies=(a.policy(everywhere=("DE",)),)), 12))
    assert unheld(log) == [
        ("sg", 10, 12, "worker nodes are in SG, sg-customer-data allows PH"),
        ("sg", 12, None, "worker nodes are in SG, sg-customer-data allows DE"),
    ]


def test_asked_of_a_time_nothing_after_it_is_told() -> None:
    """It was still there, and unlawful, at minute 11; at minute 5 it was lawful, and before that nowhere."""
    log = Chronicle()
    moved(log, placed(log))
    assert unheld(log, 11) == [("sg", 10, None, "worker nodes are in SG, sg-customer-data allows PH")]
    assert unheld(log, 5) == []
    assert unheld(log, 10) == []
    assert unheld(log, -5) == []


def test_a_model_that_was_withdrawn_while_nothing_could_be_recorded_was_gone_when_it_was_done() -> None:
    log = Chronicle()
    state = placed(log)
    log.late(state, done=20, recorded=30)
    log.late(state, done=21, recorded=30)
    assert stays(log) == [("sg", 0, 20)]


def test_other_acts_that_were_recorded_late_end_no_stay() -> None:
    log = Chronicle()
    state = placed(log)
    log.late_release(state, 20)
    assert stays(log) == [("sg", 0, None)]


def test_a_later_process_finds_that_it_was_done() -> None:
    log = Chronicle()
    state = log.decided(w.world())
    log.outcome(state, "Place", "FoundDone", 3)
    (stay,) = questions.stays(log.trail)
    assert stay.placed == minutes(3)


def test_a_later_process_finds_that_it_was_withdrawn() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(replace(state, policies=PH_ONLY), 10))
    log.outcome(state, "Withdraw", "FoundDone", 14)
    assert stays(log)[0] == ("sg", 0, 14)


def test_an_attempt_that_failed_and_an_act_that_was_overtaken_put_nothing_there_and_take_nothing_away() -> None:
    log = Chronicle()
    state = log.decided(w.world())
    log.failed(state, "Place", "Forbidden", "no quota")
    (stay,) = questions.stays(log.trail)
    assert (stay.placed, stay.until) == (None, None)


def test_an_act_that_is_carried_over_counts_once() -> None:
    log = Chronicle()
    state = log.decided(w.world())
    state = log.decided(at(state, 1))
    log.outcome(state, "Place", "Done", 2)
    assert [each.body["context"]["carried"] for each in log.decisions][1] == {"0": [log.decisions[0].digest, 0]}
    (stay,) = questions.stays(log.trail)
    assert (stay.since, stay.placed, len(stay.permits)) == (a.NOW, minutes(2), 1)


def test_a_new_permit_on_the_same_cluster_goes_on_with_the_stay() -> None:
    log = Chronicle()
    state = placed(log)
    edited = w.with_model(state, runtime={"image": a.IMAGE, "args": ["new"]})
    log.passed(at(edited, 5), times=2)
    (stay,) = questions.stays(log.trail)
    assert [_minute(each.since) for each in stay.permits] == [0, 5]


def test_two_models_of_one_name_are_two() -> None:
    """It was deleted and made anew: the UID tells them apart."""
    log = Chronicle()
    state = placed(log)
    state = log.passed(at(w.deleted(state), 10))
    state = log.passed(at(state, 11))
    state = log.passed(at(state, 12), times=2)
    assert state.model is None
    log.passed(at(w.world(model=w.model(metadata={"uid": a.uid("made anew")})), 20))
    assert stays(log) == [("sg", 0, 12), ("sg", 20, None)]
    first, second = questions.stays(log.trail)
    assert (first.model, second.uid) == (second.model, a.uid("made anew"))
    assert first.uid != second.uid


def test_a_model_that_comes_back_is_a_second_stay() -> None:
    log = Chronicle()
    state = moved(log, placed(log))
    state = log.passed(at(replace(state, policies=(a.policy(),)), 30), times=2)
    assert [(cluster, since) for cluster, since, _ in stays(log)] == [("sg", 0), ("ph", 10), ("sg", 30)]


def test_what_was_never_written_ends_when_the_next_decision_does_not_want_it() -> None:
    """The process died between its record and its write, and the policy changed before the next one looked."""
    log = Chronicle()
    state = log.decided(w.world())
    log.outcome(state, "Place", "FoundUndone", 4)
    log.decided(at(replace(state, policies=PH_ONLY), 5))
    assert stays(log) == [("sg", 0, 5), ("ph", 5, None)]
    assert [each[0] for each in unheld(log)] == []


@pytest.mark.parametrize("why", ["it is out of sight", "it is on record", "it is wanted still", "something is there"])
def test_what_may_have_been_written_may_still_be_there(why: str) -> None:
    log = Chronicle()
    state = log.decided(w.world())
    state = replace(state, policies=PH_ONLY)
    match why:
        case "it is out of sight":
            state = w.hidden(state, "sg")
        case "it is on record":
            state = w.recorded(state, w.row("sg", "Starting"))
        case "it is wanted still":
            state = replace(state, policies=(a.policy(everywhere=("SG", "PH")),))
        case _:
            state = w.on(state, "sg")
    log.decided(at(state, 5))
    assert stays(log)[0] == ("sg", 0, None)


def test_what_was_found_there_is_there_although_nothing_had_placed_it() -> None:
    """A cluster was put back from a backup; or it ran before there was evidence."""
    log = Chronicle()
    state = w.on(w.world(policies=PH_ONLY), "sg", serves=True)
    state = log.passed(at(state, 2))
    state = log.passed(at(state, 3))
    log.passed(at(state, 4), times=2)
    found = next(stay for stay in questions.stays(log.trail) if stay.cluster == "sg")
    assert (_minute(found.since), _minute(found.until), found.permits, found.placed) == (2, 4, (), None)
    assert unheld(log)[0] == ("sg", 2, 4, "worker nodes are in SG, sg-customer-data allows PH")


def test_what_is_found_again_right_after_it_was_proven_gone_was_not_placed_again() -> None:
    """A watch may be behind the list that proved it."""
    log = Chronicle()
    state = w.on(w.world(policies=PH_ONLY), "sg")
    log.decided(at(replace(state, proven_absent=frozenset({a.member("sg")})), 2))
    assert [cluster for cluster, *_ in stays(log)] == ["ph"]


def test_a_permit_that_ends_before_the_next_decision_leaves_a_gap() -> None:
    """The hub was down."""
    log = Chronicle()
    attestations = (w.attested("sg", until=minutes(30)), w.attested("ph"))
    state = placed(log, attestations=attestations)
    assert unheld(log, 60) == [("sg", 30, None, "what the verdict rested on had ended")]
    log.passed(at(replace(state, attestations=(w.attested("sg"), w.attested("ph"))), 45))
    assert unheld(log, 60) == [("sg", 30, 45, "what the verdict rested on had ended")]


def test_on_a_cluster_that_is_not_registered_any_more_it_is_not_judged() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(w.unregistered(state, "sg"), 10))
    assert ("sg", 10, None, "it was not judged: the cluster was not registered any more") in unheld(log)


def test_another_cluster_under_the_same_name_does_not_speak_for_it() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(w.registered(state, "sg", at="rebuilt"), 10))
    assert ("sg", 10, None, "it was not judged: another cluster was registered as sg") in unheld(log)


def test_the_same_cluster_under_another_name_does() -> None:
    log = Chronicle()
    state = placed(log)
    renamed = w.registered(w.unregistered(state, "sg"), "sg-renamed", at="sg")
    attestations = (*state.attestations, w.attested("sg", of="sg-renamed", at="sg"))
    log.decided(at(replace(renamed, attestations=attestations), 10))
    assert [each for each in unheld(log) if each[0] == "sg"] == []


def test_an_unlawful_verdict_without_a_reason_is_told_as_that() -> None:
    log = Chronicle()
    state = placed(log)
    bag = log.bag()
    verdict = {"uid": a.uid("sg"), "lawful": False, "until": None, "findings": [], "sites": []}
    digest = bag.put_all({"sg": bag.put(verdict)})
    log.values(bag.values, at(state, 10))
    log.said(lambda body: body.update(candidates=digest, acts=[]), at(state, 10))
    assert ("sg", 10, None, "it was not lawful, and no reason is recorded") in unheld(log)


def test_a_decision_without_a_judgement_leaves_the_verdict_before_it_standing() -> None:
    log = Chronicle()
    state = placed(log)
    log.decided(at(w.deleted(state), 10))
    assert log.decisions[-1].body["candidates"] is None
    assert unheld(log) == []


def test_of_a_log_in_which_values_are_missing_the_rest_is_told() -> None:
    log = Chronicle()
    moved(log, placed(log))
    whole = log.trail
    trail = Trail(decisions=whole.decisions, outcomes=whole.outcomes, late=whole.late)
    found = questions.stays(trail)
    assert [(stay.cluster, stay.permits[0].grounds) for stay in found] == [("sg", {}), ("ph", {})]
    assert {each.why for each in questions.unheld(trail, minutes(60))} == {"what was judged is missing from the log"}
    assert questions.exceptions(trail, minutes(1)) == ()
    assert questions.asked_by(log.decisions[0], Values({})) == ""


def test_an_exception_is_in_force_from_its_beginning_to_its_end_as_the_last_decision_saw_it() -> None:
    log = Chronicle()
    ended = a.exception("ended", validUntil=minutes(2))
    ahead = a.exception("ahead", validFrom=minutes(30))
    asked = a.exception("asked", approved=False)
    state = log.passed(w.world(further={"exceptions": (a.exception(), ended, ahead, asked)}))
    log.decided(at(replace(state, further={"exceptions": (a.exception("later"),)}), 20))

    def names(since: float, until: float | None = None) -> list[str]:
        found = questions.exceptions(log.trail, minutes(since), None if until is None else minutes(until))
        return [each["metadata"]["name"] for each in found]

    assert names(-1) == []
    assert names(1) == ["ended", "ticket-4711"]
    assert names(2) == ["ticket-4711"]
    assert names(25) == ["later"]
    assert names(40) == ["later"]
    # Over a time: all that were in force at some moment of it.
    assert names(5, 25) == ["later", "ticket-4711"]
    assert names(-10, 10) == ["ended", "ticket-4711"]
    assert names(-10, -5) == []


@pytest.mark.parametrize(
    ("annotations", "who"),
    [({"domicile.dev/requested-by": "ana"}, "ana"), ({"another.example/requested-by": "eve"}, ""), ({}, "")],
)
def test_who_asked_is_who_the_api_server_stamped(annotations: Mapping[str, str], who: str) -> None:
    log = Chronicle()
    log.passed(w.world(model=w.model(metadata={"annotations": annotations})))
    assert questions.asked_by(log.decisions[0], log.trail.values) == who


def test_the_candidates_are_by_name_and_there_are_none_where_nothing_was_judged() -> None:
    log = Chronicle()
    state = log.passed(w.world())
    log.decided(at(w.deleted(state), 10))
    values = log.trail.values
    assert list(questions.candidates(log.decisions[0], values)) == ["ph", "sg"]
    assert questions.candidates(log.decisions[-1], values) == {}


def test_what_a_decision_rests_on_says_who_asked_and_who_approved() -> None:
    log = Chronicle()
    further = {"exceptions": (a.exception(),)}
    log.passed(w.world(further=further, policies=(a.policy(telemetry=("PH",)),)))
    stamps = {"domicile.dev/approved-by": "gil", "domicile.dev/requested-by": "ana"}
    assert list(questions.approvals(log.decisions[0], log.trail.values)) == [
        {"kind": "ResidencyException", "name": "ticket-4711", "stamps": stamps}
    ]


def test_a_decision_is_named_by_its_number_or_the_beginning_of_its_digest() -> None:
    log = Chronicle()
    moved(log, placed(log))
    first = log.decisions[0]
    digest = first.digest.removeprefix("sha256:")

    def named(beginning: str) -> Sequence[int]:
        return [each.sequence for each in questions.named(log.trail, beginning)]

    assert named(str(first.sequence)) == [first.sequence]
    assert named(digest[:6]) == [first.sequence]
    assert named(first.digest) == [first.sequence]
    assert named(digest[:5]) == []
    assert named("999") == []
