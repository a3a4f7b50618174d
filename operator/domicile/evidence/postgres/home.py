"""Where records are kept that a log has only what they hash to of: a table of a database in the region that they are of. As `homes`."""

import contextlib
from collections.abc import Collection, Generator, Iterator, Sequence
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from domicile.evidence.postgres.connection import PATIENCE, Connection
from domicile.evidence.storage import StoreDown
from domicile.evidence.withheld import leaf_of

SCHEMA: Final = "domicile_evidence_kept"
_MAKE: Final[LiteralString] = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {table} (leaf bytea PRIMARY KEY, line bytea NOT NULL);
"""
_PAGE: Final = 256
"""Lines that are read at a time."""


class Table:
    """A table in a schema of a database, which is made where it is missing. `conninfo` as libpq reads it."""

    def __init__(self, conninfo: str, schema: str = SCHEMA, patience: float = PATIENCE) -> None:
        self._conninfo, self._schema, self._patience = conninfo, schema, patience
        self._connection: Connection | None = None

    def keep(self, lines: Sequence[bytes]) -> None:
        """Have them in the database. Raises StoreDown where that is not certain."""
        rows = [(leaf_of(line), line) for line in lines]
        with self._transaction() as connection:
            connection.cursor().executemany(
                self._sql("INSERT INTO {table} (leaf, line) VALUES (%b, %b) ON CONFLICT DO NOTHING"), rows
            )

    def remove(self, leaves: Collection[bytes]) -> None:
        """Delete what hashes to these. Raises StoreDown."""
        with self._transaction() as connection:
            connection.cursor().executemany(
                self._sql("DELETE FROM {table} WHERE leaf = %b"), [(each,) for each in leaves]
            )

    def kept(self) -> Iterator[bytes]:
        """All lines, for who reads them and writes nothing, from a server that may be a standby. Raises StoreDown."""
        self.close()
        after, page = b"", [(b"", b"")]
        while page:
            with self._transaction("any") as connection:
                query = self._sql("SELECT leaf, line FROM {table} WHERE leaf > %b ORDER BY leaf LIMIT %s")
                page = connection.execute(query, (after, _PAGE), binary=True).fetchall()
            yield from (line for _, line in page)
            after = page[-1][0] if page else after
        self.close()  # Who writes next needs a server that can be written to.

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sql(self, text: LiteralString) -> sql.Composed:
        return sql.SQL(text).format(schema=sql.Identifier(self._schema), table=sql.Identifier(self._schema, "line"))

    @contextlib.contextmanager
    def _transaction(self, sort: str = "read-write") -> Generator[Connection]:
        """One that is committed for good when this ends."""
        try:
            if self._connection is None:
                self._connection = Connection.made(self._conninfo, self._patience, sort)
                self._connection.begin(self._patience)
                if sort != "any":
                    self._connection.execute(self._sql(_MAKE))
                    self._connection.commit()
            self._connection.begin(self._patience)
            yield self._connection
            self._connection.commit()
            if self._connection.warned is not None:
                raise StoreDown(f"the records in schema {self._schema}: {self._connection.warned}")
        except psycopg.Error as error:
            self.close()
            raise StoreDown(
                f"the records in schema {self._schema} of PostgreSQL cannot be had: {str(error).strip()}"
            ) from error
        except BaseException:
            self.close()
            raise
