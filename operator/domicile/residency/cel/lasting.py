"""That a fact which ends, or is taken away, never makes an expression true.

What is not known makes an expression fail, and that is not true. But lists of what is known, and has(), answer without what is
not known. So it is followed what of an expression makes it true: what may be asked of them there is what can only become
false with less. What makes a part false is followed the same way, below `!`.

- `&&`, `||` and exists() and all() over anything are true by what makes their parts true, and false likewise; what fails
  in one part counts as little as false in the other.
- exists() over such a list has more that makes it true with every fact; all() has more that makes it false.
- size() of such a list, or of filter() over one, only falls with less, so it may be asked to be large.
- Everywhere else (compared, in a list, before the `?`) a part may count both ways, and has none of them.
"""

from enum import Enum
from typing import Final

from domicile.residency.cel import functions, schema
from domicile.residency.cel.functions import SIZE_OF_LIST
from domicile.residency.cel.syntax import Call, Const, Each, Field, Has, Items, Name, Node, Refused
from domicile.residency.cel.times import END, NOW

OF_FACTS: Final = frozenset(name for name, message in schema.VARIABLES.items() if message == "Cluster")
LISTS: Final = frozenset(name for name, kind in schema.MESSAGES["Cluster"].items() if kind.endswith("[]"))
_ALWAYS: Final = {
    "cluster": frozenset({"name", "uid", "pool"}),
    "model": frozenset({"name", "namespace", "namespaceLabels", "dataClasses", "artifacts"}),
    "policy": frozenset({"name"}),
}
"""Fields that are always there."""


class Why(Enum):
    """By what of a part the whole is true."""

    TRUE = "true"
    FALSE = "false"
    EITHER = "either"


_OTHER: Final = {Why.TRUE: Why.FALSE, Why.FALSE: Why.TRUE, Why.EITHER: Why.EITHER}
_LARGE: Final = {
    # With size() on the left; and on the right.
    Why.TRUE: (("greater_int64", "greater_equals_int64"), ("less_int64", "less_equals_int64")),
    Why.FALSE: (("less_int64", "less_equals_int64"), ("greater_int64", "greater_equals_int64")),
    Why.EITHER: ((), ()),
}


def check(node: Node, why: Why = Why.TRUE) -> None:
    """Refuse what less knowledge could make true."""
    match node:
        case Const():
            return
        case Name(at, name):
            if name in OF_FACTS:
                raise Refused(at, f"{name} as a whole cannot be compared: name its fields")
        case Has(_, of, name):
            if _root(of) in OF_FACTS and why is not Why.TRUE:
                path = f"has({_path(of)}.{name})"
                raise _refused(node, f"{path} here", f"write {path} && ...")
            check_path(of)
        case Field(_, of, _):
            if _listed(node):
                raise _refused(node, f"{_said(node)} here", f"ask {_said(node)}.exists() for what must be there")
            check_path(of)
        case Items(_, items):
            for each in items:
                check(each, Why.EITHER)
        case Each():
            _check_loop(node, why)
        case _:
            _check_call(node, why)


def check_path(of: Node) -> None:
    """The same of what has the field that is asked for."""
    if not (isinstance(of, Name) and of.name in OF_FACTS):
        check(of, Why.EITHER)


def _check_call(node: Call, why: Why) -> None:
    args = node.args
    match node.overload:
        case "logical_and" | "logical_or":
            whys = [why, why]
        case "logical_not":
            whys = [_OTHER[why]]
        case "conditional":
            whys = [Why.EITHER, why, why]
        case "in_list" if _listed(args[1]):
            if why is not Why.TRUE:
                raise _refused(node, f"in {_said(args[1])} here", f"ask for what must be in {_said(args[1])}")
            _check_list(args[1])
            args, whys = args[:1], [Why.EITHER]
        case _:
            if len(args) == 2 and (_sized(args[0]) or _sized(args[1])):
                _check_size(node, why)
                return
            whys = [Why.EITHER] * len(args)
    for arg, each in zip(args, whys, strict=True):
        check(arg, each)


def _check_loop(node: Each, why: Why) -> None:
    if not _listed(node.over):
        check(node.over, Why.EITHER)
        check(node.body, why if node.loop in ("all", "exists") else Why.EITHER)
    elif (node.loop, why) in (("exists", Why.TRUE), ("all", Why.FALSE)):
        _check_list(node.over)
        check(node.body, why)
    else:
        said = _said(node.over)
        raise _refused(node, f"{node.loop}() over {said} here", f"ask {said}.exists() for what must be there")


def _check_size(node: Call, why: Why) -> None:
    (left, right), (on_left, on_right) = node.args, _LARGE[why]
    size, other, large = (left, right, on_left) if _sized(left) else (right, left, on_right)
    assert isinstance(size, Call)
    if node.overload not in large:
        said = _said(size.args[0])
        raise _refused(node, f"what is asked of {said}.size()", f"ask for no fewer, as {said}.size() >= 1")
    _check_list(size.args[0])
    check(other, Why.EITHER)


def _check_list(node: Node) -> None:
    """A list that only shrinks with less. Where filter() fails on one that ends, it would be mended by that."""
    if not isinstance(node, Each):
        return
    _check_list(node.over)
    check(node.body)
    if (fails := _may_fail(node.body, frozenset({node.name}))) is not None:
        raise Refused(
            fails.at,
            f"this may fail inside filter() over {_said(node.over)}, and would be mended when a fact ends:"
            " compare what is always there, or ask exists()",
        )


def _listed(node: Node) -> bool:
    """Whether it is a list that has less in it when less is known."""
    if isinstance(node, Each):
        return node.loop == "filter" and _listed(node.over)
    return isinstance(node, Field) and isinstance(node.of, Name) and node.of.name in OF_FACTS and node.name in LISTS


def _sized(node: Node) -> bool:
    return isinstance(node, Call) and node.overload in SIZE_OF_LIST and _listed(node.args[0])


_CANNOT_FAIL: Final = (
    (functions.LOGIC - {"conditional"})
    | functions.EQUAL
    | functions.ORDER
    | functions.SIZE
    | functions.TEXTS
    | functions.MATCHES
    | functions.IN
)


def _may_fail(node: Node, there: frozenset[str]) -> Node | None:
    """What in it may fail, if anything. `there` are variables that stand for one of a list of facts: all of its fields are
    always there, and its end is always a time."""
    match node:
        case Const() | Name():
            return None
        case Field(_, Name(_, of), name) if of in there or name in _ALWAYS.get(of, ()):
            return None
        case Call(_, _, "string_to_timestamp", (Field(_, Name(_, of), name),)) if of in there and name == END:
            return None
        case Call(_, _, "string_to_timestamp", (Const(),)):
            return None  # What is written out was read.
        case Call(_, _, "add_timestamp_duration" | "subtract_timestamp_duration", (Name(_, name), _)) if name == NOW:
            return None  # So is the span: times takes no other.
        case Call(_, _, overload, args) if overload in _CANNOT_FAIL:
            return _first(args, there)
        case Items(_, items):
            return _first(items, there)
        case Each(_, "exists", Field(_, Name(_, "cluster"), _) as over, name, body) if _listed(over):
            return _may_fail(body, there | {name})
        case _:
            return node


def _first(nodes: tuple[Node, ...], there: frozenset[str]) -> Node | None:
    return next((found for node in nodes if (found := _may_fail(node, there)) is not None), None)


def _root(node: Node) -> str:
    """The variable that a path begins with."""
    while isinstance(node, Field):
        node = node.of
    return node.name if isinstance(node, Name) else ""


def _path(node: Node) -> str:
    return f"{_path(node.of)}.{node.name}" if isinstance(node, Field) else _root(node)


def _said(node: Node) -> str:
    """The list that it is, or is left of."""
    return _said(node.over) if isinstance(node, Each) else _path(node)


def _refused(node: Node, what: str, instead: str) -> Refused:
    return Refused(node.at, f"it can become true when a fact ends ({what}): {instead}")
