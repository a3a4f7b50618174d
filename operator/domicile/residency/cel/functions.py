"""The functions and operators that expressions may use, by the CEL project's names for each on each type."""

from typing import Final

from domicile.residency.cel.syntax import Call, Node, Refused, every

LOGIC: Final = frozenset({"logical_and", "logical_or", "logical_not", "conditional"})
EQUAL: Final = frozenset({"equals", "not_equals"})
ORDER: Final = frozenset(
    f"{order}_{of}"
    for order in ("less", "less_equals", "greater", "greater_equals")
    for of in ("int64", "string", "timestamp", "duration")
)
NUMBERS: Final = frozenset(f"{does}_int64" for does in ("add", "subtract", "multiply", "divide", "modulo", "negate"))
SIZE_OF_LIST: Final = frozenset({"size_list", "list_size"})
SIZE: Final = SIZE_OF_LIST | {"size_string", "string_size", "size_map", "map_size"}
TEXTS: Final = frozenset({"starts_with_string", "ends_with_string", "contains_string"})
MATCHES: Final = frozenset({"matches", "matches_string"})
IN: Final = frozenset({"in_list", "in_map"})
INDEX: Final = frozenset({"index_list", "index_map"})
PARSES: Final = frozenset({"string_to_timestamp", "string_to_duration", "string_to_int64"})
MOVES: Final = frozenset({"add_timestamp_duration", "add_duration_timestamp", "subtract_timestamp_duration"})
"""A time, sooner or later."""
SPANS: Final = frozenset({"add_duration_duration", "subtract_duration_duration", "subtract_timestamp_timestamp"})
PARTS_OF_TIME: Final = frozenset(
    {
        *("timestamp_to_year", "timestamp_to_month", "timestamp_to_day_of_month", "timestamp_to_day_of_month_1_based"),
        *("timestamp_to_day_of_week", "timestamp_to_day_of_year", "timestamp_to_hours", "timestamp_to_minutes"),
        *("timestamp_to_seconds", "duration_to_hours", "duration_to_minutes", "duration_to_seconds"),
    }
)
AVAILABLE: Final = (
    LOGIC | EQUAL | ORDER | NUMBERS | SIZE | TEXTS | MATCHES | IN | INDEX | PARSES | MOVES | SPANS | PARTS_OF_TIME
)

_INSTEAD: Final = {
    "add_string": "texts cannot be joined: compare each by itself",
    "add_list": "lists cannot be joined: ask each by itself",
}


def check(node: Node) -> None:
    """Refuse what is not available. Nothing that is makes a value that grows, opens a file or has no fixed type."""
    for each in every(node):
        if isinstance(each, Call) and each.overload not in AVAILABLE:
            raise Refused(each.at, _why(each))


def _why(call: Call) -> str:
    if call.overload.endswith("_with_tz"):
        return "time zones are not available: times are in UTC"
    name = call.function.strip("_@")
    return _INSTEAD.get(call.overload, f"{name} is not available for these types")
