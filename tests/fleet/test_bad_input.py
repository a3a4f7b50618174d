"""Bad input: one clear message where the user looks, nothing crashes, and other models go on."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from domicile.localfleet.errors import RequestRefused
from fleet import audit, strangers
from fleet.people import People, people
from fleet.world import (
    ATTESTATIONS,
    CLUSTERS,
    MODELS,
    NAMESPACE,
    Object,
    OperatorProcess,
    World,
    attestation,
    eventually,
    policy,
)

WITHIN = 15.0
"""Seconds after which a person who waits looks elsewhere."""
WATCHED_SECONDS = 30.0
NOBODY = "00000000-0000-4000-8000-000000000000"
ALMIGHTY = "almighty"
"""Who the operator is on the cluster that is not who it must be: it could do anything there."""


# What admission refuses.

TAG = "registry.example/serving/softmax:latest"

REFUSED_MODELS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "an image by tag": (
        {"runtime": {"image": TAG}},
        (
            f'spec.runtime.image: Invalid value: "{TAG}": must name its registry and be pinned by digest,'
            " as registry.example/repository@sha256:<64 hex digits>: a tag can be moved to another image"
        ),
    ),
    "an artifact by tag": (
        {"storageUri": "oci://registry.example/models/iris:v1"},
        (
            'spec.storageUri: Invalid value: "oci://registry.example/models/iris:v1": must be an OCI artifact with its'
            " registry and pinned by digest"
        ),
    ),
    "an artifact that is not OCI": (
        {"storageUri": "s3://models/iris"},
        "a tag can be moved, and other schemes have no digest",
    ),
    "a negative GPU count": (
        {"resources": {"accelerators": {"count": -1}}},
        (
            "spec.resources.accelerators.count: Invalid value: -1: spec.resources.accelerators.count in body should be"
            " greater than or equal to 1"
        ),
    ),
    "a GPU count that is text": (
        {"resources": {"accelerators": {"count": "two"}}},
        ".spec.resources.accelerators.count: expected numeric (int or float), got string",
    ),
    "an unknown field": (
        {"replicas": {"minimum": 2}},
        'strict decoding error: unknown field "spec.replicas.minimum"',
    ),
    "a quantity that is none": (
        {"resources": {"requests": {"memory": "lots"}}},
        "spec.resources.requests.memory",
    ),
    "no CPU": (
        {"resources": {"requests": {"cpu": "0m"}}},
        'spec.resources.requests.cpu: Invalid value: "0m": must be more than zero: write it as 2, 500m or 40Gi',
    ),
    "less memory than none, as a number": (
        {"resources": {"requests": {"memory": -1}}},
        "spec.resources.requests.memory: Invalid value: -1: must be more than zero",
    ),
    "accelerators without memory": (
        {"resources": {"accelerators": {"count": 1, "minMemory": 0}}},
        "spec.resources.accelerators.minMemory: Invalid value: 0: must be more than zero",
    ),
    "fewer replicas at most than at least": (
        {"replicas": {"min": 3, "max": 2}},
        "spec.replicas: Invalid value: replicas.max must not be less than replicas.min",
    ),
    "no data class": (
        {"dataClasses": []},
        "spec.dataClasses in body should have at least 1 items",
    ),
    "an image reference of 2 MB": (
        {"runtime": {"image": "r" * 2_000_000}},
        "spec.runtime.image: Too long: may not be more than 512 bytes",
    ),
}


@pytest.fixture
def who(world: World, hub_namespace: str) -> People:
    return people(world, hub_namespace)


@pytest.mark.parametrize(("spec", "message"), REFUSED_MODELS.values(), ids=REFUSED_MODELS)
def test_a_model_is_refused_with(
    spec: Mapping[str, Any], message: str, world: World, hub_namespace: str, who: People
) -> None:
    said = who.team.is_refused("create", "-f", "-", sends=world.model_manifest(hub_namespace, **spec))
    assert message in said
    assert len(said) < 1500, "one message, and not the object"
    assert world.get(hub_namespace) is None


REFUSED_NAMES = {
    "too long": ("a" * 41, "the name must be a DNS label of at most 40 characters that begins with a letter"),
    "beginning with a digit": ("7b-chat", "the name must be a DNS label of at most 40 characters"),
    "with a dot": ("iris.v1", "the name must be a DNS label of at most 40 characters"),
    "domicile": (
        "domicile",
        "a model cannot be named domicile: what keeps its namespace to itself on a member has that",
    ),
    "default": ("default", "a model cannot be named default: the ServiceAccount of its name would be the one that"),
}


@pytest.mark.parametrize(("name", "message"), REFUSED_NAMES.values(), ids=REFUSED_NAMES)
def test_a_name_is_refused(name: str, message: str, world: World, hub_namespace: str, who: People) -> None:
    assert message in who.team.is_refused("create", "-f", "-", sends=world.model_manifest(hub_namespace, name))


LARGE: Mapping[str, tuple[Object, str]] = {
    "in annotations": (
        {"annotations": {"notes": "x" * 2_000_000}},
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ),
    "in labels": (
        {"labels": {f"{'x' * 60}.{'y' * 60}.{'z' * 60}/{number:060}": "v" * 60 for number in range(6_000)}},
        "etcdserver: request is too large",
    ),
    "beyond what the API server reads": (
        {"annotations": {"notes": "x" * 4_000_000}},
        "limit is 3145728",
    ),
}


@pytest.mark.parametrize(("metadata", "message"), LARGE.values(), ids=LARGE)
def test_an_object_of_2_mb(metadata: Object, message: str, world: World, hub_namespace: str, who: People) -> None:
    model = world.model_manifest(hub_namespace)
    model["metadata"] |= metadata
    said = who.team.is_refused("create", "-f", "-", sends=model)
    assert message in said
    assert len(said) < 1500, "one message, and not the object"


REFUSED_RULES: Mapping[str, tuple[Object, str]] = {
    "a policy with an unknown jurisdiction": (
        policy("refused", "nowhere", "XX"),
        "unknown jurisdiction: use an ISO 3166-1 alpha-2 code such as SG, or an ISO 3166-2 one such as MY-14",
    ),
    "a policy with a country's name": (
        policy("refused", "nowhere", "Singapore"),
        "spec.allow.workers[0]",
    ),
    "a policy with an unknown dimension": (
        {**policy("refused", "nowhere", "SG"), "spec": {"allow": {"backups": ["SG"]}}},
        'unknown field "spec.allow.backups"',
    ),
    "an attestation with an unknown jurisdiction": (
        attestation("refused", NOBODY, "ZZ"),
        "unknown jurisdiction: use an ISO 3166-1 alpha-2 code such as SG",
    ),
    "an attestation that ends before it begins": (
        attestation("refused", NOBODY, "SG", validUntil="2025-01-01T00:00:00Z"),
        "spec: Invalid value: validUntil must be later than validFrom",
    ),
    "an attestation from a year that is none": (
        attestation("refused", NOBODY, "SG", validFrom="0000-01-01T00:00:00Z"),
        "spec.validFrom in body should match",
    ),
    "an attestation until a time in no zone": (
        attestation("refused", NOBODY, "SG", validUntil="2036-01-01T00:00:00+24:00"),
        "spec.validUntil in body should match",
    ),
    "an attestation of a UID that is none": (
        attestation("refused", "sg", "SG"),
        "spec.clusterRef.uid",
    ),
}


@pytest.mark.parametrize(("manifest", "message"), REFUSED_RULES.values(), ids=REFUSED_RULES)
def test_governance_is_refused(manifest: Object, message: str, who: People) -> None:
    assert message in who.governance.is_refused("create", "-f", "-", sends=manifest)


def test_what_cannot_be_changed(world: World, hub_namespace: str, who: People, operator: OperatorProcess) -> None:
    world.model(hub_namespace, dataClasses=["customer.pii", "health.record"])
    uid = world.hub.get(f"{CLUSTERS}/sg")["spec"]["clusterUID"]
    said = {
        "clusterUID": who.platform.is_refused(
            *("patch", "regionalcluster", "sg", "--type=merge"), f'-p={{"spec":{{"clusterUID":"{NOBODY}"}}}}'
        ),
        "clusterRef": who.governance.is_refused(
            *("patch", "clusterattestation", "sg", "--type=merge"),
            f'-p={{"spec":{{"clusterRef":{{"name":"ph","uid":"{uid}"}}}}}}',
        ),
        "dataClasses": who.team.is_refused(
            *("patch", "sovereignmodel", "scorer", f"--namespace={hub_namespace}", "--type=merge"),
            '-p={"spec":{"dataClasses":["customer.pii"]}}',
        ),
    }
    assert "clusterUID cannot be changed: a rebuilt cluster is another cluster, join it anew" in said["clusterUID"]
    assert "clusterRef cannot be changed: attest another cluster with another object" in said["clusterRef"]
    assert "may not drop a data class (health.record): that needs the verb declassify" in said["dataClasses"]


MODELS_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sovereignmodels.domicile.dev"


@contextmanager
def without_rules_for_requests(world: World) -> Iterator[None]:
    """As an older schema, or one that somebody changed."""
    versions = world.hub.get(MODELS_CRD)["spec"]["versions"]
    changed = copy.deepcopy(versions)
    spec = changed[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    for request in spec["resources"]["properties"]["requests"]["properties"].values():
        del request["x-kubernetes-validations"]
    world.hub.merge(MODELS_CRD, {"spec": {"versions": changed}})
    try:
        yield
    finally:
        world.hub.merge(MODELS_CRD, {"spec": {"versions": versions}})


def test_a_running_model_that_was_made_unreadable_says_so_and_can_be_deleted(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="sg")
    nothing = {"spec": {"resources": {"requests": {"cpu": "0"}}}}
    path = f"{MODELS.format(namespace=hub_namespace)}/scorer"
    with without_rules_for_requests(world):
        eventually(lambda: _accepted(world, path, nothing), within=30, what="cpu 0 accepted")
    said = world.reports(hub_namespace, "Ready", "SpecUnreadable")
    assert said["message"].startswith("spec.resources.requests.cpu: '0' must be more than zero: correct it.")
    assert world.left("sg", hub_namespace) != []
    world.delete(hub_namespace)
    world.gone(hub_namespace)
    assert world.left("sg", hub_namespace) == []


def _accepted(world: World, path: str, change: Object) -> bool:
    try:
        world.hub.merge(path, change)
    except RequestRefused as refused:
        if refused.status == 422:
            return False
        raise
    return True


# Members that cannot be used.


@dataclass(frozen=True)
class Stranger:
    """A member that was registered by hand."""

    kubeconfig: Callable[[World, Any], str | Object | None]
    reason: str
    says: tuple[str, ...]
    """What its message has in it: what, where, and what to do."""
    uid: Callable[[World], str] = lambda _: NOBODY


def _exec_plugin(world: World) -> Object:
    command = {"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": ["/tmp/owned"]}
    return strangers.of(world.fleet.regions["de"], {"exec": command})


STRANGERS: Mapping[str, Stranger] = {
    "dead-cluster": Stranger(
        lambda world, _: strangers.kubeconfig("https://127.0.0.1:1", _authority(world), {"token": "t"}),
        "Unreachable",
        ("https://127.0.0.1:1 does not answer",),
    ),
    "garbage": Stranger(
        lambda world, _: "{not: [a kubeconfig",
        "KubeconfigInvalid",
        ("the kubeconfig is not YAML (line 1)",),
    ),
    "no-current-context": Stranger(
        lambda world, _: {**strangers.of(world.fleet.regions["de"], {"token": "t"}), "current-context": ""},
        "KubeconfigInvalid",
        ("has no current-context: set it to the context that is meant",),
    ),
    "no-secret": Stranger(
        lambda world, _: None,
        "KubeconfigMissing",
        ("no key kubeconfig in Secret no-secret-kubeconfig of the operator's namespace", "put the kubeconfig there"),
    ),
    "exec-plugin": Stranger(
        lambda world, _: _exec_plugin(world),
        "KubeconfigInvalid",
        ("user.exec is not accepted in a Secret", "use a ServiceAccount's token, as `domicile cluster join` does"),
    ),
    "token-not-accepted": Stranger(
        lambda world, _: strangers.of(world.fleet.regions["de"], {"token": "no-such-token"}),
        "CredentialsRejected",
        ("401 Unauthorized", "https://127.0.0.1:"),
    ),
    "without-rights": Stranger(
        lambda world, _: strangers.as_user(world.fleet.regions["de"], "without-rights"),
        "Forbidden",
        ('User "without-rights" cannot get resource "namespaces"',),
    ),
    "another-cluster": Stranger(
        lambda world, _: strangers.as_user(world.fleet.regions["de"], ALMIGHTY, "system:masters"),
        "IdentityMismatch",
        ("is not another-cluster: its kube-system namespace has UID", NOBODY, "join it anew"),
    ),
    "expired-certificate": Stranger(
        lambda world, _: strangers.with_expired_certificate(world.fleet.regions["de"]),
        "CertificateExpired",
        (
            "the client certificate (CN=domicile) in the kubeconfig for https://127.0.0.1:",
            "write a kubeconfig with a new one into the Secret",
        ),
    ),
    "expired-authority": Stranger(
        lambda world, _: strangers.kubeconfig(
            world.fleet.regions["de"].url, strangers.authority(strangers.YESTERDAY), {"token": "t"}
        ),
        "CertificateExpired",
        ("the certificate authority (CN=some other authority) in the kubeconfig", "expired at"),
    ),
    "unknown-authority": Stranger(
        lambda world, _: strangers.kubeconfig(world.fleet.regions["de"].url, _authority(world), {"token": "t"}),
        "CertificateInvalid",
        ("TLS does not vouch for https://127.0.0.1:", "Compare certificate-authority-data and server"),
    ),
    "expired-server-certificate": Stranger(
        lambda world, server: strangers.kubeconfig(server[0], server[1], {"token": "t"}),
        "CertificateInvalid",
        ("TLS does not vouch for https://127.0.0.1:", "certificate has expired"),
    ),
    "without-kserve": Stranger(
        lambda world, _: strangers.as_user(world.fleet.hub, audit.OPERATOR, "system:masters"),
        "KServeMissing",
        ("KServe is not installed there",),
        uid=lambda world: world.fleet.hub.kube_system_uid,
    ),
}


def _authority(world: World) -> bytes:
    """Valid, and of another cluster."""
    return world.fleet.regions["ph"].authority.read_bytes()


@dataclass(frozen=True)
class Registered:
    """All of them, registered together."""

    at: float
    mark: int
    """Where the hub's audit log ended then."""
    de_mark: int


@pytest.fixture(scope="module", autouse=True)
def registered(
    world: World, _shared_operator: OperatorProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Registered]:
    """The members that cannot be used are there, attested as lawful, during all tests of this file."""
    _shared_operator.resume()
    with strangers.server_with_expired_certificate(tmp_path_factory.mktemp("server")) as server:
        since = Registered(
            time.monotonic(), audit.size(world.fleet.hub.audit_log), audit.size(world.fleet.regions["de"].audit_log)
        )
        for name, stranger in STRANGERS.items():
            uid = stranger.uid(world)
            strangers.register(world, name, stranger.kubeconfig(world, server), uid)
            world.hub.apply(attestation(name, uid, "SG"))
        yield since
        for name in STRANGERS:
            strangers.forget(world, name)
            world.hub.delete(f"{ATTESTATIONS}/{name}")


@pytest.mark.parametrize("name", STRANGERS)
def test_a_member_that_cannot_be_used_says_why(
    name: str, world: World, registered: Registered, operator: OperatorProcess
) -> None:
    stranger = STRANGERS[name]
    found = world.cluster_reports(name, stranger.reason, within=WITHIN)
    assert found["status"] == "False"
    assert [text for text in stranger.says if text not in found["message"]] == [], found["message"]


def test_kubectl_get_shows_them_on_one_screen(world: World, who: People, registered: Registered) -> None:
    def rows() -> dict[str, list[str]]:
        return {line.split()[0]: line.split()[1:3] for line in who.platform.sees("get", "rcl").splitlines()[1:]}

    expected = {name: ["False", stranger.reason] for name, stranger in STRANGERS.items()}
    joined = {name: ["True", "KServeFound"] for name in world.fleet.regions}
    eventually(lambda: rows() == expected | joined, within=WITHIN, what=f"{expected | joined}")


def test_other_models_go_on_and_say_why_they_are_not_there(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    world.model(hub_namespace)
    status = world.ready(hub_namespace, on="sg", within=30)["status"]
    assert status["clusters"]["able"] == 1
    world.model(hub_namespace, "wide", placement={"clusterCount": 2})
    said = world.reports(hub_namespace, "Placed", "TooFewClusters", "wide")
    assert said["message"].startswith("on sg: 1 of 2 clusters")
    wide = world.get(hub_namespace, "wide")
    assert wide is not None
    reasons = {row["cluster"]: (row["reason"], row["message"]) for row in wide["status"]["exclusions"]}
    for name in STRANGERS.keys() - {"without-kserve"}:
        reason = STRANGERS[name].reason
        assert reasons[name] == (
            "ClusterOutOfSight",
            f"{name} is out of sight ({reason}): see RegionalCluster {name}",
        )
    assert reasons["without-kserve"][0] == "ServingUnavailable"


def test_a_kubeconfig_that_now_points_to_another_cluster(
    world: World, hub_namespace: str, operator: OperatorProcess
) -> None:
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE"))
    world.model(hub_namespace)
    world.ready(hub_namespace, on="de")
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"
    right, other = (world.hub.get(f"{path}/{name}-kubeconfig")["data"] for name in ("de", "ph"))
    mark = audit.size(world.fleet.regions["ph"].audit_log)
    try:
        world.hub.merge(f"{path}/de-kubeconfig", {"data": other})
        world.cluster_reports("de", "IdentityMismatch", within=WITHIN)
        said = world.reports(hub_namespace, "Available", "ClusterOutOfSight")
        assert said["status"] == "Unknown"
        assert (world.get(hub_namespace) or {})["status"]["placedOn"] == "de"
    finally:
        world.hub.merge(f"{path}/de-kubeconfig", {"data": right})
    world.ready(hub_namespace, on="de", within=30)
    assert audit.writes(world.fleet.regions["ph"].audit_log, since=mark) == []


def test_a_corrected_kubeconfig_is_used_at_once(world: World, operator: OperatorProcess) -> None:
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/ph-kubeconfig"
    right = world.hub.get(path)["data"]
    try:
        world.hub.merge(path, {"data": {"kubeconfig": "bm90aGluZw=="}})
        world.cluster_reports("ph", "KubeconfigInvalid", within=WITHIN)
    finally:
        world.hub.merge(path, {"data": right})
    world.cluster_reports("ph", "KServeFound", within=5)


def test_a_member_that_stays_unusable_costs_two_writes_and_one_event(
    world: World, registered: Registered, operator: OperatorProcess
) -> None:
    eventually(
        lambda: time.monotonic() > registered.at + WATCHED_SECONDS,
        within=WATCHED_SECONDS,
        what=f"{WATCHED_SECONDS:g} s since they were registered",
    )
    writes = audit.accepted(audit.writes(world.fleet.hub.audit_log, since=registered.mark), "regionalclusters/status")
    count = {name: sum(write.name == name for write in writes) for name in STRANGERS}
    events = {name: world.events("default", name) for name in STRANGERS}
    told = {name: [(e["type"], e["reason"], e.get("series")) for e in events[name]] for name in STRANGERS}
    print(f"status writes in {time.monotonic() - registered.at:.0f} s: {count}")
    assert {name: n for name, n in count.items() if not 1 <= n <= 2} == {}
    assert told == {name: [("Warning", stranger.reason, None)] for name, stranger in STRANGERS.items()}


def test_nothing_was_written_to_a_cluster_that_is_not_who_it_must_be(
    world: World, registered: Registered, operator: OperatorProcess
) -> None:
    log = world.fleet.regions["de"].audit_log
    assert f'"username":"{ALMIGHTY}"' in log.read_text(), "it was asked who it is"
    assert audit.writes(log, since=registered.de_mark, user=ALMIGHTY) == []


def test_the_operator_still_runs(operator: OperatorProcess) -> None:
    assert "Traceback" not in operator.log.read_text()
    assert operator.returncode is None
