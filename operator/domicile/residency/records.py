"""Which ResidencyRecord covers a model on a cluster, where a rule asks for one."""

from collections.abc import Iterable
from datetime import datetime

from domicile.api import ResidencyRecord, Rule
from domicile.api.jurisdiction import within
from domicile.api.residencyexception import APPROVED_BY
from domicile.residency import validity


def in_force(records: Iterable[ResidencyRecord], now: datetime) -> tuple[ResidencyRecord, ...]:
    """Records that hold at the moment and that somebody approved. By name."""
    return tuple(sorted(validity.in_force(filter(approved, records), now), key=lambda record: record.metadata.name))


def approved(record: ResidencyRecord) -> bool:
    """Whether somebody approved it, as the API server stamped."""
    return record.metadata.annotations.get(APPROVED_BY, "") != ""


def for_model(
    records: Iterable[ResidencyRecord], rule: Rule, namespace: str, data_classes: Iterable[str]
) -> tuple[ResidencyRecord, ...]:
    """Those of the kind that the rule asks for, for a model with these data classes in this namespace."""
    return tuple(record for record in records if _is_for(record, rule, namespace, frozenset(data_classes)))


def covering(records: Iterable[ResidencyRecord], cluster: str, workers: str) -> ResidencyRecord | None:
    """The record that covers the cluster and holds longest; of several, the first by name. `workers` is where its worker
    nodes are; empty where that is not known, which no record covers."""
    return validity.longest(record for record in records if _covers(record, cluster, workers))


def _is_for(record: ResidencyRecord, rule: Rule, namespace: str, data_classes: frozenset[str]) -> bool:
    spec = record.spec
    return (
        spec.record == rule.record
        and (not rule.transfer_bases or spec.transfer_basis in rule.transfer_bases)
        and namespace in spec.scope.namespaces
        and (not spec.scope.data_classes or data_classes <= set(spec.scope.data_classes))
    )


def _covers(record: ResidencyRecord, cluster: str, workers: str) -> bool:
    spec = record.spec
    return (
        workers != ""
        and (not spec.scope.clusters or cluster in spec.scope.clusters)
        and any(within(workers, country) for country in spec.countries)
    )
