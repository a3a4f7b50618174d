"""How long things took is written down by several threads at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from domicile.localfleet import cache


def test_members_that_start_at_once_are_measured_without_one_another_s_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOMICILE_CACHE", str(tmp_path))
    timings = cache.Timings()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: timings.measured("sg", number), range(400)))
    assert 0 <= timings.expected("sg", -1) < 400
    assert [file.name for file in tmp_path.iterdir()] == ["timings.json"]
