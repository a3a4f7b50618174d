"""Decisions in evidence: how they are recorded, what is open, how they are read again, and decided again."""

from domicile.audit.decisions import (
    DECISION,
    VALUES,
    Account,
    ActKey,
    account,
    contents,
    key_of,
    model_of,
    of_values,
    subject_of,
)
from domicile.audit.homes import homes_of
from domicile.audit.laws import LAW, changes
from domicile.audit.ledger import OUTCOME, Ended, Intent, Ledger, attempted, ended, late
from domicile.audit.names import value as value_of_name
from domicile.audit.replay import Differs, NotReplayed, Replayed, Same, replay
from domicile.audit.running import RUNNING
from domicile.audit.settling import of_the_gone, overtaken, settle
from domicile.audit.trail import ODD, TERM, Record, Trail, odd, record
from domicile.audit.values import Bag, Kept, Value, ValueMissing, Values, digest_of, moment

__all__ = [
    "DECISION",
    "LAW",
    "ODD",
    "OUTCOME",
    "RUNNING",
    "TERM",
    "VALUES",
    "Account",
    "ActKey",
    "Bag",
    "Differs",
    "Ended",
    "Intent",
    "Kept",
    "Ledger",
    "NotReplayed",
    "Record",
    "Replayed",
    "Same",
    "Trail",
    "Value",
    "ValueMissing",
    "Values",
    "account",
    "attempted",
    "changes",
    "contents",
    "digest_of",
    "ended",
    "homes_of",
    "key_of",
    "late",
    "model_of",
    "moment",
    "odd",
    "of_the_gone",
    "of_values",
    "overtaken",
    "record",
    "replay",
    "settle",
    "subject_of",
    "value_of_name",
]
