"""The fence as a value: what it looks at, whom it names, and what shows that it is in force. What API servers make of it is shown on real
ones, in tests/fleet."""

from typing import Any

import pytest

from domicile import fence
from domicile.api import MemberIdentities
from domicile.fence import pods, writers
from domicile.fleet import rbac

WHO = MemberIdentities()
OTHERS = MemberIdentities(
    hub="system:serviceaccount:elsewhere:domicile",
    kserve="system:serviceaccount:models:kserve",
    controller_manager="system:kube-controller-manager",
    scheduler="scheduler",
    nodes="kubelets",
)
HERE = fence.fence_of(WHO)


def spec(short: str, of: fence.Fence = HERE) -> dict[str, Any]:
    """Spec of the policy."""
    (found,) = [
        m["spec"]
        for m in of.manifests()
        if m["kind"] == "ValidatingAdmissionPolicy" and m["metadata"]["name"] == f"{short}.fence.domicile.dev"
    ]
    return found


def looked_at(short: str, operation: str) -> set[str]:
    """Kinds, as group/resource, at which the policy looks."""
    return {
        f"{group}/{resource}"
        for rule in spec(short)["matchConstraints"]["resourceRules"]
        if operation in rule["operations"] and "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_every_policy_has_a_binding_that_denies() -> None:
    bindings = [m for m in HERE.manifests() if m["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert [b["spec"]["policyName"] for b in bindings] == list(HERE.names)
    assert [b["spec"]["validationActions"] for b in bindings] == [["Deny", "Audit"]] * len(HERE.names)


@pytest.mark.parametrize("short", [name.partition(".")[0] for name in HERE.names])
def test_no_policy_fails_open(short: str) -> None:
    assert spec(short)["failurePolicy"] == "Fail"
    assert spec(short)["matchConstraints"]["matchPolicy"] == "Equivalent"


def test_what_is_about_workloads_is_bound_to_managed_namespaces_and_what_is_about_namespaces_is_not() -> None:
    selectors = {
        m["metadata"]["name"].partition(".")[0]: m["spec"]["matchResources"]["namespaceSelector"]
        for m in HERE.manifests()
        if m["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    managed = {"matchLabels": {"domicile.dev/managed": "true"}}
    open_ = dict[str, Any].fromkeys(("namespaces", "hub", "claims"), {})
    bound = dict[str, Any].fromkeys(("writers", "connect", "grants", "lease", "terms", "removals"), managed)
    assert selectors == {**bound, **open_}


def test_pods_are_held_against_the_grant_of_their_namespace_and_the_claim_of_the_hub_and_refused_where_there_is_none() -> (
    None
):
    held_against = {m["spec"]["policyName"]: m["spec"]["paramRef"] for m in HERE.manifests() if "paramRef" in m["spec"]}
    assert held_against == {
        "grants.fence.domicile.dev": {"name": "grants", "parameterNotFoundAction": "Deny"},
        "lease.fence.domicile.dev": {"name": "domicile", "parameterNotFoundAction": "Deny"},
        "connect.fence.domicile.dev": {"name": "domicile", "parameterNotFoundAction": "Deny"},
        "terms.fence.domicile.dev": {"name": "domicile", "parameterNotFoundAction": "Deny"},
        "removals.fence.domicile.dev": {"name": "grants", "parameterNotFoundAction": "Allow"},
    }
    assert spec("grants")["paramKind"] == {"apiVersion": "domicile.dev/v1alpha1", "kind": "AdmissionGrant"}
    assert spec("lease")["paramKind"] == {"apiVersion": "domicile.dev/v1alpha1", "kind": "HubClaim"}
    assert looked_at("grants", "CREATE") == looked_at("grants", "UPDATE") == looked_at("lease", "CREATE") == {"/pods"}
    assert looked_at("claims", "CREATE") == looked_at("claims", "UPDATE") == {"domicile.dev/hubclaims"}


def test_one_term_of_the_hub_grants_at_a_time_and_what_is_granted_is_not_deleted() -> None:
    assert spec("terms")["paramKind"] == spec("lease")["paramKind"]
    assert spec("removals")["paramKind"] == spec("grants")["paramKind"]
    assert (
        looked_at("terms", "CREATE")
        == looked_at("terms", "UPDATE")
        == {
            "domicile.dev/admissiongrants",
            "networking.k8s.io/networkpolicies",
        }
    )
    assert looked_at("removals", "DELETE") == {
        "serving.kserve.io/inferenceservices",
        "serving.kserve.io/servingruntimes",
        "/serviceaccounts",
        "networking.k8s.io/networkpolicies",
    }
    for policy in ("terms", "removals"):
        condition = spec(policy)["matchConditions"][0]["expression"]
        assert f'(request.userInfo.username == "{WHO.hub}")' in condition


FORBIDDEN_OF_PODS = (
    "affinity", "dnsConfig", "ephemeralContainers", "hostAliases", "hostIPC", "hostNetwork", "hostPID", "hostUsers", "initContainers",
    "nodeName", "overhead", "resourceClaims", "runtimeClassName", "shareProcessNamespace", "topologySpreadConstraints",
)  # fmt: skip
FORBIDDEN_OF_CONTAINERS = (
    "envFrom", "lifecycle", "resizePolicy", "restartPolicy", "stdin", "tty", "volumeDevices", "workingDir",
)  # fmt: skip


def test_what_no_grant_names_no_pod_has() -> None:
    assert not set(FORBIDDEN_OF_PODS) & set(pods.POD_FIELDS)
    assert not set(FORBIDDEN_OF_CONTAINERS) & set(pods.CONTAINER_FIELDS)


def test_every_check_of_a_pod_lets_the_probe_pass_on_to_the_first() -> None:
    """Which alone says that the fence is in force."""
    probe = next(policy.probe for policy in HERE.policies if policy.short == "grants")
    assert all(v["expression"].startswith(f"({probe.expression}) || ") for v in spec("grants")["validations"][1:])


def test_the_kinds_are_spelled_out_whole() -> None:
    named = [kind["metadata"]["name"] for kind in fence.member_kinds()]
    assert named == ["admissiongrants.domicile.dev", "hubclaims.domicile.dev"]
    for kind in fence.member_kinds():
        assert kind["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "domicile"}
        assert kind["spec"]["conversion"] == {"strategy": "None"}


def test_all_that_has_lawful_writers_is_looked_at() -> None:
    kinds = {kind for row in writers.writers(WHO) for kind in row.kinds}
    by_name = looked_at("writers", "CREATE")
    whole = {"serving.kserve.io": "*/*", **dict.fromkeys(writers.ROUTING_GROUPS, "*")}
    assert {kind for kind in kinds if kind.partition("/")[0] not in whole} <= by_name
    assert {f"{group}/{resources}" for group, resources in whole.items()} <= by_name


STARTS_A_CONTAINER = (
    "/pods", "/pods/ephemeralcontainers", "/replicationcontrollers", "apps/deployments", "apps/replicasets", "apps/statefulsets",
    "apps/daemonsets", "batch/jobs", "batch/cronjobs",
)  # fmt: skip


@pytest.mark.parametrize("kind", STARTS_A_CONTAINER)
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE"])
def test_all_that_starts_a_container_is_looked_at(kind: str, operation: str) -> None:
    assert kind in looked_at("writers", operation)


def test_all_ways_into_a_pod_are_looked_at() -> None:
    ways = {"/pods/attach", "/pods/exec", "/pods/portforward", "/pods/proxy", "/services/proxy"}
    assert looked_at("connect", "CONNECT") == ways


def test_the_labels_of_namespaces_are_looked_at_on_every_way() -> None:
    assert looked_at("namespaces", "UPDATE") == {"/namespaces", "/namespaces/finalize", "/namespaces/status"}


def test_the_rights_on_a_member_are_to_these_policies_alone() -> None:
    (changing,) = [
        rule
        for rule in rbac.rules()
        if "admissionregistration.k8s.io" in rule.get("apiGroups", []) and "patch" in rule["verbs"]
    ]
    assert changing["resourceNames"] == list(HERE.names)


def test_with_other_writers_it_is_another_fence_that_names_them_alone() -> None:
    there = fence.fence_of(OTHERS)
    assert there.digest != HERE.digest
    assert there.names == HERE.names
    text = str(there.manifests())
    for user in (OTHERS.hub, OTHERS.kserve, "system:kube-controller-manager", '"scheduler"', "group:kubelets"):
        assert user in text
    for user in (WHO.hub, WHO.kserve, "kube-system", "kube-scheduler", "system:nodes"):
        assert user not in text


def test_the_same_writers_give_the_same_fence() -> None:
    assert fence.fence_of(MemberIdentities()) == HERE


def test_a_probe_is_refused_by_its_own_policy_whoever_sends_it() -> None:
    names = [policy.probe.object_name for policy in HERE.policies]
    assert len(set(names)) == len(names)
    for policy in HERE.policies:
        first = spec(policy.short)["validations"][0]
        assert first["expression"] == f"!({policy.probe.expression})"
        assert first["messageExpression"] == f'"fence {HERE.digest} is in force"'
        (rule,) = [r for r in spec(policy.short)["matchConstraints"]["resourceRules"] if "resourceNames" in r]
        assert (rule["resources"], rule["resourceNames"]) == (["serviceaccounts"], [policy.probe.object_name])
        for condition in spec(policy.short).get("matchConditions", []):
            assert condition["expression"].startswith(f"({policy.probe.expression}) || ")


def test_a_probe_is_a_service_account_in_a_namespace() -> None:
    probe = HERE.policies[0].probe
    assert probe.manifest("bank") == {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "fence-probe-writers", "namespace": "bank"},
    }


SAID = "ValidatingAdmissionPolicy 'writers.fence.domicile.dev' with binding 'x' denied request: fence {} is in force"
ANSWERS = {
    "its own refusal": (SAID.format(HERE.digest), True),
    "that of an older fence": (SAID.format("0" * 16), False),
    "that of another policy": (SAID.format(HERE.digest).replace("writers", "connect"), False),
    "RBAC's": ('serviceaccounts is forbidden: User "x" cannot create resource "serviceaccounts"', False),
}


@pytest.mark.parametrize(("message", "shows"), ANSWERS.values(), ids=ANSWERS.keys())
def test_what_shows_that_it_is_in_force(message: str, shows: bool) -> None:
    assert HERE.policies[0].probe.shown_by(message, HERE.digest) is shows


def test_a_managed_namespace_binds_the_fence_and_pod_security() -> None:
    labels = fence.namespace("bank")["metadata"]["labels"]
    assert fence.is_managed(labels)
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert not fence.is_managed({**labels, "domicile.dev/managed": "false"})
    assert not fence.is_managed({})
    assert HERE.namespace()["metadata"]["name"] == "domicile-fence"
