"""A log in PostgreSQL, on a real server: what was acknowledged is there, in order, and of all that opened it the latest alone appends."""

import asyncio
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg import sql

from domicile.evidence import dsse, keys, merkle, records
from domicile.evidence.checkpoint import parsed
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.postgres import Postgres, batches
from domicile.evidence.records import Place
from domicile.evidence.storage import LogDamaged, StaleEpoch, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import verify
from evidence import appending
from evidence.logs import ORIGIN, OURS, content
from evidence.postgresql import Server, Wire

ROUNDS = 1_000 if os.environ.get("DOMICILE_TESTS") == "full" else 5
"""How often a process is killed."""
A_LOG = 20
"""Of them append to one log: all of it is read each time."""
CRASHES = 20 if os.environ.get("DOMICILE_TESTS") == "full" else 2
"""How often the server is."""
QUICK = 1.5
"""Seconds that the server is waited for, where it does not answer."""
_numbers = itertools.count()


@dataclass(frozen=True)
class Database:
    """A schema of its own for each test, and what is done to it."""

    server: Server
    schema: str
    seen: list[int] = field(default_factory=list[int])
    """Sequences of records that were found by who opened it."""

    def storage(self, epoch: int = 1, conninfo: str | None = None, patience: float = 5.0) -> Postgres:
        return Postgres(conninfo or self.conninfo(), epoch, self.schema, patience)

    def opened(self, epoch: int = 1, conninfo: str | None = None, patience: float = 5.0, **more: Any) -> Log:
        return open_log(
            self.storage(epoch, conninfo, patience),
            ORIGIN,
            OURS,
            lambda: datetime.now(UTC),
            **{"read": self._read, **more},
        )

    def _read(self, envelope: dsse.Envelope, place: Place) -> None:
        self.seen.append(place.sequence)

    def conninfo(self, directory: Path | None = None, **more: str) -> str:
        """Of a log's connection: `backend` finds it."""
        return self.server.conninfo(directory, application_name=self.schema, **more)

    def did(self, statement: str, *, by_force: bool = False, **conninfo: Any) -> list[Any]:
        """As SQL that names the schema {schema}, in one transaction. By force no trigger is asked."""
        with psycopg.connect(self.server.conninfo(**conninfo)) as connection:
            if by_force:
                connection.execute("SET session_replication_role = replica")
            query = sql.SQL(statement).format(schema=sql.Identifier(self.schema))  # pyright: ignore[reportArgumentType]
            found = connection.execute(query)
            return found.fetchall() if found.description else []

    def segments(self) -> list[Segment]:
        rows = self.did("SELECT first, lines FROM {schema}.batch ORDER BY first")
        return [Segment(f"batch {first}", lines) for first, lines in rows]

    def looked_at(self) -> Report:
        return verify(ORIGIN, self.segments(), keys.by_id([OURS.public]))

    def digests(self) -> dict[int, str]:
        """By sequence, of all records that are there."""
        lines = [line for each in self.segments() for line in each.content.splitlines()]
        payloads = [dsse.parsed(line).payload for line in lines if not line.startswith(b'{"checkpoint"')]
        return {number: records.digest(payload) for number, payload in enumerate(payloads)}

    def backend(self) -> int:
        """The server's process for the one connection of a log."""
        (found,) = self.did(f"SELECT pid FROM pg_stat_activity WHERE application_name = '{self.schema}'")
        return found[0]


@pytest.fixture
def database(server: Server) -> Database:
    return Database(server, f"Evidence of {os.getpid()}-{next(_numbers)}")


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    with tempfile.TemporaryDirectory() as name:  # A socket has a short name.
        found = Wire(server, Path(name))
        yield found
        found.close()


async def write(database: Database, *batches: int, epoch: int = 1) -> None:
    log = database.opened(epoch)
    for count in batches:
        await asyncio.gather(*(log.append(content(number), epoch) for number in range(count)))
    await log.close()


async def test_what_is_appended_is_there_for_who_opens_it_next_and_verifies(database: Database) -> None:
    log = database.opened(1)
    receipts = await asyncio.gather(*(log.append(content(number), 1) for number in range(20)))
    await log.close()
    assert [each.sequence for each in receipts] == list(range(20))
    assert len(database.segments()) == 1, "one transaction"
    log = database.opened(2)
    before = parsed(log.note()).checkpoint
    assert (len(log), before.size, database.seen) == (20, 20, list(range(20)))
    assert (await log.append(content(20), 2)).sequence == 20
    after = parsed(log.note()).checkpoint
    await log.close()
    assert merkle.extends(before.root, 20, after.root, 21, log.consistency(20))
    report = database.looked_at()
    assert (report.findings, report.size, report.root, report.epoch) == ((), 21, after.root, 2)


async def test_a_log_of_many_batches_is_read_page_by_page(database: Database) -> None:
    await write(database, *[1] * 64)
    log = database.opened(1)
    await log.close()
    assert (len(log), database.seen) == (64, list(range(64)))
    await write(database, 1)
    assert (database.looked_at().findings, database.looked_at().size) == ((), 65)


async def test_what_the_connection_does_not_say_is_taken_from_the_environment(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGHOST", str(database.server.socket.parent))
    monkeypatch.setenv("PGUSER", "postgres")
    log = open_log(Postgres("", 1, database.schema), ORIGIN, OURS, lambda: datetime.now(UTC))
    await log.append(content(0), 1)
    await log.close()
    assert database.looked_at().size == 1


def test_a_server_that_is_not_there_is_told(database: Database, tmp_path: Path) -> None:
    with pytest.raises(StoreDown, match=r"cannot be had: .*No such file or directory"):
        database.opened(conninfo=database.server.conninfo(tmp_path))


async def test_two_that_make_the_schema_at_a_time_do_not_meet(database: Database) -> None:
    async def one(epoch: int) -> Log | Exception:
        try:
            return await asyncio.to_thread(database.opened, epoch)
        except StaleEpoch as error:
            return error

    found = await asyncio.gather(*(one(epoch) for epoch in (1, 2, 3, 4)))
    assert isinstance(found[3], Log)
    await found[3].append(content(0), 4)
    for each in found:
        if isinstance(each, Log):
            await each.close()


# Who leads no more.


async def test_who_led_before_appends_no_more_once_the_next_has_opened_the_log(database: Database) -> None:
    old = database.opened(1)
    await old.append(content(0), 1)
    new = database.opened(2)
    for _ in range(2):
        with pytest.raises(StaleEpoch, match=r"epoch 1 is over: another process opened the log .* in epoch 2"):
            await old.append(content(1), 1)
    assert (await new.append(content(1), 2)).sequence == 1
    with pytest.raises(StaleEpoch, match="epoch 2 has begun"):
        await new.append(content(2), 1)
    assert (await new.append(content(2), 2)).sequence == 2
    await old.close()
    await new.close()
    assert (database.looked_at().findings, database.looked_at().size) == ((), 3)


async def test_a_term_that_is_over_does_not_open_the_log(database: Database) -> None:
    await database.opened(2).close()
    with pytest.raises(StaleEpoch, match="epoch 1 is over"):
        database.opened(1)


async def test_of_two_in_one_term_the_one_that_opened_the_log_later_appends(database: Database) -> None:
    first, second = database.opened(1), database.opened(1)
    with pytest.raises(StaleEpoch):
        await first.append(content(0), 1)
    await second.append(content(0), 1)
    await first.close()
    await second.close()
    assert database.looked_at().size == 1


async def test_who_is_overtaken_while_reading_does_not_open_the_log(database: Database) -> None:
    await write(database, 3)
    others: list[Log] = []

    def overtaken(envelope: dsse.Envelope, place: Place) -> None:
        if not others:
            others.append(database.opened(3))

    with pytest.raises(StaleEpoch, match="epoch 2 is over"):
        database.opened(2, read=overtaken)
    (new,) = others
    assert (await new.append(content(3), 3)).sequence == 3
    await new.close()


async def test_a_log_goes_on_in_a_later_term_of_the_same_process(database: Database) -> None:
    log = database.opened(1)
    await log.append(content(0), 1)
    await log.append(content(1), 2)
    await log.append(content(2), 4)
    with pytest.raises(StaleEpoch):
        database.opened(3)
    await log.close()
    assert (database.looked_at().findings, database.looked_at().epoch) == ((), 4)


async def test_what_an_old_leader_left_half_done_keeps_nobody_waiting(database: Database, wire: Wire) -> None:
    """Its COMMIT is on the way when the next one opens the log, and comes too late."""
    old = database.opened(1, database.conninfo(wire.directory), QUICK)
    await old.append(content(0), 1)
    wire.on_commit, wire.refuses = "hold", True
    with pytest.raises(StoreDown):
        await old.append(content(1), 1)
    new = await asyncio.to_thread(database.opened, 2, None, QUICK)
    assert len(new) == 1
    wire.refuses = False
    wire.release.set()
    await new.append(content(1), 2)
    with pytest.raises(StaleEpoch):
        await old.append(content(2), 1)
    await old.close()
    await new.close()
    assert (database.looked_at().findings, database.looked_at().size) == ((), 2)


def begin(database: Database, epoch: int) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        str(appending.__file__),
        "postgres",
        database.server.conninfo(),
        database.schema,
        str(epoch),
    ]
    path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path})


def lines_of(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline() for _ in range(count)]


def reopened(database: Database, epoch: int) -> Log:
    """As the operator does it: a process that was stopped in the middle may hold the head until the server loses patience."""
    until = time.monotonic() + 20
    while True:
        try:
            return database.opened(epoch)
        except StoreDown:
            if time.monotonic() > until:
                raise


async def test_a_leader_that_was_stopped_and_wakes_after_another_took_over_appends_nothing(database: Database) -> None:
    old = begin(database, 1)
    told = await asyncio.to_thread(lines_of, old, 21)
    os.kill(old.pid, signal.SIGSTOP)
    new = await asyncio.to_thread(reopened, database, 2)
    before = len(new)
    receipts = [await new.append(content(number), 2) for number in range(3)]
    os.kill(old.pid, signal.SIGCONT)
    rest, _ = await asyncio.to_thread(old.communicate, None, 30)
    last = await new.append(content(3), 2)
    await new.close()
    assert rest.splitlines()[-1].startswith("stale")
    known = appending.acknowledged("".join(told) + rest)
    assert len(known) >= 20
    assert max(known) < before
    assert [each.sequence for each in (*receipts, last)] == list(range(before, before + 4))
    assert known.items() <= database.digests().items()
    assert (database.looked_at().findings, database.looked_at().size) == ((), before + 4)


# What was acknowledged is there, whatever is killed.


async def test_what_a_killed_process_had_acknowledged_is_there(database: Database) -> None:
    random, acknowledged = Random(7), 0
    for begin_of_log in range(0, ROUNDS, A_LOG):
        log, known = replace(database, schema=f"{database.schema}-{begin_of_log}", seen=[]), dict[int, str]()
        for epoch in range(1, min(A_LOG, ROUNDS - begin_of_log) + 1):
            process = begin(log, epoch)
            assert (await asyncio.to_thread(lines_of, process, 1))[0].startswith("open")
            await asyncio.sleep(random.uniform(0, 0.15))
            process.kill()
            known |= appending.acknowledged((await asyncio.to_thread(process.communicate))[0])
            await (await asyncio.to_thread(reopened, log, epoch)).close()
        assert log.looked_at().findings == ()
        assert known.items() <= log.digests().items()
        acknowledged += len(known)
    print(f"{ROUNDS} processes were killed, {acknowledged} records acknowledged, and all are there")
    assert acknowledged, "something was acknowledged"


async def test_what_was_acknowledged_before_the_server_was_killed_is_there(database: Database) -> None:
    """And whoever appended goes on when it is back."""
    log, known, down = database.opened(patience=QUICK), dict[int, str](), 0
    random, stopped = Random(7), asyncio.Event()

    async def appends() -> None:
        nonlocal down
        while not stopped.is_set():
            try:
                receipts = await asyncio.gather(*(log.append(content(number), 1) for number in range(5)))
            except StoreDown:
                down += 1
                await asyncio.sleep(0.05)
            else:
                known.update((each.sequence, each.digest) for each in receipts)

    working = asyncio.create_task(appends())
    for _ in range(CRASHES):
        await asyncio.sleep(random.uniform(0.1, 0.5))
        await asyncio.to_thread(database.server.crash)
    before = len(known)
    await asyncio.sleep(0.5)
    stopped.set()
    await working
    await log.close()
    assert len(known) > before > 0
    assert down, "it was noticed"
    assert known.items() <= database.digests().items()
    report = database.looked_at()
    assert (report.findings, report.size) == ((), len(log))
    # What append could not tell of, and was there all the same, is given to who reads.
    assert set(range(len(log))) == known.keys() | set(database.seen)


LOST = {
    "before the server had it": ("lose", 0.0),
    "after it was done": ("cut", 0.0),
    "on its way, and it is done while the next connection looks": ("hold", 0.3),
    "on its way, and it comes when the server has given it up": ("hold", 1.2),
}


@pytest.mark.parametrize(("how", "comes"), LOST.values(), ids=LOST)
async def test_a_commit_whose_answer_is_lost_is_looked_for_and_counts_once(
    how: str, comes: float, database: Database, wire: Wire
) -> None:
    log = database.opened(1, database.conninfo(wire.directory), QUICK)
    await log.append(content(0), 1)
    wire.on_commit = how
    later = threading.Timer(comes, wire.release.set)
    later.start()
    receipt = await log.append(content(1), 1)
    assert wire.on_commit == "pass", "one was caught"
    await asyncio.to_thread(later.join)
    assert (await log.append(content(2), 1)).sequence == 2
    await log.close()
    assert database.digests()[1] == receipt.digest
    assert (database.looked_at().findings, database.looked_at().size) == ((), 3)
    assert database.seen == [], "append told of all of it"


@pytest.mark.parametrize("reads", [True, False], ids=["and who reads is given it", "and nobody reads"])
async def test_what_could_not_be_told_and_is_there_counts_when_the_server_is_back(
    reads: bool, database: Database, wire: Wire
) -> None:
    more: dict[str, Any] = {} if reads else {"read": None}
    log = database.opened(1, database.conninfo(wire.directory), QUICK, **more)
    await log.append(content(0), 1)
    wire.on_commit, wire.refuses = "cut", True
    for _ in range(2):
        with pytest.raises(StoreDown, match="cannot be had"):
            await log.append(content(1), 1)
    wire.refuses = False
    assert (await log.append(content(2), 1)).sequence == 2
    await log.close()
    assert database.seen == ([1] if reads else [])
    assert (database.looked_at().findings, database.looked_at().size) == ((), 3)


async def test_what_could_not_be_told_and_is_not_there_does_not_count(database: Database, wire: Wire) -> None:
    log = database.opened(1, database.conninfo(wire.directory), QUICK)
    await log.append(content(0), 1)
    wire.on_commit, wire.refuses = "lose", True
    with pytest.raises(StoreDown):
        await log.append(content(1), 1)
    wire.refuses = False
    assert (await log.append(content(2), 1)).sequence == 1
    await log.close()
    assert (database.looked_at().findings, database.looked_at().size, database.seen) == ((), 2, [])


async def test_a_connection_that_was_ended_between_two_records_is_made_anew(database: Database) -> None:
    log = database.opened(1)
    await log.append(content(0), 1)
    database.did(f"SELECT pg_terminate_backend({database.backend()}, 5000)")
    assert (await log.append(content(1), 1)).sequence == 1
    await log.close()


# A server that does not answer.


@contextlib.contextmanager
def stopped(pid: int) -> Generator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_server_that_hangs_is_told_within_seconds(database: Database) -> None:
    log = database.opened(1, patience=QUICK)
    await log.append(content(0), 1)
    began = time.monotonic()
    with stopped(database.backend()), pytest.raises(StoreDown, match=r"no answer within 1\.5 s"):
        await log.append(content(1), 1)
    assert QUICK <= time.monotonic() - began < QUICK + 2
    assert (await log.append(content(2), 1)).sequence == 1
    await log.close()
    assert (database.looked_at().findings, database.looked_at().size) == ((), 2)


def test_a_server_that_takes_connections_and_says_nothing_is_told_within_seconds(database: Database) -> None:
    began = time.monotonic()
    with stopped(database.server.pid), pytest.raises(StoreDown, match="timeout"):
        database.opened(1, patience=QUICK)
    assert time.monotonic() - began < QUICK + 3


async def test_a_head_that_somebody_keeps_locked_is_told_within_seconds(database: Database) -> None:
    log = database.opened(1, patience=QUICK)
    with psycopg.connect(database.server.conninfo()) as other:
        other.execute(sql.SQL("SELECT FROM {}.head FOR UPDATE").format(sql.Identifier(database.schema)))
        began = time.monotonic()
        with pytest.raises(StoreDown, match="lock timeout"):
            await log.append(content(0), 1)
        assert time.monotonic() - began < QUICK + 1
    assert (await log.append(content(0), 1)).sequence == 0
    await log.close()


async def test_what_the_server_is_still_busy_with_is_ended_so_that_the_next_record_is_taken(database: Database) -> None:
    log = database.opened(1, patience=QUICK)
    slow = (
        "CREATE OR REPLACE FUNCTION {schema}.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %s RETURN NEW; END $$"
    )
    database.did(slow % "PERFORM pg_sleep(60);")
    database.did("CREATE TRIGGER slow BEFORE INSERT ON {schema}.batch FOR EACH ROW EXECUTE FUNCTION {schema}.slow()")
    with pytest.raises(StoreDown):
        await log.append(content(0), 1)
    database.did(slow % "")
    assert (await log.append(content(1), 1)).sequence == 0
    await log.close()


@contextlib.contextmanager
def without_its_standby(database: Database) -> Generator[None]:
    """A commit waits for a standby that is not there."""
    with psycopg.connect(database.server.conninfo(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'nowhere'")
        connection.execute("SELECT pg_reload_conf()")
        try:
            until = time.monotonic() + 10
            while connection.execute("SHOW synchronous_standby_names").fetchone() != ("nowhere",):
                assert time.monotonic() < until
            time.sleep(0.2)  # The other processes of the server have it as well.
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")


HASTY = "-c synchronous_commit=off -c statement_timeout=300 -c default_transaction_isolation=serializable"


async def test_what_no_standby_has_is_not_acknowledged_whatever_the_server_s_defaults_are(database: Database) -> None:
    log = database.opened(1, database.conninfo(options=HASTY), QUICK)
    with without_its_standby(database), pytest.raises(StoreDown, match="no answer within"):
        await log.append(content(0), 1)
    assert (await log.append(content(1), 1)).sequence == 1
    await log.close()
    assert database.seen == [0]


async def test_a_wait_for_a_standby_that_somebody_breaks_off_acknowledges_nothing(database: Database) -> None:
    log = database.opened(1)
    with without_its_standby(database):
        waits = asyncio.create_task(log.append(content(0), 1))
        await asyncio.sleep(0.5)
        database.did(f"SELECT pg_cancel_backend({database.backend()})")
        with pytest.raises(StoreDown, match="canceling wait for synchronous replication"):
            await waits
    assert (await log.append(content(1), 1)).sequence == 1
    await log.close()
    assert database.seen == [0]


async def test_who_waited_for_the_head_goes_on_with_what_it_finds_then(database: Database) -> None:
    """Also where the server's default would have it refused, as not serializable."""
    log = database.opened(1, database.conninfo(options=HASTY))
    with psycopg.connect(database.server.conninfo()) as other:
        other.execute(sql.SQL("UPDATE {}.head SET one = true").format(sql.Identifier(database.schema)))
        waits = asyncio.create_task(log.append(content(0), 1))
        await asyncio.sleep(0.3)
    assert (await waits).sequence == 0
    await log.close()


# What was done to the tables.


async def test_a_remark_of_the_server_that_is_no_warning_is_none(database: Database) -> None:
    log = database.opened(1)
    database.did(
        "CREATE FUNCTION {schema}.says() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'hello'; RETURN NEW; END $$;"
        "CREATE TRIGGER says BEFORE INSERT ON {schema}.batch FOR EACH ROW EXECUTE FUNCTION {schema}.says()"
    )
    await log.append(content(0), 1)
    await log.close()


CHANGES = {
    "a batch is changed": "UPDATE {schema}.batch SET lines = ''",
    "one is deleted": "DELETE FROM {schema}.batch WHERE first = 3",
    "all are": "TRUNCATE {schema}.batch",
    "the head is deleted": "DELETE FROM {schema}.head",
    "the head is taken away": "TRUNCATE {schema}.head",
    "the head goes back": "UPDATE {schema}.head SET size = 3",
    "its term does": "UPDATE {schema}.head SET epoch = 0",
}


@pytest.mark.parametrize("statement", CHANGES.values(), ids=CHANGES)
async def test_the_database_itself_refuses_that(statement: str, database: Database) -> None:
    await write(database, 3, 2)
    with pytest.raises(psycopg.errors.RaiseException, match="never changed or deleted"):
        database.did(statement)
    assert (database.looked_at().findings, database.looked_at().size) == ((), 5)


async def test_a_role_that_may_only_append_is_enough_once_the_schema_is_made(database: Database) -> None:
    """The schema may be made by a database's administrator, for a role that can make none."""
    owner, role = f"{database.schema} owner", f"{database.schema} role"
    database.did(f'CREATE ROLE "{owner}" LOGIN; CREATE ROLE "{role}" LOGIN')
    database.did(f'CREATE SCHEMA {{schema}} AUTHORIZATION "{owner}"')
    await database.opened(1, database.server.conninfo(user=owner)).close()
    database.did(
        f'GRANT USAGE ON SCHEMA {{schema}} TO "{role}"; GRANT SELECT, INSERT ON {{schema}}.batch TO "{role}";'
        f'GRANT SELECT, UPDATE ON {{schema}}.head TO "{role}"'
    )
    log = database.opened(2, database.server.conninfo(user=role))
    await log.append(content(0), 2)
    await log.close()
    assert database.looked_at().size == 1
    for statement in (
        *list(CHANGES.values())[:5],
        "DROP TABLE {schema}.batch",
        "ALTER TABLE {schema}.batch DISABLE TRIGGER ALL",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.did(statement, user=role)


TAMPERED = {
    "a byte of a record is changed": (
        "UPDATE {schema}.batch SET lines = set_byte(lines, 100, get_byte(lines, 100) # 1) WHERE first = 3",
        "batch 3:1, which is to be record 3",
    ),
    "a batch is missing": (
        "DELETE FROM {schema}.batch WHERE first = 3",
        "records 3 to 4 are missing at the end of batch 0",
    ),
    "one is in another place": (
        "UPDATE {schema}.batch SET first = 7 WHERE first = 3",
        r"record 3 \(batch 7:1\) stands after record 5",
    ),
    "the last one is": ("DELETE FROM {schema}.batch WHERE first = 5", "it has 5 records, and its head is of 6"),
    "all are": ("DELETE FROM {schema}.batch", "it has 0 records, and its head is of 6"),
    "the head is of fewer": ("UPDATE {schema}.head SET size = 5", "it has 6 records, and its head is of 5"),
    "the head is of others": ("UPDATE {schema}.head SET root = 'x'", "its head is of other ones"),
    "the head is missing": ("DELETE FROM {schema}.head", "its head is missing"),
}


@pytest.mark.parametrize(("statement", "says"), TAMPERED.values(), ids=TAMPERED)
async def test_what_a_superuser_did_is_found_by_who_opens_the_log(
    statement: str, says: str, database: Database
) -> None:
    await write(database, 3, 2, 1)
    database.did(statement, by_force=True)
    with pytest.raises(LogDamaged, match=says):
        database.opened(2)


BACK = "DELETE FROM {schema}.batch WHERE first = 5; UPDATE {schema}.head SET size = 5, root = decode('%s', 'hex')"


async def test_a_tail_that_was_cut_with_its_head_is_found_by_what_a_member_kept(database: Database) -> None:
    log = database.opened(1)
    await log.append_all([content(number) for number in range(5)], 1)
    root = parsed(log.note()).checkpoint.root
    await log.append(content(5), 1)
    kept = Witnessed("sg", log.note())
    await log.close()
    database.did(BACK % root.hex(), by_force=True)
    assert database.looked_at().findings == (), "nothing in the database itself tells"
    with pytest.raises(LogDamaged, match="sg kept a checkpoint of 6"):
        database.opened(2, witnesses=[kept])


WENT_BACK = {
    "while the connection lasts": (BACK, False),
    "and the connection is lost": (BACK, True),
    "to before this process opened it": (f"{BACK}, epoch = 0, holder = 'before'", True),
    "and other records are in its place": ("UPDATE {schema}.head SET root = decode('00%s', 'hex')", True),
}


@pytest.mark.parametrize(("statement", "lost"), WENT_BACK.values(), ids=WENT_BACK)
async def test_a_server_that_has_less_than_was_acknowledged_is_not_written_to(
    statement: str, lost: bool, database: Database
) -> None:
    """As a standby that lagged behind the one whose place it took."""
    log = database.opened(1)
    await log.append_all([content(number) for number in range(5)], 1)
    root = parsed(log.note()).checkpoint.root
    await log.append(content(5), 1)
    database.did(statement % root.hex(), by_force=True)
    if lost:
        database.did(f"SELECT pg_terminate_backend({database.backend()}, 5000)")
    before = database.segments()
    for _ in range(2):
        with pytest.raises(LogDamaged, match="and 6 were kept there"):
            await log.append(content(6), 1)
    await log.close()
    assert database.segments() == before


async def test_who_only_reads_has_all_of_it_and_takes_it_from_nobody(database: Database) -> None:
    log = database.opened()
    for number in range(70):  # More than are read at a time.
        await log.append(content(number), 1)
    found = list(batches(database.conninfo(), database.schema))
    assert verify(ORIGIN, found, keys.by_id([OURS.public])).size == 70
    await log.append(content(70), 1)
    await log.close()


def test_a_log_that_is_not_there_cannot_be_read(database: Database) -> None:
    with pytest.raises(StoreDown, match="cannot be read"):
        list(batches(database.conninfo(), "elsewhere"))
