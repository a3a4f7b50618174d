"""`domicile audit fetch`: a log in a database, as a file that is read offline."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.conninfo import conninfo_to_dict

from cli import audited
from domicile.cli.main import main
from domicile.controller.opening import Signing, opening
from domicile.evidence import keyfile
from domicile.evidence.postgres import Postgres
from domicile.evidence.store import open_log
from evidence.logs import ORIGIN, OURS, Writer, content
from evidence.postgresql import Server


@pytest.fixture
def address(server: Server) -> Iterator[str]:
    """Of a database of its own."""
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE fetched")
        said = conninfo_to_dict(server.conninfo(dbname="fetched"))
        yield f"postgresql:///{said.pop('dbname')}?{urlencode(said)}"
        admin.execute("DROP DATABASE fetched WITH (FORCE)")


def audit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


async def test_what_is_fetched_is_the_log(address: str, tmp_path: Path) -> None:
    log = open_log(Postgres(address, 1), ORIGIN, OURS, lambda: datetime.now(UTC))
    await log.append_all([content(number) for number in range(3)], 1)
    await log.close()
    file, key = tmp_path / "log.jsonl", tmp_path / "key.pem"
    key.write_text(keyfile.pem(OURS.public))
    assert audit("fetch", "--evidence", address, "--to", file).exit_code == 0
    assert f"{ORIGIN}: 3 records" in audit("verify", file, "--key", key).stdout


def test_a_log_that_cannot_be_had_leaves_no_file(address: str, tmp_path: Path) -> None:
    result = audit("fetch", "--evidence", address, "--to", tmp_path / "log.jsonl")
    assert (result.exit_code, list(tmp_path.iterdir())) == (1, [])
    assert "cannot be read" in result.stderr


def test_a_file_that_is_there_is_kept(address: str, tmp_path: Path) -> None:
    (there := tmp_path / "log.jsonl").write_text("mine")
    result = audit("fetch", "--evidence", address, "--to", there)
    assert (result.exit_code, there.read_text()) == (1, "mine")


async def test_what_is_kept_in_a_region_is_fetched_and_pruned_too(address: str, tmp_path: Path) -> None:
    files = await audited.decided_in_sg(tmp_path, address, address)
    key = audited.private(tmp_path)
    given = ("--evidence", address, "--evidence-key", key, "--evidence-region", f"SG={address}")
    (rules := tmp_path / "rules.yaml").write_text("keepDays: 1")
    result = await asyncio.to_thread(audit, "prune", *given, "--rules", rules)
    assert (result.exit_code, result.stderr) == (0, "")
    log, sg = tmp_path / "log.jsonl", tmp_path / "sg.jsonl"
    for file, more in ((log, ()), (sg, ("--region",))):
        assert audit("fetch", "--evidence", address, "--to", file, *more).exit_code == 0
    replayed = audit("replay", log, "--key", files.key, "--region", f"SG={sg}")
    assert (replayed.exit_code, replayed.stderr) == (0, "")


def test_where_a_database_has_no_log_nothing_is_pruned(address: str, tmp_path: Path) -> None:
    (rules := tmp_path / "rules.yaml").write_text("keepDays: 1")
    key = audited.private(tmp_path)
    given = ("prune", "--evidence", address, "--evidence-key", key, "--rules", rules)
    assert "cannot be read" in audit(*given).stderr
    where = opening(address, Signing(key), lambda: datetime.now(UTC))
    asyncio.run(where("x", 1, lambda *_: None).close())
    assert "there is no log with a record" in audit(*given).stderr
    with psycopg.connect(address) as connection:
        connection.execute("INSERT INTO domicile_evidence.batch (first, lines) VALUES (0, %b)", (content_of_nothing(),))
        connection.execute("ALTER TABLE domicile_evidence.head DISABLE TRIGGER kept")
        connection.execute("DELETE FROM domicile_evidence.head")
    assert audit(*given).exit_code == 1


def content_of_nothing() -> bytes:
    """A line of a log that is of some hub."""
    writer = Writer()
    writer.batch(1)
    return b"".join(line + b"\n" for line in writer.lines)
