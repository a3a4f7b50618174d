"""Kubernetes quantities (resource.Quantity): the type, its value, and its canonical spelling."""

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
_PARTS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_MOST = Fraction(2**63 - 1)
"""What the API server reads any greater quantity as."""
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_FACTORS = {
    **{unit: Decimal(1000) ** (power - 3) for power, unit in enumerate(_DECIMAL)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(_BINARY)},
}


def parse(text: str) -> Decimal:
    """The value of a quantity, in units (cores, bytes, pieces). Raises ValueError on what is none."""
    number, unit = _split(text)
    return Decimal(number) * _FACTORS[unit]


def canonical(text: str) -> str:
    """The quantity in the spelling that the API server keeps: 1000m is 1, 1024Mi is 1Gi, 0.5 is 500m.

    As resource.Quantity does it: the largest unit without a fraction; a binary unit stays binary from 1Ki on, if it is a
    whole number of bytes. Raises ValueError on what is no quantity.
    """
    number, unit = _split(text)
    exact = Fraction(number) * Fraction(_FACTORS[unit])
    units = _BINARY if unit in _BINARY[1:] and exact >= 1024 and exact.denominator == 1 else _DECIMAL
    value = min(Fraction(math.ceil(exact * 10**9), 10**9), _MOST)
    spelled = next((u for u in reversed(units) if value and value % Fraction(_FACTORS[u]) == 0), "")
    return f"{value / Fraction(_FACTORS[spelled])}{spelled}"


def _split(text: str) -> tuple[str, str]:
    parts = _PARTS.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is not a quantity: write it as 2, 500m or 40Gi")
    return parts[1], parts[2] or ""


def _as_text(value: Any) -> Any:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str):
        parse(text)
    return text


Quantity = Annotated[
    str,
    BeforeValidator(_as_text),
    Field(max_length=32, json_schema_extra={"x-kubernetes-int-or-string": True, "pattern": _PATTERN}),
]
"""A quantity of CPU, memory or pieces, as 2, 500m or 40Gi."""
