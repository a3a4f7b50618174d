"""Where a model may run: each rule as a table, and what holds for all inputs as properties."""

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, TOMORROW, YESTERDAY, attestation, member, policy, question
from domicile import residency
from domicile.api import ClusterAttestation, ResidencyPolicy
from domicile.residency.facts import DIMENSIONS
from domicile.residency.verdict import Finding

HOUR = timedelta(hours=1)


def verdict(asked: residency.Question) -> residency.Verdict:
    (only,) = residency.judge(asked).verdicts
    return only


def reasons(asked: residency.Question) -> list[str]:
    found = verdict(asked)
    return [] if isinstance(found, residency.Lawful) else [finding.reason for finding in found.findings]


LAWFUL = {
    "all that is known is allowed": question(),
    "a part of an allowed country": question(
        policies=[policy(everywhere=["SG", "MY"])], attestations=[attestation(workers="MY-14")]
    ),
    "each dimension has its own list": question(
        policies=[policy(operator=["SG", "JP"])], attestations=[attestation(operator="JP")]
    ),
    "two attestations that agree": question(attestations=[attestation("a"), attestation("b")]),
    "two that complete each other": question(
        attestations=[attestation("a", workers=None), attestation("b", everything=None, workers="SG")]
    ),
    "two policies that both allow": question(policies=[policy("a"), policy("b", everywhere=["SG", "DE"])]),
    "in force from this very moment": question(attestations=[attestation(since=NOW)]),
    "a policy for every data class": question(policies=[policy(data_classes=[])]),
    "another's attestation says otherwise": question(
        attestations=[attestation(), attestation("ph", of="ph", everything="PH")]
    ),
    "what has ended says otherwise": question(
        attestations=[attestation(), attestation("old", workers="PH", until=YESTERDAY)]
    ),
}


@pytest.mark.parametrize("asked", LAWFUL.values(), ids=LAWFUL.keys())
def test_lawful(asked: residency.Question) -> None:
    assert reasons(asked) == []


UNLAWFUL = {
    "no policy at all": (question(policies=[]), ["NoMatchingPolicy"]),
    "a policy for other data": (question(policies=[policy(data_classes=["telemetry"])]), ["NoMatchingPolicy"]),
    "one of two data classes has no policy": (
        question(data_classes=["customer.pii", "health"]),
        ["NoMatchingPolicy"],
    ),
    "no data class at all": (question(data_classes=[]), ["NoMatchingPolicy"]),
    "a policy for other namespaces": (
        question(policies=[policy(namespaces={"matchLabels": {"unit": "retail"}})], labels={"unit": "treasury"}),
        ["NoMatchingPolicy"],
    ),
    "another country": (question(attestations=[attestation(workers="PH")]), ["WorkersOutsideJurisdiction"]),
    "a country is not within its part": (
        question(policies=[policy(workers=["MY-14"])], attestations=[attestation(workers="MY")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "another part of the country": (
        question(policies=[policy(workers=["MY-14"])], attestations=[attestation(workers="MY-10")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "a code that only begins alike": (
        question(policies=[policy(workers=["US-N"])], attestations=[attestation(workers="US-NY")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "a dimension that is not listed": (question(policies=[policy(telemetry=[])]), ["TelemetryOutsideJurisdiction"]),
    "a fact that is left out": (question(attestations=[attestation(registry=None)]), ["RegistryJurisdictionUnknown"]),
    "the second policy forbids": (
        question(policies=[policy("a"), policy("b", key_store=["DE"])]),
        ["KeyStoreOutsideJurisdiction"],
    ),
    "nothing attested": (
        question(attestations=[]),
        [
            f"{d}JurisdictionUnknown"
            for d in ("Workers", "ControlPlane", "Operator", "KeyStore", "Registry", "Telemetry")
        ],
    ),
    "all of it elsewhere": (
        question(attestations=[attestation(everything="PH")]),
        [
            f"{d}OutsideJurisdiction"
            for d in ("Workers", "ControlPlane", "Operator", "KeyStore", "Registry", "Telemetry")
        ],
    ),
}


@pytest.mark.parametrize(("asked", "expected"), UNLAWFUL.values(), ids=UNLAWFUL.keys())
def test_unlawful(asked: residency.Question, expected: list[str]) -> None:
    assert reasons(asked) == expected


UNKNOWN = {
    "none": ([], "no ClusterAttestation is for this cluster"),
    "ended": (
        [attestation("a", until=YESTERDAY - HOUR), attestation("b", until=YESTERDAY)],
        "b ended at 2026-11-22T09:00:00Z",
    ),
    "ends at this very moment": ([attestation("a", until=NOW)], "a ended at 2026-11-23T09:00:00Z"),
    "not begun": (
        [attestation("late", since=TOMORROW + HOUR), attestation("soon", since=TOMORROW)],
        "soon is valid only from 2026-11-24T09:00:00Z",
    ),
    "of another cluster that had the name": (
        [attestation("a", at="sg-before")],
        f"a is for a cluster with UID {member(at='sg-before').uid}, this is another",
    ),
    "of this cluster under another name": (
        [attestation("a", of="sg-old", at="sg")],
        "no ClusterAttestation is for this cluster",
    ),
    "silent": ([attestation("a", workers=None)], "a does not say it"),
    "contradicted": (
        [attestation("a"), attestation("b", workers="PH")],
        "attestations contradict each other (a says SG, b says PH)",
    ),
    "contradicted under another name of the cluster": (
        [attestation("a"), attestation("b", of="sg-old", at="sg", workers="PH")],
        "attestations contradict each other (a says SG, b says PH)",
    ),
    "contradicted by a part of the same country": (
        [attestation("a", workers="MY"), attestation("b", workers="MY-14")],
        "attestations contradict each other (a says MY, b says MY-14)",
    ),
}


@pytest.mark.parametrize(("attestations", "why"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_why_a_fact_is_unknown(attestations: list[ClusterAttestation], why: str) -> None:
    found = verdict(question(policies=[policy(everywhere=["SG", "PH", "MY"])], attestations=attestations))
    assert isinstance(found, residency.Unlawful)
    first = found.findings[0]
    assert first.reason == "WorkersJurisdictionUnknown"
    assert first.message == f"worker nodes are in an unknown place: {why}"


MESSAGES = {
    "outside": (
        question(policies=[policy(workers=["SG", "JP"])], attestations=[attestation(workers="PH")]),
        Finding(
            "WorkersOutsideJurisdiction", "worker nodes are in PH, sg-customer-data allows JP, SG", "sg-customer-data"
        ),
    ),
    "closed dimension, in the field's own spelling": (
        question(policies=[policy(control_plane=[])]),
        Finding(
            "ControlPlaneOutsideJurisdiction",
            "the control plane is in SG, sg-customer-data allows none (spec.allow.controlPlane is empty)",
            "sg-customer-data",
        ),
    ),
    "no policy": (
        question(policies=[], data_classes=["b", "a"]),
        Finding("NoMatchingPolicy", "no ResidencyPolicy covers data class a, b in this namespace"),
    ),
}


@pytest.mark.parametrize(("asked", "finding"), MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_say_what_was_found_and_what_is_wanted(asked: residency.Question, finding: Finding) -> None:
    found = verdict(asked)
    assert isinstance(found, residency.Unlawful)
    assert found.findings == (finding,)


AGAIN = {
    "lawful until the attestation ends": (question(attestations=[attestation(until=TOMORROW)]), TOMORROW),
    "lawful until another one begins": (
        question(attestations=[attestation(until=TOMORROW + HOUR), attestation("next", since=TOMORROW)]),
        TOMORROW,
    ),
    "unlawful until one begins": (question(attestations=[attestation(since=TOMORROW)]), TOMORROW),
    "unlawful until the contradiction ends": (
        question(attestations=[attestation(), attestation("b", workers="PH", until=TOMORROW)]),
        TOMORROW,
    ),
    "time changes nothing without attestations": (question(attestations=[]), None),
    "time changes nothing without a policy": (question(policies=[]), None),
    "the earliest of the fleet": (
        question(
            members=[member("sg"), member("de")],
            attestations=[attestation(), attestation("de", of="de", everything="DE", until=TOMORROW)],
        ),
        TOMORROW,
    ),
}


@pytest.mark.parametrize(("asked", "moment"), AGAIN.values(), ids=AGAIN.keys())
def test_when_to_look_again(asked: residency.Question, moment: object) -> None:
    assert residency.judge(asked).look_again == moment


def test_a_lawful_verdict_names_what_it_rests_on() -> None:
    asked = question(
        policies=[policy("b"), policy("a"), policy("other", data_classes=["telemetry"])],
        attestations=[attestation("z", until=TOMORROW), attestation("y"), attestation("ended", until=YESTERDAY)],
    )
    assert verdict(asked) == residency.Lawful(member(), ("a", "b"), ("y", "z"), TOMORROW)


SELECTORS = {
    "empty selects all": ({}, {}, True),
    "the label": ({"matchLabels": {"unit": "retail"}}, {"unit": "retail", "more": "x"}, True),
    "another value": ({"matchLabels": {"unit": "retail"}}, {"unit": "treasury"}, False),
    "no such label": ({"matchLabels": {"unit": "retail"}}, {}, False),
    "In": ({"matchExpressions": [{"key": "unit", "operator": "In", "values": ["a", "b"]}]}, {"unit": "b"}, True),
    "In, another": ({"matchExpressions": [{"key": "unit", "operator": "In", "values": ["a"]}]}, {"unit": "b"}, False),
    "In, no label": ({"matchExpressions": [{"key": "unit", "operator": "In", "values": ["a"]}]}, {}, False),
    "NotIn": ({"matchExpressions": [{"key": "unit", "operator": "NotIn", "values": ["a"]}]}, {"unit": "b"}, True),
    "NotIn, it is": (
        {"matchExpressions": [{"key": "unit", "operator": "NotIn", "values": ["a"]}]},
        {"unit": "a"},
        False,
    ),
    "NotIn, no label": ({"matchExpressions": [{"key": "unit", "operator": "NotIn", "values": ["a"]}]}, {}, True),
    "Exists": ({"matchExpressions": [{"key": "unit", "operator": "Exists"}]}, {"unit": ""}, True),
    "Exists, no label": ({"matchExpressions": [{"key": "unit", "operator": "Exists"}]}, {}, False),
    "DoesNotExist": ({"matchExpressions": [{"key": "unit", "operator": "DoesNotExist"}]}, {}, True),
    "DoesNotExist, it does": (
        {"matchExpressions": [{"key": "unit", "operator": "DoesNotExist"}]},
        {"unit": "a"},
        False,
    ),
    "both parts must match": (
        {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]},
        {"a": "1"},
        False,
    ),
}


@pytest.mark.parametrize(("selector", "labels", "matches"), SELECTORS.values(), ids=SELECTORS.keys())
def test_namespace_selectors_read_as_in_kubernetes(
    selector: dict[str, object], labels: dict[str, str], matches: bool
) -> None:
    covered = residency.coverage(["customer.pii"], labels, [policy(namespaces=selector)])
    assert isinstance(covered, residency.Covered) is matches


# Properties. Few places, names and moments, so that they meet often.

PLACES = st.sampled_from(["SG", "MY", "MY-14", "DE"])
CLASSES = st.sampled_from(["customer.pii", "health"])
NAMES = st.sampled_from(["sg", "de"])
MOMENTS = st.sampled_from([YESTERDAY - HOUR, YESTERDAY, NOW, TOMORROW, TOMORROW + HOUR])


ODD_LISTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(DIMENSIONS), st.lists(PLACES, max_size=2, unique=True), max_size=2
)


@st.composite
def policies(draw: st.DrawFn, name: str = "p") -> ResidencyPolicy:
    wide = draw(st.lists(PLACES, min_size=1, max_size=3, unique=True))
    odd = draw(ODD_LISTS)
    return policy(name, everywhere=wide, data_classes=draw(st.lists(CLASSES, max_size=2, unique=True)), **odd)


@st.composite
def attestations(draw: st.DrawFn, name: str = "a") -> ClusterAttestation:
    odd = draw(st.dictionaries(st.sampled_from(DIMENSIONS), st.none() | PLACES, max_size=2))
    of = draw(NAMES)
    at = draw(st.sampled_from([of, of, of, "another"]))
    return attestation(name, of=of, at=at, everything=draw(PLACES), since=draw(MOMENTS), until=draw(MOMENTS), **odd)


@st.composite
def questions(draw: st.DrawFn) -> residency.Question:
    return question(
        policies=[draw(policies(f"p{i}")) for i in range(draw(st.integers(0, 3)))],
        attestations=[draw(attestations(f"a{i}")) for i in range(draw(st.integers(0, 4)))],
        members=[member("sg"), member("de")],
        data_classes=draw(st.lists(CLASSES, min_size=1, max_size=2, unique=True)),
    )


def allowed(asked: residency.Question) -> set[residency.MemberId]:
    return {v.member for v in residency.judge(asked).verdicts if isinstance(v, residency.Lawful)}


@given(questions(), policies("another"))
def test_a_policy_more_never_allows_more_to_a_model_that_is_covered(
    asked: residency.Question, more: ResidencyPolicy
) -> None:
    if isinstance(residency.judge(asked).coverage, residency.Covered):
        assert allowed(replace(asked, policies=(*asked.policies, more))) <= allowed(asked)


@given(questions(), st.randoms(use_true_random=False))
def test_order_never_matters(asked: residency.Question, chance: Random) -> None:
    shuffled = replace(
        asked,
        policies=tuple(chance.sample(asked.policies, len(asked.policies))),
        attestations=tuple(chance.sample(asked.attestations, len(asked.attestations))),
        members=tuple(reversed(asked.members)),
        data_classes=tuple(reversed(asked.data_classes)),
    )
    assert residency.judge(shuffled) == residency.judge(asked)


@given(questions(), st.sampled_from(DIMENSIONS))
def test_a_fact_less_never_allows_more_where_nothing_was_contradicted(asked: residency.Question, of: str) -> None:
    """All that is said of one dimension is taken back. (One of two that contradict may well be taken back: the other
    then stands.)"""
    silent = tuple(
        a.model_copy(update={"spec": a.spec.model_copy(update={"facts": a.spec.facts.model_copy(update={of: None})})})
        for a in asked.attestations
    )
    assert allowed(replace(asked, attestations=silent)) == set()


@given(questions())
def test_a_cluster_is_lawful_only_if_each_dimension_is_known_and_allowed_by_each_policy(
    asked: residency.Question,
) -> None:
    for found in allowed(asked):
        current = [
            a
            for a in asked.attestations
            if a.spec.cluster_ref.uid == found.uid and a.spec.valid_from <= asked.now < a.spec.valid_until
        ]
        asking = [
            p for p in asked.policies
            if not p.spec.applies_to.data_classes or set(p.spec.applies_to.data_classes) & set(asked.data_classes)
        ]  # fmt: skip
        assert asking
        for dimension in DIMENSIONS:
            said = {getattr(a.spec.facts, dimension).jurisdiction for a in current if getattr(a.spec.facts, dimension)}
            assert len(said) == 1
            place = said.pop()
            assert all(
                place in getattr(p.spec.allow, dimension) or place[:2] in getattr(p.spec.allow, dimension)
                for p in asking
            )


@given(questions())
def test_the_same_question_gets_the_same_answer_and_nothing_changes_before_the_moment_it_names(
    asked: residency.Question,
) -> None:
    judged = residency.judge(asked)
    assert residency.judge(asked) == judged
    until = judged.look_again or TOMORROW + 10 * HOUR
    assert asked.now < until
    assert allowed(replace(asked, now=until - timedelta(microseconds=1))) == allowed(asked)


@given(questions())
def test_every_verdict_says_why(asked: residency.Question) -> None:
    for found in residency.judge(asked).verdicts:
        if isinstance(found, residency.Unlawful):
            assert found.findings
            assert all(finding.reason.isalnum() and finding.message for finding in found.findings)
