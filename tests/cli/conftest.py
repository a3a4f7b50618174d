"""Logs in files, for the tests of `domicile audit`."""

from pathlib import Path

import pytest

from cli import audited, exported
from cli.audited import Files


@pytest.fixture
def moving(tmp_path: Path) -> Files:
    return audited.written(tmp_path, audited.moving())


@pytest.fixture
def bank(tmp_path: Path) -> Files:
    return exported.bank(tmp_path)
