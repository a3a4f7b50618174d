"""The checked expression as a tree. What the library serializes is read here, and nowhere else; other kinds of node than these
are refused here, and so is whatever has no fixed type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, cast

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError


@dataclass(frozen=True)
class Const:
    """What is written out."""

    at: int
    """Where in the source, in characters; so in all nodes."""
    value: str | int | bool


@dataclass(frozen=True)
class Name:
    """A variable."""

    at: int
    name: str


@dataclass(frozen=True)
class Field:
    """A field of an object, or a key of a map written as one."""

    at: int
    of: "Node"
    name: str


@dataclass(frozen=True)
class Has:
    """has(of.name)"""

    at: int
    of: "Node"
    name: str


@dataclass(frozen=True)
class Call:
    """A function or an operator on values of certain types."""

    at: int
    function: str
    overload: str
    """Which function it is for these types, as the CEL project names them: less_timestamp."""
    args: "tuple[Node, ...]"
    """With what stands before the dot as the first."""


@dataclass(frozen=True)
class Items:
    """A list that is written out."""

    at: int
    items: "tuple[Node, ...]"


Loop = Literal["all", "exists", "exists_one", "filter"]


@dataclass(frozen=True)
class Each:
    """all(), exists(), exists_one() or filter()."""

    at: int
    loop: Loop
    over: "Node"
    name: str
    """The variable that stands for each."""
    body: "Node"


Node = Const | Name | Field | Has | Call | Items | Each


class Refused(Exception):
    """An expression is none that we take."""

    def __init__(self, at: int, why: str) -> None:
        super().__init__(why)
        self.at = at
        self.why = why


def parts(node: Node) -> "tuple[Node, ...]":
    """What it is made of."""
    match node:
        case Const() | Name():
            return ()
        case Field() | Has():
            return (node.of,)
        case Call():
            return node.args
        case Items():
            return node.items
        case _:
            return node.over, node.body


def every(node: Node) -> Iterator[Node]:
    """It, and all that it is made of."""
    yield node
    for part in parts(node):
        yield from every(part)


def read(serialized: bytes, taken: frozenset[str]) -> Node:
    """The tree of what the library serialized; raises Refused. `taken` are names that no loop may give to its variable."""
    try:
        checked = _checked().FromString(any_pb2.Any.FromString(serialized).value)
    except DecodeError:
        raise Refused(0, "it is nested too deep: make several rules of it") from None
    positions = {entry.key: entry.value for entry in checked.source.positions}
    for entry in checked.types:
        if _has_no_fixed_type(entry.value):
            raise Refused(
                positions.get(entry.key, 0),
                "its type is not known beforehand: do without dyn() and null, and put things of one type in a list",
            )
    calls = {entry.key: tuple(entry.value.overload_id) for entry in checked.references}
    return _Reading(positions, calls, taken).node(checked.expr)


@dataclass(frozen=True)
class _Reading:
    positions: Mapping[int, int]
    calls: Mapping[int, tuple[str, ...]]
    taken: frozenset[str]

    def node(self, read: Any) -> Node:
        at = self.positions.get(read.id, 0)
        match read.WhichOneof("kind"):
            case "const":
                return Const(at, self._value(at, read.const))
            case "ident":
                return Name(at, read.ident.name.removeprefix("."))
            case "select":
                kind = Has if read.select.test_only else Field
                return kind(at, self.node(read.select.operand), read.select.field)
            case "list":
                return Items(at, tuple(self.node(each) for each in read.list.elements))
            case "comprehension":
                return self._each(at, read.comprehension)
            case "call":
                return self._call(at, read)
            case _:
                raise Refused(at, "it makes an object: rules compare, they do not make objects")

    def _value(self, at: int, read: Any) -> str | int | bool:
        kind = read.WhichOneof("kind")
        if kind not in ("string_value", "int64_value", "bool_value"):
            raise Refused(at, "only texts, whole numbers, true and false can be written out")
        value: str | int | bool = getattr(read, kind)
        return value

    def _call(self, at: int, read: Any) -> Call:
        of = [read.call.target] if read.call.HasField("target") else []
        args = tuple(self.node(each) for each in (*of, *read.call.args))
        found = self.calls.get(read.id, ())
        return Call(at, read.call.function, found[0] if len(found) == 1 else "", args)

    def _each(self, at: int, read: Any) -> Each:
        """Macros are told by the shape that they are expanded to. No other loop can be written."""
        if read.iter_var in self.taken:
            raise Refused(at, f"{read.iter_var} is the name of something else: name the variable otherwise")
        function, args = read.loop_step.call.function, read.loop_step.call.args
        first = read.accu_init.WhichOneof("kind")
        loop: Loop
        if function in ("_||_", "_&&_"):
            loop, body = ("exists" if function == "_||_" else "all"), args[1]
        elif function == "_?_:_" and first == "const":
            loop, body = "exists_one", args[0]
        elif function == "_?_:_" and _is_name(args[1].call.args[1].list.elements[0], read.iter_var):
            loop, body = "filter", args[0]
        else:
            raise Refused(at, "map() is not available: use exists(), all() or filter()")
        return Each(at, loop, self.node(read.iter_range), read.iter_var, self.node(body))


def _is_name(read: Any, name: str) -> bool:
    return bool(read.ident.name == name)


def _has_no_fixed_type(read: Any) -> bool:
    match read.WhichOneof("kind"):
        case "list_type":
            return _has_no_fixed_type(read.list_type.elem)
        case "map_type":
            return _has_no_fixed_type(read.map_type.key) or _has_no_fixed_type(read.map_type.value)
        case "well_known":
            return bool(read.well_known == _ANY)
        case kind:
            return kind not in ("primitive", "message_type")


# The part of cel.expr.CheckedExpr that is read, by the numbers of cel-spec (proto/cel/expr/checked.proto and syntax.proto). The
# library has no such messages for Python; a field that is not listed is skipped.

_ANY: Final = 1
_MESSAGES: Final[dict[str, dict[str, tuple[int, str]]]] = {
    # name of the message: its fields, with number and type; [] is a list of it, and ? one of the message's kinds.
    "Checked": {
        "references": (2, "ReferenceEntry[]"),
        "types": (3, "TypeEntry[]"),
        "expr": (4, "Expr"),
        "source": (5, "Source"),
    },
    "ReferenceEntry": {"key": (1, "int64"), "value": (2, "Reference")},
    "Reference": {"overload_id": (3, "string[]")},
    "TypeEntry": {"key": (1, "int64"), "value": (2, "Type")},
    "Type": {
        "dyn": (1, "Empty?"),
        "null": (2, "int64?"),
        "primitive": (3, "int64?"),
        "wrapper": (4, "int64?"),
        "well_known": (5, "int64?"),
        "list_type": (6, "ListType?"),
        "map_type": (7, "MapType?"),
        "function": (8, "Empty?"),
        "message_type": (9, "string?"),
        "type_param": (10, "string?"),
        "type": (11, "Type?"),
        "error": (12, "Empty?"),
    },
    "ListType": {"elem": (1, "Type")},
    "MapType": {"key": (1, "Type"), "value": (2, "Type")},
    "Empty": {},
    "Source": {"positions": (4, "PositionEntry[]")},
    "PositionEntry": {"key": (1, "int64"), "value": (2, "int32")},
    "Expr": {
        "id": (2, "int64"),
        "const": (3, "Constant?"),
        "ident": (4, "Ident?"),
        "select": (5, "Select?"),
        "call": (6, "Call?"),
        "list": (7, "List?"),
        "struct": (8, "Empty?"),
        "comprehension": (9, "Comprehension?"),
    },
    "Constant": {
        "null_value": (1, "int64?"),
        "bool_value": (2, "bool?"),
        "int64_value": (3, "int64?"),
        "string_value": (6, "string?"),
    },
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string"), "test_only": (3, "bool")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "Expr[]")},
    "List": {"elements": (1, "Expr[]")},
    "Comprehension": {
        "iter_var": (1, "string"),
        "iter_range": (2, "Expr"),
        "accu_init": (4, "Expr"),
        "loop_step": (6, "Expr"),
    },
}
_PLAIN: Final = {"int64": 3, "int32": 5, "bool": 8, "string": 9}
_OPTIONAL, _REPEATED = 1, 3


@cache
def _checked() -> Any:
    """The class that reads a Checked. Any: the package's types are incomplete."""
    file = cast(Any, descriptor_pb2).FileDescriptorProto(name="checked.proto", package="ast", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if any(kind.endswith("?") for _, kind in fields.values()):
            message.oneof_decl.add(name="kind")
        for field, (number, kind) in fields.items():
            _add(message, field, number, kind)
    pool = cast(Any, descriptor_pool).DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return cast(Any, message_factory).GetMessageClass(pool.FindMessageTypeByName("ast.Checked"))


def _add(message: Any, field: str, number: int, kind: str) -> None:
    of = kind.removesuffix("[]").removesuffix("?")
    label = _REPEATED if kind.endswith("[]") else _OPTIONAL
    one_of = {"oneof_index": 0} if kind.endswith("?") else {}
    typed = {"type": _PLAIN[of]} if of in _PLAIN else {"type_name": f".ast.{of}"}
    message.field.add(name=field, number=number, label=label, **typed, **one_of)
