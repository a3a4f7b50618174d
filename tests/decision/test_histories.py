"""What happens to a model over time: each test is a short history of decisions, and of all that they wrote."""

from dataclasses import replace
from datetime import timedelta

import pytest

import builders as a
from decision import world as w
from domicile import placement
from domicile.decision import Refusal

SG_OR_PH = (a.policy(everywhere=("SG", "PH")),)
PH_ONLY = (a.policy(everywhere=("PH",)),)
DE_ONLY = (a.policy(everywhere=("DE",)),)


def test_placing_takes_two_status_writes_and_one_place_and_then_nothing() -> None:
    placed = w.settled(w.world())
    assert placed.done == ("status", "place sg")
    serving_there = w.settled(w.serving_on(placed, "sg"))
    assert serving_there.done == ("status", "place sg", "status")
    assert serving_there.condition() == ("True", "Serving")
    assert w.step(w.later(serving_there, timedelta(hours=5))).done == serving_there.done


def test_without_a_finalizer_placing_adds_it_before_anything_else() -> None:
    assert w.settled(w.world(model=w.model(finalizer=False))).done == ("finalizer", "status", "place sg")


def test_moving_takes_the_old_copy_away_and_serves_where_it_is_lawful_now() -> None:
    before = w.forgotten(w.running())
    moving = w.step(replace(before, policies=PH_ONLY))
    assert moving.done == ("status", "withdraw sg", "place ph")
    assert moving.states == {"ph": "Starting", "sg": "Leaving"}
    assert moving.condition() == ("False", "UnlawfulPlacement")
    moved = w.settled(w.serving_on(moving, "ph"))
    assert moved.states == {"ph": "Serving"}
    assert set(moved.there) == {a.uid("ph")}
    assert moved.condition() == ("True", "Serving")


def test_unlawful_everywhere_the_model_is_taken_away_and_held_with_a_reason() -> None:
    held = w.settled(replace(w.forgotten(w.running()), policies=DE_ONLY))
    assert held.done == ("status", "withdraw sg", "status")
    assert held.there == {}
    assert held.condition() == ("False", "NoLawfulCluster")
    assert held.status.placed_on == ""


def test_deleting_withdraws_proves_absence_and_then_lets_go() -> None:
    assert w.settled(w.deleted(w.forgotten(w.running()))).done == ("status", "withdraw sg", "release")


def test_deleting_what_was_never_placed_writes_nothing_but_the_release() -> None:
    assert w.settled(w.deleted(w.world(policies=()))).done == ("release",)


def test_deleting_waits_for_a_member_out_of_sight_and_ends_when_it_is_back() -> None:
    waiting = w.settled(w.hidden(w.deleted(w.forgotten(w.running())), "sg"))
    assert waiting.done == ("status",)
    assert waiting.model is not None
    assert waiting.condition() == ("False", "WaitingForCluster")
    assert w.settled(w.in_sight(waiting, "sg")).done == ("status", "status", "withdraw sg", "release")


def test_deleting_waits_for_a_cluster_that_was_removed_and_says_what_to_do() -> None:
    waiting = w.settled(w.unregistered(w.deleted(w.running()), "sg"))
    assert waiting.model is not None
    assert "join it again" in waiting.message()
    assert w.settled(w.registered(waiting, "sg")).model is None


def test_a_rebuilt_cluster_of_the_same_name_proves_nothing_about_the_old_one() -> None:
    rebuilt = w.registered(w.deleted(w.running()), "sg", at="sg-rebuilt")
    asked = replace(rebuilt, proven_absent=frozenset({a.member(at="sg-rebuilt")}))
    waiting = w.settled(asked)
    assert waiting.model is not None
    assert a.uid("sg") in waiting.there
    assert a.uid("sg") in waiting.message()


def test_what_can_be_seen_is_there_whatever_was_proved_before() -> None:
    proved = replace(w.deleted(w.forgotten(w.running())), proven_absent=frozenset({a.member()}))
    assert w.step(proved).done == ("status", "withdraw sg")


def test_what_another_cluster_of_the_name_had_not_is_no_proof_once_the_first_is_back_and_out_of_sight() -> None:
    before = w.deleted(w.running())
    proved = replace(w.hidden(before, "sg"), proven_absent=frozenset({a.member(at="sg-rebuilt")}))
    assert w.settled(proved).model is not None


def test_a_rebuilt_cluster_gets_the_model_once_it_is_attested_and_the_old_copy_stays_on_record() -> None:
    rebuilt = w.settled(w.registered(w.running("sg"), "sg", at="sg-rebuilt"))
    assert rebuilt.condition() == ("False", "NoLawfulCluster")
    attested = replace(rebuilt, attestations=(*rebuilt.attestations, a.attestation("new", of="sg", at="sg-rebuilt")))
    placed = w.settled(attested)
    uids = {(r.cluster_uid, r.state) for r in placed.status.placements}
    assert uids == {(a.uid("sg"), "Leaving"), (a.uid("sg-rebuilt"), "Starting")}
    assert placed.condition("PolicyCompliant") == ("Unknown", "ClusterNotRegistered")


def test_a_cluster_out_of_sight_keeps_the_model_and_costs_one_write_each_way() -> None:
    before = w.forgotten(w.running("sg", "ph", policies=SG_OR_PH, on=_chosen_of_two()))
    host = _chosen_of_two()
    out = w.settled(w.hidden(before, host))
    assert out.done == ("status",)
    assert out.states == {host: "OutOfSight"}
    assert out.condition() == ("Unknown", "ClusterOutOfSight")
    assert w.settled(w.hidden(out, host, message="refused this time")).done == ("status",)
    back = w.settled(w.in_sight(out, host))
    assert back.done == ("status", "status")
    assert back.states == {host: "Serving"}


def test_a_restart_of_the_operator_while_a_member_is_out_of_sight_costs_no_write() -> None:
    out = w.forgotten(w.settled(w.hidden(w.running(), "sg")))
    connecting = placement.OutOfSight("Connecting", "first attempt", out.now)
    again = replace(out, views={**out.views, "sg": replace(out.views["sg"], connection=connecting)})
    assert w.settled(again).done == ()
    slow = w.later(again, timedelta(seconds=11))
    assert w.settled(slow).done == ()
    assert w.settled(w.hidden(slow, "sg", message="another text, and another beginning")).done == ()


def test_what_other_clusters_go_through_costs_a_model_that_has_all_it_wants_no_write() -> None:
    host = _chosen_of_two()
    other = {"sg": "ph", "ph": "sg"}[host]
    accelerated = w.model(accelerators={"count": 1})
    views = {name: a.view(name, a.node()) for name in ("sg", "ph")}
    before = w.running("sg", "ph", policies=SG_OR_PH, model=accelerated, views=views, on=host)
    for what in (
        w.hidden(before, other),
        replace(before, views={**before.views, other: a.view(other, a.node(granted=1))}),
    ):
        assert w.settled(w.forgotten(what)).done == ()


def test_a_dead_cluster_is_named_to_a_model_that_would_need_it() -> None:
    held = w.settled(w.hidden(w.world("sg"), "sg"))
    assert held.condition() == ("False", "NoAbleCluster")
    assert [(e.cluster, e.reason) for e in held.status.exclusions] == [("sg", "ClusterOutOfSight")]
    assert w.settled(w.hidden(w.forgotten(held), "sg", message="timed out this time")).done == ()


def test_a_lapse_while_running_withdraws_at_that_moment_and_says_when_to_look() -> None:
    end = a.NOW + timedelta(hours=1)
    before = w.forgotten(w.running("sg", attestations=(w.attested("sg", until=end),)))
    assert w.plan(before).look_again == end
    assert w.step(w.later(before, timedelta(minutes=59))).done == ()
    lapsed = w.settled(w.later(before, timedelta(hours=1)))
    assert lapsed.done == ("status", "withdraw sg", "status")
    assert lapsed.there == {}


def test_a_renewed_attestation_costs_one_status_write_and_no_write_on_the_member() -> None:
    before = w.forgotten(w.running())
    renewed = replace(before, attestations=(w.attested("sg", until=a.LONG_AHEAD + timedelta(days=9)), w.attested("ph")))
    assert w.settled(renewed).done == ("status",)


def test_a_changed_spec_is_placed_anew_on_the_same_cluster() -> None:
    changed = w.settled(w.with_model(w.forgotten(w.running()), replicas={"min": 2}))
    assert changed.done == ("status", "place sg")
    assert changed.states == {"sg": "Starting"}


def test_a_further_data_class_without_a_policy_takes_the_model_away() -> None:
    changed = w.settled(w.with_model(w.forgotten(w.running()), data_classes=("customer.pii", "health")))
    assert changed.there == {}
    assert changed.condition() == ("False", "NoMatchingPolicy")


def test_a_namespace_that_loses_its_label_loses_the_model() -> None:
    bank = (a.policy(namespaces={"matchLabels": {"unit": "bank"}}),)
    before = w.forgotten(w.running(policies=bank, labels={"unit": "bank"}))
    assert w.settled(replace(before, labels={"unit": "shop"})).there == {}
    assert w.settled(replace(before, labels={"unit": "bank", "more": "labels"})).done == ()


def test_a_namespace_that_is_not_known_is_not_one_without_labels() -> None:
    bank = (a.policy(namespaces={"matchLabels": {"unit": "bank"}}),)
    before = w.forgotten(w.running(policies=bank, labels={"unit": "bank"}))
    held = w.settled(replace(before, labels=None))
    assert held.done == ("status",)
    assert held.there == before.there
    assert "Namespace/retail-banking" in held.message()


def test_an_unreadable_policy_stops_placing_and_leaves_alone_what_runs() -> None:
    assert w.acts(w.world(unreadable=("ResidencyPolicy/next",))) == []
    before = w.forgotten(w.running())
    held = w.settled(replace(before, unreadable=("ResidencyPolicy/next",)))
    assert held.done == ("status",)
    assert held.there == before.there
    assert held.condition() == ("Unknown", "PolicyUnreadable")
    assert held.condition("Available") == ("True", "Serving")
    again = w.settled(replace(held, unreadable=()))
    assert again.status == before.status


UNREADABLE = {
    "a policy: it can only deny more": ("ResidencyPolicy/next", a.policy(everywhere=("PH",)), {}),
    "an attestation: it can only contradict what is known": (
        "ClusterAttestation/next",
        a.policy(everywhere=("PH",)),
        {},
    ),
    "the policy that covers the model": ("ResidencyPolicy/next", a.policy(data_classes=("other",)), {a.uid("sg")}),
    "facts, where no policy speaks of the class": ("ClusterAttestation/next", a.policy(data_classes=("other",)), {}),
    "a group: its members may be allowed": ("JurisdictionGroup/next", a.policy(everywhere=("PH",)), {a.uid("sg")}),
    "a record: it may settle a rule": ("ResidencyRecord/next", a.policy(everywhere=("PH",)), {a.uid("sg")}),
    "an exception: it may settle a rule": ("ResidencyException/next", a.policy(everywhere=("PH",)), {a.uid("sg")}),
    "an order of classes: it may drop one that denies": (
        "DataClassification/next",
        a.policy(everywhere=("PH",)),
        {a.uid("sg")},
    ),
    "an order of classes: it may drop one that nothing covers": (
        "DataClassification/next",
        a.policy(data_classes=("other",)),
        {a.uid("sg")},
    ),
    "facts: pools could stand in the part of the country that is allowed": (
        "ClusterAttestation/next",
        a.policy(workers=("SG-1",)),
        {a.uid("sg")},
    ),
    "facts: so could those of the hub": ("ClusterAttestation/next", a.policy(hub=("SG-1",)), {a.uid("sg")}),
    "facts: a group can have a part of a country too": (
        "ClusterAttestation/next",
        a.policy(workers=("group:parts",)),
        {a.uid("sg")},
    ),
    "facts: no pool of a cluster in one country stands in another": (
        "ClusterAttestation/next",
        a.policy(workers=("PH", "group:far-away", "group:not-there")),
        {},
    ),
}


@pytest.mark.parametrize(("name", "policy", "left"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_with_something_unreadable_only_what_is_unlawful_anyway_is_withdrawn(name, policy, left) -> None:
    groups = (a.group("parts", "SG-1"), a.group("far-away", "DE"))
    state = w.settled(replace(w.running("sg"), unreadable=(name,), policies=(policy,), further={"groups": groups}))
    assert set(state.there) == set(left)


def test_an_unreadable_attestation_could_vouch_for_what_is_unknown() -> None:
    before = w.forgotten(w.running("sg"))
    state = w.settled(replace(before, unreadable=("ClusterAttestation/next",), attestations=()))
    assert set(state.there) == {a.uid("sg")}


@pytest.mark.parametrize("unreadable", [(), ("ResidencyPolicy/next",)], ids=["all is known", "not all is known"])
def test_a_second_unlawful_name_of_the_cluster_takes_nothing_from_the_first(unreadable: tuple[str, ...]) -> None:
    before = w.forgotten(w.registered(w.running("sg"), "sg-b", at="sg"))
    after = w.settled(replace(before, unreadable=unreadable))
    assert set(after.there) == {a.uid("sg")}
    assert not [done for done in after.done if done.startswith("withdraw")]


def test_a_spec_that_cannot_be_read_stops_placing_leaves_alone_what_runs_and_says_what_is_wrong() -> None:
    before = w.forgotten(w.running())
    held = w.settled(w.damaged(before, "customer.pii"))
    assert held.done == ("status",)
    assert held.there == before.there
    assert held.states == {"sg": "Serving"}
    assert held.condition() == ("False", "SpecUnreadable")
    assert held.message().startswith("spec.resources.requests.cpu: '0' must be more than zero: correct it. ")
    assert held.condition("Available") == ("True", "Serving")
    assert held.status.conditions[0].observed_generation == 2
    again = w.settled(w.with_model(held))
    assert again.condition() == ("True", "Serving")
    assert w.settled(w.damaged(w.world(), "customer.pii")).done == ("status",)


DAMAGED = {
    "unlawful by classes that can be read": ("customer.pii", {"policies": PH_ONLY}, {}),
    "by a rule about what cannot be read of it": (
        "customer.pii",
        {"policies": (a.policy(rules=[a.rule(expression="model.accelerators < 1")]),)},
        {a.uid("sg")},
    ),
    "by a rule about what it pulls, which nobody knows": (
        "customer.pii",
        {"policies": (a.policy(rules=[a.rule(expression="model.artifacts.exists(x, x.startsWith('r'))")]),)},
        {a.uid("sg")},
    ),
    "by a rule about its classes": (
        "customer.pii",
        {"policies": (a.policy(rules=[a.rule(expression="!('customer.pii' in model.dataClasses)")]),)},
        {},
    ),
    "by a rule about the cluster": (
        "customer.pii",
        {"policies": (a.policy(rules=[a.rule(expression="cluster.certifications.exists(c, c.name == 'C5')")]),)},
        {},
    ),
    "of a class that no policy covers": ("health", {}, {}),
    "of a class that a policy may cover": ("health", {"unreadable": ("ResidencyPolicy/next",)}, {a.uid("sg")}),
    "in a namespace that is not known": ("customer.pii", {"policies": PH_ONLY, "labels": None}, {a.uid("sg")}),
    "of classes that nobody knows": (None, {"policies": PH_ONLY}, {a.uid("sg")}),
}


SITE = "site.node-restriction.kubernetes.io/name"
POOLS = {
    "nodePools": [
        {"name": name, "nodeSelector": {SITE: name}, "workers": {"jurisdiction": place}}
        for name, place in (("east", "SG"), ("west", "PH"))
    ]
}
IN_POOLS = {
    "one pool is denied by what cannot be read alone": (["SG"], {a.uid("sg")}),
    "all pools are elsewhere": (["DE"], {}),
}


@pytest.mark.parametrize(("workers", "left"), IN_POOLS.values(), ids=IN_POOLS.keys())
def test_of_a_spec_that_cannot_be_read_a_cluster_is_denied_where_all_of_its_pools_are(workers, left) -> None:
    rules = [a.rule(expression="model.accelerators < 1"), a.rule("no-artifact", "model.artifacts.size() == 9")]
    state = replace(
        w.running("sg"),
        policies=(a.policy(workers=workers, rules=rules),),
        attestations=(a.attestation(workers=None, has=POOLS),),
    )
    assert set(w.settled(w.damaged(state, "customer.pii")).there) == set(left)


@pytest.mark.parametrize(("data_class", "world", "left"), DAMAGED.values(), ids=DAMAGED.keys())
def test_of_a_spec_that_cannot_be_read_what_is_unlawful_is_withdrawn(data_class, world, left) -> None:
    classes = (data_class,) if data_class else ()
    state = w.settled(w.damaged(replace(w.running("sg"), **world), *classes))
    assert set(state.there) == set(left)
    assert set(state.states) == {"sg"} if left else state.states == {}
    assert state.condition() == ("False", "SpecUnreadable")
    assert state.condition("PolicyCompliant") == ("Unknown", "SpecUnreadable")


def test_while_it_is_withdrawn_it_is_said_to_be_unlawful() -> None:
    state = w.step(w.damaged(replace(w.running("sg"), policies=PH_ONLY), "customer.pii"))
    assert state.done[-1] == "withdraw sg"
    assert state.condition() == ("False", "UnlawfulPlacement")
    assert state.condition("Placed") == ("False", "SpecUnreadable")


@pytest.mark.parametrize("data_classes", [(), ("customer.pii",)])
def test_a_model_of_which_the_spec_cannot_be_read_can_be_deleted(data_classes) -> None:
    before = w.forgotten(w.running())
    assert w.settled(w.deleted(w.damaged(before, *data_classes))).done == ("status", "withdraw sg", "release")
    hidden = w.settled(w.hidden(w.deleted(w.damaged(before, *data_classes)), "sg"))
    assert hidden.condition() == ("False", "WaitingForCluster")
    assert w.settled(w.in_sight(hidden, "sg")).model is None


def test_nothing_is_decided_on_a_spec_that_cannot_be_read() -> None:
    with pytest.raises(
        TypeError, match=r"retail-banking/fraud-scorer cannot be read: spec\.resources\.requests\.cpu: "
    ):
        _ = w.snapshot(w.damaged(w.world())).whole


def test_two_clusters_then_one_then_two_again() -> None:
    both = w.settled(w.world(model=w.model(placement={"clusterCount": 2}), policies=SG_OR_PH))
    both = w.settled(w.serving_on(both, "sg", "ph"))
    assert both.states == {"sg": "Serving", "ph": "Serving"}
    one = w.settled(w.with_model(w.forgotten(both), placement={"clusterCount": 1}))
    assert list(one.states.values()) == ["Serving"]
    assert len(one.there) == 1
    two = w.settled(w.with_model(one, placement={"clusterCount": 2}))
    assert sorted(two.states.values()) == ["Serving", "Starting"]


def test_too_few_clusters_are_used_and_the_shortfall_is_told() -> None:
    state = w.running(model=w.model(placement={"clusterCount": 2}))
    assert state.states == {"sg": "Serving"}
    assert state.condition() == ("False", "TooFewClusters")
    assert state.condition("Available") == ("True", "Serving")


def test_a_surplus_copy_stays_until_the_chosen_one_serves() -> None:
    accelerated, node = w.model(accelerators={"count": 1}), a.node()
    before = w.running("sg", model=accelerated, views={"sg": a.view("sg", node)})
    views = {"sg": a.view("sg"), "ph": a.view("ph", node)}
    attestations = (w.attested("sg"), w.attested("ph"))
    moving = w.settled(replace(w.forgotten(before), views=views, attestations=attestations, policies=SG_OR_PH))
    assert moving.done == ("status", "place ph")
    assert moving.states == {"ph": "Starting", "sg": "Serving"}
    moved = w.settled(w.serving_on(moving, "ph"))
    assert moved.states == {"ph": "Serving"}
    assert set(moved.there) == {a.uid("ph")}


def test_what_is_on_its_way_out_does_not_win_against_what_serves() -> None:
    host, other = _chosen_of_two(), {"sg": "ph", "ph": "sg"}[_chosen_of_two()]
    state = w.world(policies=SG_OR_PH)
    state = w.recorded(w.on(w.on(state, host, deleting=True), other, serves=True), w.row(host, "Leaving"), w.row(other))
    moved = w.settled(state)
    assert moved.states == {other: "Serving"}
    assert "place" not in " ".join(moved.done)


def test_a_cluster_that_was_joined_twice_has_one_copy_and_keeps_it() -> None:
    """Rendezvous may prefer either name; neither is a second cluster from which to withdraw."""
    state = w.running("sg")
    twice = replace(
        w.registered(state, "sg-again", at="sg"),
        attestations=(*state.attestations, a.attestation("again", of="sg-again", at="sg")),
    )
    after = w.settled(w.forgotten(twice))
    assert after.there == state.there
    assert not [what for what in after.done if what != "status"]
    unlawful_name = w.settled(replace(w.forgotten(twice), attestations=state.attestations))
    assert unlawful_name.there == state.there


def test_a_cluster_that_was_renamed_keeps_its_copy() -> None:
    state = w.running("sg")
    renamed = replace(
        w.unregistered(w.registered(state, "sg-renamed", at="sg"), "sg"),
        attestations=(a.attestation("renamed", of="sg-renamed", at="sg"),),
    )
    after = w.settled(renamed)
    assert after.states == {"sg-renamed": "Serving"}
    assert after.there == state.there


def test_a_removed_cluster_loses_the_model_to_another_and_is_not_forgotten() -> None:
    host, other = _chosen_of_two(), {"sg": "ph", "ph": "sg"}[_chosen_of_two()]
    before = w.running("sg", "ph", policies=SG_OR_PH, on=host)
    moved = w.settled(w.serving_on(w.settled(w.unregistered(before, host)), other))
    assert moved.states == {other: "Serving", host: "Leaving"}
    assert moved.condition() == ("Unknown", "ClusterNotRegistered")
    back = w.settled(w.registered(moved, host))
    assert len(back.there) == 1
    assert back.condition() == ("True", "Serving")


def test_the_only_lawful_cluster_removed_says_what_to_do_before_all_else() -> None:
    removed = w.settled(w.unregistered(w.running("sg", "ph"), "sg"))
    assert removed.condition() == ("False", "NoLawfulCluster")
    assert removed.message().startswith("waiting for sg (UID ")
    assert "join it again" in removed.message()
    assert "; none of 1 cluster is lawful under " in removed.message()
    assert removed.message("Available") == "leaving sg, and on no other cluster"
    assert w.settled(w.registered(removed, "sg")).condition() == ("True", "Serving")


def test_a_lost_finalizer_is_put_back_while_anything_is_left() -> None:
    before = w.running()
    assert before.model is not None
    bare = before.model.metadata.model_copy(update={"finalizers": ()})
    state = w.forgotten(replace(before, model=before.model.model_copy(update={"metadata": bare})))
    assert w.settled(state).done == ("finalizer",)


def test_a_lost_status_is_found_again_by_looking() -> None:
    before = w.running()
    assert before.model is not None
    lost = w.forgotten(replace(before, model=before.model.model_copy(update={"status": None})))
    after = w.settled(lost)
    assert after.done == ("status",)
    assert after.states == {"sg": "Serving"}


def test_a_lost_status_does_not_move_a_model_away_from_its_own_accelerators() -> None:
    selector = {placement.PRODUCT_LABEL: "NVIDIA-L4"}
    state = w.world("sg", model=w.model(accelerators={"count": 1}), views={"sg": a.view("sg", a.node(granted=1))})
    after = w.settled(w.on(state, "sg", serves=True, selector=selector))
    assert after.states == {"sg": "Serving"}
    assert after.status.placements[0].node_selector == selector


def test_something_edited_on_the_member_is_put_right_by_one_write_there() -> None:
    before = w.forgotten(w.running())
    copy = before.there[a.uid("sg")]
    service = copy.workload.inference_service
    predictor = {**service["spec"]["predictor"], "serviceAccountName": "another"}
    edited = replace(copy.workload, inference_service={**service, "spec": {"predictor": predictor}})
    state = replace(before, there={a.uid("sg"): replace(copy, workload=edited)})
    assert [what for what in w.settled(state).done if what != "status"] == ["place sg"]


def test_what_is_being_deleted_on_the_member_is_made_anew_once_it_is_gone() -> None:
    before = w.running()
    copy = before.there[a.uid("sg")]
    going = w.settled(w.forgotten(replace(before, there={a.uid("sg"): replace(copy, deleting=True)})))
    assert going.done == ("status",)
    assert going.states == {"sg": "Starting"}
    assert w.settled(replace(going, there={})).done == ("status", "place sg")


def test_a_refusal_is_told_in_steady_words_and_tried_again() -> None:
    placed = w.step(w.world(), at_most=1)
    refused = w.step(replace(placed, refusals={"sg": Refusal("Forbidden", "no quota")}), at_most=1)
    assert refused.condition() == ("False", "Forbidden")
    assert "no quota" in refused.message()
    assert w.acts(refused) == ["Place sg"]
    silent = w.step(replace(placed, refusals={"sg": Refusal("Unreachable", "refused")}), at_most=1)
    again = replace(silent, refusals={"sg": Refusal("Unreachable", "timed out")})
    assert w.plan(replace(silent, refusals={"sg": Refusal("Unreachable", "refused")})).status == w.plan(again).status


def test_a_refusal_that_time_has_healed_is_not_told() -> None:
    state = replace(w.running(), refusals={"sg": Refusal("Forbidden", "no quota")})
    assert w.plan(state).status == state.status


def test_a_held_copy_that_does_not_serve_says_why_nothing_is_done() -> None:
    before = w.running("sg")
    missing = replace(before.views["sg"], serving=placement.ServingMissing("KServe is not installed"))
    held = w.settled(replace(w.forgotten(before), views={"sg": missing}, there={}))
    assert held.done == ("status",)
    assert held.states == {"sg": "Failing"}
    assert held.condition() == ("False", "ServingUnavailable")
    assert "KServe is not installed" in held.message()


def test_a_held_copy_that_serves_goes_on_serving() -> None:
    before = w.running("sg")
    missing = replace(before.views["sg"], serving=placement.ServingMissing("KServe is not installed"))
    assert w.settled(replace(w.forgotten(before), views={"sg": missing})).done == ()


def test_a_members_own_words_of_any_length_stop_no_decision() -> None:
    before = w.running("sg")
    copy = before.there[a.uid("sg")]
    long = {**a.READY, "address": {"url": "http://" + "x" * 2000}}
    service = a.seen_object(copy.workload.inference_service, status=long)
    seen = {"sg": a.seen_workload(copy.workload, inference_service=service)}
    plan = w.decision.decide(replace(w.snapshot(before), seen=seen), before.now)
    assert isinstance(plan, w.Plan)
    assert plan.status.placements[0].endpoint == ""
    talkative = replace(before, refusals={"sg": Refusal("Invalid", "x" * 40_000)}, there={})
    assert len(w.plan(talkative).status.conditions[0].message) == 32768


CONNECTING = placement.OutOfSight("Connecting", "first attempt", a.NOW)


def _connecting(state: w.World, name: str) -> w.World:
    return replace(state, views={**state.views, name: replace(a.view(name), connection=CONNECTING)})


WAITS = {
    "for a cluster that it may get": (_connecting(w.world(), "sg"), True),
    "not for one where it may not run": (_connecting(w.world(), "ph"), False),
    "for the cluster where it is": (_connecting(w.recorded(w.world("sg"), w.row("sg")), "sg"), True),
    "not for another, having all it wants": (
        _connecting(w.recorded(w.world("sg", "ph", policies=SG_OR_PH), w.row("sg")), "ph"),
        False,
    ),
    "not while something unlawful can be withdrawn": (
        _connecting(w.recorded(w.on(w.world("ph", "sg"), "ph"), w.row("ph")), "sg"),
        False,
    ),
    "to be deleted, for where it is": (_connecting(w.deleted(w.recorded(w.world("sg"), w.row("sg"))), "sg"), True),
    "to be deleted, not for where it is not": (_connecting(w.deleted(w.world("sg")), "sg"), False),
    "no longer than its grace": (w.later(_connecting(w.world(), "sg"), timedelta(seconds=10)), False),
    "not for a rebuilt one": (
        _connecting(w.deleted(w.recorded(w.world("sg"), w.row("sg", at="sg-before"))), "sg"),
        False,
    ),
}


@pytest.mark.parametrize(("state", "waits"), WAITS.values(), ids=WAITS.keys())
def test_a_decision_waits_for_a_first_answer(state: w.World, waits: bool) -> None:
    decided = w.decision.decide(w.snapshot(state), state.now)
    assert isinstance(decided, w.Wait) is waits
    if isinstance(decided, w.Wait):
        assert decided.look_again == a.NOW + timedelta(seconds=10)


STORIES = {
    "placing": w.world(model=w.model(finalizer=False)),
    "moving": replace(w.running(), policies=PH_ONLY),
    "leaving": replace(w.running(), policies=DE_ONLY),
    "deleting": w.deleted(w.running()),
    "two clusters": w.world(model=w.model(placement={"clusterCount": 2}), policies=SG_OR_PH),
}


@pytest.mark.parametrize("start", STORIES.values(), ids=STORIES.keys())
@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_crash_after_each_step_loses_nothing_and_writes_nothing_twice(start: w.World, writes: int) -> None:
    straight = w.settled(w.forgotten(start))
    state = w.forgotten(start)
    for _ in range(12):
        state = w.step(w.restarted(w.step(state, at_most=writes)))
    state = w.settled(state)
    assert state.model == straight.model
    assert state.there == straight.there
    assert sorted(state.done) == sorted(straight.done)


def _chosen_of_two() -> str:
    return next(iter(w.settled(w.world(policies=SG_OR_PH)).states))
