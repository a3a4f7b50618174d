"""What each role of the chart can do to each kind, as the API server answers: all of it, and nothing more."""

import pytest

from chart.conftest import OPERATOR, Hub
from chart.objects import SHARED_NAMESPACE

pytestmark = pytest.mark.fleet

MODELS, CLUSTERS, EXCEPTIONS = "sovereignmodels", "regionalclusters", "residencyexceptions"
GOVERNED = (
    "residencypolicies",
    "clusterattestations",
    "residencyrecords",
    EXCEPTIONS,
    "dataclassifications",
    "jurisdictiongroups",
)
KINDS = (MODELS, *GOVERNED, CLUSTERS)
STATUSES = (f"{MODELS}/status", "residencypolicies/status", f"{CLUSTERS}/status")

READ = ("get", "list", "watch")
CHANGE = ("update", "patch")
WRITE = ("create", *CHANGE, "delete")
MANY = "deletecollection"
VERBS = (*READ, *WRITE, MANY, "approve", "declassify")

Rights = dict[str, set[str]]


def rights(of: tuple[str, ...], *verbs: str) -> Rights:
    return {each: set(verbs) for each in of}


# Who they are, and all that they may do.
ROLES: dict[str, tuple[str, str, Rights]] = {
    "domicile-ai-team": ("ali", "team", {MODELS: {*READ, *WRITE, MANY}}),
    "domicile-view": ("vic", "view", rights(KINDS, *READ)),
    "domicile-governance": ("gil", "governance", {**rights(KINDS, *READ), **rights(GOVERNED, *READ, *WRITE)}),
    "domicile-approver": ("ana", "approver", {EXCEPTIONS: {*READ, *CHANGE, "approve"}}),
    "domicile-declassifier": ("dora", "declassifier", {MODELS: {*READ, *CHANGE, "declassify"}}),
    "domicile-platform": ("pia", "platform", {**rights(KINDS, *READ), CLUSTERS: {*READ, *WRITE}}),
    "the operator": (
        OPERATOR,
        "system:serviceaccounts",
        {**rights(KINDS, *READ), MODELS: {*READ, "patch"}, **rights(STATUSES, "patch")},
    ),
    "Kubernetes' own admin, everywhere": (
        "abe",
        "namespace-admins",
        {**rights(KINDS, *READ), MODELS: {*READ, *WRITE, MANY}},
    ),
    "nobody in particular": ("eve", "system:authenticated", {}),
}


@pytest.mark.parametrize(("user", "group", "expected"), ROLES.values(), ids=ROLES.keys())
def test_a_role_can_do_this_and_nothing_more(hub: Hub, user: str, group: str, expected: Rights) -> None:
    found = {each: {verb for verb in VERBS if allowed(hub, user, group, verb, each)} for each in (*KINDS, *STATUSES)}
    assert {each: verbs for each, verbs in found.items() if verbs} == expected


def allowed(hub: Hub, user: str, group: str, verb: str, resource: str) -> bool:
    name, _, subresource = resource.partition("/")
    namespace = SHARED_NAMESPACE if name == MODELS else ""
    attributes = {"group": "domicile.dev", "resource": name, "subresource": subresource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": [group, "system:authenticated"],
            "resourceAttributes": {**attributes, "namespace": namespace},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return hub.root.api.request("POST", path, review)["status"]["allowed"]
