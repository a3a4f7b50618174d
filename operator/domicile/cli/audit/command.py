"""The options of `domicile audit`."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from domicile.cli.audit.removing import forget, prune
from domicile.cli.evidence_options import by_region

if TYPE_CHECKING:
    from datetime import datetime

    from domicile.cli.audit.source import Looked

NOT_IN_ORDER: Final = 3
"""Exit code where the log, or what it says, is not as it should be."""
_ENDS: Final = """Exits with 0 if all is in order, 1 if something could not be read, 2 on wrong usage, and 3 if the log is not as it was
    written or what was asked for is not as it should be."""


@dataclass(frozen=True)
class Named:
    """The log that a command was given, and by what it is to be checked."""

    log: tuple[Path, ...]
    key_files: tuple[Path, ...]
    checkpoints: tuple[Path, ...]
    origin: str | None
    regions: Mapping[str, Path]

    @contextmanager
    def read(self) -> "Generator[Looked]":
        """The log, verified, for what is asked of it. Whatever that is: of a log that is not in order that is said after it, too."""
        from domicile.audit import ODD
        from domicile.cli.audit import showing, source
        from domicile.cli.failure import Failure

        looked = source.look(self.log, self.key_files, self.checkpoints, self.origin, self.regions)
        try:
            yield looked
        except ODD as error:
            # What was signed and is still not as decisions of this version are.
            said = f"{type(error).__name__} {error}".replace("\n", " ")
            raise Failure(f"a record is not as records of this version are: {said}") from error
        if wrong := showing.wrong(looked):
            click.echo(wrong, err=True)
            raise click.exceptions.Exit(NOT_IN_ORDER)


def _log(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that reads a log. The command is given them as one."""

    @wraps(command)
    def given(
        log: tuple[Path, ...],
        key_files: tuple[Path, ...],
        checkpoints: tuple[Path, ...],
        origin: str | None,
        regions: Mapping[str, Path],
        **more: Any,
    ) -> None:
        command(Named(log, key_files, checkpoints, origin, regions), **more)

    options = (
        click.argument("log", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True)),
        click.option(
            "--key",
            "key_files",
            required=True,
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="File with a key that signs the log, in PEM; may be given again.",
        ),
        click.option(
            "--checkpoint",
            "checkpoints",
            multiple=True,
            type=click.Path(path_type=Path, dir_okay=False),
            help="File with a checkpoint that somebody else kept, such as a member; may be given again.",
        ),
        click.option("--origin", help="Name of the log.  [default: as its first record has it]"),
        click.option(
            "--region",
            "regions",
            multiple=True,
            metavar="XX=PATH",
            callback=_regions,
            help="Directory, or file that `fetch --region` wrote, with what is kept in that country; may be given again.",
        ),
    )
    for add in reversed(options):
        given = add(given)
    return given


def _regions(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Mapping[str, Path]:
    return {region: Path(path) for region, path in by_region(given, "PATH").items()}


_AT = click.option("--at", metavar="TIME", help="An RFC 3339 time.  [default: now]")


@click.group()
def audit() -> None:
    """Read the evidence: what was decided, on what basis, and what came of it. Offline; all but prune and forget write nothing.

    LOG is the directory that the operator's --evidence names, or the files of an export, in their order; of one in PostgreSQL, the file that
    `domicile audit fetch` wrote.
    """


@audit.command(epilog=_ENDS)
@_log
def verify(named: Named) -> None:
    """Say whether a log is complete and as it was written."""
    from domicile.cli.audit import showing

    with named.read() as looked:
        click.echo(showing.verified(looked))


@audit.command(epilog=_ENDS)
@_log
def replay(named: Named) -> None:
    """Decide every decision again, from what was recorded of its inputs, and compare byte by byte."""
    from domicile import audit as evidence
    from domicile.cli.audit import showing

    with named.read() as looked:
        trail, values = looked.trail, looked.trail.values
        again = [(each, evidence.replay(each, values)) for each in trail.decisions.values()]
        click.echo(showing.replayed(again))
    if any(not isinstance(found, evidence.Same) for _, found in again):
        raise click.exceptions.Exit(NOT_IN_ORDER)


@audit.command("list", epilog=_ENDS)
@_log
@click.option("--model", metavar="NAMESPACE/NAME", help="Decisions on this model alone.")
@click.option("--what", help="Decisions of this sort alone, such as Placed, Refused, Held, Evicted or LetGo.")
def listed(
    named: Named,
    model: str | None,
    what: str | None,
) -> None:
    """List the decisions: when, what, on which model, who asked, and what came of it."""
    from domicile import audit as evidence
    from domicile.cli.audit import showing

    with named.read() as looked:
        found = [
            each
            for each in looked.trail.decisions.values()
            if (model is None or each.subject == evidence.subject_of(model))
            and (what is None or what in each.body["what"])
        ]
        click.echo(showing.decisions(looked.trail, found))


@audit.command(epilog=_ENDS)
@_log
@click.option("--decision", required=True, metavar="ID", help="Its number in the log, or how its digest begins.")
def show(named: Named, decision: str) -> None:
    """Show a decision: every cluster with every rule, what was chosen, who approved, and what came of it."""
    from domicile.audit import questions
    from domicile.cli.audit import showing
    from domicile.cli.failure import Failure

    with named.read() as looked:
        found = list(questions.named(looked.trail, decision))
        if len(found) != 1:
            said = f"{len(found)} decisions are" if found else "no decision is"
            raise Failure(f"{said} {decision}: give its number, as `audit list` has it, or more of its digest")
        click.echo(showing.decision(looked.trail, found[0]))


@audit.command(epilog=_ENDS)
@_log
def law(named: Named) -> None:
    """List what governance changed: modes switched, approvals given, and who did it as the API server stamped it."""
    from domicile.cli.audit import showing

    with named.read() as looked:
        click.echo(showing.law(looked.trail))


@audit.command(epilog=_ENDS)
@_log
@_AT
def where(named: Named, at: str | None) -> None:
    """Say what ran where at a time, by which permit and under which policies, and which exceptions were in force."""
    from domicile.cli.audit import showing

    with named.read() as looked:
        click.echo(showing.where(looked.trail, _moment(at)))


@audit.command(epilog=_ENDS)
@_log
@click.option("--model", metavar="NAMESPACE/NAME", help="Versions of this model alone.")
def lineage(named: Named, model: str | None) -> None:
    """Say which versions of models were where, on which nodes, from when until when, by which permits, and what replaced them."""
    from domicile.audit.lineage import lineage
    from domicile.cli.audit import showing

    with named.read() as looked:
        click.echo(showing.lineage(each for each in lineage(looked.trail) if model in (None, each.model)))


@audit.command(epilog=_ENDS)
@_log
@_AT
def unheld(named: Named, at: str | None) -> None:
    """List every time until then in which a model was on a cluster without a valid verdict."""
    from domicile.audit import questions
    from domicile.cli.audit import showing

    with named.read() as looked:
        found = questions.unheld(looked.trail, _moment(at))
        click.echo(showing.unheld(found))
    if found:
        raise click.exceptions.Exit(NOT_IN_ORDER)


@audit.command(epilog=_ENDS)
@_log
@click.option(
    "--to",
    "directory",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A directory that is new, or empty.",
)
@click.option("--from", "since", metavar="TIME", help="Tell of what was then and after.  [default: the beginning]")
@click.option("--until", metavar="TIME", help="Tell of what was before that.  [default: now]")
@click.option("--jurisdiction", metavar="XX", help="Tell of clusters in that country alone, as ISO 3166-1 has it.")
def export(
    named: Named,
    directory: Path,
    since: str | None,
    until: str | None,
    jurisdiction: str | None,
) -> None:
    """Write the log, a report for people and files for tools into a directory, to hand over.

    A period and a jurisdiction bound what the report and the files tell. The log is always whole: it could not be verified otherwise.
    """
    from domicile.api.jurisdiction import COUNTRIES
    from domicile.cli.audit.export import writing
    from domicile.cli.audit.export.scope import Scope
    from domicile.cli.failure import Failure

    now = _moment(None)
    scope = Scope(
        _moment(until) if until else now, _moment(since) if since else None, jurisdiction or "", until is not None
    )
    if scope.since is not None and scope.since >= scope.until:
        raise Failure(f"{since} is not before {until or 'now'}")
    if jurisdiction and jurisdiction not in COUNTRIES:
        raise Failure(f"{jurisdiction} is no country of ISO 3166-1, such as SG")
    writing.check(directory)
    with named.read() as looked:
        said = writing.write(looked, scope, directory, now, named.origin)
        click.echo(f"{directory} has the log, report.html and README.txt; {said.replayed} decisions came out the same")
    if said.different.rows:
        raise click.exceptions.Exit(NOT_IN_ORDER)


@audit.command()
@click.option(
    "--evidence",
    required=True,
    envvar="DOMICILE_EVIDENCE",
    show_envvar=True,
    help="Address: postgresql://HOST/DATABASE.",
)
@click.option("--to", "file", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--region", is_flag=True, help="The address is of what is kept in a region, and not of the log.")
def fetch(evidence: str, file: Path, region: bool) -> None:
    """Write the log that is in a database to a file, as it is at this moment, for the other commands to read."""
    from domicile.cli.failure import Failure
    from domicile.evidence.postgres import Table, batches
    from domicile.evidence.storage import StoreDown

    try:
        with file.open("xb") as found:
            if region:
                with closing(Table(evidence)) as table:
                    found.writelines(b"%b\n" % line for line in table.kept())
                return
            for batch in batches(evidence):
                found.write(batch.content)
    except OSError as error:
        raise Failure(f"{file} cannot be written: {error.strerror}") from error
    except StoreDown as error:
        file.unlink()
        raise Failure(f"{error}") from error


@audit.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
def key(file: Path) -> None:
    """Print the public key of a FILE with the private one, for those who verify."""
    from domicile.cli.failure import Failure
    from domicile.evidence import keyfile
    from domicile.evidence.storage import StoreDown

    try:
        click.echo(keyfile.pem(keyfile.public(file)), nl=False)
    except StoreDown as error:
        raise Failure(f"{error}") from error


def _moment(at: str | None) -> "datetime":
    from domicile.cli.plan import reading

    return reading.moment(at)


audit.add_command(prune)
audit.add_command(forget)
