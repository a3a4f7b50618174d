"""The status of a ResidencyPolicy: whether it could be read, and whether models are placed under it."""

from datetime import datetime

from domicile.api import ResidencyPolicy, ResidencyPolicyStatus
from domicile.decision.conditions import Claim, settled


def policy_status(
    policy: ResidencyPolicy, faults: tuple[str, ...], *, in_use: bool, now: datetime
) -> ResidencyPolicyStatus:
    """What to report of a policy. `faults` are what is wrong with it, for its author."""
    before = policy.status.conditions if policy.status else ()
    generation = policy.metadata.generation
    return ResidencyPolicyStatus(
        observed_generation=generation,
        conditions=settled((_accepted(faults), _in_use(in_use)), before, generation, now),
    )


def _accepted(faults: tuple[str, ...]) -> Claim:
    if faults:
        message = f"{'; '.join(faults)}. What cannot be read denies"
        return Claim("Accepted", "False", "Invalid", message)
    return Claim("Accepted", "True", "Valid", "its expressions are valid, and its groups are there")


def _in_use(in_use: bool) -> Claim:
    if in_use:
        message = "models are placed under it: weakening or deleting it needs a confirmation"
        return Claim("InUse", "True", "ModelsPlaced", message)
    return Claim("InUse", "False", "NoModels", "no model is placed under it")
