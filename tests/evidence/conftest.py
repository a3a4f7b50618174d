"""A PostgreSQL for the tests of evidence, started once."""

import os
from collections.abc import Iterator

import pytest

from evidence import postgresql
from evidence.postgresql import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that only these tests use. Where the machine has none they are skipped, but not in CI."""
    programs = postgresql.binaries()
    if programs is None:
        says = "there is no PostgreSQL on this machine: apt-get install postgresql, or put initdb and postgres on PATH"
        if os.environ.get("CI"):
            pytest.fail(says)
        pytest.skip(says)
    found = Server(programs)
    yield found
    found.stop()
