"""Which details are kept in which region: nodes of a member and what runs on them go where its worker nodes are attested to stand. Pure."""

from collections.abc import Collection, Mapping

from domicile.api import ClusterAttestation
from domicile.residency import Law


def homes_of(law: Law, regions: Collection[str]) -> Mapping[str, str]:
    """Of each member, by its UID, the region that keeps its details. Members that are in none of them, or in several countries, or that nobody
    vouches for, are left out: the log itself has them. An attestation that has ended still tells where its nodes stood."""
    said: dict[str, set[str]] = {}
    for each in law.attestations:
        said.setdefault(each.spec.cluster_ref.uid, set()).update(_countries(each))
    return {uid: next(iter(found)) for uid, found in said.items() if len(found) == 1 and found <= set(regions)}


def _countries(attestation: ClusterAttestation) -> set[str]:
    facts = attestation.spec.facts
    places = [facts.workers, *(pool.workers for pool in facts.node_pools)]
    return {place.jurisdiction.partition("-")[0] for place in places if place is not None}
