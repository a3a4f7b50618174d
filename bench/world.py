"""A made-up world to judge: clusters, governance's objects and models, the same for the same seed."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domicile import residency
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
)
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PAST, AHEAD = NOW - timedelta(days=200), NOW + timedelta(days=365)
DIGEST = "sha256:" + "1d67" * 16
COUNTRIES = ("SG", "PH", "MY", "ID", "TH", "VN", "JP", "KR", "AU", "IN", "DE", "US")
REGISTRIES = ("registry.sg.example", "registry.ph.example", "registry.eu.example")
UNITS = ("retail", "markets", "health", "public", "shared")
CLASSES = ("customer.pii", "customer.health", "payments", "markets", "staff", "public", "telemetry", "research")
NAMESPACES = 500

EXPRESSIONS = (
    "cluster.certifications.exists(c, c.name == 'SS584' && c.level >= 3)",
    "has(cluster.workers) && cluster.workers.jurisdiction.startsWith('SG')",
    "cluster.contracts.exists(c, c.kind == 'Outsourcing' || c.kind == 'DataProcessing')",
    "has(cluster.keyStore) && has(cluster.workers) && cluster.keyStore.jurisdiction == cluster.workers.jurisdiction",
    "cluster.certifications.exists(c, c.name == 'ISO27001') || cluster.contracts.exists(c, c.kind == 'Outsourcing')",
    "!model.dataClasses.exists(c, c == 'customer.health') || has(cluster.confidentialComputing)",
    """(has(cluster.operatorParent) && cluster.operatorParent.jurisdiction in ['SG', 'PH', 'MY', 'JP'])
    || has(cluster.confidentialComputing) || cluster.contracts.exists(c, c.kind == 'CountryRiskReview')""",
    "model.dataClasses.all(c, c != 'payments') || cluster.certifications.exists(c, c.name == 'PCIDSS')",
)
"""As the packs have them, one to three clauses each; two in eight ask for the model's data classes."""
HARD = "!(model.name in ['frozen-1', 'frozen-2']) && cluster.certifications.exists(c, c.name == 'ISO27001')"
"""It tells every model from every other."""


@dataclass(frozen=True)
class World:
    """All that a judgement needs."""

    law: residency.Law
    members: tuple[residency.Member, ...]
    hub: residency.MemberId
    models: tuple[residency.Asked, ...]

    def questions(self) -> list[residency.Question]:
        """One for each model."""
        return [residency.Question(model, self.members, NOW, self.hub) for model in self.models]

    def after_one_change(self) -> residency.Law:
        """The law after somebody edited one policy: workers may now be in Japan too."""
        first, *others = self.law.policies
        allow = first.spec.allow.model_copy(update={"workers": (*first.spec.allow.workers, "JP")})
        changed = first.model_copy(update={"spec": first.spec.model_copy(update={"allow": allow})})
        return replace(self.law, policies=(changed, *others))


def world(*, models: int, clusters: int, policies: int, hard: bool = False, seed: int = 4) -> World:
    """`hard`: the first rule of each policy asks for the model's name, so that no two models fare alike by their key."""
    # Each kind has dice of its own, so that more of one leaves the others as they are.
    dice: Callable[[str], random.Random] = lambda kind: random.Random(f"{seed}/{kind}")  # noqa: E731
    members = tuple(residency.Member(_member(f"cluster-{n:04}")) for n in range(clusters))
    asked = _models(models, dice("models"))
    law = residency.Law(
        policies=tuple(_policy(n, hard, dice(f"policy-{n}")) for n in range(policies)),
        attestations=tuple(_attestation(m.id, n, dice(f"cluster-{n}")) for n, m in enumerate(members)),
        classifications=(_floors(),),
        records=tuple(_record(n, dice(f"record-{n}")) for n in range(5)),
        exceptions=tuple(
            _exception(n, asked[n * 37 % models], members[n * 7 % clusters], policies) for n in range(min(20, models))
        ),
    )
    return World(law, members, members[0].id, asked)


def one_more(number: int) -> residency.Asked:
    """A model that nobody has judged before, of a kind that others are of too."""
    return replace(
        _models(number % 997 + 1, random.Random("4/models"))[-1],
        ref=residency.ModelRef(f"team-{number * 7 % NAMESPACES:03}", f"new-{number}", _uid(f"new-{number}")),
    )


def _uid(of: str) -> str:
    digits = residency.digest_of(of).removeprefix("sha256:")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:32]}"


def _member(name: str) -> residency.MemberId:
    return residency.MemberId(name, _uid(name))


def _class_sets() -> list[tuple[str, ...]]:
    dice = random.Random("class sets")
    return [(name,) for name in CLASSES[:6]] + [tuple(dice.sample(CLASSES, dice.choice((2, 2, 3)))) for _ in range(6)]


def _models(count: int, dice: random.Random) -> tuple[residency.Asked, ...]:
    """Spread over all namespaces; a team has models of two sets of data classes."""
    sets = _class_sets()
    return tuple(_model(n, n % NAMESPACES, sets, dice) for n in range(count))


def _model(number: int, team: int, sets: Sequence[tuple[str, ...]], dice: random.Random) -> residency.Asked:
    namespace, name = f"team-{team:03}", f"model-{number:05}"
    registry = dice.choices(REGISTRIES, (8, 3, 1))[0]
    logs = ("--log-url=https://logs.sg.example/in",) if dice.random() < 0.1 else ()
    return residency.Asked(
        residency.ModelRef(namespace, name, _uid(f"{namespace}/{name}")),
        sets[(team + 5 * dice.randrange(2)) % len(sets)],
        {"kubernetes.io/metadata.name": namespace, "unit": UNITS[team % len(UNITS)]},
        (f"{registry}/models/{name}@{DIGEST}", f"{REGISTRIES[0]}/serving/sklearn@{DIGEST}"),
        ("--port=8080", *logs),
        {"modelFormat": {"name": "sklearn"}, "replicas": {"min": 1, "max": 3}, "accelerators": number % 3},
    )


def _policy(number: int, hard: bool, dice: random.Random) -> ResidencyPolicy:
    """Every third is for all data of two units, the others for one class everywhere; every tenth audits; every
    seventh asks for a record, and so depends on the namespace."""
    house = number % 3 == 0
    units = dice.sample(UNITS, 2)
    classes = [] if house else [CLASSES[number % len(CLASSES)]]
    selector = {"matchExpressions": [{"key": "unit", "operator": "In", "values": units}]} if house else {}
    places = sorted({"SG", *dice.sample(COUNTRIES, 8)})
    fields = ("workers", "controlPlane", "operator", "operatorParent", "keyStore", "registry", "telemetry")
    return ResidencyPolicy.model_validate(
        {
            "metadata": {"name": f"policy-{number:03}", "uid": _uid(f"policy-{number}")},
            "spec": {
                "mode": "Audit" if number % 10 == 9 else "Enforce",
                "appliesTo": {"namespaceSelector": selector, "dataClasses": classes},
                "allow": {**dict.fromkeys(fields, places), "hosts": ["logs.sg.example"]},
                "basis": _basis("Regulation"),
                "rules": [
                    _rule("first", HARD if hard else EXPRESSIONS[(2 * number) % len(EXPRESSIONS)]),
                    _rule("second", EXPRESSIONS[(2 * number + 1) % len(EXPRESSIONS)], record=number % 7 == 3),
                ],
            },
        }
    )


def _rule(name: str, expression: str, *, record: bool = False) -> dict[str, Any]:
    effect = {"onUnmet": "RequireRecord", "record": "outsourcing"} if record else {"onUnmet": "Deny"}
    return {"name": name, "expression": expression, "basis": _basis("OrgPolicy"), **effect}


def _basis(kind: str) -> dict[str, str]:
    return {"type": kind, "source": "Data standard", "clause": "7.2", "asOf": "2026-04-01"}


def _attestation(member: residency.MemberId, number: int, dice: random.Random) -> ClusterAttestation:
    """Of one country, with here and there a parent elsewhere; every twentieth has two pools, every twenty-fifth has ended."""
    place = dice.choices(COUNTRIES, (40, 20, 10, 8, 6, 4, 4, 2, 2, 2, 1, 1))[0]
    parent = "US" if dice.random() < 0.2 else place
    sure = [("SS584", 3), ("ISO27001", 0), ("PCIDSS", 0)]
    certificates = [
        {"name": name, "level": level, "number": f"{name}-{number}", "validUntil": AHEAD}
        for name, level in sure
        if dice.random() < 0.7
    ]
    contracts = [
        {"kind": kind, "reference": f"{kind}-{number}", "validUntil": AHEAD}
        for kind in ("Outsourcing", "DataProcessing", "CountryRiskReview")
        if dice.random() < 0.6
    ]
    at_home = ("workers", "controlPlane", "operator", "keyStore", "telemetry")
    pools = [
        {
            "name": pool,
            "nodeSelector": {"node-restriction.kubernetes.io/site": pool},
            "workers": {"jurisdiction": place},
        }
        for pool in (("east", "west") if number % 20 == 19 else ())
    ]
    facts = {
        **{field: {"jurisdiction": place} for field in at_home},
        "operatorParent": {"jurisdiction": parent},
        "registries": [{"host": host, "jurisdiction": host.split(".")[1].upper()[:2]} for host in REGISTRIES[:2]],
        "certifications": certificates,
        "contracts": contracts,
        "nodePools": pools,
    }
    return ClusterAttestation.model_validate(
        {
            "metadata": {"name": f"attested-{number:04}", "uid": _uid(f"attested-{number}")},
            "spec": {
                "clusterRef": {"name": member.name, "uid": member.uid},
                "facts": facts,
                "evidence": {"reference": "contract 7.2"},
                "validFrom": PAST,
                "validUntil": NOW - timedelta(days=1) if number % 25 == 24 else AHEAD,
            },
        }
    )


def _floors() -> DataClassification:
    floors = [{"namespace": f"team-{n:03}", "dataClasses": ["staff"]} for n in range(0, NAMESPACES, 10)]
    orders = [{"name": "customer", "classes": ["public", "staff", "customer.pii", "customer.health"]}]
    return DataClassification.model_validate(
        {"metadata": {"name": "bank"}, "spec": {"floors": floors, "orders": orders}}
    )


def _record(number: int, dice: random.Random) -> ResidencyRecord:
    namespaces = [f"team-{n:03}" for n in sorted(dice.sample(range(NAMESPACES), 60))]
    return ResidencyRecord.model_validate(
        {
            "metadata": {"name": f"register-{number}", "annotations": {APPROVED_BY: "gil"}},
            "spec": {
                "record": "outsourcing",
                "scope": {"namespaces": namespaces},
                "countries": ["SG", "PH", "MY"],
                "reference": f"register {number}",
                "validFrom": PAST,
                "validUntil": AHEAD,
            },
        }
    )


def _exception(number: int, model: residency.Asked, member: residency.Member, policies: int) -> ResidencyException:
    return ResidencyException.model_validate(
        {
            "metadata": {"name": f"ticket-{number}", "annotations": {REQUESTED_BY: "ana", APPROVED_BY: "gil"}},
            "spec": {
                "model": {"namespace": model.ref.namespace, "name": model.ref.name},
                "policy": f"policy-{number % policies:03}",
                "rule": "allow.telemetry",
                "cluster": {"name": member.id.name, "uid": member.id.uid},
                "reason": "logs leave for a week while the new sink is built",
                "reference": f"ticket {number}",
                "validFrom": PAST,
                "validUntil": AHEAD,
                "approved": True,
            },
        }
    )
