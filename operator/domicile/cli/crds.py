"""`domicile crds`: from the models in domicile.api to the CRD files, or a check that they are up to date."""

import difflib
from collections.abc import Mapping
from pathlib import Path

import click

from domicile.cli.failure import Failure

HOMES = (Path("crds"), Path("charts/domicile/files/crds"))
"""Where the repository keeps those of the hub."""
HOME_OF_MEMBERS = Path("crds/members")
"""And those of members, which the operator puts there by itself: to be read."""


@click.command()
@click.option(
    "--output",
    "outputs",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,
    help=f"Directory to write to; may be given again.  [default: {' and '.join(map(str, HOMES))}]",
)
@click.option("--check", is_flag=True, help="Write nothing; print what differs, and exit with 1 if anything does.")
def crds(outputs: tuple[Path, ...], check: bool) -> None:
    """Write the CustomResourceDefinitions, or check that they are up to date."""
    from domicile.api import KINDS, MEMBER_KINDS
    from domicile.api.crd import manifests

    _refuse_missing(outputs)
    on_hub = dict(manifests(KINDS))
    wanted = dict.fromkeys(outputs or HOMES, on_hub)
    if not outputs:
        wanted[HOME_OF_MEMBERS] = dict(manifests(MEMBER_KINDS))
    if check:
        _check(wanted)
        return
    for directory, files in wanted.items():
        _write(directory, files)


def _write(directory: Path, wanted: dict[str, str]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in wanted.items():
        (directory / name).write_text(text)
    for extra in _extra(directory, wanted):
        extra.unlink()
    click.echo(f"{directory}: {len(wanted)} CRD{'' if len(wanted) == 1 else 's'}")


def _refuse_missing(given: tuple[Path, ...]) -> None:
    """Without --output this is for a check-out: elsewhere it would litter."""
    if not given and not HOMES[0].parent.joinpath("pyproject.toml").exists():
        raise Failure("this is not the root of the repository: go there, or say where to write with --output DIR")


def _check(homes: Mapping[Path, dict[str, str]]) -> None:
    differing: list[Path] = []
    for directory, wanted in homes.items():
        for name, text in wanted.items():
            path = directory / name
            there = path.read_text() if path.exists() else ""
            diff = difflib.unified_diff(
                there.splitlines(keepends=True),
                text.splitlines(keepends=True),
                fromfile=str(path),
                tofile=f"{path} (as the models say)",
            )
            if lines := "".join(diff):
                click.echo(lines, nl=False)
                differing.append(path)
        for extra in _extra(directory, wanted):
            click.echo(f"{extra}: no kind has this CRD any more")
            differing.append(extra)
    if differing:
        raise Failure(f"{', '.join(map(str, differing))} differ from the models in domicile.api: run `make crds`")


def _extra(directory: Path, wanted: dict[str, str]) -> list[Path]:
    """Files of ours, by name, for kinds that there are no more."""
    from domicile.api import GROUP

    return sorted(path for path in directory.glob(f"{GROUP}_*.yaml") if path.name not in wanted)
