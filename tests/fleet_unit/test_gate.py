"""The gate writes what a permit permits, to the member it is for, and nothing else. The API server is a fake one."""

import asyncio
import copy
import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

import builders
from builders import NOW
from domicile import fleet, kube, residency, serving
from domicile.api import CLAIM_MARK
from domicile.fleet import gate, kinds
from domicile.serving import MODEL_UID, Workload
from fake_api import FakeApi, FakeDefence, FakeSite

SYSTEM = ("kube-system", "domicile-fence")
ISVC, RUNTIME, ACCOUNT = kinds.INFERENCE_SERVICES, kinds.SERVING_RUNTIMES, kube.SERVICE_ACCOUNTS
OTHER = "registry.sg.example/serving/other@sha256:" + "0" * 64
Change = Callable[[dict[str, Any]], None]


@pytest.fixture
def workload() -> Workload:
    return serving.workload(builders.model(), {})


def permit_for(workload: Workload, *, on: str = "sg", until: datetime = builders.LONG_AHEAD) -> residency.Permit:
    grounds = builders.grounds(artifacts=workload.artifacts, network=workload.network)
    return residency.permit(workload.model, builders.lawful(on, until), grounds)


def changed(workload: Workload, part: str, change: Change) -> Workload:
    """The workload with one manifest changed; `part` is a field of Workload, or the kind of a companion."""
    if part in ("namespace", "inference_service"):
        manifest = copy.deepcopy(dict(getattr(workload, part)))
        change(manifest)
        return dataclasses.replace(workload, **{part: manifest})
    companions = [copy.deepcopy(dict(manifest)) for manifest in workload.companions]
    for manifest in companions:
        if manifest["kind"] == part:
            change(manifest)
    return dataclasses.replace(workload, companions=tuple(companions))


async def test_a_new_workload_is_written_in_its_order(workload: Workload) -> None:
    api = FakeApi()
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert api.writes == [
        "create Namespace/retail-banking",
        "create AdmissionGrant/grants",
        "apply AdmissionGrant/grants",
        "apply ServiceAccount/fraud-scorer",
        "apply NetworkPolicy/fraud-scorer",
        "apply ServingRuntime/fraud-scorer",
        "apply InferenceService/fraud-scorer",
    ]
    assert applied.written == tuple(write.split(" ")[1] for write in api.writes if not write.startswith("create A"))


def opened(manifest: dict[str, Any]) -> None:
    manifest["spec"]["egress"] = [{}]


async def test_refused_what_would_let_through_more_than_is_permitted(workload: Workload) -> None:
    more = changed(workload, "NetworkPolicy", opened)
    api = FakeApi()
    with pytest.raises(fleet.PermitMismatch, match="lets through what the permit does not name"):
        await gate.place(FakeSite(api), permit_for(workload), more, NOW)
    assert api.writes == []


async def test_what_somebody_let_through_is_closed_again_under_the_mark_of_the_term(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    there = api.objects[(kube.NETWORK_POLICIES, "retail-banking", "fraud-scorer")]
    assert there["metadata"]["annotations"][CLAIM_MARK] == FakeSite(api).mark
    opened(there)
    there["spec"]["podSelector"] = {"matchLabels": {}}
    there["metadata"]["annotations"] = {}
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert applied.written == ("NetworkPolicy/fraud-scorer",)
    there = api.objects[(kube.NETWORK_POLICIES, "retail-banking", "fraud-scorer")]
    assert there["spec"] == workload.companions[1]["spec"]
    assert there["metadata"]["annotations"][CLAIM_MARK] == FakeSite(api).mark


async def test_what_is_there_is_not_written_again(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.writes.clear()
    assert await gate.place(FakeSite(api), permit_for(workload), workload, NOW) == fleet.Applied(())
    assert api.writes == []


async def test_only_what_drifted_is_written(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.writes.clear()
    api.objects[(RUNTIME, "retail-banking", "fraud-scorer")]["spec"]["containers"][0]["image"] = OTHER
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert applied.written == ("ServingRuntime/fraud-scorer",)


async def test_a_cache_that_lags_behind_our_own_write_causes_no_second_one(workload: Workload) -> None:
    api = FakeApi()
    site = FakeSite(api)
    await gate.place(site, permit_for(workload), workload, NOW)
    old = copy.deepcopy(api.objects[(ISVC, "retail-banking", "fraud-scorer")])
    old["spec"]["predictor"]["minReplicas"] = 7
    site.cache[(ISVC, "retail-banking", "fraud-scorer")] = old
    api.writes.clear()
    assert await gate.place(site, permit_for(workload), workload, NOW) == fleet.Applied(())


async def test_a_cache_that_is_in_step_saves_the_reads(workload: Workload) -> None:
    api, asked = FakeApi(), list[str]()
    site = FakeSite(api)
    await gate.place(site, permit_for(workload), workload, NOW)
    site.cache.update(api.objects)
    api.before = lambda verb, path: asked.append(f"{verb} {path}")
    await gate.place(site, permit_for(workload), workload, NOW)
    assert asked == ["GET /api/v1/namespaces/kube-system"]


async def test_a_drift_that_the_cache_shows_is_repaired(workload: Workload) -> None:
    api = FakeApi()
    site = FakeSite(api)
    await gate.place(site, permit_for(workload), workload, NOW)
    api.objects[(ISVC, "retail-banking", "fraud-scorer")]["spec"]["predictor"]["minReplicas"] = 7
    site.cache.update(api.objects)
    applied = await gate.place(site, permit_for(workload), workload, NOW)
    assert applied.written == ("InferenceService/fraud-scorer",)


GRANTS = (kinds.GRANTS, "retail-banking", "grants")


async def test_what_is_granted_is_what_the_manifests_run_until_the_permit_ends(workload: Workload) -> None:
    api, permit = FakeApi(), permit_for(workload)
    await gate.place(FakeSite(api), permit, workload, NOW)
    assert api.objects[GRANTS]["spec"]["models"] == [serving.granted(workload, permit.until)]


class Fallen(FakeDefence):
    """In force as far as is known, and not in the namespace."""

    async def holds_in(self, api: kube.Api, namespace: kube.Object, model: str = "") -> None:
        raise fleet.FenceNotInForce("planted")


async def test_nothing_is_granted_where_the_fence_is_not_shown(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    site.guard = Fallen()
    with pytest.raises(fleet.FenceNotInForce):
        await gate.place(site, permit_for(workload), workload, NOW)
    assert api.writes == ["create Namespace/retail-banking", "create AdmissionGrant/grants"]
    assert api.objects[GRANTS]["spec"] == {}


async def test_a_grant_that_the_cache_shows_to_be_another_is_written(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    await gate.place(site, permit_for(workload), workload, NOW)
    api.objects[GRANTS]["spec"]["models"][0]["containers"][0]["image"] = OTHER
    site.cache.update(api.objects)
    applied = await gate.place(site, permit_for(workload), workload, NOW)
    assert applied.written == ("AdmissionGrant/grants",)


async def test_what_another_model_of_that_name_is_granted_is_left(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    await gate.place(site, permit_for(workload), workload, NOW)
    api.objects[GRANTS]["spec"]["models"][0]["uid"] = "of an earlier one"
    api.writes.clear()
    await refused(fleet.ForeignObject, "granted to another model of that name", workload, permit_for(workload), site)


async def test_a_grant_that_somebody_made_meanwhile_is_taken(workload: Workload) -> None:
    api = FakeApi()

    def meanwhile(verb: str, path: str) -> None:
        if verb == "POST" and "admissiongrants" in path:
            meta = {"name": "grants", "namespace": "retail-banking"}
            api.put(kinds.GRANTS, {"kind": "AdmissionGrant", "metadata": meta, "spec": {}})

    api.before = meanwhile
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert len(api.objects[GRANTS]["spec"]["models"]) == 1


async def test_a_namespace_that_changed_hands_since_it_was_seen_is_not_written_to(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    site.cache[(kube.NAMESPACES, "", "retail-banking")] = workload.namespace
    api.put(kube.NAMESPACES, {"metadata": {"name": "retail-banking"}})
    await refused(fleet.NamespaceNotOwned, "not Domicile's", workload, permit_for(workload), site)


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5, 6, 7])
async def test_it_resumes_after_a_failure_at_any_write(workload: Workload, fails_at: int) -> None:
    api = FakeApi()
    seen: list[str] = []

    def fail(verb: str, path: str) -> None:
        if verb in ("POST", "PATCH"):
            seen.append(path)
            if len(seen) == fails_at:
                raise kube.Unreachable("sg", verb, "planted")

    api.before = fail
    with pytest.raises(kube.Unreachable):
        await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert len(api.writes) == len(set(api.writes)) == 7


class PretendedPermit:
    """Quacks like a permit."""

    def __init__(self, like: residency.Permit) -> None:
        self.model, self.member, self.grounds, self.until, self.seal = (
            like.model,
            like.member,
            like.grounds,
            like.until,
            like.seal,
        )

    def verify(self) -> None:
        return None


async def refused(
    error: type[fleet.GateError], says: str, workload: Workload, permit: Any, site: FakeSite | None = None
) -> None:
    """The gate refuses, and has written nothing."""
    api = FakeApi() if site is None else site.api
    assert isinstance(api, FakeApi)
    before = len(api.writes)
    with pytest.raises(error, match=says):
        await gate.place(site or FakeSite(api), permit, workload, NOW)
    assert len(api.writes) == before


async def test_refused_something_that_only_looks_like_a_permit(workload: Workload) -> None:
    pretended = PretendedPermit(permit_for(workload))
    await refused(fleet.NotAPermit, "PretendedPermit is no Permit", workload, pretended)


async def test_refused_a_permit_that_was_changed(workload: Workload) -> None:
    permit = permit_for(workload, until=NOW - timedelta(seconds=1))
    object.__setattr__(permit, "until", builders.LONG_AHEAD)
    await refused(fleet.NotAPermit, "was not made by the residency engine", workload, permit)


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(microseconds=1), builders.LONG_AGO])
async def test_refused_a_permit_whose_time_is_over_before_the_member_is_asked(
    workload: Workload, until: datetime
) -> None:
    site, asked = FakeSite(api := FakeApi()), list[str]()
    api.before = lambda verb, path: asked.append(path)
    await refused(fleet.PermitExpired, "a new decision is due", workload, permit_for(workload, until=until), site)
    assert not asked


@pytest.mark.parametrize("kind", [kube.NAMESPACES, ACCOUNT, RUNTIME, ISVC], ids=str)
async def test_refused_when_its_time_ends_between_the_check_and_a_write(
    workload: Workload, kind: kube.Resource
) -> None:
    """Reading takes time, and a member may be slow."""
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    (missing,) = [where for where in api.objects if where[0] == kind and where[2] not in SYSTEM]
    del api.objects[missing]
    answer = api.get

    async def slowly(*arguments: Any, **more: Any) -> kube.Object:
        await asyncio.sleep(0.02)
        return await answer(*arguments, **more)

    api.get = slowly
    permit = permit_for(workload, until=NOW + timedelta(milliseconds=10))
    await refused(fleet.PermitExpired, "ended at", workload, permit, FakeSite(api))


async def test_refused_a_permit_for_another_member(workload: Workload) -> None:
    await refused(fleet.PermitMismatch, "the permit is for ph", workload, permit_for(workload, on="ph"))


async def test_refused_a_permit_for_an_earlier_cluster_of_that_name(workload: Workload) -> None:
    site = FakeSite(FakeApi(builders.member(at="rebuilt")), builders.member(at="rebuilt"))
    await refused(fleet.PermitMismatch, "the registered member is sg", workload, permit_for(workload), site)


async def test_refused_a_permit_for_another_model(workload: Workload) -> None:
    other = serving.workload(builders.model("other"), {})
    await refused(fleet.PermitMismatch, "the permit is for retail-banking/other", workload, permit_for(other))


async def test_refused_a_permit_for_an_earlier_model_of_that_name(workload: Workload) -> None:
    earlier = dataclasses.replace(workload.model, uid=builders.uid("earlier"))
    permit = residency.permit(earlier, builders.lawful(), builders.grounds(artifacts=workload.artifacts))
    await refused(fleet.PermitMismatch, "the workload is of", workload, permit)


async def test_refused_when_another_cluster_answers(workload: Workload) -> None:
    """The address, or the TCP connection behind it, leads to another cluster by now."""
    site = FakeSite(FakeApi(builders.member(at="another")))
    await refused(
        fleet.IdentityMismatch, "is not sg: its kube-system namespace has UID", workload, permit_for(workload), site
    )
    assert site.distrusted


async def test_refused_when_the_member_is_out_of_sight(workload: Workload) -> None:
    site = FakeSite(FakeApi())
    site.sight = builders.out_of_sight()
    await refused(fleet.MemberOutOfSight, "Unreachable", workload, permit_for(workload), site)


def predictor(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["predictor"]


def label(key: str, value: str) -> Change:
    return lambda manifest: manifest["metadata"]["labels"].update({key: value})


def named(**metadata: str) -> Change:
    return lambda manifest: manifest["metadata"].update(metadata)


def no_label(key: str) -> Change:
    return lambda manifest: manifest["metadata"]["labels"].pop(key)


SIDECAR = {"name": "sidecar", "image": OTHER}
VOLUME = {"name": "v", "image": {"reference": OTHER}}
STRAY: dict[str, tuple[str, Change]] = {
    "another server": ("ServingRuntime", lambda m: m["spec"]["containers"][0].update(image=OTHER)),
    "a sidecar of the runtime": ("ServingRuntime", lambda m: m["spec"]["containers"].append(SIDECAR)),
    "an init container": ("ServingRuntime", lambda m: m["spec"].update(initContainers=[SIDECAR])),
    "a worker": ("ServingRuntime", lambda m: m["spec"].update(workerSpec={"containers": [SIDECAR]})),
    "a sidecar of the predictor": ("inference_service", lambda m: predictor(m).update(containers=[SIDECAR])),
    "an image volume": ("inference_service", lambda m: predictor(m).update(volumes=[VOLUME])),
    "another model": ("inference_service", lambda m: predictor(m)["model"].update(storageUri=f"oci://{OTHER}")),
    "a model of a bucket": ("inference_service", lambda m: predictor(m)["model"].update(storageUri="s3://b/m")),
    "the model by tag": (
        "inference_service",
        lambda m: predictor(m)["model"].update(storageUri="oci://registry.sg.example/models/fraud:1"),
    ),
    "more models": ("inference_service", lambda m: predictor(m).update(storageUris=[{"uri": "hf://x/y"}])),
    "a storage key": ("inference_service", lambda m: predictor(m)["model"].update(storage={"key": "k", "path": "p"})),
    "a note to KServe's webhook": (
        "inference_service",
        lambda m: m["metadata"]["annotations"].update(
            {"internal.serving.kserve.io/storage-initializer-sourceuri": "s3://b/m"}
        ),
    ),
    "a storage URI by environment": (
        "ServingRuntime",
        lambda m: m["spec"]["containers"][0].update(env=[{"name": "STORAGE_URI", "value": "s3://b/m"}]),
    ),
}


@pytest.mark.parametrize(("part", "change"), STRAY.values(), ids=STRAY.keys())
async def test_refused_what_would_run_an_artifact_that_is_not_permitted(
    workload: Workload, part: str, change: Change
) -> None:
    """Though the workload's own list of artifacts says nothing of it."""
    await refused(fleet.PermitMismatch, "would run", changed(workload, part, change), permit_for(workload))


MISNAMED: dict[str, tuple[str, Change, str]] = {
    "another namespace's manifest": ("namespace", named(name="kube-system"), "not a managed Namespace"),
    "a namespace that is not managed": ("namespace", no_label("domicile.dev/managed"), "not a managed Namespace"),
    "an InferenceService elsewhere": ("inference_service", named(namespace="other"), "is not named and labelled as"),
    "an InferenceService of another name": ("inference_service", named(name="other"), "is not named and labelled as"),
    "a runtime elsewhere": ("ServingRuntime", named(namespace="other"), "is not named and labelled as"),
    "a runtime of another model": ("ServingRuntime", label(MODEL_UID, "x"), "is not named and labelled as"),
    "no label of the model": ("inference_service", no_label("domicile.dev/model"), "is not named and labelled as"),
    "a ClusterRoleBinding": ("ServiceAccount", lambda m: m.update(kind="ClusterRoleBinding"), "must not bring a"),
    "a Secret": ("ServiceAccount", lambda m: m.update(kind="Secret"), "must not bring a Secret"),
    "a Pod as InferenceService": (
        "inference_service",
        lambda m: m.update(kind="Pod", apiVersion="v1"),
        "must not bring",
    ),
    "a runtime of the cluster": (
        "inference_service",
        lambda m: predictor(m)["model"].update(runtime="kserve-sklearnserver"),
        "which the workload does not bring",
    ),
    "a runtime of KServe's choice": (
        "inference_service",
        lambda m: predictor(m)["model"].pop("runtime"),
        "which the workload does not bring",
    ),
    "a transformer": ("inference_service", lambda m: m["spec"].update(transformer={}), "spec.transformer"),
    "a framework of its own": (
        "inference_service",
        lambda m: predictor(m).update(sklearn=predictor(m).pop("model")),
        "which the workload does not bring",
    ),
}


@pytest.mark.parametrize(("part", "change", "says"), MISNAMED.values(), ids=MISNAMED.keys())
async def test_refused_what_is_not_the_models(workload: Workload, part: str, change: Change, says: str) -> None:
    await refused(fleet.PermitMismatch, says, changed(workload, part, change), permit_for(workload))


async def test_refused_a_namespace_that_is_not_ours(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    api.put(kube.NAMESPACES, {"metadata": {"name": "retail-banking"}})
    await refused(fleet.NamespaceNotOwned, "takes none over", workload, permit_for(workload), site)


async def test_refused_a_namespace_that_another_makes_at_this_moment(workload: Workload) -> None:
    api = FakeApi()

    def meanwhile(verb: str, _: str) -> None:
        if verb == "POST":
            api.put(kube.NAMESPACES, {"metadata": {"name": "retail-banking"}})

    api.before = meanwhile
    await refused(fleet.NamespaceNotOwned, "not Domicile's", workload, permit_for(workload), FakeSite(api))


async def test_refused_a_namespace_that_is_going(workload: Workload) -> None:
    site = FakeSite(api := FakeApi())
    api.put(kube.NAMESPACES, workload.namespace, deletionTimestamp="2026-11-23T09:00:00Z")
    await refused(fleet.BeingDeleted, "is being deleted", workload, permit_for(workload), site)


@pytest.mark.parametrize("kind", [ISVC, RUNTIME, ACCOUNT], ids=str)
@pytest.mark.parametrize("labels", [{}, {MODEL_UID: "another"}], ids=["no owner", "another owner"])
async def test_refused_what_somebody_else_made(workload: Workload, kind: kube.Resource, labels: dict[str, str]) -> None:
    site = FakeSite(api := FakeApi())
    api.put(kube.NAMESPACES, workload.namespace)
    theirs = api.put(kind, {"metadata": {"name": "fraud-scorer", "namespace": "retail-banking", "labels": labels}})
    before = copy.deepcopy(theirs)
    with pytest.raises(fleet.ForeignObject, match="is there already"):
        await gate.place(site, permit_for(workload), workload, NOW)
    assert api.objects[(kind, "retail-banking", "fraud-scorer")] == before


async def test_our_own_is_repaired_when_somebody_takes_its_labels_off(workload: Workload) -> None:
    """The managed fields, which the API server keeps, say that Domicile applied it."""
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.objects[(ISVC, "retail-banking", "fraud-scorer")]["metadata"]["labels"] = {}
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert applied.written == ("InferenceService/fraud-scorer",)


async def test_our_own_is_repaired_when_somebody_changes_its_labels(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.relabel(ISVC, "fraud-scorer", "retail-banking", **{MODEL_UID: "another"})
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert applied.written == ("InferenceService/fraud-scorer",)


EVIL = {"name": "evil", "image": OTHER}
ADDED: dict[str, tuple[kube.Resource, Change]] = {
    "a container": (ISVC, lambda m: predictor(m).update(containers=[EVIL])),
    "an init container": (ISVC, lambda m: predictor(m).update(initContainers=[EVIL])),
    "a transformer": (ISVC, lambda m: m["spec"].update(transformer={"containers": [EVIL]})),
    "a command of the server": (ISVC, lambda m: predictor(m)["model"].update(command=["sh"])),
    "both of a kind that is ours": (ISVC, lambda m: predictor(m).update(containers=[EVIL], minReplicas=7)),
    "a command of the runtime": (RUNTIME, lambda m: m["spec"]["containers"][0].update(command=["sh"])),
    "an init container of the runtime": (RUNTIME, lambda m: m["spec"].update(initContainers=[EVIL])),
}


@pytest.mark.parametrize(("kind", "add"), ADDED.values(), ids=ADDED.keys())
async def test_what_others_added_that_would_run_is_taken_away(
    workload: Workload, kind: kube.Resource, add: Change
) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    live = api.objects[(kind, "retail-banking", "fraud-scorer")]
    live["spec"]["addedByOthers"] = True
    wanted = copy.deepcopy(live["spec"])
    add(live)
    applied = await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert applied.written == (f"{kinds.KIND[kind]}/fraud-scorer",)
    assert api.objects[(kind, "retail-banking", "fraud-scorer")]["spec"] == wanted
    assert await gate.place(FakeSite(api), permit_for(workload), workload, NOW) == fleet.Applied(())


async def test_what_changed_since_the_look_is_not_patched(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    predictor(api.objects[(ISVC, "retail-banking", "fraud-scorer")]).update(initContainers=[EVIL])

    def meanwhile(verb: str, path: str) -> None:
        if verb == "PATCH" and "inferenceservices" in path:
            api.objects[(ISVC, "retail-banking", "fraud-scorer")]["metadata"]["resourceVersion"] = "3"

    # A copy, as a real server answers.
    read = api.get

    async def copied(*arguments: Any, **more: Any) -> kube.Object:
        return copy.deepcopy(await read(*arguments, **more))

    api.get, api.before = copied, meanwhile
    with pytest.raises(kube.Conflict):
        await gate.place(FakeSite(api), permit_for(workload), workload, NOW)


async def test_another_models_object_is_not_ours_though_domicile_applied_it(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.objects[(ISVC, "retail-banking", "fraud-scorer")]["metadata"]["labels"][MODEL_UID] = "another"
    with pytest.raises(fleet.ForeignObject, match="belongs to another model"):
        await gate.place(FakeSite(api), permit_for(workload), workload, NOW)


async def test_an_object_made_anew_by_somebody_else_between_look_and_write_is_not_taken_over(
    workload: Workload,
) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.objects[(ISVC, "retail-banking", "fraud-scorer")]["spec"] = {}

    def meanwhile(verb: str, path: str) -> None:
        if verb == "PATCH" and "inferenceservices" in path:
            api.put(ISVC, {"metadata": {"name": "fraud-scorer", "namespace": "retail-banking"}}, uid="another")

    api.before = meanwhile
    with pytest.raises(kube.Conflict):
        await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    assert "labels" not in api.objects[(ISVC, "retail-banking", "fraud-scorer")]["metadata"]


async def test_what_is_being_deleted_is_waited_for(workload: Workload) -> None:
    api = FakeApi()
    await gate.place(FakeSite(api), permit_for(workload), workload, NOW)
    api.objects[(ISVC, "retail-banking", "fraud-scorer")]["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z"
    site = FakeSite(api)
    for cache in ({}, api.objects):
        site.cache = {**cache}
        with pytest.raises(fleet.BeingDeleted, match="it is made anew once it is gone"):
            await gate.place(site, permit_for(workload), workload, NOW)


async def test_refused_when_the_lease_is_lost_between_two_writes(workload: Workload) -> None:
    api, answers = FakeApi(), iter([True, True])
    with pytest.raises(fleet.NotLeading):
        await gate.place(FakeSite(api), permit_for(workload), workload, NOW, lambda: next(answers, False))
    assert len(api.writes) == 2
