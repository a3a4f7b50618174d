"""How the log of evidence is opened: where it is kept, and the key that signs it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from domicile.evidence import keyfile
from domicile.evidence.segments import Segments
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import Read

KEY: Final = "key.pem"
"""Name of the key beside the log, where no other is given."""
ORIGIN: Final = "domicile.dev/evidence/"
"""How the name of a log begins; the UID of its hub follows."""


@dataclass(frozen=True)
class Directory:
    """A log on a volume, for one process at a time."""

    path: Path
    clock: Callable[[], datetime]
    key: Path | None = None
    """A file with the private key. None: one beside the log, made where it is missing."""
    keys_before: tuple[Path, ...] = ()
    """Files with the public keys that signed the log before."""

    def __call__(self, hub: str, epoch: int, read: Read) -> Log:
        """Open it. Raises StoreDown or LogDamaged."""
        signer = keyfile.signer(self.key) if self.key else keyfile.signer_made_once(self.path / KEY)
        before = [keyfile.public(path) for path in self.keys_before]
        return open_log(Segments(self.path), f"{ORIGIN}{hub}", signer, self.clock, signed_before=before, read=read)
