"""Lawfulness a second time, naive and slow, written from docs/residency.md alone. It shares no code with domicile.residency.

What it takes are the kinds of domicile.api and plain attributes of the question. Expressions are not evaluated: it knows a
fixed set of CEL texts and, for each, what it means in Python.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

MET, UNMET, UNKNOWN = "met", "unmet", "unknown"
DIMENSIONS: Final = ("workers", "control_plane", "operator", "operator_parent", "key_store", "telemetry")
SPELLED: Final = {
    "workers": "workers",
    "control_plane": "controlPlane",
    "operator": "operator",
    "operator_parent": "operatorParent",
    "key_store": "keyStore",
    "telemetry": "telemetry",
}


@dataclass(frozen=True)
class Seen:
    """What an expression may speak of."""

    cluster: dict[str, Any]
    hub: dict[str, Any]
    model: dict[str, Any]
    policy: str
    now: datetime


Meaning = Callable[[Seen], bool]
"""What an expression means. What it raises is an expression that fails."""


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _divides(by: int) -> bool:
    return 1 // by == 1


GROWING: Final[dict[str, Meaning]] = {
    # What is known more can make these true and not false.
    "true": lambda s: True,
    "cluster.certifications.exists(c, c.name == 'SS584' && c.level >= 3)": lambda s: any(
        c["name"] == "SS584" and c["level"] >= 3 for c in s.cluster["certifications"]
    ),
    "cluster.contracts.exists(c, c.kind == 'Outsourcing')": lambda s: any(
        c["kind"] == "Outsourcing" for c in s.cluster["contracts"]
    ),
    "cluster.registries.exists(r, r.jurisdiction == 'SG')": lambda s: any(
        r["jurisdiction"] == "SG" for r in s.cluster["registries"]
    ),
    "cluster.workers.jurisdiction.startsWith('MY')": lambda s: s.cluster["workers"]["jurisdiction"].startswith("MY"),
    "has(cluster.keyStore) && cluster.keyStore.jurisdiction.startsWith('SG')": lambda s: (
        "keyStore" in s.cluster and s.cluster["keyStore"]["jurisdiction"].startswith("SG")
    ),
    "has(cluster.confidentialComputing) && cluster.confidentialComputing.verifierJurisdiction == 'SG'": lambda s: (
        "confidentialComputing" in s.cluster and s.cluster["confidentialComputing"]["verifierJurisdiction"] == "SG"
    ),
    "has(hub.workers) && hub.workers.jurisdiction == 'SG'": lambda s: (
        "workers" in s.hub and s.hub["workers"]["jurisdiction"] == "SG"
    ),
    "hub.controlPlane.jurisdiction == 'SG'": lambda s: s.hub["controlPlane"]["jurisdiction"] == "SG",
    "cluster.certifications.filter(c, c.level >= 3).size() >= 1": lambda s: any(
        c["level"] >= 3 for c in s.cluster["certifications"]
    ),
    "size(cluster.contracts) > 1": lambda s: len(s.cluster["contracts"]) > 1,
    "!cluster.registries.all(r, r.jurisdiction != 'MY') || has(cluster.keyStore)": lambda s: (
        "keyStore" in s.cluster or any(r["jurisdiction"] == "MY" for r in s.cluster["registries"])
    ),
}

OF_THE_MODEL: Final[dict[str, Meaning]] = {
    "false": lambda s: False,
    "model.namespaceLabels.unit == 'retail'": lambda s: s.model["namespaceLabels"]["unit"] == "retail",
    "!('health' in model.dataClasses)": lambda s: "health" not in s.model["dataClasses"],
    "model.accelerators <= 1": lambda s: s.model["accelerators"] <= 1,
    "has(model.replicas) && model.replicas.max > 2": lambda s: "replicas" in s.model and s.model["replicas"]["max"] > 2,
    "size(model.artifacts) < 2": lambda s: len(s.model["artifacts"]) < 2,
    "model.name == 'fraud-scorer' || model.namespace == 'treasury'": lambda s: (
        s.model["name"] == "fraud-scorer" or s.model["namespace"] == "treasury"
    ),
    "policy.name == 'p0'": lambda s: s.policy == "p0",
    "1 / 0 == 1": lambda s: _divides(0),
    # In CEL, what decides is enough: the other side may fail.
    "1 / 0 == 1 || true": lambda s: True,
    "false && 1 / 0 == 1": lambda s: False,
}

OF_NOW: Final[dict[str, Meaning]] = {
    "now < timestamp('2026-11-23T09:30:00Z')": lambda s: s.now < _moment("2026-11-23T09:30:00Z"),
    "now >= timestamp('2026-11-23T09:00:30Z')": lambda s: s.now >= _moment("2026-11-23T09:00:30Z"),
    "timestamp('2026-11-23T17:00:30+08:00') + duration('30m') >= now - duration('1800s')": lambda s: (
        s.now <= _moment("2026-11-23T10:00:30Z")
    ),
    "cluster.contracts.exists(c, timestamp(c.validUntil) - duration('3570s') > now)": lambda s: any(
        c["validUntil"] - timedelta(seconds=3570) > s.now for c in s.cluster["contracts"]
    ),
    "cluster.certifications.exists(c, now >= timestamp(c.validUntil) - duration('59m30s'))": lambda s: any(
        s.now >= c["validUntil"] - timedelta(seconds=3570) for c in s.cluster["certifications"]
    ),
    "hub.contracts.exists(c, now > timestamp(c.validUntil) - duration('3570s'))": lambda s: any(
        s.now > c["validUntil"] - timedelta(seconds=3570) for c in s.hub["contracts"]
    ),
}

OF_POOLS: Final[dict[str, Meaning]] = {
    # What is said of a pool can make these false: without it, the place of the whole may be known, and be coarser.
    "cluster.pool == ''": lambda s: s.cluster["pool"] == "",
    "cluster.workers.jurisdiction == 'MY'": lambda s: s.cluster["workers"]["jurisdiction"] == "MY",
}

UNREADABLE: Final = (
    "cluster.nothing == 1",
    "cluster.name",
    "true &&",
    "[1].map(x, x).size() == 1",
    "nobody == 1",
    # What less could make true, and what asks of the time what cannot be told beforehand.
    "!cluster.certifications.exists(c, c.level < 2)",
    "cluster.registries.all(r, r.jurisdiction != 'DE')",
    "size(cluster.contracts) == 0",
    "!has(cluster.keyStore)",
    "now.getHours() < 18",
)

MEANINGS: Final[Mapping[str, Meaning]] = {**GROWING, **OF_THE_MODEL, **OF_NOW, **OF_POOLS}


def lawful(law: Any, asked: Any, member: Any, hub: Any, now: datetime) -> bool:
    """Whether the model may run on the member now."""
    classes = classes_of(law, asked)
    policies = applying(law, asked, classes)
    enforced = [p for p in policies if p.spec.mode == "Enforce"]
    if not classes:
        return False
    for data_class in classes:
        if not any(speaks_of(p, data_class) for p in enforced):
            return False
    for pool in pools_of(law, member.id, now) or [None]:
        fine = True
        for policy in enforced:
            for rule, outcome, effect in outcomes(law, asked, classes, policy, member, pool, hub, now):
                if outcome == MET or (outcome == UNMET and effect == "Advise"):
                    continue
                if outcome == UNMET and excepted(law, asked, policy, rule, member, now):
                    continue
                fine = False
        if fine:
            return True
    return False


# Which policies apply.


def classes_of(law: Any, asked: Any) -> list[str]:
    """Declared, and the floor of the namespace but for what a declared class is above."""
    found = list(asked.data_classes)
    for classification in law.classifications:
        for floor in classification.spec.floors:
            if floor.namespace == asked.ref.namespace:
                for least in floor.data_classes:
                    if not any(above(law, least, declared) for declared in asked.data_classes):
                        found.append(least)
    return sorted(set(found))


def above(law: Any, lower: str, upper: str) -> bool:
    """Whether one order has `upper` after `lower`."""
    for classification in law.classifications:
        for order in classification.spec.orders:
            names = list(order.classes)
            if lower in names and upper in names and names.index(lower) < names.index(upper):
                return True
    return False


def applying(law: Any, asked: Any, classes: list[str]) -> list[Any]:
    found: list[Any] = []
    for policy in law.policies:
        if not selects(policy.spec.applies_to.namespace_selector, asked.namespace_labels):
            continue
        listed = policy.spec.applies_to.data_classes
        reaches = any(speaks_of(policy, c) for c in classes)
        reaches_below = any(above(law, lower, c) for lower in listed for c in classes)
        if reaches or reaches_below:
            found.append(policy)
    return found


def speaks_of(policy: Any, data_class: str) -> bool:
    listed = policy.spec.applies_to.data_classes
    return len(listed) == 0 or data_class in listed


def selects(selector: Any, labels: Mapping[str, str]) -> bool:
    for key, value in selector.match_labels.items():
        if key not in labels or labels[key] != value:
            return False
    for wanted in selector.match_expressions:
        there = wanted.key in labels
        listed = there and labels[wanted.key] in wanted.values
        fits = {"In": listed, "NotIn": not listed, "Exists": there, "DoesNotExist": not there}[wanted.operator]
        if not fits:
            return False
    return True


# What is known of a cluster.


def holds(spec: Any, now: datetime) -> bool:
    return spec.valid_from <= now < spec.valid_until


def in_force(law: Any, cluster: Any, now: datetime) -> list[Any]:
    """Of the UID, under any name."""
    return [a.spec for a in law.attestations if a.spec.cluster_ref.uid == cluster.uid and holds(a.spec, now)]


def speaking(law: Any, cluster: Any, now: datetime) -> list[Any]:
    return [spec for spec in in_force(law, cluster, now) if spec.cluster_ref.name == cluster.name]


def place(law: Any, cluster: Any, dimension: str, now: datetime) -> str | None:
    """The code of a dimension; None where it is not known."""
    if dimension == "workers":
        pools = [pool.workers.jurisdiction for s in in_force(law, cluster, now) for pool in s.facts.node_pools]
        wholes = [s.facts.workers.jurisdiction for s in in_force(law, cluster, now) if s.facts.workers is not None]
        if any(not part_of(pool, whole) for pool in pools for whole in wholes):
            return None
    own = [f.jurisdiction for s in speaking(law, cluster, now) if (f := getattr(s.facts, dimension)) is not None]
    every = [f.jurisdiction for s in in_force(law, cluster, now) if (f := getattr(s.facts, dimension)) is not None]
    return own[0] if own and len(set(every)) == 1 else None


def registry_place(law: Any, cluster: Any, host: str, now: datetime) -> str | None:
    own = [r.jurisdiction for s in speaking(law, cluster, now) for r in s.facts.registries if r.host == host]
    every = [r.jurisdiction for s in in_force(law, cluster, now) for r in s.facts.registries if r.host == host]
    return own[0] if own and len(set(every)) == 1 else None


def pools_of(law: Any, cluster: Any, now: datetime) -> list[str]:
    return sorted({pool.name for s in speaking(law, cluster, now) for pool in s.facts.node_pools})


def pool_place(law: Any, cluster: Any, name: str, now: datetime) -> str | None:
    said = [pool for s in in_force(law, cluster, now) for pool in s.facts.node_pools]
    mine = [pool for pool in said if pool.name == name]
    where, selector = mine[0].workers.jurisdiction, mine[0].node_selector
    for pool in mine:
        if pool.workers.jurisdiction != where or pool.node_selector != selector:
            return None
    for spec in in_force(law, cluster, now):
        whole = spec.facts.workers
        if whole is not None and not part_of(where, whole.jurisdiction):
            return None
    for pool in said:
        could_be_both = all(pool.node_selector.get(label, value) == value for label, value in selector.items())
        if pool.name != name and could_be_both and pool.workers.jurisdiction != where:
            return None
    return where


def hub_place(law: Any, hub: Any, now: datetime) -> str | None:
    """Where all of the hub's nodes stand."""
    if hub is None:
        return None
    pools = pools_of(law, hub, now)
    if not pools:
        return place(law, hub, "workers", now)
    places = {pool_place(law, hub, pool, now) for pool in pools}
    return places.pop() if len(places) == 1 else None


def part_of(inner: str, outer: str) -> bool:
    """Equal, or the outer is a country and the inner has its code before the hyphen."""
    return inner == outer or ("-" not in outer and inner.split("-", maxsplit=1)[0] == outer)


def certificates(law: Any, cluster: Any, now: datetime) -> list[Any]:
    """In force, and attested with one level."""
    every = [c for s in speaking(law, cluster, now) for c in s.facts.certifications if now < c.valid_until]
    found: list[Any] = []
    for one in every:
        levels = {c.level for c in every if (c.name, c.number) == (one.name, one.number)}
        if len(levels) == 1 and one not in found:
            found.append(one)
    return found


def contracts(law: Any, cluster: Any, now: datetime) -> list[Any]:
    """In force. The same one, stated twice, is one."""
    found: list[Any] = []
    for one in (c for s in speaking(law, cluster, now) for c in s.facts.contracts if now < c.valid_until):
        if one not in found:
            found.append(one)
    return found


def facts_for_rules(law: Any, cluster: Any, pool: str | None, now: datetime) -> dict[str, Any]:
    """`cluster` or `hub` of an expression."""
    found: dict[str, Any] = {"name": cluster.name, "uid": cluster.uid, "pool": pool or ""}
    for dimension in DIMENSIONS:
        known = place(law, cluster, dimension, now)
        if dimension == "workers" and pool is not None:
            known = pool_place(law, cluster, pool, now)
        if known is not None:
            found[SPELLED[dimension]] = {"jurisdiction": known}
    hosts = {r.host for s in speaking(law, cluster, now) for r in s.facts.registries}
    registries = [(host, registry_place(law, cluster, host, now)) for host in hosts]
    found["registries"] = [{"host": host, "jurisdiction": where} for host, where in registries if where is not None]
    found["certifications"] = [
        {"name": c.name, "level": c.level, "validUntil": c.valid_until} for c in certificates(law, cluster, now)
    ]
    found["contracts"] = [{"kind": c.kind, "validUntil": c.valid_until} for c in contracts(law, cluster, now)]
    said = [c for s in speaking(law, cluster, now) if (c := s.facts.confidential_computing) is not None]
    if said and all(c == said[0] for c in said):
        found["confidentialComputing"] = {"verifierJurisdiction": said[0].verifier_jurisdiction}
    return found


def contradicted_by_nodes(law: Any, member: Any, now: datetime) -> bool:
    for spec in speaking(law, member.id, now):
        nodes = spec.facts.nodes
        if nodes is None:
            continue
        if nodes.regions and any(region not in nodes.regions for region in member.reported.regions):
            return True
        for provider in member.reported.providers:
            if nodes.provider_prefixes and not any(provider.startswith(p) for p in nodes.provider_prefixes):
                return True
    return False


# What a policy asks.


def outcomes(
    law: Any, asked: Any, classes: list[str], policy: Any, member: Any, pool: str | None, hub: Any, now: datetime
) -> Iterator[tuple[str, str, str]]:
    """Name, outcome and effect of each rule of a policy."""
    allow = policy.spec.allow
    for dimension in DIMENSIONS:
        where = place(law, member.id, dimension, now)
        if dimension == "workers" and pool is not None:
            where = pool_place(law, member.id, pool, now)
        yield f"allow.{SPELLED[dimension]}", of_place(law, where, getattr(allow, dimension)), "Deny"
    registries = [
        of_place(law, registry_place(law, member.id, host, now), allow.registry)
        for host in pulled_from(asked.artifacts, member.mirrors)
    ]
    yield "allow.registry", worst(registries), "Deny"
    yield "allow.hub", of_place(law, hub_place(law, hub, now), allow.hub), "Deny"
    strange = [host for host in hosts_of(asked.arguments) if host not in allow.hosts]
    yield "allow.hosts", UNMET if strange else MET, "Deny"
    for rule, named, listed in (
        ("allow.callers", asked.callers, allow.callers),
        ("allow.egress", asked.egress, allow.egress),
    ):
        yield rule, MET if all(peer in listed for peer in named) else UNMET, "Deny"
    effect = "Deny" if policy.spec.on_contradiction == "Deny" else "Advise"
    yield "onContradiction", UNMET if contradicted_by_nodes(law, member, now) else MET, effect
    for rule in policy.spec.rules:
        outcome = of_expression(law, asked, classes, policy, rule, member, pool, hub, now)
        if outcome == UNMET and rule.on_unmet == "RequireRecord":
            where = place(law, member.id, "workers", now)
            if pool is not None:
                where = pool_place(law, member.id, pool, now)
            if any(covers(record, rule, asked, classes, member, where, now) for record in law.records):
                outcome = MET
        yield rule.name, outcome, rule.on_unmet


def of_place(law: Any, where: str | None, listed: Iterable[str]) -> str:
    if where is None:
        return UNKNOWN
    for entry in listed:
        places = [entry]
        if entry.startswith("group:"):
            places = [m for g in law.groups if f"group:{g.metadata.name}" == entry for m in g.spec.members]
        if any(part_of(where, one) for one in places):
            return MET
    return UNMET


def worst(found: list[str]) -> str:
    return UNKNOWN if UNKNOWN in found else UNMET if UNMET in found else MET


def pulled_from(artifacts: Iterable[str], mirrors: Iterable[tuple[str, str]]) -> set[str]:
    found: set[str] = set()
    for artifact in artifacts:
        host = artifact.split("/")[0]
        for registry, mirror in mirrors:
            if registry == artifact.split("/")[0]:
                host = mirror.split("/")[0]
        found.add(host)
    return found


def hosts_of(arguments: Iterable[str]) -> set[str]:
    """For URLs of the plain kind; what readers could take for two hosts has tests of its own."""
    found: set[str] = set()
    for argument in arguments:
        for after in argument.split("://")[1:]:
            authority = re.split(r"[/?#\"'\s]", after)[0]
            found.add(authority.split("@")[-1].lower())
        for word in re.split(r"[=,]", argument):
            if re.fullmatch(r"[a-z]+(\.[a-z]+)+:[0-9]+", word) is not None:
                found.add(word)
    return found


def of_expression(
    law: Any,
    asked: Any,
    classes: list[str],
    policy: Any,
    rule: Any,
    member: Any,
    pool: str | None,
    hub: Any,
    now: datetime,
) -> str:
    if rule.expression is None:
        return UNMET
    if rule.expression in UNREADABLE:
        return UNKNOWN
    model = {
        "name": asked.ref.name,
        "namespace": asked.ref.namespace,
        "namespaceLabels": dict(asked.namespace_labels),
        "dataClasses": classes,
        "artifacts": list(asked.artifacts),
        **asked.traits,
    }
    cluster = facts_for_rules(law, member.id, pool, now)
    about_hub: dict[str, Any] = facts_for_rules(law, hub, None, now) if hub is not None else {}
    about_hub.pop("workers", None)
    if (where := hub_place(law, hub, now)) is not None:
        about_hub["workers"] = {"jurisdiction": where}
    seen = Seen(cluster, about_hub, model, policy.metadata.name, now)
    try:
        return MET if MEANINGS[rule.expression](seen) else UNMET
    except (LookupError, ArithmeticError):
        return UNKNOWN


def covers(
    record: Any, rule: Any, asked: Any, classes: list[str], member: Any, where: str | None, now: datetime
) -> bool:
    spec = record.spec
    if not holds(spec, now) or not record.metadata.annotations.get("domicile.dev/approved-by"):
        return False
    if rule.record is None or spec.record != rule.record:
        return False
    if rule.transfer_bases and spec.transfer_basis not in rule.transfer_bases:
        return False
    if asked.ref.namespace not in spec.scope.namespaces:
        return False
    if spec.scope.data_classes and any(c not in spec.scope.data_classes for c in classes):
        return False
    if spec.scope.clusters and member.id.name not in spec.scope.clusters:
        return False
    return where is not None and any(part_of(where, country) for country in spec.countries)


def excepted(law: Any, asked: Any, policy: Any, rule: str, member: Any, now: datetime) -> bool:
    """Whether an exception settles a rule of the policy that is known not to be met."""
    if policy.spec.exceptions == "Forbid":
        return False
    for exception in law.exceptions:
        spec, stamps = exception.spec, exception.metadata.annotations
        requested, approved = stamps.get("domicile.dev/requested-by"), stamps.get("domicile.dev/approved-by")
        if not (spec.approved and requested and approved and requested != approved and holds(spec, now)):
            continue
        of_model = (spec.model.namespace, spec.model.name) == (asked.ref.namespace, asked.ref.name)
        of_cluster = (spec.cluster.name, spec.cluster.uid) == (member.id.name, member.id.uid)
        if of_model and of_cluster and (spec.policy, spec.rule) == (policy.metadata.name, rule):
            return True
    return False
