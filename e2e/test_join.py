"""Platform registers a cluster: what it prints, what it makes, that it may be repeated, and what it refuses."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from terminal import ROOT, Shell

NAMESPACE = "domicile-system"


@pytest.fixture(scope="module")
def kubeconfig(contexts: Path) -> Iterator[Path]:
    """A hub with Domicile's kinds, and members without anything of it."""
    kubectl = Shell({"KUBECONFIG": str(contexts)})
    kubectl.works("kubectl", "create", "namespace", NAMESPACE)
    kubectl.works("kubectl", "apply", "--server-side", f"--filename={ROOT / 'crds'}")
    kubectl.works("kubectl", "wait", "--for=condition=Established", "crd", "regionalclusters.domicile.dev")
    yield contexts
    kubectl.works("kubectl", "delete", f"--filename={ROOT / 'crds'}", within=60)
    kubectl.works("kubectl", "delete", "namespace", NAMESPACE, within=60)
    for context in ("sg", "ph"):
        kubectl(
            *("kubectl", "--context", context, "delete", f"namespace/{NAMESPACE}", f"clusterrole/{NAMESPACE}:hub"),
            *(f"clusterrolebinding/{NAMESPACE}:hub", "--ignore-not-found"),
        )


@pytest.fixture
def platform(kubeconfig: Path) -> Shell:
    return Shell({"KUBECONFIG": str(kubeconfig)})


def get(shell: Shell, *what: str) -> Any:
    return json.loads(shell.works("kubectl", *what, "--output=json"))


def test_joining_makes_what_the_hub_needs_and_says_what_governance_has_to_do(platform: Shell) -> None:
    told = platform.works("domicile", "cluster", "join", "sg", "--context", "sg", "--hub-context", "hub")
    uid = get(platform, "--context", "sg", "get", "namespace", "kube-system")["metadata"]["uid"]
    assert f"kube-system UID {uid}." in told
    skeleton = yaml.safe_load(told[told.index("apiVersion:") :])
    assert skeleton["spec"]["clusterRef"] == {"name": "sg", "uid": uid}
    facts = skeleton["spec"]["facts"]
    assert facts.pop("registries") == [{"host": None, "jurisdiction": None}]
    assert set(facts) == {"workers", "controlPlane", "operator", "operatorParent", "keyStore", "telemetry"}
    assert {fact["jurisdiction"] for fact in facts.values()} == {None}

    cluster = get(platform, "get", "regionalcluster", "sg")
    assert cluster["spec"]["clusterUID"] == uid
    ref = cluster["spec"]["kubeconfigSecretRef"]
    secret = get(platform, "get", "secret", ref["name"], "--namespace", NAMESPACE)
    made = yaml.safe_load(base64.b64decode(secret["data"][ref["key"]]))
    assert [list(user["user"]) for user in made["users"]] == [["token"]]
    assert set(made["clusters"][0]["cluster"]) == {"server", "certificate-authority-data"}
    assert made["users"][0]["user"]["token"] not in told


def test_the_token_may_do_what_is_needed_and_no_more(platform: Shell, tmp_path: Path) -> None:
    platform.works("domicile", "cluster", "join", "sg", "--context", "sg", "--hub-context", "hub")
    secret = get(platform, "get", "secret", "sg-kubeconfig", "--namespace", NAMESPACE)
    own = tmp_path / "config"
    own.write_bytes(base64.b64decode(secret["data"]["kubeconfig"]))
    may = Shell({"KUBECONFIG": str(own)})
    for allowed in ("create inferenceservices.serving.kserve.io", "create namespaces", "list nodes"):
        assert may("kubectl", "auth", "can-i", *allowed.split(), "--all-namespaces").returncode == 0, allowed
    for refused in ("get secrets", "delete namespaces", "create pods", "create clusterroles", "impersonate users"):
        assert may("kubectl", "auth", "can-i", *refused.split(), "--all-namespaces").returncode == 1, refused


def test_joining_again_changes_nothing(platform: Shell) -> None:
    join = ("domicile", "cluster", "join", "sg", "--context", "sg", "--hub-context", "hub")
    platform.works(*join)
    before = get(platform, "get", "secret", "sg-kubeconfig", "--namespace", NAMESPACE)
    told = platform.works(*join)
    assert "created" not in told
    assert get(platform, "get", "secret", "sg-kubeconfig", "--namespace", NAMESPACE) == before


def test_a_rotated_token_replaces_the_old_one_which_is_revoked(platform: Shell) -> None:
    join = ("domicile", "cluster", "join", "sg", "--context", "sg", "--hub-context", "hub")
    platform.works(*join)
    before = get(platform, "get", "secret", "sg-kubeconfig", "--namespace", NAMESPACE)["data"]
    assert "revoked on sg" in platform.works(*join, "--rotate-token")
    assert get(platform, "get", "secret", "sg-kubeconfig", "--namespace", NAMESPACE)["data"] != before
    tokens = get(platform, "--context", "sg", "get", "secrets", "--namespace", NAMESPACE)["items"]
    assert len(tokens) == 1


def test_another_cluster_under_a_name_that_is_taken_is_refused(platform: Shell) -> None:
    platform.works("domicile", "cluster", "join", "sg", "--context", "sg", "--hub-context", "hub")
    answer = platform("domicile", "cluster", "join", "sg", "--context", "ph", "--hub-context", "hub")
    assert answer.returncode == 1
    assert "RegionalCluster sg is another cluster" in answer.stderr
    assert "Traceback" not in answer.stderr
    # Refused before anything was written.
    assert platform("kubectl", "--context", "ph", "get", "namespace", NAMESPACE).returncode == 1


def test_a_dry_run_prints_both_sides_without_a_token_and_writes_nothing(platform: Shell) -> None:
    told = platform.works("domicile", "cluster", "join", "ph", "--context", "ph", "--hub-context", "hub", "--dry-run")
    kinds = [each["kind"] for each in yaml.safe_load_all(told)]
    assert kinds == [
        "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret",
        "Secret", "RegionalCluster", "ClusterAttestation",
    ]  # fmt: skip
    assert "<data.token of Secret" in told
    assert platform("kubectl", "get", "regionalcluster", "ph").returncode == 1
    assert platform("kubectl", "--context", "ph", "get", "namespace", NAMESPACE).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--context", "nowhere"), "no context 'nowhere' in"),
        (("--context", "ph", "--namespace", "elsewhere"), "the hub has no namespace elsewhere"),
    ],
)
def test_mistakes_are_one_plain_line(platform: Shell, arguments: tuple[str, ...], says: str) -> None:
    answer = platform("domicile", "cluster", "join", "ph", "--hub-context", "hub", *arguments)
    assert answer.returncode == 1
    assert says in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
