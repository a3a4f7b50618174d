"""CEL expressions of rules: read and checked when a policy is applied, evaluated on maps.

What an expression may be is decided on its tree, after the library has checked its types: which functions it uses, what it
costs at most, what it asks of the time, and that it never becomes true by less being known.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]

from domicile.residency.cel import cost, functions, lasting, patterns, schema
from domicile.residency.cel import times as moments
from domicile.residency.cel.syntax import Call, Field, Has, Name, Node, Refused, every, read
from domicile.residency.cel.times import Times

LONGEST: Final = 1024
"""Characters of an expression, as in the schema of ResidencyPolicy."""
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
"""Characters that a reader does not see, or sees elsewhere than where they are."""
_TAKEN: Final = frozenset({*schema.VARIABLES, moments.NOW})
_WHERE: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_KEY: Final = re.compile(r'Key not found in map : "([A-Za-z]+)"')
_FIELDS: Final = frozenset(field for fields in schema.MESSAGES.values() for field in fields)

Values = cel.Activation


@dataclass(frozen=True)
class Invalid:
    """It cannot be read, its types do not fit, or it is none that we take."""

    why: str


@dataclass(frozen=True)
class Failed:
    """It could not be evaluated on these values."""

    why: str


@dataclass(frozen=True)
class Expression:
    """An expression that gives true or false."""

    source: str
    model_fields: frozenset[str] | None
    """Fields of `model` that it asks for; None where it asks for all of it."""
    uses_policy: bool
    """Whether it asks for the policy's name."""
    uses_hub: bool
    """Whether it asks for anything of the hub."""
    cluster_fields: frozenset[str]
    """Fields of `cluster` that it asks for."""
    times: Times
    """When time alone changes its answer."""
    _program: cel.Expression

    def evaluate(self, variables: Mapping[str, Any]) -> bool | Failed:
        """True is compliant. `variables` are maps, lists, strings, ints and bools, and `now` a time in UTC."""
        return self.on(values(variables))

    def on(self, ready: "Values") -> bool | Failed:
        """The same, on variables that many expressions are evaluated on."""
        try:
            answer = self._program.eval(activation=ready)
        except RuntimeError as error:
            return Failed(_plain(str(error)))
        value: object = answer.value()
        return value if isinstance(value, bool) else Failed(_plain(str(value)))


def values(variables: Mapping[str, Any]) -> "Values":
    """Variables made ready once. To evaluate on maps makes them ready each time, which costs five times the evaluation."""
    return _running().Activation(data=variables)


def compiled(source: str) -> Expression | Invalid:
    """The expression, or why it is none. The positions that it names are line and column."""
    if len(source) > LONGEST:
        return Invalid(f"it has {len(source)} characters, {LONGEST} are allowed")
    if _UNSEEN.search(source):
        return Invalid("it has a character that nobody sees: only blanks, tabs and line breaks may be in it")
    try:
        checked = _checking().compile(source)
        if checked.return_type() != cel.Type.BOOL:
            return Invalid(f"it gives {checked.return_type().name().lower()}, and a rule is true or false")
        tree = read(checked.serialize(), _TAKEN)
        found = _check(tree)
        program = _running().compile(source)
    except Refused as refused:
        return Invalid(f"{_place(source, refused.at)}: {refused.why}")
    except RuntimeError as error:
        return Invalid(_plain(str(error)))
    names = {node.name for node in every(tree) if isinstance(node, Name)}
    return Expression(
        source,
        _asked_of("model", tree),
        "policy" in names,
        "hub" in names,
        _asked_of("cluster", tree) or frozenset(),
        Times(
            found.written,
            found.cluster if "cluster" in names else frozenset(),
            found.hub if "hub" in names else frozenset(),
        ),
        program,
    )


def _check(tree: Node) -> Times:
    """Refuse what we do not take; when time changes the answer of what is left."""
    functions.check(tree)
    cost.check(tree)
    for node in every(tree):
        if isinstance(node, Call) and node.overload in functions.MATCHES:
            _try_pattern(node)
    found = moments.times(tree)
    lasting.check(tree)
    return found


def _try_pattern(call: Call) -> None:
    error = _pattern().eval(data={"pattern": patterns.pattern(call)}).value()
    if not isinstance(error, bool):
        raise Refused(call.args[1].at, f"the pattern cannot be read: {_plain(str(error))}")


def _asked_of(variable: str, tree: Node) -> frozenset[str] | None:
    """Fields of a variable that are asked for; None where it is asked for as a whole."""
    fields = [
        node.name
        for node in every(tree)
        if isinstance(node, Field | Has) and isinstance(node.of, Name) and node.of.name == variable
    ]
    asked = sum(isinstance(node, Name) and node.name == variable for node in every(tree))
    return frozenset(fields) if asked == len(fields) else None


def _place(source: str, at: int) -> str:
    before = source[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"


@cache
def _checking() -> cel.Env:
    typed = {name: cel.Type(f"domicile.{message}") for name, message in schema.VARIABLES.items()}
    return cel.NewEnv(descriptor_pool=schema.pool(), variables={**typed, moments.NOW: cel.Type.TIMESTAMP})


@cache
def _running() -> cel.Env:
    untyped = {name: cel.Type.Map(cel.Type.STRING, cel.Type.DYN) for name in schema.VARIABLES}
    return cel.NewEnv(variables={**untyped, moments.NOW: cel.Type.TIMESTAMP})


@cache
def _pattern() -> cel.Expression:
    """What tells whether a pattern can be read."""
    return cel.NewEnv(variables={"pattern": cel.Type.STRING}).compile("''.matches(pattern)")


def _plain(error: str) -> str:
    """The runtime's words in one line, without what it quotes of the source and of the values."""
    if where := _WHERE.search(error):
        return f"line {where[1]}, column {where[2]}: {where[3]}"
    if (key := _KEY.search(error)) and key[1] in _FIELDS:
        return f"{key[1]} is not known"
    if "Key not found" in error:
        return "something that it asks for is not known"  # A key may be a fact.
    first = error.partition("\n")[0]
    return re.sub(r"^[A-Z_]+: (ERROR: <input>:-1:-1: )?|\s*\[[A-Z_]+\]$", "", first)[:200]
