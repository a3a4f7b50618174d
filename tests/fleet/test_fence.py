"""The fence on real API servers, the hub stopped: what is refused to whom, what goes on, and what happens to it when it is touched."""

import copy
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domicile import fence
from domicile.api import CLAIM_MARK, MemberIdentities
from domicile.localfleet import ApiClient
from fleet import attacks, audit, members, pods
from fleet.attacks import Attack, Scene
from fleet.members import CLAIM
from fleet.world import CLUSTERS, OperatorProcess, World, eventually, policy

WHO = MemberIdentities()
FENCE = fence.fence_of(WHO)
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
OWNER = "owner-of-the-namespace"
EDITOR = "editor-of-the-namespace"


@pytest.fixture(scope="module")
def scene(world: World, _shared_operator: OperatorProcess) -> Iterator[Scene]:
    """A model that serves in Singapore, and nobody on the hub who could mend anything."""
    with world.a_model_in_singapore("fence", _shared_operator) as name:
        _shared_operator.stop()
        yield _scene(world, name)


def _scene(world: World, namespace: str) -> Scene:
    sg = world.member("sg")
    (pod,) = sg.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    (replica_set,) = sg.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"]
    meta = replica_set["metadata"]
    return Scene(namespace, pod["metadata"]["name"], pod["spec"]["nodeName"], meta["name"], meta["uid"], "default")


@pytest.fixture(scope="module")
def owner(world: World, scene: Scene) -> ApiClient:
    """All rights in the namespace, on all kinds: more than `admin` has."""
    sg, rbac = world.member("sg"), "rbac.authorization.k8s.io"
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    meta = {"name": OWNER, "namespace": scene.namespace}
    sg.apply({"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": [everything]})
    sg.apply(_binding(scene.namespace, OWNER, {"apiGroup": rbac, "kind": "Role", "name": OWNER}))
    return world.fleet.regions["sg"].api_as(OWNER)


@pytest.fixture(scope="module")
def editor(world: World, scene: Scene) -> ApiClient:
    """The role `edit`, with KServe's kinds in it, as platforms give it to teams."""
    sg, rbac = world.member("sg"), "rbac.authorization.k8s.io"
    kinds = {"apiGroups": ["serving.kserve.io"], "resources": ["*"], "verbs": ["*"]}
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    meta = {"name": "kserve-edit", "labels": labels}
    sg.apply({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": meta, "rules": [kinds]})
    sg.apply(_binding(scene.namespace, EDITOR, {"apiGroup": rbac, "kind": "ClusterRole", "name": "edit"}))
    return world.fleet.regions["sg"].api_as(EDITOR)


def _binding(namespace: str, user: str, role: Mapping[str, str]) -> dict[str, Any]:
    rbac = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{rbac}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user, "namespace": namespace},
        "roleRef": dict(role),
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
    }


def answer(client: ApiClient, attack: Attack, scene: Scene) -> tuple[int, str]:
    """Status, and what is said."""
    status, content = client.raw(*attack.request(scene))
    try:
        said = json.loads(content)
    except ValueError:
        return status, content.decode(errors="replace")
    return status, str(said.get("message", "")) if isinstance(said, dict) else str(said)


def assert_refused(client: ApiClient, attack: Attack, scene: Scene) -> None:
    status, said = answer(client, attack, scene)
    assert status == 403, said
    # What two policies refuse is refused in the name of either.
    if "'grants.fence.domicile.dev'" in said:
        assert attack.path.startswith(attacks.core("pods"))
        return
    assert f"ValidatingAdmissionPolicy '{attack.refused_by}.fence.domicile.dev'" in said
    assert attack.says in said


@pytest.mark.parametrize("attack", attacks.IN_THE_NAMESPACE.values(), ids=attacks.IN_THE_NAMESPACE)
def test_refused_to_who_has_all_rights_in_the_namespace(attack: Attack, scene: Scene, owner: ApiClient) -> None:
    assert_refused(owner, attack, scene)


def test_refused_to_who_has_the_role_edit(scene: Scene, editor: ApiClient) -> None:
    """By RBAC or by the fence. What RBAC leaves to the fence is most of it."""
    found = {name: answer(editor, attack, scene) for name, attack in attacks.IN_THE_NAMESPACE.items()}
    assert {name: said for name, said in found.items() if said[0] != 403} == {}
    by_the_fence = [name for name, (_, said) in found.items() if "fence.domicile.dev'" in said]
    print(len(by_the_fence), "of", len(found), "refused by the fence, the others by RBAC")
    assert len(by_the_fence) >= 40


@pytest.mark.parametrize("attack", attacks.ON_NAMESPACES.values(), ids=attacks.ON_NAMESPACES)
def test_refused_to_the_administrator_of_the_cluster(attack: Attack, scene: Scene, world: World) -> None:
    assert_refused(world.member("sg"), attack, scene)


@pytest.mark.parametrize("attack", attacks.BY_DOMICILE_ITSELF.values(), ids=attacks.BY_DOMICILE_ITSELF)
def test_refused_to_the_token_of_the_hub(attack: Attack, scene: Scene, world: World) -> None:
    assert_refused(world.intruder("sg"), attack, scene)


CREATORS = {
    "a kubelet": ("kubelet", "system:nodes"),
    "the Job controller": ("system:serviceaccount:kube-system:job-controller", ""),
    "the StatefulSet controller": ("system:serviceaccount:kube-system:statefulset-controller", ""),
    "KServe": (WHO.kserve, ""),
    "Domicile": (WHO.hub, ""),
    "the model": ("system:serviceaccount:<NS>:scorer", ""),
    "whoever has the name of the controller in another namespace": (
        "system:serviceaccount:<NS>:replicaset-controller",
        "",
    ),
}


@pytest.mark.parametrize(("user", "group"), CREATORS.values(), ids=CREATORS)
def test_a_pod_is_refused_to_other_creators(user: str, group: str, scene: Scene, world: World) -> None:
    groups = [group] if group else []
    assert_refused(
        world.intruder("sg", scene.fill(user), *groups), attacks.PODS["a pod of the image that is granted"], scene
    )


REPLICA_SETS = WHO.controller("replicaset-controller")


@pytest.fixture(scope="module")
def granted_pod(scene: Scene, world: World) -> dict[str, Any]:
    """As its ReplicaSet would make one more."""
    return pods.granted(world.member("sg").get(f"/api/v1/namespaces/{scene.namespace}/pods/{scene.pod}"))


def made_by_its_controller(world: World, pod: Mapping[str, Any]) -> tuple[int, str]:
    """Status, and what is said, where the ReplicaSet controller would make it."""
    namespace = pod["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    status, content = world.intruder("sg", REPLICA_SETS).raw("POST", path, json.dumps(pod).encode(), attacks.JSON)
    return status, str(json.loads(content).get("message", ""))


def test_a_pod_as_it_is_granted_is_admitted(granted_pod: dict[str, Any], world: World) -> None:
    status, said = made_by_its_controller(world, granted_pod)
    assert status == 201, said


@pytest.mark.parametrize("odd", pods.ODD.values(), ids=pods.ODD)
def test_a_pod_that_is_not_granted_is_refused_also_to_its_controller(
    odd: pods.Odd, granted_pod: dict[str, Any], world: World
) -> None:
    pod = copy.deepcopy(granted_pod)
    odd.change(pod)
    status, said = made_by_its_controller(world, pod)
    assert status == 403, said
    assert "ValidatingAdmissionPolicy 'grants.fence.domicile.dev'" in said
    assert odd.says in said


@pytest.fixture
def ended(world: World, granted_pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The granted pod in a namespace of its own, where the grant of its model has ended."""
    name, hub = f"ended-{secrets.token_hex(4)}", world.intruder("sg")
    hub.create(dict(fence.namespace(name)))
    of = "/apis/domicile.dev/v1alpha1/namespaces/{}/admissiongrants/grants"
    grant = world.member("sg").get(of.format(granted_pod["metadata"]["namespace"]))
    (entry,) = grant["spec"]["models"]
    past = (datetime.now(UTC) - timedelta(seconds=2)).isoformat(timespec="milliseconds")
    meta = {"name": "grants", "namespace": name, "annotations": {CLAIM_MARK: members.mark(world.fleet.regions["sg"])}}
    hub.create({**grant, "metadata": meta, "spec": {"models": [{**entry, "notAfter": past}]}})
    account = {"name": "scorer", "namespace": name}
    hub.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
    yield {**granted_pod, "metadata": {**granted_pod["metadata"], "namespace": name}}
    world.member("sg").delete(f"/api/v1/namespaces/{name}")


TIME_TRICKS: Mapping[str, Mapping[str, str]] = {
    "as it is": {},
    "made long ago, it says": {"creationTimestamp": "2020-01-01T00:00:00Z"},
    "on its way out, it says": {"deletionTimestamp": "2020-01-01T00:00:00Z"},
}


@pytest.mark.parametrize("claim", TIME_TRICKS.values(), ids=TIME_TRICKS)
def test_after_the_end_of_the_grant_nothing_is_admitted(
    claim: Mapping[str, str], ended: dict[str, Any], world: World
) -> None:
    def said() -> str:
        pod = {**ended, "metadata": {**ended["metadata"], **claim}}
        return made_by_its_controller(world, pod)[1]

    # The API server hears of a grant a moment after it was written.
    eventually(lambda: "what model scorer is granted ended at" in said(), within=5, what="it is refused as ended")


PAST = "2026-01-01T00:00:00Z"


@pytest.fixture
def nothing_heard(world: World, scene: Scene) -> Iterator[None]:
    """The hub was stopped long ago: its claim to sg has ended."""
    hub = world.intruder("sg")
    until = hub.get(CLAIM)["spec"]["notAfter"]
    hub.merge(CLAIM, {"spec": {"notAfter": PAST}})
    yield
    hub.merge(CLAIM, {"spec": {"notAfter": until}})


def test_a_hub_that_is_not_heard_of_leaves_a_member_that_admits_no_pod(
    world: World, granted_pod: dict[str, Any], nothing_heard: None
) -> None:
    eventually(
        lambda: (
            "'lease.fence.domicile.dev'" in (said := made_by_its_controller(world, granted_pod)[1])
            and f"looked after this cluster until {PAST}" in said
        ),
        within=5,
        what="it is refused",
    )


def test_without_the_lease_it_would_be_admitted(world: World, granted_pod: dict[str, Any], nothing_heard: None) -> None:
    """Nothing else refuses then: that policy does."""
    with without(world, "lease"):
        eventually(lambda: made_by_its_controller(world, granted_pod)[0] == 201, within=10, what="it is admitted")
    eventually(lambda: made_by_its_controller(world, granted_pod)[0] == 403, within=10, what="it is refused again")


def test_what_is_taken_back_and_granted_again_is_heard_of_at_once(
    world: World, scene: Scene, granted_pod: dict[str, Any]
) -> None:
    hub, path = world.intruder("sg"), GRANT.replace("<NS>", scene.namespace)
    entries = hub.get(path)["spec"]["models"]
    marked = {"annotations": {CLAIM_MARK: members.mark(world.fleet.regions["sg"])}}
    for models, status in (([], 403), (entries, 201)):
        hub.merge(path, {"metadata": marked, "spec": {"models": models}})
        began = time.monotonic()
        eventually(
            lambda status=status: made_by_its_controller(world, granted_pod)[0] == status, within=5, what=str(status)
        )
        print(
            f"{'granted' if models else 'taken back'}: in force {time.monotonic() - began:.3f} s after it was written"
        )


def test_a_claim_is_moved_on_by_a_hub_alone_and_taken_over_by_none(world: World, scene: Scene) -> None:
    later = Attack("PATCH", CLAIM, {"spec": {"notAfter": "2099-01-01T00:00:00Z"}}, attacks.MERGE, refused_by="claims")
    assert_refused(world.member("sg"), later, scene)
    refused: Mapping[str, tuple[dict[str, Any], str]] = {
        "by another hub": ({"hub": "11111111-1111-1111-1111-111111111111"}, "delete the claim"),
        "by an earlier term": ({"epoch": 0, "token": "earlier"}, "never back"),
        "by a copy of the hub, in a term of the same epoch": ({"token": "copy"}, "never back"),
    }
    for change, says in refused.values():
        status, said = answer(world.intruder("sg"), Attack("PATCH", CLAIM, {"spec": change}, attacks.MERGE), scene)
        assert (status, says in said) == (422, True), said


GRANT = "/apis/domicile.dev/v1alpha1/namespaces/<NS>/admissiongrants/grants"
EVIL_GRANT = {
    "name": "evil",
    "uid": "22222222-2222-2222-2222-222222222222",
    "notAfter": "2099-01-01T00:00:00Z",
    "serviceAccountName": "default",
    "containers": [{"name": "c", "image": attacks.GRANTED}],
}


def _granting(mark: str) -> Attack:
    """What a process of a hub sends to grant, bearing that mark."""
    body = {"metadata": {"annotations": {CLAIM_MARK: mark}}, "spec": {"models": [EVIL_GRANT]}}
    return Attack("PATCH", GRANT, body, attacks.MERGE, refused_by="terms", says="this cluster is looked after by")


def _letting_through(method: str, path: str, mark: str) -> Attack:
    """What a process of a hub sends to let the pods of a model ask anybody, bearing that mark."""
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    body = attacks.made("networking.k8s.io/v1", "NetworkPolicy", spec)
    body["metadata"]["annotations"] = {CLAIM_MARK: mark}
    media = attacks.JSON if method == "POST" else attacks.MERGE
    body = body if method == "POST" else {"metadata": {"annotations": {CLAIM_MARK: mark}}, "spec": spec}
    return Attack(method, path, body, media, refused_by="terms", says="this cluster is looked after by")


NETWORK = "/apis/networking.k8s.io/v1/namespaces/<NS>/networkpolicies"
_OF = f"{attacks.SERVING}/namespaces/<NS>/inferenceservices/scorer"
TOO_LATE: Mapping[str, Attack] = {
    "granting in an earlier term": _granting("<HUB>/0/tests"),
    "granting in a term of the same epoch that a copy of the hub began": _granting("<HUB>/<EPOCH>/copy"),
    "granting as another hub": _granting("11111111-1111-1111-1111-111111111111/<EPOCH>/<TOKEN>"),
    "granting without saying as whom": _granting(""),
    "deleting the InferenceService of a model that is granted": Attack("DELETE", _OF, refused_by="removals"),
    "deleting its ServingRuntime": Attack(
        "DELETE", f"{attacks.ALPHA}/namespaces/<NS>/servingruntimes/scorer", refused_by="removals"
    ),
    "letting everything out in an earlier term": _letting_through("POST", NETWORK, "<HUB>/0/tests"),
    "opening what a model has, in an earlier term": _letting_through("PATCH", f"{NETWORK}/scorer", "<HUB>/0/tests"),
    "opening the namespace without saying as whom": _letting_through("PATCH", f"{NETWORK}/domicile", ""),
    "deleting what keeps the namespace to itself": Attack("DELETE", f"{NETWORK}/domicile", refused_by="hub"),
    "deleting a NetworkPolicy of others": Attack(
        "DELETE", f"{NETWORK.replace('<NS>', '<ELSEWHERE>')}/theirs", refused_by="hub"
    ),
    "deleting its NetworkPolicy": Attack("DELETE", f"{NETWORK}/scorer", refused_by="removals"),
    "deleting its ServiceAccount": Attack("DELETE", attacks.core("serviceaccounts", "scorer"), refused_by="removals"),
}
"""What a process sends that led once, a hub that was restored from a backup, or a second one: with the token of the hub."""


@pytest.fixture(scope="module")
def claimed(world: World, scene: Scene) -> dict[str, str]:
    spec = world.member("sg").get(CLAIM)["spec"]
    return {"<HUB>": spec["hub"], "<EPOCH>": str(spec["epoch"]), "<TOKEN>": spec["token"]}


@pytest.fixture(scope="module")
def theirs(world: World, scene: Scene) -> None:
    """A NetworkPolicy of somebody else's, where Domicile has nothing."""
    metadata = {"name": "theirs", "namespace": scene.elsewhere}
    spec = {"podSelector": {}, "policyTypes": ["Egress"]}
    manifest = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    world.member("sg").create(manifest)


@pytest.mark.parametrize("attack", TOO_LATE.values(), ids=TOO_LATE)
@pytest.mark.usefixtures("theirs")
def test_refused_to_a_process_whose_term_is_over(
    attack: Attack, scene: Scene, claimed: Mapping[str, str], world: World
) -> None:
    body = json.dumps(attack.body)
    for word, value in claimed.items():
        body = body.replace(word, value)
    assert_refused(world.intruder("sg"), replace(attack, body=json.loads(body)), scene)


def test_the_process_that_leads_grants_and_deletes(scene: Scene, claimed: Mapping[str, str], world: World) -> None:
    """The same requests, in its term, and of a model that is not granted."""
    mark = "<HUB>/<EPOCH>/<TOKEN>"
    for word, value in claimed.items():
        mark = mark.replace(word, value)
    status, said = answer(world.intruder("sg"), _granting(mark), scene)
    assert status == 200, said
    other = Attack("DELETE", attacks.core("serviceaccounts", "default"), refused_by="removals")
    status, said = answer(world.intruder("sg"), other, scene)
    assert status == 200, said


LAWFUL: Mapping[str, tuple[str, str, Attack]] = {
    "KServe makes Deployments": (WHO.kserve, "", attacks.WORKLOADS["a Deployment"]),
    "Deployments make ReplicaSets": (
        "system:serviceaccount:kube-system:deployment-controller",
        "",
        attacks.WORKLOADS["a ReplicaSet"],
    ),
    "autoscalers scale": (
        "system:serviceaccount:kube-system:horizontal-pod-autoscaler",
        "",
        attacks.WORKLOADS["more copies, by its scale"],
    ),
    "kubelets say how pods are": ("kubelet", "system:nodes", attacks.PODS["a pod that says it is well"]),
    "kubelets ask for the tokens of pods": (
        "kubelet",
        "system:nodes",
        attacks.IDENTITY_AND_NETWORK["a token of the model's ServiceAccount"],
    ),
    "the garbage collector lets an owner go first": (
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "",
        Attack(
            "PATCH",
            attacks.core("pods", "<POD>"),
            {"metadata": {"ownerReferences": [{"uid": "<RS-UID>", "blockOwnerDeletion": False}]}},
            attacks.STRATEGIC,
        ),
    ),
    "pods on lost nodes are forgotten": (
        "system:serviceaccount:kube-system:pod-garbage-collector",
        "",
        attacks.LEFT_BEHIND["a pod forgotten while it runs"],
    ),
    "KServe makes Services": (
        WHO.kserve,
        "",
        Attack("POST", attacks.core("services"), attacks.made("v1", "Service", {"ports": [{"port": 80}]})),
    ),
    "KServe says how it goes": (WHO.kserve, "", attacks.OF_KSERVE["an InferenceService that says it is ready"]),
    "Domicile changes what it made": (WHO.hub, "", attacks.OF_KSERVE["another artifact"]),
}


@pytest.mark.parametrize(("user", "group", "request_"), LAWFUL.values(), ids=LAWFUL)
def test_the_same_is_not_refused_to_who_does_it_lawfully(
    user: str, group: str, request_: Attack, scene: Scene, world: World
) -> None:
    groups = [group] if group else []
    status, said = answer(world.intruder("sg", user, *groups), request_, scene)
    assert "fence.domicile.dev" not in said
    assert status < 300, said


def test_no_service_of_a_model_has_a_port_of_its_nodes_not_even_one_that_kserve_makes(
    scene: Scene, world: World
) -> None:
    status, said = answer(world.intruder("sg", WHO.kserve), attacks.IDENTITY_AND_NETWORK["a Service"], scene)
    assert (status, "exceeded quota: domicile" in said) == (403, True), said


FREE: Mapping[str, Attack] = {
    "deleting a pod": Attack("DELETE", attacks.core("pods", "<POD>")),
    "evicting a pod": Attack(
        "POST",
        attacks.core("pods", "<POD>/eviction"),
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": attacks.meta("<POD>")},
    ),
    "an annotation of the network on a pod": Attack(
        "PATCH",
        attacks.core("pods", "<POD>"),
        {"metadata": {"annotations": {"cni.example/ip": "10.0.0.1"}}},
        attacks.MERGE,
    ),
    "such an annotation by way of the status": Attack(
        "PATCH",
        attacks.core("pods", "<POD>/status"),
        {"metadata": {"annotations": {"cni.example/ip": "10.0.0.1"}}},
        attacks.MERGE,
    ),
    "a ConfigMap": Attack(
        "POST",
        attacks.core("configmaps"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": attacks.meta(), "data": {}},
    ),
    "a Secret": Attack(
        "POST", attacks.core("secrets"), {"apiVersion": "v1", "kind": "Secret", "metadata": attacks.meta()}
    ),
    "writing an object as it is": Attack("PATCH", attacks.apps("deployments", "scorer-predictor"), {}, attacks.MERGE),
    "deleting the InferenceService": Attack("DELETE", f"{attacks.SERVING}/namespaces/<NS>/inferenceservices/scorer"),
    "deleting the Deployment, and waiting for its pods": Attack(
        "DELETE",
        attacks.apps("deployments", "scorer-predictor"),
        {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"},
    ),
}


@pytest.mark.parametrize("request_", FREE.values(), ids=FREE)
def test_what_the_fence_is_not_about_is_left_to_rbac(request_: Attack, scene: Scene, owner: ApiClient) -> None:
    status, said = answer(owner, request_, scene)
    assert status < 300, said


def test_what_is_on_its_way_out_cannot_be_made_something_else(scene: Scene, owner: ApiClient, world: World) -> None:
    """Something that waits for it holds it there, for as long as somebody wants."""
    accounts = f"/api/v1/namespaces/{scene.namespace}/serviceaccounts"
    meta = {"name": "going", "namespace": scene.namespace}
    made = world.intruder("sg").create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    waits_for = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "going", "blockOwnerDeletion": True}
    holding = {
        **meta,
        "name": "holds-it",
        "finalizers": ["example.com/hold"],
        "ownerReferences": [{**waits_for, "uid": made["metadata"]["uid"]}],
    }
    owner.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": holding})
    try:
        owner.request(
            "DELETE",
            f"{accounts}/going",
            {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"},
        )
        going = world.member("sg").get(f"{accounts}/going")
        assert going["metadata"]["deletionTimestamp"]
        mine = Attack("PATCH", f"{accounts}/going", {"imagePullSecrets": [{"name": "mine"}]}, attacks.MERGE)
        assert_refused(owner, mine, scene)
        labels = Attack("PATCH", f"{accounts}/going", {"metadata": {"annotations": {"a": "b"}}}, attacks.MERGE)
        assert_refused(owner, labels, scene)
        gone = Attack("PATCH", f"{accounts}/going", {"metadata": {"finalizers": []}}, attacks.MERGE)
        status, said = answer(owner, gone, scene)
        assert status == 200, said
    finally:
        owner.merge(f"/api/v1/namespaces/{scene.namespace}/configmaps/holds-it", {"metadata": {"finalizers": []}})
    eventually(lambda: world.member("sg").find(f"{accounts}/going") is None, within=20, what="it is gone")


def test_a_namespace_that_is_not_managed_is_not_touched(scene: Scene, world: World) -> None:
    elsewhere = "/api/v1/namespaces/default"
    pod = {**attacks.pod(), "metadata": {"name": "free", "namespace": "default"}}
    status, said = world.member("sg").raw(
        "POST", f"{elsewhere}/pods?dryRun=All", json.dumps(pod).encode(), attacks.JSON
    )
    assert status == 201, said


@pytest.fixture
def excepted(world: World, scene: Scene) -> Iterator[None]:
    """The owner of the namespace may ask through the API server, for a while."""
    hub = world.intruder("sg")
    who = {"user": OWNER, "namespaces": [scene.namespace], "ways": ["proxy"]}
    hub.merge(CLAIM, {"spec": {"connections": [who]}})
    yield
    hub.merge(CLAIM, {"spec": {"connections": []}})


def test_an_exception_lets_one_user_connect_in_one_way(
    world: World, scene: Scene, owner: ApiClient, excepted: None
) -> None:
    """What answers, if anything does, is kwok's node, which runs nothing."""
    asks = attacks.CONNECTING["the proxy to a pod"]
    eventually(lambda: "fence.domicile.dev" not in answer(owner, asks, scene)[1], within=5, what="the owner may ask")
    assert_refused(owner, attacks.CONNECTING["exec"], scene)
    assert_refused(world.member("sg"), asks, scene)


@contextmanager
def without(world: World, short: str) -> Iterator[None]:
    """Sg, and its administrator has taken a policy's binding away."""
    path = f"{BINDINGS}/{short}.fence.domicile.dev"
    binding = world.member("sg").get(path)
    world.member("sg").delete(path)
    try:
        yield
    finally:
        meta = {key: binding["metadata"][key] for key in ("name", "labels")}
        world.member("sg").create({**binding, "metadata": meta})


GUARDED_BY = {
    "writers": ("owner", attacks.WORKLOADS["a Deployment"]),
    "grants": ("replica sets", attacks.PODS["a pod"]),
    "claims": ("admin", Attack("PATCH", CLAIM, {"spec": {"notAfter": PAST}}, attacks.MERGE, refused_by="claims")),
    "connect": ("owner", attacks.CONNECTING["exec"]),
    "namespaces": ("admin", attacks.ON_NAMESPACES["privileged pods"]),
    "hub": ("hub", attacks.BY_DOMICILE_ITSELF["a ServiceAccount outside"]),
    "terms": ("hub", TOO_LATE["granting without saying as whom"]),
    "removals": ("hub", TOO_LATE["deleting its ServiceAccount"]),
}


@pytest.mark.parametrize("short", GUARDED_BY)
def test_without_the_policy_it_would_pass(short: str, scene: Scene, owner: ApiClient, world: World) -> None:
    """What refuses is that policy, and nothing that happens to refuse too."""
    who, attack = GUARDED_BY[short]
    clients = {
        "owner": owner,
        "admin": world.member("sg"),
        "hub": world.intruder("sg"),
        "replica sets": world.intruder("sg", REPLICA_SETS),
    }
    client = clients[who]
    with without(world, short):
        eventually(
            lambda: "fence.domicile.dev" not in answer(client, attack, scene)[1], within=10, what=f"{short} is gone"
        )
    began = time.monotonic()
    eventually(lambda: "fence.domicile.dev" in answer(client, attack, scene)[1], within=10, what=f"{short} is back")
    print(f"in force again {time.monotonic() - began:.2f} s after it was written")


# What happens to the fence when it is touched, the operator running.

NEVER = {"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}}
TAMPERING: Mapping[str, tuple[str, str, dict[str, Any] | None]] = {
    "a policy is deleted": ("DELETE", f"{POLICIES}/writers.fence.domicile.dev", None),
    "a binding is deleted": ("DELETE", f"{BINDINGS}/connect.fence.domicile.dev", None),
    "a policy is given a condition that is never true": ("PATCH", f"{POLICIES}/writers.fence.domicile.dev", NEVER),
    "a policy fails open": (
        "PATCH",
        f"{POLICIES}/namespaces.fence.domicile.dev",
        {"spec": {"failurePolicy": "Ignore"}},
    ),
    "a binding only warns": ("PATCH", f"{BINDINGS}/hub.fence.domicile.dev", {"spec": {"validationActions": ["Warn"]}}),
}


@pytest.fixture
def awake(world: World, operator: OperatorProcess) -> None:
    """The operator sees what happens on ph: it says so of something that happened there. What its status says may be of the
    process before it."""
    told, path = audit.size(world.fleet.hub.audit_log), f"{BINDINGS}/hub.fence.domicile.dev"
    before = world.member("ph").get(path)["spec"]
    for _ in range(2):  # The first time by a process that has just begun, and has told nothing else before.
        world.member("ph").delete(path)
        eventually(
            lambda: (world.member("ph").find(path) or {}).get("spec") == before, within=30, what="it is put back"
        )
    hub = world.fleet.hub.audit_log
    eventually(lambda: _status_of(hub, told, "ph", f"{FENCE.digest} refuses"), within=30, what="it is in force again")


@pytest.mark.parametrize(("method", "path", "change"), TAMPERING.values(), ids=TAMPERING)
def test_tampering_is_told_and_put_back_within_a_second(
    method: str, path: str, change: dict[str, Any] | None, world: World, awake: None
) -> None:
    log, hub = world.fleet.regions["ph"].audit_log, world.fleet.hub.audit_log
    mark, told = audit.size(log), audit.size(hub)
    member = world.member("ph")
    before = member.get(path)["spec"]
    if change is None:
        member.delete(path)
    else:
        member.merge(path, change)
    eventually(lambda: (member.find(path) or {}).get("spec") == before, within=10, what="it is put back")
    at = next(w.at for w in audit.writes(log, since=mark, user="admin"))
    mended = next(w.at for w in audit.writes(log, since=mark))
    said = eventually(lambda: _status_of(hub, told, "ph", "FenceTampered"), within=10, what="it is told")
    print(f"put back after {(mended - at).total_seconds():.3f} s, told after {(said - at).total_seconds():.3f} s")
    assert max((mended - at).total_seconds(), (said - at).total_seconds()) < 1
    world.cluster_reports("ph", "FenceShown", "FenceInForce")
    reasons = eventually(
        lambda: {"FenceTampered", "KServeFound"} <= (found := _events(world, "ph")) and found, within=10, what="events"
    )
    assert reasons


ISOLATION = f"/apis/networking.k8s.io/v1/namespaces/{fence.PROBED_NAMESPACE}/networkpolicies/domicile"
QUOTA = f"/api/v1/namespaces/{fence.PROBED_NAMESPACE}/resourcequotas/domicile"
OPENED: Mapping[str, tuple[str, dict[str, Any] | None]] = {
    "the NetworkPolicy is deleted": (ISOLATION, None),
    "the ResourceQuota is deleted": (QUOTA, None),
    "somebody may ask": (ISOLATION, {"spec": {"ingress": [{}]}}),
    "load balancers may be made": (QUOTA, {"spec": {"hard": {"services.loadbalancers": "9"}}}),
}


@pytest.mark.parametrize(("path", "change"), OPENED.values(), ids=OPENED)
def test_a_namespace_that_is_opened_is_closed_again(
    path: str, change: dict[str, Any] | None, world: World, awake: None
) -> None:
    """With the token of the hub: the fence refuses it to everybody else."""
    log, hub = world.fleet.regions["ph"].audit_log, world.intruder("ph")
    mark, before = audit.size(log), hub.get(path)["spec"]
    if change is None:
        # Not even the hub may; what ends a namespace may.
        world.intruder("ph", "system:serviceaccount:kube-system:namespace-controller").delete(path)
    else:
        term = members.mark(world.fleet.regions["ph"])
        hub.merge(path, {"metadata": {"annotations": {CLAIM_MARK: term}}, **change})
    eventually(lambda: (hub.find(path) or {}).get("spec") == before, within=10, what="it is put back")
    opened = next(w.at for w in audit.writes(log, since=mark, user=audit.INTRUDER))
    closed = next(w.at for w in audit.writes(log, since=mark))
    print(f"closed after {(closed - opened).total_seconds():.3f} s")


def test_an_exception_of_the_regional_cluster_reaches_the_member_and_ends(world: World, awake: None) -> None:
    exception = {
        "user": "ana",
        "namespaces": ["retail-banking"],
        "ways": ["proxy"],
        "notAfter": (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds"),
        "reason": "the model gives odd answers",
    }
    cluster = f"{CLUSTERS}/ph"
    world.hub.merge(cluster, {"spec": {"connections": [exception]}})
    granted = {key: exception[key] for key in ("user", "namespaces", "ways")}
    try:
        eventually(lambda: world.member("ph").get(CLAIM)["spec"]["connections"] == [granted], within=10, what="ana may")
        ended = {**exception, "notAfter": datetime.now(UTC).isoformat(timespec="seconds")}
        world.hub.merge(cluster, {"spec": {"connections": [ended]}})
        eventually(lambda: world.member("ph").get(CLAIM)["spec"]["connections"] == [], within=10, what="nobody may")
    finally:
        world.hub.merge(cluster, {"spec": {"connections": None}})


def _status_of(log: Any, since: int, cluster: str, reason: str) -> datetime | None:
    """When the hub wrote that into the RegionalCluster's status."""
    for entry in audit.entries(log, since=since, user=audit.OPERATOR):
        ref = entry.get("objectRef", {})
        about = (ref.get("resource"), ref.get("subresource"), ref.get("name")) == (
            "regionalclusters",
            "status",
            cluster,
        )
        if about and reason in json.dumps(entry.get("requestObject")):
            return datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00"))
    return None


def _events(world: World, cluster: str) -> set[str]:
    found = world.hub.get("/apis/events.k8s.io/v1/namespaces/domicile-system/events")["items"]
    found += world.hub.get("/apis/events.k8s.io/v1/namespaces/default/events")["items"]
    return {event["reason"] for event in found if event["regarding"]["name"] == cluster}


def test_the_member_of_another_hub_is_not_written_to(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    world.cluster_reports("de", "FenceShown", "FenceInForce", within=60)
    member, other = world.intruder("de"), "11111111-1111-1111-1111-111111111111"
    ours = member.get(CLAIM)
    member.delete(CLAIM)
    theirs = {key: value for key, value in ours["spec"].items() if key != "evidence"}
    member.create({**ours, "metadata": {"name": "domicile"}, "spec": {**theirs, "hub": other}})
    mark = audit.size(world.fleet.regions["de"].audit_log)
    try:
        # It is looked at once a minute, and when the fence is touched.
        world.member("de").merge(f"{BINDINGS}/hub.fence.domicile.dev", {"spec": {"validationActions": ["Warn"]}})
        said = world.cluster_reports("de", "ClaimedByAnother", "FenceInForce")
        assert f"the hub with UID {other} looks after it" in said["message"]
        world.model(hub_namespace)
        world.reports(hub_namespace, "Placed", "NoAbleCluster")
        assert [str(w) for w in audit.writes(world.fleet.regions["de"].audit_log, since=mark)] == []
    finally:
        member.delete(CLAIM)
    world.ready(hub_namespace, on="de", within=90)
    assert world.member("de").get(CLAIM)["spec"]["hub"] == world.fleet.hub.kube_system_uid


def test_nothing_is_placed_while_the_fence_cannot_be_put_up(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    """The rights that the hub has there for it are taken away, and one policy with them."""
    role = "/apis/rbac.authorization.k8s.io/v1/clusterroles/domicile-system:hub"
    rules = world.member("de").get(role)["rules"]
    fewer = [r for r in rules if "resourceNames" not in r or "admissionregistration.k8s.io" not in r["apiGroups"]]
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    world.member("de").merge(role, {"rules": fewer})
    try:
        world.member("de").delete(f"{POLICIES}/writers.fence.domicile.dev")
        said = world.cluster_reports("de", "FenceNotPermitted", "FenceInForce")
        assert "domicile cluster join" in said["message"]
        world.model(hub_namespace)
        world.reports(hub_namespace, "Placed", "NoAbleCluster")
        rows = (world.get(hub_namespace) or {})["status"]["exclusions"]
        assert {row["cluster"]: row["reason"] for row in rows}["de"] == "FenceNotInForce"
        assert world.member("de").find(f"/api/v1/namespaces/{hub_namespace}") is None
    finally:
        world.member("de").merge(role, {"rules": rules})
    world.ready(hub_namespace, on="de", within=60)
