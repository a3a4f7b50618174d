"""Leader election by a Lease: one process acts, and it stops acting before another one may begin."""

import asyncio
import logging
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domicile import kube
from domicile.controller.microtime import micro_time
from domicile.fleet.terms import Term, Terms, parse

log = logging.getLogger(__name__)

MANAGER = "domicile"
_TERMS = "domicile.dev/terms"
_CONFIRMED = "domicile.dev/confirmed-epoch"
"""Annotations of the lease."""


class LeadershipLost(Exception):
    """The lease could not be renewed in time. The process must end: another one may lead now."""


@dataclass(frozen=True)
class Timing:
    """Seconds. A leader that could not renew for `deadline` stops; nobody else begins before `duration` has passed since
    its last renewal was seen. The gap between the two is the room for clocks that run at different speeds."""

    duration: float = 15.0
    deadline: float = 10.0
    retry: float = 3.0

    def __post_init__(self) -> None:
        if not 0 < self.retry < self.deadline < self.duration:
            raise ValueError(f"of a lease, 0 < retry < deadline < duration must hold, and not {self}")


class Lease:
    """One candidate for a lease."""

    def __init__(
        self, client: kube.Api, namespace: str, name: str, identity: str, clock: Callable[[], float], timing: Timing
    ) -> None:
        self._client, self._namespace, self._name, self._identity = client, namespace, name, identity
        self._clock, self._timing = clock, timing
        self._renewed: float | None = None
        self._terms: Terms | None = None
        self._seen: tuple[str, float] | None = None
        """The last resourceVersion seen, and when. How old another's renewal is, is judged by our own clock."""

    @property
    def held(self) -> bool:
        """Whether this process may act now."""
        return self._renewed is not None and self._clock() - self._renewed < self._timing.deadline

    @property
    def terms(self) -> Terms:
        """Ours, the current one last. There are some once the lease was acquired."""
        assert self._terms is not None, "before the lease was acquired"
        return self._terms

    async def begin_after(self, epoch: int) -> None:
        """Begin a new term, after that epoch, which a person confirmed. Raises kube.KubeError."""
        live = await self._client.get(kube.LEASES, self._name, self._namespace)
        spec = kube.shape.mapping(live.get("spec"))
        if spec.get("holderIdentity") != self._identity:
            raise kube.KubeError(f"lease {self._namespace}/{self._name} is another process's")
        begun = self._own(live).begin_after(epoch, _token())
        await self._swap(live, {"leaseTransitions": begun.current.epoch}, begun)
        self._terms = begun
        log.warning("term %s begins, after epoch %d, which was confirmed", begun.current, epoch)

    async def acquire(self) -> None:
        """Wait until the lease is ours."""
        waiting = False
        while not await self._try():
            if not waiting:
                log.info("another process leads; waiting for lease %s/%s", self._namespace, self._name)
                waiting = True
            await asyncio.sleep(self._timing.retry)
        log.info("leading as %s", self._identity)

    async def keep(self) -> None:
        """Renew until cancelled. Raises LeadershipLost when that failed for too long."""
        while True:
            await asyncio.sleep(self._timing.retry)
            await self._try(begin=False)
            if not self.held:
                raise LeadershipLost(
                    f"lease {self._namespace}/{self._name} was taken by another process, or could not be renewed for"
                    f" {self._timing.deadline:g} s"
                )

    async def release(self) -> None:
        """Let another process lead at once."""
        if not self.held:
            return
        self._renewed = None
        try:
            live = await self._client.get(kube.LEASES, self._name, self._namespace)
            if kube.shape.mapping(live.get("spec")).get("holderIdentity") == self._identity:
                await self._swap(live, {"holderIdentity": ""}, self._own(live))
        except kube.KubeError as error:
            log.info("the lease was not released, and will run out: %s", error)

    async def _try(self, *, begin: bool = True) -> bool:
        """Have the lease, or renew it; `begin` to take it where it is not ours."""
        started = self._clock()
        try:
            won = await self._take(begin=begin)
        except kube.KubeError as error:
            log.warning("lease %s/%s: %s", self._namespace, self._name, error)
            return False
        if won:
            # Counted from before the request: the server may have stored it at any time since.
            self._renewed = started
        return won

    async def _take(self, *, begin: bool) -> bool:
        try:
            live = await self._client.get(kube.LEASES, self._name, self._namespace)
        except kube.NotFound:
            # Somebody deleted it. What we knew we know.
            first = self._terms.begin(_token()) if self._terms else Terms(Term(0, _token()))
            await self._client.create(kube.LEASES, self._manifest(first), self._namespace, field_manager=MANAGER)
            self._terms = first
            return True
        spec = live.get("spec", {})
        holder, version = spec.get("holderIdentity") or "", live["metadata"]["resourceVersion"]
        if holder != self._identity:
            # Whatever our own clock says: it is another's, or nobody's.
            self._renewed = None
            if not begin:  # What this process knows may be of before another one led.
                return False
        # From after the answer: the renewal may be as young as that, however long the answer took.
        now = self._clock()
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, now)
        duration = float(spec.get("leaseDurationSeconds") or self._timing.duration)
        if holder not in ("", self._identity) and now - self._seen[1] < duration:
            return False
        ours = holder == self._identity
        own = self._own(live) if ours else _terms_in(live).begin(_token())
        await self._swap(live, self._spec(own.current.epoch, spec.get("acquireTime") if ours else None), own)
        self._terms = own
        return True

    def _own(self, live: kube.Object) -> Terms:
        """Those of a lease that is ours. An answer may have been lost, and somebody may have written over them."""
        kept, own = _terms_in(live), self._terms
        return kept if own is None or kept.current.epoch > own.current.epoch else own

    async def _swap(self, live: kube.Object, spec: dict[str, Any], own: Terms) -> None:
        """Compare and swap: the resourceVersion in the patch makes the API server refuse it if another was faster."""
        metadata = {"resourceVersion": live["metadata"]["resourceVersion"], "annotations": _annotations(own)}
        change = {"metadata": metadata, "spec": spec}
        await self._client.patch(kube.LEASES, self._name, change, self._namespace, field_manager=MANAGER)

    def _manifest(self, first: Terms) -> dict[str, Any]:
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self._name, "namespace": self._namespace, "annotations": _annotations(first)},
            "spec": self._spec(first.current.epoch, None),
        }

    def _spec(self, transitions: int, acquired: str | None) -> dict[str, Any]:
        now = micro_time(datetime.now(UTC))
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._timing.duration),
            "acquireTime": acquired or now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


def _terms_in(lease: kube.Object) -> Terms:
    """The terms that a lease keeps. One that keeps none, or that somebody wrote over, counts on in its transitions, and knows of no
    term: members that remember one are for a person to confirm."""
    annotations = kube.shape.mapping(kube.shape.metadata(lease).get("annotations"))
    confirmed = kube.shape.text(annotations.get(_CONFIRMED))
    kept = parse(kube.shape.text(annotations.get(_TERMS)), int(confirmed) if confirmed.isdecimal() else -1)
    transitions = kube.shape.number(kube.shape.mapping(lease.get("spec")).get("leaseTransitions"))
    return kept or Terms(Term(transitions, _token()))


def _annotations(own: Terms) -> dict[str, str]:
    confirmed = {_CONFIRMED: str(own.confirmed)} if own.confirmed >= 0 else {}
    return {_TERMS: own.wire(), **confirmed}


def _token() -> str:
    return secrets.token_hex(4)
