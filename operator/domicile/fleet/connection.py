"""The connection to one member: come into sight, stay in sight, and say since when and why it is not."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from random import Random
from typing import Final

from domicile import kube
from domicile.fleet import discovery
from domicile.fleet.errors import IdentityMismatch
from domicile.fleet.guard import Guard
from domicile.fleet.kinds import GRANTS, SERVING_KINDS
from domicile.fleet.watches import Watches
from domicile.kube import Api, Backoff, Clock, KubeError
from domicile.placement.view import Connected, OutOfSight, ServingAvailable, ServingMissing
from domicile.residency import MemberId

_log = logging.getLogger(__name__)

Open = Callable[[], Api]
"""Makes a client of the member. Raises KubeconfigInvalid or CertificateExpired."""

_PROBE_SECONDS: Final = 8.0
"""With discovery.PATIENCE, a member that hangs is out of sight after at most 14 s."""
_TOLERATED_SECONDS: Final = 10.0
"""A watch may fail that long while the server answers otherwise: servers shed load, proxies close connections."""
_LOOK_FOR_SERVING_SECONDS: Final = 15.0
_LOOK_AT_SERVING_SECONDS: Final = 300.0

_COMING_AND_GOING: Final = (*SERVING_KINDS, GRANTS)
"""Kinds that a member may not serve."""

_AT_ONCE = (
    IdentityMismatch,
    kube.Unauthorized,
    kube.CertificateInvalid,
    kube.KubeconfigInvalid,
    kube.Unreachable,
)
"""What is not waited out: the member cannot be spoken to, or must not be."""


class _Trouble:
    """What may last a while before it counts."""

    def __init__(self) -> None:
        self._since: float | None = None

    def bear(self, error: KubeError) -> None:
        """Raise `error` if there has been trouble for too long."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        if now - self._since > _TOLERATED_SECONDS:
            raise error

    def over(self) -> None:
        """It is well again."""
        self._since = None


class Connection:
    """Keeps a member in sight. `sight` and `serving` say how it stands; `on_change` is called when either changes."""

    def __init__(
        self,
        member: MemberId,
        open_api: Open,
        watches: Watches,
        guard: Guard,
        clock: Clock,
        random: Random,
        on_change: Callable[[], None],
    ) -> None:
        self.member = member
        self.sight: Connected | OutOfSight = OutOfSight("Connecting", "it has not answered yet", clock())
        self.serving: ServingAvailable | ServingMissing = ServingMissing("not looked for yet")
        self.api: Api | None = None
        """The client, while there is one."""
        self._open, self._watches, self._clock, self._random, self._on_change = (
            open_api,
            watches,
            clock,
            random,
            on_change,
        )
        self._guard = guard
        self._granting = False
        """Whether what the fence holds pods against is served, and watched."""
        self._guarding: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._reopen = asyncio.Event()
        self._confirming = asyncio.Lock()
        self._confirmed_at = float("-inf")
        self._watch_trouble, self._probe_trouble = _Trouble(), _Trouble()
        self._distrusted = False

    def reopen(self, open_api: Open) -> None:
        """Use other credentials from now on."""
        self._open = open_api
        self._reopen.set()
        self._wake.set()

    def look(self) -> None:
        """Something about the watches changed: look at them now."""
        self._wake.set()

    def distrust(self) -> None:
        """Somebody found another cluster at the address: look at who it is now."""
        self._distrusted = True
        self._wake.set()

    async def confirm(self) -> None:
        """Raise IdentityMismatch unless the member is who it must be. All watches that ask at a time share one look; a look
        that began before they asked does not count, for what cut their connections may be the change of clusters."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        async with self._confirming:
            if self._confirmed_at < asked and self.api is not None:
                await asyncio.sleep(0)  # Watches that start together have all asked by then.
                begun = loop.time()
                # The server's cache will do: what is asked is who answers, and that never changes.
                await discovery.confirm_identity(self.api, self.member, any_version=True)
                self._confirmed_at = begun

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        backoff = Backoff(self._random, first=1.0, longest=30.0)
        try:
            while True:
                self._reopen.clear()
                try:
                    await self._come_into_sight()
                    backoff.reset()
                    await self._stay_in_sight()
                except KubeError as error:
                    self._lose(error)
                except Exception as error:
                    # A bug here must not leave the member's last state standing as if it were true.
                    _log.exception("connection to %s failed", self.member)
                    self._lose(kube.MalformedAnswer(f"{type(error).__name__}: {error}"))
                await self._disconnect()
                if not self._reopen.is_set():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._reopen.wait(), backoff.next())
        finally:
            await self._disconnect()

    async def _come_into_sight(self) -> None:
        self.api = self._open()
        await self.confirm()
        version = await discovery.kubernetes_version(self.api)
        serving = await discovery.serving(self.api)
        self._granting = await self._guard.prepare(self.api)
        self._watch_trouble.over()
        self._probe_trouble.over()
        missing = () if isinstance(serving, ServingAvailable) else SERVING_KINDS
        self._watches.start(self.api, missing if self._granting else (*missing, GRANTS))
        while not self._watches.synced:
            self._wake.clear()
            for failure in self._watches.failures.values():
                raise failure
            await self._wake.wait()
            if self._reopen.is_set():
                return
        # Before anything is decided on it: whether the member defends itself.
        await self._guard.begin(self.api, self._open)
        self._guarding = asyncio.create_task(
            self._guard.keep(self.api, self._open), name=f"guard the fence of {self.member}"
        )
        self._set(Connected(version), serving)

    async def _stay_in_sight(self) -> None:
        loop = asyncio.get_running_loop()
        probe_at = loop.time() + self._until_probe()
        serving_at = loop.time() + self._until_serving()
        while not self._reopen.is_set():
            self._wake.clear()
            if self._guarding is not None and self._guarding.done():
                self._guarding.result()  # It ends by a bug alone.
            ailing = self._ailing()
            if ailing is not None or self._distrusted:
                self._distrusted = False
                # Is it that watch alone, or the whole server? Asked now, not when the next probe is due.
                probe_at = loop.time()
            if loop.time() >= probe_at:
                await self._probe()
                probe_at = loop.time() + self._until_probe()
            if loop.time() >= serving_at or (ailing in _COMING_AND_GOING):
                if await self._kinds_changed():
                    return
                serving_at = loop.time() + self._until_serving()
            wait = min(probe_at, serving_at, loop.time() + (1.0 if ailing else _PROBE_SECONDS)) - loop.time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.05, wait))

    def _ailing(self) -> kube.Resource | None:
        """A kind whose watch fails, if one does; raises the failure if it is grave, or has lasted."""
        failures = self._watches.failures
        if not failures:
            self._watch_trouble.over()
            return None
        for failure in failures.values():
            # An unreachable watch may be that connection alone: the probe tells.
            if isinstance(failure, _AT_ONCE) and not isinstance(failure, kube.Unreachable):
                raise failure
        kind, failure = next(iter(failures.items()))
        self._watch_trouble.bear(failure)
        return kind

    async def _probe(self) -> None:
        assert self.api is not None
        try:
            await self.confirm()
            version = await discovery.kubernetes_version(self.api)
        except _AT_ONCE:
            raise
        except KubeError as error:
            self._probe_trouble.bear(error)  # It answers, and not well.
            _log.info("%s is not well: %s", self.member, error)
        else:
            self._probe_trouble.over()
            self._set(Connected(version), self.serving)

    async def _kinds_changed(self) -> bool:
        """Look for KServe, and for what the fence is made of; whether either came or went, so that the watches have to begin anew."""
        assert self.api is not None
        try:
            found = await discovery.serving(self.api)
            granting = await discovery.granting(self.api)
        except _AT_ONCE:
            raise
        except KubeError as error:
            _log.info("KServe at %s: %s", self.member, error)
            return False
        changed = isinstance(found, ServingAvailable) is not isinstance(self.serving, ServingAvailable)
        if isinstance(found, ServingMissing) or not changed:
            self._set(self.sight, found)
        return changed or granting is not self._granting

    async def _disconnect(self) -> None:
        guarding, self._guarding = self._guarding, None
        if guarding is not None:
            guarding.cancel()
        await self._watches.stop()
        if guarding is not None:
            await asyncio.gather(guarding, return_exceptions=True)
        api, self.api = self.api, None
        if api is not None:
            await api.close()

    def _lose(self, error: KubeError) -> None:
        reason, message = reason_of(error), str(error)
        before = self.sight
        since = before.since if isinstance(before, OutOfSight) else self._clock()
        if isinstance(before, OutOfSight) and before.reason == reason == "Unreachable":
            # "Refused" and "timed out" may alternate for hours: the first message of a row stands.
            message = before.message
        if not isinstance(before, OutOfSight) or before.reason != reason:
            _log.warning("%s is out of sight (%s): %s", self.member, reason, error)
        self._set(OutOfSight(reason, message, since), self.serving)

    def _set(self, sight: Connected | OutOfSight, serving: ServingAvailable | ServingMissing) -> None:
        if (sight, serving) == (self.sight, self.serving):
            return
        if isinstance(sight, Connected) and isinstance(self.sight, OutOfSight):
            _log.info("%s is in sight: Kubernetes %s", self.member, sight.kubernetes_version)
        self.sight, self.serving = sight, serving
        self._on_change()

    def _until_probe(self) -> float:
        return _PROBE_SECONDS * (0.9 + 0.1 * self._random.random())

    def _until_serving(self) -> float:
        here = isinstance(self.serving, ServingAvailable) and self._granting
        return (_LOOK_AT_SERVING_SECONDS if here else _LOOK_FOR_SERVING_SECONDS) * (0.8 + 0.4 * self._random.random())


def reason_of(error: KubeError) -> str:
    """The reason in one word, as OutOfSight gives it."""
    match error:
        case IdentityMismatch():
            return "IdentityMismatch"
        case kube.KubeconfigInvalid():
            return "KubeconfigInvalid"
        case kube.CertificateExpired():
            return "CertificateExpired"
        case kube.CertificateInvalid():
            return "CertificateInvalid"
        case kube.Unauthorized():
            return "CredentialsRejected"
        case kube.Forbidden():
            return "Forbidden"
        case kube.AnswerTooLarge():
            return "AnswerTooLarge"
        case _:
            return "Unreachable"
