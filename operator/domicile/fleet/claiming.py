"""The claim of a hub to a member: made where there is none, moved on in time, and never taken from another hub, or from a later term of
this one that it does not know of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from domicile import fence
from domicile.api import CLAIM, HubClaim
from domicile.fleet.arrangement import Arrangement
from domicile.fleet.errors import ClaimedByAnother, ClaimRefused, HubBehind
from domicile.fleet.kinds import CLAIMS, FIELD_MANAGER
from domicile.fleet.lookup import find
from domicile.fleet.terms import Term, Terms
from domicile.kube import Api, Clock, Invalid, Object, only_as, rfc3339, shape

LEASE: Final = timedelta(hours=24)
"""For how long a member admits pods without hearing from its hub."""
_MOVED_ON_AT: Final = LEASE / 2
_EARLY: Final = timedelta(minutes=5)
"""By how much the end may be later than we would set it: clocks of two processes differ."""
_HEAD_EVERY: Final = timedelta(minutes=5)
"""How soon after a claim was written it is written for a new head of the evidence alone. Each placement makes one, and would cost each
member a write; what this leaves is the time in which a log can be cut with no member telling. A settled fleet records nothing."""


class Office(Protocol):
    """The process that leads."""

    @property
    def hub(self) -> str:
        """UID of the hub's kube-system namespace."""
        ...

    @property
    def terms(self) -> Terms:
        """The hub's terms, the current one last."""
        ...

    async def begin_after(self, epoch: int) -> None:
        """Begin a new term, after that epoch, which a person confirmed. Raises kube.KubeError."""
        ...

    def evidence_head(self) -> str:
        """The last checkpoint of the evidence, as a signed note that HubClaim.spec.evidence accepts. "" if there is none: what a member
        keeps stays then. A member refuses to be claimed with an earlier one than it keeps."""
        ...

    def evidence_kept(self, member: str, note: str) -> None:
        """The member's claim, which is this hub's, bears that note, or "" for none or where there is no claim. Called when it is first
        looked at, and when it bears another one than last time; not while that member makes the hub HubBehind. A GateError that it
        raises keeps the hub from writing to this member, and it is called again at the next look."""
        ...


@dataclass
class Standing:
    """Where the hub stands, by what its members remember of it."""

    office: Office
    on_term: Callable[[], None] = lambda: None
    """Called when a new term was begun: every member is to be claimed in it."""
    confirmed: dict[str, int] = field(default_factory=dict[str, int])
    """The epoch up to which a person confirmed terms that the hub does not know, by the member in whose RegionalCluster it was said.
    It is said of the hub, and counts for every member."""
    _unknown: dict[str, Term] = field(default_factory=dict[str, Term])
    """Terms that it does not know, by the member that remembers it."""

    async def remembers(self, member: str, term: Term | None) -> None:
        """The member remembers that term of the hub, or none. Raise HubBehind if the hub does not know it, and nobody confirmed."""
        self._unknown.pop(member, None)
        if term is not None and not self.office.terms.know(term):
            self._unknown[member] = term
        confirmed = max(self.confirmed.values(), default=-1)
        if any(each.epoch <= confirmed for each in self._still_unknown().values()):
            await self.office.begin_after(confirmed)
            self.on_term()
        self.confirm(member)

    def forget(self, member: str) -> None:
        """The member is not of the fleet any more."""
        self._unknown.pop(member, None)
        self.confirmed.pop(member, None)

    def confirm(self, *members: str) -> None:
        """Raise HubBehind if the hub does not know of all that was done in its name, on these members or, if none is named, on any."""
        for member, term in self._still_unknown().items():
            if not members or member in members:
                raise HubBehind(member, term, self.office.terms.current)

    def _still_unknown(self) -> Mapping[str, Term]:
        return {member: term for member, term in self._unknown.items() if not self.office.terms.know(term)}


@dataclass
class Claimant:
    """The hub, before one member."""

    standing: Standing
    member: str
    """Its name."""
    clock: Clock
    arrangement: Arrangement = field(default_factory=Arrangement)
    """What people arranged for the member."""
    _kept: str | None = None
    """The head of the evidence that it kept when last looked at; None where the office is still to be told."""
    _head_every: timedelta = _HEAD_EVERY

    @property
    def mark(self) -> str:
        """What is written in this term alone bears it, so that the member's API server can tell."""
        office = self.standing.office
        return f"{office.hub}/{office.terms.current}"

    async def claim(self, api: Api) -> bool:
        """Have the claim, in this term and with time left in it. Whether it had to be written. Raises ClaimedByAnother, HubBehind,
        ClaimRefused, or Conflict where somebody else writes it at this moment."""
        live = await self.look(api)
        self.standing.confirm()  # What any member remembers holds the writes to all.
        if live is not None and self._as_it_must_be(shape.mapping(live.get("spec"))):
            return False
        wanted = self._as_of_now()
        try:
            if live is None:
                written = await api.create(CLAIMS, self._claim(wanted), field_manager=FIELD_MANAGER)
            else:
                written = await api.json_patch(CLAIMS, CLAIM, _changes(live, wanted), field_manager=FIELD_MANAGER)
        except Invalid as error:
            raise ClaimRefused(f"it refuses the claim of this hub: {error}") from error
        # An API server that does not know the field yet drops it. It is asked again ever later, and not in a loop.
        dropped = "evidence" in wanted and not _head(shape.mapping(written.get("spec")))
        self._head_every = min(2 * self._head_every, LEASE) if dropped else _HEAD_EVERY
        return True

    async def look(self, api: Api) -> Object | None:
        """The claim, None if there is none. Raises ClaimedByAnother, or HubBehind."""
        live = await find(api, CLAIMS, CLAIM)
        if live is None:
            await self.standing.remembers(self.member, None)
            self._keeps("")
            return None
        spec = shape.mapping(live.get("spec"))
        office = self.standing.office
        if spec.get("hub") != office.hub:
            raise ClaimedByAnother(
                f"the hub with UID {spec.get('hub')} looks after it, until {spec.get('notAfter')} at least; this one is {office.hub}. If that"
                f" hub is gone for good: kubectl delete {CLAIMS} {CLAIM}, on the member"
            )
        await self.standing.remembers(self.member, _term(spec))
        self._keeps(_head(spec))
        return live

    def _as_it_must_be(self, spec: Mapping[str, Any]) -> bool:
        """Whether it need not be written."""
        left = datetime.fromisoformat(shape.text(spec.get("notAfter"))) - self.clock()
        if _term(spec) != self.standing.office.terms.current or self._connections() != spec.get("connections", []):
            return False
        head = self.standing.office.evidence_head() or _head(spec)
        # When it was written last, its end tells.
        return _MOVED_ON_AT < left < LEASE + _EARLY and (head == _head(spec) or LEASE - left < self._head_every)

    def _keeps(self, head: str) -> None:
        if head != self._kept:
            self._kept = None  # Where it raises, it is told again.
            self.standing.office.evidence_kept(self.member, head)
            self._kept = head

    def _claim(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": CLAIMS.api_version,
            "kind": HubClaim.info.kind,
            "metadata": {"name": CLAIM, "labels": dict((fence.MANAGED_BY,))},
            "spec": {"hub": self.standing.office.hub, **wanted},
        }

    def _as_of_now(self) -> Mapping[str, Any]:
        term = self.standing.office.terms.current
        until = rfc3339(self.clock() + LEASE)
        head = self.standing.office.evidence_head()
        return {
            "epoch": term.epoch,
            "token": term.token,
            "notAfter": until,
            "connections": self._connections(),
            **({"evidence": head} if head else {}),
        }

    def _connections(self) -> list[dict[str, Any]]:
        """Those that are granted now."""
        granted = (each for each in self.arrangement.connections if self.clock() < each.not_after)
        return [each.model_dump(mode="json", include={"user", "namespaces", "ways"}) for each in granted]


def _changes(live: Object, wanted: Mapping[str, Any]) -> list[Object]:
    changes = [{"op": "add", "path": f"/spec/{key}", "value": value} for key, value in wanted.items()]
    return [only_as(live["metadata"]["resourceVersion"]), *changes]


def _head(spec: Mapping[str, Any]) -> str:
    return shape.text(spec.get("evidence"))


def _term(spec: Mapping[str, Any]) -> Term | None:
    """None of a claim from before there were terms."""
    if "epoch" not in spec:
        return None
    return Term(shape.number(spec.get("epoch")), shape.text(spec.get("token")))
