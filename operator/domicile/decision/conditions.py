"""metav1.Conditions of a SovereignModel: setting them without touching what did not change, and summing them up in Ready."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from domicile.api import Condition

Status = Literal["True", "False", "Unknown"]

MESSAGE_LIMIT = 32768
"""metav1.Condition takes messages of up to 32768 characters; a member's own words may be longer."""


@dataclass(frozen=True)
class Claim:
    """A condition before it has a time."""

    type: str
    status: Status
    reason: str
    message: str


def settled(
    claims: Iterable[Claim], before: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """The conditions in the order of the claims. The transition time moves only when the status does."""
    known: Mapping[str, Condition] = {condition.type: condition for condition in before}
    return tuple(_condition(claim, known.get(claim.type), generation, now) for claim in claims)


def summary(parts: Iterable[Claim]) -> Claim:
    """Ready: True if all parts are, else the first that is not, False before Unknown."""
    parts = tuple(parts)
    unmet = [p for p in parts if p.status == "False"] or [p for p in parts if p.status == "Unknown"]
    if not unmet:
        last = parts[-1]
        return Claim("Ready", "True", last.reason, last.message)
    return Claim("Ready", unmet[0].status, unmet[0].reason, unmet[0].message)


def _condition(claim: Claim, before: Condition | None, generation: int, now: datetime) -> Condition:
    since = now.replace(microsecond=0)
    if before is not None and before.status == claim.status:
        since = before.last_transition_time
    return Condition(
        type=claim.type,
        status=claim.status,
        observed_generation=generation,
        last_transition_time=since,
        reason=claim.reason,
        message=claim.message[:MESSAGE_LIMIT],
    )
