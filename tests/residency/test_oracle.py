"""The engine and the oracle, a second implementation written from docs/residency.md, say the same of random cases.

2,000 cases in the usual run, 100,000 with DOMICILE_TESTS=full. Each asks an engine that was asked nothing before and one
that lives through the whole case. A case that fails is named by its seed: generated(seed) is it again.
"""

import ast
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, Case, attestation, case, exception, member, policy, rule
from domicile import residency
from domicile.residency.dimensions import WORDS
from residency import oracle
from residency.generated import FEATURES, KNOWN, SITE, SOUND, Generated, generated

USUAL = 2_000
CASES = 100_000 if os.environ.get("DOMICILE_TESTS") == "full" else int(os.environ.get("DOMICILE_ORACLE_CASES", USUAL))
HOUR = timedelta(hours=1)

REASONS = {
    "NoMatchingPolicy",
    "HostNotAllowed",
    "CallerNotAllowed",
    "EgressNotAllowed",
    "NodesContradictAttestation",
    "RecordMissing",
    "RuleFailed",
    "RuleInvalid",
    "RuleNotMet",
    *(f"{words.prefix}JurisdictionUnknown" for words in WORDS.values()),
    *(f"{words.prefix}OutsideJurisdiction" for words in WORDS.values()),
}
FLOORS = {
    **dict.fromkeys(REASONS, 100),
    "lawful": 1_500,
    "unlawful": 2_000,
    "lawful by a record": 50,
    "lawful by an exception": 50,
    "lawful on a pool and not on all": 50,
    "lawful with advice": 50,
    "audited": 50,
    "conflict": 10,
    "changed by time alone": 50,
    **{f"rule: {text}": 5 for text in (*oracle.MEANINGS, *oracle.UNREADABLE)},
}
"""How often each must come in 2,000 cases at the least, so that the comparison cannot go blind."""


@dataclass
class Seen:
    """What was compared, and where the three did not agree."""

    questions: int = 0
    verdicts: int = 0
    count: Counter[str] = field(default_factory=Counter[str])
    apart: list[str] = field(default_factory=list[str])


def node_pool(name: str, workers: str, **selector: str) -> dict[str, Any]:
    labels = {f"node-restriction.kubernetes.io/{label}": value for label, value in selector.items()}
    return {"name": name, "nodeSelector": labels or {SITE: name}, "workers": {"jurisdiction": workers}}


def pooled(name: str = "sg-2026", *pools: dict[str, Any], **changed: Any) -> Any:
    return attestation(name, workers=None, has={"nodePools": list(pools)}, **changed)


EACH_ALONE: dict[str, tuple[Case, ...]] = {
    "an unknown registry beside one elsewhere, and an exception": (
        case(
            attestations=[attestation(host="a.example", registry="PH")],
            artifacts=("a.example/x@sha256:1", "b.example/y@sha256:2"),
            exceptions=[exception(rule="allow.registry")],
        ),
    ),
    "a hub that is attested by pool": (
        case(
            policies=[policy(hub=["SG"])],
            attestations=[
                attestation(),
                pooled("of-the-hub", node_pool("a", "SG"), node_pool("b", "DE"), of="hub"),
            ],
            hub=member("hub"),
        ),
    ),
    "pools that one node could match both": (
        case(attestations=[pooled("a", node_pool("a", "SG", site="1"), node_pool("b", "PH", site="1", rack="2"))]),
    ),
    "a pool that a second name contradicts": (
        case(
            attestations=[
                pooled("a", node_pool("a", "SG")),
                pooled("b", node_pool("a", "PH"), of="sg-old", at="sg", everything=None),
            ]
        ),
    ),
    "a pool that only a second name has": (
        case(
            attestations=[
                pooled("a", node_pool("a", "SG", site="1")),
                pooled("b", node_pool("b", "PH", site="1"), of="sg-old", at="sg", everything=None),
            ]
        ),
    ),
    "a long life and a rule that asks for now": tuple(
        case(
            policies=[
                policy("a", data_classes=["public"]),
                policy("b", data_classes=["health"], rules=[rule(expression=next(iter(oracle.OF_NOW)))]),
            ],
            data_classes=[data_class],
            now=now,
        )
        for data_class, now in (("public", NOW), ("health", NOW + HOUR))
    ),
}
"""For each feature of a generated case that is not plain, questions that turn on it alone. Those to the same law are put one after the other."""


def compare(made: Generated, seen: Seen) -> None:
    old = residency.Engine(made.law)
    before: dict[residency.ModelRef, list[bool]] = {}
    for question in made.questions:
        fresh, lived = residency.judge(made.law, question), old.judge(question)
        seen.questions += 1
        seen.count["conflict"] += bool(fresh.conflicts)
        members = sorted(question.members, key=lambda m: m.id)
        found: list[bool] = []
        for asked, one, other in zip(members, fresh.verdicts, lived.verdicts, strict=True):
            expected = oracle.lawful(made.law, question.asked, asked, question.hub, question.now)
            answers = {
                "oracle": expected,
                "fresh": isinstance(one, residency.Lawful),
                "lived": isinstance(other, residency.Lawful),
            }
            seen.verdicts += 1
            seen.count.update(_kinds(one))
            found.append(expected)
            if len(set(answers.values())) > 1:
                seen.apart.append(f"{made}, {asked.id} at {question.now.isoformat()}: {answers}")
        if question.asked is made.questions[0].asked:
            seen.count["changed by time alone"] += found != before.setdefault(question.asked.ref, found)
    for each in made.law.policies:
        seen.count.update({f"rule: {r.expression}" for r in each.spec.rules if r.expression})


def _kinds(verdict: residency.Verdict) -> Iterator[str]:
    if verdict.audited:
        yield "audited"
    if isinstance(verdict, residency.Unlawful):
        yield "unlawful"
        yield from {finding.reason for finding in verdict.findings}
        return
    yield "lawful"
    told = {
        "lawful by a record": verdict.records,
        "lawful by an exception": verdict.exceptions,
        "lawful on a pool and not on all": any(verdict.pools),
        "lawful with advice": verdict.advice,
    }
    yield from (kind for kind, found in told.items() if found)


def test_the_oracle_a_fresh_engine_and_one_that_lived_long_agree() -> None:
    seen = Seen()
    for seed in range(CASES):
        compare(generated(seed, SOUND), seen)
    print(f"\n{CASES} cases, {seen.questions} questions, {seen.verdicts} verdicts: {len(seen.apart)} apart")
    print("\n".join(f"{number:>8}  {kind}" for kind, number in sorted(seen.count.items(), key=lambda each: -each[1])))
    assert not seen.apart, "\n".join(seen.apart[:10])
    blind = {k: seen.count[k] for k, floor in FLOORS.items() if seen.count[k] < floor * CASES // USUAL}
    assert not blind or CASES < USUAL, f"too seldom: {blind}"
    assert {kind for kind in seen.count if kind[0].isupper()} <= REASONS, "a reason that has no floor"


@pytest.mark.parametrize(
    "feature",
    [pytest.param(f, marks=pytest.mark.xfail(reason=KNOWN[f], strict=True)) if f in KNOWN else f for f in EACH_ALONE],
)
def test_they_agree_where_a_case_is_not_plain(feature: str) -> None:
    seen = Seen()
    for first in EACH_ALONE[feature]:
        together = tuple(each.question for each in EACH_ALONE[feature] if each.law == first.law)
        compare(Generated(0, first.law, together), seen)
    assert not seen.apart, "\n".join(seen.apart)


def test_every_feature_has_a_case_of_its_own() -> None:
    assert EACH_ALONE.keys() | {f for f in FEATURES if "warning" in f or "end" in f} == FEATURES  # test_properties.py
    assert KNOWN.keys() <= FEATURES


def test_the_oracle_shares_no_code_with_the_engine() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""])
    }
    assert imported == {"re", "collections.abc", "dataclasses", "datetime", "typing"}


def test_the_same_seed_is_the_same_case() -> None:
    assert generated(7) == generated(7)
    assert generated(7) != generated(8)
