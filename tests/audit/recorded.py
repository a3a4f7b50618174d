"""Decisions as somebody reads them who has nothing but the log."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import builders as a
from domicile import audit, decision
from domicile.audit import Bag, Record, Values
from domicile.decision import Plan, Snapshot

CONTEXT = {"uid": a.uid("it"), "carried": {}, "identity": "domicile-0", "version": "0"}


def account(seen: Snapshot, now: datetime = a.NOW, bag: Bag | None = None) -> audit.Account:
    """Of what is decided; something must be."""
    plan = decision.decide(seen, now)
    assert isinstance(plan, Plan), plan
    return audit.account(seen, plan, now, bag or Bag())


def read(body: Mapping[str, Any], kind: str = audit.DECISION) -> Record:
    """The record of that body."""
    return Record(7, a.DIGEST, a.NOW, 3, kind, "SovereignModel/retail-banking/fraud-scorer", a.DIGEST, dict(body))


def from_log(seen: Snapshot, now: datetime = a.NOW) -> tuple[Record, dict[str, Any]]:
    """The record of the decision and the values that it names, from their text."""
    found = account(seen, now)
    body, values = json.loads(json.dumps([{**found.body, "context": CONTEXT}, dict(found.values)]))
    return read(body), values


def again(seen: Snapshot, now: datetime = a.NOW) -> audit.Replayed:
    """What comes of deciding it again."""
    record, values = from_log(seen, now)
    return audit.replay(record, Values(values))
