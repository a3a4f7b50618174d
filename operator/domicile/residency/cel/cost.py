"""What evaluating an expression costs at most, in steps: reckoned from the tree, with every list as long and every text as
large as it can be, and as if nothing were decided early. A step is some nanoseconds; docs/decisions/0004-cel.md has measures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from domicile.residency.cel import functions, patterns, schema
from domicile.residency.cel.syntax import Call, Const, Each, Field, Has, Items, Name, Node, Refused

MOST_STEPS: Final = 600_000
MOST_ROUNDS: Final = 10_000
"""How many times all loops go round together, before the library ends an evaluation."""


@dataclass(frozen=True)
class Size:
    """How large a value can be."""

    characters: int = 0
    """In all of it."""
    values: int = 1
    """It, and all that is in it."""
    count: int = 0
    """How many a list or a map has."""
    each: "Size | None" = None
    """Of a list, or the values of a map."""
    key: "Size | None" = None
    """The keys of a map."""
    message: str = ""
    """The name of its type in schema.MESSAGES."""


@dataclass(frozen=True)
class Cost:
    """What a value costs at most, and how large it can be."""

    steps: int
    rounds: int
    size: Size

    def within(self, node: Node) -> None:
        """Refuse what is above the limits."""
        if self.steps > MOST_STEPS or self.rounds > MOST_ROUNDS:
            raise Refused(
                node.at,
                f"it may take {self.steps:,} steps and {self.rounds:,} rounds of its loops, {MOST_STEPS:,} and"
                f" {MOST_ROUNDS:,} are allowed: compare less inside of exists(), all() and filter(), or make rules of it",
            )


Scope = Mapping[str, Size]
_ONE: Final = Size()


def check(node: Node) -> None:
    """Refuse what could cost too much."""
    variables = {name: sized(message) for name, message in schema.VARIABLES.items()}
    cost(node, variables).within(node)


def sized(kind: str, characters: int = 0, count: int = schema.LISTED) -> Size:
    """How large a value of a type of schema.MESSAGES can be. `characters`: of each text in it; `count`: how many it has."""
    if kind.endswith("[]"):
        return _many(count, sized(kind.removesuffix("[]"), characters))
    if kind.endswith("{}"):
        return _many(count, Size(characters), Size(schema.LABEL))
    if kind not in schema.MESSAGES:
        return Size(characters)
    fields = schema.MESSAGES[kind].items()
    parts = [_declared(kind, name, of) for name, of in fields]
    return Size(sum(p.characters for p in parts), 1 + sum(p.values for p in parts), message=kind)


def _declared(message: str, name: str, kind: str) -> Size:
    field = f"{message}.{name}"
    return sized(kind, schema.CHARACTERS.get(field, 0), schema.COUNTS.get(field, schema.LISTED))


def _many(count: int, each: Size, key: Size | None = None) -> Size:
    of_key = key or Size(values=0)
    characters, values = each.characters + of_key.characters, each.values + of_key.values
    return Size(count * characters, 1 + count * values, count, each, key)


def cost(node: Node, scope: Scope) -> Cost:
    """The most that a node costs, with variables of these sizes."""
    match node:
        case Const(_, value):
            return Cost(1, 0, Size(len(value) if isinstance(value, str) else 0))
        case Name(_, name):
            return Cost(2, 0, scope.get(name, _ONE))
        case Has(_, of, _):
            found = cost(of, scope)
            return Cost(found.steps + 6, found.rounds, _ONE)
        case Field(_, of, name):
            found = cost(of, scope)
            size = _field(found.size, name)
            return Cost(found.steps + 6 + size.characters // 64 * (size.each is None), found.rounds, size)
        case Items(_, items):
            found = [cost(each, scope) for each in items]
            largest = _largest(each.size for each in found)
            whole = Size(
                sum(f.size.characters for f in found), 1 + sum(f.size.values for f in found), len(items), largest
            )
            return Cost(8 + sum(f.steps + 6 for f in found), sum(f.rounds for f in found), whole)
        case Each():
            return _loop(node, scope)
        case _:
            return _call(node, scope)


def _field(of: Size, name: str) -> Size:
    if of.message:
        return _declared(of.message, name, schema.MESSAGES[of.message][name])
    return of.each or _ONE


def _loop(node: Each, scope: Scope) -> Cost:
    over = cost(node.over, scope)
    one = over.size.key or over.size.each or _ONE
    body = cost(node.body, {**scope, node.name: one})
    count = over.size.count
    step = body.steps + 12 + one.characters // 64
    size = _ONE
    if node.loop == "filter":
        step += 6 * count  # What was kept is copied to keep one more.
        size = over.size
    return Cost(over.steps + 16 + count * step, over.rounds + count * (1 + body.rounds), size)


def _call(node: Call, scope: Scope) -> Cost:
    args = [cost(arg, scope) for arg in node.args]
    sizes = [arg.size for arg in args]
    steps, size = _own(node, sizes)
    return Cost(4 + steps + sum(arg.steps for arg in args), sum(arg.rounds for arg in args), size)


def _own(node: Call, sizes: list[Size]) -> tuple[int, Size]:
    """What a call costs beside its arguments, and how large its value is."""
    first, last = sizes[0], sizes[-1]
    overload = node.overload
    if overload == "conditional":
        return 0, _largest(sizes[1:])
    if overload in functions.EQUAL or overload in functions.ORDER:
        return _compare(first, last), _ONE
    if overload == "in_list":
        return last.count * (12 + _compare(first, last.each or _ONE)), _ONE
    if overload == "in_map":
        return 12, _ONE
    if overload in functions.INDEX:
        return 12, first.each or _ONE
    if overload in functions.MATCHES:
        return _match(patterns.pattern(node), first), _ONE
    if overload == "contains_string":
        return first.characters // 8 + first.characters * last.characters // 64, _ONE
    if overload in functions.TEXTS:
        return (first.characters + last.characters) // 64, _ONE
    if overload in functions.SIZE:
        return first.characters // 8 if first.each is None else 2, _ONE
    if overload in functions.PARSES:
        return 24 + first.characters // 4, _ONE
    return 6, _ONE


def _compare(one: Size, other: Size) -> int:
    """The smaller decides: what differs in length is not looked into."""
    values, characters = min(one.values, other.values), min(one.characters, other.characters)
    return (values - 1) * 12 + characters // 64


def _match(pattern: str, text: Size) -> int:
    """RE2 is compiled at each call. It reads on in as many places of the pattern as could go on, and where the text is of
    many kinds it works them out anew at each character."""
    size = patterns.size(pattern)
    return 600 + 64 * size + patterns.reads(pattern, text.characters) * (2 + size)


def _largest(sizes: Iterable[Size]) -> Size:
    """One that none of them is larger than, in any way."""
    found = list(sizes)
    if not found:
        return _ONE
    inside, keys = [s.each for s in found if s.each], [s.key for s in found if s.key]
    return Size(
        max(s.characters for s in found),
        max(s.values for s in found),
        max(s.count for s in found),
        _largest(inside) if inside else None,
        _largest(keys) if keys else None,
        found[0].message,
    )
