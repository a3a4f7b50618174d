"""One reconcile of a SovereignModel: observe, decide, carry out, report."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from domicile import decision, kube
from domicile.api import ModelRemnant, SovereignModel
from domicile.controller.carry_out import CarryOut
from domicile.controller.evidence import Evidence
from domicile.controller.members import Members
from domicile.controller.memory import Memories, Memory
from domicile.controller.observe import observe
from domicile.controller.store import Name, Store, Unreadable

log = logging.getLogger(__name__)

_PASSES = 6
"""How often one reconcile looks again at once. A whole deletion takes three."""
_FIRST_RETRY, _LAST_RETRY = 1.0, 60.0
_POLL = 1.0
"""Seconds until something begun is looked at again, should no watch tell of it before."""
_CROWDED = 30.0
"""Seconds until what waits for its turn looks by itself, should nobody wake it."""
_LONGEST = timedelta(hours=1)
"""Timers run on another clock than certificates and attestations: look again at least this often before a moment."""


class Models:
    """Reconciles models, one at a time each."""

    def __init__(
        self,
        store: Store,
        members: Members,
        carry_out: CarryOut,
        evidence: Evidence,
        clock: Callable[[], datetime],
        look_again: Callable[[Name, float], None],
    ) -> None:
        self._store, self._members, self._carry_out, self._evidence = store, members, carry_out, evidence
        self._clock, self._look_again = clock, look_again
        self._memories = Memories()
        self._uids: dict[Name, str] = {}

    async def reconcile(self, name: Name) -> None:
        """Bring one model nearer to what it should be. Never raises: what went wrong is tried again later."""
        try:
            await self._reconcile(name)
        except kube.KubeError as error:
            self._retry(name, f"{error}")
        except Exception:
            # One model's bug must not stop the others.
            log.exception("reconciling %s/%s failed", *name)
            self._retry(name, "see the traceback")

    async def _reconcile(self, name: Name) -> None:
        failed = False
        for _ in range(_PASSES):
            model = self._model(name)
            if model is None:
                return
            memory = self._memories.of(model.metadata.uid)
            seen = observe(model, self._store, self._members, self._memories, self._evidence.unrecordable)
            await self._evidence.settle(seen)
            now = self._clock()
            plan = decision.decide(seen, now)
            if isinstance(plan, decision.Wait):
                self._at(name, plan.look_again, now)
                return
            done = await self._carry_out(plan, seen, now, memory)
            if done.failed:
                self._backed_off(name, memory)
            else:
                memory.failures = 0
            # A failure is told by one more pass. A second one waits for its time, whatever it says.
            twice, failed = failed and done.failed, done.failed
            if twice or not done.changed:
                if done.pending:
                    self._look_again(name, _POLL)
                if done.crowded:
                    self._look_again(name, _CROWDED)
                if plan.look_again is not None:
                    self._at(name, plan.look_again, now)
                return
        self._look_again(name, _POLL)

    def _model(self, name: Name) -> SovereignModel | ModelRemnant | None:
        entry = self._store.models.get(name)
        if entry is None:
            self._memories.forget(self._uids.pop(name, ""))
            return None
        if isinstance(entry, Unreadable):
            if entry.remnant is None:
                log.warning("SovereignModel %s/%s cannot be read: %s", *name, entry.why)
                return None
            entry = entry.remnant
        earlier = self._uids.get(name)
        if earlier is not None and earlier != entry.metadata.uid:
            self._memories.forget(earlier)
        self._uids[name] = entry.metadata.uid
        return entry

    def _at(self, name: Name, moment: datetime, now: datetime) -> None:
        self._look_again(name, min(moment - now, _LONGEST).total_seconds())

    def _backed_off(self, name: Name, memory: Memory) -> None:
        self._look_again(name, min(_FIRST_RETRY * 2**memory.failures, _LAST_RETRY))
        memory.failures = min(memory.failures + 1, 10)

    def _retry(self, name: Name, why: str) -> None:
        uid = self._uids.get(name)
        memory = Memory() if uid is None else self._memories.of(uid)
        log.info("%s/%s is tried again: %s", *name, why)
        self._backed_off(name, memory)
