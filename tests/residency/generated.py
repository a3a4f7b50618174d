"""Whole cases by chance: a state of the law, and questions to put to it. The same seed gives the same case, always.

A case begins as one that is lawful and is then bent in a few places, so that both answers come often and a verdict rests on
few things at a time. Few places, names and moments, so that they meet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final, TypeVar

from builders import (
    DIMENSIONS,
    LONG_AGO,
    LONG_AHEAD,
    NOW,
    REGISTRY,
    attestation,
    classification,
    exception,
    group,
    member,
    model_ref,
    policy,
    record,
    uid,
)
from domicile import residency
from domicile.api import (
    ClusterAttestation,
    DataClassification,
    JurisdictionGroup,
    ResidencyException,
    ResidencyPolicy,
    ResidencyRecord,
)
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY
from domicile.residency.dimensions import WORDS
from residency import oracle

T = TypeVar("T")

HOUR, SECOND, TICK = timedelta(hours=1), timedelta(seconds=1), timedelta(microseconds=1)
ENDS: Final = (NOW, NOW + HOUR, NOW + 2 * HOUR, LONG_AHEAD)
BEGINS: Final = (LONG_AGO, NOW, NOW + HOUR)
ASKED_AT: Final = (NOW, NOW + 30 * SECOND, NOW + HOUR - TICK, NOW + HOUR, NOW + 2 * HOUR)
"""On either side of each boundary, and twice within a minute."""

PLACES: Final = ("SG", "SG", "SG", "MY", "MY-14", "DE", "PH")
LISTS: Final = (["SG"], ["SG", "MY"], ["group:asean"], ["SG", "group:nobody"], ["SG", "DE", "MY-14"], ["PH"])
ODD: Final = ([], ["DE"], ["MY-14"], ["SG", "PH", "DE", "MY"], ["group:nobody"], ["group:asean"])
MIRROR, OTHER, SINK = "mirror.example:5000", "other.example", "sink.example"
SITE, RACK = "node-restriction.kubernetes.io/site", "node-restriction.kubernetes.io/rack"
MODEL, NEIGHBOUR = model_ref(), model_ref("chat", "treasury")
SG, DE, HUB = member("sg"), member("de"), member("hub")

FEATURES: Final = frozenset(
    {
        "an unknown registry beside one elsewhere, and an exception",
        "a hub that is attested by pool",
        "pools that one node could match both",
        "a pool that a second name contradicts",
        "a pool that only a second name has",
        "a long life and a rule that asks for now",
        "a long life and a warning",
        "a hub whose facts end",
        "a trial that asks for a hub whose facts end",
        "a warning that the hub's facts end",
    }
)
"""What a case may have beside the usual, where the engine has been found wrong. KNOWN says where it still is."""

KNOWN: Final[Mapping[str, str]] = {}
"""Where the engine is known to differ from docs/residency.md. Take an entry out when it is mended: the random cases then
have the feature, and the tests of the feature alone must pass."""
SOUND: Final = FEATURES - KNOWN.keys()


@dataclass(frozen=True)
class Generated:
    """A state of the law, and questions, mostly in the order of their moments."""

    seed: int
    law: residency.Law
    questions: tuple[residency.Question, ...]

    def __str__(self) -> str:
        return f"generated(seed={self.seed})"


@dataclass
class _Making:
    chance: Random
    features: frozenset[str]
    expressions: tuple[str, ...]
    bent: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Policy and rule that somebody may want an exception for."""
    records: list[str] = field(default_factory=list[str])
    hub_may_end: bool = True

    def sometimes(self, share: float) -> bool:
        return self.chance.random() < share

    def one(self, of: Sequence[T]) -> T:
        return self.chance.choice(of)

    def some(self, most: int, make: Callable[[int], T]) -> tuple[T, ...]:
        return tuple(make(i) for i in range(self.chance.randint(0, most)))

    def has(self, feature: str) -> bool:
        assert feature in FEATURES
        return feature in self.features

    def validity(self, usually: float = 0.88) -> dict[str, Any]:
        if self.sometimes(usually):
            return {"since": LONG_AGO, "until": self.one([LONG_AHEAD, LONG_AHEAD, NOW + 2 * HOUR])}
        return {"since": self.one(BEGINS), "until": self.one(ENDS)}

    def span(self) -> dict[str, Any]:
        found = self.validity(0.8)
        return {"validFrom": found["since"], "validUntil": found["until"]}


def generated(
    seed: int, features: frozenset[str] = SOUND, expressions: Mapping[str, Any] = oracle.MEANINGS
) -> Generated:
    """The case of this number, with rules of these expressions and some that cannot be read."""
    m = _Making(Random(seed), features, _weighed(expressions))
    policies = tuple(_policy(m, i) for i in range(m.one([0, 1, 2, 2, 2, 3, 3]) if m.sometimes(0.4) else 1))
    trials = [p for p in policies if p.spec.mode == "Audit"]
    if any(p.spec.allow.hub is not None or any("hub" in (r.expression or "") for r in p.spec.rules) for p in trials):
        m.hub_may_end = m.has("a trial that asks for a hub whose facts end")
    law = residency.Law(
        policies,
        _attestations(m),
        _groups(m),
        _classifications(m),
        tuple(_record(m, i) for i in range(m.one([1, 1, 2]))) if m.records else (),
        _exceptions(m),
    )
    return Generated(seed, law, _questions(m))


def _weighed(expressions: Mapping[str, Any]) -> tuple[str, ...]:
    """Those that ask for what ends by itself, or is disputed in its own way, come more often."""
    often = ("cluster.certifications", "cluster.contracts", "cluster.confidentialComputing")
    return tuple(e for e in expressions for _ in range(4 if any(word in e for word in often) else 1))


def one_policy(seed: int, number: int = 9) -> ResidencyPolicy:
    """A policy alone, named p and its number."""
    return _policy(_Making(Random(seed), FEATURES, tuple(oracle.MEANINGS)), number)


def _policy(m: _Making, number: int) -> ResidencyPolicy:
    name = f"p{number}"
    lists: dict[str, Any] = {d: m.one(ODD) for d in DIMENSIONS if m.sometimes(0.03)}
    everywhere = m.one(LISTS) if m.sometimes(0.15) else ["SG", "MY", "group:asean"]
    m.bent += [(name, f"allow.{WORDS[dimension].field}") for dimension in lists]
    if m.sometimes(0.08):
        lists["hub"] = m.one([["SG"], ["DE"], [], ["MY", "group:asean"], ["group:asean"]])
        m.bent.append((name, "allow.hub"))
    if m.sometimes(0.92):
        lists["hosts"] = [SINK]
    for way in ("callers", "egress"):
        lists[way] = (
            ["gateway", "metrics"] if m.sometimes(0.87) else m.one([["dns"], [], ["metrics", "dns", "gateway"]])
        )
        m.bent += [(name, f"allow.{way}")] if "gateway" not in lists[way] else []
    spec: dict[str, Any] = {
        "mode": "Audit" if m.sometimes(0.04 if number == 0 else 0.3) else "Enforce",
        "exceptions": "Forbid" if m.sometimes(0.15) else "Allow",
        "onContradiction": "Report" if m.sometimes(0.3) else "Deny",
        "warnBefore": m.one(["0h", "1h", "720h"]) if m.has("a long life and a warning") else "0h",
    }
    namespaces = None
    if m.sometimes(0.1):
        operator = m.one(["In", "NotIn", "Exists", "DoesNotExist"])
        values = {"values": ["retail"]} if operator.endswith("In") else {}
        namespaces = {"matchExpressions": [{"key": "unit", "operator": operator, **values}]}
    elif m.sometimes(0.1):
        namespaces = {"matchLabels": {"unit": m.one(["retail", "treasury"])}}
    classes = m.one([["customer.pii"], ["customer.pii", "health"], [], ["public"], ["public"], ["health"]])
    if number == 0 and m.sometimes(0.92):
        classes, namespaces = [], None
    rules = m.some(m.one([0, 1, 2]), lambda i: _rule(m, name, f"r{i}"))
    return policy(
        name,
        everywhere=everywhere,
        data_classes=classes,
        namespaces=namespaces,
        rules=rules,
        spec=spec,
        **lists,
    )


def _rule(m: _Making, of: str, name: str) -> dict[str, Any]:
    effect = m.one(["Deny", "RequireRecord", "RequireRecord", "Advise"])
    expression = m.one(m.expressions)
    if m.sometimes(0.15):
        expression = m.one([*oracle.UNREADABLE, "false", "1 / 0 == 1"])
    more: dict[str, Any] = {}
    if effect == "RequireRecord":
        more["record"] = m.one(["outsourcing", "transfer"])
        m.records.append(more["record"])
        if m.sometimes(0.3):
            more["transferBases"] = m.one([["Contract"], ["Contract", "Consent"]])
        if m.sometimes(0.6):
            more["expression"] = None
    m.bent.append((of, name))
    basis = {"type": "OrgPolicy", "source": "Data standard", "asOf": "2026-04-01"}
    return {"name": name, "onUnmet": effect, "expression": expression, "basis": basis, **more}


def _attestations(m: _Making) -> tuple[ClusterAttestation, ...]:
    made: list[ClusterAttestation] = []
    for number in range(m.one([1, 1, 1, 2, 2, 3]) if m.sometimes(0.97) else 0):
        made.append(_own(m, f"a{number}", "sg", first=number == 0))
    if m.sometimes(0.8):
        made.append(_own(m, "other", "de", first=True))
    if m.sometimes(0.15):  # Of the same cluster under the name that it had.
        pools = m.has("a pool that a second name contradicts") and m.sometimes(0.6)
        made.append(_own(m, "former", "sg-old", at="sg", first=False, pools=pools))
    if m.sometimes(0.05):  # Of another cluster that had the name.
        made.append(_own(m, "before", "sg", at="sg-before", first=False))
    if m.sometimes(0.98):
        pools = m.has("a hub that is attested by pool") and m.sometimes(0.12)
        made.append(_own(m, "of-the-hub", "hub", first=True, pools=pools))
    return tuple(made)


def _own(
    m: _Making, name: str, of: str, *, first: bool, at: str | None = None, pools: bool | None = None
) -> ClusterAttestation:
    """The first attestation of a cluster says everything, further ones little; one in a few says something odd."""
    facts: dict[str, Any] = {}
    for dimension in DIMENSIONS:
        if m.sometimes(0.02 if first else 0.06):
            facts[dimension] = m.one(PLACES if first else (*PLACES, None))
    if not first:
        facts = {d: facts.get(d, "SG" if m.sometimes(0.1) else None) for d in DIMENSIONS}
    elif m.sometimes(0.1):
        facts[m.one(DIMENSIONS)] = None
    has: dict[str, Any] = {}
    registries = [{"host": REGISTRY, "jurisdiction": where}] if (where := facts.pop("registry", "SG")) else []
    if m.sometimes(0.8):
        registries += [{"host": MIRROR, "jurisdiction": m.one(PLACES)}]
    if m.sometimes(0.6):
        registries += [{"host": OTHER, "jurisdiction": m.one(PLACES)}]
    has["registries"] = registries if first or m.sometimes(0.2) else []
    if pools if pools is not None else of == "sg" and m.sometimes(0.25):
        facts["workers"] = m.one([None, None, None, "MY", "SG"])
        has["nodePools"] = _pools(m, ("MY-14", "MY") if facts["workers"] == "MY" else PLACES, former=of == "sg-old")
    has["certifications"] = list(m.some(2, lambda i: _certificate(m)))
    has["contracts"] = list(m.some(2, lambda i: _contract(m)))
    if m.sometimes(0.3):
        verifier = {"kind": "TDX", "verifier": "us", "verifierJurisdiction": m.one(["SG", "SG", "DE"])}
        has["confidentialComputing"] = verifier
    if m.sometimes(0.3):
        regions, prefixes = m.one([[], ["sg-1"], ["sg-1", "sg-2"]]), m.one([[], ["aws:///sg"]])
        has["nodes"] = {"regions": regions, "providerPrefixes": prefixes}
    everything = "SG" if first else None
    lasting = of == "hub" and not (m.has("a hub whose facts end") and m.hub_may_end)
    validity = {} if lasting else m.validity(0.96 if of == "hub" else 0.88)
    if lasting:
        has = {**has, "certifications": [], "contracts": []}
    return attestation(name, of=of, at=at, everything=everything, has=has, **validity, **facts)


def _pools(m: _Making, places: Sequence[str], *, former: bool) -> list[dict[str, Any]]:
    overlapping = m.has("pools that one node could match both") and m.sometimes(0.6 if former else 0.3)
    found: list[dict[str, Any]] = []
    names = ("a", "b", "c")[: m.one([1, 2, 2, 3])]
    if former:
        names = ("a", "x") if m.has("a pool that only a second name has") else ("a",)
    for name in names:
        selector = {SITE: name, **({RACK: m.one(["1", "2"])} if m.sometimes(0.2) else {})}
        if overlapping and m.sometimes(0.5):
            selector = m.one([{SITE: "a"}, {RACK: "1"}])
        found.append({"name": name, "nodeSelector": selector, "workers": {"jurisdiction": m.one(places)}})
    return found


def _certificate(m: _Making) -> dict[str, Any]:
    return {
        "name": m.one(["SS584", "SS584", "ISO27001"]),
        "level": m.one([0, 1, 3, 3]),
        "number": m.one(["", "7", "8"]),
        "validUntil": m.one([NOW, NOW + HOUR, LONG_AHEAD, LONG_AHEAD]),
    }


def _contract(m: _Making) -> dict[str, Any]:
    ends = m.one([NOW, NOW + HOUR, LONG_AHEAD, LONG_AHEAD])
    return {"kind": m.one(["Outsourcing", "DataProcessing"]), "reference": m.one(["1", "2"]), "validUntil": ends}


def _groups(m: _Making) -> tuple[JurisdictionGroup, ...]:
    return (group("asean", *m.one([("SG", "MY", "PH"), ("SG", "MY"), ("SG", "MY-14")])),) if m.sometimes(0.95) else ()


def _classifications(m: _Making) -> tuple[DataClassification, ...]:
    def one(number: int) -> DataClassification:
        floors = {"retail-banking": m.one([["public"], ["customer.pii"], ["health"]])} if m.sometimes(0.5) else {}
        orders = m.one(
            [[], [["public", "customer.pii"]], [["public", "customer.pii", "health"]], [["public", "health"]]]
        )
        return classification(f"c{number}", floors=floors, orders=orders)

    return m.some(2, one) if m.sometimes(0.7) else ()


def _record(m: _Making, number: int) -> ResidencyRecord:
    scope: dict[str, Any] = {"namespaces": ["retail-banking"] if m.sometimes(0.9) else ["treasury"]}
    if m.sometimes(0.2):
        scope["dataClasses"] = m.one([["customer.pii"], ["customer.pii", "health", "public"], ["health"]])
    if m.sometimes(0.2):
        scope["clusters"] = m.one([["sg"], ["de"], ["sg", "de"]])
    bases = m.one([{}, {"transferBasis": "Contract"}, {"transferBasis": "Consent"}])
    stamps = {"annotations": {} if m.sometimes(0.5) else {APPROVED_BY: ""}} if m.sometimes(0.1) else {}
    countries = m.one([["SG", "MY"], ["SG", "MY"], ["DE"], ["MY-14"], ["SG"]])
    kind = m.one(m.records) if m.sometimes(0.9) else "other"
    return record(f"t{number}", record=kind, scope=scope, countries=countries, **bases, **stamps, **m.span())


def _exceptions(m: _Making) -> tuple[ResidencyException, ...]:
    everything = [
        "allow.registry",
        "allow.workers",
        "allow.hosts",
        "allow.callers",
        "onContradiction",
        "allow.telemetry",
    ]

    def one(number: int) -> ResidencyException:
        policy_name, rule = m.one(m.bent) if m.bent and m.sometimes(0.8) else ("p0", m.one(everything))
        changed: dict[str, Any] = {"policy": policy_name, "rule": rule, **m.span()}
        if m.sometimes(0.1):
            changed["approved"] = False
        if m.sometimes(0.15):
            stamps = m.one([("ana", "ana"), ("", "gil"), ("ana", ""), ("", ""), ("gil", "ana")])
            changed["annotations"] = {REQUESTED_BY: stamps[0], APPROVED_BY: stamps[1]}
        if m.sometimes(0.1):
            name = m.one(["de", "sg-old", "sg"])
            changed["cluster"] = {"name": name, "uid": uid(m.one(["sg", "de", "sg-before"]))}
        if m.sometimes(0.05):
            changed["model"] = {"namespace": "treasury", "name": "fraud-scorer"}
        return exception(f"e{number}", **changed)

    return m.some(3, one) if m.sometimes(0.7) else ()


def _questions(m: _Making) -> tuple[residency.Question, ...]:
    reported = residency.Reported(
        frozenset(m.one([[], ["sg-1"], ["sg-1", "sg-2"], ["de-1"]])) if m.sometimes(0.5) else frozenset(),
        frozenset(m.one([["aws:///sg-1a"], ["gce://de"]])) if m.sometimes(0.3) else frozenset(),
    )
    mirrors = ((REGISTRY, m.one([MIRROR, f"{MIRROR}/cache", OTHER])),) if m.sometimes(0.3) else ()
    members = (residency.Member(SG, mirrors, reported), residency.Member(DE))
    hub = HUB if m.sometimes(0.98) else None
    models = (_asked(m, MODEL), _asked(m, m.one([MODEL, MODEL, NEIGHBOUR])))
    moments = sorted(m.chance.sample(ASKED_AT, 2))
    found = [residency.Question(models[0], members, now, hub) for now in moments]
    found.insert(m.one([0, 1, 2]), residency.Question(models[1], members, m.one(ASKED_AT), hub))
    return tuple(sorted(found, key=lambda question: question.now) if m.sometimes(0.7) else found)


def _asked(m: _Making, ref: residency.ModelRef) -> residency.Asked:
    classes = m.one([("customer.pii",), ("customer.pii",), ("customer.pii",), ("customer.pii", "health"), ("public",)])
    if m.sometimes(0.03):
        classes = ()
    images = [f"{REGISTRY}/serving/sklearn@sha256:1", f"{REGISTRY}/models/fraud@sha256:2"]
    if m.sometimes(0.15):
        images.append(f"{OTHER}/more@sha256:3")
    if m.sometimes(0.1) and m.has("an unknown registry beside one elsewhere, and an exception"):
        images.append("nobody.example/more@sha256:4")
    elif m.sometimes(0.03):
        images = ["nobody.example/more@sha256:4"]
    arguments = m.one(["--port=80", f"--log=http://{SINK}/x", f"--log=HTTPS://me:secret@{SINK.upper()}?q", "--no-log"])
    if m.sometimes(0.06):
        arguments = m.one(
            [
                f"http://{SINK}:8080",
                f"--a=http://{SINK},b=s3://bucket.example/x",
                "grpc://elsewhere",
                f"--otlp={SINK}:4317",
            ]
        )
    traits: dict[str, object] = {"accelerators": m.one([0, 1, 2]), "modelFormat": {"name": "sklearn"}}
    if m.sometimes(0.8):
        traits["replicas"] = {"min": 1, "max": m.one([1, 3])}
    labels = m.one([{"unit": "retail"}, {"unit": "retail"}, {"unit": "treasury"}, {}])
    callers, egress = (m.one([("gateway",), ("metrics", "gateway")]) if m.sometimes(0.25) else () for _ in range(2))
    return residency.Asked(ref, classes, labels, tuple(images), ("--verbose", arguments), traits, callers, egress)
