"""Where worker nodes stood, as the law that was recorded with a decision attests it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from domicile.api import ClusterAttestation
from domicile.audit import Record, Values, questions
from domicile.residency import MemberId, facts

UNKNOWN: Final = "Unknown"
"""Where nobody vouched for, or those who did contradict each other."""


class Attested:
    """Asks the attestations of recorded laws. Those of one law are read once."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._laws: dict[str, dict[str, list[ClusterAttestation]]] = {}

    def places(self, record: Record, name: str, uid: str, pool: str = "") -> tuple[str, ...]:
        """Jurisdictions of the worker nodes of a cluster, or of a pool of them, when that was decided."""
        found = self._sites(record, name, uid)
        return _said([site for site in found if pool and site.pool == pool] or found)

    def chosen(self, record: Record, name: str, uid: str) -> tuple[str, ...]:
        """The same, of the pool that the decision chose there, where the cluster has pools."""
        choice: Mapping[str, Any] = record.body["choice"] or {"chosen": ()}
        on = {item for each in choice["chosen"] if each["cluster"] == name for item in each["nodeSelector"].items()}
        found = self._sites(record, name, uid)
        return _said([site for site in found if site.node_selector and set(site.node_selector) <= on] or found)

    def _sites(self, record: Record, name: str, uid: str) -> Sequence[facts.Site]:
        about = self._of(record.body["seen"]["law"]).get(uid, ())
        return facts.sites(MemberId(name, uid), about, datetime.fromisoformat(record.body["decided"])).sites

    def _of(self, law: str) -> Mapping[str, Sequence[ClusterAttestation]]:
        """By UID of the cluster that they are for."""
        if law not in self._laws:
            found: dict[str, list[ClusterAttestation]] = {}
            for each in questions.law_of(law, "attestations", self._values).values():
                attestation = ClusterAttestation.model_validate(each)
                found.setdefault(attestation.spec.cluster_ref.uid, []).append(attestation)
            self._laws[law] = found
        return self._laws[law]


def _said(sites: Sequence[facts.Site]) -> tuple[str, ...]:
    known = [site.facts.places["workers"] for site in sites]
    return tuple(sorted({fact.jurisdiction if isinstance(fact, facts.Known) else UNKNOWN for fact in known}))
