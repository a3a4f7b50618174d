"""Carry out: from a Plan to writes, in the order that keeps every crash harmless. Decisions are made elsewhere."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from domicile import fleet, kube
from domicile.controller.evidence import Evidence, NotRecorded, Recorded, unrecorded
from domicile.controller.hub import Hub
from domicile.controller.memory import Memory
from domicile.controller.slots import Slots
from domicile.controller.store import Name
from domicile.decision import AddFinalizer, Place, Plan, Refusal, ReleaseFinalizer, Snapshot, Withdraw
from domicile.decision.events import Told, told
from domicile.decision.plan import Act
from domicile.fleet import Fleet

log = logging.getLogger(__name__)


_AT_A_TIME = 4
"""Acts of one sort under way on one member. With many more workers, several members may be slow at a time."""


@dataclass(frozen=True)
class Done:
    """How it went."""

    changed: bool
    """Whether something is known now that was not when the plan was made: look again at once."""
    failed: bool
    """Whether something has to be tried again."""
    pending: bool
    """Whether something was begun that takes its time."""
    crowded: bool = False
    """Whether something waits for its turn on a member."""


_NOT_LEADING = Done(changed=False, failed=True, pending=False)
"""Another process may lead now: nothing was done."""
_NO_SLOT = Done(changed=False, failed=False, pending=False, crowded=True)
"""As much is under way on the member as may be: nothing was done, and the model is woken when it can be."""


class CarryOut:
    """The acts, on the hub and on the members."""

    def __init__(
        self,
        hub: Hub,
        fleet: Fleet,
        evidence: Evidence,
        clock: Callable[[], datetime],
        may_act: Callable[[], bool],
        wake: Callable[[Name], None],
    ) -> None:
        self._hub, self._fleet, self._evidence = hub, fleet, evidence
        self._clock, self._may_act = clock, may_act
        self._slots: Slots[Name] = Slots(_AT_A_TIME, wake)

    async def __call__(self, plan: Plan, seen: Snapshot, decided: datetime, memory: Memory) -> Done:
        """Finalizer first, then the decision on record, in the evidence and in the status, then the members, each by itself. `decided` is
        the moment for which the plan was made.

        Raises kube.KubeError where the hub could not be written: then nothing was placed on any member.
        """
        if not self._may_act():
            return _NOT_LEADING
        record = unrecorded(seen)
        try:
            if any(isinstance(act, AddFinalizer) for act in plan.acts):
                await self._hub.add_finalizer(seen.model)
                # The model has a new version now: the rest is decided on that one.
                return Done(changed=True, failed=False, pending=False)
            record = await self._evidence.decided(plan, seen, decided)
            events = await self._record(plan, seen)
        except NotRecorded as error:
            log.warning("nothing is placed of %s: %s", seen.ref, error)
            await self._withdraw_all(plan, seen, record, memory)
            # Look again: where the store is down, the model is to be told.
            held = self._evidence.unrecordable != ""
            return Done(changed=held, failed=not held, pending=False)
        except kube.Conflict:
            raise  # The plan is out of date.
        except kube.KubeError:
            # Placing needs the finalizer, and the decision on record. Withdrawing waits for nothing.
            await self._withdraw_all(plan, seen, record, memory)
            raise
        done, _ = await asyncio.gather(
            self._all(plan.acts, seen, record, memory), self._tell(events, seen, record.digest)
        )
        return done

    async def _withdraw_all(self, plan: Plan, seen: Snapshot, record: Recorded, memory: Memory) -> None:
        await self._all([act for act in plan.acts if isinstance(act, Withdraw)], seen, record, memory)

    async def _record(self, plan: Plan, seen: Snapshot) -> tuple[Told, ...]:
        """Write the decision down before it is acted on, and give the events of it; nothing is written that is there
        already, nor to a model that is let go."""
        before = seen.model.status
        if before == plan.status or any(isinstance(act, ReleaseFinalizer) for act in plan.acts):
            return ()
        await self._hub.write_status(seen.model, plan.status)
        return told(before, plan.status)

    async def _tell(self, events: Iterable[Told], seen: Snapshot, decision: str) -> None:
        for event in events:
            await self._hub.tell(seen.model, event, decision)

    async def _all(self, acts: Iterable[Act], seen: Snapshot, record: Recorded, memory: Memory) -> Done:
        """Side by side: one slow member delays no other."""
        outcomes = await asyncio.gather(*(self._act(act, seen, record, memory) for act in acts))
        return Done(
            changed=any(outcome.changed for outcome in outcomes),
            failed=any(outcome.failed for outcome in outcomes),
            pending=any(outcome.pending for outcome in outcomes),
            crowded=any(outcome.crowded for outcome in outcomes),
        )

    def _act(self, act: Act, seen: Snapshot, record: Recorded, memory: Memory) -> Awaitable[Done]:
        name = (seen.ref.namespace, seen.ref.name)
        match act:
            case Place():
                return self._in_turn(("place", act.permit.member.name), name, lambda: self._place(act, record, memory))
            case Withdraw():
                # Slots of their own: what has to go waits for nothing that is to come.
                return self._in_turn(
                    ("withdraw", act.member.name), name, lambda: self._withdraw(act, seen, record, memory)
                )
            case _:
                return self._release(act, seen, record)

    async def _in_turn(self, place: tuple[str, str], name: Name, act: Callable[[], Awaitable[Done]]) -> Done:
        if not self._slots.take(place, name):
            return _NO_SLOT
        try:
            return await act()
        finally:
            self._slots.give(place)

    async def _release(self, act: Act, seen: Snapshot, record: Recorded) -> Done:
        await self._hub.release_finalizer(seen.model)
        await self._evidence.done(record, act)
        return Done(changed=False, failed=False, pending=False)

    async def _place(self, act: Place, record: Recorded, memory: Memory) -> Done:
        if not self._may_act():  # The hub may have taken its time.
            return _NOT_LEADING
        name = act.permit.member.name
        memory.proven_absent.discard(act.permit.member)
        memory.stuck.pop(name, None)
        try:
            applied = await self._fleet.place(act.permit, act.workload, self._clock())
        except (fleet.GateError, kube.KubeError) as error:
            refusal = Refusal(type(error).__name__, str(error), act.workload.digest)
            log.warning("placing %s on %s: %s%s", act.permit.model, name, refusal.message, _by(record))
            changed = not _told_already(memory.refusals.get(name), refusal, error)
            if changed:
                memory.refusals[name] = refusal
                await self._evidence.failed(record, act, refusal.reason, refusal.message)
            return Done(changed=changed, failed=True, pending=False)
        if applied.written:
            wrote = ", ".join(applied.written)
            log.info("placed %s on %s: wrote %s%s", act.permit.model, name, wrote, _by(record))
        await self._evidence.done(record, act, *applied.written)
        changed = memory.refusals.pop(name, None) is not None
        return Done(changed=changed, failed=False, pending=False)

    async def _withdraw(self, act: Withdraw, seen: Snapshot, record: Recorded, memory: Memory) -> Done:
        if not self._may_act():
            return _NOT_LEADING
        name = act.member.name
        try:
            outcome = await self._fleet.withdraw(act.member, seen.ref)
        except (fleet.GateError, kube.KubeError) as error:
            log.warning("withdrawing %s from %s: %s%s", seen.ref, name, error, _by(record))
            why = _lasting(error)
            changed = _remember(memory.stuck, name, why) if why else False
            if changed:
                await self._evidence.failed(record, act, type(error).__name__, why)
            return Done(changed=changed, failed=True, pending=False)
        if isinstance(outcome, fleet.Withdrawn):
            memory.stuck.pop(name, None)
            memory.proven_absent.add(act.member)
            log.info("withdrew %s from %s: nothing of it is left%s", seen.ref, name, _by(record))
            await self._evidence.done(record, act)
            return Done(changed=True, failed=False, pending=False)
        changed = _remember(memory.stuck, name, "; ".join(outcome.unknown))
        return Done(changed=changed, failed=False, pending=True)


def _by(record: Recorded) -> str:
    """By which decision, for the log."""
    return f" (decision {record.digest})" if record.digest else ""


def _lasting(error: Exception) -> str:
    """What a failed withdrawal tells, empty where it is only tried again. What an API server says may name a port, or the time: it is
    told in our own words."""
    match error:
        case fleet.GateError():
            return str(error)
        case kube.Forbidden():
            return "the member does not let Domicile do it: `domicile cluster join` gives the rights that are missing"
        case _:
            return ""


def _remember(stuck: dict[str, str], name: str, what: str) -> bool:
    """Whether that is new."""
    before = stuck.get(name, "")
    stuck[name] = what
    return before != what


def _told_already(earlier: Refusal | None, refusal: Refusal, error: Exception) -> bool:
    """Whether it is the refusal that was told. Our own words are steady. Those of an API server may name a port, or the time:
    of the same sort and for the same workload, the first ones stand."""
    if earlier is None or not isinstance(error, kube.KubeError):
        return earlier == refusal
    return (earlier.reason, earlier.workload) == (refusal.reason, refusal.workload)
