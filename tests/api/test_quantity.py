"""Quantities as resource.Quantity of Kubernetes reads and spells them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domicile.api.quantity import Quantity, canonical, parse

QUANTITY = TypeAdapter(Quantity)

# Each was parsed and printed by k8s.io/apimachinery/pkg/api/resource 0.36.3 with this result, but for the last three: what
# it prints of their canonical spelling is that spelling.
CANONICAL = {
    "0": "0", "0Gi": "0", "1": "1", "1000m": "1", "1500m": "1500m", "0.5": "500m", "2.50": "2500m", "100m": "100m",
    "1000": "1k", "2000": "2k", "1001": "1001", "1000000": "1M", "128.5M": "128500k", "1E": "1E", "1000P": "1E",
    "1024": "1024", "1024Mi": "1Gi", "1536Mi": "1536Mi", "1.5Gi": "1536Mi", "0.5Ki": "512", "1Ki": "1Ki", "1025Ki": "1025Ki",
    "40Gi": "40Gi", "0.1Gi": "107374182400m", "1024Ei": "9223372036854775807", "0.0001": "100u", "0.00000000001": "1n", "0.9765625Ki": "1k", "0.1Ki": "102400m",
    "007": "7", "9999E": "9223372036854775807", "99999999999999999999": "9223372036854775807",
}  # fmt: skip


@pytest.mark.parametrize(("text", "spelled"), CANONICAL.items(), ids=CANONICAL.keys())
def test_canonical(text: str, spelled: str) -> None:
    assert canonical(text) == spelled


UNITS = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"])
TEXTS = st.builds(lambda number, unit: f"{number}{unit}", st.integers(0, 10**5), UNITS)


@given(TEXTS)
def test_canonical_keeps_the_value_and_is_its_own_canonical(text: str) -> None:
    assert parse(canonical(text)) == parse(text)
    assert canonical(canonical(text)) == canonical(text)


VALUES = {
    "2": Decimal(2),
    "500m": Decimal("0.5"),
    "40Gi": Decimal(40 * 2**30),
    "1k": Decimal(1000),
    "0.5": Decimal("0.5"),
}


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=VALUES.keys())
def test_parse(text: str, value: Decimal) -> None:
    assert parse(text) == value


@pytest.mark.parametrize("text", ["", "Gi", "-1", "+1", "1 Gi", "1gi", "1K", "1.", ".5", "1e3", "much", "1Gi\n", "١"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    for read in (parse, canonical):
        with pytest.raises(ValueError, match="is not a quantity: write it as 2, 500m or 40Gi"):
            read(text)


def test_a_number_is_read_as_its_text() -> None:
    assert QUANTITY.validate_python(2) == "2"
    assert QUANTITY.validate_python("2") == "2"


@pytest.mark.parametrize("value", [True, 1.5, None, "9" * 33, -1])
def test_what_is_neither_text_nor_number_is_refused(value: object) -> None:
    with pytest.raises(ValidationError):
        QUANTITY.validate_python(value)
