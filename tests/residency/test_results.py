"""Each rule's own result, whole: its effect, reason, words and basis, as the matrix and the evidence have it."""

from typing import Any

import pytest

from builders import attestation, case, member, policy, rule
from domicile import residency
from domicile.api import Basis
from domicile.residency import Outcome, Result
from domicile.residency.dimensions import WORDS

BASIS: dict[str, Any] = {"type": "Regulation", "source": "MAS Notice 658", "clause": "7.1", "asOf": "2024-12-11"}
RESTS_ON = Basis.model_validate(BASIS)
NAME = "sg-customer-data"
MEMBERS_OWN = [dimension for dimension in WORDS if dimension != "hub"]


def results(**changed: Any) -> dict[str, Result]:
    spec = {"basis": BASIS, **changed.pop("spec", {})}
    policies = [policy(spec=spec, **changed.pop("policy", {}))]
    asked = case(policies=policies, **changed)
    (row,) = residency.Engine(asked.law).explain(asked.question)
    return {result.rule: result for result in row.results}


def sentence(dimension: str) -> str:
    return WORDS[dimension].sentence.format("registry.sg.example")


@pytest.mark.parametrize("dimension", WORDS)
def test_a_place_that_is_allowed(dimension: str) -> None:
    of = f"allow.{WORDS[dimension].field}"
    assert results()[of] == Result(NAME, of, Outcome.MET, "Deny", basis=RESTS_ON)


@pytest.mark.parametrize("dimension", MEMBERS_OWN)
def test_a_place_that_is_not_allowed(dimension: str) -> None:
    of = f"allow.{WORDS[dimension].field}"
    facts: Any = {dimension: "DE"}
    assert results(attestations=[attestation(**facts)])[of] == Result(
        NAME,
        of,
        Outcome.UNMET,
        "Deny",
        f"{WORDS[dimension].prefix}OutsideJurisdiction",
        f"{sentence(dimension)} DE, {NAME} allows SG",
        RESTS_ON,
    )


@pytest.mark.parametrize("dimension", MEMBERS_OWN)
def test_a_place_that_nobody_knows(dimension: str) -> None:
    of = f"allow.{WORDS[dimension].field}"
    facts: Any = {dimension: None}
    assert results(attestations=[attestation(**facts)])[of] == Result(
        NAME,
        of,
        Outcome.UNKNOWN,
        "Deny",
        f"{WORDS[dimension].prefix}JurisdictionUnknown",
        f"{sentence(dimension)} an unknown place: sg-2026 does not say it",
        RESTS_ON,
    )


@pytest.mark.parametrize("dimension", WORDS)
def test_a_list_that_is_empty(dimension: str) -> None:
    of = f"allow.{WORDS[dimension].field}"
    assert results(policy={dimension: []})[of] == Result(
        NAME,
        of,
        Outcome.UNMET,
        "Deny",
        f"{WORDS[dimension].prefix}OutsideJurisdiction",
        f"{sentence(dimension)} SG, {NAME} allows none (spec.{of} is empty)",
        RESTS_ON,
    )


# The rules of spec.rules.

HOUSE = Basis.model_validate(rule()["basis"])

OWN: dict[str, tuple[dict[str, Any], Result]] = {
    "met": (rule("r", "true"), Result(NAME, "r", Outcome.MET, "Deny", "", "", HOUSE)),
    "not met": (
        rule("r", "false"),
        Result(NAME, "r", Outcome.UNMET, "Deny", "RuleNotMet", "rule r is not met: false", HOUSE),
    ),
    "not met, and only advice": (
        rule("r", "false", onUnmet="Advise", message="Mind it."),
        Result(NAME, "r", Outcome.UNMET, "Advise", "RuleNotMet", "Mind it.", HOUSE),
    ),
    "one that fails": (
        rule("r", "1 / 0 == 1"),
        Result(
            NAME, "r", Outcome.UNKNOWN, "Deny", "RuleFailed", "rule r could not be evaluated: divide by zero", HOUSE
        ),
    ),
    "one that cannot be read": (
        rule("r", "cluster.name"),
        Result(
            NAME,
            "r",
            Outcome.UNKNOWN,
            "Deny",
            "RuleInvalid",
            "rule r cannot be read: it gives string, and a rule is true or false",
            HOUSE,
        ),
    ),
    "one that wants a record and does not say which": (
        rule("r", None, onUnmet="RequireRecord"),
        Result(NAME, "r", Outcome.UNMET, "RequireRecord", "RuleNotMet", "rule r wants a record", HOUSE),
    ),
    "one whose record is missing": (
        rule("r", None, onUnmet="RequireRecord", record="outsourcing"),
        Result(
            NAME,
            "r",
            Outcome.UNMET,
            "RequireRecord",
            "RecordMissing",
            "no outsourcing record covers the model on sg in SG",
            HOUSE,
        ),
    ),
}


@pytest.mark.parametrize(("written", "expected"), OWN.values(), ids=OWN.keys())
def test_a_rule_of_its_own(written: dict[str, Any], expected: Result) -> None:
    assert results(policy={"rules": [written]})["r"] == expected


def test_a_list_names_every_group_that_is_not_there() -> None:
    found = results(policy={"workers": ["group:b", "DE", "group:a"]})["allow.workers"]
    assert found.message == (
        f"worker nodes are in SG, {NAME} allows DE, group:a, group:b (group:a, group:b: no such JurisdictionGroup)"
    )


def test_a_host_that_is_not_allowed() -> None:
    found = results(policy={"hosts": ["b.example", "a.example"]}, arguments=("http://x.example/",))["allow.hosts"]
    message = f"the server's arguments name x.example, {NAME} allows a.example, b.example"
    assert found == Result(NAME, "allow.hosts", Outcome.UNMET, "Deny", "HostNotAllowed", message, RESTS_ON)


def test_no_host_but_those_that_are_allowed() -> None:
    found = results(policy={"hosts": ["a.example"]}, arguments=("http://a.example/",))["allow.hosts"]
    assert found == Result(NAME, "allow.hosts", Outcome.MET, "Deny", basis=RESTS_ON)


PEERS = {"callers": ("CallerNotAllowed", "is to be asked by"), "egress": ("EgressNotAllowed", "is to ask")}


@pytest.mark.parametrize("field", PEERS)
def test_peers_that_are_not_allowed(field: str) -> None:
    reason, words = PEERS[field]
    found = results(policy={field: ["dns", "audit"]}, **{field: ("metrics", "dns", "gateway")})[f"allow.{field}"]
    message = f"the model {words} gateway, metrics, {NAME} allows audit, dns"
    assert found == Result(NAME, f"allow.{field}", Outcome.UNMET, "Deny", reason, message, RESTS_ON)


@pytest.mark.parametrize("field", PEERS)
def test_peers_where_none_is_allowed(field: str) -> None:
    found = results(**{field: ("dns",)})[f"allow.{field}"]
    assert found.message.endswith(f", {NAME} allows none (spec.allow.{field} is empty)")


@pytest.mark.parametrize("field", PEERS)
def test_no_peers_but_those_that_are_allowed(field: str) -> None:
    found = results(policy={field: ["dns", "audit"]}, **{field: ("dns",)})[f"allow.{field}"]
    assert found == Result(NAME, f"allow.{field}", Outcome.MET, "Deny", basis=RESTS_ON)


@pytest.mark.parametrize(("on_contradiction", "effect"), [("Deny", "Deny"), ("Report", "Advise")])
def test_nodes_that_contradict_what_was_attested(on_contradiction: str, effect: Any) -> None:
    there = residency.Member(member(), reported=residency.Reported(frozenset({"sg-2"})))
    spec = {"onContradiction": on_contradiction}
    where = attestation(has={"nodes": {"regions": ["sg-1"]}})
    message = "a node says that it is in region sg-2, and that contradicts what was attested"
    assert results(spec=spec, members=[there], attestations=[where])["onContradiction"] == Result(
        NAME, "onContradiction", Outcome.UNMET, effect, "NodesContradictAttestation", message
    )
    assert results(spec=spec)["onContradiction"] == Result(NAME, "onContradiction", Outcome.MET, effect)
