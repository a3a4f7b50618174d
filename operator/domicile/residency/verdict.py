"""What the engine says of one model on one cluster: how each rule fared, and what follows from all of them."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Literal

from domicile.api import Basis
from domicile.residency.facts import Selector
from domicile.residency.identity import MemberId

Effect = Literal["Deny", "RequireRecord", "Advise"]


class Outcome(Enum):
    """How a rule fared."""

    MET = "Met"
    UNMET = "Unmet"
    """What is known is not compliant."""
    UNKNOWN = "Unknown"
    """What would have to be known is not, or the rule could not be evaluated."""


@dataclass(frozen=True, slots=True)
class Result:
    """One rule of one policy on one cluster."""

    policy: str
    """Name of the ResidencyPolicy; empty where no policy speaks."""
    rule: str
    """allow.workers and so on, or the name of one of spec.rules."""
    outcome: Outcome
    effect: Effect
    reason: str = ""
    """One CamelCase word that programs may match; empty where the rule is met."""
    message: str = ""
    """For people: what was found, and what the policy wants."""
    basis: Basis | None = None
    """What the rule rests on, where the policy says it."""
    settled_by: str = ""
    """The ResidencyRecord or ResidencyException, as kind/name, that settles a rule that is not met."""
    ends: datetime | None = None
    """When that ends."""

    @property
    def denies(self) -> bool:
        """Whether this alone makes the cluster unlawful. What is unknown denies, whatever the rule's effect is."""
        if self.outcome is Outcome.MET or self.settled_by:
            return False
        return self.outcome is Outcome.UNKNOWN or self.effect != "Advise"

    @property
    def advises(self) -> bool:
        """Whether it is to be told, and nothing more."""
        return self.outcome is Outcome.UNMET and self.effect == "Advise"

    def settled(self, by: str, ends: datetime) -> "Result":
        """The same, settled by a record or an exception."""
        return replace(self, settled_by=by, ends=ends)


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a cluster does not meet."""

    reason: str
    """One CamelCase word that programs may match."""
    message: str
    """For people: what was found, what the policy wants, and what the rule rests on."""
    policy: str = ""
    """Name of the ResidencyPolicy that has the rule; empty where no policy speaks."""
    rule: str = ""
    """allow.workers and so on, or the name of one of spec.rules."""
    pool: str = ""
    """The pool of nodes that it is about; empty where it is about a whole cluster."""


@dataclass(frozen=True, slots=True)
class Lawful:
    """Every policy that covers the model allows this cluster, until a moment at which what that rests on ends."""

    member: MemberId
    policies: tuple[str, ...]
    attestations: tuple[str, ...]
    """Names of the ClusterAttestations that the facts come from."""
    until: datetime
    """The earliest moment at which something that the verdict rests on ends or another attestation begins."""
    pools: tuple[Selector, ...] = ((),)
    """Node selectors of which each leads to lawful nodes; the empty one is the whole cluster."""
    records: tuple[str, ...] = ()
    """Names of the ResidencyRecords that it rests on."""
    exceptions: tuple[str, ...] = ()
    """Names of the ResidencyExceptions that it rests on."""
    advice: tuple[Finding, ...] = ()
    """Rules that are not met and only advise."""
    audited: tuple[Finding, ...] = ()
    """What policies in Audit mode would forbid."""
    warnings: tuple[str, ...] = ()
    """What ends soon, for people."""
    look_again: datetime | None = None
    """When time alone may change what is said: at `until`, or before."""


@dataclass(frozen=True, slots=True)
class Unlawful:
    """At least one rule is not met, or not known to be met."""

    member: MemberId
    findings: tuple[Finding, ...]
    """Never empty; in the order of policy name and rule."""
    look_again: datetime | None
    """When time alone may change the verdict; None if it cannot."""
    audited: tuple[Finding, ...] = ()
    """What policies in Audit mode would forbid."""


Verdict = Lawful | Unlawful


def finding(result: Result) -> Finding:
    """A result as it is told."""
    return Finding(result.reason, f"{result.message}{_source(result.basis)}", result.policy, result.rule)


def _source(basis: Basis | None) -> str:
    if basis is None:
        return ""
    clause = f", {basis.clause}" if basis.clause else ""
    kind = "house rule: " if basis.type == "OrgPolicy" else f"{basis.type}: "
    said = basis.source.lower().startswith(kind)  # The policy packs call a house rule one themselves.
    doubt = "; confidence is low" if basis.confidence == "Low" else ""
    return f" ({'' if said else kind}{basis.source}{clause}{doubt})"
