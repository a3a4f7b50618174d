"""Records that are removed from where a log is kept, in files and in a database: that is on record first, and whatever ends it, the log is in
order and the next process goes on with it."""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import psycopg
import pytest
from psycopg import sql

from domicile.evidence import dsse, homes, keys
from domicile.evidence.checkpoint import parsed
from domicile.evidence.findings import Report, Segment, Witnessed
from domicile.evidence.homes import Files
from domicile.evidence.postgres import Postgres, Table
from domicile.evidence.postgres.connection import Connection
from domicile.evidence.ranges import Ranges
from domicile.evidence.records import ELSEWHERE, Content, NotRecordable, Place
from domicile.evidence.segments import Segments
from domicile.evidence.storage import Home, LogDamaged, StaleEpoch, Storage, StoreDown
from domicile.evidence.store import Log, open_log
from domicile.evidence.verifying import verify
from evidence.logs import ORIGIN, OURS, written
from evidence.postgresql import Server

WHY = {"why": "Retention"}


class Kept(Protocol):
    """Where the tests keep a log."""

    def storage(self) -> Storage: ...

    def segments(self) -> list[Segment]: ...

    def home(self) -> Home: ...

    def there(self) -> list[bytes]:
        """What is kept in the home."""
        ...


@dataclass
class Directory:
    path: Path

    def storage(self) -> Segments:
        return Segments(self.path / "log", 9_000)  # Several files.

    def segments(self) -> list[Segment]:
        return [Segment(path.name, path.read_bytes()) for path in sorted((self.path / "log").glob("*.jsonl"))]

    def home(self) -> Files:
        return Files(self.path / "sg")

    def there(self) -> list[bytes]:
        return list(homes.kept(self.path / "sg" / homes.NAME))


@dataclass
class Database:
    address: str

    def storage(self) -> Postgres:
        return Postgres(self.address, 9)

    def segments(self) -> list[Segment]:
        with psycopg.connect(self.address) as connection:
            rows = connection.execute("SELECT first, lines FROM domicile_evidence.batch ORDER BY first").fetchall()
        return [Segment(f"batch {first}", lines) for first, lines in rows]

    def home(self) -> Table:
        return Table(self.address)

    def there(self) -> list[bytes]:
        with contextlib.closing(Table(self.address)) as table:
            return list(table.kept())


@pytest.fixture(params=["files", "database"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "files":
        yield Directory(tmp_path)
        return
    server: Server = request.getfixturevalue("server")
    name = sql.Identifier(f"removing-{os.getpid()}")
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield Database(server.conninfo(dbname=f"removing-{os.getpid()}"))
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def said(number: int) -> Content:
    return Content(
        "Placed", "SovereignModel/retail-banking/fraud-scorer", f"sha256:{0:064x}", {"said": f"it {number}!"}
    )


def opened(storage: Storage, homes: Mapping[str, Home] | None = None, **more: object) -> Log:
    return open_log(storage, ORIGIN, OURS, lambda: datetime.now(UTC), homes=homes, **more)  # type: ignore[arg-type]


async def write(kept: Kept, count: int = 40) -> None:
    log = opened(kept.storage())
    for number in range(0, count, 2):
        await log.append_all([said(number), said(number + 1)], 9)
    await log.close()


def looked_at(segments: Iterable[Segment], *notes: str, apart: Mapping[str, list[bytes]] | None = None) -> Report:
    witnesses = [Witnessed("member", note) for note in notes]
    return verify(ORIGIN, segments, keys.by_id([OURS.public]), witnesses, apart=apart)


def shown(segments: Iterable[Segment]) -> set[int]:
    """Which of what was said can still be read."""
    lines = [line for each in segments for line in each.content.splitlines() if line.startswith(b'{"payload"')]
    text = b"".join(dsse.parsed(line).payload for line in lines)
    return {number for number in range(100) if b'"it %d!"' % number in text}


async def test_what_is_removed_is_gone_and_the_log_is_in_order(kept: Kept) -> None:
    await write(kept)
    log = opened(kept.storage())
    before, gone = log.note(), ((0, 7), (13, 14), (20, 38))
    await log.remove(gone, WHY, 9)
    assert (await log.append(said(99), 9)).sequence == 41  # It goes on at once.
    await log.close()
    assert shown(kept.segments()) == {*range(7, 13), *range(14, 20), 38, 39, 99}
    report = looked_at(kept.segments(), before)
    assert (report.findings, report.size, report.removed, report.witnessed) == ((), 42, 26, (("member", 40),))
    read: list[Place] = []
    again = opened(kept.storage(), read=lambda _, place: read.append(place))
    assert [place.sequence for place in read] == [*range(7, 13), *range(14, 20), *range(38, 42)]
    assert parsed(again.note()).checkpoint.root == report.root
    await again.append(said(98), 9)
    await again.close()
    assert looked_at(kept.segments()).findings == ()


async def test_it_takes_less_room(kept: Kept) -> None:
    await write(kept)
    before = sum(len(each.content) for each in kept.segments())
    log = opened(kept.storage())
    await log.remove(((0, 38),), WHY, 9)
    await log.close()
    assert sum(len(each.content) for each in kept.segments()) < before / 2


async def test_only_what_was_there_is_removed(kept: Kept) -> None:
    await write(kept, 4)
    log = opened(kept.storage())
    await log.append(said(4), 9)
    for gone in (((0, 5),), ((-1, 2),)):
        with pytest.raises(ValueError, match="there were 4 records, and not those"):
            await log.remove(gone, WHY, 9)
    await log.close()
    assert shown(kept.segments()) == set(range(5))


async def test_what_nobody_may_record_nobody_removes(kept: Kept) -> None:
    """Another process opened the log meanwhile: in files it has to wait for this one."""
    await write(kept, 4)
    log = opened(kept.storage())
    try:
        await opened(kept.storage()).close()
    except StoreDown:
        assert isinstance(kept, Directory)
        await log.close()
        return
    with pytest.raises(StaleEpoch):
        await log.remove(((0, 2),), WHY, 9)
    await log.close()
    assert shown(kept.segments()) == set(range(4))


async def test_who_died_before_all_of_it_was_gone_is_followed_by_somebody_who_goes_on(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(kept)
    storage = kept.storage()
    log = opened(storage)
    monkeypatch.setattr(storage, "withhold", _dies)
    with pytest.raises(StoreDown, match="killed"):
        await log.remove(((0, 20),), WHY, 9)
    await log.close()
    report = looked_at(kept.segments())
    assert (report.findings, report.removed, report.register.still_shown()) == ((), 0, ((0, 20),))
    log = opened(kept.storage())
    await log.remove(((0, 20),), WHY, 9)
    size = len(log)
    await log.close()
    assert size == 41  # Nothing is said twice.
    assert shown(kept.segments()) == set(range(20, 40))


def _dies(gone: Ranges) -> None:
    if gone:
        raise StoreDown("killed")


async def test_who_may_not_do_it_does_not_say_that_it_is_done(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    await write(kept)
    storage = kept.storage()
    log = opened(storage)
    monkeypatch.setattr(storage, "withhold", _refuses)
    with pytest.raises(StoreDown):
        await log.remove(((0, 20),), WHY, 9)
    await log.close()
    assert looked_at(kept.segments()).size == 40


async def test_who_does_not_own_the_tables_does_not_say_that_it_is_done(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE owned")
        owners = Database(server.conninfo(dbname="owned"))
        await write(owners)
        with psycopg.connect(owners.address) as connection:
            for grant in (
                "CREATE ROLE appends LOGIN",
                "GRANT USAGE ON SCHEMA domicile_evidence TO appends",
                "GRANT SELECT, INSERT ON domicile_evidence.batch TO appends",
                "GRANT SELECT, UPDATE ON domicile_evidence.head TO appends",
            ):
                connection.execute(grant)
        log = opened(Database(server.conninfo(dbname="owned", user="appends")).storage())
        with pytest.raises(StoreDown, match="must be owner of table batch"):
            await log.remove(((0, 20),), WHY, 9)
        await log.append(said(99), 9)
        await log.close()
        report = looked_at(owners.segments())
        assert (report.findings, report.size, report.removed) == ((), 41, 0)
        admin.execute("DROP DATABASE owned WITH (FORCE)")
        admin.execute("DROP ROLE appends")


async def test_many_ranges_are_told_in_several_records(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domicile.evidence.store._RANGES", 3)
    await write(kept)
    log = opened(kept.storage())
    await log.remove(tuple((each, each + 1) for each in range(0, 20, 2)), WHY, 9)
    await log.close()
    report = looked_at(kept.segments())
    assert (report.findings, report.size, report.removed) == ((), 44, 10)


async def test_a_file_that_is_replaced_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each step of it the disk fails, and the log is as it was written."""
    kept = Directory(tmp_path)
    await write(kept)
    before = len(list((tmp_path / "log").glob("*.jsonl")))
    assert before > 1
    real = os.fsync
    for step in range(2 * before):
        storage = kept.storage()
        log = opened(storage)
        calls = iter(range(1_000))

        def failing(file: int, calls: Iterator[int] = calls, step: int = step) -> None:
            if next(calls) == step + 1:  # The first is of the record that says so.
                raise OSError("I/O error")
            real(file)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", failing)
            with pytest.raises(StoreDown, match="I/O error"):
                await log.remove(((0, 38),), WHY, 9)
        await log.close()
        assert looked_at(kept.segments()).findings == ()
    log = opened(kept.storage())
    await log.remove(((0, 38),), WHY, 9)
    await log.close()
    assert not {*range(38)} & shown(kept.segments())


async def test_what_was_never_acknowledged_goes_as_well(tmp_path: Path) -> None:
    kept = Directory(tmp_path)
    await write(kept)
    last = kept.segments()[-1].name
    with (tmp_path / "log" / last).open("ab") as file:
        file.write(b'{"payload":"a name, maybe')
    await opened(kept.storage()).close()
    assert list((tmp_path / "log").glob("*.torn-*"))
    log = opened(kept.storage())
    await log.remove(((0, 2),), WHY, 9)
    await log.close()
    assert not list((tmp_path / "log").glob("*.torn-*"))


async def test_a_file_that_somebody_changed_meanwhile_is_not_touched(tmp_path: Path) -> None:
    kept = Directory(tmp_path)
    await write(kept)
    log = opened(kept.storage())
    first = tmp_path / "log" / kept.segments()[0].name
    first.write_bytes(b"{}\n" + first.read_bytes())
    with pytest.raises(LogDamaged, match=f"{first.name}: it is no envelope"):
        await log.remove(((0, 2),), WHY, 9)
    await log.close()
    assert first.read_bytes().startswith(b"{}\n{")


# What is kept elsewhere.


def apart(*numbers: int, home: str = "SG") -> list[Content]:
    details = [Content("Values", "Values", f"sha256:{0:064x}", {"said": f"it {each}!"}, home) for each in numbers]
    return [Content(ELSEWHERE, "Values", f"sha256:{0:064x}", {"home": home, "next": len(details)}), *details]


async def test_what_is_kept_elsewhere_is_not_here(kept: Kept) -> None:
    log = opened(kept.storage(), {"SG": kept.home()})
    receipts = await log.append_all([said(0), *apart(1, 2), said(3)], 9)
    await asyncio.gather(log.append_all([*apart(4), said(5)], 9), log.append(said(6), 9))
    await log.close()
    assert [each.sequence for each in receipts] == [0, 1, 2, 3, 4]
    assert shown(kept.segments()) == {0, 3, 5, 6}
    there = kept.there()
    assert shown([Segment("sg", b"".join(line + b"\n" for line in there))]) == {1, 2, 4}
    report = looked_at(kept.segments())
    assert (report.findings, report.elsewhere) == ((), (("SG", 3),))
    whole = looked_at(kept.segments(), apart={"SG": there})
    assert (whole.findings, whole.elsewhere, whole.root) == ((), (), report.root)
    again = opened(kept.storage())
    await again.append(said(7), 9)
    await again.close()
    assert looked_at(kept.segments()).findings == ()


NOT_SO = {
    "nothing says so": [said(0), *apart(1)[1:], said(2)],
    "it says so of more": [*apart(1, 2)[:2], said(3)],
    "of none": [Content(ELSEWHERE, "Values", f"sha256:{0:064x}", {"home": "SG", "next": 1}), said(1)],
    "they stand last": [said(0), *apart(1)],
    "nobody knows that place": [*apart(1, home="PH"), said(2)],
}


@pytest.mark.parametrize("contents", NOT_SO.values(), ids=NOT_SO)
async def test_what_is_to_be_kept_elsewhere_is_announced_and_followed(contents: list[Content], tmp_path: Path) -> None:
    kept = Directory(tmp_path)
    log = opened(kept.storage(), {"SG": kept.home()})
    with pytest.raises(NotRecordable):
        await log.append_all(contents, 9)
    await log.close()
    assert len(log) == 0


async def test_while_nothing_can_be_kept_there_nothing_is_recorded(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    home = kept.home()
    log = opened(kept.storage(), {"SG": home})
    await log.append(said(0), 9)
    with monkeypatch.context() as patch:
        patch.setattr(home, "keep", _refuses)
        with pytest.raises(StoreDown, match="gone fishing"):
            await log.append_all([*apart(1), said(2)], 9)
    await log.append_all([*apart(3), said(4)], 9)
    await log.close()
    assert (looked_at(kept.segments(), apart={"SG": kept.there()}).findings, shown(kept.segments())) == ((), {0, 4})


def _refuses(lines: object) -> None:
    raise StoreDown("gone fishing")


async def test_what_the_log_could_not_take_may_stay_there(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = kept.storage()
    log = opened(storage, {"SG": kept.home()})
    with monkeypatch.context() as patch:
        patch.setattr(storage, "append", _refuses)
        with pytest.raises(StoreDown):
            await log.append_all([*apart(1), said(2)], 9)
    await log.append_all([*apart(3), said(4)], 9)
    await log.close()
    assert len(kept.there()) == 2
    assert looked_at(kept.segments(), apart={"SG": kept.there()}).findings == ()


async def test_what_is_removed_goes_there_too(kept: Kept) -> None:
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.append_all([*apart(1, 2), said(3), *apart(4), said(5)], 9)
    await log.close()
    log = opened(kept.storage())
    with pytest.raises(StoreDown, match="2 of the records are kept in SG, and where that is was not given"):
        await log.remove(((0, 4),), WHY, 9)
    assert len(log) == 7
    await log.close()
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.remove(((0, 4),), WHY, 9)
    await log.close()
    assert shown([Segment("sg", b"".join(line + b"\n" for line in kept.there()))]) == {4}
    report = looked_at(kept.segments(), apart={"SG": kept.there()})
    assert (report.findings, report.removed, shown(kept.segments())) == ((), 4, {5})


async def test_of_many_batches_some_are_written_anew(kept: Kept) -> None:
    log = opened(kept.storage())
    for number in range(80):
        await log.append(said(number), 9)
    await log.close()
    log = opened(kept.storage())
    await log.remove(((3, 5), (70, 71)), WHY, 9)
    await log.remove(((3, 5),), WHY, 9)
    await log.close()
    report = looked_at(kept.segments())
    assert (report.findings, report.removed) == ((), 3)
    assert shown(kept.segments()) == {*range(80)} - {3, 4, 70}


async def test_a_tail_of_withheld_records_that_was_never_acknowledged_is_put_aside(tmp_path: Path) -> None:
    kept = Directory(tmp_path)
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.append_all([*apart(1), said(2)], 9)
    await log.close()
    (segment,) = kept.segments()
    path = tmp_path / "log" / segment.name
    path.write_bytes(b"".join(segment.content.splitlines(keepends=True)[:-1]))  # Without its checkpoint.
    log = opened(kept.storage())
    assert len(log) == 0
    await log.close()


async def test_a_batch_that_somebody_changed_meanwhile_is_not_touched(server: Server) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE changed")
        kept = Database(server.conninfo(dbname="changed"))
        await write(kept)
        log = opened(kept.storage())
        with psycopg.connect(kept.address) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("UPDATE domicile_evidence.batch SET lines = '{}\n' || lines WHERE first = 2")
        with pytest.raises(LogDamaged, match="is not as it was written: it is no envelope"):
            await log.remove(((0, 4),), WHY, 9)
        await log.close()
        admin.execute("DROP DATABASE changed WITH (FORCE)")


async def test_what_the_server_warns_of_is_not_kept_for_certain(server: Server) -> None:
    """Such as that it did not wait for its standbys."""
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE warned")
        address = server.conninfo(dbname="warned")
        with contextlib.closing(Table(address)) as table:
            table.keep([])
            with psycopg.connect(address) as connection:
                connection.execute(
                    "CREATE FUNCTION warn() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE WARNING 'nobody else has it'; RETURN NEW; END $$"
                )
                connection.execute(
                    "CREATE TRIGGER warns BEFORE INSERT ON domicile_evidence_kept.line"
                    " FOR EACH ROW EXECUTE FUNCTION warn()"
                )
            with pytest.raises(StoreDown, match="nobody else has it"):
                table.keep(written(1).lines[:1])
        admin.execute("DROP DATABASE warned WITH (FORCE)")


async def test_where_nothing_of_it_is_kept_elsewhere_nothing_goes_there(kept: Kept) -> None:
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.append_all([said(0), *apart(1), said(2)], 9)
    await log.close()
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.remove(((0, 1),), WHY, 9)
    await log.close()
    assert (len(kept.there()), shown(kept.segments())) == (1, {2})


def test_what_was_put_aside_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "00000000000000000000.torn-1").write_bytes(b"older")
    (tmp_path / "log" / "00000000000000000000.jsonl").write_bytes(b"{half")
    log = opened(Directory(tmp_path).storage())
    asyncio.run(log.close())
    assert {each.name[-6:] for each in (tmp_path / "log").glob("*.torn-*")} == {"torn-1", "torn-2"}


async def test_a_line_beside_the_genuine_one_is_passed_over(kept: Kept) -> None:
    """Who can write where details are kept may put lines there, and cannot make a log look damaged by it."""
    log = opened(kept.storage(), {"SG": kept.home()})
    await log.append_all([*apart(1), said(2)], 9)
    await log.close()
    (line,) = kept.there()
    bad = dsse.Envelope(dsse.parsed(line).payload, (dsse.Signature(OURS.public.keyid, b"no"),)).line()
    for there in ([line, bad], [bad, line]):
        assert looked_at(kept.segments(), apart={"SG": there}).findings == ()


def test_what_was_cut_off_there_harms_nothing_that_follows(tmp_path: Path) -> None:
    home, path = Files(tmp_path), tmp_path / homes.NAME
    home.keep([b"one"])
    with path.open("ab") as file:
        file.write(b"\n{half")
    home.keep([b"two"])
    assert list(homes.kept(path)) == [b"one", b"{half", b"two"]
    home.remove([b"\0" * 32])
    assert list(homes.kept(path)) == [b"one", b"{half", b"two"]


def test_a_disk_that_is_full_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, path = Files(tmp_path), tmp_path / homes.NAME
    home.keep([b"one"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with pytest.raises(StoreDown, match=r"kept.jsonl cannot be written: .*full"):
            home.keep([b"two"])
    assert list(homes.kept(path)) == [b"one"]
    nothing = Files(tmp_path / "nothing")
    nothing.remove([b"\0" * 32])
    assert list(nothing.kept()) == []


def _full(file: int) -> None:
    raise OSError(28, "full")


async def test_who_writes_after_it_was_read_asks_for_a_server_that_can_be_written_to(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorts = list[str]()
    made = Connection.made.__func__

    def noted(cls: type[Connection], conninfo: str, patience: float, sort: str = "read-write") -> Connection:
        sorts.append(sort)
        return made(cls, conninfo, patience, sort)

    monkeypatch.setattr(Connection, "made", classmethod(noted))
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE turned")
        with contextlib.closing(Table(server.conninfo(dbname="turned"))) as table:
            table.keep(written(1).lines[:1])
            assert len(list(table.kept())) == 1
            table.remove(())
        admin.execute("DROP DATABASE turned WITH (FORCE)")
    assert sorts == ["read-write", "any", "read-write"]


def test_a_database_that_cannot_be_had_is_told() -> None:
    for what in (lambda home: home.keep([]), lambda home: home.remove([]), lambda home: list(home.kept())):
        with pytest.raises(StoreDown, match="of PostgreSQL cannot be had"):
            what(Table("host=127.0.0.1 port=1", patience=2))
