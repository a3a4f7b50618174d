"""The policies of the fence, one a question: who writes, who connects, whose the namespace is, and what Domicile itself may do."""

from collections.abc import Iterable, Iterator
from typing import Final

from domicile.api import CLAIM, GROUP, WAYS, AdmissionGrant, HubClaim, MemberIdentities
from domicile.fence import cel
from domicile.fence.isolation import ISOLATION
from domicile.fence.pods import MODEL
from domicile.fence.policy import Params, Policy, Rule, Validation
from domicile.fence.writers import KEPT, KSERVE_GROUP, NOBODYS, OWNERS, ROUTING_GROUPS, removers, writers

_WRITE: Final = ("CREATE", "UPDATE")
_DELETED: Final = (*KEPT, *OWNERS, "/pods")


def writers_policy(who: MemberIdentities) -> Policy:
    """Only the right creators."""
    table = {kind: row.users for row in writers(who) for kind in row.kinds}
    whole = (KSERVE_GROUP, *ROUTING_GROUPS)
    kinds = [each for each in (*table, *NOBODYS, "/secrets") if each.partition("/")[0] not in whole]
    rules = (
        # KServe serves more kinds than Domicile uses, and makes containers of them.
        Rule((KSERVE_GROUP,), ("*/*",), _WRITE, "Namespaced"),
        *_rules(kinds, _WRITE),
        # Whatever leads requests to the Service of a model, from wherever.
        Rule(ROUTING_GROUPS, ("*",), _WRITE, "Namespaced"),
        *_rules(_DELETED, ("DELETE",)),
    )
    return Policy(
        short="writers",
        about="In managed namespaces, refuses what is not written by who writes it lawfully.",
        rules=rules,
        variables={
            "kind": cel.KEY,
            "enders": f"{cel.by(who.controller('pod-garbage-collector'))}"
            f" || request.userInfo.?groups.orValue([]).exists(g, g == {cel.string(who.nodes)})",
            # The API server itself makes the period 0 for a pod that has no node, or that has ended.
            "ended": "oldObject.spec.?nodeName.orValue('') == ''"
            " || oldObject.?status.?phase.orValue('') in ['Succeeded', 'Failed']",
            "shown": "variables.kind.startsWith('/') ? variables.kind.substring(1) : variables.kind",
            "writers": f"{cel.table(table)}[?variables.kind].orValue([])",
            # A user may be named like a group.
            "lawful": "(!request.userInfo.username.startsWith('group:') && request.userInfo.username in variables.writers)"
            " || request.userInfo.?groups.orValue([]).exists(g, ('group:' + g) in variables.writers)",
        },
        validations=(
            Validation(
                f"request.operation == 'DELETE' || variables.lawful || {_harmless(who)}",
                "request.userInfo.username + ' may not ' + request.operation.lowerAscii() + ' ' + variables.shown +"
                " ' in a namespace of Domicile'"
                " + (variables.writers.size() == 0 ? ': nobody may' : ': ' + variables.writers.join(', ') + ' may')",
            ),
            Validation(
                f"request.operation != 'DELETE' || !(variables.kind in {cel.strings(KEPT)})"
                f" || request.userInfo.username in {cel.strings(removers(who))}",
                "request.userInfo.username + ' may not delete ' + variables.shown + ' in a namespace of Domicile'",
            ),
            Validation(
                f"request.operation != 'DELETE' || !(variables.kind in {cel.strings(OWNERS)})"
                " || (request.?options.?propagationPolicy.orValue('') != 'Orphan'"
                " && !request.?options.?orphanDependents.orValue(false))",
                "'what runs in a namespace of Domicile must not be left without an owner: delete it without orphaning'",
            ),
            Validation(
                "request.operation != 'DELETE' || variables.kind != '/pods' || variables.enders || variables.ended"
                " || request.?options.?gracePeriodSeconds.orValue(1) != 0",
                "'a pod in a namespace of Domicile must not be forgotten while it may still run: delete it with a grace period'",
            ),
        ),
        in_managed_namespaces=True,
        conditions={},
    )


def _harmless(who: MemberIdentities) -> str:
    """What changes nothing that the fence is about, by whom RBAC allows it."""
    by_kserve = f"request.resource.group == {cel.string(KSERVE_GROUP)} && {cel.by(who.kserve)}"
    by_gc = cel.by(who.controller("generic-garbage-collector"))
    same_owners = " == ".join(
        f"{each}.metadata.?ownerReferences.orValue([]).map(o, o.uid)" for each in ("object", "oldObject")
    )
    own = "['domicile.dev/workload'].all(a, object.metadata.?annotations[?a] == oldObject.metadata.?annotations[?a])"
    going, a_pod = "has(oldObject.metadata.deletionTimestamp)", "variables.kind in ['/pods', '/pods/status']"
    updates = (
        # Nothing: whoever moves objects to another form of storage writes them as they are.
        f"{cel.CONTENT} && {cel.same('labels', 'annotations', 'ownerReferences', 'finalizers')}",
        # What goes may go: finalizers are taken off, and no more than that.
        f"{going} && {cel.CONTENT} && {cel.same('labels', 'annotations', 'ownerReferences')}",
        # The garbage collector lets an owner go first, where both wait for each other.
        f"{by_gc} && {cel.CONTENT} && {cel.same('labels', 'annotations', 'finalizers')} && {same_owners}",
        # Networks write annotations on pods, some of them by the way of the status.
        f"{a_pod} && {cel.CONTENT} && {cel.same('labels', 'ownerReferences', 'finalizers')} && {own}",
        # KServe puts its finalizer on what it looks after.
        f"{by_kserve} && object.?spec == oldObject.?spec && {cel.same('labels')}",
    )
    # A Secret of that type would be filled with a token of a model's identity.
    of_another_type = (
        "variables.kind == '/secrets' && object.?type.orValue('') != 'kubernetes.io/service-account-token'"
    )
    anyone = " || ".join(f"({each})" for each in updates)
    return f"({of_another_type}) || (request.operation == 'UPDATE' && ({anyone}))"


def connect_policy() -> Policy:
    """Nobody gets into a running model, but whom an exception names."""
    message = (
        f"request.userInfo.username + ' may not connect to ' + request.resource.resource + '/' + {cel.SUBRESOURCE}"
        " + ' in namespace ' + request.namespace + ', which is Domicile\\'s'"
    )
    return Policy(
        short="connect",
        about="In managed namespaces, refuses exec, attach, port-forward and the proxy to whom the claim of the hub does not name.",
        rules=(Rule(("",), (*(f"pods/{way}" for way in WAYS), "services/proxy"), ("CONNECT",), "Namespaced"),),
        variables={},
        validations=(
            Validation(
                "request.operation != 'CONNECT' || params.spec.?connections.orValue([]).exists(c,"
                f" c.user == request.userInfo.username && request.namespace in c.namespaces && {cel.SUBRESOURCE} in c.ways)",
                message,
            ),
        ),
        in_managed_namespaces=True,
        conditions={},
        params=Params(HubClaim.info.kind, CLAIM),
    )


def namespaces_policy(who: MemberIdentities) -> Policy:
    """The labels that bind the fence are Domicile's to change."""
    is_managed, was_managed = cel.managed("object"), cel.managed("oldObject")
    return Policy(
        short="namespaces",
        about="Refuses that anybody but Domicile makes a managed namespace, or changes the labels of one.",
        rules=(Rule(("",), ("namespaces", "namespaces/finalize", "namespaces/status"), _WRITE, "Cluster"),),
        variables={},
        validations=(
            Validation(
                f"{cel.by(who.hub)} || (request.operation == 'UPDATE' && {cel.same('labels')})",
                f"request.userInfo.username + ' may not make a namespace of Domicile, nor change its labels: only {who.hub} may'",
            ),
        ),
        in_managed_namespaces=False,
        conditions={"managed": f"({is_managed}) || (request.operation == 'UPDATE' && {was_managed})"},
    )


def hub_policy(who: MemberIdentities) -> Policy:
    """Domicile's own identity, stolen or misled, makes nothing outside managed namespaces. It may delete: a workload can be
    withdrawn whatever became of the namespace's label. Of NetworkPolicies, those alone that are no namespace's own: others have
    theirs, which without it would let everything through."""
    is_managed, was_managed = cel.managed("object"), cel.managed("oldObject")
    return Policy(
        short="hub",
        about="Refuses what Domicile's own identity would write outside managed namespaces.",
        rules=(
            Rule(("",), ("serviceaccounts", "serviceaccounts/*"), _WRITE, "Namespaced"),
            Rule((KSERVE_GROUP,), ("*/*",), _WRITE, "*"),
            Rule((GROUP,), (AdmissionGrant.info.plural,), _WRITE, "Namespaced"),
            Rule(("",), ("resourcequotas",), _WRITE, "Namespaced"),
            Rule(("networking.k8s.io",), ("networkpolicies",), (*_WRITE, "DELETE"), "Namespaced"),
            Rule(("",), ("namespaces",), _WRITE, "Cluster"),
        ),
        variables={
            "managed": "request.resource.resource == 'namespaces'"
            f" ? (request.operation == 'CREATE' ? ({is_managed}) : ({was_managed}) && ({is_managed}))"
            f" : namespaceObject != null && ({cel.managed('namespaceObject')})",
            "ofAModel": "request.operation == 'DELETE' && request.name != " + cel.string(ISOLATION),
            "labelled": f"request.operation == 'DELETE' && oldObject.metadata.?labels[?{cel.string(MODEL)}].orValue('') == request.name",
        },
        validations=(
            Validation(
                "request.operation == 'DELETE' || variables.managed",
                f"'{who.hub} writes in namespaces of Domicile alone'",
            ),
            Validation(
                "request.operation != 'DELETE' || (variables.ofAModel && (variables.managed || variables.labelled))",
                f"'{who.hub} deletes NetworkPolicies of models alone'",
            ),
        ),
        in_managed_namespaces=False,
        conditions={"whose": cel.by(who.hub)},
    )


def _rules(kinds: Iterable[str], operations: tuple[str, ...]) -> Iterator[Rule]:
    """A rule a group, by group and resource."""
    by_group: dict[str, list[str]] = {}
    for kind in sorted(kinds):
        group, _, resource = kind.partition("/")
        by_group.setdefault(group, []).append(resource)
    for group, resources in by_group.items():
        yield Rule((group,), tuple(resources), operations, "Namespaced")
