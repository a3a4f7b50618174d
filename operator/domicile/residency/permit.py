"""The permit: proof, carried in a type, that the engine found a placement lawful, and of what that was made from."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from domicile.residency.canonical import digest_of
from domicile.residency.identity import MemberId, ModelRef
from domicile.residency.verdict import Lawful


class ForgedPermit(Exception):
    """A permit was made or changed outside the residency engine."""


@dataclass(frozen=True)
class Grounds:
    """Digests of the inputs that a permit binds."""

    model: str
    """Digest of the SovereignModel's spec."""
    policies: tuple[tuple[str, str], ...]
    """Name and digest of the spec of each policy that was asked."""
    attestations: tuple[tuple[str, str], ...]
    """Name and digest of the spec of each attestation that the facts come from."""
    artifacts: tuple[str, ...]
    """The images and model artifacts that may run, each pinned by digest."""
    records: tuple[tuple[str, str], ...] = ()
    """Name and digest of the spec of each ResidencyRecord that it rests on."""
    exceptions: tuple[tuple[str, str], ...] = ()
    """Name and digest of the spec of each ResidencyException that it rests on."""
    definitions: tuple[tuple[str, str], ...] = ()
    """Name and digest of the spec of each JurisdictionGroup and DataClassification there was."""
    network: str = ""
    """Digest of the spec of the NetworkPolicy that lets the model's callers in, and it out to what it may ask."""


@dataclass(frozen=True)
class Permit:
    """Leave to place one model on one member until a moment. Made by `permit()` and nowhere else.

    Python cannot forbid making one by hand; the seal makes it show: a permit that was built or changed elsewhere raises
    ForgedPermit. A lint and the architecture tests keep the name `Permit(` out of other modules.
    """

    model: ModelRef
    member: MemberId
    grounds: Grounds
    until: datetime
    """The earliest end of what it rests on. It is void from that moment."""
    seal: str

    def __post_init__(self) -> None:
        self.verify()

    def verify(self) -> None:
        """Raises ForgedPermit if the permit is not as the engine made it. The gate asks once more before it writes."""
        if self.seal != _seal(self.model, self.member, self.grounds, self.until):
            raise ForgedPermit(f"the permit for {self.model} on {self.member} was not made by the residency engine")

    @property
    def digest(self) -> str:
        """Digest of the permit, by which status, workloads and evidence name it."""
        return f"sha256:{hashlib.sha256(self.seal.encode()).hexdigest()}"


def permit(model: ModelRef, verdict: Lawful, grounds: Grounds) -> Permit:
    """The permit that a lawful verdict gives. An Unlawful one has no way to become a permit: the type forbids it."""
    return Permit(model, verdict.member, grounds, verdict.until, _seal(model, verdict.member, grounds, verdict.until))


def _seal(model: ModelRef, member: MemberId, grounds: Grounds, until: datetime) -> str:
    return digest_of(
        [
            "domicile.dev/permit/v3",
            [model.namespace, model.name, model.uid],
            [member.name, member.uid],
            grounds.model,
            [list(pair) for pair in grounds.policies],
            [list(pair) for pair in grounds.attestations],
            list(grounds.artifacts),
            [list(pair) for pair in grounds.records],
            [list(pair) for pair in grounds.exceptions],
            [list(pair) for pair in grounds.definitions],
            grounds.network,
            until.isoformat(),
        ]
    )
