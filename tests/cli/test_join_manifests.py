"""What joining would write on both sides, and the attestation that it leaves to be written."""

import base64
from typing import Any

import pytest
import yaml

from domicile.api import ClusterAttestation, RegionalCluster
from domicile.cli.join import hub, member
from domicile.fleet import rbac
from domicile.residency.dimensions import WORDS

UID = "9faeb6a6-8601-4aea-a377-d4bb540871f3"


def granted(verb: str, group: str, resource: str) -> bool:
    rules = [manifest for _, manifest in member.identity("domicile-system", rbac.rules())][1]["rules"]
    return any(
        verb in rule["verbs"] and group in rule.get("apiGroups", ()) and resource in rule.get("resources", ())
        and not rule.get("resourceNames")
        for rule in rules
    )  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "group", "resource"),
    [
        ("get", "", "secrets"),
        ("list", "", "secrets"),
        ("delete", "", "namespaces"),
        ("create", "", "pods"),
        ("create", "", "serviceaccounts/token"),
        ("create", "rbac.authorization.k8s.io", "clusterroles"),
        ("impersonate", "", "users"),
    ],
)
def test_the_hub_is_not_given(verb: str, group: str, resource: str) -> None:
    assert not granted(verb, group, resource)


def test_the_hub_is_given_what_placing_needs() -> None:
    assert granted("patch", "serving.kserve.io", "inferenceservices")
    assert granted("create", "", "namespaces")
    assert granted("list", "", "nodes")


def test_no_rule_has_a_wildcard() -> None:
    assert "*" not in str(rbac.rules())


def test_two_hubs_with_namespaces_of_their_own_do_not_share_a_role() -> None:
    names = [
        {
            manifest["metadata"]["name"]
            for _, manifest in member.identity(namespace, ())
            if "Cluster" in manifest["kind"]
        }
        for namespace in ("one", "two")
    ]
    assert names[0].isdisjoint(names[1])


def test_the_binding_binds_the_role_to_the_account() -> None:
    account, role, binding = (manifest for _, manifest in member.identity("domicile-system", ()))
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    subject = {"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "domicile-system"}
    assert binding["subjects"] == [subject]


def test_a_token_of_ours_is_known_from_others() -> None:
    made = member.token_secret("domicile-system", "1")
    assert member.is_our_token(made)
    foreign: dict[str, Any] = {**made, "metadata": {**made["metadata"], "labels": {}}}
    assert not member.is_our_token(foreign)
    assert not member.is_our_token({**made, "type": "Opaque"})


def test_the_regional_cluster_is_pinned_and_names_the_secret() -> None:
    cluster = RegionalCluster.model_validate(hub.regional_cluster("sg", UID, "domicile-system"))
    secret = hub.secret("sg", "domicile-system", "kubeconfig text")
    assert cluster.spec.cluster_uid == UID
    assert cluster.spec.kubeconfig_secret_ref.name == secret["metadata"]["name"]
    assert base64.b64decode(secret["data"][cluster.spec.kubeconfig_secret_ref.key]) == b"kubeconfig text"


@pytest.mark.parametrize("namespace", ["domicile-system", "elsewhere"])
def test_the_regional_cluster_says_which_user_the_hub_is_there(namespace: str) -> None:
    """The fence lets no other one write."""
    made = hub.regional_cluster("sg", UID, namespace)
    assert ("identities" in made["spec"]) is (namespace == "elsewhere")
    cluster = RegionalCluster.model_validate(made)
    assert cluster.spec.identities.hub == f"system:serviceaccount:{namespace}:domicile"


def test_the_attestation_names_the_cluster_and_guesses_no_fact() -> None:
    skeleton = yaml.safe_load(hub.attestation_to_write("sg", UID))
    assert skeleton["spec"]["clusterRef"] == {"name": "sg", "uid": UID}
    facts = skeleton["spec"]["facts"]
    assert facts.pop("registries") == [{"host": None, "jurisdiction": None}]
    assert set(facts) == {words.field for dimension, words in WORDS.items() if dimension not in ("registry", "hub")}
    assert {fact["jurisdiction"] for fact in facts.values()} == {None}
    assert skeleton["spec"]["validFrom"] is None
    assert skeleton["spec"]["evidence"] == {"reference": None}


def test_the_attestation_is_accepted_once_it_is_filled_in() -> None:
    text = hub.attestation_to_write("sg", UID)
    text = (
        text.replace("jurisdiction: }", "jurisdiction: SG}")
        .replace("host: ,", "host: r.example,")
        .replace("reference: }", "reference: file 7}")
    )
    text = text.replace("validFrom:", "validFrom: 2026-01-01T00:00:00Z").replace(
        "validUntil:", "validUntil: 2027-01-01T00:00:00Z"
    )
    attestation = ClusterAttestation.model_validate(yaml.safe_load(text))
    assert attestation.spec.facts.key_store is not None
