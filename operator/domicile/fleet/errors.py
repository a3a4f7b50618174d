"""Why the gate refused, as named errors. Nothing was written to the member unless the message says so."""

from datetime import datetime

from domicile.fleet.terms import Term
from domicile.kube import KubeError
from domicile.residency import MemberId, ModelRef


class GateError(Exception):
    """The gate did not let it through."""


class UnknownMember(GateError):
    """No such member is registered."""


class NotLeading(GateError):
    """This process lost the lease while it was acting."""


class MemberOutOfSight(GateError):
    """The member cannot be seen, so nothing is written to it."""

    def __init__(self, member: MemberId, reason: str, message: str) -> None:
        super().__init__(f"{member} is out of sight ({reason}): {message}")
        self.reason = reason


class IdentityMismatch(GateError, KubeError):
    """What answers is another cluster than the one that was joined."""

    def __init__(self, member: MemberId, server: str, found: str) -> None:
        super().__init__(
            f"{server} is not {member}: its kube-system namespace has UID {found}, {member} has {member.uid}. If the cluster"
            " was rebuilt, join it anew; if not, look who answers at this address"
        )
        self.found = found


class PermitExpired(GateError):
    """The permit's time is over."""

    def __init__(self, until: datetime, now: datetime, model: ModelRef, member: MemberId) -> None:
        super().__init__(
            f"the permit for {model} on {member} ended at {until.isoformat()}, it is {now.isoformat()}: a new decision is due"
        )


class PermitMismatch(GateError):
    """What is to be written is not what the permit permits."""


class NotAPermit(GateError):
    """Something else than a Permit of the residency engine was shown."""


class FenceNotInForce(GateError):
    """The member does not show that it refuses what it must refuse: nothing is placed there."""


class ClaimedByAnother(GateError):
    """Another hub looks after the member: nothing is written there."""


class ClaimRefused(GateError):
    """The member's API server refuses to be claimed as this hub would, with an earlier head of its evidence than it keeps: nothing is
    written there."""


class HubBehind(GateError):
    """A member was looked after in a term of this hub that the hub does not know of: nothing is placed on any member."""

    def __init__(self, member: str, seen: Term, current: Term) -> None:
        super().__init__(
            f"{member} was last looked after in epoch {seen.epoch} of this hub, by a process of which the hub, in epoch {current.epoch}, knows"
            " nothing: it was restored from a backup, or its lease was deleted, or this process leads no more. Nothing is placed on any"
            " member. Should this hub go on, with what it knows: set spec.confirmedEpoch of RegionalCluster"
            f" {member} to epoch {seen.epoch}, with the reason"
        )


class NamespaceNotOwned(GateError):
    """The namespace on the member is not Domicile's."""


class BeingDeleted(GateError):
    """The object is on its way out: what is written to it now would be lost with it. It is made anew once it is gone."""


class ForeignObject(GateError):
    """An object of that name is there already, and is not this model's."""
