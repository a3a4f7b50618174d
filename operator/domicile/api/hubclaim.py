"""HubClaim: on a member, which hub looks after it, and until when it admits pods without hearing from that hub."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from domicile.api.base import UID, ApiModel, Kind, KindInfo, Name, PrinterColumn, Time, User, cel, cel_rules

CLAIM = "domicile"
"""Name of the one HubClaim of a member."""


Way = Literal["attach", "exec", "portforward", "proxy"]
"""A way in, as the subresource of pods and Services is named."""
WAYS: tuple[str, ...] = get_args(Way)

LATEST_EPOCH = 1_000_000_000
"""So that a person who confirms one by a slip leaves room: a Lease counts its transitions in 32 bits."""

CLAIM_MARK = "domicile.dev/claim"
"""Annotation on what a hub may write in one term alone: the hub, the epoch and the token of the claim, with slashes."""

_HEAD = r"^[!-*,-~]{1,255}\n(0|[1-9][0-9]{0,17})\n[0-9A-Za-z+/]{43}=\n\n(— [^ \n]+ [0-9A-Za-z+/=]+\n)+$"
"""As C2SP's tlog-checkpoint writes it: the log, how many records it has, the root of the tree over them; and signatures. The number fits
into CEL's integers."""
_EVIDENCE, _BEFORE = "self.spec.evidence", "oldSelf.spec.evidence"
_HAD, _HAS = f"has({_BEFORE})", f"has({_EVIDENCE})"


def _size(head: str) -> str:
    return rf"int({head}.split('\n', 3)[1])"


def _signed(head: str) -> str:
    """All but the signatures. By substring, of which CEL knows that it is no longer than the whole, and so what comparing costs."""
    return rf"{head}.substring(0, {head}.indexOf('\n\n'))"


class Connection(ApiModel):
    """An exception: who may connect to what runs in managed namespaces. It ends when the hub takes it away."""

    user: User
    """As the member's API server names it."""
    namespaces: Annotated[
        tuple[Name, ...], Field(min_length=1, max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ]
    """Where."""
    ways: Annotated[
        tuple[Way, ...], Field(min_length=1, max_length=4, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ]
    """How."""


class HubClaimSpec(ApiModel):
    """Whose the member is, and how long that counts."""

    hub: Annotated[
        UID,
        Field(
            json_schema_extra=cel_rules(
                cel(
                    "self == oldSelf",
                    "a member that one hub looks after is not taken over by another one: delete the claim",
                )
            )
        ),
    ]
    """UID of the hub's kube-system namespace. It cannot be changed: another hub can claim the member once this claim is deleted."""
    epoch: Annotated[int, Field(ge=0, le=LATEST_EPOCH)]
    """Of the hub's term in which it was last claimed: counts up with each process that leads."""
    token: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9]+$")]
    """Drawn at random for the term. Tells it from a term of the same epoch, which a hub that was restored from a backup may count to."""
    not_after: Time
    """From then on no pod is admitted in managed namespaces. The hub moves it on while it is there."""
    connections: Annotated[
        tuple[Connection, ...], Field(max_length=64, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    ] = ()
    """Who may connect to what runs there. Nobody else may."""
    evidence: Annotated[str, Field(min_length=1, max_length=4096, pattern=_HEAD)] | None = None
    """Head of the hub's evidence: a signed checkpoint (C2SP tlog-checkpoint). It never goes back, and tells from then on that a log which
    the hub shows was cut, or written anew."""


class HubClaim(Kind):
    """Which hub looks after a member. Written on members, by Domicile alone."""

    info: ClassVar[KindInfo] = KindInfo(
        kind="HubClaim",
        plural="hubclaims",
        singular="hubclaim",
        scope="Cluster",
        short_names=("hc",),
        columns=(
            PrinterColumn("Hub", "string", ".spec.hub", "UID of the hub's kube-system namespace"),
            PrinterColumn("Epoch", "integer", ".spec.epoch", "Of the hub's term"),
            PrinterColumn("Not after", "string", ".spec.notAfter", "Until when pods are admitted without the hub"),
            PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Since when the object exists"),
        ),
        validations=(
            {"rule": f"self.metadata.name == '{CLAIM}'", "message": f"there is one a cluster: {CLAIM}"},
            {
                "rule": "!has(oldSelf.spec.epoch) || self.spec.epoch > oldSelf.spec.epoch"
                " || (self.spec.epoch == oldSelf.spec.epoch && self.spec.token == oldSelf.spec.token)",
                "message": "a claim goes from a term to a later one, and never back",
            },
            {
                "rule": rf"!{_HAS} || {_EVIDENCE}.startsWith('domicile.dev/evidence/' + self.spec.hub + '\n')",
                "message": "spec.evidence is the head of the evidence of the hub that claims the member, and of no other log",
            },
            {
                "rule": f"!{_HAD} || {_HAS}",
                "message": "the head of the evidence is not taken away: delete the claim, if it has to go",
            },
            {
                "rule": f"!({_HAD} && {_HAS}) || {_size(_EVIDENCE)} > {_size(_BEFORE)} || {_signed(_EVIDENCE)} == {_signed(_BEFORE)}",
                "message": "the head of the evidence goes from one to a longer one, and never back: the hub's log was cut, or written"
                " anew. If it goes on with that log for a good reason, delete the claim",
            },
        ),
    )

    kind: Literal["HubClaim"] = "HubClaim"
    spec: HubClaimSpec
    """Whose the member is, and how long that counts."""
