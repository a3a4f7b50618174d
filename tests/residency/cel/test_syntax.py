"""The tree of a checked expression."""

import pytest
from cel_expr_python import cel

from domicile.residency.cel.syntax import Call, Const, Each, Field, Has, Items, Name, Node, Refused, every, read

ENV = cel.NewEnv(variables={"x": cel.Type.List(cel.Type.STRING), "m": cel.Type.Map(cel.Type.STRING, cel.Type.STRING)})


def tree(source: str) -> Node:
    return read(ENV.compile(source).serialize(), frozenset({"x", "m"}))


X = Name(0, "x")
TREES: dict[str, tuple[str, Node]] = {
    "a constant": ("true", Const(0, True)),
    "a number below zero": ("-1", Const(0, -1)),
    "a text": ("'ä'", Const(0, "ä")),
    "a field": ("m.a", Field(1, Name(0, "m"), "a")),
    "has()": ("has(m.a)", Has(3, Name(4, "m"), "a")),
    "a list": ("['a']", Items(0, (Const(1, "a"),))),
    "a method": ("x.size()", Call(6, "size", "list_size", (X,))),
    "a function": ("size(x)", Call(4, "size", "size_list", (Name(5, "x"),))),
    "exists()": ("x.exists(e, true)", Each(8, "exists", X, "e", Const(12, True))),
    "all()": ("x.all(e, true)", Each(5, "all", X, "e", Const(9, True))),
    "exists_one()": ("x.exists_one(e, true)", Each(12, "exists_one", X, "e", Const(16, True))),
    "filter()": ("x.filter(e, true)", Each(8, "filter", X, "e", Const(12, True))),
}


@pytest.mark.parametrize(("source", "expected"), TREES.values(), ids=TREES.keys())
def test_trees(source: str, expected: Node) -> None:
    assert tree(source) == expected


def test_every_node_is_found() -> None:
    found = tree("x.exists(e, has(m.a) && e in ['b', m.c]) || size(x) > 1")
    assert [node.name for node in every(found) if isinstance(node, Name)] == ["x", "m", "e", "m", "x"]
    assert {type(node) for node in every(found)} == {Call, Each, Has, Field, Name, Items, Const}


def test_what_is_nested_too_deep_for_the_reader_is_refused() -> None:
    deep = cel.NewEnv(variables={"b": cel.Type.BOOL}).compile("b ? true : " * 25 + "b").serialize()
    assert isinstance(read(deep, frozenset()), Call)
    with pytest.raises(Refused, match="it is nested too deep") as refused:
        read(b"\x12\x03\x0a\x7f\x01", frozenset())
    assert (refused.value.at, refused.value.why) == (0, "it is nested too deep: make several rules of it")


# What the library has not been seen to serialize, in bytes: it says of each node where it is, and of each call which it is.

TRUE = b"\x22\x06\x10\x01\x1a\x02\x10\x01"  # expr { id: 1, const { bool_value: true } }
CALL = b"\x22\x07\x10\x01\x32\x03\x12\x01f"  # expr { id: 1, call { function: "f" } }
DYN = b"\x1a\x06\x08\x01\x12\x02\x0a\x00"  # types { key: 1, value { dyn {} } }
ONE = b"\x12\x07\x08\x01\x12\x03\x1a\x01a"  # references { key: 1, value { overload_id: "a" } }
TWO = b"\x12\x0a\x08\x01\x12\x06\x1a\x01a\x1a\x01b"  # the same with "a" and "b"

UNUSUAL: dict[str, tuple[bytes, Node]] = {
    "a node that is nowhere": (TRUE, Const(0, True)),
    "a name in full": (b"\x22\x08\x10\x01\x22\x04\x0a\x02.x", Name(0, "x")),
    "a call that is none": (CALL, Call(0, "f", "", ())),
    "a call that is one": (ONE + CALL, Call(0, "f", "a", ())),
    "a call that is one of two": (TWO + CALL, Call(0, "f", "", ())),
}


def wrapped(checked: bytes) -> bytes:
    return b"\x12" + bytes([len(checked)]) + checked


@pytest.mark.parametrize(("checked", "expected"), UNUSUAL.values(), ids=UNUSUAL.keys())
def test_what_is_not_said_is_not_guessed(checked: bytes, expected: Node) -> None:
    assert read(wrapped(checked), frozenset()) == expected


def test_a_type_that_is_nowhere_is_refused_too() -> None:
    with pytest.raises(Refused) as refused:
        read(wrapped(DYN + TRUE), frozenset())
    assert refused.value.at == 0
