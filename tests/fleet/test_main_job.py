"""The main job on real clusters: a model runs in the lawful region and nowhere else, and says why."""

import pytest

from fleet.world import SERVICES, OperatorProcess, World, condition, eventually, policy

ALL = ("sg", "ph", "de")


@pytest.fixture
def bank(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A namespace whose models with customer.pii may be in Singapore."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    return hub_namespace


def test_a_model_is_placed_in_the_lawful_region_and_nowhere_else(world: World, bank: str) -> None:
    world.model(bank)
    status = world.ready(bank, on="sg")["status"]
    assert [row["cluster"] for row in status["placements"]] == ["sg"]
    excluded = status["clusters"].pop("excluded")
    assert status["clusters"] == {"considered": 3, "lawful": 1, "able": 1, "chosen": 1}
    assert sum(each["count"] for each in excluded) == 2
    assert [world.left(name, bank) != [] for name in ALL] == [True, False, False]


def test_status_and_event_say_why_there_and_why_not_elsewhere(world: World, bank: str) -> None:
    world.model(bank)
    status = world.ready(bank)["status"]
    reasons = {row["cluster"]: (row["reason"], row["message"]) for row in status["exclusions"]}
    assert reasons == {
        "de": ("WorkersOutsideJurisdiction", f"worker nodes are in DE, {bank} allows SG"),
        "ph": ("WorkersOutsideJurisdiction", f"worker nodes are in PH, {bank} allows SG"),
    }
    placed = eventually(
        lambda: [e for e in world.events(bank) if e["reason"] == "Placed"], within=10, what="an event Placed"
    )
    assert placed[0]["related"]["name"] == "sg"
    assert "worker nodes are in DE" in placed[0]["note"]
    assert "worker nodes are in PH" in placed[0]["note"]


def test_accelerators_become_the_chosen_cluster_s_own_node_selector(world: World, bank: str) -> None:
    world.model(bank, resources={"accelerators": {"count": 1, "minMemory": "40Gi"}})
    status = world.ready(bank)["status"]
    selector = {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert status["placements"][0]["nodeSelector"] == selector
    pods = world.member("sg").get(f"/api/v1/namespaces/{bank}/pods")["items"]
    assert [pod["spec"]["nodeSelector"] for pod in pods] == [selector]
    nodes = {pod["spec"]["nodeName"] for pod in pods}
    assert all("h100" in node for node in nodes), nodes


def test_no_policy_no_placement(world: World, bank: str) -> None:
    world.model(bank, dataClasses=["health.record"])
    said = world.reports(bank, "Ready", "NoMatchingPolicy")
    assert "health.record" in said["message"]
    assert [world.left(name, bank) for name in ALL] == [[], [], []]


def test_a_policy_that_comes_later_frees_the_model(world: World, hub_namespace: str, operator: OperatorProcess) -> None:
    world.model(hub_namespace)
    world.reports(hub_namespace, "Ready", "NoMatchingPolicy")
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    world.ready(hub_namespace, on="de")


def test_a_changed_policy_moves_the_model_and_leaves_nothing_behind(world: World, bank: str) -> None:
    world.model(bank)
    world.ready(bank, on="sg")
    world.hub.apply(policy(bank, bank, "PH"))
    world.ready(bank, on="ph")
    assert [world.left(name, bank) != [] for name in ALL] == [False, True, False]


def test_a_deleted_policy_ends_the_placement(world: World, bank: str) -> None:
    world.model(bank)
    world.ready(bank, on="sg")
    world.end_policy(bank)
    world.reports(bank, "Ready", "NoMatchingPolicy")
    eventually(lambda: not world.left("sg", bank), within=30, what="nothing is left on sg")


def test_a_lapsed_attestation_ends_the_placement_by_the_clock_alone(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    import datetime as dt

    soon = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    try:
        world.attest("de", "DE", validUntil=soon.isoformat(timespec="seconds"))
        world.model(hub_namespace)
        world.ready(hub_namespace, on="de", within=15)
        said = world.reports(hub_namespace, "PolicyCompliant", "NoLawfulCluster", within=30)
        assert dt.datetime.now(dt.UTC) >= soon.replace(microsecond=0)
        assert "ended at" in said["message"]
        eventually(lambda: not world.left("de", hub_namespace), within=30, what="nothing is left on de")
    finally:
        world.attest("de", "DE")


def test_deleting_the_model_removes_everything_and_only_then_lets_it_go(world: World, bank: str) -> None:
    world.model(bank)
    world.ready(bank)
    # A finalizer of ours on the member holds the workload there, as a slow termination would.
    service = f"{SERVICES.format(namespace=bank)}/scorer"
    held = world.member("sg").get(service)["metadata"].get("finalizers", [])
    world.intruder("sg").merge(service, {"metadata": {"finalizers": [*held, "test.example/hold"]}})
    world.delete(bank)
    world.reports(bank, "Ready", "Deleting")
    assert "domicile.dev/withdraw" in (world.get(bank) or {})["metadata"]["finalizers"]
    # Said first, then done.
    eventually(
        lambda: "deletionTimestamp" in world.member("sg").get(service)["metadata"],
        within=10,
        what="it is on its way out",
    )
    world.member("sg").merge(service, {"metadata": {"finalizers": []}})
    world.gone(bank)
    assert world.left("sg", bank) == []


def test_replicas_up_to_a_maximum_become_an_autoscaler_on_the_member(world: World, bank: str) -> None:
    world.model(bank, replicas={"min": 1, "max": 3})
    world.ready(bank)
    scalers = world.member("sg").get(f"/apis/autoscaling/v2/namespaces/{bank}/horizontalpodautoscalers")["items"]
    assert [(s["spec"]["minReplicas"], s["spec"]["maxReplicas"]) for s in scalers] == [(1, 3)]


def test_a_model_on_two_clusters(world: World, bank: str) -> None:
    world.hub.apply(policy(bank, bank, "SG", "DE"))
    world.model(bank, placement={"clusterCount": 2})
    world.ready(bank, on="de, sg")


def test_a_changed_spec_is_rolled_out_in_place(world: World, bank: str) -> None:
    world.model(bank)
    world.ready(bank)
    digest = "sha256:" + "cd" * 32
    artifact = f"registry.example/models/iris@{digest}"
    world.model(bank, storageUri=f"oci://{artifact}")

    def rolled_out() -> bool:
        model = world.get(bank)
        ready = condition(model, "Ready")
        return ready["status"] == "True" and ready["observedGeneration"] == (model or {})["metadata"]["generation"]

    eventually(rolled_out, within=60, what="Ready for the new generation")
    service = world.member("sg").get(f"{SERVICES.format(namespace=bank)}/scorer")
    assert service["spec"]["predictor"]["model"]["storageUri"] == f"oci+native://{artifact}"
