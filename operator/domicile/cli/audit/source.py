"""Where a log is read from: its directory, or files of an export. It is not locked: the operator may be writing it meanwhile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domicile.audit import Trail
from domicile.cli.failure import Failure
from domicile.evidence import homes, keyfile, keys, verifying
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.keys import PublicKey
from domicile.evidence.segments import acknowledged, paths
from domicile.evidence.storage import StoreDown
from domicile.evidence.verifying import verify


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
    apart: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict[str, tuple[bytes, ...]])
    """By region: what is kept there, as it was given."""


def look(
    logs: Iterable[Path],
    key_files: Iterable[Path],
    checkpoints: Iterable[Path],
    origin: str | None = None,
    regions: Mapping[str, Path] | None = None,
) -> Looked:
    """Read and verify a log. Raises Failure where there is nothing to read, or no key."""
    segments = tuple(segment for path in logs for segment in _segments(path))
    name = origin or verifying.origin(segments)
    if name is None:
        raise Failure("there is no record from which the name of the log could be told: give --origin")
    trail = Trail()
    known = keys.by_id(map(_key, key_files))
    kept = tuple(Witnessed(path.name, _text(path)) for path in checkpoints)
    apart = {region: _apart(path) for region, path in (regions or {}).items()}
    report = verify(name, segments, known, kept, trail.take, apart)
    return Looked(name, report, trail, segments, tuple(known.values()), kept, apart)


def _apart(path: Path) -> tuple[bytes, ...]:
    """What is kept in a region: of the directory in which it is, or of a file."""
    try:
        return tuple(homes.kept(path / homes.NAME if path.is_dir() else path))
    except OSError as error:
        raise Failure(f"{error.filename} cannot be read: {error.strerror}") from error


def _segments(path: Path) -> list[Segment]:
    try:
        files = paths(path) if path.is_dir() else [path]
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
