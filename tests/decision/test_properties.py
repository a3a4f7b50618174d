"""What holds of every decision, in any world: small worlds are drawn with all that may be wrong in them at once."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

import builders as a
from decision import world as w
from domicile import decision, placement, residency
from domicile.api import ModelRemnant, SovereignModel, SovereignModelStatus
from domicile.decision import AddFinalizer, Place, Plan, Refusal, ReleaseFinalizer, Snapshot, Withdraw
from domicile.decision.decide import question
from domicile.residency import MemberId

NAMES = ("sg", "ph", "de")
STATES = ("Starting", "Serving", "Failing", "OutOfSight", "Leaving")
STARVED = {"pod": {"node": "", "unschedulable": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}}
ENDS = st.sampled_from([timedelta(hours=-1), timedelta(seconds=0), timedelta(hours=1)])

connections = st.sampled_from(
    [
        placement.Connected("v1.36.3"),
        placement.Connected("v1.36.3"),
        a.out_of_sight(),
        placement.OutOfSight("Connecting", "first attempt", a.NOW),
        placement.OutOfSight("Connecting", "first attempt", a.NOW - timedelta(seconds=30)),
    ]
)
stacks = st.sampled_from([placement.ServingAvailable("0.20.0"), placement.ServingMissing("not installed")])
policies = st.lists(
    st.builds(
        a.policy,
        st.sampled_from(["one", "two"]),
        everywhere=st.lists(st.sampled_from(["SG", "PH", "DE"]), min_size=1, max_size=3, unique=True),
        data_classes=st.sampled_from([(), ("customer.pii",), ("other",)]),
    ),
    max_size=2,
    unique_by=lambda policy: policy.metadata.name,
).map(tuple)


@st.composite
def views(draw: st.DrawFn) -> dict[str, placement.ClusterView]:
    drawn = {}
    for name in NAMES:
        if draw(st.integers(0, 5)):
            # Now and then a rebuilt cluster, or one that is registered under a second name.
            at = draw(st.sampled_from([name, name, name, f"{name}-rebuilt", "sg"]))
            drawn[name] = placement.ClusterView(
                a.member(name, at=at),
                draw(connections),
                draw(stacks),
                accelerators=draw(st.sampled_from([(), (a.node(),), (a.node(granted=1),)])),
            )
    return drawn


@st.composite
def attestations(draw: st.DrawFn):
    drawn = []
    for name in NAMES:
        if draw(st.integers(0, 4)):
            end = a.NOW + draw(ENDS)
            drawn.append(w.attested(name, until=draw(st.sampled_from([a.LONG_AHEAD, end]))))
            at = draw(st.sampled_from([None, f"{name}-rebuilt", "sg"]))
            if at is not None:
                drawn.append(
                    a.attestation(f"{name}-more", of=name, at=at, everything=draw(st.sampled_from(["SG", "PH"])))
                )
    return tuple(drawn)


@st.composite
def worlds(draw: st.DrawFn) -> w.World:
    count = draw(st.integers(1, 3))
    accelerators = draw(st.sampled_from([None, None, {"count": 1}]))
    model = w.model(
        finalizer=draw(st.booleans()),
        placement={"clusterCount": count},
        accelerators=accelerators,
    )
    state = w.world(
        model=model,
        views=draw(views()),
        policies=draw(policies),
        attestations=draw(attestations()),
        labels=draw(st.sampled_from([{}, {}, {}, None])),
        unreadable=draw(st.sampled_from([(), (), (), ("ResidencyPolicy/next",), ("ClusterAttestation/next",)])),
        refusals=draw(st.dictionaries(st.sampled_from(NAMES), st.just(Refusal("Forbidden", "no quota")))),
        proven_absent=frozenset(a.member(name) for name in draw(st.frozensets(st.sampled_from(NAMES)))),
    )
    recorded = draw(st.dictionaries(st.sampled_from([*NAMES, "sg-rebuilt"]), st.sampled_from(STATES), max_size=3))
    rows = tuple(w.row(uid.removesuffix("-rebuilt"), phase, at=uid) for uid, phase in sorted(recorded.items()))
    if rows or draw(st.booleans()):
        state = w.recorded(state, *rows)
    selector = draw(st.sampled_from([{}, {placement.PRODUCT_LABEL: "NVIDIA-L4"}]))
    for name in draw(st.frozensets(st.sampled_from(NAMES))):
        state = w.on(
            state, name, selector=selector, **draw(st.sampled_from([{}, {"serves": True}, {"deleting": True}, STARVED]))
        )
    if not draw(st.integers(0, 5)):
        state = w.damaged(state, *draw(st.sampled_from([(), ("customer.pii",)])))
    return w.deleted(state) if not draw(st.integers(0, 5)) else state


def decided(state: w.World) -> Plan | None:
    """The plan; None where the decision waits."""
    plan = decision.decide(w.snapshot(state), state.now)
    return plan if isinstance(plan, Plan) else None


def lawful_now(state: w.World) -> set[MemberId]:
    """Asked once more of the engine, and of nobody else."""
    assert state.model is not None
    if state.labels is None:
        return set()
    asked = question(w.snapshot(state), state.now)
    law = residency.Law(state.policies, state.attestations)
    return {v.member for v in residency.judge(law, asked).verdicts if isinstance(v, residency.Lawful)}


def present(seen: Snapshot) -> set[MemberId]:
    return set(seen.present())


@given(worlds())
def test_only_what_is_lawful_now_and_in_sight_is_placed(state: w.World) -> None:
    plan = decided(state)
    for act in plan.acts if plan else ():
        if isinstance(act, Place):
            assert act.permit.member in lawful_now(state)
            assert w.snapshot(state).in_sight(act.permit.member)
            assert act.permit.until > state.now
            assert not state.unreadable
            assert isinstance(state.model, SovereignModel)
            assert state.model.metadata.deletion_timestamp is None


@given(worlds())
def test_a_lawful_copy_is_withdrawn_only_when_all_chosen_ones_serve(state: w.World) -> None:
    plan = decided(state)
    if plan is None or w.snapshot(state).model.metadata.deletion_timestamp is not None:
        return
    withdrawn = {act.member for act in plan.acts if isinstance(act, Withdraw)}
    staying = [row for row in plan.status.placements if row.state != "Leaving"]
    if withdrawn & lawful_now(state):
        assert staying
        assert all(row.state == "Serving" for row in staying)
        # And never by way of another name from the very cluster that was chosen.
        assert not {member.uid for member in withdrawn} & {row.cluster_uid for row in staying}


@given(worlds())
def test_what_is_unlawful_and_in_sight_is_withdrawn_at_once(state: w.World) -> None:
    seen = w.snapshot(state)
    plan = decision.decide(seen, state.now)
    damaged = isinstance(seen.model, ModelRemnant)
    if seen.unknown or (damaged and not seen.data_classes) or seen.model.metadata.deletion_timestamp is not None:
        return
    unlawful = {member for member in present(seen) if seen.in_sight(member)} - lawful_now(state)
    kept = {r.cluster_uid for r in plan.status.placements if r.state != "Leaving"} if isinstance(plan, Plan) else set()
    expected = {member for member in unlawful if member.uid not in kept}
    withdrawn = {act.member for act in plan.acts if isinstance(act, Withdraw)} if isinstance(plan, Plan) else set()
    assert withdrawn >= expected


@given(worlds())
def test_the_finalizer_is_released_only_when_nothing_is_left(state: w.World) -> None:
    plan = decided(state)
    if plan and ReleaseFinalizer() in plan.acts:
        assert present(w.snapshot(state)) == set()
        assert plan.acts == (ReleaseFinalizer(),)


@given(worlds())
def test_nothing_is_placed_or_kept_without_the_finalizer(state: w.World) -> None:
    plan = decided(state)
    if plan and any(isinstance(act, Place) for act in plan.acts):
        seen = w.snapshot(state)
        assert seen.model.metadata.finalizers or isinstance(plan.acts[0], AddFinalizer)


@given(worlds())
def test_the_same_snapshot_and_moment_give_the_same_plan(state: w.World) -> None:
    assert decision.decide(w.snapshot(state), state.now) == decision.decide(w.snapshot(state), state.now)


@given(worlds(), st.sampled_from([timedelta(0), timedelta(seconds=3)]))
def test_a_status_that_was_written_is_not_written_again(state: w.World, by: timedelta) -> None:
    plan = decided(state)
    if plan is None or state.model is None:
        return
    written = replace(state, model=state.model.model_copy(update={"status": plan.status}))
    again = decided(w.later(written, by))
    assert again is not None
    assert again.status == plan.status


@given(worlds())
def test_a_status_comes_back_from_the_api_server_as_it_was(state: w.World) -> None:
    plan = decided(state)
    if plan is not None:
        assert SovereignModelStatus.model_validate(plan.status.wire()) == plan.status


@given(worlds())
def test_the_record_loses_nothing_that_was_not_proved_to_be_gone(state: w.World) -> None:
    seen, plan = w.snapshot(state), decided(state)
    if plan is not None:
        kept = {row.cluster_uid for row in plan.status.placements}
        assert {member.uid for member in present(seen)} <= kept


@given(worlds())
def test_whatever_happens_the_model_comes_to_rest(state: w.World) -> None:
    """With nothing else changing, and the operator dying now and then."""
    w.settled(w.settled(w.restarted(w.step(state, at_most=1))))
