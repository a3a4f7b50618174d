"""What a pattern of matches() may be, and how large it is. It is compiled at each call, and RE2 is linear in the text alone."""

import re
from typing import Final

from domicile.residency.cel.syntax import Call, Const, Refused

LONGEST: Final = 128
MOST_REPEATS: Final = 100
_COUNTED: Final = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_WIDE: Final = re.compile(r"\\[pPCQ]")
_WITHOUT_END: Final = re.compile(r"[*+|]|,\}")
_ONE: Final = re.compile(r"(?:\[[0-9A-Za-z]-[0-9A-Za-z]\]|(?<!\\)[0-9A-Za-z-])$")
_ANY: Final = 8
"""Steps of the machine for any one character, which may have several bytes."""


def pattern(call: Call) -> str:
    """The pattern of a matches(); raises Refused."""
    written = call.args[1]
    if not isinstance(written, Const) or not isinstance(written.value, str):
        raise Refused(written.at, "the pattern of matches() must be written out: it is a text in quotes")
    found = written.value
    if len(found) > LONGEST:
        raise Refused(written.at, f"the pattern has {len(found)} characters, {LONGEST} are allowed")
    if repeats(found) > MOST_REPEATS:
        raise Refused(
            written.at, f"the pattern counts to {repeats(found)}, all {{}} multiplied: {MOST_REPEATS} is allowed"
        )
    if _WIDE.search(found) or "\0" in found:
        raise Refused(written.at, r"the pattern has \p, \P, \C, \Q or a zero: name the characters, as [a-z]")
    return found


def repeats(found: str) -> int:
    """How many times over the pattern says what it says, at most: its counts multiplied."""
    times = 1
    for match in _COUNTED.finditer(found):
        times *= _most(match)
    return times


def size(found: str) -> int:
    """How large the machine is that is made of it, about."""
    if "(" in found:
        return repeats(found) * len(found)  # Any count may be of all of it.
    return len(found) + sum(_most(match) * _counted(found[: match.start()]) for match in _COUNTED.finditer(found))


def reads(found: str, characters: int) -> int:
    """How much of a text of so many characters is read at most."""
    if not found.startswith("^") or _WITHOUT_END.search(found):
        return characters
    longest = size(found) if "(" in found else len(found) + sum(map(_most, _COUNTED.finditer(found)))
    return min(characters, longest)


def _most(match: re.Match[str]) -> int:
    return max(1, *(int(count) for count in match.groups() if count))


def _counted(before: str) -> int:
    """How large what a count is of may be: a character, one of a range, or one of a choice in brackets."""
    if _ONE.search(before):
        return 1
    return max(_ANY, len(before) - before.rfind("[")) if before.endswith("]") else _ANY
