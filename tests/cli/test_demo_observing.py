"""What the demo takes for true: from statuses, pods, nodes and answers, without a cluster."""

from typing import Any

import pytest

from domicile.cli.demo import model, observing
from domicile.cli.demo.waiting import NotObserved, NotYet, eventually


def sovereign(
    ready: str = "True", placements: tuple[tuple[str, str], ...] = (("sg", "Serving"),), seen: int = 2
) -> Any:
    conditions = [
        {"type": kind, "status": ready, "reason": "Because", "message": "so", "observedGeneration": seen}
        for kind in ("Ready", "Placed")
    ]
    rows = [{"cluster": cluster, "state": state} for cluster, state in placements]
    return {"metadata": {"generation": 2}, "status": {"conditions": conditions, "placements": rows}}


CASES: dict[str, tuple[Any, bool, bool]] = {
    # name: (model, whether pods can serve, whether it has settled on sg)
    "serves there": (sovereign(), True, True),
    "was given to it, and cannot serve": (sovereign(placements=(("sg", "Starting"),)), False, True),
    "was given to it, and does not serve yet": (sovereign(placements=(("sg", "Starting"),)), True, False),
    "is not ready": (sovereign(ready="False"), True, False),
    "is ready for an older generation": (sovereign(seen=1), True, False),
    "is still leaving another": (sovereign(placements=(("sg", "Serving"), ("ph", "Leaving"))), True, False),
    "serves elsewhere": (sovereign(placements=(("ph", "Serving"),)), True, False),
    "has no status": ({"metadata": {"generation": 1}}, True, False),
    "is not there": (None, True, False),
}


@pytest.mark.parametrize(("found", "serves", "settled"), CASES.values(), ids=CASES)
def test_settled(found: Any, serves: bool, settled: bool) -> None:
    assert isinstance(observing.settled_on(found, "sg", serves=serves), NotYet) is not settled


def test_a_selector_that_the_node_does_not_have_is_named() -> None:
    pod = {"spec": {"nodeSelector": {"gpu": "L4", "zone": "a"}}}
    assert observing.unmet_selector(pod, {"metadata": {"labels": {"gpu": "L4", "zone": "b"}}}) == ("zone=a",)
    assert observing.unmet_selector(pod, {"metadata": {"labels": {"gpu": "L4", "zone": "a"}}}) == ()


@pytest.mark.parametrize(("memory", "enough"), [("23034Mi", True), ("16384Mi", True), ("16383Mi", False), ("", False)])
def test_accelerators_of_a_cluster(memory: str, enough: bool) -> None:
    cluster = {"status": {"accelerators": [{"product": "L4", "memory": memory}]}}
    assert observing.has_accelerators(cluster, 16 * 1024) is enough


def answer(shape: list[int], data: list[float]) -> Any:
    return {"outputs": [{"name": "predict"}, {"name": "proba", "shape": shape, "data": data}]}


def test_probabilities_are_cut_into_rows() -> None:
    assert model.probabilities(answer([2, 2], [0.1, 0.9, 0.4, 0.6])) == ((0.1, 0.9), (0.4, 0.6))


@pytest.mark.parametrize("said", [answer([2, 2], [0.1]), {"error": "no"}, {"outputs": []}, None, answer([1], [0.1])])
def test_an_answer_without_probabilities_is_an_error(said: Any) -> None:
    with pytest.raises(ValueError, match="proba"):
        model.probabilities(said)


def test_the_largest_difference_counts() -> None:
    assert model.largest_difference(((0.5, 0.5), (0.1, 0.9)), ((0.5, 0.5), (0.2, 0.8))) == pytest.approx(0.1)


@pytest.mark.parametrize(("one", "other"), [((), ()), (((0.1,),), ((0.1, 0.2),)), (((0.1,),), ())])
def test_tables_that_do_not_compare_are_an_error(one: Any, other: Any) -> None:
    with pytest.raises(ValueError, match="rows of probabilities"):
        model.largest_difference(one, other)


def test_the_exported_model_gives_scikit_learns_answers() -> None:
    import json
    import math

    trained = model.train()
    exported = json.loads(trained.artifact)
    for row, expected in zip(trained.rows, trained.expected, strict=True):
        scores = [
            bias + sum(weight * value for weight, value in zip(weights, row, strict=True))
            for weights, bias in zip(exported["coef"], exported["bias"], strict=True)
        ]
        total = sum(math.exp(score) for score in scores)
        assert [math.exp(score) / total for score in scores] == pytest.approx(expected, abs=1e-12)


async def test_a_wait_that_fails_says_what_was_last_seen() -> None:
    async def look() -> NotYet:
        return NotYet("a cat")

    with pytest.raises(NotObserved, match=r"a dog: not within 0 s\s+last seen: a cat"):
        await eventually("a dog", look, within=0.0)
