"""`domicile demo` and `domicile demo down`: their options."""

from pathlib import Path

import click

from domicile.cli.failure import Failure


@click.group(invoke_without_command=True)
@click.option("--keep", is_flag=True, help="Leave everything up at the end, until `domicile demo down`.")
@click.option("--no-real-node", is_flag=True, help="Simulate all nodes, also where this machine could run a real one.")
@click.option("--hub-context", help="Use clusters that you have: context of the hub.")
@click.option(
    "--region", "regions", multiple=True, metavar="CODE=CONTEXT", help="A region, such as SG=kind-sg; two or more."
)
@click.option(
    "--kubeconfig", type=click.Path(path_type=Path, exists=True), help="Has these contexts.  [default: as kubectl]"
)
@click.option("--model-server-image", help="By digest: the demo's model server, where the given clusters can pull it.")
@click.option("--model-image", help="By digest: the demo's model, where the given clusters can pull it.")
@click.pass_context
def demo(
    ctx: click.Context,
    keep: bool,
    no_real_node: bool,
    hub_context: str | None,
    regions: tuple[str, ...],
    kubeconfig: Path | None,
    model_server_image: str | None,
    model_image: str | None,
) -> None:
    """Show the main job on real clusters, step by step; exit code 0 only if every step was seen to be true.

    Without --hub-context it builds what is missing (once, about 10 minutes on 2 cores) and starts a hub and three regional
    clusters on this machine. With it, it runs the same story on clusters that you have, builds nothing, and removes
    from them what it made. The first region is where the policy begins, the second where it moves to.
    """
    if ctx.invoked_subcommand is not None:
        return
    _need_extra()
    from domicile.cli.demo import playing
    from domicile.cli.demo.given import Images
    from domicile.cli.demo.journal import Given
    from domicile.localfleet import errors

    given = None
    if hub_context is not None:
        path = str(kubeconfig.absolute()) if kubeconfig else ""
        given = Given(path, hub_context, parsed_regions(regions))
    elif regions or kubeconfig or model_image or model_server_image:
        raise click.UsageError("--region, --kubeconfig and the images go with --hub-context")
    if (model_image is None) != (model_server_image is None):
        raise click.UsageError("--model-server-image and --model-image go together")
    images = Images(model_server_image, model_image) if model_server_image and model_image else None
    try:
        told = playing.play(playing.Wanted(keep, not no_real_node, given, images))
    except errors.LocalFleetError as error:
        raise Failure(str(error)) from error
    ctx.exit(0 if told else 1)


@demo.command()
@click.option(
    "--forget",
    is_flag=True,
    help="Given clusters that are gone: drop the record of what was made there, ask them nothing.",
)
def down(forget: bool) -> None:
    """Stop and remove everything that `domicile demo` started, and nothing else."""
    from domicile.cli.demo import playing
    from domicile.cli.demo.journal import claim_from_whoever_has_it
    from domicile.localfleet import errors

    journal = claim_from_whoever_has_it(click.echo)
    try:
        forgotten = playing.forget(journal) if forget else ()
        there_was = playing.put_away(journal)
    except errors.LocalFleetError as error:
        raise Failure(str(error)) from error
    finally:
        journal.close()
    for line in forgotten:
        click.echo(f"forgotten, not removed: {line}")
    if not forgotten:
        click.echo("the demo is stopped; nothing of it is left" if there_was else "no demo was up")


@demo.command("model")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def write_model(file: Path) -> None:
    """Train the demo's model and write it to FILE, to be packed as /models/model.json in an image of your own."""
    _need_extra()
    from domicile.cli.demo import model

    file.write_bytes(model.train().artifact)
    click.echo(f"{file}: pack it as /models/{model.FILE}, push it, and pass its reference by digest as --model-image")


def parsed_regions(given: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of country code and context."""
    pairs: list[tuple[str, str]] = []
    for each in given:
        code, _, context = each.partition("=")
        if not (len(code) == 2 and code.isascii() and code.isalpha() and context):
            raise click.BadParameter(f"{each!r} is not CODE=CONTEXT, such as SG=kind-sg", param_hint="--region")
        pairs.append((code.upper(), context))
    if len(pairs) < 2 or len({code for code, _ in pairs}) < len(pairs):
        raise click.BadParameter(
            "two or more regions are needed, each with its own country code", param_hint="--region"
        )
    return tuple(pairs)


def _need_extra() -> None:
    from importlib.util import find_spec

    if find_spec("sklearn") is None:
        raise Failure("the demo trains a scikit-learn model: pip install 'domicile[demo]'")
