"""Deciding again: from the recorded inputs, with what was decided withheld, and compared byte by byte. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domicile import decision
from domicile.audit import snapshots
from domicile.audit.decisions import Account, account
from domicile.audit.trail import Record
from domicile.audit.values import Bag, Json, Value, ValueMissing, Values
from domicile.evidence.dsse import canonical

_GIVEN: Final = frozenset({"seen", "decided"})
"""What is given to who decides again. All else of a decision has to come out of it."""
_NOT_DECIDED: Final = frozenset({"context"})
"""What was not decided: which software it was, what was open."""


@dataclass(frozen=True)
class Same:
    """The same bytes, and all that they name is there."""


@dataclass(frozen=True)
class Differs:
    """Other bytes."""

    fields: tuple[str, ...]
    """Which parts of the decision."""
    recorded: Value
    again: Value


@dataclass(frozen=True)
class NotReplayed:
    """It could not be decided again."""

    why: str


Replayed = Same | Differs | NotReplayed


def replay(found: Record, values: Values) -> Replayed:
    """Decide again what a record of kind Decision says. Raises nothing for what is in it."""
    try:
        given = {key: found.body[key] for key in _GIVEN}
        recorded = {key: value for key, value in found.body.items() if key not in _NOT_DECIDED}
        decided = _decided(given, values)
        if decided is None:
            return NotReplayed("it would be waited for something, and nothing be decided")
        again = decided.body
        if canonical(again) == canonical(recorded):
            for digest in decided.values:
                values.get(digest)  # What is named and not there can be shown to nobody.
            return Same()
    except (ValueMissing, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        return NotReplayed(f"{type(error).__name__}: {error}")
    apart = sorted(key for key in {*again, *recorded} if _bytes(again, key) != _bytes(recorded, key))
    return Differs(tuple(apart), recorded, again)


def _decided(given: Mapping[str, Json], values: Values) -> Account | None:
    seen = snapshots.read(given["seen"], values)
    now = datetime.fromisoformat(given["decided"])
    plan = decision.decide(seen, now)
    return None if isinstance(plan, decision.Wait) else account(seen, plan, now, Bag())


def _bytes(body: Mapping[str, Any], key: str) -> bytes:
    return canonical({key: body[key]}) if key in body else b""
