"""The words of a status: what a person reads who wants to know where the model is, why there, and why not elsewhere."""

import json
from dataclasses import replace

import pytest

import builders as a
from decision import world as w
from domicile import decision, placement
from domicile.api import SovereignModel, SovereignModelStatus

OUTSIDE = "WorkersOutsideJurisdiction"


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
    assert state.status.clusters.wire() == {
        "considered": 2,
        "lawful": 1,
        "able": 1,
        "chosen": 1,
        "excluded": [{"reason": "WorkersOutsideJurisdiction", "count": 1}],
    }
    assert state.status.placed_on == "sg"


def test_order_and_generation_of_conditions() -> None:
    conditions = w.running().status.conditions
    assert [c.type for c in conditions] == ["Ready", "PolicyCompliant", "Placed", "Available", "EvidenceCurrent"]
    assert {c.observed_generation for c in conditions} == {1}


def test_of_many_exclusions_three_are_in_the_message_and_twenty_on_the_object() -> None:
    state = w.settled(many(25))
    assert state.message().startswith("none of 25 clusters is lawful under sg-customer-data; not ph00: ")
    assert state.message().endswith("; and 22 more")
    assert len(state.status.exclusions) == 20


def test_those_that_are_not_listed_are_counted_by_reason() -> None:
    clusters = w.settled(many(25, views={**many(24).views, "sg": a.view("sg")})).status.clusters
    assert clusters is not None
    assert [(e.reason, e.count) for e in clusters.excluded] == [("WorkersJurisdictionUnknown", 1), (OUTSIDE, 24)]


def test_counts_and_the_chosen_add_up() -> None:
    state = w.settled(w.world("sg", "sg02", "sg03", "ph", "de"))
    clusters = state.status.clusters
    assert clusters is not None
    assert (clusters.considered, clusters.lawful, clusters.able, clusters.chosen) == (5, 3, 3, 1)
    assert {e.reason: e.count for e in clusters.excluded} == {"NotNeeded": 2, OUTSIDE: 2}


def test_an_exclusion_names_the_policy_and_the_rule_and_what_the_rule_rests_on() -> None:
    shut = a.rule("assured-cloud", "cluster.name == 'elsewhere'", message="no certificate is attested")
    state = w.settled(w.world("sg", "ph", policies=(a.policy(everywhere=("SG", "PH"), rules=(shut,)),)))
    (first, _) = state.status.exclusions
    assert first.wire() == {
        "cluster": "ph",
        "policy": "sg-customer-data",
        "rule": "assured-cloud",
        "reason": "RuleNotMet",
        "message": "no certificate is attested (house rule: Data standard, 7.2)",
    }


LAWS = {
    "a house rule": (
        {"type": "OrgPolicy", "source": "Data standard", "clause": "7.2"},
        "house rule: Data standard, 7.2",
    ),
    "a law": ({"type": "Law", "source": "RA 10173", "clause": "s 21(a)"}, "Law: RA 10173, s 21(a)"),
    "without a clause": ({"type": "Guideline", "source": "MAS TRM"}, "Guideline: MAS TRM"),
}


@pytest.mark.parametrize(("basis", "told"), LAWS.values(), ids=LAWS.keys())
def test_the_lists_of_a_policy_rest_on_something_too(basis: dict[str, str], told: str) -> None:
    policy = a.policy(spec={"basis": {**basis, "asOf": "2026-04-01"}})
    (excluded,) = w.settled(w.world("ph", policies=(policy,))).status.exclusions
    assert excluded.message == f"worker nodes are in PH, sg-customer-data allows SG ({told})"


def test_a_cluster_that_is_lawful_and_not_needed_names_no_policy() -> None:
    not_needed = w.settled(w.world("sg", "sg02")).status.exclusions[0]
    assert (not_needed.policy, not_needed.rule, not_needed.reason) == ("", "", "NotNeeded")


def test_a_long_reason_still_says_what_it_rests_on() -> None:
    basis = {"type": "Law", "source": "Act " + "y" * 249, "clause": "s 4" + "z" * 250, "asOf": "2026-04-01"}
    rule = a.rule("long", "false", message="x" * 512, basis=basis)
    policy = a.policy(everywhere=("PH",), hub=("SG",), rules=(rule,))
    state = w.settled(w.world("ph", policies=(policy,)))
    (excluded,) = state.status.exclusions
    assert len(excluded.message) == 1024
    assert excluded.message.startswith("xxx")
    assert "x..." in excluded.message
    assert excluded.message.endswith(f" (Law: Act {'y' * 249}, s 4{'z' * 250})")


def test_equal_facts_give_equal_statuses_whatever_their_order() -> None:
    state = w.running("sg", "ph", "de")
    turned = replace(
        state, views=dict(reversed(list(state.views.items()))), attestations=tuple(reversed(state.attestations))
    )
    assert w.plan(turned).status == w.plan(state).status == state.status


def test_a_status_of_an_earlier_version_is_read_and_completed() -> None:
    state = w.running("sg", "ph")
    assert isinstance(state.model, SovereignModel)
    old = state.status.wire()
    old["clusters"] = {"considered": 2, "lawful": 1, "able": 1}
    old["exclusions"] = [{key: row[key] for key in ("cluster", "reason", "message")} for row in old["exclusions"]]
    before = state.model.model_copy(update={"status": SovereignModelStatus.model_validate(old)})
    assert w.plan(replace(state, model=before)).status == state.status


def test_the_status_of_a_large_fleet_is_small() -> None:
    basis = {"type": "Law", "source": "s" * 1024, "clause": "c" * 253, "asOf": "2026-04-01"}
    policy = a.policy(spec={"basis": basis})
    state = w.settled(many(300, policies=(policy,)))
    assert len(json.dumps(state.status.wire())) < 40_000


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


def test_what_keeps_it_from_being_withdrawn_is_told() -> None:
    why = "whether pod x still runs is unknown: its node n is not Ready"
    unlawful = replace(w.snapshot(replace(w.running(), policies=(a.policy(everywhere=("PH",)),))), stuck={"sg": why})
    plan = decision.decide(unlawful, a.NOW)
    assert isinstance(plan, decision.Plan)
    (compliant,) = (c for c in plan.status.conditions if c.type == "PolicyCompliant")
    assert compliant.message.startswith(f"being withdrawn from sg ({why}): worker nodes are in SG")
    plan = decision.decide(replace(w.snapshot(w.deleted(w.running())), stuck={"sg": why}), a.NOW)
    assert isinstance(plan, decision.Plan)
    (ready,) = (c for c in plan.status.conditions if c.type == "Ready")
    assert ready.message == f"being withdrawn from sg ({why})"


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


def test_a_status_tells_its_team_nothing_of_other_tenants() -> None:
    """Whose the accelerators are that it lacks, and what others' records and exceptions are."""
    elsewhere = {"model": {"namespace": "treasury", "name": "forecast"}}
    further = {
        "records": (a.record("treasury-register", scope={"namespaces": ["treasury"]}),),
        "exceptions": (a.exception("treasury-ticket", **elsewhere),),
    }
    state = w.world(
        model=w.model(accelerators={"count": 1}),
        policies=(a.policy(rules=(a.rule("register", None, onUnmet="RequireRecord", record="outsourcing"),)),),
        views={name: a.view(name, a.node(granted=1)) for name in ("sg", "ph")},
        further=further,
    )
    for each in (state, replace(state, policies=(a.policy(),))):
        told = w.settled(each).status.model_dump_json()
        assert '"status":"False"' in told
        assert not any(word in told for word in ("treasury", "forecast"))


def test_what_a_placement_rests_on_beside_policies_and_facts_is_told() -> None:
    rules = (
        a.rule("register", "false", onUnmet="RequireRecord", record="outsourcing"),
        a.rule("two-sites", "false", onUnmet="Advise", message="one site alone"),
    )
    further = {"records": (a.record(),), "exceptions": (a.exception(),)}
    state = w.running("sg", policies=(a.policy(telemetry=["DE"], rules=rules),), further=further)
    assert state.message("PolicyCompliant") == (
        "1 of 1 cluster lawful under sg-customer-data; sg by ResidencyException/ticket-4711,"
        " ResidencyRecord/register-17; sg against advice: one site alone (house rule: Data standard, 7.2)"
    )
