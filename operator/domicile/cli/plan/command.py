"""The options of `domicile plan` and `domicile policy diff`."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from domicile.cli.plan.objects import Objects
    from domicile.decision.preview import Outlook

Output = Literal["table", "json", "yaml"]

_ENDS = """Exits with 0 if it could answer, 1 if something could not be read, 2 on wrong usage, and 3 if the answer has what
    --fail-on names."""
_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path))
_CONTEXT = click.option("--hub-context", help="Read the hub of this context too; files are put over what is there.")
_KUBECONFIG = click.option(
    "--hub-kubeconfig", type=click.Path(path_type=Path), help="Kubeconfig of the hub.  [default: as kubectl]"
)
_AT = click.option("--at", metavar="TIME", help="Decide as of this RFC 3339 time.  [default: now]")
_OUTPUT = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True
)


@click.command(epilog=_ENDS)
@_FILES
@_CONTEXT
@_KUBECONFIG
@_AT
@_OUTPUT
@click.option("--model", "names", multiple=True, metavar="NAMESPACE/NAME", help="This model alone; may be given again.")
@click.option("--matrix", is_flag=True, help="Show every rule of every policy on every cluster and pool.")
@click.option(
    "--fail-on",
    type=click.Choice(["short", "invalid"]),
    multiple=True,
    help="Exit with 3: short, if a model has fewer lawful clusters than it wants; invalid, if a policy has something that"
    " cannot be read. May be given again.",
)
def plan(
    files: tuple[Path, ...],
    hub_context: str | None,
    hub_kubeconfig: Path | None,
    at: str | None,
    output: Output,
    names: tuple[str, ...],
    matrix: bool,
    fail_on: tuple[str, ...],
) -> None:
    """Say where models may run, and why not elsewhere, from manifests alone. Nothing is written.

    FILES are YAML or JSON files, folders of them, or - for standard input: SovereignModels, policies, attestations and
    the rest of governance's objects, and the models' Namespaces with their labels. Without RegionalClusters among them,
    the clusters that attestations speak of are judged. Whether a cluster is able to run a model is not decided here.
    """
    from domicile.cli.failure import Failure
    from domicile.cli.plan import documents, reading, showing
    from domicile.decision import preview
    from domicile.residency import Engine

    if not files and hub_context is None and hub_kubeconfig is None:
        raise click.UsageError("give files, or a hub with --hub-context")
    objects = _read(files, hub_context, hub_kubeconfig)
    now = reading.moment(at)
    engine, fleet = Engine(objects.law()), objects.fleet(now)
    notes = _told(objects.notes(engine))
    outlooks = _chosen(preview.outlooks(engine, fleet), names)
    matrices = [preview.matrix(engine, fleet, outlook.model) for outlook in outlooks] if matrix else []
    if output != "table":
        told = [documents.model(outlook) for outlook in outlooks]
        for document, rows in zip(told, matrices, strict=False):
            document["matrix"] = documents.matrix(rows)
        click.echo(documents.dumped(documents.plan(now, fleet.hub, notes, told), output))
    elif matrix:
        shown = [showing.matrix(outlook, rows) for outlook, rows in zip(outlooks, matrices, strict=True)]
        click.echo("\n\n".join(shown) or showing.NO_MODEL)
    else:
        click.echo(showing.plan(outlooks))
    if "short" in fail_on and not outlooks:
        raise Failure(f"{showing.NO_MODEL}, so --fail-on short has nothing to look at: were the right files given?")
    if "short" in fail_on and objects.unlabelled:
        unread = ", ".join(objects.unlabelled)
        raise Failure(
            f"Namespace {unread} was not read, so --fail-on short cannot know which policies apply: give it too"
        )
    short = list(showing.short(outlooks)) if "short" in fail_on else []
    faulty = [p.metadata.name for p in engine.law.policies if engine.faults(p.metadata.name)]
    _judge(
        [
            *([f"fewer lawful clusters than wanted: {', '.join(short)}"] if short else []),
            *([f"cannot be read in full: {', '.join(sorted(faulty))}"] if faulty and "invalid" in fail_on else []),
        ]
    )


@click.group()
def policy() -> None:
    """Look at what policies would do."""


@policy.command(epilog=_ENDS)
@_FILES
@_CONTEXT
@_KUBECONFIG
@_AT
@_OUTPUT
@click.option(
    "--current",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Files that say how things are now, instead of a hub; may be given again.",
)
@click.option("--enforce", multiple=True, metavar="NAME", help="As if this policy in Audit mode were enforced.")
@click.option("--enforce-all", is_flag=True, help="As if every policy in Audit mode were enforced.")
@click.option("--delete", multiple=True, metavar="NAME", help="As if this policy were deleted.")
@click.option(
    "--fail-on",
    type=click.Choice(["evict", "move", "hold", "narrow"]),
    multiple=True,
    help="Exit with 3 if that would happen to a model. May be given again.",
)
def diff(
    files: tuple[Path, ...],
    hub_context: str | None,
    hub_kubeconfig: Path | None,
    at: str | None,
    output: Output,
    current: tuple[Path, ...],
    enforce: tuple[str, ...],
    enforce_all: bool,
    delete: tuple[str, ...],
    fail_on: tuple[str, ...],
) -> None:
    """Say which models a change would evict, move, hold or free, now. Nothing is written.

    FILES hold what is to be applied: policies, or any other object. How things are now is read from the hub of
    --hub-context, or from --current. Where a model runs is in its status, so --current needs it: as of kubectl get -o
    yaml. Whether a cluster is able to run a model is not decided here.
    """
    from domicile.cli.plan import changing, documents, reading, showing
    from domicile.decision import preview
    from domicile.residency import Engine

    from_hub = hub_context is not None or hub_kubeconfig is not None
    if bool(current) == from_hub:
        raise click.UsageError("say how things are now: either --current FILES, or a hub with --hub-context")
    if not (files or enforce or enforce_all or delete):
        raise click.UsageError("say what is to change: FILES, --enforce or --delete")
    now = reading.moment(at)
    before = _read(current, hub_context, hub_kubeconfig)
    after = changing.applied(before, reading.from_files(files))
    names = (*enforce, *(changing.audited(after) if enforce_all else ()))
    after = changing.without(changing.enforced(after, names), delete)
    was, then = Engine(before.law()), Engine(after.law())
    notes = _told(after.notes(then))
    changes = preview.difference(
        preview.outlooks(was, before.fleet(now)),
        preview.outlooks(then, after.fleet(now)),
    )
    if output == "table":
        click.echo(showing.difference(changes))
    else:
        click.echo(documents.dumped(documents.difference(now, notes, changes), output))
    touched = [c for c in changes if c.effect.value.lower() in fail_on]
    _judge(f"{change.effect.value.lower()}: {change.after.name}" for change in touched)


def _read(files: tuple[Path, ...], hub_context: str | None, hub_kubeconfig: Path | None) -> "Objects":
    from domicile import kube
    from domicile.cli.failure import Failure
    from domicile.cli.plan import changing, reading

    given = reading.from_files(files)
    if hub_context is None and hub_kubeconfig is None:
        return given
    try:
        return changing.applied(asyncio.run(reading.from_hub(hub_kubeconfig, hub_context)), given)
    except kube.KubeError as error:
        raise Failure(f"the hub could not be read: {error}") from error


def _chosen(outlooks: "tuple[Outlook, ...]", names: tuple[str, ...]) -> "tuple[Outlook, ...]":
    from domicile.cli.failure import Failure

    if unknown := set(names) - {outlook.name for outlook in outlooks}:
        raise Failure(f"there is no SovereignModel {', '.join(sorted(unknown))}: write it as NAMESPACE/NAME")
    return tuple(outlook for outlook in outlooks if not names or outlook.name in names)


def _told(notes: Iterable[str]) -> tuple[str, ...]:
    """The notes, once they were told on standard error: standard output is for the answer alone."""
    told = tuple(notes)
    for note in told:
        click.echo(f"domicile: note: {note}", err=True)
    return told


def _judge(against: Iterable[str]) -> None:
    """End with 3 if there is something that --fail-on names."""
    found = list(against)
    for each in found:
        click.echo(f"domicile: {each}", err=True)
    if found:
        raise click.exceptions.Exit(3)
