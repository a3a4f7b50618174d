"""Members of a real fleet as `domicile cluster join` would register them: by an identity that has Domicile's rights and no more."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import builders
from domicile import kube, localfleet, residency, serving
from domicile.fleet import Fleet, rbac, terms
from domicile.placement import ClusterView, Connected, OutOfSight
from fleet import audit
from waiting import eventually

hub: localfleet.Cluster | None = None
"""The session's, set with its fleet: a member is one hub's."""
NAMESPACE = "domicile-system"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/domicile-operator"
CLAIM = "/apis/domicile.dev/v1alpha1/hubclaims/domicile"
USER = audit.OPERATOR
"""The fence of members lets no other one write."""
TERMS = "domicile.dev/terms"
PINNED = "registry.example/models/iris@sha256:" + "ab" * 32
_UNTIL = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
"""One moment for all: another end is another grant, and a write."""
SERVER = "registry.example/serving/softmax@sha256:" + "cd" * 32


def grant(region: localfleet.Region, user: str = USER) -> str:
    """Give `user` the rights of a joined hub; its kubeconfig."""
    role = rbac.cluster_role()
    name = f"test:{user}"
    role["metadata"] = {"name": name}
    region.api().apply(role)
    region.api().apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
        }
    )
    return region.kubeconfig_for(user).read_text()


def identity(region: localfleet.Region) -> residency.MemberId:
    return residency.MemberId(region.name, region.kube_system_uid)


class Office:
    """Speaks for the process that leads, as the hub's lease has it: operators of other tests have claimed the members. Where none has led
    yet, it begins the first term."""

    def __init__(self) -> None:
        assert hub is not None
        self.hub = hub.kube_system_uid
        self.head = ""
        """Of its evidence."""
        self.kept: list[tuple[str, str]] = []
        """What members keep of it, as it was told."""
        api = hub.api()
        lease = api.find(LEASE)
        if lease is None:
            api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
            metadata = {"name": "domicile-operator", "namespace": NAMESPACE, "annotations": {TERMS: "0/tests"}}
            lease = api.create(
                {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": {}}
            )
        kept = terms.parse(lease["metadata"]["annotations"][TERMS])
        assert kept is not None
        self.terms = kept

    async def begin_after(self, epoch: int) -> None:
        raise AssertionError("nobody confirmed anything")

    def evidence_head(self) -> str:
        return self.head

    def evidence_kept(self, member: str, note: str) -> None:
        self.kept.append((member, note))


class Members:
    """A fleet under test, and what it told."""

    def __init__(self) -> None:
        self.changes: list[tuple[str, tuple[str, str] | None]] = []
        self.office = Office()
        self.fleet = Fleet(lambda name, model: self.changes.append((name, model)), office=self.office)

    def join(self, region: localfleet.Region, kubeconfig: str | None = None, uid: str | None = None) -> None:
        self.fleet.set_member(region.name, uid or region.kube_system_uid, kubeconfig or grant(region))

    def view(self, name: str = "sg") -> ClusterView:
        found = self.fleet.view(name)
        assert found is not None
        return found

    async def connected(self, name: str = "sg", within: float = 15) -> ClusterView:
        await eventually(
            lambda: isinstance(self.view(name).connection, Connected), within=within, show=lambda: self.view(name)
        )
        return self.view(name)

    async def out_of_sight(self, reason: str, name: str = "sg", within: float = 15) -> OutOfSight:
        def look() -> OutOfSight | None:
            sight = self.view(name).connection
            return sight if isinstance(sight, OutOfSight) and sight.reason == reason else None

        return await eventually(look, within=within, show=lambda: self.view(name).connection)

    async def place(
        self, region: localfleet.Region, workload: serving.Workload, until: datetime | None = None
    ) -> tuple[str, ...]:
        lawful = residency.Lawful(identity(region), ("p",), ("a",), until or _UNTIL)
        permit = residency.permit(
            workload.model, lawful, builders.grounds(artifacts=workload.artifacts, network=workload.network)
        )
        return (await self.fleet.place(permit, workload, datetime.now(UTC))).written


@asynccontextmanager
async def members() -> AsyncIterator[Members]:
    made = Members()
    try:
        yield made
    finally:
        await made.fleet.close()


def workload(
    namespace: str, name: str = "scorer", selector: Mapping[str, str] | None = None, **spec: Any
) -> serving.Workload:
    """A model that any cluster can run; kwok's nodes run every image."""
    return serving.workload(
        builders.model(
            name,
            namespace,
            modelFormat={"name": "softmax-json"},
            storageUri=f"oci://{PINNED}",
            **{"runtime": {"image": SERVER}, **spec},
        ),
        selector or {},
    )


def audited(region: localfleet.Region, user: str, after: int = 0) -> list[dict[str, Any]]:
    """What the API server wrote down of a user, from an offset of its audit log on."""
    return audit.entries(region.audit_log, since=after, user=user)


def writes(region: localfleet.Region, user: str = USER, after: int = 0) -> list[str]:
    """Verb and object of each write."""
    return [f"{w.verb} {w.resource}/{w.name}" for w in audit.writes(region.audit_log, since=after, user=user)]


def intruder(region: localfleet.Region, user: str = USER, *groups: str) -> localfleet.ApiClient:
    """A member, for somebody with all rights and an identity that the fence lets through: by default Domicile's own."""
    return region.api_as(user, ["system:masters", *groups], audit.INTRUDER)


def mark(region: localfleet.Region) -> str:
    """Of the term in which a member is claimed: what is granted there bears it."""
    return "{hub}/{epoch}/{token}".format(**region.api().get(CLAIM)["spec"])


def in_namespace(name: str) -> dict[str, Any]:
    """As a peer in a NetworkPolicy."""
    unmanaged = {"key": "domicile.dev/managed", "operator": "NotIn", "values": ["true"]}
    named = {"kubernetes.io/metadata.name": name}
    return {"namespaceSelector": {"matchExpressions": [unmanaged], "matchLabels": named}}


def client(text: str) -> kube.KubeClient:
    return kube.KubeClient(kube.from_secret(text))
