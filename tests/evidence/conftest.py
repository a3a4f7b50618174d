"""A PostgreSQL for the tests of evidence, started once."""

from collections.abc import Iterator

import pytest

from evidence import postgresql
from evidence.postgresql import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A server that only these tests use. Where the machine has none they are skipped, but not in CI."""
    found = postgresql.started()
    yield found
    found.stop()
