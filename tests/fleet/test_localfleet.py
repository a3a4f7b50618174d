"""The local fleet itself: who is who in it, what its audit says, and that its nodes really serve."""

import contextlib
import http.client
import ipaddress
import json
import math
import os
import time
from pathlib import Path

import pytest

from domicile import localfleet
from domicile.localfleet import apiclient, certs, errors, images, members, progress, starting, state, waiting
from domicile.localfleet.realnode import node
from fleet import audit

MODEL = {
    "version": "7",
    "classes": ["low", "middle", "high"],
    "coef": [[1.5, -0.25], [0.0, 0.5], [-1.0, 0.75]],
    "bias": [0.1, 0.0, -0.2],
}
SMALL = (localfleet.RegionSpec("sg", (localfleet.NodeSpec("sg-l4-0", localfleet.L4, may_be_real=True),)),)
ROWS = [[1.0, 2.0], [0.0, 0.0], [-3.0, 4.5]]


@pytest.fixture
def namespace(fleet: localfleet.Fleet, hub_namespace: str) -> str:
    """In region sg, under Pod Security `restricted`; hub_namespace cleans it up."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    fleet.regions["sg"].api().create(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": hub_namespace, "labels": labels}}
    )
    return hub_namespace


@pytest.fixture
def model(fleet: localfleet.Fleet) -> str:
    return fleet.registry.push(images.model({"model.json": json.dumps(MODEL).encode()}), "models/test")


def inference_service(namespace: str, model: str, gpu: localfleet.Gpu) -> dict[str, object]:
    gpus = {"nvidia.com/gpu": "1"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "scorer",
            "namespace": namespace,
            "annotations": {
                "serving.kserve.io/deploymentMode": "Standard",
                "serving.kserve.io/autoscalerClass": "none",
            },
        },
        "spec": {
            "predictor": {
                "nodeSelector": {"nvidia.com/gpu.product": gpu.product},
                "model": {
                    "modelFormat": {"name": "softmax-json"},
                    "protocolVersion": "v2",
                    "storageUri": f"oci://{model}",
                    "resources": {"requests": gpus, "limits": gpus},
                },
            }
        },
    }


def serve(api: apiclient.ApiClient, wanted: dict[str, object], namespace: str) -> apiclient.Object:
    """Applies it, waits until it is Ready, returns its one pod."""
    api.apply(wanted)
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{namespace}/inferenceservices/scorer"

    def look() -> str | None:
        conditions = api.get(path).get("status", {}).get("conditions", [])
        if any(each["type"] == "Ready" and each["status"] == "True" for each in conditions):
            return None
        events = api.get(f"/api/v1/namespaces/{namespace}/events")["items"]
        return json.dumps([conditions, [event["message"] for event in events][-5:]])

    waiting.until("InferenceService Ready", look, within=60)
    (pod,) = api.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return pod


def softmax(row: list[float]) -> list[float]:
    scores = [
        sum(weight * value for weight, value in zip(weights, row, strict=True)) + bias
        for weights, bias in zip(MODEL["coef"], MODEL["bias"], strict=True)
    ]
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def test_the_whole_fleet_is_up_in_well_under_a_minute(fleet: localfleet.Fleet) -> None:
    assert fleet.start_seconds < 60
    assert list(fleet.regions) == ["sg", "ph", "de"]
    uids = {cluster.kube_system_uid for cluster in fleet.clusters.values()}
    assert len(uids) == 4
    assert sum(fleet.memory().values()) > 0


def listening_addresses(pid: int) -> set[str]:
    """Where the process listens, over IPv4 and IPv6; from the kernel's own tables."""
    inodes: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(link))
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                raw = bytes.fromhex(fields[1].partition(":")[0])
                words = [raw[i : i + 4][::-1] for i in range(0, len(raw), 4)]  # each in the machine's byte order
                found.add(str(ipaddress.ip_address(b"".join(words))))
    return found


def test_nothing_listens_where_the_network_could_reach_it(fleet: localfleet.Fleet) -> None:
    for name, record in fleet.ledger.state.processes.items():
        assert record.process
        addresses = {each for each in listening_addresses(record.process.pid) if each != "127.0.0.1"}
        if name.endswith("/kubelet"):  # on the bridge of its own pods, so that the API server can reach it
            assert all(ipaddress.ip_address(each) in ipaddress.ip_network("10.244.0.0/15") for each in addresses)
        else:
            assert not addresses, name


def test_every_region_has_the_nodes_of_its_spec(fleet: localfleet.Fleet) -> None:
    for region in fleet.regions.values():
        nodes = {node["metadata"]["name"]: node for node in region.api().get("/api/v1/nodes")["items"]}
        assert set(nodes) == {node.name for node in region.spec.nodes}
        for wanted in region.spec.nodes:
            assert wanted.gpu
            assert nodes[wanted.name]["metadata"]["labels"]["nvidia.com/gpu.product"] == wanted.gpu.product
            assert nodes[wanted.name]["status"]["allocatable"]["nvidia.com/gpu"] == str(wanted.gpu.count)


def as_user(cluster: localfleet.Cluster, user: str) -> apiclient.ApiClient:
    """Speaks as the identity whose certificate files carry this name."""
    pki = cluster.authority.parent
    pair = certs.KeyPair(pki / f"{user}.crt", pki / f"{user}.key")
    return apiclient.ApiClient(cluster.url, cluster.authority, pair)


def test_kwok_plays_nodes_and_can_do_no_more(fleet: localfleet.Fleet) -> None:
    kwok = as_user(fleet.regions["sg"], "kwok")
    assert kwok.get("/api/v1/nodes")["items"]
    for forbidden in ("/api/v1/secrets", "/api/v1/configmaps", "/apis/serving.kserve.io/v1beta1/inferenceservices"):
        status, _ = kwok.raw("GET", forbidden)
        assert status == 403, forbidden


def may(api: apiclient.ApiClient, user: str, verb: str, group: str, resource: str) -> bool:
    attributes = {"verb": verb, "group": group, "resource": resource, "namespace": "default"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    return api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]


KSERVE = "system:serviceaccount:kserve:kserve-controller-manager"
RIGHTS = {
    "KServe makes Deployments": (KSERVE, "create", "apps", "deployments", True),
    "KServe writes no pods": (KSERVE, "create", "", "pods", False),
    "KServe does not list Secrets": (KSERVE, "list", "", "secrets", False),
    "the scheduler binds pods": ("system:kube-scheduler", "create", "", "pods/binding", True),
    "the scheduler reads no Secrets": ("system:kube-scheduler", "get", "", "secrets", False),
    "kwok deletes no namespaces": ("kwok-controller", "delete", "", "namespaces", False),
}


@pytest.mark.parametrize("case", RIGHTS)
def test_each_component_has_its_own_rights(case: str, fleet: localfleet.Fleet) -> None:
    user, verb, group, resource, allowed = RIGHTS[case]
    assert may(fleet.regions["sg"].api(), user, verb, group, resource) == allowed


def test_only_set_up_and_the_server_itself_act_as_masters(fleet: localfleet.Fleet) -> None:
    seen: set[str] = set()
    masters: set[str] = set()
    for entry in audit.entries(fleet.regions["sg"].audit_log):
        user = entry["user"]
        if entry.get("userAgent") == audit.INTRUDER:  # A test that plays one.
            continue
        seen.add(user["username"])
        if "system:masters" in user.get("groups", []):
            masters.add(user["username"])
    assert masters <= {"admin", "system:apiserver"}
    assert {"kwok-controller", KSERVE, "system:kube-scheduler", "system:kube-controller-manager"} <= seen


def test_a_person_gets_an_identity_without_rights(fleet: localfleet.Fleet) -> None:
    path = fleet.hub.kubeconfig_for("alice", ["bank:team"])
    config = json.loads(path.read_text())
    assert config["current-context"] == fleet.hub.context
    (file,) = fleet.hub.authority.parent.glob("user-alice-*.crt")
    alice = as_user(fleet.hub, file.stem)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    told = alice.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review)["status"]["userInfo"]
    assert told["username"] == "alice"
    assert told["groups"] == ["bank:team", "system:authenticated"]
    assert alice.raw("GET", "/api/v1/namespaces")[0] == 403


def test_the_hubs_identities_are_nobody_in_a_region(fleet: localfleet.Fleet) -> None:
    region = fleet.regions["ph"]
    pki = fleet.hub.authority.parent
    hub_admin = certs.KeyPair(pki / "admin.crt", pki / "admin.key")
    assert apiclient.ApiClient(region.url, region.authority, hub_admin).raw("GET", "/api/v1/namespaces")[0] == 401


def test_audit_shows_decisions_whole_and_secrets_never(fleet: localfleet.Fleet, namespace: str, model: str) -> None:
    region = fleet.regions["sg"]
    api = region.api()
    for kind in ("Secret", "ConfigMap"):
        body = {"stringData": {"k": "hunter2"}} if kind == "Secret" else {"data": {"k": "hunter2"}}
        api.create({"apiVersion": "v1", "kind": kind, "metadata": {"name": "s", "namespace": namespace}, **body})
    api.apply(inference_service(namespace, model, localfleet.H100))
    text = region.audit_log.read_text()
    assert "hunter2" not in text
    ours = [
        entry
        for entry in audit.entries(region.audit_log)
        if isinstance(ref := entry.get("objectRef"), dict) and ref.get("namespace") == namespace
    ]
    levels = {(entry["objectRef"]["resource"], entry["level"]) for entry in ours}
    assert ("inferenceservices", "RequestResponse") in levels
    assert {level for resource, level in levels if resource in ("secrets", "configmaps")} == {"Metadata"}


def test_a_model_on_a_simulated_node_becomes_ready(fleet: localfleet.Fleet, namespace: str, model: str) -> None:
    pod = serve(fleet.regions["sg"].api(), inference_service(namespace, model, localfleet.H100), namespace)
    assert pod["spec"]["nodeName"].startswith("sg-h100-")
    assert pod["status"]["containerStatuses"][0]["imageID"] == fleet.images.model_server


@pytest.mark.real_node
def test_a_model_on_the_real_node_answers_as_computed(
    fleet: localfleet.Fleet, real_node: str, namespace: str, model: str
) -> None:
    api = fleet.regions["sg"].api()
    pod = serve(api, inference_service(namespace, model, localfleet.L4), namespace)
    assert pod["spec"]["nodeName"] == real_node
    proxy = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}:8080/proxy"

    answer = api.request("POST", f"{proxy}/v1/models/scorer:predict", {"instances": ROWS})
    expected = [softmax(row) for row in ROWS]
    assert answer["predictions"] == [row.index(max(row)) for row in expected]

    flat = [value for row in ROWS for value in row]
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(ROWS), 2], "data": flat}
    outputs = api.request("POST", f"{proxy}/v2/models/scorer/infer", {"inputs": [tensor]})["outputs"]
    assert outputs[1]["data"] == pytest.approx([value for row in expected for value in row])
    assert pod["status"]["containerStatuses"][0]["imageID"].endswith(fleet.images.model_server.partition("@")[2])


def test_a_killed_api_server_comes_back_with_its_data(fleet: localfleet.Fleet, hub_namespace: str) -> None:
    region = fleet.regions["de"]
    api = region.api()
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": hub_namespace}})
    region.stop_apiserver()
    with pytest.raises(errors.RequestRefused, match=r"[Rr]efused"):
        region.api().get("/api/v1/namespaces")
    region.start_apiserver()
    assert api.get(f"/api/v1/namespaces/{hub_namespace}")


def test_a_frozen_api_server_hangs_and_goes_on(fleet: localfleet.Fleet) -> None:
    region = fleet.regions["de"]
    region.freeze_apiserver()
    try:
        host = region.url.removeprefix("https://")
        connection = http.client.HTTPConnection(host, timeout=1)
        connection.request("GET", "/")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
    finally:
        region.thaw_apiserver()
    assert region.api().get("/api/v1/namespaces/kube-system")["metadata"]["uid"] == region.kube_system_uid


def test_the_hub_mutates_by_policy(fleet: localfleet.Fleet, hub_namespace: str) -> None:
    """What admission on the hub rests on: MutatingAdmissionPolicy in v1, on by default."""
    api = fleet.hub.api()
    group = "admissionregistration.k8s.io/v1"
    name = f"stamp-{hub_namespace}"
    stamp = 'Object{metadata: Object.metadata{annotations: {"asked-by": request.userInfo.username}}}'
    api.apply(
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "resourceRules": [
                        {
                            "apiGroups": [""],
                            "apiVersions": ["v1"],
                            "operations": ["CREATE"],
                            "resources": ["configmaps"],
                        }
                    ]
                },
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": stamp}}],
            },
        }
    )
    api.apply(
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        }
    )

    def look() -> str | None:
        made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": hub_namespace}}
        annotations = api.request("POST", f"/api/v1/namespaces/{hub_namespace}/configmaps?dryRun=All", made)
        stamped = annotations["metadata"].get("annotations", {}).get("asked-by")
        return None if stamped == "admin" else f"asked-by is {stamped}"

    try:
        waiting.until("the policy in force", look, within=20)
    finally:
        api.delete(f"/apis/{group}/mutatingadmissionpolicybindings/{name}")
        api.delete(f"/apis/{group}/mutatingadmissionpolicies/{name}")


def test_the_registry_answers_who_refers_to_an_image(fleet: localfleet.Fleet, model: str) -> None:
    connection = http.client.HTTPConnection(fleet.registry.address, timeout=10)
    connection.request("GET", f"/v2/models/test/referrers/{model.partition('@')[2]}")
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["manifests"] == []
    connection.close()


def test_namespaces_of_the_hub_end(fleet: localfleet.Fleet) -> None:
    api = fleet.hub.api()
    name = f"ends-{time.monotonic_ns()}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    waiting.until(
        "its ServiceAccount",
        lambda: None if api.find(f"/api/v1/namespaces/{name}/serviceaccounts/default") else "not there",
        within=20,
    )
    api.delete(f"/api/v1/namespaces/{name}")
    waiting.until(
        "its end", lambda: None if api.find(f"/api/v1/namespaces/{name}") is None else "still there", within=30
    )


def test_a_second_fleet_of_the_same_name_is_refused(fleet: localfleet.Fleet) -> None:
    with pytest.raises(errors.FleetRunning, match=fleet.name):
        localfleet.start(localfleet.FleetSpec(name=fleet.name))
    assert fleet.hub.api().get("/api/v1/namespaces")


@pytest.mark.real_node
def test_a_fleet_that_loses_the_race_for_the_real_node_comes_up_without(
    fleet: localfleet.Fleet, real_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fleets that look for it before they build both find it free; the one that builds longer comes too late."""
    assert fleet.regions["sg"].real_node == real_node
    wanted = localfleet.FleetSpec(name=f"late-{os.getpid()}", regions=SMALL, real_node_in="sg")
    node_of_it = wanted.real_node()
    assert node_of_it
    found = members.RealNode(node_of_it, node.obtain_runc(progress.PlainProgress()))
    monkeypatch.setattr(starting, "_real_node", lambda *_: found)
    monkeypatch.setattr(node, "LOCK_SECONDS", 1.0)
    with localfleet.running(wanted, progress.PlainProgress()) as late:
        region = late.regions["sg"]
        assert region.real_node is None
        assert "another fleet on this machine has a real node" in region.no_real_node
        assert "sg-l4-0" in {each["metadata"]["name"] for each in region.api().get("/api/v1/nodes")["items"]}
        assert not any(name.endswith(("/containerd", "/kubelet")) for name in late.ledger.state.processes)
        assert late.ledger.state.host == state.HostChanges()
