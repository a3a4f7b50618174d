"""Jurisdictions: ISO 3166-1 alpha-2 country codes, with an optional ISO 3166-2 subdivision, and named groups of them."""

from typing import Annotated

from pydantic import AfterValidator, Field

from domicile.api.base import cel, cel_rules

# Officially assigned codes of ISO 3166-1, as of 2026.
_ASSIGNED = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES: frozenset[str] = frozenset(_ASSIGNED.split())

_UNKNOWN = "unknown jurisdiction: use an ISO 3166-1 alpha-2 code such as SG, or an ISO 3166-2 one such as MY-14"


def _known(code: str) -> str:
    if code[:2] not in COUNTRIES:
        raise ValueError(f"{code!r}: {_UNKNOWN}")
    return code


_IN_LIST = f"'{' '.join(sorted(COUNTRIES))}'.contains(self.substring(0, 2))"
# One string to search costs the API server less than a list of 249.

Jurisdiction = Annotated[
    str,
    Field(
        min_length=2,
        max_length=6,
        pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$",
        json_schema_extra=cel_rules(cel(_IN_LIST, _UNKNOWN, reason="FieldValueInvalid")),
    ),
    AfterValidator(_known),
]
"""A country (SG) or a part of one (MY-14)."""


GROUP_PREFIX = "group:"


def _known_or_group(place: str) -> str:
    return place if place.startswith(GROUP_PREFIX) else _known(place)


Place = Annotated[
    str,
    Field(
        min_length=2,
        max_length=69,
        pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?|group:[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?)$",
        json_schema_extra=cel_rules(
            cel(
                f"self.startsWith('{GROUP_PREFIX}') || {_IN_LIST}",
                f"{_UNKNOWN}, or group:NAME for a JurisdictionGroup",
                reason="FieldValueInvalid",
            )
        ),
    ),
    AfterValidator(_known_or_group),
]
"""A jurisdiction, or `group:NAME` for the members of a JurisdictionGroup."""


def within(place: str, allowed: str) -> bool:
    """Whether `place` is `allowed` or a part of it: MY-14 is within MY, and MY is not within MY-14."""
    return place == allowed or place.startswith(allowed + "-")
