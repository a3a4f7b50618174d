"""The fleet: connections to members, their watches, and the one gate through which anything is written there."""

from domicile.fleet.arrangement import Arrangement, arranged
from domicile.fleet.claiming import Office
from domicile.fleet.errors import (
    BeingDeleted,
    ClaimRefused,
    FenceNotInForce,
    ForeignObject,
    GateError,
    HubBehind,
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
from domicile.fleet.terms import Term, Terms
from domicile.fleet.withdrawal import Withdrawing, Withdrawn

__all__ = [
    "Applied",
    "Arrangement",
    "BeingDeleted",
    "ClaimRefused",
    "Connect",
    "FenceNotInForce",
    "Fleet",
    "ForeignObject",
    "GateError",
    "HubBehind",
    "IdentityMismatch",
    "MemberOutOfSight",
    "NamespaceNotOwned",
    "NotAPermit",
    "NotLeading",
    "Office",
    "PermitExpired",
    "PermitMismatch",
    "Term",
    "Terms",
    "UnknownMember",
    "Withdrawing",
    "Withdrawn",
    "arranged",
]
