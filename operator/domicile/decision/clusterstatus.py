"""The status of a RegionalCluster, from what the hub sees of the member."""

from datetime import datetime
from itertools import groupby

from domicile.api import Accelerator, RegionalCluster, RegionalClusterStatus
from domicile.decision.conditions import Claim, settled, summary
from domicile.placement.view import AcceleratorNode, ClusterView, FenceDown, OutOfSight, ServingMissing
from domicile.residency import Law, facts

_VOLATILE = frozenset({"Unreachable"})
"""Reasons whose message differs from one attempt to the next. The first one stands, so that a dead member costs one write."""


_SUMMARY_LIMIT = 4096
"""What the field takes. Products are named by the member."""


def cluster_status(cluster: RegionalCluster, view: ClusterView, law: Law, now: datetime) -> RegionalClusterStatus:
    """What to report of a member. While it is out of sight, what was last known of it stays."""
    before = cluster.status or RegionalClusterStatus()
    parts = _reachable(view), _fenced(view), _serving(view)
    claims = tuple(_steadied(claim, before) for claim in (summary(parts), *parts, _facts(view, law, now)))
    generation = cluster.metadata.generation
    conditions = settled(claims, before.conditions, generation, now)
    if isinstance(view.connection, OutOfSight):
        return before.model_copy(update={"observed_generation": generation, "conditions": conditions})
    inventory = _inventory(view.accelerators)
    return RegionalClusterStatus(
        observed_generation=generation,
        kubernetes_version=view.connection.kubernetes_version,
        kserve_version="" if isinstance(view.serving, ServingMissing) else view.serving.version,
        accelerators=inventory,
        accelerator_summary=", ".join(f"{each.allocatable}x {each.product}" for each in inventory)[:_SUMMARY_LIMIT],
        conditions=conditions,
    )


def look_again(view: ClusterView, law: Law, now: datetime) -> datetime | None:
    """When time alone may change what is told of the member: an attestation of it begins or ends."""
    return facts.sites(view.member, law.attestations, now, view.reported).until


def _reachable(view: ClusterView) -> Claim:
    if isinstance(view.connection, OutOfSight):
        status = "Unknown" if view.connection.reason == "Connecting" else "False"
        return Claim("Reachable", status, view.connection.reason, view.connection.message)
    return Claim("Reachable", "True", "Connected", "the member answers and is who it must be")


def _fenced(view: ClusterView) -> Claim:
    if isinstance(view.connection, OutOfSight):
        return _unseen("FenceInForce")
    if isinstance(view.fence, FenceDown):
        return Claim("FenceInForce", "False", view.fence.reason, view.fence.message)
    message = f"the member refused what fence {view.fence.digest} refuses"
    return Claim("FenceInForce", "True", "FenceShown", message)


def _serving(view: ClusterView) -> Claim:
    if isinstance(view.connection, OutOfSight):
        return _unseen("ServingAvailable")
    if isinstance(view.serving, ServingMissing):
        return Claim("ServingAvailable", "False", "KServeMissing", view.serving.message)
    return Claim("ServingAvailable", "True", "KServeFound", "InferenceServices are served")


def _facts(view: ClusterView, law: Law, now: datetime) -> Claim:
    """Whether what the nodes say of themselves can be, if what was attested is right."""
    if isinstance(view.connection, OutOfSight):
        return _unseen("FactsConsistent")
    found = facts.sites(view.member, law.attestations, now, view.reported).sites[0].facts
    if found.contradictions:
        message = f"{'; '.join(found.contradictions)}, and that contradicts what was attested: find out which is right"
        return Claim("FactsConsistent", "False", "NodesContradictAttestation", message)
    if not found.attestations:
        return Claim(
            "FactsConsistent", "Unknown", "NothingAttested", "no ClusterAttestation is in force for this cluster"
        )
    return Claim("FactsConsistent", "True", "Consistent", "the nodes say nothing that contradicts what was attested")


def _unseen(kind: str) -> Claim:
    return Claim(kind, "Unknown", "OutOfSight", "the member cannot be seen")


def _steadied(claim: Claim, before: RegionalClusterStatus) -> Claim:
    for condition in before.conditions:
        same = (condition.type, condition.status, condition.reason) == (claim.type, claim.status, claim.reason)
        if same and claim.reason in _VOLATILE:
            return Claim(claim.type, claim.status, claim.reason, condition.message)
    return claim


def _inventory(nodes: tuple[AcceleratorNode, ...]) -> tuple[Accelerator, ...]:
    by_product = groupby(sorted(nodes, key=lambda node: node.product), key=lambda node: node.product)
    return tuple(_accelerator(product, tuple(group)) for product, group in by_product)


def _accelerator(product: str, nodes: tuple[AcceleratorNode, ...]) -> Accelerator:
    known = [node.memory_mib for node in nodes if node.memory_mib is not None]
    return Accelerator(
        product=product,
        # The least of them: what every node of the product has.
        memory=f"{min(known)}Mi" if len(known) == len(nodes) else "",
        nodes=len(nodes),
        allocatable=sum(node.allocatable for node in nodes),
    )
