"""Where a log is read from: its directory, or files of an export. It is not locked: the operator may be writing it meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from domicile.audit import Trail
from domicile.cli.failure import Failure
from domicile.evidence import dsse, keyfile, keys, records
from domicile.evidence.checkpoint import CHECKPOINT
from domicile.evidence.keys import PublicKey
from domicile.evidence.segments import NAME, acknowledged
from domicile.evidence.storage import StoreDown
from domicile.evidence.verifying import Report, Segment, Witnessed, verify


@dataclass(frozen=True)
class Looked:
    """A log that was read, and what is to be said of it."""

    origin: str
    report: Report
    trail: Trail
    segments: tuple[Segment, ...]
    """As they were read."""
    keys: tuple[PublicKey, ...]
    """Those that were given."""
    checkpoints: tuple[Witnessed, ...]
    """Those that were given."""


def look(
    paths: Iterable[Path], key_files: Iterable[Path], checkpoints: Iterable[Path], origin: str | None = None
) -> Looked:
    """Read and verify a log. Raises Failure where there is nothing to read, or no key."""
    segments = tuple(segment for path in paths for segment in _segments(path))
    named = origin or _named(segments)
    trail = Trail()
    known = keys.by_id(map(_key, key_files))
    kept = tuple(Witnessed(path.name, _text(path)) for path in checkpoints)
    report = verify(named, segments, known, kept, trail.take)
    return Looked(named, report, trail, segments, tuple(known.values()), kept)


def _segments(path: Path) -> list[Segment]:
    try:
        files = sorted(each for each in path.iterdir() if NAME.fullmatch(each.name)) if path.is_dir() else [path]
        if not files:
            raise Failure(
                f"{path} has no segments of a log: give the directory that --evidence names, or the files of an export"
            )
        found = [Segment(each.name, each.read_bytes()) for each in files]
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}") from error
    if path.is_dir():
        # What stands after the last checkpoint was not acknowledged yet.
        last = found[-1]
        found[-1] = Segment(last.name, last.content[: acknowledged(last.content)])
    return found


def _named(segments: Iterable[Segment]) -> str:
    """What the first record says that its log is."""
    for segment in segments:
        for line in segment.content.split(b"\n"):
            if line and not line.startswith(CHECKPOINT):
                try:
                    return records.place(dsse.parsed(line)).origin
                except dsse.Malformed:
                    continue
    raise Failure("there is no record from which the name of the log could be told: give --origin")


def _key(path: Path) -> PublicKey:
    try:
        return keyfile.public(path)
    except StoreDown as error:
        raise Failure(f"{error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"the checkpoint in {path} cannot be read: {error}") from error
