"""What expressions may cost: reckoned before one is taken, and measured on the largest that can be known."""

import time

import pytest

from domicile.residency.cel import cost, expression, schema
from domicile.residency.cel.cost import Cost, Size
from domicile.residency.cel.expression import Expression, Failed, Invalid
from domicile.residency.cel.syntax import Call, Const, Each, Field, Has, Items, Name, Node, Refused
from residency.cel.known import largest, readable, refused

BUDGET = 1.0
"""Seconds of the processor, to read and evaluate one expression once. Measured are at most 0.015; a busy machine is slower."""
LARGEST = largest()
EACH = "cluster.contracts.exists(a, cluster.certifications.exists(b, {}))"
OPTIONAL = "(.?)" * 31 + "z"

HOSTILE: dict[str, str] = {
    "brackets": "(" * 500 + "true" + ")" * 500,
    "lists in lists": "[" * 500 + "]" * 500 + " == []",
    "not not": "!" * 1000 + "true",
    "minus minus": "-" * 1000 + "1 == 1",
    "a long sum": "+".join(["1"] * 500) + " > 0",
    "a long chain of and": "&&".join(["true"] * 170),
    "a long chain of fields": "cluster" + ".name" * 200 + " == ''",
    "a long text": "'" + "x" * 1000 + "' == ''",
    "a long list": "1 in [" + ",".join(["1"] * 500) + "]",
    "choices in choices": "true ? " * 100 + "true" + " : true" * 100,
    "64 x 64": EACH.format("false"),
    "64 x 64, eight times": "||".join([EACH.format("false")] * 8),
    "64 x 64 x 64": EACH.format("cluster.registries.exists(c, false)"),
    "20 deep": "cluster.contracts.exists(a, " * 20 + "false" + ")" * 20,
    "filters of filters": "cluster.contracts" + ".filter(a, true)" * 12 + ".size() > 0",
    "filters of many filters": "cluster.contracts" + ".filter(a, true)" * 60 + ".size() > 0",
    "filters in filters": "cluster.contracts.filter(a, cluster.contracts.filter(b, a == b).size() > 0).size() > 0",
    "filters of all the model has": "&&".join(["model.dataClasses.filter(a, true) == model.dataClasses"] * 15),
    "long texts joined 64 x 64 times": EACH.format("(" + "+".join(["a.reference", "b.scope"] * 3) + ").size() > 0"),
    "a text that doubles": "[model.name]" + ".map(x, x + x)" * 30 + "[0] != ''",
    "a list that doubles": "[[1]]" + ".map(x, x + x)" * 30 + "[0].size() > 0",
    "long texts searched": "cluster.contracts.exists(a, a.reference.contains(a.party))",
    "long texts searched 64 x 64 times": EACH.format("a.reference.contains(b.scope)"),
    "64 x 64 comparisons": EACH.format("a.reference == b.scope"),
    "64 x 64 comparisons of order": EACH.format("a.reference < b.scope"),
    "64 x 64 sizes": EACH.format("a.reference.size() == 1"),
    "64 x 64 sizes of lists": EACH.format("size(model.dataClasses) == 1"),
    "64 x 64 objects": EACH.format("cluster.confidentialComputing != hub.confidentialComputing"),
    "64 x 64 times": EACH.format("timestamp(b.validUntil) < now"),
    "64 x 64 written lists": EACH.format("a.kind in ['a', 'b', 'c', 'd']"),
    "64 x 64 looked up": "cluster.contracts.exists(a, a in hub.contracts)",
    "64 x 64 x 64 looked up": EACH.format("a in hub.contracts"),
    "a pattern that others go astray on": "cluster.contracts.exists(a, a.reference.matches('^(a+)+$'))",
    "64 x 64 such patterns": EACH.format("a.reference.matches('^(a+)+$')"),
    "counted repetition": "'a'.matches('" + "((a{30}){30})" * 60 + "')",
    "a literal list, nested": "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, true)))",
    "64 patterns of many parts": f"cluster.certifications.exists(a, a.name.matches('{OPTIONAL}'))",
    "64 x 64 patterns of many parts": EACH.format(f"a.reference.matches('{OPTIONAL}')"),
    "64 x 64 comparisons of all that is known": EACH.format("&&".join(["cluster != cluster"] * 2)),
    "64 x 64 comparisons of all that the model is": EACH.format("&&".join(["model != model"] * 40)),
    "64 x 64 comparisons of whole lists": EACH.format("model.artifacts != model.artifacts"),
    "64 x 64 labels": "model.namespaceLabels.exists(a, model.namespaceLabels.exists(b, model.namespaceLabels[a] == b))",
    "one large pattern": "'a'.matches('" + "(a?){1000}" * 90 + "')",
    "a large pattern in a loop": "[0,1,2,3,4,5,6,7,8,9].exists(a, 'a'.matches('" + "(a?){1000}" * 80 + "b'))",
    "a large pattern made in a loop": "cluster.contracts.exists(a, 'b'.matches('" + "(a?){1000}" * 20 + "' + a.kind))",
    "a pattern of any letters": "cluster.contracts.exists(a, a.reference.matches('" + "(?i)[^ぁ-ん]?" * 12 + "'))",
    "a pattern that goes on in many places": "cluster.contracts.exists(a, a.reference.matches('(.*a"
    + ".?" * 50
    + "c)'))",
}


@pytest.mark.parametrize("letter", ["a", "😀"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_expression_costs_little(name: str, letter: str) -> None:
    ready = expression.values(LARGEST if letter == "a" else largest(letter))
    expression.compiled("true")  # The environment is made once.
    begun = time.process_time()
    compiled = expression.compiled(HOSTILE[name])
    found = compiled.on(ready) if isinstance(compiled, Expression) else compiled
    spent = time.process_time() - begun
    assert isinstance(found, bool | Failed | Invalid)
    assert spent < BUDGET, f"{spent:.2f} s"


TOO_MUCH: dict[str, str] = {
    "three loops": EACH.format("cluster.registries.exists(c, false)"),
    "two loops three times": "||".join([EACH.format("false")] * 3),
    "long texts searched in two loops": EACH.format("a.reference.contains(b.scope)"),
    "patterns in two loops": EACH.format("a.kind.matches('^[A-Z]')"),
    "a pattern of many parts over long texts": f"cluster.contracts.exists(a, a.reference.matches('{OPTIONAL}'))",
    "what is left copied in a loop": EACH.format("model.dataClasses.filter(c, true).size() > 0"),
}


@pytest.mark.parametrize("source", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_could_cost_too_much_is_refused(source: str) -> None:
    why = refused(source)
    assert "it may take" in why
    assert (
        "600,000 and 10,000 are allowed: compare less inside of exists(), all() and filter(), or make rules of" in why
    )
    assert why.startswith("line 1, column ")


SCOPE = {
    "text": Size(640),
    "word": Size(101),
    "texts": Size(6400, 11, 10, Size(640)),
    "map": Size(950, 21, 10, Size(64), Size(31)),
    "place": cost.sized("Place"),
}
WORD, PLACE = Name(0, "word"), Name(0, "place")
TEXT, TEXTS, MAP, ONE = Name(0, "text"), Name(0, "texts"), Name(0, "map"), Const(0, 1)


def call(overload: str, *args: Node) -> Call:
    return Call(0, overload, overload, args)


COSTS: dict[str, tuple[Node, Cost]] = {
    "a constant": (Const(0, "four"), Cost(1, 0, Size(4))),
    "a variable": (TEXT, Cost(2, 0, SCOPE["text"])),
    "an unknown variable": (Name(0, "c"), Cost(2, 0, Size())),
    "a field of a map": (Field(0, MAP, "a"), Cost(9, 0, Size(64))),
    "a field of nothing": (Field(0, TEXT, "a"), Cost(8, 0, Size())),
    "whether a field is there": (Has(0, MAP, "a"), Cost(8, 0, Size())),
    "a list": (Items(0, (ONE, TEXT)), Cost(23, 0, Size(640, 3, 2, Size(640)))),
    "no list": (Items(0, ()), Cost(8, 0, Size(each=Size()))),
    "a loop": (Each(0, "exists", TEXTS, "e", Name(0, "e")), Cost(258, 10, Size())),
    "a loop over a map": (Each(0, "all", MAP, "e", Name(0, "e")), Cost(158, 10, Size())),
    "a loop that keeps": (Each(0, "filter", TEXTS, "e", ONE), Cost(848, 10, SCOPE["texts"])),
    "a loop in a loop": (
        Each(0, "exists", TEXTS, "e", Each(0, "exists", TEXTS, "f", ONE)),
        Cost(18 + 10 * (18 + 10 * 23 + 22), 110, Size()),
    ),
    "a choice": (call("conditional", ONE, TEXTS, MAP), Cost(9, 0, Size(6400, 21, 10, Size(640), Size(31)))),
    "a field of a choice": (Field(0, call("conditional", ONE, PLACE, PLACE), "jurisdiction"), Cost(15, 0, Size(6))),
    "equal texts": (call("equals", TEXT, TEXT), Cost(18, 0, Size())),
    "equal words": (call("equals", WORD, WORD), Cost(9, 0, Size())),
    "equal lists": (call("equals", TEXTS, TEXTS), Cost(8 + 120 + 100, 0, Size())),
    "a list and a short text": (call("equals", TEXTS, Const(0, "a")), Cost(7, 0, Size())),
    "in a list": (call("in_list", TEXT, TEXTS), Cost(8 + 10 * 22, 0, Size())),
    "in a map": (call("in_map", TEXT, MAP), Cost(20, 0, Size())),
    "of a list": (call("index_list", TEXTS, ONE), Cost(19, 0, Size(640))),
    "a pattern": (call("matches", TEXT, Const(0, "abc")), Cost(7 + 600 + 192 + 640 * 5, 0, Size())),
    "a text searched": (call("contains_string", TEXT, TEXT), Cost(8 + 80 + 6400, 0, Size())),
    "a word searched": (call("contains_string", WORD, WORD), Cost(8 + 12 + 159, 0, Size())),
    "how a word begins": (call("starts_with_string", WORD, WORD), Cost(11, 0, Size())),
    "how a text begins": (call("starts_with_string", TEXT, TEXT), Cost(28, 0, Size())),
    "the size of a text": (call("size_string", TEXT), Cost(86, 0, Size())),
    "the size of a word": (call("size_string", WORD), Cost(18, 0, Size())),
    "the size of a list": (call("size_list", TEXTS), Cost(8, 0, Size())),
    "a text read": (call("string_to_int64", TEXT), Cost(6 + 24 + 160, 0, Size())),
    "a word read": (call("string_to_int64", WORD), Cost(6 + 24 + 25, 0, Size())),
    "a sum": (call("add_int64", ONE, ONE), Cost(12, 0, Size())),
}


@pytest.mark.parametrize(("node", "expected"), COSTS.values(), ids=COSTS.keys())
def test_costs(node: Node, expected: Cost) -> None:
    assert cost.cost(node, SCOPE) == expected


def test_sizes_are_those_of_the_schema() -> None:
    assert cost.sized("Place") == Size(6, 2, message="Place")
    assert cost.sized("bool") == Size()
    assert cost.sized("Replicas") == Size(0, 3, message="Replicas")
    assert cost.sized("Registry[]") == Size(64 * 259, 1 + 64 * 3, 64, Size(259, 3, message="Registry"))
    artifacts = cost.cost(Field(0, Name(0, "model"), "artifacts"), {"model": cost.sized("Model")}).size
    assert (artifacts.count, artifacts.each) == (schema.COUNTS["Model.artifacts"], Size(512))
    labels = cost.cost(Field(0, Name(0, "model"), "namespaceLabels"), {"model": cost.sized("Model")}).size
    assert labels == Size(64 * (63 + 317), 1 + 64 * 2, 64, Size(63), Size(317))


def test_what_costs_as_much_as_is_allowed_is_taken() -> None:
    Cost(cost.MOST_STEPS, cost.MOST_ROUNDS, Size()).within(ONE)
    for steps, rounds in ((1, 0), (0, 1)):
        with pytest.raises(Refused):
            Cost(cost.MOST_STEPS + steps, cost.MOST_ROUNDS + rounds, Size()).within(ONE)


def test_what_policies_say_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MOST_STEPS", cost.MOST_STEPS // 100)
    readable("cluster.certifications.exists(c, c.name == 'SS584' && c.level >= 3)")
    readable("has(cluster.keyStore) && cluster.keyStore.jurisdiction == cluster.workers.jurisdiction")
