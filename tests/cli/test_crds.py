"""`domicile crds`: what it writes, and that --check sees every way in which files can differ."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from domicile.api import KINDS
from domicile.cli.main import main


@pytest.fixture
def written(tmp_path: Path) -> Path:
    result = CliRunner().invoke(main, ["crds", "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    return tmp_path


def check(directory: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["crds", "--check", "--output", str(directory)])
    return result.exit_code, result.output


def test_one_file_a_kind_and_they_pass_the_check(written: Path) -> None:
    assert len(list(written.glob("domicile.dev_*.yaml"))) == len(KINDS)
    assert check(written) == (0, "")


def test_a_changed_file_is_shown_as_a_diff(written: Path) -> None:
    file = written / "domicile.dev_regionalclusters.yaml"
    file.write_text(file.read_text().replace("scope: Cluster", "scope: Namespaced"))
    code, shown = check(written)
    assert code == 1
    assert "-  scope: Namespaced\n+  scope: Cluster\n" in shown
    assert "run `make crds`" in shown


def test_a_missing_file_and_one_too_many_are_seen(written: Path) -> None:
    (written / "domicile.dev_regionalclusters.yaml").rename(written / "domicile.dev_bygones.yaml")
    code, shown = check(written)
    assert code == 1
    assert "domicile.dev_bygones.yaml: no kind has this CRD any more" in shown
    assert "+++ " in shown


def test_writing_again_takes_away_what_no_kind_has_any_more_and_nothing_else(written: Path) -> None:
    (written / "domicile.dev_bygones.yaml").touch()
    (written / "kustomization.yaml").touch()
    CliRunner().invoke(main, ["crds", "--output", str(written)])
    assert check(written) == (0, "")
    assert (written / "kustomization.yaml").exists()


def test_outside_a_checkout_it_asks_where_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["crds"])
    assert result.exit_code == 1
    assert "say where to write with --output" in result.output
    assert list(tmp_path.iterdir()) == []
