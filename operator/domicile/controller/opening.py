"""How the log of evidence is opened: where it is kept, and the key that signs it."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from domicile.evidence import keyfile
from domicile.evidence.findings import Read, Segment
from domicile.evidence.homes import Files
from domicile.evidence.keys import PublicKey, Signer
from domicile.evidence.segments import Segments, paths
from domicile.evidence.storage import Home, Storage, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import origin

KEY: Final = "key.pem"
"""Name of the key beside the log, where no other is given."""
ORIGIN: Final = "domicile.dev/evidence/"
"""How the name of a log begins; the UID of its hub follows."""


@dataclass(frozen=True)
class Signing:
    """By which keys a log is signed."""

    key: Path | None = None
    """A file with the private key. None: one beside the log, made where it is missing."""
    keys_before: tuple[Path, ...] = ()
    """Files with the public keys that signed it before."""


@dataclass(frozen=True)
class Directory:
    """A log on a volume, for one process at a time."""

    path: Path
    signing: Signing
    clock: Callable[[], datetime]
    regions: Mapping[str, str] = field(default_factory=dict[str, str])
    """By jurisdiction, where its details are kept: a directory, or the address of a database."""

    def known(self) -> tuple[str, int]:
        """UID of the hub whose log it is, and the term that it is in. Raises StoreDown where there is none."""
        try:
            # In files the term is that of the last record.
            return _hub(Segment(path.name, path.read_bytes()) for path in paths(self.path)), 0
        except OSError as error:
            raise StoreDown(f"the log in {self.path} cannot be read: {error}") from error

    def __call__(self, hub: str, epoch: int, read: Read, *, read_homes: bool = False) -> Log:
        """Open it. Raises StoreDown or LogDamaged."""
        storage = Segments(self.path)  # First: of two processes on a volume one alone may make the key.
        try:
            key = self.signing.key
            signer = keyfile.signer(key) if key else keyfile.signer_made_once(self.path / KEY)
            before = [keyfile.public(path) for path in self.signing.keys_before]
        except StoreDown:
            storage.close()
            raise
        return _opened(self, storage, f"{ORIGIN}{hub}", signer, before, read, read_homes=read_homes)


@dataclass(frozen=True)
class Database:
    """A log in PostgreSQL, of which the process that leads appends."""

    address: str
    """As libpq has it. What it leaves out comes from PGPASSWORD and the like."""
    signing: Signing
    clock: Callable[[], datetime]
    regions: Mapping[str, str] = field(default_factory=dict[str, str])
    """By jurisdiction, where its details are kept: a directory, or the address of a database."""

    def known(self) -> tuple[str, int]:
        """UID of the hub whose log it is, and the term that it is in. Raises StoreDown where there is none."""
        from domicile.evidence.postgres import batches, epoch_of

        with closing(batches(self.address)) as found:
            return _hub(found), epoch_of(self.address)

    def __call__(self, hub: str, epoch: int, read: Read, *, read_homes: bool = False) -> Log:
        """Open it, for that term. Raises StoreDown, StaleEpoch or LogDamaged."""
        from domicile.evidence.postgres import Postgres  # A tenth of a second, for who needs it.

        if self.signing.key is None:
            raise StoreDown("processes that share a log sign it with one key: give it with --evidence-key")
        signer = keyfile.signer(self.signing.key)
        before = [keyfile.public(path) for path in self.signing.keys_before]
        storage = Postgres(self.address, epoch)
        return _opened(self, storage, f"{ORIGIN}{hub}", signer, before, read, read_homes=read_homes)


def _opened(
    kept: Directory | Database,
    storage: Storage,
    name: str,
    signer: Signer,
    signed_before: Iterable[PublicKey],
    read: Read,
    *,
    read_homes: bool,
) -> Log:
    homes = _homes(kept.regions)
    return open_log(
        storage, name, signer, kept.clock, signed_before=signed_before, read=read, homes=homes, read_homes=read_homes
    )


def opening(
    where: str, signing: Signing, clock: Callable[[], datetime], regions: Mapping[str, str] | None = None
) -> Directory | Database:
    """How the log is opened that is kept there: the address of a database, or a directory."""
    if is_address(where):
        return Database(where, signing, clock, regions or {})
    return Directory(Path(where), signing, clock, regions or {})


def _hub(segments: Iterable[Segment]) -> str:
    """UID of the hub whose log it is. Raises StoreDown."""
    name = origin(segments)
    if name is None or not name.startswith(ORIGIN):
        raise StoreDown("there is no log with a record from which it could be told whose it is")
    return name.removeprefix(ORIGIN)


def is_address(where: str) -> bool:
    """Whether it is of a database, and no directory."""
    return where.startswith(("postgresql://", "postgres://"))


def _homes(regions: Mapping[str, str]) -> Mapping[str, Home]:
    return {region: _home(where) for region, where in regions.items()}


def _home(where: str) -> Home:
    if not is_address(where):
        return Files(Path(where))
    from domicile.evidence.postgres import Table  # A tenth of a second, for who needs it.

    return Table(where)
