"""How the log of evidence is opened: where it is kept, and the key that signs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from domicile.evidence import keyfile
from domicile.evidence.homes import Files
from domicile.evidence.segments import Segments
from domicile.evidence.storage import Home, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import Read

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

    def __call__(self, hub: str, epoch: int, read: Read) -> Log:
        """Open it. Raises StoreDown or LogDamaged."""
        storage = Segments(self.path)  # First: of two processes on a volume one alone may make the key.
        try:
            key = self.signing.key
            signer = keyfile.signer(key) if key else keyfile.signer_made_once(self.path / KEY)
            before = [keyfile.public(path) for path in self.signing.keys_before]
        except StoreDown:
            storage.close()
            raise
        homes = _homes(self.regions)
        return open_log(storage, f"{ORIGIN}{hub}", signer, self.clock, signed_before=before, read=read, homes=homes)


@dataclass(frozen=True)
class Database:
    """A log in PostgreSQL, of which the process that leads appends."""

    address: str
    """As libpq has it. What it leaves out comes from PGPASSWORD and the like."""
    signing: Signing
    clock: Callable[[], datetime]
    regions: Mapping[str, str] = field(default_factory=dict[str, str])
    """By jurisdiction, where its details are kept: a directory, or the address of a database."""

    def __call__(self, hub: str, epoch: int, read: Read) -> Log:
        """Open it, for that term. Raises StoreDown, StaleEpoch or LogDamaged."""
        from domicile.evidence.postgres import Postgres  # A tenth of a second, for who needs it.

        if self.signing.key is None:
            raise StoreDown("processes that share a log sign it with one key: give it with --evidence-key")
        signer = keyfile.signer(self.signing.key)
        before = [keyfile.public(path) for path in self.signing.keys_before]
        storage, homes = Postgres(self.address, epoch), _homes(self.regions)
        return open_log(storage, f"{ORIGIN}{hub}", signer, self.clock, signed_before=before, read=read, homes=homes)


def opening(
    where: str, signing: Signing, clock: Callable[[], datetime], regions: Mapping[str, str] | None = None
) -> Directory | Database:
    """How the log is opened that is kept there: the address of a database, or a directory."""
    if is_address(where):
        return Database(where, signing, clock, regions or {})
    return Directory(Path(where), signing, clock, regions or {})


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
