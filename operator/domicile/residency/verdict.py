"""What the engine says of one model on one cluster: lawful until a moment, or unlawful for reasons."""

from dataclasses import dataclass
from datetime import datetime

from domicile.residency.identity import MemberId


@dataclass(frozen=True)
class Finding:
    """A rule that a cluster does not meet."""

    reason: str
    """One CamelCase word that programs may match."""
    message: str
    """For people: what was found, and what the policy wants."""
    policy: str = ""
    """Name of the ResidencyPolicy that has the rule; empty where no policy speaks."""


@dataclass(frozen=True)
class Lawful:
    """Every policy that covers the model allows this cluster, until a moment at which what that rests on ends."""

    member: MemberId
    policies: tuple[str, ...]
    attestations: tuple[str, ...]
    """Names of the ClusterAttestations that the facts come from."""
    until: datetime
    """The earliest end of what the verdict rests on."""


@dataclass(frozen=True)
class Unlawful:
    """At least one rule is not met, or not known to be met."""

    member: MemberId
    findings: tuple[Finding, ...]
    """Never empty; in the order of policy name and dimension."""
    look_again: datetime | None
    """When time alone may change the verdict; None if it cannot."""


Verdict = Lawful | Unlawful
