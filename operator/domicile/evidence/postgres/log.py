"""A log in PostgreSQL, for several replicas of the operator, of which one leads.

A row is a batch. Its transaction writes the head as well: the one row that says how many records there are, the root over them, the term of
the hub, and who appends. Who opens the log claims the head before it reads, so that nothing of an older term comes after what it read; and
so does each connection that is made anew, so that nothing comes after it of what was under way on the one before.
"""

import contextlib
import time
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Final, LiteralString, cast

import psycopg
from psycopg import sql

from domicile.evidence import ranges
from domicile.evidence.dsse import Malformed
from domicile.evidence.findings import Segment
from domicile.evidence.merkle import EMPTY
from domicile.evidence.postgres.connection import PATIENCE, Connection
from domicile.evidence.ranges import Ranges
from domicile.evidence.storage import Batch, LogDamaged, StaleEpoch, StoreDown
from domicile.evidence.withheld import without

SCHEMA: Final = "domicile_evidence"
_PAGE: Final = 32
"""Batches that are read at a time."""

_MAKE: Final[LiteralString] = """
CREATE TABLE IF NOT EXISTS {batch} (first bigint PRIMARY KEY, lines bytea NOT NULL);
COMMENT ON TABLE {batch} IS 'lines, in the order of first, are the log: records in their envelopes, and a checkpoint after each batch';
ALTER TABLE {batch} ALTER COLUMN lines SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS {head} (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    size bigint NOT NULL,
    root bytea NOT NULL,
    epoch bigint NOT NULL,
    holder text NOT NULL
);
COMMENT ON TABLE {head} IS 'how many records there are, the root over them, and who appends: holder, in the term epoch';
INSERT INTO {head} (size, root, epoch, holder) VALUES (0, {empty}, 0, '') ON CONFLICT DO NOTHING;
CREATE OR REPLACE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'evidence is appended to, and never changed or deleted'; END $$;
CREATE OR REPLACE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {batch}
    FOR EACH STATEMENT EXECUTE FUNCTION {refuse}();
CREATE OR REPLACE TRIGGER kept BEFORE DELETE OR TRUNCATE ON {head}
    FOR EACH STATEMENT EXECUTE FUNCTION {refuse}();
CREATE OR REPLACE TRIGGER grows BEFORE UPDATE ON {head}
    FOR EACH ROW WHEN (NEW.size < OLD.size OR NEW.epoch < OLD.epoch) EXECUTE FUNCTION {refuse}();
"""
_OPEN: Final[LiteralString] = """
UPDATE {head} SET holder = %(holder)s, epoch = %(epoch)s WHERE epoch <= %(epoch)s
"""
# It waits for what a connection that was lost may have under way: the COMMIT is sent last, when the head is locked.
_CLAIM: Final[LiteralString] = """
UPDATE {head} SET holder = holder WHERE holder = %(holder)s
"""
_TAKE: Final[LiteralString] = """
UPDATE {head} SET size = %(size)s, root = %(root)b, epoch = %(epoch)s
WHERE holder = %(holder)s AND epoch <= %(epoch)s AND size = %(size_before)s AND root = %(root_before)b
"""


@dataclass(frozen=True)
class _State:
    """How many records there are, and the root over them."""

    size: int
    root: bytes


def batches(conninfo: str, schema: str = SCHEMA, patience: float = PATIENCE) -> Generator[Segment]:
    """All batches of a log, in order, as they are at one moment; for who reads it and writes nothing. Raises StoreDown."""
    try:
        with Connection.made(conninfo, patience, "any") as connection:
            connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
            query = sql.SQL("SELECT first, lines FROM {} WHERE first > %s ORDER BY first LIMIT %s").format(
                sql.Identifier(schema, "batch")
            )
            after = -1
            while True:
                connection.until = time.monotonic() + patience
                rows = connection.execute(query, (after, _PAGE), binary=True).fetchall()
                page = cast("list[tuple[int, bytes]]", rows)
                for first, lines in page:
                    yield Segment(f"batch {first}", lines)
                if len(page) < _PAGE:
                    return
                after = page[-1][0]
    except psycopg.Error as error:
        raise StoreDown(f"the log in schema {schema} of PostgreSQL cannot be read: {str(error).strip()}") from error


def epoch_of(conninfo: str, schema: str = SCHEMA, patience: float = PATIENCE) -> int:
    """The term that a log is in. Raises StoreDown."""
    try:
        with Connection.made(conninfo, patience, "any") as connection:
            connection.until = time.monotonic() + patience
            query = sql.SQL("SELECT epoch FROM {}").format(sql.Identifier(schema, "head"))
            ((epoch,),) = connection.execute(query, binary=True).fetchall()
            return epoch
    except (psycopg.Error, ValueError) as error:
        raise StoreDown(f"the log in schema {schema} of PostgreSQL cannot be read: {str(error).strip()}") from error


class _Lost(StoreDown):
    """The connection was lost. Another one can tell what became of the transaction."""


class Postgres:
    """A log in a schema of a database, which is made where it is missing.

    `conninfo` is a URL or a text as libpq reads them; what it does not say is taken from PGHOST, PGUSER, PGPASSWORD, PGPASSFILE and so on.
    `epoch` is the term of the hub in which it is opened: whoever opened it before, in this term or in an older one, appends no more. Raises
    StoreDown where the database cannot be had now, StaleEpoch where a later term has begun, and LogDamaged where the head is missing."""

    def __init__(self, conninfo: str, epoch: int, schema: str = SCHEMA, patience: float = PATIENCE) -> None:
        self._conninfo, self._schema, self._patience = conninfo, schema, patience
        self._epoch = epoch
        """The term in which the head was when this process wrote it last."""
        self._holder = str(uuid.uuid4())
        self._connection: Connection | None = None
        self._where = f"schema {schema} of PostgreSQL"
        with self._transaction() as connection:
            self._make(connection)
        self._at = self._claimed(_OPEN)
        """What is there, as this process left it."""

    @property
    def where(self) -> str:
        """Schema, database and server."""
        return self._where

    @property
    def epoch(self) -> int:
        """The term that the head is in."""
        return self._epoch

    def acknowledged(self) -> Iterator[Segment]:
        """All batches, in order."""
        after = -1
        while True:
            with self._transaction() as connection:
                page = self._page(connection, after)
            for first, lines in page:
                yield Segment(f"batch {first}", lines)
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    @property
    def odd(self) -> bytes | None:
        """None: a batch is there as a whole, or not at all."""
        return None

    def go_on(self, size: int, root: bytes) -> None:
        """Hold what was read against the head. Raises LogDamaged where that is of other records, and StaleEpoch where somebody else opened
        the log meanwhile."""
        with self._transaction() as connection:
            found = self._head(connection)
        if found != _State(size, root):
            said = "other ones" if found.size == size else f"{found.size}"
            raise LogDamaged(
                f"the log in {self._where} is not as it was written: it has {size} records, and its head is of {said}"
            )

    def append(self, batch: Batch) -> None:
        """Have it in the database, and its epoch in the head. Raises StoreDown where that is not certain: `holds` can tell later. Raises
        StaleEpoch where somebody else opened the log, and LogDamaged where the database is not as it was left."""
        try:
            self._write(batch)
        except _Lost:
            # The server was started anew, or another one is in its place: it is asked, once, what became of the batch.
            if not self.holds(batch):
                self._write(batch)

    def holds(self, batch: Batch) -> bool:
        """Whether a batch is there after all. Where it is not, it will not be. Raises as `append` does."""
        found, after = self._claimed(_CLAIM), _State(batch.size, batch.root)
        if found not in (self._at, after):
            raise self._went_back(found)
        self._at = found
        return found == after

    def withhold(self, gone: Ranges) -> None:
        """Write each batch anew that has some of these records. It takes the owner of the tables, as they let nobody change a batch."""
        after, size = -1, self._at.size
        while True:
            with self._transaction() as connection:
                connection.execute(self._sql(_CLAIM), {"holder": self._holder})
                self._head(connection)
                connection.execute(self._sql("ALTER TABLE {batch} DISABLE TRIGGER kept"))
                page = self._page(connection, after) if gone else []
                firsts = [first for first, _ in page]
                for (first, lines), end in zip(page, [*firsts[1:], size], strict=False):
                    if ranges.touch(gone, first, end) and (kept := self._without(lines, gone)) != lines:
                        query = self._sql("UPDATE {batch} SET lines = %b WHERE first = %s")
                        connection.execute(query, (kept, first))
                connection.execute(self._sql("ALTER TABLE {batch} ENABLE TRIGGER kept"))
            if len(page) < _PAGE:
                return
            after = firsts[-1]

    def _without(self, lines: bytes, gone: Ranges) -> bytes:
        try:
            return without(lines, gone)
        except Malformed as error:
            raise LogDamaged(f"the log in {self._where} is not as it was written: {error}") from error

    def _page(self, connection: Connection, after: int) -> list[tuple[int, bytes]]:
        """Batches whose first record is after that one, in order."""
        query = self._sql("SELECT first, lines FROM {batch} WHERE first > %s ORDER BY first LIMIT %s")
        return cast("list[tuple[int, bytes]]", connection.execute(query, (after, _PAGE), binary=True).fetchall())

    def close(self) -> None:
        """Close the connection. Who opens the log next need not wait for this."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, batch: Batch) -> None:
        after = _State(batch.size, batch.root)
        with self._transaction() as connection:
            taken = connection.execute(
                self._sql(_TAKE),
                {
                    "size": after.size,
                    "root": after.root,
                    "epoch": batch.epoch,
                    "holder": self._holder,
                    "size_before": self._at.size,
                    "root_before": self._at.root,
                },
            )
            if taken.rowcount != 1:
                raise self._went_back(self._head(connection))
            connection.execute(
                self._sql("INSERT INTO {batch} (first, lines) VALUES (%s, %b)"), (batch.first, batch.lines)
            )
        self._at, self._epoch = after, batch.epoch

    def _claimed(self, query: LiteralString) -> _State:
        """On another connection than before."""
        self.close()
        with self._transaction() as connection:
            connection.execute(self._sql(query), {"holder": self._holder, "epoch": self._epoch})
            return self._head(connection)

    def _head(self, connection: Connection) -> _State:
        """Raises where somebody else holds it."""
        row = connection.execute(self._sql("SELECT size, root, epoch, holder FROM {head}"), binary=True).fetchone()
        if row is None:
            raise LogDamaged(f"the log in {self._where} is not as it was written: its head is missing")
        size, root, epoch, holder = cast("tuple[int, bytes, int, str]", row)
        if holder == self._holder:
            self._epoch = epoch
            return _State(size, root)
        if epoch < self._epoch:
            raise self._went_back(_State(size, root))
        raise StaleEpoch(
            f"epoch {self._epoch} is over: another process opened the log in {self._where} in epoch {epoch}"
        )

    def _went_back(self, found: _State) -> LogDamaged:
        return LogDamaged(
            f"the log in {self._where} is not as it was left: it has {found.size} records, and {self._at.size} were kept there. It was put back"
            " from an older copy, a standby that had not all of it took the place of its server, or somebody else wrote there"
        )

    def _make(self, connection: Connection) -> None:
        schema, head = sql.Identifier(self._schema), sql.Identifier(self._schema, "head")

        def missing(kind: LiteralString, name: sql.Identifier) -> bool:
            (found,) = connection.execute(
                sql.SQL("SELECT {}(%s) IS NULL").format(sql.SQL(kind)), (name.as_string(),)
            ).fetchall()
            return bool(found[0])

        if missing("to_regclass", head):
            connection.execute("SELECT pg_advisory_xact_lock(hashtext('domicile evidence'))")
            if missing("to_regnamespace", schema):
                connection.execute(self._sql("CREATE SCHEMA {schema}"))
            connection.execute(self._sql(_MAKE))

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(
            schema=sql.Identifier(self._schema),
            batch=sql.Identifier(self._schema, "batch"),
            head=sql.Identifier(self._schema, "head"),
            refuse=sql.Identifier(self._schema, "refuse"),
            empty=sql.Literal(EMPTY),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Generator[Connection]:
        """One that is committed for good when this ends. Where it raises, the connection is closed, and what became of it is not known."""
        try:
            if self._connection is None:
                self._connection = Connection.made(self._conninfo, self._patience)
                info = self._connection.info
                self._where = f"schema {self._schema} of {info.dbname} at {info.host}:{info.port}"
            connection = self._connection
            connection.begin(self._patience)
            yield connection
            connection.commit()
            if connection.warned is not None:
                raise StoreDown(f"the log in {self._where}: {connection.warned}")
        except psycopg.Error as error:
            lost = self._connection is not None and self._connection.broken
            late = self._connection is not None and time.monotonic() >= self._connection.until
            self.close()
            said = f"no answer within {self._patience:g} s" if late else str(error).strip()
            raise (_Lost if lost else StoreDown)(f"the log in {self._where} cannot be had: {said}") from error
        except BaseException:
            self.close()
            raise
