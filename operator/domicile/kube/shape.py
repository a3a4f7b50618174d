"""Reads JSON whose shape nobody promised: what is not of the wanted shape counts as empty."""

from collections.abc import Mapping, Sequence
from typing import Any, cast


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one."""
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    """`value` if it is a list, else an empty one."""
    return cast(Sequence[Any], value) if isinstance(value, list | tuple) else ()


def mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The objects in `value`, if it is a list."""
    return tuple(cast(Mapping[str, Any], item) for item in items(value) if isinstance(item, Mapping))


def text(value: Any) -> str:
    """`value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """`value` if it is an integer, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def metadata(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's metadata."""
    return mapping(manifest.get("metadata"))


def labels(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object's labels."""
    return mapping(metadata(manifest).get("labels"))
