"""Models that want the same accelerators: each goes where some are free, nobody who has some moves, and all come to rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

import builders as a
from decision import world as w
from domicile import placement
from domicile.fleet import inventory, kinds
from domicile.serving import MODEL_LABEL

FULL = {"node": "", "unschedulable": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."}
STARTING = {"node": "gpu-0"}
GPU_MODEL = w.model(accelerators={"count": 1})
TAKEN, FREE = a.node(granted=1), a.node()


def views(**nodes: placement.AcceleratorNode) -> dict[str, placement.ClusterView]:
    return {name: a.view(name, node) for name, node in nodes.items()}


def pod(state: w.World, name: str, says: Mapping[str, Any]) -> w.World:
    """The pod of the copy on that member."""
    return replace(state, there={**state.there, a.uid(name): replace(state.there[a.uid(name)], pod=says)})


def starved(**nodes: placement.AcceleratorNode) -> w.World:
    """The model was placed on sg, and its pod found all accelerators taken."""
    placed = w.settled(w.world("sg", model=GPU_MODEL, views=views(sg=FREE)))
    attestations = tuple(w.attested(name) for name in nodes)
    full = replace(pod(placed, "sg", FULL), views=views(**nodes), attestations=attestations)
    return w.forgotten(w.step(replace(full, views=views(sg=nodes["sg"]))) if len(nodes) == 1 else full)


def test_a_model_without_accelerators_goes_where_some_are_free() -> None:
    moving = w.settled(starved(sg=TAKEN, sg2=FREE))
    assert moving.done == ("status", "place sg2")
    assert moving.condition() == ("False", "Progressing")
    moved = w.settled(w.serving_on(moving, "sg2"))
    assert moved.states == {"sg2": "Serving"}
    assert set(moved.there) == {a.uid("sg2")}


STAYS: dict[str, tuple[Mapping[str, Any] | None, placement.AcceleratorNode]] = {
    "nobody has looked at its pod": ({"node": ""}, TAKEN),
    "it has no pod yet": (None, TAKEN),
    "its pod has a node": (STARTING, TAKEN),
    "its pod finds no processor": ({"node": "", "unschedulable": "0/1 nodes are available: 1 Insufficient cpu."}, TAKEN),
    "there is room by now": (FULL, FREE),
    "its own pod is just ending": (FULL, a.node(own=1)),
}  # fmt: skip


@pytest.mark.parametrize(("says", "node"), STAYS.values(), ids=STAYS.keys())
def test_otherwise_it_stays(says: Mapping[str, Any], node: placement.AcceleratorNode) -> None:
    state = pod(starved(sg=node, sg2=FREE), "sg", says)
    assert not [what for what in w.settled(state).done if what != "status"]


def test_while_none_are_free_elsewhere_it_waits_and_says_so() -> None:
    waiting = w.settled(starved(sg=TAKEN, sg2=TAKEN))
    assert waiting.done == ("status",)
    assert waiting.condition() == ("False", "Unschedulable")


def test_what_is_on_its_way_out_keeps_no_accelerators_that_another_model_has_by_now() -> None:
    state = w.world("sg", model=GPU_MODEL, views=views(sg=TAKEN))
    selector = {placement.PRODUCT_LABEL: "NVIDIA-L4"}
    leaving = w.recorded(
        w.on(state, "sg", deleting=True, selector=selector), w.row("sg", "Leaving", nodeSelector=selector)
    )
    assert w.settled(leaving).condition("Placed") == ("False", "NoAbleCluster")


def test_it_goes_to_another_product_of_the_same_cluster_too() -> None:
    big = a.node("big", "NVIDIA-A100", memory_mib=40960)
    state = starved(sg=TAKEN, sg2=FREE)
    moved = w.settled(replace(state, views={**state.views, "sg": a.view("sg", TAKEN, big)}))
    assert moved.done == ("status", "place sg")
    assert moved.status.placements[0].node_selector == {placement.PRODUCT_LABEL: "NVIDIA-A100"}


def test_it_does_not_come_back_to_what_is_still_full() -> None:
    """It had left sg for sg2, where another model was quicker."""
    state = w.settled(starved(sg=TAKEN, sg2=FREE))
    state = w.settled(w.forgotten(pod(replace(state, views=views(sg=TAKEN, sg2=TAKEN)), "sg2", FULL)))
    assert state.done == ("status",)
    for _ in range(3):
        assert w.settled(w.forgotten(state)).done == ()
    here = w.settled(replace(w.forgotten(pod(state, "sg", STARTING)), views=views(sg=a.node(own=1), sg2=TAKEN)))
    assert not [what for what in here.done if what != "status"]
    assert w.settled(w.serving_on(here, "sg")).states == {"sg": "Serving"}


@dataclass
class Region:
    """Several models on the clusters of one region, each cluster with so many accelerators."""

    accelerators: Mapping[str, int]
    models: dict[str, w.World]

    def view(self, name: str) -> placement.ClusterView:
        """As the watches of the member would have it."""
        labels = {placement.PRODUCT_LABEL: "NVIDIA-L4", placement.MEMORY_LABEL: "23034"}
        node = kinds.node_kept(
            {
                "metadata": {"name": "gpu-0", "labels": labels},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "allocatable": {inventory.ACCELERATOR: str(self.accelerators[name])},
                },
            }
        )
        copies = [(model, copy) for model, copy in self.on(name) if not copy.deleting]
        pods = [_pod(model, copy) for model, copy in copies if copy.serves or copy.pod is not None]
        services = [kinds.whole_if_ours(copy.workload.inference_service) for _, copy in copies]
        return replace(a.view(name), accelerators=inventory.accelerators([node], pods, services))

    def on(self, name: str) -> list[tuple[str, w.Copy]]:
        return [(model, state.there[a.uid(name)]) for model, state in self.models.items() if a.uid(name) in state.there]

    def decide(self, *, together: bool) -> None:
        """All models once; `together`: before any of them sees what another one did."""
        early = {name: self.view(name) for name in self.accelerators}
        for model, state in self.models.items():
            seen = early if together else {name: self.view(name) for name in self.accelerators}
            self.models[model] = w.step(replace(state, views=seen))

    def run(self) -> None:
        """What the members do: pods that have a node come to serve, others get one if there is room."""
        for name, count in self.accelerators.items():
            copies = [(model, copy) for model, copy in self.on(name) if not copy.deleting]
            has = [(model, copy) for model, copy in copies if copy.serves or (copy.pod and copy.pod["node"])]
            for model, copy in has:
                self._set(model, name, replace(copy, serves=True))
            free = count - len(has)
            for model, copy in [pair for pair in copies if pair not in has]:
                self._set(model, name, replace(copy, pod=STARTING if free > 0 else FULL))
                free -= 1

    def settle(self, *, together: bool, within: int = 30) -> "Region":
        for _ in range(within):
            before = dict(self.models)
            self.decide(together=together)
            self.run()
            if all(_same(before[model], state) for model, state in self.models.items()):
                return self
        raise AssertionError({model: state.done for model, state in self.models.items()})

    def _set(self, model: str, name: str, copy: w.Copy) -> None:
        state = self.models[model]
        self.models[model] = replace(state, there={**state.there, a.uid(name): copy})

    @property
    def serving(self) -> dict[str, str]:
        """Where each model that serves does."""
        return {m: s.status.placed_on for m, s in self.models.items() if s.condition("Available")[0] == "True"}

    def forget(self) -> None:
        self.models = {model: w.forgotten(state) for model, state in self.models.items()}

    @property
    def placed(self) -> list[str]:
        """All placements that were written, each as model and member."""
        return [f"{model} {what}" for model, state in self.models.items() for what in state.done if "place" in what]


def _same(before: w.World, after: w.World) -> bool:
    return replace(before, views={}) == replace(after, views={})


def _pod(model: str, copy: w.Copy) -> Mapping[str, Any]:
    node = "gpu-0" if copy.serves or copy.pod is None else copy.pod["node"]
    asked = {"requests": {inventory.ACCELERATOR: "1"}}
    metadata = {"name": model, "namespace": "retail-banking", "labels": {MODEL_LABEL: model}}
    spec = {"nodeName": node, "containers": [{"name": "x", "resources": asked}]}
    return kinds.pod_kept({"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})


def region(models: Iterable[str], **accelerators: int) -> Region:
    states = {m: w.world(*accelerators, model=w.model(name=m, accelerators={"count": 1})) for m in models}
    return Region(accelerators, states)


FIVE = ("m1", "m2", "m3", "m4", "m5")
REGIONS: dict[str, dict[str, int]] = {
    "enough for all": {"sg": 2, "sg2": 2, "sg3": 1},
    "one short": {"sg": 2, "sg2": 1, "sg3": 1},
    "one each": {"sg": 1, "sg2": 1},
    "all in one place": {"sg": 1, "sg2": 5},
}


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "at the same moment"])
@pytest.mark.parametrize("accelerators", REGIONS.values(), ids=REGIONS.keys())
def test_models_created_together_use_all_that_is_there_and_come_to_rest(
    accelerators: dict[str, int], together: bool
) -> None:
    found = region(FIVE, **accelerators).settle(together=together)
    assert len(found.serving) == min(len(FIVE), sum(accelerators.values()))
    assert len(found.placed) == len(set(found.placed)), "none was placed on a cluster twice"
    for model, name in found.serving.items():
        assert set(found.models[model].there) == {a.uid(name)}


def test_one_by_one_nobody_is_placed_where_another_is_about_to_start() -> None:
    found = region(FIVE, sg=2, sg2=2, sg3=1).settle(together=False)
    assert len(found.placed) == len(FIVE)


def test_accelerators_that_become_free_go_to_who_waits_and_nobody_else_moves() -> None:
    found = region(FIVE, sg=2, sg2=1, sg3=1).settle(together=True)
    (waiting,) = set(FIVE) - set(found.serving)
    first = next(iter(found.serving))
    found.forget()
    found.models[first] = w.deleted(found.models[first])
    for _ in range(4):
        found.models[first] = w.step(found.models[first])
    assert found.models.pop(first).model is None
    found.settle(together=True)
    assert waiting in found.serving
    assert all(not state.done for model, state in found.models.items() if model != waiting)
