"""What a change does to a model: a table of where it is, where it might be before, and where after."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

import builders as a
from domicile import residency
from domicile.api import SovereignModel
from domicile.decision import preview
from domicile.decision.preview import Effect, Fleet


def model(on: Sequence[str] = (), *, leaving: Sequence[str] = (), want: int = 1, name: str = "m") -> SovereignModel:
    rows = [
        {"cluster": c, "clusterUID": a.uid(c), "permit": "x", "state": "Leaving" if c in leaving else "Serving"}
        for c in (*on, *leaving)
    ]
    return a.model(name, placement={"clusterCount": want}, status={"placements": rows})


def outlooks(lawful: Sequence[str], *models: SovereignModel, twins: bool = False) -> tuple[preview.Outlook, ...]:
    """The models where the law allows these of four clusters. With twins, x2 is x under a second name."""
    names = [*"abcd", *(["a2"] if twins else [])]
    at = {"a2": "a"}
    law = residency.Law(
        policies=(a.policy(),),
        attestations=(
            a.HUB,
            *(
                a.attestation(f"{n}-2026", of=n, at=at.get(n), everything="SG" if at.get(n, n) in lawful else "PH")
                for n in names
            ),
        ),
    )
    members = tuple(residency.Member(a.member(n, at=at.get(n))) for n in names)
    return preview.outlooks(residency.Engine(law), Fleet(models, members, a.NOW, hub=a.member("hub")))


EFFECTS: dict[str, tuple[dict[str, Any], str, str, Effect]] = {
    "nothing changes where it is": ({"on": "a"}, "ab", "ab", Effect.STAY),
    "nothing changes and it is nowhere": ({}, "", "", Effect.STAY),
    "it has to leave and may go elsewhere": ({"on": "a"}, "ab", "b", Effect.MOVE),
    "it has to leave and may go to what is new": ({"on": "a"}, "a", "b", Effect.MOVE),
    "it has to leave and may go nowhere": ({"on": "a"}, "ab", "", Effect.EVICT),
    "it has to leave one of two, and is on all others": ({"on": "ab", "want": 2}, "ab", "b", Effect.EVICT),
    "it has to leave two, and may go to one": ({"on": "ab", "want": 2}, "abc", "c", Effect.EVICT),
    "it has to leave two, and may go to two": ({"on": "ab", "want": 2}, "abcd", "cd", Effect.MOVE),
    "it was unlawful where it is before, so that is no change": ({"on": "a"}, "b", "b", Effect.STAY),
    "it was unlawful where it is, and may be there": ({"on": "a"}, "b", "ab", Effect.WIDEN),
    "what is leaving is no place of it": ({"leaving": "a"}, "ab", "b", Effect.NARROW),
    "what is leaving is no place of it, and there is no other": ({"leaving": "a"}, "a", "", Effect.HOLD),
    "nowhere, and with nowhere to go any more": ({}, "ab", "", Effect.HOLD),
    "nowhere, and with somewhere to go": ({}, "", "a", Effect.FREE),
    "nowhere yet, with fewer to go to": ({}, "ab", "a", Effect.NARROW),
    "nowhere yet, with more to go to": ({}, "a", "ab", Effect.WIDEN),
    "it stays, with fewer to go to": ({"on": "a"}, "ab", "a", Effect.NARROW),
    "it stays, with more to go to": ({"on": "a"}, "a", "ab", Effect.WIDEN),
    "it stays, with others to go to": ({"on": "a"}, "ab", "ac", Effect.NARROW),
}


@pytest.mark.parametrize(("stands", "before", "after", "effect"), EFFECTS.values(), ids=EFFECTS.keys())
def test_effects(stands: dict[str, Any], before: str, after: str, effect: Effect) -> None:
    here = model(**stands)
    (change,) = preview.difference(outlooks(before, here), outlooks(after, here))
    assert change.effect is effect
    assert {m.name for m in change.leaves} == set(stands.get("on", "")) & set(before) - set(after)
    assert {m.name for m in change.loses} == set(before) - set(after)


@pytest.mark.parametrize(("after", "effect"), [("a", Effect.FREE), ("", Effect.HOLD)])
def test_a_new_model_is_free_or_held(after: str, effect: Effect) -> None:
    (change,) = preview.difference((), outlooks(after, model()))
    assert (change.effect, change.before, change.loses) == (effect, None, ())


def test_another_name_of_a_cluster_is_nowhere_else_to_go() -> None:
    here = model(on="a")
    before = outlooks("ab", here, twins=True)
    assert before[0].found == 2
    after = outlooks("", here, twins=True)
    twin = residency.Lawful(a.member("a2", at="a"), (), (), a.LONG_AHEAD)
    verdicts = tuple(twin if v.member == twin.member else v for v in after[0].judgement.verdicts)
    still = replace(after[0], judgement=replace(after[0].judgement, verdicts=verdicts))
    (change,) = preview.difference(before, (still,))
    assert change.effect is Effect.EVICT


def test_the_gravest_first() -> None:
    models = (model(name="held"), model(on="a", name="evicted"), model(on="b", name="stays", want=1))
    changes = preview.difference(outlooks("ab", *models), outlooks("b", *models))
    assert [(c.after.model.metadata.name, c.effect) for c in changes] == [
        ("evicted", Effect.MOVE),
        ("held", Effect.NARROW),
        ("stays", Effect.NARROW),
    ]


def test_a_model_that_the_law_never_touched_has_no_reason_against_a_cluster() -> None:
    (outlook,) = outlooks("a", model())
    assert outlook.why_not(a.member("a")) is None
    assert outlook.why_not(a.member("stranger")) is None
    found = outlook.why_not(a.member("b"))
    assert found is not None
    assert found.reason == "WorkersOutsideJurisdiction"


def test_a_model_without_a_status_is_nowhere() -> None:
    (outlook,) = outlooks("a", a.model())
    assert (outlook.placed, outlook.wanted, outlook.found, outlook.name) == ((), 1, 1, "retail-banking/fraud-scorer")
