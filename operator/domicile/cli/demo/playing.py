"""One performance: make or take a world, play the story in it, and put everything away again, whatever happens."""

import asyncio
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import click

from domicile import kube
from domicile.cli.demo import given as given_clusters
from domicile.cli.demo import local, model, operating, story
from domicile.cli.demo.journal import Entry, Given, Journal, claim
from domicile.cli.demo.narration import Narrator
from domicile.cli.demo.observing import NAMESPACE
from domicile.cli.demo.waiting import NotObserved
from domicile.cli.demo.world import Eyes, World, open_eyes
from domicile.cli.failure import Failure
from domicile.localfleet import progress

Where = tuple[tuple[Path | None, str], Mapping[str, tuple[Path | None, str]]]
"""Kubeconfig and context of the hub, and of each region by its name."""

_TITLE = "Domicile: a model runs where its data may be, and nowhere else"


@dataclass(frozen=True)
class Wanted:
    """What was asked for on the command line."""

    keep: bool
    real_node: bool
    given: Given | None
    images: given_clusters.Images | None


def play(wanted: Wanted) -> bool:
    """Whether every step was observed to be true."""
    journal = claim()
    try:
        _clear_what_was_left(journal)
        with _terminated_as_interrupted():
            return _play_given(wanted, wanted.given, journal) if wanted.given else _play_local(wanted, journal)
    except KeyboardInterrupt:
        click.echo("\ninterrupted: everything that the demo started has been stopped", err=True)
        raise SystemExit(130) from None
    finally:
        journal.close()


def put_away(journal: Journal) -> bool:
    """Undo what is on record. Whether there was anything."""
    entry = journal.entry
    given = entry.given if entry else None
    stopped = local.down() if given is None else False
    # A mistyped context leaves nothing to remove, and is as wrong now as it was then.
    if given is not None and given.touched:
        asyncio.run(_remove_from(journal, given))
    _forget_credentials(journal.work)
    journal.write(None)
    return stopped or entry is not None


def forget(journal: Journal) -> tuple[str, ...]:
    """Drop what is on record of given clusters, without asking them; returns what was, for people."""
    given = journal.entry.given if journal.entry else None
    if given is None:
        return ()
    given_clusters.stop_operator(given)
    journal.change_given(lambda known: replace(known, operator=0, made=()))
    return given.shown()


def _clear_what_was_left(journal: Journal) -> None:
    entry = journal.entry
    if entry is not None and entry.kept:
        raise Failure("a demo that was kept is still up: look at it, or stop it with `domicile demo down`")
    if put_away(journal):
        click.echo("cleared what an earlier demo, which was killed, had left", err=True)


def _play_local(wanted: Wanted, journal: Journal) -> bool:
    say = Narrator()
    say.title(_TITLE)
    work = journal.fresh_work()
    journal.write(Entry())
    kept = False
    try:
        up = local.start(work, progress.for_stream(sys.stderr), keep=wanted.keep, real_node=wanted.real_node)
        told = asyncio.run(_perform(say, up.world, up.where, journal, up.mark, outlive=wanted.keep))
        if not told:
            say.says(f"logs: {local.save_logs(up.fleet, work)} and {work / operating.LOG}")
        kept = wanted.keep
    finally:
        with _uninterrupted():
            if kept:
                journal.write(Entry(kept=True))
            else:
                local.down()
                _forget_credentials(work)
                journal.write(None)
    if kept:
        _say_how_to_go_on(say, up.world, str(up.world.kubeconfig))
    return told


def _play_given(wanted: Wanted, given: Given, journal: Journal) -> bool:
    say = Narrator()
    say.title(_TITLE)
    work = journal.fresh_work()
    kept = False
    journal.write(Entry(given=given))
    try:
        impersonate = asyncio.run(_look_at_given(journal, given))
        world = given_clusters.world(given, wanted.images, impersonate, work, model.train())
        where = given_clusters.where(given)
        told = asyncio.run(_perform(say, world, where, journal, {}, outlive=wanted.keep))
        kept = wanted.keep
    finally:
        with _uninterrupted():
            if kept:
                journal.write(replace(journal.entry or Entry(), kept=True))
            else:
                put_away(journal)
    if kept:
        _say_how_to_go_on(say, world, given.kubeconfig)
    else:
        say.says("everything that the demo made on the given clusters is gone from them")
    return told


async def _perform(
    say: Narrator,
    world: World,
    where: Where,
    journal: Journal,
    environment: Mapping[str, str],
    *,
    outlive: bool,
) -> bool:
    eyes = await _connected(where)
    running: operating.Running | None = None
    try:
        say.step("The clusters, and Domicile on the hub")
        for line in world.about:
            say.says(line)
        await operating.install(world, eyes.hub, say)
        identity = await operating.identity(world, eyes.hub)
        evidence = await operating.evidence(world.work, eyes.hub)
        running = operating.start(identity, world.work, evidence, environment, outlive=outlive)
        pid = running.process.pid
        journal.change_given(lambda given: replace(given, operator=pid))
        # The operator takes seconds to start; meanwhile the rest of the hub is set up.
        await operating.admit_people(world, eyes.hub, say)
        await operating.ready(running)
        say.seen("the operator leads, as its own ServiceAccount with the chart's roles")
        await _tell(story.Stage(world, eyes, say), say)
    except (NotObserved, kube.KubeError) as error:
        _say_what_failed(say, error, running)
        return False
    finally:
        await eyes.close()
    skipped = f"; SKIPPED: {', '.join(say.skipped)}" if say.skipped else ""
    click.echo()
    click.secho(f"All {say.checked} checks were seen to be true, in {say.elapsed():.0f} s{skipped}.", bold=True)
    return True


async def _look_at_given(journal: Journal, given: Given) -> bool:
    """Whether we may act as others there. Failure if the demo could not leave everything as it is."""
    eyes = await _connected(given_clusters.where(given))
    try:
        await given_clusters.record_what_will_be_made(journal, eyes)
    except kube.KubeError as error:
        raise Failure(f"looking at the given clusters: {error}") from error
    finally:
        await eyes.close()
    return await given_clusters.may_impersonate(given)


async def _connected(where: Where) -> Eyes:
    try:
        return await open_eyes(*where)
    except kube.KubeError as error:
        raise Failure(f"the given clusters cannot be spoken to: {error}") from error


async def _tell(stage: story.Stage, say: Narrator) -> None:
    for title, step in story.steps(stage.world):
        say.step(title)
        await step(stage)


async def _remove_from(journal: Journal, given: Given) -> None:
    try:
        eyes = await open_eyes(*given_clusters.where(given))
        try:
            await given_clusters.remove(journal, given, eyes)
        finally:
            await eyes.close()
    except (NotObserved, kube.KubeError) as error:
        raise Failure(_still_there(given, error)) from error


def _still_there(given: Given, error: Exception) -> str:
    made = "\n".join(f"  {line}" for line in given.shown())
    return (
        f"what the demo made cannot be removed: {error}\nOn record, and still there at least in part:\n{made}\n"
        "Run `domicile demo down` again when the clusters can be reached. If they are gone for good:"
        " `domicile demo down --forget`."
    )


def _say_what_failed(say: Narrator, error: Exception, running: operating.Running | None) -> None:
    click.secho(f"\n   FAILED after {say.elapsed():.0f} s: {error}", fg="red", err=True)
    if running is not None:
        click.echo(f"\n   the operator's log {running.log} ends with:", err=True)
        click.echo(operating.last_lines(running.log), err=True)


def _say_how_to_go_on(say: Narrator, world: World, kubeconfig: str) -> None:
    click.echo()
    say.says("The clusters, the operator and its objects stay until `domicile demo down`. To play with them:")
    if kubeconfig:
        say.says(f"export KUBECONFIG={kubeconfig}")
    contexts = ", ".join((world.hub_context, *(region.context for region in world.regions)))
    say.says(f"contexts: {contexts}; YAML files: {world.work}; the operator's log: {world.work / operating.LOG}")
    for person, line in (
        (world.team, f"apply --filename={world.work / story.MODEL_FILE}"),
        (world.team, f"get sovereignmodels --namespace={NAMESPACE} --output=wide --watch"),
        (world.governance, "edit residencypolicy retail-customer-data"),
    ):
        say.command(person.name, f"kubectl {' '.join(person.flags)} {line}")


def _forget_credentials(work: Path) -> None:
    for file in work.glob("*.kubeconfig"):
        file.unlink(missing_ok=True)


@contextmanager
def _terminated_as_interrupted() -> Generator[None]:
    """SIGTERM ends the demo as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _uninterrupted() -> Generator[None]:
    """Cleaning up goes on to its end; it takes seconds."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
