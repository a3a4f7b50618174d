"""What need not be kept any longer goes, and of the time that has to be kept everything is told, verified and decided again as before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

import builders as a
from audit.chronicle import Chronicle, at
from decision import world as w
from decision.world import World
from domicile import audit
from domicile.audit import Same, Trail, questions, replay, running
from domicile.audit.lineage import lineage
from domicile.audit.retention import Archive, naming, removable
from domicile.audit.rules import Hold, Retention, Rule, kept_since
from domicile.evidence import dsse, keys, ranges, records
from domicile.evidence.findings import Segment
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, REMOVED, Content
from domicile.evidence.verifying import verify
from domicile.evidence.withheld import without
from evidence.logs import ORIGIN, OURS

DAY = 24 * 60
PH_ONLY = (a.policy(everywhere=("PH",)),)


def days(count: float) -> datetime:
    return a.NOW + timedelta(days=count)


def keeping(count: float, *rules: Rule, holds: Sequence[Hold] = ()) -> Retention:
    return Retention(timedelta(days=count), rules, tuple(holds))


def on_day(state: World, count: float) -> World:
    return at(state, count * DAY)


def archived(log: Chronicle) -> Archive:
    archive = Archive()
    report = verify(ORIGIN, [Segment("0", log.sealed)], keys.by_id([OURS.public]), read=archive.take)
    assert report.findings == ()
    return archive


@dataclass(frozen=True)
class Left:
    """What is left of a log."""

    gone: Ranges
    trail: Trail


def left(log: Chronicle, retention: Retention, now: float) -> Left:
    """After what need not be kept is removed, as `domicile audit prune` does."""
    gone = removable(archived(log), retention, days(now))
    said = Content(REMOVED, "Log", a.DIGEST, {**retention.written(days(now)), "ranges": [list(each) for each in gone]})
    log.add(said, days(now))
    trail = Trail()
    content = without(log.sealed, gone)
    report = verify(ORIGIN, [Segment("0", content)], keys.by_id([OURS.public]), read=trail.take)
    assert (report.findings, report.removed, trail.odd) == ((), ranges.count(gone), [])
    return Left(gone, trail)


def long_story() -> Chronicle:
    """A model that served in Singapore, was forbidden there on day 100, moved, rested on an exception from day 200, and is looked at ever so
    often; another one that was deleted on day 50; and one that was never lawful."""
    log = Chronicle()
    state = log.passed(w.world())
    state = log.passed(on_day(w.serving_on(state, "sg"), 1), times=2)
    other = w.world(model=w.model(metadata={"name": "other", "uid": a.uid("other")}))
    other = log.passed(on_day(w.serving_on(log.passed(on_day(other, 2)), "sg"), 3), times=2)
    log.passed(on_day(w.deleted(other), 50), times=6)
    never = w.world(
        model=w.model(metadata={"name": "never", "uid": a.uid("never")}), policies=(a.policy(everywhere=("DE",)),)
    )
    log.passed(on_day(never, 60))
    for day in (70, 80, 90):
        state = log.decided(on_day(state, day))
    state = log.passed(on_day(replace(state, policies=PH_ONLY), 100))
    state = log.passed(on_day(state, 101))
    state = log.passed(on_day(state, 102), times=2)
    state = log.passed(on_day(w.serving_on(state, "ph"), 103), times=2)
    excepted = a.policy(everywhere=("PH",), telemetry=("DE",))
    there = a.exception(cluster={"name": "ph", "uid": a.uid("ph")})
    state = replace(state, policies=(excepted,), further={"exceptions": (there,)})
    for day in (200, 250, 300):
        state = log.decided(on_day(state, day))
    return log


def told(trail: Trail, since: datetime, now: datetime) -> list[Any]:
    """All that an auditor may ask of a time."""
    stays = [
        (stay.model, stay.cluster, stay.since, stay.placed, stay.until)
        for stay in questions.stays(trail)
        if stay.until is None or stay.until > since
    ]
    permits = [
        (stay.model, each.permit)
        for stay in questions.stays(trail)
        for each in stay.permits
        if each.since > since and (stay.until is None or stay.until > since)
    ]
    wrong = [
        (each.stay.model, each.stay.cluster, max(each.since, since), each.until, each.why)
        for each in questions.unheld(trail, now)
        if each.until is None or each.until > since
    ]
    versions = [
        (
            (each.model, each.cluster, each.revision.workload, max(each.since, since), each.until),
            [(node.node, max(node.since, since), node.until) for node in each.nodes if not _over(node.until, since)],
        )
        for each in lineage(trail)
        if not _over(each.until, since)
    ]
    held = [each["metadata"]["name"] for each in questions.exceptions(trail, since, now)]
    decisions = [
        (
            each.sequence,
            each.digest,
            questions.asked_by(each, trail.values),
            dict(questions.candidates(each, trail.values)),
        )
        for each in trail.decisions.values()
        if each.time > since
    ]
    acts = [trail.acts_of(each) for each in trail.decisions.values() if each.time > since]
    return [
        stays,
        permits,
        versions,
        wrong,
        held,
        decisions,
        acts,
        trail.ledger.open,
        trail.ledger.law,
        trail.ledger.running,
    ]


def _over(until: datetime | None, since: datetime) -> bool:
    return until is not None and until <= since


@pytest.mark.parametrize("now", [10, 52, 101, 150, 201, 260, 400, 1_000])
@pytest.mark.parametrize("kept", [0.5, 45, 120])
def test_of_the_time_that_has_to_be_kept_all_is_told_as_before(now: float, kept: float) -> None:
    log = long_story()
    whole = log.trail
    found = left(log, keeping(kept), now)
    since = days(now - kept)
    until = max(days(now), days(301))
    assert told(found.trail, since, until) == told(whole, since, until)
    values = found.trail.values
    assert {replay(each, values) for each in found.trail.decisions.values()} == {Same()}


def test_what_is_older_goes_but_for_what_was_in_force() -> None:
    found = left(long_story(), keeping(30), 400)
    assert ranges.count(found.gone) > 20
    rest = [(each.model.partition("/")[2], (each.time - a.NOW).days) for each in found.trail.decisions.values()]
    # How it came to where it is, and the last decision; the last one on what was never placed.
    assert {day for model, day in rest if model == "fraud-scorer"} == {100, 300}
    assert [day for model, day in rest if model == "never"] == [60]
    assert "other" not in {model for model, _ in rest}


def test_nothing_goes_that_is_young_enough() -> None:
    assert left(long_story(), keeping(10_000), 400).gone == ()


def test_what_was_removed_is_not_looked_for_again() -> None:
    log = long_story()
    found = left(log, keeping(30), 400)
    archive = Archive()
    verify(ORIGIN, [Segment("0", without(log.sealed, found.gone))], keys.by_id([OURS.public]), read=archive.take)
    assert removable(archive, keeping(30), days(400)) == ()


def test_a_rule_is_for_some_models_and_the_first_counts() -> None:
    rules = (Rule(("retail-banking/oth*",), timedelta(days=10_000)), Rule(("*",), timedelta(days=30)))
    found = left(long_story(), keeping(1, *rules), 400)
    models = {each.model.partition("/")[2] for each in found.trail.decisions.values()}
    assert models == {"fraud-scorer", "other", "never"}
    assert found.trail.kept_since("retail-banking/other") == days(400 - 10_000)
    assert found.trail.kept_since("retail-banking/fraud-scorer") == days(370)
    assert long_story().trail.kept_since("retail-banking/other") is None


HELD = {
    "on a model": (Hold("case-17", ("retail-banking/other",), "a claim"), True),
    "on all": (Hold("case-17", ("*",), "a claim"), True),
    "on another model": (Hold("case-17", ("retail-banking/nobody",), "a claim"), False),
    "on its time": (Hold("case-17", ("*",), "a claim", days(49), days(51)), True),
    "on a time before": (Hold("case-17", ("*",), "a claim", until=days(2)), False),
    "on a time after": (Hold("case-17", ("*",), "a claim", since=days(51)), False),
}


@pytest.mark.parametrize(("hold", "kept"), HELD.values(), ids=HELD)
def test_what_a_legal_hold_is_on_stays(hold: Hold, kept: bool) -> None:
    found = left(long_story(), keeping(30, holds=[hold]), 400)
    deleting = [each for each in found.trail.decisions.values() if each.model == "retail-banking/other"]
    assert any("LetGo" in each.body["what"] for each in deleting) == kept
    values = found.trail.values
    assert {replay(each, values) for each in found.trail.decisions.values()} == {Same()}


PARTIAL = {
    "a hold on a part of a stay": keeping(30, holds=[Hold("case-17", ("*",), "a claim", days(0.5), days(3.5))]),
    "a hold on what was seen alone": keeping(30, holds=[Hold("case-17", ("*",), "a claim", days(2.5), days(4))]),
    "a model that is kept for less than the rest": keeping(390, Rule(("*/other",), timedelta(days=90))),
    "a model that is kept for more": keeping(1, Rule(("*/other",), timedelta(days=390))),
    "all of it": keeping(30, holds=[Hold("case-17", ("*",), "a claim")]),
}


@pytest.mark.parametrize("retention", PARTIAL.values(), ids=PARTIAL)
@pytest.mark.parametrize("late", [False, True], ids=["withdrawn", "withdrawn while nothing could be recorded"])
def test_what_is_kept_of_a_stay_tells_when_it_ended(retention: Retention, late: bool) -> None:
    log = long_story()
    if late:
        third = w.model(metadata={"name": "third", "uid": a.uid("third")})
        state = log.passed(on_day(w.world(model=third), 301))
        state = log.passed(on_day(w.serving_on(state, "sg"), 302), times=2)
        log.late(state, done=303 * DAY, recorded=304 * DAY)
        log.late_release(on_day(state, 304), 304 * DAY)
    whole = {(stay.uid, stay.cluster, stay.until) for stay in questions.stays(log.trail)}
    ran = {(each.uid, each.cluster, node.node, node.until) for each in lineage(log.trail) for node in each.nodes}
    unheld = {(each.stay.uid, each.since, each.until) for each in questions.unheld(log.trail, days(2_000))}
    trail = left(log, retention, 700).trail
    assert {(stay.uid, stay.cluster, stay.until) for stay in questions.stays(trail)} <= whole
    assert {(each.uid, each.cluster, node.node, node.until) for each in lineage(trail) for node in each.nodes} <= ran
    assert {(each.stay.uid, each.since, each.until) for each in questions.unheld(trail, days(2_000))} <= unheld


def test_of_nodes_that_are_told_it_is_told_until_when_and_not_what_came_after() -> None:
    log = Chronicle()
    for day, nodes in enumerate(([1], [2], [], [3], [])):
        there = [{"node": f"gpu-{node}", "workload": a.DIGEST, "pods": 1} for node in nodes]
        body = {"uid": a.uid("it"), "cluster": ["sg", a.uid("sg")], "nodes": there}
        log.add(running.ran("SovereignModel/retail-banking/fraud-scorer", body), days(day))
    found = left(log, keeping(30, holds=[Hold("case-17", ("*",), "a claim", until=days(0.5))]), 400).trail
    assert [each.sequence for each in found.running] == [0, 1, 2, 4]


def test_what_was_removed_says_by_which_rules_and_holds() -> None:
    hold = Hold("case-17", ("retail-banking/other",), "a claim", days(0), days(1))
    written = keeping(30, Rule(("a/*",), timedelta(days=3)), holds=[hold]).written(days(400))
    assert written == {
        "why": "Retention",
        "at": records.moment(days(400)),
        "keepDays": 30,
        "rules": [{"models": ["a/*"], "keepDays": 3}],
        "holds": [
            {
                "name": "case-17",
                "models": ["retail-banking/other"],
                "since": records.moment(days(0)),
                "until": records.moment(days(1)),
                "reason": "a claim",
            }
        ],
    }
    assert kept_since([written, {"why": "Erasure"}], "b/c") == days(370)
    open_ended = keeping(30, holds=[replace(hold, since=None, until=None)]).written(days(400))
    assert (open_ended["holds"][0]["since"], open_ended["holds"][0]["until"]) == (None, None)


def test_what_is_open_stays() -> None:
    log = Chronicle()
    state = log.decided(w.world())
    log.outcome(state, "Place", "Overtaken", 1)
    log.decided(on_day(w.world(), 1))
    found = left(log, keeping(1), 400)
    assert found.trail.ledger.open == log.trail.ledger.open != {}


def test_what_is_open_stays_though_nothing_else_needs_it() -> None:
    """It was to go from a member that is out of sight since, and is wanted there again."""
    log = Chronicle()
    state = log.passed(w.world())
    state = log.passed(on_day(w.serving_on(state, "sg"), 1), times=2)
    state = log.decided(on_day(replace(state, policies=(a.policy(everywhere=("DE",)),)), 10))
    log.said(lambda body: body.update(acts=[], what=["Observed"]), on_day(state, 20))
    found = left(log, keeping(1), 400)
    assert [key[0] for acts in log.trail.ledger.open.values() for key in acts] == ["Withdraw"]
    assert found.trail.ledger.open == log.trail.ledger.open


ODD = {
    "values without any": Content(audit.VALUES, "Values", a.DIGEST, {}),
    "a decision of another version": Content(audit.DECISION, "SovereignModel/a/b", a.DIGEST, {"surprise": 1}),
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD)
def test_of_a_log_of_another_version_nothing_is_said(content: Content) -> None:
    log = Chronicle()
    log.add(content, days(0))
    with pytest.raises(ValueError, match="record 0 is not as records of this version are"):
        archived(log)


def test_the_last_term_and_what_governance_changed_stay() -> None:
    log = long_story()
    for term in (1, 2):
        log.add(Content(audit.TERM, "Hub/x", a.DIGEST, {"epoch": term}), days(300))
    log.add(Content(audit.LAW, "Law", a.DIGEST, {"changes": []}), days(1))
    trail = left(log, keeping(1), 400).trail
    assert [each.body["epoch"] for each in trail.others if each.kind == audit.TERM] == [2]
    assert [each.kind for each in trail.others if each.kind == audit.LAW] == [audit.LAW]


def test_a_model_that_was_let_go_while_nothing_could_be_recorded_is_no_more() -> None:
    log = Chronicle()
    state = log.passed(w.world(policies=(a.policy(everywhere=("DE",)),)))
    log.late_release(on_day(state, 2), 2 * DAY)
    another = w.model(metadata={"name": "another", "uid": a.uid("another")})
    log.passed(on_day(w.world(model=another, policies=(a.policy(everywhere=("DE",)),)), 3))
    found = left(log, keeping(1), 400).trail.decisions.values()
    assert {each.model for each in found} == {"retail-banking/another"}


def said_elsewhere(log: Chronicle, values: dict[str, Any], day: float) -> list[bytes]:
    """Record values that are kept in SG. Returns what is kept there."""
    log.add(Content(ELSEWHERE, "Values", a.DIGEST, {"home": "SG", "next": 1, "values": sorted(values)}), days(day))
    log.values(values, on_day(w.world(), day))
    return log.lines[-1:]


def test_what_is_kept_elsewhere_stays_as_long_as_something_needs_it() -> None:
    log = Chronicle()
    inner, outer = {"entries": {}}, {"entries": {"a": audit.digest_of({"entries": {}})}}
    for value in (inner, outer, {"entries": {"b": a.DIGEST}}):
        said_elsewhere(log, {audit.digest_of(value): value}, 0)
    log.add(Content(audit.LAW, "Law", a.DIGEST, {"changes": [], "law": audit.digest_of(outer)}), days(1))
    gone = removable(archived(log), keeping(1), days(400))
    assert gone == ((4, 6),)


# Names.


def named(log: Chronicle, name: str) -> list[dict[str, Any]]:
    lines = [line for line in log.lines if line.startswith(b'{"payload"')]
    bodies = [dsse.parsed(line).statement["predicate"]["body"] for line in lines]
    return [
        value
        for body in bodies
        for value in body.get("values", {}).values()
        if value.get("name") == name and "salt" in value
    ]


def let_go(by: str) -> Chronicle:
    log = Chronicle()
    model = w.model(metadata={"annotations": {"domicile.dev/requested-by": by}})
    state = log.passed(w.world(model=model, policies=(a.policy(everywhere=("DE",)),)))
    log.passed(on_day(w.deleted(state), 1), times=4)
    return log


def test_who_is_named_by_nothing_that_is_there_can_be_forgotten() -> None:
    log = let_go("ana")
    archive = archived(log)
    gone = naming(archive, "ana")
    assert (ranges.count(gone), len(named(log, "ana"))) == (1, 1)
    log.add(Content(REMOVED, "Log", a.DIGEST, {"why": "Erasure", "ranges": [list(each) for each in gone]}), days(2))
    trail = Trail()
    content = without(log.sealed, gone)
    assert b"ana" not in b"".join(dsse.parsed(line).payload for line in content.splitlines() if line.startswith(b'{"p'))
    assert verify(ORIGIN, [Segment("0", content)], keys.by_id([OURS.public]), read=trail.take).findings == ()
    decisions = list(trail.decisions.values())
    assert {replay(each, trail.values) for each in decisions} == {Same()}
    assert questions.asked_by(decisions[0], trail.values).endswith("(the name is not kept)")


def test_nobody_is_forgotten_of_whom_nothing_is_known() -> None:
    assert naming(archived(let_go("ana")), "bob") == ()


def test_others_who_are_there_keep_nobody_from_being_forgotten() -> None:
    log = let_go("bob")
    bag = log.bag()
    law = audit.changes({}, audit_law(), bag)
    assert law is not None
    for each in (*audit.of_values(bag.values), law):
        log.add(each, days(2))
    another = w.model(metadata={"name": "another", "uid": a.uid("another")})
    log.passed(on_day(w.world(model=another), 3))
    assert ranges.count(naming(archived(log), "bob")) == 1


def test_a_hold_on_others_and_one_on_what_does_not_name_them_keep_nobody_from_being_forgotten() -> None:
    log = let_go("bob")
    another = w.model(metadata={"name": "another", "uid": a.uid("another")})
    log.passed(on_day(w.world(model=another), 3))
    holds = [Hold(name, (model,), "a claim") for name, model in (("a", "x/y"), ("b", "retail-banking/another"))]
    assert ranges.count(naming(archived(log), "bob", holds)) == 1
    with pytest.raises(ValueError, match=r"case-17 is on record [0-9]+, which names bob"):
        naming(archived(log), "bob", [*holds, Hold("case-17", ("*/fraud*",), "a claim")])


def of_a_model() -> Chronicle:
    log = Chronicle()
    log.passed(w.world(model=w.model(metadata={"annotations": {"domicile.dev/requested-by": "ana"}})))
    return log


def of_governance() -> Chronicle:
    log = let_go("ana")
    bag = log.bag()
    law = audit.changes({}, audit_law(), bag)
    assert law is not None
    for each in audit.of_values(bag.values):
        log.add(each, days(2))
    log.add(law, days(2))
    return log


def audit_law() -> Any:
    from domicile.residency import Law

    return Law(exceptions=(a.exception(),))


STILL_THERE: dict[str, tuple[Callable[[], Chronicle], str]] = {
    "a model": (of_a_model, "SovereignModel/retail-banking/fraud-scorer names ana, and is still there"),
    "an exception": (of_governance, "ResidencyException/ticket-4711 names ana, and is still there"),
}


@pytest.mark.parametrize(("story", "why"), STILL_THERE.values(), ids=STILL_THERE)
def test_who_is_named_by_what_is_still_there_is_not_forgotten(story: Callable[[], Chronicle], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        naming(archived(story()), "ana")
