"""A connection to PostgreSQL on which nobody waits for ever, and that says what the server warned of."""

import time
from typing import Final, LiteralString, Self

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import Diagnostic
from psycopg.rows import TupleRow

PATIENCE: Final = 5.0
"""Seconds that a transaction may take, and as many a connection to each host that is named."""
# For the transaction alone, so that a pooler between us and the server does no harm. Where a server has standbys that are synchronous,
# 'on' waits for them, and so does remote_apply. What a process that was stopped, or has gone, has locked is let go before who waits for it
# loses patience, which is told apart from a server that does not answer.
_SETTINGS: Final[LiteralString] = """
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true),
    set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
    set_config('idle_in_transaction_session_timeout', %s, true)
"""


class Connection(psycopg.Connection[TupleRow]):
    """Waits for no answer past a moment. A server that is stopped keeps its connections, and says nothing on them."""

    until = 0.0
    """By time.monotonic."""
    warned: str | None = None
    """What the server warned of in this transaction."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """As it does, and no longer. Raises psycopg.OperationalError."""
        left = max(0.0, self.until - time.monotonic())
        return super().wait(gen, interval, left if timeout is None else min(timeout, left))

    @classmethod
    def made(cls, conninfo: str, patience: float, sort: str = "read-write") -> Self:
        """A connection to a server of that sort, which can be written to where nothing else is asked. Raises psycopg.Error."""
        ours: dict[str, str | int] = {
            "application_name": "domicile",
            "connect_timeout": max(2, round(patience)),
            "target_session_attrs": sort,
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": round(patience * 1000),
        }
        asked = conninfo_to_dict(conninfo)
        # Nothing is prepared: a pooler may give the next transaction to another session.
        found = cls.connect(make_conninfo("", **{**ours, **asked}), prepare_threshold=None)
        found.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        found.add_notice_handler(found.heard)
        return found

    def heard(self, said: Diagnostic) -> None:
        """Keep a warning of the server's."""
        if said.severity_nonlocalized == "WARNING":
            self.warned = said.message_primary

    def begin(self, patience: float) -> None:
        """Begin a transaction that may take so many seconds. Raises psycopg.Error."""
        self.until, self.warned = time.monotonic() + patience, None
        shares = (patience * share for share in (1, 0.8, 0.4))
        self.execute(_SETTINGS, [f"{seconds * 1000:.0f}ms" for seconds in shares])
