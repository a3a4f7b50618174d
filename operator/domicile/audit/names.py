"""Names of people in evidence. What is recorded of who asked, approved or vouched is a digest of the name with chance beside it; the name is a
record of its own. Once that is removed nobody can tell who it was, and all else stays as it was signed. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from domicile.audit.values import Bag, Json, Value, ValueMissing, Values
from domicile.evidence.records import is_digest

_BY: Final = "-by"
"""How annotations end that have the name of a user, as the API server stamped it."""
_OURS: Final = "domicile.dev/"
"""How annotations begin that say something to a decision, or to who reads of it: who asked, who approved."""
_FIELDS: Final = ("name", "salt")
_SHORT: Final = len("sha256:") + 12


def value(name: str, salt: str) -> Value:
    """What is recorded of a name. Nobody can find it by its digest who does not know the salt."""
    return {"name": name, "salt": salt}


def is_name(found: Mapping[str, Json]) -> bool:
    """Whether it is a value of that sort."""
    return len(found) == len(_FIELDS) and all(field in found for field in _FIELDS)


def stamps(annotations: Mapping[str, str], bag: Bag) -> dict[str, str]:
    """Who did what with an object, as the API server stamped it, without the names."""
    return {
        key: bag.name(said) if key.endswith(_BY) and said else said
        for key, said in annotations.items()
        if key.startswith(_OURS)
    }


def named(said: str, values: Values) -> str:
    """The name, where it is kept."""
    if not is_digest(said):
        return said
    try:
        found = values.get(said)
    except ValueMissing:
        return f"{said[:_SHORT]} (the name is not kept)"
    return str(found["name"]) if is_name(found) else said


def all_named(said: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The stamps with the names, where they are kept."""
    return {key: named(by, values) if key.endswith(_BY) else by for key, by in said.items()}
