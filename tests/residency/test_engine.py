"""The engine beside its verdicts: what it tells an author, the whole matrix, whom a policy is for, and that it confuses no two models."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from builders import (
    ARTIFACT,
    IMAGE,
    NOW,
    TOMORROW,
    Case,
    attestation,
    case,
    classification,
    exception,
    group,
    member,
    model_ref,
    policy,
    record,
    rule,
)
from domicile import residency
from domicile.api import ClusterAttestation
from domicile.residency import Outcome

FAR = datetime(2030, 1, 1, tzinfo=UTC)

# What is wrong with a policy, for its author.

FAULTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "nothing": (policy(rules=[rule()]), ()),
    "a group that is not there": (
        policy(key_store=["SG", "group:asia"]),
        ("spec.allow.keyStore: group:asia: there is no such JurisdictionGroup",),
    ),
    "a group that is not there, for the hub": (
        policy(hub=["group:asia"]),
        ("spec.allow.hub: group:asia: there is no such JurisdictionGroup",),
    ),
    "an expression that cannot be read": (
        policy(rules=[rule("typo", "cluster.nothing == 1"), rule("fine", "true")]),
        (
            (
                "spec.rules[typo].expression: line 1, column 8: undefined field 'nothing' not found in struct"
                " 'domicile.Cluster'"
            ),
        ),
    ),
}


@pytest.mark.parametrize(("written", "faults"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_told_to_the_author(written: Any, faults: tuple[str, ...]) -> None:
    engine = residency.Engine(residency.Law((written,), groups=(group("asean"),)))
    assert engine.faults("sg-customer-data") == faults


def test_whom_a_policy_is_for() -> None:
    asked = case(
        policies=[policy("b"), policy("a"), policy("c", spec={"mode": "Audit"}), policy("d", data_classes=["x"])]
    )
    engine = residency.Engine(asked.law)
    assert engine.policies_for(asked.question.asked) == ("a", "b")
    uncovered = asked.but(data_classes=("customer.pii", "health"))
    assert engine.policies_for(uncovered.question.asked) == ("a", "b")


# The whole matrix.

RULES = [
    "allow.workers",
    "allow.controlPlane",
    "allow.operator",
    "allow.operatorParent",
    "allow.keyStore",
    "allow.registry",
    "allow.telemetry",
    "allow.hub",
    "allow.hosts",
    "allow.callers",
    "allow.egress",
    "onContradiction",
]


def explained(asked: Case) -> tuple[residency.Explained, ...]:
    return residency.Engine(asked.law).explain(asked.question)


def test_the_matrix_has_every_rule_of_every_policy_on_every_site() -> None:
    pools = [
        {"name": n, "nodeSelector": {"node-restriction.kubernetes.io/site": n}, "workers": {"jurisdiction": "SG"}}
        for n in ("b", "a")
    ]
    rows = explained(
        case(
            policies=[policy("p", rules=[rule()]), policy("q"), policy("t", spec={"mode": "Audit"})],
            attestations=[attestation(workers=None, has={"nodePools": pools}), attestation("de", of="de")],
            members=[member("sg"), member("de")],
        )
    )
    assert [(row.member.name, row.pool) for row in rows] == [("de", ""), ("sg", "a"), ("sg", "b")]
    for row in rows:
        assert [(r.policy, r.rule) for r in row.results] == [
            *(("p", name) for name in [*RULES, "assured-cloud"]),
            *(("q", name) for name in RULES),
        ]
        assert [(r.policy, r.rule) for r in row.audited] == [("t", name) for name in RULES]


def test_the_matrix_is_empty_where_no_policy_speaks_of_the_model() -> None:
    assert explained(case(policies=[policy(data_classes=["health"])])) == ()


def test_the_matrix_has_what_a_policy_in_audit_mode_says_where_no_other_covers_the_model() -> None:
    (row,) = explained(case(policies=[policy("t", spec={"mode": "Audit"})]))
    assert row.results == ()
    assert [r.rule for r in row.audited] == RULES


def test_the_matrix_shows_what_settles_a_rule() -> None:
    (row,) = explained(
        case(
            policies=[
                policy(rules=[rule("register", None, onUnmet="RequireRecord", record="outsourcing")], telemetry=[])
            ],
            records=[record()],
            exceptions=[exception()],
        )
    )
    settled = {r.rule: r.settled_by for r in row.results if r.settled_by}
    assert settled == {
        "register": "ResidencyRecord/register-17",
        "allow.telemetry": "ResidencyException/ticket-4711",
    }
    assert not any(r.denies for r in row.results)


# What findings say.

BASIS = {"type": "Regulation", "source": "MAS Notice 658", "clause": "7.1", "asOf": "2024-12-11"}
NO_CLAUSE = {"type": "Law", "source": "the act", "asOf": "2024-12-11"}
CALLED_HOUSE = {"type": "OrgPolicy", "source": "House rule: keys"}


def node_pool(name: str, workers: str, **labels: str) -> dict[str, Any]:
    selector = {f"node-restriction.kubernetes.io/{label}": value for label, value in (labels or {"site": name}).items()}
    return {"name": name, "nodeSelector": selector, "workers": {"jurisdiction": workers}}


def pooled(name: str, *pools: dict[str, Any], workers: str | None = None, **changed: Any) -> ClusterAttestation:
    return attestation(name, workers=workers, has={"nodePools": list(pools)}, **changed)


SAYS: dict[str, tuple[Case, str]] = {
    "a pool that is no part of the whole": (
        case(attestations=[pooled("a", node_pool("b", "PH"), workers="SG")]),
        "pool b: worker nodes are in an unknown place: attestations contradict each other (a says PH, a says SG)",
    ),
    "a whole that a pool under another name is no part of": (
        case(attestations=[attestation("a"), pooled("z", node_pool("b", "PH"), of="sg-old", at="sg", everything=None)]),
        "worker nodes are in an unknown place: attestations contradict each other (a says SG, z says PH of pool b)",
    ),
    "a pool with two labels": (
        case(attestations=[pooled("a", node_pool("b", "SG", site="1")), pooled("c", node_pool("b", "SG", site="2"))]),
        "pool b: worker nodes are in an unknown place: attestations contradict each other about the labels of pool b",
    ),
    "a node that may be of two pools": (
        case(attestations=[pooled("a", node_pool("b", "SG", site="1"), node_pool("c", "PH", rack="1"))]),
        "pool b: worker nodes are in an unknown place: a node may be of pool b and of pool c, which is in PH",
    ),
    "a rule without words of its own": (
        case(policies=[policy(rules=[rule("never", "false")])]),
        "rule never is not met: false (house rule: Data standard, 7.2)",
    ),
    "a rule with words of its own": (
        case(policies=[policy(rules=[rule("never", "false", message="not here", basis=BASIS)])]),
        "not here (Regulation: MAS Notice 658, 7.1)",
    ),
    "a rule that rests on a source without a clause": (
        case(policies=[policy(rules=[rule("never", "false", message="not here", basis=NO_CLAUSE)])]),
        "not here (Law: the act)",
    ),
    "a rule whose author is not sure": (
        case(
            policies=[policy(rules=[rule("never", "false", message="not here", basis={**BASIS, "confidence": "Low"})])]
        ),
        "not here (Regulation: MAS Notice 658, 7.1; confidence is low)",
    ),
    "a rule that fails": (
        case(policies=[policy(rules=[rule("keys", "1 / 0 == 1")])]),
        "rule keys could not be evaluated: divide by zero (house rule: Data standard, 7.2)",
    ),
    "a rule that cannot be read": (
        case(policies=[policy(rules=[rule("typo", "cluster.name")])]),
        "rule typo cannot be read: it gives string, and a rule is true or false (house rule: Data standard, 7.2)",
    ),
    "a record that is missing": (
        case(policies=[policy(rules=[rule("reg", None, onUnmet="RequireRecord", record="outsourcing")])]),
        "no outsourcing record covers the model on sg in SG (house rule: Data standard, 7.2)",
    ),
    "a record that is missing, with words and bases": (
        case(
            policies=[
                policy(
                    rules=[
                        rule(
                            "t",
                            None,
                            onUnmet="RequireRecord",
                            record="transfer",
                            message="Data leaves.",
                            transferBases=["Contract", "Consent"],
                        )
                    ]
                )
            ]
        ),
        (
            "Data leaves; no transfer record on the basis of Consent or Contract covers the model on sg in SG"
            " (house rule: Data standard, 7.2)"
        ),
    ),
    "a house rule that its source calls one": (
        case(
            policies=[policy(rules=[rule("never", "false", message="not here", basis={**NO_CLAUSE, **CALLED_HOUSE})])]
        ),
        "not here (House rule: keys)",
    ),
    "a rule that wants a record of no kind": (
        case(policies=[policy(rules=[rule("odd", None, onUnmet="RequireRecord")])], records=[record()]),
        "rule odd wants a record (house rule: Data standard, 7.2)",
    ),
    "a host": (
        case(policies=[policy(hosts=["b.example", "a.example"])], arguments=("http://x.example", "http://y.example")),
        "the server's arguments name x.example, y.example, sg-customer-data allows a.example, b.example",
    ),
    "a host where none is allowed": (
        case(arguments=("http://x.example",)),
        "the server's arguments name x.example, sg-customer-data allows none (spec.allow.hosts is empty)",
    ),
    "a list with its source": (
        case(policies=[policy(workers=["DE", "group:asia"], spec={"basis": BASIS})]),
        (
            "worker nodes are in SG, sg-customer-data allows DE, group:asia (group:asia: no such JurisdictionGroup)"
            " (Regulation: MAS Notice 658, 7.1)"
        ),
    ),
    "a registry": (
        case(attestations=[attestation(registry="DE")]),
        "registry registry.sg.example is in DE, sg-customer-data allows SG",
    ),
    "a registry that nobody speaks of": (
        case(attestations=[attestation("a", registry=None)]),
        "registry registry.sg.example is in an unknown place: a does not say it",
    ),
    "a hub without an identity": (
        case(hub=None),
        "the hub is in an unknown place: the hub does not know its own identity",
    ),
    "nodes": (
        case(
            attestations=[attestation(has={"nodes": {"regions": ["sg-1"], "providerPrefixes": ["aws:"]}})],
            members=[
                residency.Member(member(), reported=residency.Reported(frozenset({"b", "a"}), frozenset({"gce:"})))
            ],
        ),
        "a node says that it is in region a, and that contradicts what was attested",
    ),
    "a provider": (
        case(
            attestations=[attestation(has={"nodes": {"providerPrefixes": ["aws:"]}})],
            members=[
                residency.Member(member(), reported=residency.Reported(frozenset(), frozenset({"gce:", "aws:x"})))
            ],
        ),
        "a node says that it is of gce:, and that contradicts what was attested",
    ),
}


@pytest.mark.parametrize(("asked", "message"), SAYS.values(), ids=SAYS.keys())
def test_findings_say_what_was_found_and_on_what_the_rule_rests(asked: Case, message: str) -> None:
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Unlawful)
    assert [finding.message for finding in verdict.findings] == [message]


def test_a_rule_that_no_record_can_settle_says_why() -> None:
    wanted = rule("reg", None, onUnmet="RequireRecord", record="outsourcing")
    (verdict,) = case(policies=[policy(rules=[wanted])], attestations=[attestation(workers=None)]).judge().verdicts
    assert isinstance(verdict, residency.Unlawful)
    assert [finding.message for finding in verdict.findings] == [
        "worker nodes are in an unknown place: sg-2026 does not say it",
        "no outsourcing record covers the model on sg, whose nodes are in an unknown place (house rule: Data standard, 7.2)",
    ]


def test_of_pools_the_one_that_comes_nearest_is_told() -> None:
    pools = [
        {"name": n, "nodeSelector": {"node-restriction.kubernetes.io/site": n}, "workers": {"jurisdiction": w}}
        for n, w in (("a", "DE"), ("b", "MY"))
    ]
    asked = case(
        policies=[policy(workers=["SG", "MY"], rules=[rule("pool", "cluster.pool == 'c'"), rule("de", "true")])],
        attestations=[attestation(workers=None, has={"nodePools": pools})],
    )
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Unlawful)
    assert [f.message for f in verdict.findings] == [
        "pool b: rule pool is not met: cluster.pool == 'c' (house rule: Data standard, 7.2)"
    ]


def test_conflicts_name_the_lists_that_exclude_each_other() -> None:
    asked = case(
        policies=[policy("a", workers=["SG", "MY"]), policy("b", workers=["DE"]), policy("c", workers=["MY-14"])]
    )
    assert asked.judge().conflicts == (
        "no place is allowed by all for workers: a allows MY, SG, b allows DE, c allows MY-14",
    )


@pytest.mark.parametrize(
    "lists", [(["MY"], ["MY-14"]), (["SG"], []), (["group:asean"], ["PH"])], ids=["a part", "a closed one", "a group"]
)
def test_no_conflict(lists: tuple[list[str], list[str]]) -> None:
    policies = [policy(name, workers=listed) for name, listed in zip("ab", lists, strict=True)]
    assert case(policies=policies, groups=[group("asean")]).judge().conflicts == ()


# No two models are confused, whatever was asked before.

APART: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "by name": ("model.name == 'chat'", {"ref": model_ref("chat")}, {"ref": model_ref("other")}),
    "by namespace": ("model.namespace == 'a'", {"ref": model_ref(namespace="a")}, {"ref": model_ref(namespace="b")}),
    "by a label": (
        "model.namespaceLabels.unit == 'a'",
        {"namespace_labels": {"unit": "a"}},
        {"namespace_labels": {"unit": "b"}},
    ),
    "by a label that is not there": (
        "has(model.namespaceLabels.unit)",
        {"namespace_labels": {"unit": "a"}},
        {"namespace_labels": {}},
    ),
    "by what is pulled": ("size(model.artifacts) == 1", {"artifacts": (ARTIFACT,)}, {"artifacts": (ARTIFACT, IMAGE)}),
    "by a trait": ("model.accelerators == 1", {"traits": {"accelerators": 1}}, {"traits": {"accelerators": 2}}),
    "by a trait that is not there": ("has(model.accelerators)", {"traits": {"accelerators": 0}}, {"traits": {}}),
    "by a part of a trait": (
        "model.replicas.max == 2",
        {"traits": {"replicas": {"min": 1, "max": 2}}},
        {"traits": {"replicas": {"min": 1, "max": 3}}},
    ),
    "by a trait that is null, and one that is not there": (
        "has(model.replicas)",
        {"traits": {"replicas": None}},
        {"traits": {}},
    ),
    "by data class": ("'a' in model.dataClasses", {"data_classes": ("a",)}, {"data_classes": ("b",)}),
    "by anything": ("model == model && model.name == 'chat'", {"ref": model_ref("chat")}, {"ref": model_ref("x")}),
    "by who may ask": ("true", {"callers": ()}, {"callers": ("gateway",)}),
    "by what it may ask": ("true", {"egress": ()}, {"egress": ("dns",)}),
    "by the host of an argument": ("true", {"arguments": ()}, {"arguments": ("http://x.example",)}),
    "by the registry": ("true", {}, {"artifacts": ("elsewhere.example/x@sha256:1",)}),
}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", APART)
def test_an_engine_tells_models_apart(name: str, first: int) -> None:
    expression, *models = APART[name]
    law = case(policies=[policy(data_classes=[], rules=[rule(expression=expression)])])
    engine = residency.Engine(law.law)
    expected = [True, False]
    for index in (first, 1 - first, first):
        (verdict,) = engine.judge(law.but(**models[index]).question).verdicts
        assert isinstance(verdict, residency.Lawful) is expected[index]


def test_an_engine_tells_models_apart_by_what_a_record_covers() -> None:
    wants = policy(data_classes=[], rules=[rule("reg", None, onUnmet="RequireRecord", record="outsourcing")])
    asked = case(
        policies=[wants], records=[record(scope={"namespaces": ["retail-banking"], "dataClasses": ["customer.pii"]})]
    )
    engine = residency.Engine(asked.law)
    for changed, lawful in (
        ({}, True),
        ({"ref": model_ref(namespace="treasury")}, False),
        ({"data_classes": ("customer.pii", "health")}, False),
        ({}, True),
    ):
        (verdict,) = engine.judge(asked.but(**changed).question).verdicts
        assert isinstance(verdict, residency.Lawful) is lawful


def test_an_engine_tells_models_apart_by_what_is_only_audited() -> None:
    trial = policy("trial", rules=[rule("chat", "model.name == 'chat'")], spec={"mode": "Audit"})
    asked = case(policies=[policy("bank"), trial])
    engine = residency.Engine(asked.law)
    for name, audited in (("chat", []), ("other", ["RuleNotMet"]), ("chat", [])):
        (verdict,) = engine.judge(asked.but(ref=model_ref(name)).question).verdicts
        assert [finding.reason for finding in verdict.audited] == audited


def test_what_was_worked_out_once_is_kept_until_time_changes_it() -> None:
    """The very same verdicts: what is worked out anew each time costs a thousand times as much."""
    asked = case(attestations=[attestation(until=TOMORROW)], policies=[policy(spec={"warnBefore": "1h"})])
    engine = residency.Engine(asked.law)
    first = engine.judge(asked.question).verdicts
    elsewhere = tuple(artifact.replace("models/fraud", "other/chat") for artifact in (ARTIFACT, IMAGE))
    another = asked.but(ref=model_ref("chat"), artifacts=elsewhere, now=NOW + timedelta(hours=1))
    assert engine.judge(asked.question).verdicts is first
    assert engine.judge(another.question).verdicts is first
    assert engine.judge(asked.but(now=TOMORROW).question).verdicts is not first


def test_a_finding_says_which_pool_it_is_about() -> None:
    pools = [
        {"name": "b", "nodeSelector": {"node-restriction.kubernetes.io/site": "b"}, "workers": {"jurisdiction": "PH"}}
    ]
    pooled = case(attestations=[attestation(workers=None, has={"nodePools": pools})])
    whole = case(attestations=[attestation(workers="PH")])
    for asked, pool in ((pooled, "b"), (whole, "")):
        (verdict,) = asked.judge().verdicts
        assert isinstance(verdict, residency.Unlawful)
        assert [finding.pool for finding in verdict.findings] == [pool]


def test_an_engine_may_be_asked_of_a_moment_before_the_last() -> None:
    """A replay asks in any order."""
    asked = case(policies=[policy(spec={"warnBefore": "12h"})], attestations=[attestation(until=TOMORROW)])
    engine = residency.Engine(asked.law)
    for now in (NOW + timedelta(hours=13), NOW, TOMORROW, NOW + timedelta(hours=13), NOW):
        assert engine.judge(asked.but(now=now).question) == asked.but(now=now).judge()


def test_an_engine_sees_members_and_a_hub_that_changed() -> None:
    asked = case(
        policies=[policy(hub=["SG"])], attestations=[attestation(), attestation("hub", of="hub")], hub=member("hub")
    )
    engine = residency.Engine(asked.law)
    elsewhere = residency.Member(member(), mirrors=(("registry.sg.example", "mirror.example"),))
    for changed, lawful in (({}, True), ({"members": (elsewhere,)}, False), ({"hub": None}, False), ({}, True)):
        (verdict,) = engine.judge(asked.but(**changed).question).verdicts
        assert isinstance(verdict, residency.Lawful) is lawful


def test_a_rule_that_asks_for_now_is_asked_again_when_its_answer_changes() -> None:
    asked = case(policies=[policy(rules=[rule(expression="now < timestamp('2026-11-23T09:02:00Z')")])])
    engine = residency.Engine(asked.law)
    for seconds, lawful in ((0, True), (119, True), (120, False)):
        at = NOW.replace(minute=seconds // 60, second=seconds % 60)
        (verdict,) = engine.judge(asked.but(now=at).question).verdicts
        assert isinstance(verdict, residency.Lawful) is lawful


def test_what_is_known_is_unknown_is_not_met() -> None:
    asked = case(policies=[policy(rules=[rule("keys", "cluster.keyStore.jurisdiction == 'SG'")])])
    for changed, outcome in (
        ({}, Outcome.MET),
        ({"attestations": (attestation(key_store="MY"),)}, Outcome.UNMET),
        ({"attestations": (attestation(key_store=None),)}, Outcome.UNKNOWN),
    ):
        (row,) = explained(asked.but(**changed))
        assert row.results[-1].outcome is outcome


def test_an_engine_tells_models_apart_by_what_each_rule_of_a_policy_reads() -> None:
    rules = [rule("name", "model.name == 'chat'"), rule("namespace", "model.namespace == 'a'")]
    asked = case(policies=[policy(rules=rules)])
    engine = residency.Engine(asked.law)
    assert [engine.reads("sg-customer-data", name) for name in ("name", "namespace", "other")] == [
        {"name"},
        {"namespace"},
        frozenset(),
    ]
    for name, namespace, reasons in (("chat", "a", []), ("x", "a", ["name"]), ("chat", "b", ["namespace"])):
        (verdict,) = engine.judge(asked.but(ref=model_ref(name, namespace)).question).verdicts
        assert [f.rule for f in (verdict.findings if isinstance(verdict, residency.Unlawful) else ())] == reasons


def test_a_judgement_says_by_which_classes_and_policies_it_was_made() -> None:
    floor = classification(floors={"retail-banking": ["health"]})
    asked = case(policies=[policy("a"), policy("b", data_classes=["health"])], classifications=[floor])
    judgement = asked.judge()
    assert judgement.data_classes == ("customer.pii", "health")
    assert isinstance(judgement.coverage, residency.Covered)
    assert [p.metadata.name for p in judgement.coverage.policies] == ["a", "b"]


def test_where_a_class_has_no_policy_others_are_not_asked() -> None:
    asks_for_now = [rule(expression="now < timestamp('2027-01-01T00:00:00Z')")]
    audit = policy("trial", spec={"mode": "Audit"}, rules=[rule(expression="now < timestamp('2028-01-01T00:00:00Z')")])
    judgement = case(
        policies=[policy("a", workers=["SG"]), policy("b", workers=["DE"], rules=asks_for_now), audit],
        data_classes=["customer.pii", "health"],
        attestations=[attestation(until=FAR), attestation("hub", of="hub", until=FAR)],
        hub=member("hub"),
    ).judge()
    assert judgement.conflicts == ()
    assert judgement.look_again == datetime(2028, 1, 1, tzinfo=UTC)


def test_a_certificate_that_no_rule_speaks_of_may_end_in_silence() -> None:
    ends = {"name": "SS584", "level": 3, "number": "1", "scope": "all", "validUntil": TOMORROW.isoformat()}
    asked = case(
        attestations=[attestation(has={"certifications": [ends]})], policies=[policy(spec={"warnBefore": "48h"})]
    )
    (verdict,) = asked.judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert verdict.warnings == ()
    speaks = policy(
        rules=[rule(expression="cluster.certifications.exists(c, c.name == 'SS584')")], spec={"warnBefore": "48h"}
    )
    (verdict,) = asked.but(policies=(speaks,)).judge().verdicts
    assert isinstance(verdict, residency.Lawful)
    assert verdict.warnings == ("certificate SS584 of sg ends at 2026-11-24T09:00:00Z",)


@pytest.mark.parametrize("of", ["sg", "hub"])
def test_an_engine_that_is_asked_on_sees_a_fact_begin(of: str) -> None:
    begins = attestation("new", of=of, since=NOW + timedelta(hours=1))
    known = [attestation(), attestation("hub-2026", of="hub")]
    asked = case(attestations=[*(a for a in known if a.spec.cluster_ref.name != of), begins], hub=member("hub"))
    engine = residency.Engine(asked.law)
    for minutes, lawful in ((0, False), (59, False), (60, True), (61, True)):
        (verdict,) = engine.judge(asked.but(now=NOW + timedelta(minutes=minutes)).question).verdicts
        assert isinstance(verdict, residency.Lawful) is lawful


def test_a_rule_that_asks_for_now_is_looked_at_again_where_no_fact_has_an_end() -> None:
    rules = [rule(expression="now < timestamp('2026-11-24T09:00:00Z')")]
    judgement = case(policies=[policy(rules=rules)], attestations=[], hub=None).judge()
    assert judgement.look_again == TOMORROW
