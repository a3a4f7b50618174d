"""Options that say where evidence is kept and what signs it: the same for all commands that write it."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_OF_REGION: Final = "DOMICILE_EVIDENCE_REGION_"
"""How the names of variables begin that say where a region's details are kept; its code follows."""


def evidence_options(command: F) -> F:
    """Add them. The command is given `evidence`, `evidence_key`, `evidence_key_before` and `evidence_region`."""
    options = (
        click.option(
            "--evidence",
            required=True,
            envvar="DOMICILE_EVIDENCE",
            show_envvar=True,
            help="Where decisions are recorded: a directory on a volume that outlives the process, made where it is missing, or"
            " postgresql://HOST/DATABASE, of which PGUSER, PGPASSWORD and the like say the rest.",
        ),
        click.option(
            "--evidence-key",
            type=click.Path(path_type=Path, dir_okay=False),
            help="File with the Ed25519 key that signs it, in PEM.  [default: key.pem in the directory, made where it is missing]",
        ),
        click.option(
            "--evidence-key-before",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="File with a public key that signed the log before. May be given several times.",
        ),
        click.option(
            "--evidence-region",
            multiple=True,
            metavar="XX=WHERE",
            callback=_regions,
            help="Where details of members in that country are kept, of which the log has digests alone: a directory or an"
            f" address, as for --evidence. May be given several times, or as {_OF_REGION}XX.",
        ),
    )
    for add in reversed(options):
        command = add(command)
    return command


def by_region(given: Iterable[str], what: str) -> dict[str, str]:
    """What is said of each region, as XX=WHAT. Raises click.BadParameter for what is not said so."""
    found: dict[str, str] = {}
    for each in given:
        region, said = each.partition("=")[::2]
        if not region or not said:
            raise click.BadParameter(f"{each} is not XX={what}")
        found[region] = said
    return found


def _regions(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Mapping[str, str]:
    """By country."""
    from domicile.api.jurisdiction import COUNTRIES

    found = {name.removeprefix(_OF_REGION): where for name, where in os.environ.items() if name.startswith(_OF_REGION)}
    found |= by_region(given, "WHERE")
    for region in found:
        if not re.fullmatch("[A-Z]{2}", region) or region not in COUNTRIES:
            raise click.BadParameter(f"{region} is no country of ISO 3166-1, such as SG")
    return found
