"""Text that others wrote, for a terminal or a page: what is not seen, or acts on what stands beside it, is written out."""

import unicodedata
from typing import Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode's general categories of controls, of marks such as those that turn the direction of writing, and of what is no character."""
_SPACES: Final = "\t\n\r"


def harmless(text: str) -> str:
    """The text on one line, with \\u202e and the like spelled out."""
    return "".join(_spelled(each) for each in text)


def _spelled(character: str) -> str:
    if character in _SPACES:
        return " "
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
