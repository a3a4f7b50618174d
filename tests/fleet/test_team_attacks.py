"""What an AI team may not do on the hub, with the rights that the chart gives it: each refused, and by whom, the operator stopped."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from domicile.localfleet import ApiClient
from fleet.attacks import JSON, MERGE
from fleet.people import people
from fleet.world import HUB_STANDS_IN, NAMESPACE, OperatorProcess, World, attestation, policy

DOMICILE = "/apis/domicile.dev/v1alpha1"
MODEL = f"{DOMICILE}/namespaces/<NS>/sovereignmodels/scorer"
IMAGE = "registry.example/serving/softmax"
UID = "11111111-1111-1111-1111-111111111111"
RBAC, GUARD, DECLASSIFIED, SCHEMA = "cannot ", "domicile-guard'", "domicile-guard-declassified'", "is invalid"
"""Who refuses, as the answer says it: the roles, one of the hub's admission policies, or the kind's own schema."""


@dataclass(frozen=True)
class Attempt:
    """One request of the team's."""

    method: str
    path: str
    body: Mapping[str, Any] | None
    refused_by: str
    says: str = ""


def change(body: Mapping[str, Any], refused_by: str, says: str = "", path: str = MODEL) -> Attempt:
    return Attempt("PATCH", path, body, refused_by, says)


def make(plural: str, body: Mapping[str, Any]) -> Attempt:
    return Attempt("POST", f"{DOMICILE}/{plural}", body, RBAC, f'cannot create resource "{plural}"')


def named(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": "theirs"}, "spec": spec}


ATTEMPTS: Mapping[str, Attempt] = {
    "letting go of its own model while copies run": change(
        {"metadata": {"finalizers": []}}, GUARD, "can be removed by the operator alone"
    ),
    "saying that somebody else asked for it": change(
        {"metadata": {"annotations": {"domicile.dev/requested-by": "gil"}}}, GUARD, "cannot be changed or removed"
    ),
    "dropping a data class": change(
        {"spec": {"dataClasses": ["public.figures"]}}, DECLASSIFIED, "may not drop a data class"
    ),
    "dropping one, with a reason": change(
        {
            "metadata": {"annotations": {"domicile.dev/declassified-because": "it is not sensitive any more"}},
            "spec": {"dataClasses": ["public.figures"]},
        },
        DECLASSIFIED,
        "may not drop a data class",
    ),
    "saying where it runs": change(
        {"status": {"placedOn": "de"}}, RBAC, "sovereignmodels/status", path=f"{MODEL}/status"
    ),
    "an image by its tag": change({"spec": {"runtime": {"image": f"{IMAGE}:latest"}}}, SCHEMA, "pinned by digest"),
    "a model by its tag": change({"spec": {"storageUri": "oci://registry.example/models/iris:latest"}}, SCHEMA),
    "a model from a bucket": change(
        {"spec": {"storageUri": "s3://models/iris"}}, SCHEMA, "other schemes have no digest"
    ),
    "an argument that is made on the member": change(
        {"spec": {"runtime": {"args": ['{{ index .Annotations "a" }}']}}}, SCHEMA, "no template but"
    ),
    "no data class": change({"spec": {"dataClasses": []}}, SCHEMA),
    "a model in the namespace of others": Attempt(
        "POST",
        f"{DOMICILE}/namespaces/default/sovereignmodels",
        {"apiVersion": "domicile.dev/v1alpha1", "kind": "SovereignModel", "metadata": {"name": "x"}, "spec": {}},
        RBAC,
        'in the namespace "default"',
    ),
    "a policy of its own": make("residencypolicies", policy("theirs", "theirs", "DE")),
    "vouching for a cluster": make("clusterattestations", attestation("sg", UID, "DE")),
    "a cluster of its own": make(
        "regionalclusters", named("RegionalCluster", {"clusterUID": UID, "kubeconfigSecretRef": {"name": "mine"}})
    ),
    "a group of countries": make("jurisdictiongroups", named("JurisdictionGroup", {"members": ["SG"]})),
    "a lower floor": make("dataclassifications", named("DataClassification", {})),
    "an exception for itself": make("residencyexceptions", named("ResidencyException", {})),
    "a record": make("residencyrecords", named("ResidencyRecord", {})),
    "another policy's text": change(
        {"spec": {"allow": {"hub": [HUB_STANDS_IN]}}}, RBAC, path=f"{DOMICILE}/residencypolicies/<NS>"
    ),
    "a label of its namespace, by which policies are chosen": change(
        {"metadata": {"labels": {"unit": "other"}}}, RBAC, path="/api/v1/namespaces/<NS>"
    ),
    "the kubeconfig of a cluster": Attempt(
        "GET", f"/api/v1/namespaces/{NAMESPACE}/secrets/sg-kubeconfig", None, RBAC, "secrets"
    ),
    "the operator's own identity": Attempt(
        "POST",
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/domicile/token",
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        RBAC,
        "serviceaccounts/token",
    ),
    "the lease of the operator": change(
        {"spec": {"holderIdentity": "me"}},
        RBAC,
        path=f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/domicile-operator",
    ),
    "the policy that guards its models": Attempt(
        "DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/domicile-guard", None, RBAC
    ),
    "the kind of its models": Attempt(
        "DELETE",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/sovereignmodels.domicile.dev",
        None,
        RBAC,
    ),
}


@pytest.fixture(scope="module")
def bank(world: World, _shared_operator: OperatorProcess) -> Iterator[str]:
    """The namespace of a model that serves; the operator is stopped, so that nothing is put right behind the team's back."""
    with world.a_model_in_singapore("team", _shared_operator) as name:
        people(world, name)
        _shared_operator.stop()
        yield name


@pytest.fixture(scope="module")
def team(world: World) -> ApiClient:
    return world.fleet.hub.api_as("ana", ["team"])


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_refused_to_the_team(attempt: Attempt, bank: str, team: ApiClient) -> None:
    # What is not refused must not do harm.
    path = attempt.path.replace("<NS>", bank) + ("" if attempt.method == "GET" else "?dryRun=All")
    body = json.dumps(attempt.body).encode() if attempt.body is not None else None
    status, content = team.raw(attempt.method, path, body, MERGE if attempt.method == "PATCH" else JSON)
    said = json.loads(content)["message"]
    assert status in (403, 422), said
    assert attempt.refused_by in said
    assert attempt.says in said


def test_what_the_team_is_there_for_works(bank: str, team: ApiClient) -> None:
    path = f"{MODEL.replace('<NS>', bank)}?dryRun=All"
    for change_ in ({"spec": {"dataClasses": ["customer.pii", "health.record"]}}, {"spec": {"replicas": {"min": 2}}}):
        status, content = team.raw("PATCH", path, json.dumps(change_).encode(), MERGE)
        assert status == 200, content
