"""What Helm renders from the chart, and which values it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.conftest import CHART, IMAGE, NAMESPACE, ROOT, Helm, kinds
from chart.objects import Manifest

RULED = ("Role", "ClusterRole")


def only(manifests: list[Manifest], kind: str, name: str = "") -> Manifest:
    (found,) = [manifest for manifest in kinds(manifests, kind) if not name or manifest["metadata"]["name"] == name]
    return found


def test_the_linter_of_helm_finds_nothing(helm: Helm) -> None:
    answer = helm("lint", "--strict", str(CHART), "--kube-version", "1.36.3", *IMAGE)
    assert answer.returncode == 0, answer.stdout + answer.stderr


BAD_VALUES = {
    "a key that is not known": ("replicaCount=3", "replicaCount"),
    "a key that is not known, further in": ("operator.replica=3", "replica"),
    "replicas that are no number": ("operator.replicas=many", "replicas"),
    "fewer replicas than none": ("operator.replicas=-1", "replicas"),
    "two replicas with one volume": ("operator.replicas=2", "replicas"),
    "a database of which the address is not said": ("evidence.store=postgresql", "secretName"),
    "a database, and a key for each replica": (
        "evidence.store=postgresql,evidence.postgresql.secretName=db",
        "keySecret",
    ),
    "a size that is none": ("evidence.embedded.size=much", "size"),
    "a store that is none": ("evidence.store=memory", "store"),
    "a region that is none": ("evidence.regions.Singapore.secretName=db", "regions"),
    "a region without its database": ("evidence.regions.SG.secretKey=url", "secretName"),
    "a digest that is none": ("image.digest=sha256:abc", "digest"),
    "a tag with a digest in it": ("image.tag=v1@sha256:abc", "tag"),
    "a pull policy that is none": ("image.pullPolicy=Sometimes", "pullPolicy"),
    "a log level that is none": ("logLevel=loud", "logLevel"),
    "admission that is neither on, off nor auto": ("admission.enabled=maybe", "enabled"),
    "an operator's name that would end the CEL text": (
        "admission.operatorUsernames={a' || true || 'b}",
        "operatorUsernames",
    ),
    "a name that is no DNS label": ("fullnameOverride=Domicile_1", "fullnameOverride"),
}


@pytest.mark.parametrize(("value", "named"), BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_bad_value_is_refused_by_its_name(helm: Helm, value: str, named: str) -> None:
    answer = helm.template(*IMAGE, "--set", value)
    assert answer.returncode != 0
    assert named in answer.stderr


def test_without_an_image_it_says_what_to_do(helm: Helm) -> None:
    answer = helm.template()
    assert answer.returncode != 0
    assert "image.repository must be given" in answer.stderr


IMAGES = {
    "the chart's own version": ((), "registry.example/domicile:0.1.0"),
    "a tag": (("--set", "image.tag=v2"), "registry.example/domicile:v2"),
    "a digest, which wins over a tag": (
        ("--set", "image.tag=v2", "--set", f"image.digest=sha256:{'a' * 64}"),
        f"registry.example/domicile@sha256:{'a' * 64}",
    ),
}


@pytest.mark.parametrize(("values", "image"), IMAGES.values(), ids=IMAGES.keys())
def test_the_image(helm: Helm, values: tuple[str, ...], image: str) -> None:
    assert container(helm.manifests(*values))["image"] == image


def container(manifests: list[Manifest]) -> dict[str, Any]:
    (only_one,) = only(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    return only_one


def test_the_operator_meets_the_restricted_pod_security_standard(helm: Helm) -> None:
    manifests = helm.manifests()
    pod = only(manifests, "Deployment")["spec"]["template"]["spec"]
    group = {"fsGroup": 65532, "fsGroupChangePolicy": "OnRootMismatch"}
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **group}
    assert container(manifests)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


def test_what_the_operator_writes_beside_the_evidence_is_memory(helm: Helm) -> None:
    volumes = only(helm.manifests(), "Deployment")["spec"]["template"]["spec"]["volumes"]
    others = [volume for volume in volumes if volume["name"] != "evidence"]
    assert [volume["emptyDir"]["medium"] for volume in others] == ["Memory"]


def rules(manifests: list[Manifest]) -> list[tuple[Manifest, dict[str, list[str]]]]:
    return [(role, rule) for role in kinds(manifests, *RULED) for rule in role["rules"]]


def test_no_rule_has_a_wildcard(helm: Helm) -> None:
    found = rules(helm.manifests())
    assert found
    for role, rule in found:
        assert "*" not in [word for words in rule.values() for word in words], role["metadata"]["name"]


def test_secrets_are_read_in_the_release_namespace_alone(helm: Helm) -> None:
    naming = [(role, rule) for role, rule in rules(helm.manifests()) if "secrets" in rule["resources"]]
    verbs = {
        (role["kind"], role["metadata"]["namespace"], role["metadata"]["name"]): set(rule["verbs"])
        for role, rule in naming
    }
    assert verbs == {
        ("Role", NAMESPACE, "domicile-operator"): {"get", "list", "watch"},
        # Platform puts the members' kubeconfigs there; it cannot list, nor delete.
        ("Role", NAMESPACE, "domicile-platform"): {"get", "create", "patch"},
    }


def test_nobody_can_raise_their_own_rights(helm: Helm) -> None:
    for role, rule in rules(helm.manifests()):
        assert not {"bind", "escalate", "impersonate"} & set(rule["verbs"]), role["metadata"]["name"]
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"], role["metadata"]["name"]


WRITES = {"create", "update", "patch", "delete", "deletecollection"}

# Who asks is not who approves, and neither is who runs the clusters.
PEOPLE = {
    "domicile-ai-team": {"sovereignmodels"},
    "domicile-view": set[str](),
    "domicile-governance": {
        "residencypolicies",
        "clusterattestations",
        "residencyrecords",
        "residencyexceptions",
        "dataclassifications",
        "jurisdictiongroups",
    },
    "domicile-approver": {"residencyexceptions"},
    "domicile-declassifier": {"sovereignmodels", "dataclassifications"},
    "domicile-platform": {"regionalclusters"},
}


@pytest.mark.parametrize(("role", "written"), PEOPLE.items(), ids=PEOPLE.keys())
def test_people_write_what_is_theirs_and_no_status(helm: Helm, role: str, written: set[str]) -> None:
    of_role = only(helm.manifests(), "ClusterRole", role)["rules"]
    assert {resource for rule in of_role if WRITES & set(rule["verbs"]) for resource in rule["resources"]} == written


def test_a_right_of_its_own_is_in_a_role_of_its_own(helm: Helm) -> None:
    found = rules(helm.manifests())
    assert {
        (verb, role["metadata"]["name"], *rule["resources"])
        for role, rule in found
        for verb in {"approve", "declassify"} & set(rule["verbs"])
    } == {
        ("approve", "domicile-approver", "residencyexceptions"),
        ("declassify", "domicile-declassifier", "sovereignmodels"),
        ("declassify", "domicile-declassifier", "dataclassifications"),
    }


def test_only_team_and_view_are_part_of_the_built_in_roles(helm: Helm) -> None:
    part_of = {
        role["metadata"]["name"]: {
            label.removeprefix("rbac.authorization.k8s.io/aggregate-to-")
            for label in role["metadata"]["labels"]
            if "aggregate-to" in label
        }
        for role in kinds(helm.manifests(), "ClusterRole")
    }
    assert {name: roles for name, roles in part_of.items() if roles} == {
        "domicile-ai-team": {"edit", "admin"},
        "domicile-view": {"view", "edit", "admin"},
    }


@pytest.mark.parametrize("file", sorted((ROOT / "crds").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_kinds_are_rendered_as_they_were_generated(helm: Helm, file: Path) -> None:
    generated = yaml.safe_load(file.read_text())
    rendered = only(helm.manifests(), "CustomResourceDefinition", generated["metadata"]["name"])
    assert rendered["spec"] == generated["spec"]
    assert rendered["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_kinds_can_be_left_out_or_left_to_helm(helm: Helm) -> None:
    assert not kinds(helm.manifests("--set", "crds.install=false"), "CustomResourceDefinition")
    (first, *_) = kinds(helm.manifests("--set", "crds.keep=false"), "CustomResourceDefinition")
    assert "annotations" not in first["metadata"]


def test_an_operator_elsewhere_needs_no_image_and_no_deployment(helm: Helm) -> None:
    answer = helm.template("--set", "operator.enabled=false")
    assert answer.returncode == 0, answer.stderr
    rendered = {manifest["kind"] for manifest in yaml.safe_load_all(answer.stdout) if manifest}
    assert "Deployment" not in rendered
    assert {"CustomResourceDefinition", "ClusterRole", "ValidatingAdmissionPolicy"} <= rendered


POLICIES = ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy")
ADMISSION = {
    "auto, and the API server has it": ((), True, True),
    "auto, and the API server has it not": ((), False, False),
    "on, whatever the API server has": (("--set", "admission.enabled=true"), False, True),
    "off, whatever the API server has": (("--set", "admission.enabled=false"), True, False),
}


@pytest.mark.parametrize(("values", "served", "rendered"), ADMISSION.values(), ids=ADMISSION.keys())
def test_when_the_admission_policies_are_made(
    helm: Helm, values: tuple[str, ...], served: bool, rendered: bool
) -> None:
    assert bool(kinds(helm.manifests(*values, admission=served), *POLICIES)) is rendered


def test_every_admission_policy_is_in_force_and_fails_closed(helm: Helm) -> None:
    for name in ("domicile", "risk"):
        manifests = helm.manifests("--set", f"fullnameOverride={name}")
        policies = {each["metadata"]["name"]: each for each in kinds(manifests, *POLICIES)}
        bindings = {
            each["metadata"]["name"]: each for each in kinds(manifests, *(f"{each}Binding" for each in POLICIES))
        }
        assert len(policies) == 17
        assert {each.partition("-")[0] for each in policies} == {name}
        for name_of_policy, policy in policies.items():
            assert policy["spec"]["failurePolicy"] == "Fail", name_of_policy
            binding = bindings.pop(name_of_policy)
            assert binding["kind"] == f"{policy['kind']}Binding"
            mutates = policy["kind"] == "MutatingAdmissionPolicy"
            actions = {} if mutates else {"validationActions": ["Deny"]}
            # No match of its own: for every object, of everybody.
            assert binding["spec"] == {"policyName": name_of_policy, **actions}
        assert not bindings


def test_the_operator_elsewhere_may_have_another_name(helm: Helm) -> None:
    policy = only(
        helm.manifests("--set", "admission.operatorUsernames={alice,system:serviceaccount:ops:domicile}"),
        "ValidatingAdmissionPolicy",
        "domicile-guard",
    )
    (by_operator,) = [each["expression"] for each in policy["spec"]["variables"] if each["name"] == "byOperator"]
    assert by_operator == "request.userInfo.username in ['alice', 'system:serviceaccount:ops:domicile']"


def test_the_log_is_on_a_volume_that_outlives_the_release_and_is_for_one_process_at_a_time(helm: Helm) -> None:
    manifests = helm.manifests()
    claim = only(manifests, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    spec = only(manifests, "Deployment")["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    volumes = {each["name"]: each for each in spec["template"]["spec"]["volumes"]}
    assert volumes["evidence"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    only_one = container(manifests)
    assert "--evidence=/var/lib/domicile/evidence" in only_one["args"]
    assert {"name": "evidence", "mountPath": "/var/lib/domicile"} in only_one["volumeMounts"]


def test_a_claim_that_is_there_is_used(helm: Helm) -> None:
    manifests = helm.manifests("--set", "evidence.embedded.existingClaim=records")
    assert kinds(manifests, "PersistentVolumeClaim") == []
    volumes = only(manifests, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "evidence", "persistentVolumeClaim": {"claimName": "records"}} in volumes


def test_with_a_database_there_are_replicas_and_no_volume(helm: Helm) -> None:
    database = ("evidence.store=postgresql", "evidence.postgresql.secretName=db", "evidence.keySecret.name=key")
    values = [argument for value in (*database, "operator.replicas=2") for argument in ("--set", value)]
    manifests = helm.manifests(*values)
    assert kinds(manifests, "PersistentVolumeClaim") == []
    spec = only(manifests, "Deployment")["spec"]
    assert (spec["replicas"], "strategy" in spec) == (2, False)
    only_one = container(manifests)
    # The address is in its environment, as it may have a password.
    assert [each for each in only_one["args"] if "evidence" in each] == [
        "--evidence-key=/etc/domicile/evidence/key.pem"
    ]
    address = {"name": "db", "key": "url"}
    assert {"name": "DOMICILE_EVIDENCE", "valueFrom": {"secretKeyRef": address}} in only_one["env"]


def test_addresses_of_regions_are_in_the_environment(helm: Helm) -> None:
    values = (
        "evidence.regions.SG.secretName=sg",
        "evidence.regions.PH.secretName=ph",
        "evidence.regions.PH.secretKey=at",
    )
    found = container(helm.manifests(*(argument for value in values for argument in ("--set", value))))["env"]
    for region, name, key in (("SG", "sg", "url"), ("PH", "ph", "at")):
        address = {
            "name": f"DOMICILE_EVIDENCE_REGION_{region}",
            "valueFrom": {"secretKeyRef": {"name": name, "key": key}},
        }
        assert address in found
