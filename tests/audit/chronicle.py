"""Logs of decisions for tests: real decisions on worlds, recorded as the operator records them, at times that a test names."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import builders as a
from decision import world as w
from decision.world import World
from domicile import audit, decision
from domicile.audit import Bag, Intent, Ledger, Record, Trail, running
from domicile.audit.decisions import ActKey
from domicile.audit.ledger import Ended
from domicile.evidence import keys, records
from domicile.evidence.findings import Segment
from domicile.evidence.records import Content, Place
from domicile.evidence.verifying import verify
from evidence.logs import ORIGIN, OURS, Writer

ABOUT = {"identity": "domicile-0", "version": "0.1.0"}


def minutes(count: float) -> datetime:
    """So many minutes after the usual moment."""
    return a.NOW + timedelta(minutes=count)


def at(state: World, count: float) -> World:
    """The world so many minutes after the usual moment."""
    return replace(state, now=minutes(count))


class Chronicle(Writer):
    """A log of one hub, and the models that it decides on."""

    def __init__(self) -> None:
        super().__init__(OURS, ORIGIN)
        self.ledger, self.epoch, self.now = Ledger(), 1, a.NOW

    def decided(self, state: World) -> World:
        """Record what is decided on the world, and nothing of what comes of it."""
        seen, plan = w.snapshot(state), w.plan(state)
        wanted = [key for act in plan.acts if (key := audit.key_of(act)) is not None]
        begun = dict(self.open(state))
        for key, intent in begun.items():
            if key not in wanted:
                self.add(audit.ended(seen.ref.uid, intent, "Overtaken"), state.now)
        self.ran(state)
        carried = {str(i): [begun[key].decision, begun[key].act] for i, key in enumerate(wanted) if key in begun}
        account = audit.account(seen, plan, state.now, self.bag())
        for content in audit.contents(account, {"uid": seen.ref.uid, "carried": carried, **ABOUT}):
            self.add(content, state.now)
        return state

    def passed(self, state: World, *, times: int = 1) -> World:
        """Decide, record, carry out and record what came of it, as often; nothing is recorded where nothing is new."""
        for _ in range(times):
            plan = w.plan(state)
            begun = {key for act in plan.acts if (key := audit.key_of(act)) is not None}
            assert state.model is not None
            if plan.status != state.model.status or not begun <= set(self.open(state)):
                self.decided(state)
            self.ran(state)
            before, state = state, w.step(state)
            for act in plan.acts:
                self._carried_out(before, act)
            if state.model is None:
                break
        return state

    def ran(self, state: World) -> None:
        """Record where the model's pods are, where that is not recorded."""
        seen = w.snapshot(state)
        for body in running.changed(self.ledger.running.get(_uid(state), {}), seen):
            self.add(running.ran(audit.subject_of(seen.ref), body), state.now)

    def outcome(self, state: World, kind: str, how: Ended, count: float) -> None:
        """Record how an act that is open ended, so many minutes after the usual moment."""
        self.add(audit.ended(_uid(state), self._intent(state, kind), how), minutes(count))

    def failed(self, state: World, kind: str, reason: str, message: str) -> None:
        """Record an attempt."""
        self.add(audit.attempted(_uid(state), self._intent(state, kind), reason, message), state.now)

    def late(self, state: World, done: float, recorded: float, cluster: str = "sg") -> None:
        """Record that the model was withdrawn there while nothing could be recorded."""
        assert state.model is not None
        subject = f"SovereignModel/{state.model.metadata.namespace}/{state.model.metadata.name}"
        act = decision.Withdraw(a.member(cluster))
        self.add(audit.late(_uid(state), subject, act, minutes(done)), minutes(recorded))

    def late_release(self, state: World, done: float) -> None:
        """Record that the model was let go while nothing could be recorded."""
        self.add(
            audit.late(_uid(state), "SovereignModel/x/y", decision.ReleaseFinalizer(), minutes(done)), minutes(done)
        )

    def bag(self) -> Bag:
        """For what is to be recorded."""
        return Bag(self.ledger.recorded, named=self._named)

    def _named(self, name: str) -> audit.Value:
        return self.ledger.names.get(name) or audit.value_of_name(name, f"{len(self.ledger.names):032x}")

    def values(self, found: Mapping[str, Any], state: World) -> None:
        """Record values."""
        self.add(Content(audit.VALUES, "Values", audit.digest_of({"of": sorted(found)}), {"values": found}), state.now)

    def open(self, state: World) -> dict[ActKey, Intent]:
        """Acts on the model that were begun and have no end."""
        return self.ledger.open.get(_uid(state), {})

    def add(self, content: Content, moment: datetime) -> None:
        """Record it."""
        # The clock of a hub does not go back: worlds of several models may stand at several times.
        self.now = max(self.now, moment)
        place = Place(len(self.tree), self.last, self.now, self.epoch, self.origin)
        payload = records.payload(content, place)
        self.put(records.sealed(payload, self.by))
        with contextlib.suppress(KeyError):  # A test may record what is no decision.
            self.ledger.take(self.last, content.kind, content.subject, content.body)

    def said(self, change: Callable[[dict[str, Any]], None], state: World) -> None:
        """Record the last decision once more, changed by hand."""
        last = list(self.trail.decisions.values())[-1]
        body = {**last.body, "context": {**last.body["context"], "uid": _uid(state)}}
        change(body)
        self.add(Content(last.kind, last.subject, last.subject_digest, body), state.now)

    @property
    def sealed(self) -> bytes:
        """The lines, with a checkpoint of all."""
        self.seal()
        return b"".join(line + b"\n" for line in self.lines)

    @property
    def trail(self) -> Trail:
        """As it is read again. It is in order."""
        trail = Trail()
        report = verify(ORIGIN, [Segment("0", self.sealed)], keys.by_id([OURS.public]), read=trail.take)
        assert (report.findings, trail.odd) == ((), [])
        return trail

    @property
    def decisions(self) -> Sequence[Record]:
        """All of them."""
        return tuple(self.trail.decisions.values())

    def _intent(self, state: World, kind: str) -> Intent:
        return next(intent for key, intent in self.open(state).items() if key[0] == kind)

    def _carried_out(self, before: World, act: object) -> None:
        key = audit.key_of(act) or ()  # type: ignore[arg-type]
        intent = self.open(before).get(key)
        waits = isinstance(act, decision.Withdraw) and act.member.uid in before.there
        if intent is not None and not waits:
            wrote = ("InferenceService",) if isinstance(act, decision.Place) else ()
            self.add(audit.ended(_uid(before), intent, "Done", wrote), before.now)


def _uid(state: World) -> str:
    assert state.model is not None
    return state.model.metadata.uid
