"""Writes an export into an empty directory. The log is written as it was read, whatever is told of it."""

import json
import shlex
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from domicile import audit
from domicile.audit.lineage import lineage
from domicile.cli.audit.export import lines, page, report, tables
from domicile.cli.audit.export.scope import Scope
from domicile.cli.audit.export.told import Told
from domicile.cli.audit.source import Looked
from domicile.cli.failure import Failure
from domicile.evidence import keyfile
from domicile.evidence.checkpoint import CHECKPOINT
from domicile.evidence.findings import Segment
from domicile.evidence.segments import NAME

LOG, KEYS, CHECKPOINTS, REGIONS, README = "log", "keys", "checkpoints", "regions", "README.txt"
_VERSION: Final = version("domicile")


def check(directory: Path) -> None:
    """Raise Failure where there is something already."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Failure(f"{directory} is not empty: an export goes into a new or an empty directory")


def write(looked: Looked, scope: Scope, directory: Path, made: datetime, origin: str | None) -> report.Report:
    """All of it; the README last. Raises Failure where it cannot be written."""
    values = looked.trail.values
    again = [(each, audit.replay(each, values)) for each in looked.trail.decisions.values()]
    told = Told(looked.trail, scope)
    said = report.report(looked, told, again, made, _VERSION)
    segments = {name: each.content for name, each in zip(_names(looked.segments), looked.segments, strict=True)}
    keys = {f"{number}.pem": key for number, key in enumerate(looked.keys, start=1)}
    kept = dict(zip(_apart(each.where for each in looked.checkpoints), looked.checkpoints, strict=True))
    readme = page.readme(
        origin=looked.origin,
        made=said.made,
        version=_VERSION,
        filtered=said.filtered,
        in_order=said.in_order,
        until=tables.time(scope.until).replace(" ", "T"),
        keys=[(name, key.keyid) for name, key in keys.items()],
        options=_options(keys, kept, looked.apart, origin),
        regions=sorted(looked.apart),
    )
    try:
        _all(directory / LOG, segments)
        _all(directory / KEYS, {name: keyfile.pem(key).encode() for name, key in keys.items()})
        _all(directory / CHECKPOINTS, {name: each.note.encode() for name, each in kept.items()})
        if looked.apart:
            there = {
                f"{region}.jsonl": b"".join(b"%b\n" % line for line in kept) for region, kept in looked.apart.items()
            }
            _all(directory / REGIONS, there)
        _json(directory / "decisions.jsonl", lines.decisions(looked.trail, told.attested, scope))
        _json(directory / "stays.jsonl", lines.stays(told.stays, told.attested, scope))
        _json(directory / "lineage.jsonl", lines.lineage(lineage(looked.trail), told.attested, scope))
        (directory / "report.html").write_text(page.html(said), encoding="utf-8")
        (directory / README).write_text(readme, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{error.filename} cannot be written: {error.strerror}") from error
    return said


def _options(keys: Iterable[str], checkpoints: Iterable[str], regions: Iterable[str], origin: str | None) -> str:
    """How the export is named to a command, from its directory."""
    said = [f"{LOG}/*.jsonl"]
    said += [f"--key {KEYS}/{name}" for name in keys]
    said += [f"--checkpoint {shlex.quote(f'{CHECKPOINTS}/{name}')}" for name in checkpoints]
    said += [f"--region {shlex.quote(f'{each}={REGIONS}/{each}.jsonl')}" for each in sorted(regions)]
    return " ".join([*said, *([f"--origin {shlex.quote(origin)}"] if origin else [])])


def _names(segments: tuple[Segment, ...]) -> list[str]:
    """Names of files by which the segments are in their order: their own, or each by how many records are before it."""
    own = [each.name for each in segments]
    if own == sorted(set(own)) and all(map(NAME.fullmatch, own)):
        return own
    names, before = list[str](), 0
    for each in segments:
        names.append(f"{before:020}.jsonl")
        before += max(1, sum(bool(line) and not line.startswith(CHECKPOINT) for line in each.content.split(b"\n")))
    return names


def _apart(names: Iterable[str]) -> list[str]:
    """Names, each once."""
    found: list[str] = []
    for name in names:
        number, apart = 2, name
        while apart in found:
            apart, number = f"{number}-{name}", number + 1
        found.append(apart)
    return found


def _all(directory: Path, files: Mapping[str, bytes]) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _json(path: Path, found: Iterable[Mapping[str, Any]]) -> None:
    """As ASCII: what is not seen is written out."""
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{json.dumps(each, sort_keys=True, separators=(',', ':'))}\n" for each in found)
