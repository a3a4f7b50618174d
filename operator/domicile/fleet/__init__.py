"""The fleet: connections to members, their watches, and the one gate through which anything is written there."""

from domicile.fleet.errors import (
    BeingDeleted,
    FenceNotInForce,
    ForeignObject,
    GateError,
    IdentityMismatch,
    MemberOutOfSight,
    NamespaceNotOwned,
    NotAPermit,
    NotLeading,
    PermitExpired,
    PermitMismatch,
    UnknownMember,
)
from domicile.fleet.fleet import Connect, Fleet
from domicile.fleet.gate import Applied
from domicile.fleet.withdrawal import Withdrawing, Withdrawn

__all__ = [
    "Applied",
    "BeingDeleted",
    "Connect",
    "FenceNotInForce",
    "Fleet",
    "ForeignObject",
    "GateError",
    "IdentityMismatch",
    "MemberOutOfSight",
    "NamespaceNotOwned",
    "NotAPermit",
    "NotLeading",
    "PermitExpired",
    "PermitMismatch",
    "UnknownMember",
    "Withdrawing",
    "Withdrawn",
]
