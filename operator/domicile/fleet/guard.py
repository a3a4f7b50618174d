"""The guard of one member's fence: puts it there, keeps it as it must be, and says whether it is shown to be in force."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from random import Random
from typing import Final

from domicile import fence
from domicile.fence import PROBED_NAMESPACE, Fence, Policy, is_managed
from domicile.fleet import discovery, proofs
from domicile.fleet.arrangement import Arrangement
from domicile.fleet.claiming import Claimant
from domicile.fleet.errors import FenceNotInForce, GateError, NamespaceNotOwned
from domicile.fleet.granting import Granting
from domicile.fleet.isolating import Isolation, Seen, as_it_must_be
from domicile.fleet.kinds import FENCE, FIELD_MANAGER, INFERENCE_SERVICES
from domicile.fleet.lookup import find, listed
from domicile.fleet.sight import name_of
from domicile.fleet.sweep import strangers
from domicile.kube import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    REPLICA_SETS,
    Api,
    Backoff,
    Conflict,
    Forbidden,
    KubeError,
    Object,
    shape,
)
from domicile.placement.view import FenceDown, FenceInForce
from domicile.residency import MemberId

_log = logging.getLogger(__name__)

SHOWN_EVERY: Final = 60.0
"""Seconds, about, after which it is shown anew: an API server may have been started without its policies."""
_BETWEEN_LOOKS: Final = 0.2
_LOOKS_UNTIL_SERVED: Final = 25
"""A kind that was made is served within a second. If it is not, it is looked for again with KServe's."""
_SHOWN: Final = 3
"""Of what is in the way, how much a message names."""


class Guard:
    """`state` says how the fence is; `on_change` is called when it changes. What is read is the member's caches."""

    def __init__(
        self,
        member: MemberId,
        guarded: Fence,
        claimant: Claimant,
        seen: Seen,
        random: Random,
        may_act: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._member, self.fence, self._claimant = member, guarded, claimant
        self.state: FenceInForce | FenceDown = FenceDown("NotLookedFor", "not looked for yet")
        self._manifests = guarded.manifests()
        self._seen, self._random, self._may_act, self._on_change = seen, random, may_act, on_change
        self._isolation = Isolation(member, seen, lambda: self._claimant.mark)
        self._wake = asyncio.Event()
        self._must_look = False
        self._just_written = False
        """Whether API servers may not act yet on all that was written."""
        self._swept: set[str] = set()
        """UIDs of namespaces that were looked through since it was last down."""
        self._fell = 0
        """How often it went down."""

    @property
    def mark(self) -> str:
        """What is written in this term of the hub alone bears it."""
        return self._claimant.mark

    def arrange(self, arrangement: Arrangement) -> None:
        """What people arranged for the member, the lawful writers apart, which its fence was made for."""
        if arrangement != self._claimant.arrangement:
            self._claimant.arrangement = arrangement
            self._claimant.standing.confirmed[self._member.name] = arrangement.confirmed
            self.look_soon()

    def look_soon(self) -> None:
        """Look, also where nothing is seen to be broken."""
        self._must_look = True
        self._wake.set()

    def touched(self) -> None:
        """Something of it was seen to change. If it is not as it must be, that is said at once, and mended."""
        broken = self._broken()
        if broken and isinstance(self.state, FenceInForce):
            self._set(FenceDown("FenceTampered", f"{', '.join(broken)} changed or went, and is put back"))
        self._wake.set()

    async def prepare(self, api: Api) -> bool:
        """Put the kind of grants there before all else, so that it can be watched. Whether it is served."""
        try:
            made = await self._have_kinds(api)
        except (Forbidden, GateError):  # What keeps it from being put there is told with the rest of the fence.
            made = False
        for _ in range(_LOOKS_UNTIL_SERVED if made else 0):
            if await discovery.granting(api):
                return True
            await asyncio.sleep(_BETWEEN_LOOKS)
        return await discovery.granting(api)

    async def begin(self, api: Api, fresh: Callable[[], Api]) -> None:
        """Look for the first time, or for the first time since the member was out of sight: what came meanwhile is not known."""
        self._swept.clear()
        await self._look(api, fresh)

    async def keep(self, api: Api, fresh: Callable[[], Api]) -> None:
        """Look whenever something of it changes, while it is down, and now and then, until cancelled."""
        backoff, loop = Backoff(self._random, first=1.0, longest=30.0), asyncio.get_running_loop()
        while True:
            in_force = isinstance(self.state, FenceInForce)
            if in_force:
                backoff.reset()
            # However often it is touched meanwhile.
            due = loop.time() + (SHOWN_EVERY * (0.8 + 0.4 * self._random.random()) if in_force else backoff.next())
            while await self._touched_before(due) and not self._to_do():
                self._wake.clear()
            await self._look(api, fresh)
            # Whoever keeps changing it is answered, and not in a storm.
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def _touched_before(self, due: float) -> bool:
        """Wait until then at most. Whether something was touched."""
        try:
            await asyncio.wait_for(self._wake.wait(), due - asyncio.get_running_loop().time())
        except TimeoutError:
            return False
        return True

    def _to_do(self) -> bool:
        down = isinstance(self.state, FenceDown)
        return down or self._must_look or bool(self._broken()) or bool(self._isolation.open)

    async def _look(self, api: Api, fresh: Callable[[], Api]) -> None:
        """Put right what is not as it must be, and show that it is in force. `fresh` opens further connections."""
        self._wake.clear()
        self._must_look = False
        try:
            await self._mend(api)
            if self._just_written:
                await proofs.shown_steadily(self.fence, fresh, PROBED_NAMESPACE, self._disturbed)
                self._just_written = False
            else:
                await proofs.shown(self.fence, api, self.fence.policies, PROBED_NAMESPACE)
            if self._broken():
                raise FenceNotInForce("it was touched while it was being shown")
        except (GateError, KubeError) as error:
            if isinstance(self.state, FenceInForce) and not isinstance(error, (GateError, Forbidden)):
                # No answer is none about the fence. Whether the member answers is for its connection to say.
                _log.info("the fence of %s could not be shown: %s", self._member, error)
                return
            self._set(_down(error))
        else:
            self._set(FenceInForce(self.fence.digest))

    def confirm(self) -> None:
        """Raise FenceNotInForce unless it is in force as far as is known."""
        if isinstance(self.state, FenceDown):
            raise FenceNotInForce(f"the fence is not in force ({self.state.reason}): {self.state.message}")

    async def holds_in(self, api: Api, namespace: Object, model: str = "") -> None:
        """Raise a GateError unless the fence is in force in the namespace, and nothing is there that is not Domicile's: what
        was there before the fence was not asked by it. The NetworkPolicy of the model that is about to be put right may be anything."""
        self.confirm()
        before = self._fell
        metadata = shape.metadata(namespace)
        name, uid = shape.text(metadata.get("name")), shape.text(metadata.get("uid"))
        await self._isolation.close(api, name, self._leading)
        await proofs.shown_soon(self.fence, api, self._bound_to_namespaces(), name)
        clean = uid in self._swept or await _sweep(api, name, model)
        if self._fell != before:
            raise FenceNotInForce("the fence fell while it was being shown")
        if clean:
            self._swept.add(uid)

    def _bound_to_namespaces(self) -> tuple[Policy, ...]:
        return tuple(policy for policy in self.fence.policies if policy.in_managed_namespaces)

    def _broken(self) -> tuple[str, ...]:
        """What of it is not as it must be, as last seen."""
        found = [
            f"{manifest['kind']} {manifest['metadata']['name']}"
            for manifest in self._manifests
            if not as_it_must_be(manifest, self._seen.get(FENCE[manifest["kind"]], manifest["metadata"]["name"], ""))
        ]
        if self._seen.get(NAMESPACES, PROBED_NAMESPACE, "") is None:
            found.append(f"Namespace {PROBED_NAMESPACE}")
        return tuple(found)

    def _disturbed(self) -> bool:
        return self._wake.is_set() and bool(self._broken())

    async def _mend(self, api: Api) -> None:
        """Put right what is broken. The cache may be behind: what it shows as broken is looked at."""
        await self._have_kinds(api)
        await self._have_claim(api)
        broken = self._broken()
        for manifest in self._manifests:
            kind, name = FENCE[manifest["kind"]], manifest["metadata"]["name"]
            if f"{manifest['kind']} {name}" not in broken:
                continue
            live = await find(api, kind, name)
            if as_it_must_be(manifest, live):
                continue
            self._leading()
            self._just_written = True
            if live is None:
                await api.apply(kind, manifest, field_manager=FIELD_MANAGER, force=True)
            else:
                # Replaced whole: applying would leave what somebody added, such as a condition that is never true.
                change = [{"op": "replace", "path": "/spec", "value": manifest["spec"]}]
                await api.json_patch(kind, name, change, field_manager=FIELD_MANAGER)
            _log.info("wrote %s %s on %s", manifest["kind"], name, self._member)
        await self._have_probed_namespace(api)
        for each in self._isolation.open:
            await self._isolation.close(api, each, self._leading)

    async def _have_kinds(self, api: Api) -> bool:
        """Whether a kind that the fence holds requests against had to be written."""
        made, kind = False, CUSTOM_RESOURCE_DEFINITIONS
        for wanted in fence.member_kinds():
            name = wanted["metadata"]["name"]
            live = await find(api, kind, name)
            if as_it_must_be(wanted, live):
                continue
            self._leading()
            if live is not None:  # Whoever looks after the member may have a later one.
                await self._claimant.look(api)
            self._claimant.standing.confirm()
            await api.apply(kind, wanted, field_manager=FIELD_MANAGER, force=True)
            _log.info("wrote %s %s on %s", wanted["kind"], name, self._member)
            made = True
        return made

    async def _have_claim(self, api: Api) -> None:
        self._leading()
        if await self._claimant.claim(api):
            _log.info("claimed %s as %s", self._member, self._claimant.mark)

    async def _have_probed_namespace(self, api: Api) -> None:
        found = self._seen.get(NAMESPACES, PROBED_NAMESPACE, "") or await find(api, NAMESPACES, PROBED_NAMESPACE)
        if found is None:
            self._leading()
            with contextlib.suppress(Conflict):
                await api.create(NAMESPACES, self.fence.namespace(), field_manager=FIELD_MANAGER)
        elif not is_managed(shape.labels(found)):
            raise NamespaceNotOwned(
                f"namespace {PROBED_NAMESPACE} is there and is not Domicile's, which probes the fence there: remove it"
            )
        self._leading()
        await Granting(api, PROBED_NAMESPACE, self._claimant.mark).found_or_made()

    def _leading(self) -> None:
        if not self._may_act():
            raise FenceNotInForce("another process may lead now, and nothing is written")

    def _set(self, state: FenceInForce | FenceDown) -> None:
        if isinstance(state, FenceDown):
            self._swept.clear()
            self._fell += 1
        if state == self.state:
            return
        self.state = state
        if isinstance(state, FenceDown):
            _log.warning("the fence of %s is down (%s): %s", self._member, state.reason, state.message)
        else:
            _log.info("the fence of %s is in force: %s", self._member, state.digest)
        self._on_change()


async def _sweep(api: Api, namespace: str, model: str) -> bool:
    """Whether it need not be looked through again: nothing of the model's is to be put right either."""
    looked_at = (INFERENCE_SERVICES, DEPLOYMENTS, REPLICA_SETS, PODS, NETWORK_POLICIES)
    services, deployments, replica_sets, pods, policies = await asyncio.gather(
        *(listed(api, kind, namespace) for kind in looked_at)
    )
    others = tuple(each for each in policies if name_of(each) != model)
    if found := strangers(services, deployments, replica_sets, pods, others):
        raise NamespaceNotOwned(
            f"{', '.join(found[:_SHOWN])} in namespace {namespace} {'was' if len(found) == 1 else 'were'} not made for a model:"
            " remove what is not Domicile's there, or give the models of that namespace another one"
        )
    return not strangers((), (), (), (), policies)


def _down(error: Exception) -> FenceDown:
    match error:
        case FenceNotInForce():
            return FenceDown("FenceNotShown", str(error))
        case Forbidden():
            return FenceDown("FenceNotPermitted", f"{error}. `domicile cluster join` gives the rights that are missing")
        case _:
            return FenceDown(type(error).__name__, str(error))
