"""Withdrawing deletes what is the model's, nothing else, and says Withdrawn only when nothing is left. The API server is fake."""

from typing import Any

import pytest

import builders
from builders import NOW
from domicile import fence, fleet, kube, residency, serving
from domicile.fleet import gate, kinds, withdrawal
from domicile.kube import errors
from domicile.serving import MODEL_LABEL, MODEL_UID, Workload
from fake_api import FakeApi, FakeSite

ISVC, RUNTIME = kinds.INFERENCE_SERVICES, kinds.SERVING_RUNTIMES
WHERE = ("retail-banking", "fraud-scorer")


@pytest.fixture
def workload() -> Workload:
    return serving.workload(builders.model(), {})


async def placed(workload: Workload) -> FakeApi:
    api = FakeApi()
    grounds = builders.grounds(artifacts=workload.artifacts, network=workload.network)
    permit = residency.permit(workload.model, builders.lawful(), grounds)
    await gate.place(FakeSite(api), permit, workload, NOW)
    return api


def child(workload: Workload, name: str, **labels: Any) -> dict[str, Any]:
    """What KServe makes: it has the labels of the InferenceService."""
    inherited = workload.inference_service["metadata"]["labels"]
    return {"metadata": {"name": name, "namespace": workload.model.namespace, "labels": {**inherited, **labels}}}


async def test_the_workload_goes_first_and_its_companions_when_nothing_uses_them_any_more(workload: Workload) -> None:
    api = await placed(workload)
    site = FakeSite(api)
    api.put(kube.PODS, child(workload, "pod-1"))
    left = await withdrawal.withdraw(site, workload.model)
    assert isinstance(left, fleet.Withdrawing)
    assert left.left == (
        "InferenceService/fraud-scorer",
        "Pod/pod-1",
        "ServingRuntime/fraud-scorer",
        "NetworkPolicy/fraud-scorer",
        "ServiceAccount/fraud-scorer",
    )
    assert [(what, how) for what, _, how in api.deletes] == [("inferenceservices/fraud-scorer", "Foreground")]
    del api.objects[(ISVC, *WHERE)]
    assert isinstance(await withdrawal.withdraw(site, workload.model), fleet.Withdrawing)
    assert len(api.deletes) == 1
    del api.objects[(kube.PODS, "retail-banking", "pod-1")]
    assert await withdrawal.withdraw(site, workload.model) == fleet.Withdrawn()
    companions = ("servingruntimes", "networkpolicies", "serviceaccounts")
    assert [what for what, _, _ in api.deletes[1:]] == [f"{kind}/fraud-scorer" for kind in companions]
    assert (kube.NAMESPACES, "", "retail-banking") in api.objects


UNKNOWN = "whether pod pod-1 still runs is unknown: its node gpu-0"
NODES: dict[str, tuple[str, dict[str, Any] | None, tuple[str, ...]]] = {
    "is Ready": ("gpu-0", {"ready": True}, ()),
    "is not Ready": ("gpu-0", {"ready": False}, (f"{UNKNOWN} is not Ready",)),
    "is gone": ("gpu-0", None, (f"{UNKNOWN} is gone",)),
    "is not chosen yet": ("", None, ()),
}


@pytest.mark.parametrize(("name", "node", "told"), NODES.values(), ids=NODES)
async def test_of_a_pod_whose_node_tells_nothing_it_is_unknown_whether_it_runs(
    workload: Workload, name: str, node: dict[str, Any] | None, told: tuple[str, ...]
) -> None:
    site = FakeSite(api := FakeApi())
    api.put(kube.PODS, {**child(workload, "pod-1"), "spec": {"nodeName": name}})
    if node is not None:
        site.cache[(kube.NODES, "", "gpu-0")] = node
    assert await withdrawal.withdraw(site, workload.model) == fleet.Withdrawing(("Pod/pod-1",), told)


async def test_every_delete_says_which_object_it_means(workload: Workload) -> None:
    api = await placed(workload)
    uid = api.objects[(ISVC, *WHERE)]["metadata"]["uid"]
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert api.deletes == [("inferenceservices/fraud-scorer", uid, "Foreground")]


async def test_what_is_being_deleted_is_not_deleted_again(workload: Workload) -> None:
    api = await placed(workload)
    for _ in range(3):
        await withdrawal.withdraw(FakeSite(api), workload.model)
    assert len(api.deletes) == 1


@pytest.mark.parametrize("kind", kinds.MADE_BY_KSERVE, ids=str)
async def test_anything_left_is_told(workload: Workload, kind: kube.Resource) -> None:
    api = FakeApi()
    api.put(kind, child(workload, "left"))
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawing((f"{kinds.KIND[kind]}/left",))
    assert not api.deletes


async def test_a_model_that_was_never_there_is_withdrawn(workload: Workload) -> None:
    assert await withdrawal.withdraw(FakeSite(FakeApi()), workload.model) == fleet.Withdrawn()


async def test_a_member_without_kserve_has_nothing_of_kserve(workload: Workload) -> None:
    api = FakeApi()
    api.served = {kube.NAMESPACES, *kinds.MADE_BY_KSERVE, kube.SERVICE_ACCOUNTS}
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawn()


@pytest.mark.parametrize("labels", [{MODEL_LABEL: "", MODEL_UID: ""}, {MODEL_LABEL: "other"}])
async def test_what_is_let_through_for_it_goes_with_it_whatever_became_of_its_labels(
    workload: Workload, labels: dict[str, str]
) -> None:
    api = await placed(workload)
    api.relabel(kube.NETWORK_POLICIES, "fraud-scorer", "retail-banking", **labels)
    del api.objects[(ISVC, *WHERE)]
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawn()
    assert (kube.NETWORK_POLICIES, *WHERE) not in api.objects


async def test_another_models_things_are_left_alone_and_told(workload: Workload) -> None:
    """Domicile applied them, UID and all. Whose they are can be seen; that nothing runs under that name cannot be said."""
    api = await placed(workload)
    for manifest in api.objects.values():
        if MODEL_UID in manifest["metadata"].get("labels", {}):
            manifest["metadata"]["labels"][MODEL_UID] = "a later model of that name"
    left = await withdrawal.withdraw(FakeSite(api), workload.model)
    assert isinstance(left, fleet.Withdrawing)
    assert "InferenceService/fraud-scorer" in left.left
    assert not api.deletes


@pytest.mark.parametrize("labels", [{MODEL_UID: "another"}, {MODEL_LABEL: "other"}, {MODEL_LABEL: "o", MODEL_UID: "a"}])
async def test_a_label_that_somebody_changed_hides_nothing(workload: Workload, labels: dict[str, str]) -> None:
    api = await placed(workload)
    api.relabel(ISVC, "fraud-scorer", "retail-banking", **labels)
    api.put(kube.PODS, child(workload, "pod-1", **{**labels, MODEL_LABEL: "fraud-scorer"}))
    left = await withdrawal.withdraw(FakeSite(api), workload.model)
    assert isinstance(left, fleet.Withdrawing)
    assert {"InferenceService/fraud-scorer", "Pod/pod-1"} <= set(left.left)
    assert [what for what, _, _ in api.deletes] == ["inferenceservices/fraud-scorer"]


async def test_what_nobody_says_to_have_applied_is_told_while_it_bears_any_mark(workload: Workload) -> None:
    """Whoever may edit there can empty the managed fields too. It is not deleted: it may be a copy that somebody made."""
    api = await placed(workload)
    api.relabel(ISVC, "fraud-scorer", "retail-banking", **{MODEL_UID: "another", MODEL_LABEL: "other"})
    del api.objects[(ISVC, *WHERE)]["metadata"]["managedFields"]
    left = await withdrawal.withdraw(FakeSite(api), workload.model)
    assert isinstance(left, fleet.Withdrawing)
    assert "InferenceService/fraud-scorer" in left.left
    assert not api.deletes


async def test_a_foreign_object_is_left_alone_and_told_where_it_says_to_be_the_models(workload: Workload) -> None:
    """It has the label with the model's name, without a UID, and Domicile never applied it."""
    api = FakeApi()
    api.put(ISVC, {"metadata": {"name": "x", "namespace": "retail-banking", "labels": {MODEL_LABEL: "fraud-scorer"}}})
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawing(("InferenceService/x",))
    assert not api.deletes


async def test_ours_is_withdrawn_when_somebody_took_its_labels_off(workload: Workload) -> None:
    api = await placed(workload)
    api.objects[(ISVC, *WHERE)]["metadata"]["labels"] = {}
    left = await withdrawal.withdraw(FakeSite(api), workload.model)
    assert isinstance(left, fleet.Withdrawing)
    assert "InferenceService/fraud-scorer" in left.left
    assert [what for what, _, _ in api.deletes] == ["inferenceservices/fraud-scorer"]


async def test_an_object_of_that_name_that_others_made_is_left_alone(workload: Workload) -> None:
    api = FakeApi()
    api.put(ISVC, {"metadata": {"name": "fraud-scorer", "namespace": "retail-banking"}})
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawn()
    assert not api.deletes


async def test_nothing_is_deleted_when_another_cluster_answers(workload: Workload) -> None:
    api = await placed(workload)
    api.objects[(kube.NAMESPACES, "", "kube-system")]["metadata"]["uid"] = "another"
    with pytest.raises(fleet.IdentityMismatch):
        await withdrawal.withdraw(FakeSite(api), workload.model)
    assert not api.deletes


async def test_a_delete_that_comes_too_late_is_no_failure(workload: Workload) -> None:
    api = await placed(workload)

    def meanwhile(verb: str, _: str) -> None:
        if verb == "DELETE":
            api.objects.pop((ISVC, *WHERE), None)

    api.before = meanwhile
    assert isinstance(await withdrawal.withdraw(FakeSite(api), workload.model), fleet.Withdrawing)


async def test_nothing_is_deleted_once_the_lease_is_lost(workload: Workload) -> None:
    api = await placed(workload)
    with pytest.raises(fleet.NotLeading):
        await withdrawal.withdraw(FakeSite(api), workload.model, lambda: False)
    assert api.deletes == []


async def test_what_outlived_its_namespace_gets_it_back_and_goes(workload: Workload) -> None:
    """Outside of all namespaces the API server lets nothing be deleted or changed: tests/fleet/test_fence.py shows it."""
    api = await placed(workload)
    api.remove(kube.NAMESPACES, "retail-banking")
    api.writes.clear()
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert api.writes == ["create Namespace/retail-banking", "apply AdmissionGrant/grants"]
    assert fence.is_managed(api.objects[(kube.NAMESPACES, "", "retail-banking")]["metadata"]["labels"])
    assert [what for what, _, _ in api.deletes] == ["inferenceservices/fraud-scorer"]


async def test_a_grant_that_alone_outlived_its_namespace_gets_it_back_and_is_taken_back(workload: Workload) -> None:
    api = await placed(workload)
    entry = entries(api)[0]
    api.objects = {key: each for key, each in api.objects.items() if key[1] == "" or key == GRANTS}
    api.remove(kube.NAMESPACES, "retail-banking")
    api.writes.clear()
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawn()
    assert api.writes == ["create Namespace/retail-banking", "apply AdmissionGrant/grants"]
    assert entry not in entries(api)


async def test_a_namespace_that_is_gone_with_all_that_was_in_it_is_not_made_again(workload: Workload) -> None:
    api = FakeApi()
    assert await withdrawal.withdraw(FakeSite(api), workload.model) == fleet.Withdrawn()
    assert api.writes == []


def entries(api: FakeApi) -> list[Any]:
    return api.objects[GRANTS]["spec"].get("models", [])


GRANTS = (kinds.GRANTS, "retail-banking", "grants")


async def test_what_it_was_granted_goes_before_the_workload(workload: Workload) -> None:
    api = await placed(workload)
    gone: list[bool] = []
    api.before = lambda verb, path: gone.append(not entries(api)) if verb == "DELETE" else None
    assert entries(api)
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert gone == [True]
    assert GRANTS in api.objects, "the fence needs it for the other models"


async def test_others_keep_what_they_are_granted(workload: Workload) -> None:
    api = await placed(workload)
    other = serving.workload(builders.model("other"), {})
    grounds = builders.grounds(artifacts=other.artifacts, network=other.network)
    permit = residency.permit(other.model, builders.lawful(), grounds)
    await gate.place(FakeSite(api), permit, other, NOW)
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert [each["name"] for each in entries(api)] == ["other"]


async def test_what_a_later_model_of_that_name_is_granted_stays(workload: Workload) -> None:
    api = await placed(workload)
    api.objects[GRANTS]["spec"]["models"][0]["uid"] = "of a later one"
    api.writes.clear()
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert (api.writes, [each["uid"] for each in entries(api)]) == ([], ["of a later one"])


async def test_an_entry_that_somebody_else_wrote_too_goes_as_well(workload: Workload) -> None:
    """What two managers own, one of them cannot leave out."""
    api = await placed(workload)
    entry = entries(api)[0]
    apply = api.apply

    async def shared(kind: kube.Resource, manifest: kube.Object, **more: Any) -> kube.Object:
        if kind == kinds.GRANTS:
            manifest = {**manifest, "spec": {"models": [entry]}}
        return await apply(kind, manifest, **more)

    api.apply = shared  # pyright: ignore[reportAttributeAccessIssue]
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert entries(api) == []


async def test_withdrawing_works_where_grants_may_not_be_read(workload: Workload) -> None:
    """A cluster that was joined before there were any."""
    api = await placed(workload)
    api.remove(kube.VALIDATING_ADMISSION_POLICIES, fence.REMOVALS)

    def before(verb: str, path: str) -> None:
        if "admissiongrants" in path:
            raise errors.from_status(403, {"reason": "Forbidden", "message": "planted"}, "fake")

    api.before = before
    await withdrawal.withdraw(FakeSite(api), workload.model)
    assert [what for what, _, _ in api.deletes] == ["inferenceservices/fraud-scorer"]
