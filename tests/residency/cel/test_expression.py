"""Expressions of rules: what can be read, what they may see, and what their errors tell."""

from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import Any

import pytest

from builders import DIMENSIONS, NOW, Case, attestation, case, member, policy, rule
from domicile.residency.cel import expression, schema
from domicile.residency.cel.expression import Expression, Failed, Invalid
from residency.cel.known import answer, facts, readable, refused

SECRETS = ("Hushhush", "hush-hush/42", "topsecret")
"""What is written in facts, and must not be told by an error."""


ANSWERS: dict[str, tuple[str, bool]] = {
    "a constant": ("true", True),
    "a fact": ("cluster.workers.jurisdiction == 'SG'", True),
    "a fact that is not there, asked for by has()": ("has(cluster.keyStore)", False),
    "all of a list": ("model.dataClasses.all(d, d.startsWith('customer'))", True),
    "all of a list, not": ("!cluster.registries.all(r, r.jurisdiction == 'SG')", False),
    "how many of a list": ("cluster.registries.filter(r, r.host == 'r1.example').size() >= 1", True),
    "what is left of a list": (
        "cluster.registries.filter(r, r.jurisdiction == 'SG').exists(r, r.host == 'r2.example')",
        True,
    ),
    "one of a list": ("cluster.certifications.exists(c, c.level >= 3)", True),
    "exactly one of a list": ("model.dataClasses.exists_one(d, d == 'customer.pii')", True),
    "a pattern": ("cluster.registries.exists(r, r.host.matches('^r[0-9]{1,2}[.]example$'))", True),
    "a number": ("model.accelerators + 1 == 2", True),
    "a label": ("'unit' in model.namespaceLabels", True),
    "a member of a list": ("'health' in model.dataClasses", False),
    "the policy": ("policy.name == 'p'", True),
    "the time": ("now <= timestamp('2026-11-23T09:00:00Z')", True),
    "a time in facts": ("cluster.contracts.exists(c, timestamp(c.validUntil) > now)", True),
    "a side that fails and does not matter": ("model.artifacts[9] == '' || true", True),
    "another side that fails and does not matter": ("false && 1 / 0 == 1", False),
    "a comment": ("true // always", True),
    "braces in a text": ("cluster.name != '{map}'", True),
    "over several lines": ("\n  cluster.name\n\t== 'sg'", True),
    "other letters than ours": ("cluster.name != 'Łódź 東京 😀'", True),
    "the rest of a map that grew no field": ("model.name in ['fraud-scorer', 'chat']", True),
}


@pytest.mark.parametrize(("source", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_answers(source: str, expected: bool) -> None:
    assert answer(source) is expected


def test_the_time_may_be_written_in_any_zone() -> None:
    singapore = {**facts(), "now": NOW.astimezone(timezone(timedelta(hours=8)))}
    assert answer("now >= timestamp('2026-11-23T09:00:00Z')", singapore) is True
    assert answer("now < timestamp('2026-11-23T09:00:00.000001Z')", singapore) is True


FAILURES: dict[str, tuple[str, str]] = {
    "a fact that is not there": ("cluster.keyStore.jurisdiction == 'SG'", "keyStore is not known"),
    "a fact of the hub that is not there": ("hub.workers.jurisdiction == 'SG'", "workers is not known"),
    "a trait that is not there": ("model.replicas.max > 1", "replicas is not known"),
    "division by zero": ("1 / 0 == 1", "divide by zero"),
    "remainder by zero": ("model.accelerators % (model.accelerators - 1) == 0", "modulus by zero"),
    "beyond the end of a list": ("model.artifacts[3] == ''", "Index error: index=3 size=1"),
    "a number too large": ("9223372036854775807 + model.accelerators > 0", "integer overflow"),
    "no time": ("timestamp(cluster.name) < timestamp('2027-01-01T00:00:00Z')", "String to Timestamp conversion failed"),
    "a label that is not there": ("model.namespaceLabels.tier == 'a'", "something that it asks for is not known"),
    "no number": ("int(cluster.name) > 1", "cannot convert string to int"),
}


@pytest.mark.parametrize(("source", "why"), FAILURES.values(), ids=FAILURES.keys())
def test_failures_say_why(source: str, why: str) -> None:
    assert answer(source) == Failed(why)


def test_lists_that_are_longer_than_reckoned_with_end_in_the_budget_of_the_library() -> None:
    every = "cluster.contracts.exists(a, cluster.certifications.exists(b, a.kind == b.name))"
    assert answer(every, facts(64)) is False
    assert answer(every, facts(200)) == Failed("Iteration budget exceeded")


def test_a_value_that_is_none_of_cel_fails() -> None:
    found = answer("model.name == 'a'", {**facts(), "model": {"name": object()}})
    assert isinstance(found, Failed)
    assert "Non-CEL value type" in found.why


def test_what_an_error_says_is_cut() -> None:
    value = type("V" * 300, (), {})()
    found = answer("model.name == 'a'", {**facts(), "model": {"name": value}})
    assert isinstance(found, Failed)
    assert len(found.why) == 200


UNREADABLE: dict[str, tuple[str, str]] = {
    "an unknown name": ("nobody == 1", "line 1, column 1: undeclared reference to 'nobody' (in container '')"),
    "an unknown field": ("cluster.worker == 1", "undefined field 'worker' not found in struct 'domicile.Cluster'"),
    "an unknown field of the hub": ("hub.region == ''", "undefined field 'region'"),
    "an unknown field in a list": ("cluster.contracts.exists(c, c.type == '')", "undefined field 'type'"),
    "types that do not fit": ("cluster.certifications.exists(c, c.level >= '3')", "found no matching overload"),
    "a text": ("cluster.name", "it gives string, and a rule is true or false"),
    "a number": ("size(cluster.contracts)", "it gives int, and a rule is true or false"),
    "nothing at all": ("null", "it gives null, and a rule is true or false"),
    "half of it": ("true &&", "line 1, column 8: Syntax error: mismatched input '<EOF>'"),
    "nothing": ("   ", "Syntax error: mismatched input '<EOF>'"),
    "a line further down": ("true &&\n  cluster.nothing == 1", "line 2, column 10: undefined field 'nothing'"),
    "a field of a map": ("cluster['name'] == 'sg'", "found no matching overload for '_[_]'"),
    "a function of another library": ("'a'.replace('a', 'b') == 'b'", "undeclared reference to 'replace'"),
    "ranges": ("lists.range(1000000).size() > 0", "undeclared reference to 'lists'"),
    "bind()": ("cel.bind(x, 1, x == 1)", "undeclared reference to 'x'"),
    "two variables": ("[1].transformList(i, v, v).size() == 1", "undeclared reference to 'i'"),
    "a character of control": ("cluster.name == '\x00'", "it has a character that nobody sees"),
    "what turns the order of letters": ("cluster.name == '\u202egs'", "it has a character that nobody sees"),
    "half a character": ("cluster.name == '\ud800'", "it has a character that nobody sees"),
    "optional fields": ("cluster.?name.hasValue()", "unsupported syntax '.?'"),
    "an escape that is none": (r"'\ud800' == ''", "Invalid string literal"),
    "one character too long": ("true" + " " * 1021, "it has 1025 characters, 1024 are allowed"),
    "what we refuse, two lines down": ("true\n&&\n  now.getHours() > 1", "line 3, column 3: now may only"),
    "what we refuse, further down": (
        "'😀é' == cluster.name\n\t&& now.getHours() > 1",
        "line 2, column 5: now may only be compared",
    ),
}


@pytest.mark.parametrize(("source", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_read_says_why(source: str, why: str) -> None:
    assert why in refused(source)


def test_what_is_not_seen_is_said_to_be_there() -> None:
    why = "it has a character that nobody sees: only blanks, tabs and line breaks may be in it"
    assert refused("cluster.name == '\u202egs'") == why


def test_the_longest_can_be_read() -> None:
    assert answer("true" + " " * 1020) is True


DEPENDS: dict[str, tuple[str, frozenset[str] | None]] = {
    "on nothing of the model": ("cluster.name == 'sg'", frozenset()),
    "on two fields": ("model.name == 'a' || model .  accelerators > 1", frozenset({"name", "accelerators"})),
    "on a part of a field": ("model.namespaceLabels.unit == 'a'", frozenset({"namespaceLabels"})),
    "on whether a field is there": ("has(model.replicas)", frozenset({"replicas"})),
    "on a field after a line break": ("model\n  .name == 'a'", frozenset({"name"})),
    "on a field by its full name": (".model.name == 'a'", frozenset({"name"})),
    "on the whole model": ("model == model", None),
    "on a field and on the whole": ("model.name == 'a' && model == model", None),
    "not on a word in a text": ("cluster.name == 'model'", frozenset()),
    "not on a field of another": ("policy.name == 'model'", frozenset()),
}


@pytest.mark.parametrize(("source", "fields"), DEPENDS.values(), ids=DEPENDS.keys())
def test_what_of_the_model_an_expression_depends_on(source: str, fields: frozenset[str] | None) -> None:
    assert readable(source).model_fields == fields


def test_what_else_an_expression_depends_on() -> None:
    asks = readable("cluster.contracts.exists(c, c.kind == policy.name) || has(cluster.keyStore)")
    assert (asks.uses_policy, asks.uses_hub) == (True, False)
    assert asks.cluster_fields == {"contracts", "keyStore"}
    of_hub = readable("hub.contracts.exists(c, c.kind == 'policy.certifications')")
    assert (of_hub.uses_policy, of_hub.uses_hub, of_hub.cluster_fields) == (False, True, frozenset())


# What their errors tell: the expression's own words, and nothing of the facts.

TELLING: dict[str, str] = {
    "a key that is a fact": "model.namespaceLabels[cluster.operator.jurisdiction] == 'x'",
    "a key that is a longer fact": "cluster.contracts.exists(c, model.namespaceLabels[c.reference] == 'x')",
    "a number of a fact": "cluster.contracts.exists(c, int(c.reference) == 1)",
    "a fraction of a fact": "double(cluster.contracts[0].party) > 1.0",
    "a time of a fact": "cluster.contracts.exists(c, timestamp(c.reference) < timestamp(c.validUntil))",
    "a span of a fact": "cluster.contracts.exists(c, duration(c.party) > duration('1s'))",
    "true or false of a fact": "bool(cluster.contracts[0].party)",
    "a pattern of a fact": "'a'.matches(cluster.contracts[0].reference + '(')",
    "a fact that is neither true nor false": "dyn(cluster.contracts[0].party) || false",
    "a fact compared with a number": "dyn(cluster.contracts[0].party) > 1",
    "a field of a fact": "dyn(cluster.contracts[0].party).field == 1",
    "a label": "int(model.namespaceLabels.unit) == 1",
    "a place in a list, by a fact": "cluster.contracts[dyn(cluster.contracts[0].party)].kind == ''",
}


@pytest.mark.parametrize("name", TELLING)
def test_no_error_tells_a_fact(name: str) -> None:
    compiled = expression.compiled(TELLING[name])
    found = compiled.evaluate(facts()) if isinstance(compiled, Expression) else compiled
    assert isinstance(found, Failed | Invalid)
    assert not any(secret in found.why for secret in SECRETS), found.why


# The types are those of the values.


def everything_known() -> Case:
    """A question about a cluster of which everything is known, with rules that ask for all of it."""
    has = {
        "certifications": [
            {"name": "SS584", "level": 3, "number": "7", "scope": "all", "validUntil": "2027-01-01T00:00:00Z"}
        ],
        "contracts": [
            {"kind": "Outsourcing", "reference": "1", "party": "Cloud", "validUntil": "2027-01-01T00:00:00Z"}
        ],
        "confidentialComputing": {"kind": "TDX", "verifier": "assurer", "verifierJurisdiction": "SG"},
    }
    traits = {
        "modelFormat": {"name": "sklearn", "version": "1"},
        "replicas": {"min": 1, "max": 2},
        "accelerators": 1,
    }
    return case(
        attestations=[attestation(has=has), attestation("hub", of="hub", has=has)],
        hub=member("hub"),
        labels={"unit": "retail"},
        traits=traits,
    )


def seen_by_rules(asked: Case) -> dict[str, Any]:
    """What an expression is given, caught where it is evaluated."""

    caught: dict[str, Any] = {}

    ready = expression.values

    def values(variables: Mapping[str, Any]) -> expression.Values:
        caught.update(variables)
        return ready(variables)

    asks = "model == model && policy.name != '' && has(cluster.name) && now >= timestamp('2026-01-01T00:00:00Z')"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(expression, "values", values)
        ruled = asked.but(policies=(policy(rules=[rule(expression=asks)]),))
        assert len(ruled.judge().verdicts) == 1
    return caught


SCALARS = {"string": str, "int": int, "bool": bool}


def fits(value: Any, kind: str) -> bool:
    """Whether a value is of a type of schema.MESSAGES, with all of its fields and no other."""
    if kind.endswith("{}"):
        return all(isinstance(k, str) and isinstance(v, SCALARS[kind[:-2]]) for k, v in value.items())
    if kind.endswith("[]"):
        return bool(value) and all(fits(each, kind[:-2]) for each in value)
    if kind in SCALARS:
        return type(value) is SCALARS[kind]
    fields = schema.MESSAGES[kind]
    assert value.keys() == fields.keys(), f"{kind}: {value.keys() ^ fields.keys()}"
    return all(fits(value[name], of) for name, of in fields.items())


def test_the_schema_has_exactly_what_rules_are_given() -> None:
    seen = seen_by_rules(everything_known())
    assert seen.keys() == {*schema.VARIABLES, "now"}
    for variable, message in schema.VARIABLES.items():
        assert fits(seen[variable], message), variable
    assert seen["now"] == NOW


def test_every_field_of_the_schema_can_be_asked_for() -> None:
    seen = seen_by_rules(everything_known())
    for variable, message in schema.VARIABLES.items():
        for field in schema.MESSAGES[message]:
            assert answer(f"has({variable}.{field})", seen) is True, field


def test_what_is_not_known_is_not_there() -> None:
    assert seen_by_rules(case(hub=None))["hub"] == {}
    seen = seen_by_rules(case(attestations=[attestation(everything=None)]))
    assert len(DIMENSIONS) == 7
    assert seen["cluster"].keys() == {"name", "uid", "pool", "registries", "certifications", "contracts"}
    assert [seen["cluster"][f] for f in ("registries", "certifications", "contracts")] == [[], [], []]
