"""The story's step about the prediction: what is asked, what counts as an answer, and when it may be skipped."""

import json
from pathlib import Path
from typing import Any

import pytest

from domicile.cli.demo import model, observing, story
from domicile.cli.demo.kubectl import Answer
from domicile.cli.demo.narration import Narrator
from domicile.cli.demo.waiting import NotObserved
from domicile.cli.demo.world import Eyes, Region, World

TRAINED = model.Trained(b"", ("low", "high"), ((1.0,),), ((0.25, 0.75),))
RIGHT = {"outputs": [{"name": "proba", "shape": [1, 2], "data": [0.25, 0.75]}]}
SIMULATED = {"kwok.x-k8s.io/node": "fake"}


class Member:
    """A region's API server with one pod of the model, on a node with these annotations."""

    def __init__(self, annotations: dict[str, str]) -> None:
        self.annotations = annotations

    async def list(self, *_: object, **__: object) -> Any:
        pod = {"metadata": {"name": "pod-1"}, "spec": {"nodeName": "sg-l4-0"}}
        return type("Page", (), {"items": [pod]})

    async def get(self, *_: object) -> Any:
        return {"metadata": {"name": "sg-l4-0", "annotations": self.annotations}}


class Platform:
    """Writes an exception into the RegionalCluster, when it does."""

    def __init__(self) -> None:
        self.exceptions: list[Any] = []

    async def shows(self, _: object, *arguments: str) -> str:
        change = json.loads(arguments[-1].removeprefix("--patch="))
        self.exceptions += change["spec"]["connections"]
        return ""


REFUSED = Answer(1, "", "pods is forbidden: ValidatingAdmissionPolicy 'connect.fence.domicile.dev' denied request")


class Admin:
    """Whom an exception lets ask gets this answer; before, `refused`."""

    name = "admin@sg"

    def __init__(self, answer: str, platform: Platform, refused: Answer, known: bool) -> None:
        self.answer, self.platform, self.refused, self.known = answer, platform, refused, known

    async def kubectl(self, *arguments: str) -> Answer:
        if arguments[0] == "auth":
            return Answer(0, "ana", "") if self.known else Answer(1, "", "unknown command")
        users = [each["user"] for each in self.platform.exceptions]
        return Answer(0, "{}", "") if "ana" in users else self.refused

    async def shows(self, *_: object, **__: object) -> str:
        return self.answer


def stage(
    tmp_path: Path,
    answer: str = json.dumps(RIGHT),
    simulated: bool = False,
    real_node: str = "",
    refused: Answer = REFUSED,
    known: bool = True,
) -> story.Stage:
    platform: Any = Platform()
    region: Any = Region("SG", "sg", Admin(answer, platform, refused, known))  # type: ignore[arg-type]
    member: Any = Member(SIMULATED if simulated else {})
    someone: Any = None
    world = World(
        kubeconfig=None,
        hub_context="hub",
        regions=(region, region),
        root=someone,
        platform=platform,
        governance=someone,
        team=someone,
        work=tmp_path,
        trained=TRAINED,
        model_image="",
        server_image="",
        serves=True,
        no_prediction="",
        real_node=real_node,
    )
    return story.Stage(world, Eyes(someone, {"sg": member}), Narrator())


async def test_scikit_learns_own_answer_is_seen_to_be_true(tmp_path: Path) -> None:
    on = stage(tmp_path)
    await story.prediction(on)
    assert (on.say.checked, on.say.skipped) == (2, [])
    platform: Any = on.world.platform
    (exception,) = platform.exceptions
    assert (exception["user"], exception["ways"], len(exception["reason"]) >= 10) == ("ana", ["proxy"], True)


FENCES: dict[str, dict[str, Any]] = {
    "nothing refuses it": {"refused": Answer(0, "{}", "")},
    "something else refuses it": {"refused": Answer(1, "", "pods is forbidden: no rights")},
    "nobody can say who asks": {"known": False},
}


@pytest.mark.parametrize("fence", FENCES.values(), ids=FENCES)
async def test_who_may_ask_without_an_exception_is_a_failure_of_the_step(fence: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(NotObserved):
        await story.prediction(stage(tmp_path, **fence))


async def test_a_pod_on_a_simulated_node_is_skipped_where_there_is_no_other(tmp_path: Path) -> None:
    on = stage(tmp_path, simulated=True)
    await story.prediction(on)
    assert (on.say.checked, on.say.skipped) == (0, ["the prediction"])


async def test_a_pod_on_a_simulated_node_is_a_failure_where_a_real_one_is_up(tmp_path: Path) -> None:
    with pytest.raises(NotObserved, match=r"sg-l4-0.*simulated.*sg-l4-9"):
        await story.prediction(stage(tmp_path, simulated=True, real_node="sg-l4-9"))


ANSWERS = {
    "no JSON": "<html>",
    "no probabilities": json.dumps({"outputs": []}),
    "too few rows": json.dumps({"outputs": [{"name": "proba", "shape": [0, 2], "data": []}]}),
    "other probabilities": json.dumps({"outputs": [{"name": "proba", "shape": [1, 2], "data": [0.5, 0.5]}]}),
    "what is no number": '{"outputs": [{"name": "proba", "shape": [1, 2], "data": [0.25, NaN]}]}',
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_whatever_else_is_answered_is_a_failure_of_the_step(answer: str, tmp_path: Path) -> None:
    with pytest.raises(NotObserved):
        await story.prediction(stage(tmp_path, answer))


def test_a_node_that_kwok_plays_is_known_by_its_annotation() -> None:
    assert observing.is_simulated({"metadata": {"annotations": SIMULATED}})
    assert not observing.is_simulated({"metadata": {}})
