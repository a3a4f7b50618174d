"""The options of `domicile audit`."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from datetime import datetime

    from domicile.cli.audit.source import Looked

F = TypeVar("F", bound=Callable[..., Any])
NOT_IN_ORDER: Final = 3
"""Exit code where the log, or what it says, is not as it should be."""
_ENDS: Final = """Exits with 0 if all is in order, 1 if something could not be read, 2 on wrong usage, and 3 if the log is not as it was
    written or what was asked for is not as it should be."""


def _log(command: F) -> F:
    """The options of every command that reads a log."""
    for add in reversed(
        (
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
        )
    ):
        command = add(command)
    return command


_AT = click.option("--at", metavar="TIME", help="An RFC 3339 time.  [default: now]")


@click.group()
def audit() -> None:
    """Read the evidence: what was decided, on what basis, and what came of it. Offline, and without writing anything.

    LOG is the directory that the operator's --evidence names, or the files of an export, in their order; of one in PostgreSQL, the file that
    `domicile audit fetch` wrote.
    """


@audit.command(epilog=_ENDS)
@_log
def verify(
    log: tuple[Path, ...], key_files: tuple[Path, ...], checkpoints: tuple[Path, ...], origin: str | None
) -> None:
    """Say whether a log is complete and as it was written."""
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    click.echo(showing.verified(looked))
    _in_order(looked)


@audit.command(epilog=_ENDS)
@_log
def replay(
    log: tuple[Path, ...], key_files: tuple[Path, ...], checkpoints: tuple[Path, ...], origin: str | None
) -> None:
    """Decide every decision again, from what was recorded of its inputs, and compare byte by byte."""
    from domicile import audit as evidence
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    trail, values = looked.trail, looked.trail.values
    again = [(each, evidence.replay(each, values)) for each in trail.decisions.values()]
    click.echo(showing.replayed(again))
    _in_order(looked)
    if any(not isinstance(found, evidence.Same) for _, found in again):
        raise click.exceptions.Exit(NOT_IN_ORDER)


@audit.command("list", epilog=_ENDS)
@_log
@click.option("--model", metavar="NAMESPACE/NAME", help="Decisions on this model alone.")
@click.option("--what", help="Decisions of this sort alone, such as Placed, Refused, Held, Evicted or LetGo.")
def listed(
    log: tuple[Path, ...],
    key_files: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    origin: str | None,
    model: str | None,
    what: str | None,
) -> None:
    """List the decisions: when, what, on which model, who asked, and what came of it."""
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    found = [
        each
        for each in looked.trail.decisions.values()
        if (model is None or each.subject == f"SovereignModel/{model}") and (what is None or what in each.body["what"])
    ]
    with _reading():
        click.echo(showing.decisions(looked.trail, found))
    _in_order(looked)


@audit.command(epilog=_ENDS)
@_log
@click.option("--decision", required=True, metavar="ID", help="Its number in the log, or how its digest begins.")
def show(
    log: tuple[Path, ...], key_files: tuple[Path, ...], checkpoints: tuple[Path, ...], origin: str | None, decision: str
) -> None:
    """Show a decision: every cluster with every rule, what was chosen, who approved, and what came of it."""
    from domicile.audit import questions
    from domicile.cli.audit import showing
    from domicile.cli.failure import Failure

    looked = _look(log, key_files, checkpoints, origin)
    found = list(questions.named(looked.trail, decision))
    if len(found) != 1:
        said = f"{len(found)} decisions are" if found else "no decision is"
        raise Failure(f"{said} {decision}: give its number, as `audit list` has it, or more of its digest")
    with _reading():
        click.echo(showing.decision(looked.trail, found[0]))
    _in_order(looked)


@audit.command(epilog=_ENDS)
@_log
def law(log: tuple[Path, ...], key_files: tuple[Path, ...], checkpoints: tuple[Path, ...], origin: str | None) -> None:
    """List what governance changed: modes switched, approvals given, and who did it as the API server stamped it."""
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    with _reading():
        click.echo(showing.law(looked.trail))
    _in_order(looked)


@audit.command(epilog=_ENDS)
@_log
@_AT
def where(
    log: tuple[Path, ...],
    key_files: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    origin: str | None,
    at: str | None,
) -> None:
    """Say what ran where at a time, by which permit and under which policies, and which exceptions were in force."""
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    with _reading():
        click.echo(showing.where(looked.trail, _moment(at)))
    _in_order(looked)


@audit.command(epilog=_ENDS)
@_log
@_AT
def unheld(
    log: tuple[Path, ...],
    key_files: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    origin: str | None,
    at: str | None,
) -> None:
    """List every time until then in which a model was on a cluster without a valid verdict."""
    from domicile.audit import questions
    from domicile.cli.audit import showing

    looked = _look(log, key_files, checkpoints, origin)
    with _reading():
        found = questions.unheld(looked.trail, _moment(at))
        click.echo(showing.unheld(found))
    _in_order(looked)
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
    log: tuple[Path, ...],
    key_files: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    origin: str | None,
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
    looked = _look(log, key_files, checkpoints, origin)
    with _reading():
        said = writing.write(looked, scope, directory, now, origin)
    click.echo(f"{directory} has the log, report.html and README.txt; {said.replayed} decisions came out the same")
    _in_order(looked)
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
def fetch(evidence: str, file: Path) -> None:
    """Write the log that is in a database to a file, as it is at this moment, for the other commands to read."""
    from domicile.cli.failure import Failure
    from domicile.evidence.postgres import batches
    from domicile.evidence.storage import StoreDown

    try:
        with file.open("xb") as found:
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


def _look(
    log: tuple[Path, ...], key_files: tuple[Path, ...], checkpoints: tuple[Path, ...], origin: str | None
) -> "Looked":
    from domicile.cli.audit import source

    return source.look(log, key_files, checkpoints, origin)


@contextmanager
def _reading() -> Generator[None]:
    """While decisions are read. What was signed and is still not as decisions of this version are is told as that."""
    from domicile.cli.failure import Failure

    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        said = f"{type(error).__name__} {error}".replace("\n", " ")
        raise Failure(f"a record is not as records of this version are: {said}") from error


def _in_order(looked: "Looked") -> None:
    """Whatever was asked for: of a log that is not in order that is said, too."""
    from domicile.cli.audit import showing

    if wrong := showing.wrong(looked):
        click.echo(wrong, err=True)
        raise click.exceptions.Exit(NOT_IN_ORDER)


def _moment(at: str | None) -> "datetime":
    from domicile.cli.plan import reading

    return reading.moment(at)
