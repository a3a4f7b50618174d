"""One reconcile of what governance wrote: record what changed, and say of each ResidencyPolicy whether it could be read, and whether models
are placed under it."""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime

from domicile import kube
from domicile.api import ModelRemnant, ResidencyPolicy, ResidencyPolicyStatus, SovereignModel
from domicile.controller.evidence import Evidence
from domicile.controller.hub import Hub
from domicile.controller.store import Store
from domicile.decision.decide import asked
from domicile.decision.events import Told, fit
from domicile.decision.policystatus import policy_status
from domicile.residency import Engine

log = logging.getLogger(__name__)

ALL = "all"
"""The one key of the queue: what is in use is found for all policies in one pass over the models."""
_RETRY = 5.0
_RETRY_SOON = 0.2


class Policies:
    """Reconciles the status of policies."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        evidence: Evidence,
        clock: Callable[[], datetime],
        may_act: Callable[[], bool],
        look_again: Callable[[str, float], None],
    ) -> None:
        self._store, self._hub, self._evidence = store, hub, evidence
        self._clock, self._may_act, self._look_again = clock, may_act, look_again

    async def reconcile(self, _: str) -> None:
        """Bring the status of every policy in step. Never raises: what went wrong is tried again later."""
        try:
            await self._reconcile()
        except kube.KubeError as error:
            log.info("the status of policies is tried again: %s", error)
            self._look_again(ALL, _RETRY)
        except Exception:
            log.exception("the status of policies failed")
            self._look_again(ALL, _RETRY)

    async def _reconcile(self) -> None:
        engine = self._store.engine()
        if self._may_act():
            await self._evidence.law(engine.law)
        used = self._used(engine)
        # Not the engine's own: it stays the same while only statuses change, and has them as they were when it was made.
        for policy in self._store.policies.readable():
            if not self._may_act():
                return
            name = policy.metadata.name
            status = policy_status(policy, engine.faults(name), in_use=name in used, now=self._clock())
            if status != policy.status:
                await self._report(policy, status)

    async def _report(self, policy: ResidencyPolicy, status: ResidencyPolicyStatus) -> None:
        try:
            await self._hub.write_policy_status(policy, status)
        except (kube.Conflict, kube.NotFound):
            # What somebody else made of it is on its way to us. The other policies need not wait for that.
            self._look_again(ALL, _RETRY_SOON)
            return
        accepted, before = status.conditions[0], policy.status.conditions if policy.status else ()
        if accepted.status == "False" and accepted.message not in {c.message for c in before}:
            await self._hub.tell(policy, Told("Warning", accepted.reason, "Read", fit(accepted.message)))

    def _used(self, engine: Engine) -> frozenset[str]:
        placed = (m for m in self._models() if m.status is not None and m.status.placements)
        return frozenset(
            name
            for model in placed
            for name in engine.policies_for(asked(model, self._store.namespaces.of(model.metadata.namespace)))
        )

    def _models(self) -> Iterator[SovereignModel | ModelRemnant]:
        """All that may be placed: one that cannot be read any more runs on."""
        yield from self._store.models.readable()
        yield from (entry.remnant for entry in self._store.models.unreadable() if entry.remnant is not None)
