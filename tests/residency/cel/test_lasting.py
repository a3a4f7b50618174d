"""That less knowledge never makes an expression true: which are refused for it, and that those that are taken keep it."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW
from domicile.residency.cel import expression
from domicile.residency.cel.expression import Expression
from residency.cel.known import readable, refused

CERTS, DEALS = "cluster.certifications", "cluster.contracts"

TAKEN: dict[str, str] = {
    "something is there": f"{CERTS}.exists(c, c.level >= 3)",
    "not all are something else": f"!{CERTS}.all(c, c.level < 3)",
    "twice not": f"!!{CERTS}.exists(c, !(c.level < 3))",
    "at least so many": f"{DEALS}.size() >= 2",
    "at least so many, the other way round": f"2 <= size({DEALS}) && 1 < {DEALS}.size()",
    "not fewer": f"!({DEALS}.size() < 2) && !(2 > {DEALS}.size())",
    "at least so many of some": f"{CERTS}.filter(c, c.name in ['SS584', 'C5'] && !(c.level < 3)).size() > 1",
    "at least so many that last": f"{DEALS}.filter(c, timestamp(c.validUntil) > now + duration('720h')).size() > 1",
    "at least so many that lasted": f"{DEALS}.filter(c, timestamp(c.validUntil) > now - duration('720h')).size() > 1",
    "at least so many with either": f"{DEALS}.filter(d, 'A' in [d.kind, d.party]).size() > 1",
    "at least so many since": f"{DEALS}.filter(c, timestamp(c.validUntil) > timestamp('2027-01-01T00:00:00Z')).size() > 1",
    "at least so many that match": f"{CERTS}.filter(c, c.number.matches('^[0-9]+$')).size() > 1",
    "at least so many as another list has": f"{DEALS}.filter(d, {CERTS}.exists(c, c.number == d.reference)).size() > 0",
    "at least so many for the model": f"{DEALS}.filter(d, d.kind == model.namespace && d.party in model.dataClasses).size() > 0",
    "so many as the model says": f"{DEALS}.size() >= model.accelerators",
    "some of some": f"{DEALS}.filter(d, d.kind == 'A').filter(d, d.party == 'B').exists(d, d.reference == 'C')",
    "the same is there": "hub.contracts.exists(c, c in cluster.contracts)",
    "a place is known": "has(cluster.keyStore)",
    "a part of a place is known": "has(cluster.workers.jurisdiction)",
    "known and so": "has(cluster.keyStore) && cluster.keyStore.jurisdiction != 'DE'",
    "known or something there": f"has(cluster.keyStore) || {DEALS}.exists(d, d.kind == 'A')",
    "not elsewhere": "!cluster.workers.jurisdiction.startsWith('SG')",
    "the same place": "cluster.workers == cluster.controlPlane && cluster.workers == hub.workers",
    "a choice by the model": f"model.namespace == 'a' ? {CERTS}.exists(c, true) : has(cluster.keyStore)",
    "a choice by a place": f"cluster.workers.jurisdiction == 'SG' ? true : {CERTS}.exists(c, true)",
    "each of what the model has": f"model.dataClasses.all(d, {CERTS}.exists(c, c.scope == d))",
    "one of what the model has": f"model.dataClasses.exists(d, {CERTS}.exists(c, c.scope == d))",
    "what the model has not": "!has(model.replicas) || size(model.artifacts) == 1 || !('a' in model.namespaceLabels)",
    "exactly one of the model's": "model.dataClasses.exists_one(d, d == 'a') && model.dataClasses.filter(d, true).size() == 1",
    "what is always there": "has(policy.name) == true",
}


@pytest.mark.parametrize("name", TAKEN)
def test_taken(name: str) -> None:
    readable(TAKEN[name])


ENDS = "it can become true when a fact ends"
REFUSED: dict[str, tuple[str, str]] = {
    "not all, where something is known": (f"!{CERTS}.all(c, has(cluster.keyStore))", "has(cluster.keyStore) here"),
    "nothing is there": (
        f"!{CERTS}.exists(c, c.level < 2)",
        f"line 1, column 31: {ENDS} (exists() over {CERTS} here): ask {CERTS}.exists() for what must be there",
    ),
    "all are so": ("cluster.registries.all(r, r.jurisdiction == 'SG')", f"{ENDS} (all() over cluster.registries here)"),
    "all of the hub's": ("hub.contracts.all(c, c.kind == 'A')", f"{ENDS} (all() over hub.contracts here)"),
    "exactly one": (f"{DEALS}.exists_one(c, c.kind == 'A')", f"{ENDS} (exists_one() over {DEALS} here)"),
    "none": (f"size({DEALS}) == 0", f"(what is asked of {DEALS}.size()): ask for no fewer, as {DEALS}.size() >= 1"),
    "some, by another word": (f"{DEALS}.size() != 0", f"what is asked of {DEALS}.size()"),
    "at most": (f"2 > {DEALS}.size()", f"what is asked of {DEALS}.size()"),
    "at least, not": (f"!({DEALS}.size() > 1)", f"what is asked of {DEALS}.size()"),
    "more of one than of another": (f"{DEALS}.size() > {CERTS}.size()", f"{ENDS} ({CERTS} here)"),
    "how many, in a sum": (f"{DEALS}.size() + 1 > 1", f"what is asked of {DEALS}.size()"),
    "at most of some": (f"{DEALS}.filter(c, c.kind == 'A').size() < 1", f"what is asked of {DEALS}.size()"),
    "at least that are not": (f"{DEALS}.filter(d, !{CERTS}.exists(c, true)).size() > 0", f"exists() over {CERTS} here"),
    "some of some that are not": (
        f"{DEALS}.filter(d, !{CERTS}.exists(c, true)).filter(d, true).exists(d, true)",
        f"exists() over {CERTS} here",
    ),
    "a list by itself": (f"{DEALS} == hub.contracts", f"{ENDS} ({DEALS} here)"),
    "what is left of a list by itself": (f"{DEALS}.filter(d, true) == hub.contracts", f"filter() over {DEALS} here"),
    "the first": (f"{DEALS}[0].kind == 'A'", f"line 1, column 8: {ENDS} ({DEALS} here): ask {DEALS}.exists()"),
    "the first, known": (f"has({DEALS}[0].kind)", f"{ENDS} ({DEALS} here)"),
    "a list in a list": (f"[{DEALS}].exists(l, l.all(c, c.kind == 'A'))", f"{ENDS} ({DEALS} here)"),
    "not in a list": (
        f"hub.contracts.exists(c, !(c in {DEALS}))",
        f"{ENDS} (in {DEALS} here): ask for what must be in {DEALS}",
    ),
    "in what is left of a list, where it may fail": (
        f"hub.contracts[0] in {DEALS}.filter(d, int(d.reference) == 1)",
        "this may fail inside filter()",
    ),
    "whether something is there, compared": (f"{DEALS}.exists(d, true) == false", f"exists() over {DEALS} here"),
    "a choice by what is there": (f"{DEALS}.exists(d, true) ? false : true", f"exists() over {DEALS} here"),
    "not known": ("!has(cluster.keyStore)", f"line 1, column 5: {ENDS} (has(cluster.keyStore) here): write has(clu"),
    "a part not known": ("!has(cluster.workers.jurisdiction)", "has(cluster.workers.jurisdiction) here"),
    "not known of the hub": ("has(hub.workers) != true", f"{ENDS} (has(hub.workers) here)"),
    "a choice by what is known": (
        "has(cluster.keyStore) ? cluster.keyStore.jurisdiction == 'SG' : true",
        "(has(cluster.",
    ),
    "known, of one of a choice": ("has((true ? cluster : hub).workers)", "cluster as a whole cannot be compared"),
    "what is known, in a list": ("[has(cluster.keyStore)].exists(k, !k)", "has(cluster.keyStore) here"),
    "whether there are so many, in a list": (f"[{DEALS}.size() > 0].exists(k, !k)", f"what is asked of {DEALS}.size()"),
    "all that is known": ("cluster == hub", "line 1, column 1: cluster as a whole cannot be compared: name its fields"),
    "a class without a certificate": (
        f"model.dataClasses.exists(d, !{CERTS}.exists(c, c.scope == d))",
        "exists() over",
    ),
    "exactly one class with one": (
        f"model.dataClasses.exists_one(d, {CERTS}.exists(c, c.scope == d))",
        "exists() over",
    ),
    "not all of the model's": (f"!model.dataClasses.all(d, {CERTS}.exists(c, c.scope == d))", "exists() over"),
}


@pytest.mark.parametrize(("source", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_less_could_make_true_is_refused(source: str, why: str) -> None:
    assert why in refused(source)


MAY_FAIL: dict[str, str] = {
    "a text that may be no time": "timestamp(d.reference) > timestamp('2027-01-01T00:00:00Z')",
    "a text that may be no span": "duration(d.reference) > duration('1h')",
    "a text that may be no number": "int(d.reference) > 1",
    "a division": "1 / size(d.reference) == 1",
    "a time that may be beyond all times": "timestamp(d.validUntil) + duration('720h') > now",
    "a place that may not be known": "cluster.keyStore.jurisdiction == d.party",
    "a trait that may not be there": "d.party == model.modelFormat.name",
    "a label that may not be there": "d.party == model.namespaceLabels.unit",
    "an index": "d.party == model.artifacts[1]",
    "a choice": "(d.kind == 'A' ? d.party : d.reference) == 'x'",
    "a list of the hub's, which may have no name": "hub.contracts.exists(c, c.kind == d.kind)",
    "what fails in a list": "d.party in ['a', model.artifacts[1]]",
    "what fails in another list": f"{CERTS}.exists(c, int(c.number) == 1)",
}


@pytest.mark.parametrize("what", MAY_FAIL)
def test_what_may_fail_inside_filter_is_refused_and_taken_by_exists(what: str) -> None:
    why = refused(f"{DEALS}.filter(d, {MAY_FAIL[what]}).size() >= 0")
    assert f"this may fail inside filter() over {DEALS}, and would be mended when a fact ends: compare what is" in why
    readable(f"{DEALS}.exists(d, {MAY_FAIL[what]})")


# Expressions of a small grammar, taken or not, on what is known and on less.

KINDS, LEVELS, PLACES = ("A", "B", "2027-01-01T00:00:00Z"), (0, 1, 2), ("SG", "DE")
DIMENSIONS = ("workers", "keyStore")


def condition(chance: Random, depth: int, variables: tuple[str, ...] = ()) -> str:
    """Something that is true or false."""

    def some() -> str:
        return condition(chance, depth - 1, variables)

    def of(more: str) -> str:
        return condition(chance, depth - 1, (*variables, more))

    a_list = chance.choice([CERTS, CERTS, "hub.certifications", "model.dataClasses"])
    name = f"{'m' if a_list.startswith('model') else 'f'}{depth}"
    simple = [
        lambda: chance.choice(["true", "false", "1 / 0 == 1", "model.accelerators > 0"]),
        lambda: f"has({chance.choice(['cluster', 'hub'])}.{chance.choice(DIMENSIONS)})",
        lambda: (
            f"cluster.{chance.choice(DIMENSIONS)}.jurisdiction {chance.choice(['==', '!='])} '{chance.choice(PLACES)}'"
        ),
        lambda: f"{a_list}.size() {chance.choice(['>', '>=', '<', '<=', '==', '!='])} {chance.choice(LEVELS)}",
    ]
    for variable in variables:
        text = f"{variable}.name" if variable.startswith("f") else variable
        simple += [
            lambda text=text: f"{text} {chance.choice(['==', '!='])} '{chance.choice(KINDS)}'",
            lambda text=text: f"timestamp({text}) >= timestamp('2027-01-01T00:00:00Z')",
        ] * 2
    if depth == 0:
        return chance.choice(simple)()
    joined = [
        lambda: f"!({some()})",
        lambda: f"({some()} {chance.choice(['&&', '||'])} {some()})",
        lambda: f"({some()} ? {some()} : {some()})",
        lambda: f"({some()}) {chance.choice(['==', '!='])} ({some()})",
        lambda: f"{a_list}.{chance.choice(['exists', 'exists', 'all', 'exists_one'])}({name}, {of(name)})",
        lambda: f"{a_list}.filter({name}, {of(name)}).size() {chance.choice(['>', '>=', '<'])} {chance.choice(LEVELS)}",
        lambda: f"{a_list}.filter({name}, {of(name)}).{chance.choice(['exists', 'all'])}({name}, {of(name)})",
    ]
    return chance.choice([*simple, *joined, *joined])()


def world(chance: Random) -> dict[str, Any]:
    def about(name: str) -> dict[str, Any]:
        places = {d: {"jurisdiction": chance.choice(PLACES)} for d in DIMENSIONS if chance.random() < 0.7}
        certificates = [{"name": chance.choice(KINDS)} for _ in range(chance.randint(0, 3))]
        return {"name": name, **places, "certifications": certificates}

    model = {"accelerators": chance.randint(0, 1), "dataClasses": [chance.choice(KINDS) for _ in range(2)]}
    return {"cluster": about("sg"), "hub": about("hub"), "model": model, "policy": {"name": "p"}, "now": NOW}


def less(known: Mapping[str, Any], chance: Random) -> dict[str, Any]:
    """The same but for one fact."""
    of = chance.choice(["cluster", "cluster", "hub"])
    facts = dict(known[of])
    held = facts["certifications"]
    places = [d for d in DIMENSIONS if d in facts]
    if held and chance.random() < 0.5:
        gone = chance.randrange(len(held))
        facts["certifications"] = [each for n, each in enumerate(held) if n != gone]
    elif places:
        del facts[chance.choice(places)]
    return {**known, of: facts}


def a_readable_one(chance: Random) -> Expression:
    while True:
        found = expression.compiled(condition(chance, chance.randint(1, 3)))
        if isinstance(found, Expression):
            return found


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**40).map(Random))
def test_what_is_taken_never_becomes_true_with_less(chance: Random) -> None:
    taken = a_readable_one(chance)
    for _ in range(8):
        known = world(chance)
        for _ in range(6):
            poorer = less(known, chance)
            assert taken.evaluate(known) is True or taken.evaluate(poorer) is not True, (taken.source, known, poorer)
            known = poorer


def test_the_grammar_says_both_and_is_often_refused() -> None:
    """Else the test above would show nothing."""
    chance = Random(1)
    found = [expression.compiled(condition(chance, 2)) for _ in range(600)]
    taken = [each for each in found if isinstance(each, Expression)]
    assert len(taken) > 150
    assert sum(ENDS in each.why or "may fail" in each.why for each in found if not isinstance(each, Expression)) > 100
    turned = [each for each in taken if len({repr(each.evaluate(world(chance))) for _ in range(10)}) > 1]
    assert len(turned) > 60
    assert len([each for each in turned if "exists" in each.source or "all" in each.source]) > 10


def test_without_the_check_the_grammar_finds_what_less_makes_true(monkeypatch: pytest.MonkeyPatch) -> None:
    def turns(chance: Random) -> bool:
        one = a_readable_one(chance)
        known = [world(chance) for _ in range(10)]
        return any(one.evaluate(k) is not True and one.evaluate(less(k, chance)) is True for k in known)

    assert not any(turns(Random(seed)) for seed in range(150))
    monkeypatch.setattr("domicile.residency.cel.lasting.check", lambda tree: None)
    assert sum(turns(Random(seed)) for seed in range(150)) > 5
