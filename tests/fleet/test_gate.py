"""The gate on real API servers and with the real KServe: what is written, what is refused, and that nothing is left behind."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from domicile import fleet as gate
from domicile import kube, localfleet, serving
from domicile.fleet import checks, kinds
from domicile.fleet.marking import MARKED, marked
from domicile.localfleet import ApiClient
from fleet.members import PINNED, USER, Members, client, grant, identity, intruder, mark, members, workload, writes
from waiting import eventually

SERVICE = "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices/scorer"
RUNTIME = "/apis/serving.kserve.io/v1alpha1/namespaces/{}/servingruntimes/scorer"
LEFT = (*kinds.WRITTEN, *kinds.MADE_BY_KSERVE)


@pytest.fixture
def sg(fleet: localfleet.Fleet) -> localfleet.Region:
    return fleet.regions["sg"]


@pytest.fixture
async def m(sg: localfleet.Region) -> AsyncIterator[Members]:
    async with members() as joined:
        joined.join(sg)
        await joined.connected()
        yield joined


async def served(m: Members, wanted: serving.Workload) -> serving.SeenWorkload:
    """Wait until KServe's Deployment has its pods."""

    def look() -> serving.SeenWorkload | None:
        seen = m.fleet.seen("sg", wanted.model)
        return seen if any(pod.ready and pod.workload == wanted.digest for pod in seen.pods) else None

    return await eventually(look, within=30, show=lambda: m.fleet.seen("sg", wanted.model))


async def withdrawn(m: Members, region: localfleet.Region, wanted: serving.Workload) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=45)
    while True:
        left = await m.fleet.withdraw(identity(region), wanted.model)
        if isinstance(left, gate.Withdrawn):
            return
        assert datetime.now(UTC) < deadline, left
        await eventually(lambda: m.changes, within=20)
        m.changes.clear()


def at(template: str, wanted: serving.Workload) -> str:
    return template.format(wanted.model.namespace)


async def test_one_placement_in_a_new_namespace_is_nine_writes_and_a_second_none_and_nothing_is_left_after_withdrawing(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    begun = sg.audit_log.stat().st_size
    kinds = ("ServiceAccount", "NetworkPolicy", "ServingRuntime", "InferenceService")
    names = ("AdmissionGrant/grants", *(f"{kind}/scorer" for kind in kinds))
    assert await m.place(sg, wanted) == (f"Namespace/{hub_namespace}", *names)
    seen = await served(m, wanted)
    assert not serving.differs(wanted, seen)
    assert {"ServingRuntime", "NetworkPolicy", "ServiceAccount"} == set(seen.companions)
    assert [deployment.workload for deployment in seen.deployments] == [wanted.digest]
    assert await m.place(sg, wanted) == ()
    assert writes(sg, USER, begun) == [
        f"create namespaces/{hub_namespace}",
        "create admissiongrants/grants",
        "create networkpolicies/domicile",
        "create resourcequotas/domicile",
        "patch admissiongrants/grants",
        "patch serviceaccounts/scorer",
        "patch networkpolicies/scorer",
        "patch servingruntimes/scorer",
        "patch inferenceservices/scorer",
    ]
    await withdrawn(m, sg, wanted)
    api = client(sg.kubeconfig.read_text())
    left = [
        f"{kind}" for kind in LEFT if (await api.list(kind, hub_namespace, label_selector="domicile.dev/model")).items
    ]
    await api.close()
    assert not left
    assert writes(sg, USER, begun)[9:] == [
        "patch admissiongrants/grants",
        "delete inferenceservices/scorer",
        "delete servingruntimes/scorer",
        "delete networkpolicies/scorer",
        "delete serviceaccounts/scorer",
    ]
    await eventually(lambda: m.fleet.seen("sg", wanted.model) == serving.SeenWorkload())
    assert sg.api().get(f"/api/v1/namespaces/{hub_namespace}")["status"]["phase"] == "Active"


async def test_what_is_granted_follows_the_workload_and_the_permit(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    """One entry, whatever changes in it: also a map that becomes empty, which server-side apply has trouble with elsewhere."""
    path = f"/apis/domicile.dev/v1alpha1/namespaces/{hub_namespace}/admissiongrants/grants"
    other = workload(hub_namespace, "other")
    await m.place(sg, other)
    later = datetime.now(UTC) + timedelta(days=3)
    for wanted, until in (
        (workload(hub_namespace, selector={"pool.example/name": "a"}), later),
        (workload(hub_namespace), later),
        (workload(hub_namespace), later + timedelta(microseconds=1500)),
        (workload(hub_namespace, runtime={"image": PINNED, "args": []}), later),
    ):
        await m.place(sg, wanted, until)
        (kept, entry) = sorted(sg.api().get(path)["spec"]["models"], key=lambda each: each["name"])
        assert (kept["name"], entry) == ("other", serving.granted(wanted, until))
    await withdrawn(m, sg, other)
    assert [each["name"] for each in sg.api().get(path)["spec"]["models"]] == ["scorer"]


async def test_an_owned_field_is_repaired_and_a_foreign_one_left(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    await m.place(sg, wanted)
    intruder(sg).merge(
        at(SERVICE, wanted),
        {"metadata": {"annotations": {"team": "theirs"}}, "spec": {"predictor": {"minReplicas": 3, "maxReplicas": 3}}},
    )
    await eventually(lambda: serving.differs(wanted, m.fleet.seen("sg", wanted.model)), within=1)
    assert await m.place(sg, wanted) == ("InferenceService/scorer",)
    live = sg.api().get(at(SERVICE, wanted))
    assert live["spec"]["predictor"]["minReplicas"] == 1
    assert live["metadata"]["annotations"]["team"] == "theirs"


async def test_a_container_that_somebody_put_into_the_runtime_is_taken_out(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    await m.place(sg, wanted)
    containers = sg.api().get(at(RUNTIME, wanted))["spec"]["containers"]
    stowaway = {"name": "stowaway", "image": "evil.example/x:latest"}
    intruder(sg).merge(at(RUNTIME, wanted), {"spec": {"containers": [*containers, stowaway]}})
    await eventually(lambda: serving.differs(wanted, m.fleet.seen("sg", wanted.model)), within=1)
    assert await m.place(sg, wanted) == ("ServingRuntime/scorer",)
    assert [c["name"] for c in sg.api().get(at(RUNTIME, wanted))["spec"]["containers"]] == ["kserve-container"]


async def test_labels_that_somebody_took_off_come_back_and_do_not_hide_the_model(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    await m.place(sg, wanted)
    await served(m, wanted)
    gone = dict.fromkeys(wanted.inference_service["metadata"]["labels"])
    intruder(sg).merge(at(SERVICE, wanted), {"metadata": {"labels": gone}})
    missing = await eventually(lambda: serving.differs(wanted, m.fleet.seen("sg", wanted.model)), within=1)
    assert missing == ("InferenceService.metadata.labels",)
    assert hub_namespace not in m.view().foreign_services
    assert await m.place(sg, wanted) == ("InferenceService/scorer",)
    intruder(sg).merge(at(SERVICE, wanted), {"metadata": {"labels": gone}})
    await withdrawn(m, sg, wanted)
    assert sg.api().find(at(SERVICE, wanted)) is None


async def test_what_somebody_else_made_is_neither_taken_over_nor_deleted(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    intruder(sg).create({**wanted.namespace})
    theirs = _foreign(intruder(sg), wanted)
    with pytest.raises(gate.ForeignObject, match="was not made by Domicile"):
        await m.place(sg, wanted)
    await withdrawn(m, sg, wanted)
    live = sg.api().get(at(SERVICE, wanted))
    assert live["metadata"]["uid"] == theirs
    assert live["metadata"]["annotations"]["owner"] == "team"
    await eventually(lambda: m.view().foreign_services.get(hub_namespace) == {"scorer"}, show=m.view)


async def test_a_namespace_that_is_not_ours_is_not_taken_over(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    wanted = workload(hub_namespace)
    sg.api().create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": hub_namespace}})
    begun = sg.audit_log.stat().st_size
    with pytest.raises(gate.NamespaceNotOwned):
        await m.place(sg, wanted)
    assert not writes(sg, USER, begun)


async def test_nothing_is_written_without_a_permit_that_holds(
    m: Members, sg: localfleet.Region, hub_namespace: str
) -> None:
    begun = sg.audit_log.stat().st_size
    with pytest.raises(gate.PermitExpired):
        await m.place(sg, workload(hub_namespace), until=datetime.now(UTC) - timedelta(seconds=1))
    earlier: Any = SimpleNamespace(name="sg", kube_system_uid="another")
    with pytest.raises(gate.PermitMismatch):
        await m.place(earlier, workload(hub_namespace))
    assert not writes(sg, USER, begun)


async def test_a_uid_in_an_applied_manifest_is_a_precondition_for_the_api_server(
    sg: localfleet.Region, hub_namespace: str
) -> None:
    """What the gate relies on, so that an object made anew between its look and its write is not taken over."""
    wanted = workload(hub_namespace)
    intruder(sg).create({**wanted.namespace})
    api = client(grant(sg))
    for plain in (*wanted.companions, wanted.inference_service):
        kind = checks.resource_of(plain)
        manifest = marked(plain, mark(sg)) if kind in MARKED else plain
        other = {**manifest, "metadata": {**manifest["metadata"], "uid": "11111111-1111-1111-1111-111111111111"}}
        with pytest.raises(kube.Conflict):
            await api.apply(kind, other, field_manager="domicile", force=True)
        made = await api.apply(kind, manifest, field_manager="domicile", force=True)
        with pytest.raises((kube.Conflict, kube.Invalid), match=r"uid|UID"):
            await api.apply(kind, other, field_manager="domicile", force=True)
        live = await api.get(kind, "scorer", hub_namespace)
        assert live["metadata"]["uid"] == made["metadata"]["uid"]
    await api.close()


def _foreign(api: ApiClient, wanted: serving.Workload) -> str:
    """An InferenceService of the same name that a team made by hand; its UID."""
    metadata = {
        "name": "scorer",
        "namespace": wanted.model.namespace,
        "annotations": {"owner": "team", "serving.kserve.io/deploymentMode": "Standard"},
    }
    manifest = {**wanted.inference_service, "metadata": metadata}
    uid: str = api.create(dict(manifest))["metadata"]["uid"]
    return uid
