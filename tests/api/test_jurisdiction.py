"""Countries and their parts."""

import pytest
from pydantic import TypeAdapter, ValidationError

from domicile.api.jurisdiction import COUNTRIES, Jurisdiction, within

CODE = TypeAdapter(Jurisdiction)

WITHIN = {
    "the same country": ("SG", "SG", True),
    "the same part": ("MY-14", "MY-14", True),
    "a part of the country": ("MY-14", "MY", True),
    "a country is not within its part": ("MY", "MY-14", False),
    "another part": ("MY-10", "MY-14", False),
    "another country": ("SG", "MY", False),
    "a code that only begins alike": ("US-NY", "US-N", False),
}


@pytest.mark.parametrize(("place", "allowed", "expected"), WITHIN.values(), ids=WITHIN.keys())
def test_within(place: str, allowed: str, expected: bool) -> None:
    assert within(place, allowed) is expected


def test_all_countries_of_iso_3166_are_known() -> None:
    assert len(COUNTRIES) == 249
    assert all(CODE.validate_python(code) == code for code in COUNTRIES)


@pytest.mark.parametrize(
    "code", ["EU", "UK", "XK", "ZZ", "S", "SGP", "sg", "SG-", "SG-ABCD", "SG_1", "SG\n", "", "Ѕ" + "G"]
)
def test_what_is_no_country_is_refused(code: str) -> None:
    with pytest.raises(ValidationError):
        CODE.validate_python(code)


def test_a_part_is_known_by_its_country() -> None:
    assert CODE.validate_python("MY-14") == "MY-14"
