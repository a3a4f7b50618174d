"""`domicile audit fetch`: a log in a database, as a file that is read offline."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from domicile.cli.main import main
from domicile.evidence import keyfile
from domicile.evidence.postgres import Postgres
from domicile.evidence.store import open_log
from evidence.logs import ORIGIN, OURS, content
from evidence.postgresql import Server


@pytest.fixture
def address(server: Server) -> Iterator[str]:
    """Of a database of its own."""
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE fetched")
        yield server.conninfo(dbname="fetched")
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
