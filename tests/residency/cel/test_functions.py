"""Which functions, types and kinds of expressions are refused, whatever they would say."""

import pytest

from residency.cel.known import refused

REFUSED: dict[str, tuple[str, str]] = {
    "dyn()": ("dyn(cluster.name) == 'sg'", "line 1, column 4: its type is not known beforehand: do without dyn()"),
    "null": ("cluster.name == 'a' || null == null", "its type is not known beforehand"),
    "an empty list": ("model.dataClasses == [] || [] == []", "its type is not known beforehand"),
    "things of two types": ("[1, 'a'].exists(x, true)", "its type is not known beforehand"),
    "lists of things of two types": ("[[1, 'a']].exists(x, true)", "its type is not known beforehand"),
    "a type": ("type(1) == int", "its type is not known beforehand"),
    "any message": ("google.protobuf.Any{} == google.protobuf.Any{}", "its type is not known beforehand"),
    "a map": ("{'a': 1}.size() > 0", "line 1, column 1: it makes an object: rules compare, they do not make objects"),
    "a map to things of two types": ("{'a': 1, 'b': 'c'}.size() > 0", "its type is not known beforehand"),
    "a map from things of two types": ("{'a': 1, 2: 1}.size() > 0", "its type is not known beforehand"),
    "a map of what is not known": ("{'a': dyn(1)}.size() > 0", "its type is not known beforehand"),
    "a message": ("domicile.Cluster{name: 'x'} == domicile.Cluster{}", "it makes an object"),
    "a number that is no whole one": ("1.5 > 1.0", "line 1, column 1: only texts, whole numbers, true and false can"),
    "an unsigned number": ("1u == 1u", "only texts, whole numbers, true and false"),
    "bytes": ("b'a' == b'a'", "only texts, whole numbers, true and false"),
    "texts joined": ("cluster.name + model.name == ''", "line 1, column 14: texts cannot be joined: compare each by"),
    "lists joined": ("model.artifacts + model.artifacts == model.artifacts", "lists cannot be joined"),
    "a text made of a number": ("string(model.accelerators) == '1'", "string is not available for these types"),
    "a text made of a time": ("string(now) == ''", "string is not available for these types"),
    "a fraction made of a text": ("double(cluster.name) > double('1')", "> is not available for these types"),
    "true or false compared": ("true > false", "> is not available for these types"),
    "a time zone": (
        "now.getHours('file:/etc/passwd') == 1",
        "line 1, column 13: time zones are not available: times are in UTC",
    ),
    "a time zone of another time": (
        "timestamp('2027-01-01T00:00:00Z').getHours('Asia/Singapore') == 1",
        "time zones are not available",
    ),
    "map()": (
        "model.artifacts.map(a, a) == model.artifacts",
        "line 1, column 20: map() is not available: use exists(), all() or filter()",
    ),
    "map() with a space": ("model.artifacts. map (a, a.size()) == [1]", "map() is not available"),
    "map() of some": ("model.artifacts.map(a, a != '', a.size()) == [1]", "map() is not available"),
    "a variable that hides another": (
        "model.artifacts.exists(cluster, cluster == '')",
        "line 1, column 23: cluster is the name of something else: name the variable otherwise",
    ),
    "a variable that hides the time": ("model.artifacts.exists(now, now == '')", "now is the name of something else"),
    "brackets without end": ("(" * 500 + "true" + ")" * 500, "recursion limit exceeded. limit: 32"),
    "a sum without end": ("+".join(["1"] * 500) + " > 0", "Exceeded max recursion depth of 32 when parsing."),
    "objects in lists": ("[[{'a': [1]}]].exists(x, true)", "it makes an object"),
}


@pytest.mark.parametrize(("source", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused_says_why(source: str, why: str) -> None:
    assert why in refused(source)
