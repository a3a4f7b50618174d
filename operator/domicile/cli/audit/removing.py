"""`domicile audit prune` and `domicile audit forget`: the two commands that change a log. What they remove is on record first."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from domicile.cli.evidence_options import evidence_options

if TYPE_CHECKING:
    from domicile.audit.retention import Archive
    from domicile.controller.opening import Database, Directory
    from domicile.evidence.ranges import Ranges
    from domicile.evidence.store import Log


def _rules(what: str) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    exists = click.Path(path_type=Path, dir_okay=False, exists=True)
    return click.option("--rules", "file", required=True, type=exists, help=what)


@click.command()
@evidence_options
@_rules("File that rules how long records are kept, with the legal holds.")
@click.option("--dry-run", is_flag=True, help="Say what need not be kept any longer, and remove nothing.")
def prune(file: Path, dry_run: bool, **where: Any) -> None:
    """Remove the records that need not be kept any longer. Stop the operator first.

    Of the time that has to be kept everything can be verified, decided again and told as before. The log says what was removed, by which rules
    and in spite of which holds.
    """
    from domicile import kube
    from domicile.audit.retention import removable
    from domicile.cli.audit import rules_file

    retention, now = rules_file.read(file), kube.system_clock()

    async def remove(log: "Log", archive: "Archive") -> None:
        gone = removable(archive, retention, now)
        for hold in retention.holds:
            click.echo(f"{hold.name} is on {sum(map(hold.on, archive.records.values()))} records")
        click.echo(f"{_many(archive, gone)} of {len(log)} records need not be kept any longer")
        await _removed(log, gone, retention.written(now), dry_run=dry_run)

    _opened(remove, **where)


@click.command()
@evidence_options
@_rules("File with the legal holds, as for prune: what they are on keeps its names.")
@click.option("--person", required=True, help="The name, as the API server stamped it.")
@click.option("--reason", required=True, help="Why, for the record. It is kept: do not name the person in it.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def forget(file: Path, person: str, reason: str, dry_run: bool, **where: Any) -> None:
    """Remove the name of a person. Stop the operator first.

    What that person did stays on record, as done by somebody whose name is not kept. Refused while a model or an object of governance that is
    still there bears the name, or a legal hold is on what names it.
    """
    from domicile import kube
    from domicile.audit import moment
    from domicile.audit.retention import naming
    from domicile.cli.audit import rules_file
    from domicile.cli.failure import Failure

    now, holds = kube.system_clock(), rules_file.read(file).holds
    if person in reason:
        raise Failure("the reason names the person, and is kept")

    async def remove(log: "Log", archive: "Archive") -> None:
        gone = naming(archive, person, holds)
        click.echo(f"{_many(archive, gone)} of {len(log)} records have the name")
        await _removed(log, gone, {"why": "Erasure", "reason": reason, "at": moment(now)}, dry_run=dry_run)

    _opened(remove, **where)


async def _removed(log: "Log", gone: "Ranges", why: Mapping[str, Any], *, dry_run: bool) -> None:
    if dry_run or not gone:
        click.echo("nothing was removed")
        return
    before = len(log)
    await log.remove(gone, why, log.epoch)
    after = len(log)
    by = "an earlier record says" if after == before else f"record {before} says"
    click.echo(f"removed, and {by if after <= before + 1 else f'records {before} to {after - 1} say'} so")


def _many(archive: "Archive", gone: "Ranges") -> str:
    from domicile.evidence import ranges

    kinds = Counter(archive.times[each][1] for each in ranges.each(gone))
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    return f"{ranges.count(gone)} ({said})" if said else "0"


def _opened(
    remove: "Callable[[Log, Archive], Any]",
    *,
    evidence: str,
    evidence_key: Path | None,
    evidence_key_before: tuple[Path, ...],
    evidence_region: Mapping[str, str],
) -> None:
    """Have the log open, all of it read."""
    from domicile import kube
    from domicile.audit.retention import Archive
    from domicile.cli.failure import Failure
    from domicile.controller.opening import Signing, opening
    from domicile.evidence.storage import LogDamaged, StaleEpoch, StoreDown

    archive = Archive()
    where = opening(evidence, Signing(evidence_key, evidence_key_before), kube.system_clock, evidence_region)

    async def run() -> None:
        log = _open(where, archive)
        try:
            for home, count in log.elsewhere:
                raise Failure(f"{count} records are kept in {home}: say where, with --evidence-region {home}=WHERE")
            await remove(log, archive)
        finally:
            await log.close()

    try:
        asyncio.run(run())
    except (StoreDown, StaleEpoch, LogDamaged, ValueError) as error:
        raise Failure(f"{error}") from error


def _open(where: "Directory | Database", archive: "Archive") -> "Log":
    hub, epoch = where.known()
    return where(hub, epoch, archive.take, read_homes=True)
