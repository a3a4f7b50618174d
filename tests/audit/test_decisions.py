"""A decision as it is recorded: all that it was made of, how every rule fared on every cluster, and what is to be done."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

import builders as a
from audit import recorded
from audit.scenes import ELSEWHERE, OUTSOURCING, SNAPSHOTS, WORLDS, moving
from decision import world as w
from domicile import audit, placement
from domicile.audit import Account, Bag, Values, key_of
from domicile.decision import AddFinalizer, Place, Plan, ReleaseFinalizer, Withdraw
from domicile.evidence import dsse, records
from domicile.evidence.records import Content
from domicile.residency import permit
from evidence.logs import ORIGIN, OURS

CONTEXT = recorded.CONTEXT


def of(state: w.World) -> Account:
    return recorded.account(w.snapshot(state), state.now)


def candidates(account: Account) -> Mapping[str, Any]:
    return Values(account.values).entries(account.body["candidates"])


def test_the_whole_of_an_account() -> None:
    """What a reader finds, and under which name."""
    account = of(w.world())
    assert {name: type(value).__name__ for name, value in account.body.items()} == {
        "decided": "str",
        "what": "list",
        "seen": "dict",
        "coverage": "dict",
        "candidates": "str",
        "choice": "dict",
        "restsOn": "list",
        "acts": "list",
        "status": "str",
        "lookAgain": "str",
    }
    assert (account.subject, account.digest) == (
        "SovereignModel/retail-banking/fraud-scorer",
        account.body["seen"]["model"],
    )


SORTS: dict[str, tuple[str, ...]] = {
    "nothing done yet": ("Placed",),
    "decided, and nothing there": ("Placed",),
    "serving": ("Observed",),
    "moving away from what became unlawful": ("Evicted",),
    "deleted, and running": ("Withdrawn",),
    "deleted, and hidden": ("Deleting",),
    "deleted, and nothing left": ("LetGo",),
    "nowhere lawful": ("Refused",),
    "no policy": ("Refused",),
    "nothing can be recorded": ("Held",),
    "a spec that cannot be read": ("Held",),
    "unlawful, and a spec that cannot be read": ("Evicted",),
    "a policy that cannot be read": ("Observed",),
    "without its finalizer": ("Placed",),
}


@pytest.mark.parametrize("scene", SORTS)
def test_a_decision_is_of_a_sort_that_people_look_for(scene: str) -> None:
    seen, now = SNAPSHOTS[scene]
    assert tuple(recorded.account(seen, now).body["what"]) == SORTS[scene]


def test_a_decision_may_be_of_two_sorts() -> None:
    unlawful_now = replace(w.running(), policies=(a.policy(everywhere=("PH",)),))
    assert of(unlawful_now).body["what"] == ["Evicted", "Placed"]


def test_what_is_placed_anew_where_it_was_is_an_update() -> None:
    edited = w.with_model(w.running(), runtime={"image": a.IMAGE, "args": ["new"]})
    assert of(edited).body["what"] == ["Updated"]


def test_one_copy_too_many_is_withdrawn_and_not_evicted() -> None:
    both = w.settled(w.world("sg", "sg2", model=w.model(placement={"clusterCount": 2})))
    one = w.with_model(w.settled(w.serving_on(both, "sg", "sg2")), placement={"clusterCount": 1})
    assert of(one).body["what"] == ["Withdrawn"]


PLANNED = next(act for act in w.plan(w.world()).acts if isinstance(act, Place))
KEYS: dict[str, tuple[Any, audit.ActKey | None]] = {
    "placing": (PLANNED, ("Place", a.uid("sg"), PLANNED.permit.digest, PLANNED.workload.digest)),
    "withdrawing": (Withdraw(a.member("ph")), ("Withdraw", a.uid("ph"))),
    "letting go": (ReleaseFinalizer(), ("Release",)),
    "taking the model in hand, which is nothing on a member": (AddFinalizer(), None),
}


@pytest.mark.parametrize(("act", "key"), KEYS.values(), ids=KEYS)
def test_an_act_is_told_from_others(act: Any, key: audit.ActKey | None) -> None:
    assert audit.key_of(act) == key


def test_another_permit_is_another_act() -> None:
    other = Place(permit(a.model_ref(), a.lawful(), a.grounds()), PLANNED.workload)
    assert audit.key_of(other) != audit.key_of(PLANNED)


def test_the_finalizer_is_no_act_that_is_recorded() -> None:
    seen = w.snapshot(w.world(model=w.model(finalizer=False)))
    plan = Plan((AddFinalizer(),), w.plan(w.world()).status, None)
    assert audit.account(seen, plan, a.NOW, Bag()).body["acts"] == []


def test_an_act_names_the_cluster_and_what_allows_it() -> None:
    account = of(w.world())
    (act,) = account.body["acts"]
    grounds = account.values[act.pop("grounds")]
    assert act == {
        "act": "Place",
        "cluster": ["sg", a.uid("sg")],
        "permit": PLANNED.permit.digest,
        "until": audit.moment(a.LONG_AHEAD),
        "workload": PLANNED.workload.digest,
    }
    assert grounds["model"] == PLANNED.permit.grounds.model
    assert [name for name, _ in grounds["policies"]] == ["sg-customer-data"]


def test_what_is_withdrawn_is_named() -> None:
    acts = of(w.deleted(w.running())).body["acts"]
    assert acts == [{"act": "Withdraw", "cluster": ["sg", a.uid("sg")]}]


def test_what_is_let_go_is_on_no_cluster() -> None:
    assert of(WORLDS["deleted, and nothing left"]).body["acts"] == [{"act": "Release"}]


def test_the_keys_are_those_of_the_acts_in_their_order() -> None:
    keys = [key for act in w.plan(moving()).acts if (key := key_of(act)) is not None]
    assert [key[:2] for key in keys] == [(act["act"], act["cluster"][1]) for act in of(moving()).body["acts"]]


def test_every_cluster_has_every_rule() -> None:
    rules = [a.rule("assured-cloud"), a.rule("never", expression="false")]
    found = candidates(of(w.world("sg", "ph", policies=(a.policy(rules=rules),))))
    told = {name: {result["rule"] for result in each["sites"][0]["results"]} for name, each in found.items()}
    assert told["sg"] == told["ph"] >= {"assured-cloud", "never", "allow.workers", "allow.telemetry"}


def test_a_rule_says_what_it_rests_on() -> None:
    found = candidates(of(w.world("sg", policies=(a.policy(rules=[a.rule()]),))))
    result = next(r for r in found["sg"]["sites"][0]["results"] if r["rule"] == "assured-cloud")
    assert result["basis"].items() >= {"source": "Data standard", "clause": "7.2", "asOf": "2026-04-01"}.items()


def test_a_cluster_that_is_not_lawful_has_its_findings() -> None:
    found = candidates(of(w.world("sg", "ph")))
    assert (found["sg"]["lawful"], found["sg"]["findings"]) == (True, [])
    assert found["ph"]["lawful"] is False
    assert found["ph"]["findings"][0]["reason"] == "WorkersOutsideJurisdiction"


def test_a_cluster_is_told_pool_by_pool() -> None:
    found = candidates(of(WORLDS["attested by pool"]))
    assert [site["pool"] for site in found["sg"]["sites"]] == ["a"]


def test_what_an_audit_would_say_is_beside_what_is_enforced() -> None:
    site = candidates(of(WORLDS["audited"]))["sg"]["sites"][0]
    assert {r["policy"] for r in site["results"]} == {"sg-customer-data"}
    assert {r["policy"] for r in site["audited"]} == {"trial"}


COVERAGES: dict[str, tuple[w.World, dict[str, Any]]] = {
    "a policy": (w.world(), {"policies": ["sg-customer-data"], "audits": []}),
    "no policy": (w.world(policies=()), {"policies": [], "audits": []}),
    "an audit alone": (WORLDS["audited alone"], {"policies": [], "audits": ["trial"]}),
    "both": (WORLDS["audited"], {"policies": ["sg-customer-data"], "audits": ["trial"]}),
}


@pytest.mark.parametrize(("state", "told"), COVERAGES.values(), ids=COVERAGES)
def test_it_says_which_policies_were_asked(state: w.World, told: dict[str, Any]) -> None:
    assert of(state).body["coverage"] == {"dataClasses": ["customer.pii"], "conflicts": [], **told}


def test_policies_that_allow_nothing_together_are_told() -> None:
    (conflict, *_) = of(WORLDS["policies that allow no place together"]).body["coverage"]["conflicts"]
    assert "sg-customer-data" in conflict


def test_a_model_that_is_let_go_needs_no_judgement() -> None:
    body = of(w.deleted(w.running())).body
    assert (body["coverage"], body["candidates"], body["choice"], body["restsOn"]) == (None, None, None, [])


def test_what_was_chosen_is_told_and_what_was_passed_over() -> None:
    account = of(w.world("sg", "sg2", "sg3"))
    choice = account.body["choice"]
    (chosen,) = choice["chosen"]
    assert (chosen["as"], chosen["nodeSelector"], choice["shortfall"]) == ("Place", {}, 0)
    (passed,) = account.values[choice["passedOver"]]["passedOver"]
    assert (passed["reason"], {chosen["cluster"], *passed["clusters"]}) == ("NotNeeded", {"sg", "sg2", "sg3"})


RESTS_ON: dict[str, tuple[w.World, list[dict[str, Any]]]] = {
    "an exception": (
        WORLDS["by exception"],
        [
            {
                "kind": "ResidencyException",
                "name": "ticket-4711",
                "stamps": {"domicile.dev/requested-by": "ana", "domicile.dev/approved-by": "gil"},
            }
        ],
    ),
    "a record": (
        WORLDS["by record"],
        [{"kind": "ResidencyRecord", "name": "register-17", "stamps": {"domicile.dev/approved-by": "gil"}}],
    ),
    "both": (
        w.world(
            "sg",
            policies=(a.policy(rules=[OUTSOURCING]),),
            attestations=(ELSEWHERE,),
            further={"records": (a.record(),), "exceptions": (a.exception(), a.exception("ticket-1", rule="other"))},
        ),
        [
            {
                "kind": "ResidencyException",
                "name": "ticket-4711",
                "stamps": {"domicile.dev/requested-by": "ana", "domicile.dev/approved-by": "gil"},
            },
            {"kind": "ResidencyRecord", "name": "register-17", "stamps": {"domicile.dev/approved-by": "gil"}},
        ],
    ),
    "neither": (w.world(further={"exceptions": (a.exception(approved=False),)}), []),
}


@pytest.mark.parametrize(("state", "told"), RESTS_ON.values(), ids=RESTS_ON)
def test_it_says_whose_word_it_rests_on(state: w.World, told: list[dict[str, Any]]) -> None:
    assert of(state).body["restsOn"] == told


def test_it_says_when_it_is_looked_again() -> None:
    assert of(WORLDS["evidence that ends"]).body["lookAgain"] == "2026-11-23T10:00:00.000000Z"


def test_what_time_alone_does_not_change_is_not_looked_at_again() -> None:
    assert of(w.deleted(w.running())).body["lookAgain"] is None


# Records.


def placed_after(one: w.World, other: w.World) -> tuple[Account, Account]:
    """The second of two decisions knows what the first recorded."""
    first = recorded.account(w.snapshot(one), one.now)
    return first, recorded.account(w.snapshot(other), other.now, Bag(first.values.keys()))


def test_the_decision_comes_after_the_values_that_it_names() -> None:
    contents = audit.contents(of(w.world()), CONTEXT)
    assert [content.kind for content in contents] == ["Values", "Decision"]


def test_a_decision_says_who_decided_beside_what_follows_from_what_was_seen() -> None:
    account = of(w.world())
    *_, decided = audit.contents(account, CONTEXT)
    assert decided == Content("Decision", account.subject, account.digest, {**account.body, "context": CONTEXT})


def test_the_record_of_values_is_about_their_digests() -> None:
    account = of(w.world())
    values, _ = audit.contents(account, CONTEXT)
    assert values.digest == audit.digest_of({"of": sorted(account.values)})


def test_what_is_recorded_is_not_recorded_again() -> None:
    first, second = placed_after(w.running(), w.running())
    assert (second.body, second.values) == (first.body, {})


def test_a_decision_of_nothing_new_is_one_record() -> None:
    _, second = placed_after(w.running(), w.running())
    assert [content.kind for content in audit.contents(second, CONTEXT)] == ["Decision"]


def test_two_models_share_the_law_and_the_clusters() -> None:
    one, other = w.world(), w.world(model=w.model(name="chat"))
    first, second = placed_after(one, other)
    shared = {first.body["seen"]["law"], first.body["seen"]["members"]}
    assert shared <= first.values.keys()
    assert not shared & second.values.keys()
    assert (second.body["seen"]["law"], second.body["seen"]["members"]) == (
        first.body["seen"]["law"],
        first.body["seen"]["members"],
    )


def fleet(count: int, **changed: Any) -> w.World:
    names = [f"sg{number:03}" for number in range(count)]
    usual: dict[str, Any] = {
        "views": {name: a.view(name, a.node()) for name in names},
        "attestations": tuple(w.attested(name) for name in names),
    }
    return w.world(**{**usual, **changed})


def test_one_of_300_clusters_that_changes_costs_a_few_small_values() -> None:
    before = fleet(300)
    view = replace(before.views["sg123"], accelerators=(a.node(granted=1),))
    _, second = placed_after(before, replace(before, views={**before.views, "sg123": view}))
    sizes = [len(dsse.canonical(value)) for value in second.values.values()]
    print(f"one of 300 clusters: {len(sizes)} values of {sum(sizes)} bytes in all")
    assert len(sizes) <= 7  # A node, its list, the view, and three levels of the members; the candidates stay.
    assert sum(sizes) < 8 << 10


def test_what_is_larger_than_one_record_goes_into_several() -> None:
    account = of(fleet(300))
    *values, _ = audit.contents(account, CONTEXT)
    assert len(values) > 1
    assert {digest: v for each in values for digest, v in each.body["values"].items()} == account.values
    for content in values:
        records.check(content, 1)


def test_values_of_the_greatest_size_each_have_a_record() -> None:
    large = {name: {"a": name * (64 << 10)} for name in "xyz"}
    account = Account("SovereignModel/a/b", a.DIGEST, {}, large)
    assert [list(content.body["values"]) for content in audit.contents(account, CONTEXT)[:-1]] == [["x"], ["y"], ["z"]]


def unlawful_each_for_its_own_reason(count: int) -> w.World:
    """Evidence that ended at other times, clusters elsewhere, of which nothing is known, and without a certificate."""
    rules = [a.rule(f"rule-{n}", expression=f"cluster.certifications.exists(c, c.name == 'C{n}')") for n in range(10)]
    names = [f"sg{number:03}" for number in range(count)]
    facts = [
        {"everything": "DE"},
        {"until": a.YESTERDAY},
        {"telemetry": None},
        {"key_store": "PH", "operator": "DE"},
        {"workers": "MY-14"},
    ]
    return w.world(
        views={name: a.view(name) for name in names},
        policies=(a.policy(rules=rules),),
        attestations=tuple(w.attested(name, **facts[i % len(facts)]) for i, name in enumerate(names)),
    )


def lawful_and_unable_each_for_its_own_reason(count: int) -> w.World:
    state = fleet(count, model=w.model(accelerators={"count": 2}))
    how: list[dict[str, Any]] = [
        {},
        {"fence": placement.FenceDown("NotRefused", "a request went through")},
        {"serving": placement.ServingMissing("no InferenceService")},
        {"connection": a.out_of_sight()},
        {"accelerators": ()},
    ]
    views = {name: replace(view, **how[i % len(how)]) for i, (name, view) in enumerate(state.views.items())}
    return replace(state, views=views)


SIZES: dict[str, w.World] = {
    "100 clusters, all lawful": fleet(100),
    "100 clusters, all lawful, and serving": w.settled(
        w.serving_on((placed := w.settled(fleet(100))), next(iter(placed.states)))
    ),
    "100 clusters, all unlawful": unlawful_each_for_its_own_reason(100),
    "100 clusters, all lawful and unable": lawful_and_unable_each_for_its_own_reason(100),
    "100 clusters, all out of sight": w.hidden(fleet(100), *fleet(100).views),
}


@pytest.mark.parametrize("state", SIZES.values(), ids=SIZES)
def test_a_decision_of_100_clusters_is_less_than_10_kb_beside_what_is_shared(state: w.World) -> None:
    *values, decided = audit.contents(of(state), CONTEXT)
    place = records.Place(7, a.DIGEST, a.NOW, 3, ORIGIN)
    line = records.sealed(records.payload(decided, place), OURS).line()
    print(f"{len(line)} bytes, and {sum(len(dsse.canonical(dict(each.body))) for each in values)} of values")
    assert len(line) < 10_000
