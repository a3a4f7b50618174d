"""Which clusters a model gets: it stays where it is, and what is new falls evenly and without regard to order."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import member, model_ref
from domicile.placement import (
    Able,
    Candidate,
    Choice,
    Current,
    Hold,
    Keep,
    NotSeen,
    NotYet,
    PassedOver,
    Place,
    Unable,
    choose,
)
from domicile.residency import MemberId, ModelRef

SG, PH, DE = member("sg"), member("ph"), member("de")
ABLE = Able((("nvidia.com/gpu.product", "NVIDIA-L4"),))
WAITING = Able(ABLE.node_selector, waits=True)
BUSY = Unable("AcceleratorsBusy", "all taken")
LOST = NotSeen("Unreachable", "no answer")
DOWN = NotYet("FenceNotInForce", "being put back")
MODEL = model_ref()
PAIRS = (("nvidia.com/gpu.product", "NVIDIA-L4"),)
L4 = Current(dict(PAIRS))
HERE, SERVING = Current(), Current(serving=True)


def of(member: MemberId, ability: Able | Unable | NotSeen | NotYet = ABLE) -> Candidate:
    return Candidate(member, ability)


def names(choice: Choice) -> set[str]:
    return {place.member.name for place in choice.chosen}


CASES: dict[str, tuple[int, list[Candidate], dict[MemberId, Current], Choice]] = {
    "nothing is lawful": (1, [], {}, Choice((), (), 1)),
    "the only one": (1, [of(SG)], {}, Choice((Place(SG, PAIRS),), (), 0)),
    "it stays where it is": (
        1, [of(SG), of(DE)], {DE: HERE},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "what is not able gets nothing new": (
        1, [of(SG, BUSY), of(DE, LOST)], {},
        Choice((), (PassedOver(DE, "Unreachable", "no answer"), PassedOver(SG, "AcceleratorsBusy", "all taken")), 1),
    ),
    "out of sight it is held, and nobody takes its place": (
        1, [of(SG, LOST), of(DE)], {SG: L4},
        Choice((Hold(SG, PAIRS, "Unreachable", "no answer"),),
               (PassedOver(DE, "NotNeeded", "the model runs on 1 cluster, and sg was chosen"),), 0),
    ),
    "unable, it gives way to one that is able": (
        1, [of(SG, BUSY), of(DE)], {SG: L4},
        Choice((Place(DE, PAIRS),), (PassedOver(SG, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "unable, it is held where no other is able": (
        1, [of(SG, BUSY), of(DE, LOST)], {SG: L4},
        Choice((Hold(SG, PAIRS, "AcceleratorsBusy", "all taken"),), (PassedOver(DE, "Unreachable", "no answer"),), 0),
    ),
    "what is not lawful any more does not count": (1, [of(DE)], {SG: L4}, Choice((Place(DE, PAIRS),), (), 0)),
    "a rebuilt cluster is another": (
        1, [of(SG)], {member("sg", at="before"): L4}, Choice((Place(SG, PAIRS),), (), 0),
    ),
    "fewer than wanted": (3, [of(SG), of(DE, BUSY)], {SG: L4},
        Choice((Keep(SG, PAIRS),), (PassedOver(DE, "AcceleratorsBusy", "all taken"),), 2)),
    "of too many, what is seen is kept before what is not": (
        1, [of(SG, LOST), of(DE)], {SG: L4, DE: L4},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "Unreachable", "no answer"),), 0),
    ),
    "of too many, the one that serves is kept": (
        1, [of(SG), of(DE)], {SG: HERE, DE: SERVING},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "whichever that is": (
        1, [of(SG), of(DE)], {SG: SERVING, DE: HERE},
        Choice((Keep(SG, PAIRS),), (PassedOver(DE, "NotNeeded", "the model runs on 1 cluster, and sg was chosen"),), 0),
    ),
    "that it served before it became unable does not count": (
        1, [of(SG, BUSY), of(DE)], {SG: SERVING, DE: HERE},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "it does where none is able": (
        1, [of(SG, BUSY), of(DE, BUSY)], {SG: HERE, DE: SERVING},
        Choice((Hold(DE, (), "AcceleratorsBusy", "all taken"),), (PassedOver(SG, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "and where the other one serves": (
        1, [of(SG, BUSY), of(DE, BUSY)], {SG: SERVING, DE: HERE},
        Choice((Hold(SG, (), "AcceleratorsBusy", "all taken"),), (PassedOver(DE, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "that it served before it was out of sight does not count": (
        1, [of(SG, LOST), of(DE)], {SG: SERVING, DE: HERE},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "Unreachable", "no answer"),), 0),
    ),
    "where it waits for accelerators, it gives way to one that has some": (
        1, [of(SG, WAITING), of(DE)], {SG: L4},
        Choice((Place(DE, PAIRS),), (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "it waits where it is, while there are none": (
        1, [of(SG, WAITING), of(DE, BUSY)], {SG: L4},
        Choice((Keep(SG, PAIRS),), (PassedOver(DE, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "it does not go back to where it waits": (
        1, [of(SG, WAITING), of(DE)], {SG: SERVING, DE: HERE},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "nor for one that is out of sight": (
        1, [of(SG, WAITING), of(DE, LOST)], {SG: L4, DE: L4},
        Choice((Hold(DE, PAIRS, "Unreachable", "no answer"),),
               (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "it does not wait while it serves where it could not be placed now": (
        1, [of(SG, WAITING), of(DE, BUSY)], {SG: L4, DE: SERVING},
        Choice((Hold(DE, (), "AcceleratorsBusy", "all taken"),),
               (PassedOver(SG, "NotNeeded", "the model runs on 1 cluster, and de was chosen"),), 0),
    ),
    "waiting is better than a cluster that cannot": (
        1, [of(SG, WAITING), of(DE, BUSY)], {SG: L4, DE: L4},
        Choice((Keep(SG, PAIRS),), (PassedOver(DE, "AcceleratorsBusy", "all taken"),), 0),
    ),
    "where nothing is given for now, nothing new comes": (
        1, [of(SG, DOWN)], {}, Choice((), (PassedOver(SG, "FenceNotInForce", "being put back"),), 1),
    ),
    "and what serves there stays, though another is able": (
        1, [of(SG, DOWN), of(DE)], {SG: SERVING},
        Choice((Hold(SG, (), "FenceNotInForce", "being put back"),),
               (PassedOver(DE, "NotNeeded", "the model runs on 1 cluster, and sg was chosen"),), 0),
    ),
    "as does what is only there": (
        1, [of(SG, DOWN), of(DE)], {SG: L4},
        Choice((Hold(SG, PAIRS, "FenceNotInForce", "being put back"),),
               (PassedOver(DE, "NotNeeded", "the model runs on 1 cluster, and sg was chosen"),), 0),
    ),
    "of too many, one that serves is kept before it": (
        1, [of(SG, DOWN), of(DE)], {SG: HERE, DE: SERVING},
        Choice((Keep(DE, PAIRS),), (PassedOver(SG, "FenceNotInForce", "being put back"),), 0),
    ),
    "one cluster under two names is used once": (
        2, [of(SG), of(member("sg-too", at="sg"))], {},
        Choice((Place(SG, PAIRS),), (PassedOver(member("sg-too", at="sg"), "SameCluster",
               "it is the same cluster as sg, joined under another name"),), 1),
    ),
    "under the name in use": (
        1, [of(SG), of(member("sg-too", at="sg"))], {member("sg-too", at="sg"): HERE},
        Choice((Keep(member("sg-too", at="sg"), PAIRS),),
               (PassedOver(SG, "SameCluster", "it is the same cluster as sg-too, joined under another name"),), 0),
    ),
    "all that were chosen are named": (
        2, [of(SG), of(DE), of(PH)], {SG: HERE, DE: HERE},
        Choice((Keep(DE, PAIRS), Keep(SG, PAIRS)),
               (PassedOver(PH, "NotNeeded", "the model runs on 2 clusters, and de, sg were chosen"),), 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("want", "candidates", "current", "expected"), CASES.values(), ids=CASES.keys())
def test_choosing(want: int, candidates: list[Candidate], current: dict[MemberId, Current], expected: Choice) -> None:
    assert choose(want, candidates, current, MODEL) == expected


MEMBERS = [member(f"m{i}") for i in range(7)]
WANTS = st.integers(1, 4)


@st.composite
def fleets(draw: st.DrawFn) -> list[Candidate]:
    members = draw(st.lists(st.sampled_from(MEMBERS), unique=True))
    return [of(m, draw(st.sampled_from([ABLE, ABLE, BUSY, LOST, DOWN]))) for m in members]


CURRENT = st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from([L4, SERVING]), max_size=4)
MODELS = st.integers(0, 50).map(lambda i: model_ref(f"model-{i}"))


@given(WANTS, fleets(), CURRENT, MODELS)
def test_the_choice_is_among_the_candidates_at_most_what_is_wanted_and_accounts_for_all(
    want: int, fleet: list[Candidate], current: dict[MemberId, Current], model: ModelRef
) -> None:
    choice = choose(want, fleet, current, model)
    chosen = [place.member for place in choice.chosen]
    assert set(chosen) <= {candidate.member for candidate in fleet}
    assert len(chosen) == want - choice.shortfall <= want
    assert sorted([*chosen, *(p.member for p in choice.passed_over)]) == sorted(c.member for c in fleet)
    for place in choice.chosen:
        assert isinstance(place, Place) is (place.member not in current)
        assert isinstance(place, Hold) or Candidate(place.member, ABLE) in fleet


@given(WANTS, fleets(), CURRENT, MODELS, st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(
    want: int, fleet: list[Candidate], current: dict[MemberId, Current], model: ModelRef, chance: Random
) -> None:
    shuffled = chance.sample(fleet, len(fleet))
    assert choose(want, shuffled, current, model) == choose(want, fleet, current, model)


@given(WANTS, fleets(), CURRENT, MODELS, st.sampled_from([BUSY, LOST]))
def test_an_unable_cluster_more_changes_nothing(
    want: int,
    fleet: list[Candidate],
    current: dict[MemberId, Current],
    model: ModelRef,
    ability: Unable | NotSeen,
) -> None:
    more = [*fleet, of(member("new"), ability)]
    assert choose(want, more, current, model).chosen == choose(want, fleet, current, model).chosen


@given(WANTS, fleets(), CURRENT, MODELS)
def test_nothing_is_taken_from_where_it_serves_for_the_sake_of_another(
    want: int, fleet: list[Candidate], current: dict[MemberId, Current], model: ModelRef
) -> None:
    serving = {c.member for c in fleet if c.ability == ABLE and current.get(c.member) == SERVING}
    chosen = {place.member for place in choose(want, fleet, current, model).chosen}
    assert len(serving & chosen) == min(want, len(serving))


@given(WANTS, fleets(), MODELS)
def test_a_choice_that_was_carried_out_is_made_again(want: int, fleet: list[Candidate], model: ModelRef) -> None:
    first = choose(want, fleet, {}, model)
    again = choose(want, fleet, {place.member: L4 for place in first.chosen}, model)
    assert names(again) == names(first)
    assert all(isinstance(place, Keep) for place in again.chosen)


@given(fleets(), MODELS, st.data())
def test_a_cluster_that_goes_moves_only_the_models_that_were_on_it(
    fleet: list[Candidate], model: ModelRef, data: st.DataObject
) -> None:
    if not fleet:
        return
    gone = data.draw(st.sampled_from(fleet))
    before = choose(1, fleet, {}, model)
    after = choose(1, [c for c in fleet if c is not gone], {}, model)
    if gone.member.name not in names(before):
        assert after.chosen == before.chosen


def test_models_spread_evenly() -> None:
    fleet = [of(member(f"m{i}")) for i in range(5)]
    counts = Counter(
        place.member.name for i in range(1000) for place in choose(1, fleet, {}, model_ref(f"model-{i}")).chosen
    )
    assert len(counts) == 5
    assert all(150 < count < 250 for count in counts.values()), counts
