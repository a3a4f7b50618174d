"""What the API server does with SovereignModels once the chart is installed: who asked is stamped, and the finalizer holds."""

import json

import pytest

from chart.conftest import CHART, NAMESPACE, Helm, Hub, Kubectl
from chart.objects import SHARED_NAMESPACE, Manifest, model
from domicile.localfleet import waiting

pytestmark = pytest.mark.fleet

STAMP = "domicile.dev/requested-by"
FINALIZER = "domicile.dev/withdraw"


@pytest.fixture
def alice(hub: Hub) -> Kubectl:
    return hub.as_user("alice", "team")


@pytest.fixture
def made(alice: Kubectl, hub: Hub, request: pytest.FixtureRequest) -> Manifest:
    """A model that alice made."""
    name = "m" + format(abs(hash(request.node.name)) % 10**8, "08d")
    answer = alice("create", "--filename=-", "--output=json", stdin=model(name))
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def patch(user: Kubectl, name: str, change: Manifest | list[Manifest], kind: str = "merge") -> tuple[int, str]:
    where = ("sovereignmodel", name, "--namespace", SHARED_NAMESPACE)
    answer = user("patch", *where, f"--type={kind}", f"--patch={json.dumps(change)}")
    return answer.returncode, answer.stderr


def test_who_asked_and_the_finalizer_are_there_from_the_first_moment(made: Manifest) -> None:
    assert made["metadata"]["annotations"] == {STAMP: "alice"}
    assert made["metadata"]["finalizers"] == [FINALIZER]
    assert made["metadata"]["generation"] == 1


def test_annotations_and_finalizers_of_others_are_kept(alice: Kubectl) -> None:
    others = model("others", annotations={"example.com/cost-centre": "12"}, finalizers=["example.com/books"])
    answer = alice("create", "--dry-run=server", "--filename=-", "--output=json", stdin=others)
    assert answer.returncode == 0, answer.stderr
    metadata = json.loads(answer.stdout)["metadata"]
    assert metadata["annotations"] == {"example.com/cost-centre": "12", STAMP: "alice"}
    assert sorted(metadata["finalizers"]) == [FINALIZER, "example.com/books"]


@pytest.mark.parametrize("how", ["create", "apply", "server-side apply"])
def test_a_name_that_the_client_chose_is_written_over(alice: Kubectl, how: str) -> None:
    forged = model("forged", annotations={STAMP: "the-chief-risk-officer"})
    verb = ("apply", "--server-side") if how == "server-side apply" else (how,)
    answer = alice(*verb, "--dry-run=server", "--filename=-", "--output=json", stdin=forged)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["metadata"]["annotations"][STAMP] == "alice"


@pytest.mark.parametrize("value", ["bob", "", None], ids=["changed", "emptied", "removed"])
def test_who_asked_cannot_be_changed_even_by_the_operator(
    alice: Kubectl, hub: Hub, made: Manifest, value: str | None
) -> None:
    for user in (alice, hub.as_operator(), hub.admin):
        code, said = patch(user, made["metadata"]["name"], {"metadata": {"annotations": {STAMP: value}}})
        assert code != 0
        assert "says who asked for this model, and cannot be changed or removed: it is 'alice'" in said


def test_the_team_cannot_remove_the_finalizer(alice: Kubectl, hub: Hub, made: Manifest) -> None:
    for user in (alice, hub.admin):
        for change, kind in (
            ({"metadata": {"finalizers": None}}, "merge"),
            ({"metadata": {"finalizers": ["example.com/mine"]}}, "merge"),
            ([{"op": "remove", "path": "/metadata/finalizers"}], "json"),
        ):
            code, said = patch(user, made["metadata"]["name"], change, kind)
            assert code != 0
            assert "can be removed by the operator alone" in said
    name = made["metadata"]["name"]
    assert hub.admin.get("sovereignmodel", name, "-n", SHARED_NAMESPACE)["metadata"]["finalizers"] == [FINALIZER]


def test_the_team_can_change_its_model(alice: Kubectl, made: Manifest) -> None:
    code, said = patch(alice, made["metadata"]["name"], {"spec": {"replicas": {"min": 2}}})
    assert code == 0, said


def test_a_deleted_model_stays_until_the_operator_lets_it_go(alice: Kubectl, hub: Hub, made: Manifest) -> None:
    name = made["metadata"]["name"]
    deleted = alice("delete", "sovereignmodel", name, "--namespace", SHARED_NAMESPACE, "--wait=false")
    assert deleted.returncode == 0, deleted.stderr
    assert hub.admin.get("sovereignmodel", name, "-n", SHARED_NAMESPACE)["metadata"]["deletionTimestamp"]
    assert patch(alice, name, {"metadata": {"finalizers": None}})[0] != 0
    code, said = patch(hub.as_operator(), name, {"metadata": {"finalizers": None}})
    assert code == 0, said
    gone = hub.admin("get", "sovereignmodel", name, "--namespace", SHARED_NAMESPACE)
    assert "NotFound" in gone.stderr


MAY_NOT = {
    "the operator reads no secret elsewhere": ("", "get", "secrets", SHARED_NAMESPACE),
    "the operator writes no secret": ("", "create", "secrets", NAMESPACE),
}


@pytest.mark.parametrize(("group", "verb", "resource", "namespace"), MAY_NOT.values(), ids=MAY_NOT.keys())
def test_who_may_not(hub: Hub, group: str, verb: str, resource: str, namespace: str) -> None:
    user = hub.as_user("alice", group) if group else hub.as_operator()
    answer = user("auth", "can-i", verb, *resource.split(), *(("--namespace", namespace) if namespace else ()))
    assert answer.stdout.strip() == "no", answer.stderr


def test_the_release_can_be_upgraded(hub: Hub, helm: Helm) -> None:
    arguments = ("--namespace", NAMESPACE, "--reuse-values", "--set", "logLevel=debug")
    answer = helm("upgrade", "domicile", str(CHART), *arguments, kubeconfig=hub.admin.kubeconfig)
    assert answer.returncode == 0, answer.stderr
    (container,) = hub.admin.get("deployment", "domicile", "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"]
    assert "--log-level=debug" in container["args"]


def test_every_manifest_is_accepted_with_all_values_set(hub: Hub, helm: Helm) -> None:
    more = (
        "operator.replicas=2",
        "evidence.store=postgresql",
        "evidence.postgresql.secretName=evidence",
        "evidence.keySecret.name=evidence-key",
        "evidence.keysBefore[0]=before.pem",
        "operator.priorityClassName=system-cluster-critical",
        "operator.nodeSelector.disk=ssd",
        "operator.podLabels.team=platform",
        "operator.podAnnotations.note=hello",
        "imagePullSecrets[0].name=pull",
        "operator.extraEnv[0].name=HTTPS_PROXY",
        "operator.extraEnv[0].value=http://proxy.example",
        "serviceAccount.annotations.note=hello",
        "operator.tolerations[0].operator=Exists",
        "operator.topologySpreadConstraints[0].maxSkew=1",
        "operator.topologySpreadConstraints[0].topologyKey=topology.kubernetes.io/zone",
        "operator.topologySpreadConstraints[0].whenUnsatisfiable=ScheduleAnyway",
        "fullnameOverride=other",
    )
    for manifest in helm.manifests(*(word for value in more for word in ("--set", value))):
        answer = hub.admin(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "--filename=-",
            stdin=manifest,
        )
        assert answer.returncode == 0, f"{manifest['kind']} {manifest['metadata']['name']}: {answer.stderr}"
        assert "Warning" not in answer.stderr, answer.stderr


def test_every_expression_of_a_guard_fits_the_kinds(hub: Hub) -> None:
    """The API server itself checks types, of messages too that no test asks for."""

    def unchecked() -> str | None:
        found = hub.admin.get("validatingadmissionpolicies")["items"]
        ours = [each for each in found if each["metadata"]["name"].startswith("domicile-guard")]
        assert len(ours) == 10
        for each in ours:
            status = each.get("status", {})
            assert not status.get("typeChecking"), f"{each['metadata']['name']}: {status['typeChecking']}"
            if status.get("observedGeneration") != each["metadata"]["generation"]:
                return each["metadata"]["name"]
        return None

    waiting.until("the guards' types are checked", unchecked, within=60)
