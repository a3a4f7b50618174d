"""Where a model may run: each rule as a table, and what holds for all inputs as properties."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DIMENSIONS, NOW, TOMORROW, YESTERDAY, Case, attestation, case, exception, member, policy
from domicile import residency
from domicile.api import ClusterAttestation, ResidencyPolicy
from domicile.residency import coverage
from domicile.residency.verdict import Finding

HOUR = timedelta(hours=1)


def verdict(asked: Case) -> residency.Verdict:
    (only,) = asked.judge().verdicts
    return only


def reasons(asked: Case) -> list[str]:
    found = verdict(asked)
    return [] if isinstance(found, residency.Lawful) else [finding.reason for finding in found.findings]


LAWFUL = {
    "all that is known is allowed": case(),
    "a part of an allowed country": case(
        policies=[policy(everywhere=["SG", "MY"])], attestations=[attestation(workers="MY-14")]
    ),
    "each dimension has its own list": case(
        policies=[policy(operator=["SG", "JP"])], attestations=[attestation(operator="JP")]
    ),
    "two attestations that agree": case(attestations=[attestation("a"), attestation("b")]),
    "two that complete each other": case(
        attestations=[attestation("a", workers=None), attestation("b", everything=None, workers="SG")]
    ),
    "two policies that both allow": case(policies=[policy("a"), policy("b", everywhere=["SG", "DE"])]),
    "in force from this very moment": case(attestations=[attestation(since=NOW)]),
    "a policy for every data class": case(policies=[policy(data_classes=[])]),
    "another's attestation says otherwise": case(
        attestations=[attestation(), attestation("ph", of="ph", everything="PH")]
    ),
    "what has ended says otherwise": case(
        attestations=[attestation(), attestation("old", workers="PH", until=YESTERDAY)]
    ),
}


@pytest.mark.parametrize("asked", LAWFUL.values(), ids=LAWFUL.keys())
def test_lawful(asked: Case) -> None:
    assert reasons(asked) == []


UNLAWFUL = {
    "no policy at all": (case(policies=[]), ["NoMatchingPolicy"]),
    "a policy for other data": (case(policies=[policy(data_classes=["telemetry"])]), ["NoMatchingPolicy"]),
    "one of two data classes has no policy": (
        case(data_classes=["customer.pii", "health"]),
        ["NoMatchingPolicy"],
    ),
    "no data class at all": (case(data_classes=[]), ["NoMatchingPolicy"]),
    "a policy for other namespaces": (
        case(policies=[policy(namespaces={"matchLabels": {"unit": "retail"}})], labels={"unit": "treasury"}),
        ["NoMatchingPolicy"],
    ),
    "another country": (case(attestations=[attestation(workers="PH")]), ["WorkersOutsideJurisdiction"]),
    "a country is not within its part": (
        case(policies=[policy(workers=["MY-14"])], attestations=[attestation(workers="MY")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "another part of the country": (
        case(policies=[policy(workers=["MY-14"])], attestations=[attestation(workers="MY-10")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "a code that only begins alike": (
        case(policies=[policy(workers=["US-N"])], attestations=[attestation(workers="US-NY")]),
        ["WorkersOutsideJurisdiction"],
    ),
    "a dimension that is not listed": (case(policies=[policy(telemetry=[])]), ["TelemetryOutsideJurisdiction"]),
    "a fact that is left out": (case(attestations=[attestation(registry=None)]), ["RegistryJurisdictionUnknown"]),
    "the second policy forbids": (
        case(policies=[policy("a"), policy("b", key_store=["DE"])]),
        ["KeyStoreOutsideJurisdiction"],
    ),
    "nothing attested": (
        case(attestations=[]),
        [
            f"{d}JurisdictionUnknown"
            for d in ("Workers", "ControlPlane", "Operator", "OperatorParent", "KeyStore", "Registry", "Telemetry")
        ],
    ),
    "all of it elsewhere": (
        case(attestations=[attestation(everything="PH")]),
        [
            f"{d}OutsideJurisdiction"
            for d in ("Workers", "ControlPlane", "Operator", "OperatorParent", "KeyStore", "Registry", "Telemetry")
        ],
    ),
}


@pytest.mark.parametrize(("asked", "expected"), UNLAWFUL.values(), ids=UNLAWFUL.keys())
def test_unlawful(asked: Case, expected: list[str]) -> None:
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
    found = verdict(case(policies=[policy(everywhere=["SG", "PH", "MY"])], attestations=attestations))
    assert isinstance(found, residency.Unlawful)
    first = found.findings[0]
    assert first.reason == "WorkersJurisdictionUnknown"
    assert first.message == f"worker nodes are in an unknown place: {why}"


MESSAGES = {
    "outside": (
        case(policies=[policy(workers=["SG", "JP"])], attestations=[attestation(workers="PH")]),
        Finding(
            "WorkersOutsideJurisdiction",
            "worker nodes are in PH, sg-customer-data allows JP, SG",
            "sg-customer-data",
            "allow.workers",
        ),
    ),
    "closed dimension, in the field's own spelling": (
        case(policies=[policy(control_plane=[])]),
        Finding(
            "ControlPlaneOutsideJurisdiction",
            "the control plane is in SG, sg-customer-data allows none (spec.allow.controlPlane is empty)",
            "sg-customer-data",
            "allow.controlPlane",
        ),
    ),
    "no policy": (
        case(policies=[], data_classes=["b", "a"]),
        Finding("NoMatchingPolicy", "no ResidencyPolicy covers data class a, b in this namespace"),
    ),
}


@pytest.mark.parametrize(("asked", "finding"), MESSAGES.values(), ids=MESSAGES.keys())
def test_messages_say_what_was_found_and_what_is_wanted(asked: Case, finding: Finding) -> None:
    found = verdict(asked)
    assert isinstance(found, residency.Unlawful)
    assert found.findings == (finding,)


AGAIN = {
    "lawful until the attestation ends": (case(attestations=[attestation(until=TOMORROW)]), TOMORROW),
    "lawful until another one begins": (
        case(attestations=[attestation(until=TOMORROW + HOUR), attestation("next", since=TOMORROW)]),
        TOMORROW,
    ),
    "unlawful until one begins": (case(attestations=[attestation(since=TOMORROW)]), TOMORROW),
    "unlawful until the contradiction ends": (
        case(attestations=[attestation(), attestation("b", workers="PH", until=TOMORROW)]),
        TOMORROW,
    ),
    "time changes nothing without attestations": (case(attestations=[], hub=None), None),
    "time changes nothing without a policy": (case(policies=[]), None),
    "an exception begins at this very moment": (
        case(attestations=[attestation(until=TOMORROW)], exceptions=[exception(validFrom=NOW)]),
        TOMORROW,
    ),
    "an exception ends at this very moment": (
        case(attestations=[attestation(until=TOMORROW)], exceptions=[exception(validUntil=NOW)]),
        TOMORROW,
    ),
    "the facts end before the exception does": (
        case(policies=[policy(telemetry=[])], attestations=[attestation(until=TOMORROW)], exceptions=[exception()]),
        TOMORROW,
    ),
    "an exception is over, and nothing lies ahead": (
        case(attestations=[], hub=None, exceptions=[exception(validUntil=YESTERDAY)]),
        None,
    ),
    "the earliest of the fleet": (
        case(
            members=[member("sg"), member("de")],
            attestations=[attestation(), attestation("de", of="de", everything="DE", until=TOMORROW)],
        ),
        TOMORROW,
    ),
}


@pytest.mark.parametrize(("asked", "moment"), AGAIN.values(), ids=AGAIN.keys())
def test_when_to_look_again(asked: Case, moment: object) -> None:
    assert asked.judge().look_again == moment


def test_a_lawful_verdict_names_what_it_rests_on() -> None:
    asked = case(
        policies=[policy("b"), policy("a"), policy("other", data_classes=["telemetry"])],
        attestations=[attestation("z", until=TOMORROW), attestation("y"), attestation("ended", until=YESTERDAY)],
    )
    found = verdict(asked)
    assert isinstance(found, residency.Lawful)
    assert (found.policies, found.attestations, found.until) == (("a", "b"), ("hub-2026", "y", "z"), TOMORROW)


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
    covered = coverage.coverage(["customer.pii"], labels, [policy(namespaces=selector)])
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
    odd: dict[str, Any] = draw(st.dictionaries(st.sampled_from(DIMENSIONS), st.none() | PLACES, max_size=2))
    of = draw(NAMES)
    at = draw(st.sampled_from([of, of, of, "another"]))
    return attestation(name, of=of, at=at, everything=draw(PLACES), since=draw(MOMENTS), until=draw(MOMENTS), **odd)


@st.composite
def questions(draw: st.DrawFn) -> Case:
    return case(
        policies=[draw(policies(f"p{i}")) for i in range(draw(st.integers(0, 3)))],
        attestations=[draw(attestations(f"a{i}")) for i in range(draw(st.integers(0, 4)))],
        members=[member("sg"), member("de")],
        data_classes=draw(st.lists(CLASSES, min_size=1, max_size=2, unique=True)),
    )


def stated(attestation: ClusterAttestation, dimension: str) -> str | None:
    """Where an attestation says that something is."""
    facts = attestation.spec.facts
    if dimension == "registry":
        return facts.registries[0].jurisdiction if facts.registries else None
    fact = getattr(facts, dimension)
    return fact.jurisdiction if fact else None


def allowed(asked: Case) -> set[residency.MemberId]:
    return {v.member for v in asked.judge().verdicts if isinstance(v, residency.Lawful)}


@given(questions(), policies("another"))
def test_a_policy_more_never_allows_more_to_a_model_that_is_covered(asked: Case, more: ResidencyPolicy) -> None:
    if isinstance(asked.judge().coverage, residency.Covered):
        assert allowed(asked.but(policies=(*asked.law.policies, more))) <= allowed(asked)


@given(questions(), st.randoms(use_true_random=False))
def test_order_never_matters(asked: Case, chance: Random) -> None:
    shuffled = asked.but(
        policies=tuple(chance.sample(asked.law.policies, len(asked.law.policies))),
        attestations=tuple(chance.sample(asked.law.attestations, len(asked.law.attestations))),
        members=tuple(reversed(asked.question.members)),
        data_classes=tuple(reversed(asked.question.asked.data_classes)),
    )
    assert shuffled.judge() == asked.judge()


@given(questions(), st.sampled_from(DIMENSIONS))
def test_a_fact_less_never_allows_more_where_nothing_was_contradicted(asked: Case, of: str) -> None:
    """All that is said of one dimension is taken back. (One of two that contradict may well be taken back: the other
    then stands.)"""
    silence: dict[str, Any] = {"registries": ()} if of == "registry" else {of: None}
    silent = tuple(
        a.model_copy(update={"spec": a.spec.model_copy(update={"facts": a.spec.facts.model_copy(update=silence)})})
        for a in asked.law.attestations
    )
    assert allowed(asked.but(attestations=silent)) == set()


@given(questions())
def test_a_cluster_is_lawful_only_if_each_dimension_is_known_and_allowed_by_each_policy(
    asked: Case,
) -> None:
    for found in allowed(asked):
        current = [
            a
            for a in asked.law.attestations
            if a.spec.cluster_ref.uid == found.uid and a.spec.valid_from <= asked.question.now < a.spec.valid_until
        ]
        asking = [
            p for p in asked.law.policies
            if not p.spec.applies_to.data_classes or set(p.spec.applies_to.data_classes) & set(asked.question.asked.data_classes)
        ]  # fmt: skip
        assert asking
        for dimension in DIMENSIONS:
            said = {place for a in current if (place := stated(a, dimension))}
            assert len(said) == 1
            place = said.pop()
            assert all(
                place in getattr(p.spec.allow, dimension) or place[:2] in getattr(p.spec.allow, dimension)
                for p in asking
            )


@given(questions())
def test_the_same_question_gets_the_same_answer_and_nothing_changes_before_the_moment_it_names(
    asked: Case,
) -> None:
    judged = asked.judge()
    assert asked.judge() == judged
    until = judged.look_again or TOMORROW + 10 * HOUR
    assert asked.question.now < until
    assert allowed(asked.but(now=until - timedelta(microseconds=1))) == allowed(asked)


@given(questions())
def test_every_verdict_says_why(asked: Case) -> None:
    for found in asked.judge().verdicts:
        if isinstance(found, residency.Unlawful):
            assert found.findings
            assert all(finding.reason.isalnum() and finding.message for finding in found.findings)
