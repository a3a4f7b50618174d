"""Putting a demo on given clusters away: a typo holds up nobody, and clusters that are gone can be forgotten."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from domicile.cli.demo import journal, playing
from domicile.cli.demo.journal import Entry, Given, Made
from domicile.cli.failure import Failure
from domicile.cli.main import main

MADE = Made("sg", "/api/v1/namespaces/retail-banking")


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    """Clusters whose contexts the kubeconfig no longer has."""
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path / "run"))
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text("{apiVersion: v1, kind: Config, clusters: [], users: [], contexts: []}")
    return Given(str(kubeconfig), "kind-hub", (("SG", "kind-sg"), ("PH", "kind-ph")))


def on_record() -> Entry | None:
    found = journal.claim()
    found.close()
    return found.entry


def killed(entry: Entry) -> None:
    """What a demo leaves that had no time to clear up."""
    left = journal.claim()
    left.write(entry)
    left.close()


def test_a_context_that_is_not_there_leaves_nothing_on_record(gone: Given) -> None:
    with pytest.raises(Failure, match="no entry named 'kind-"):
        playing.play(playing.Wanted(keep=False, real_node=False, given=gone, images=None))
    assert on_record() is None


def test_a_demo_that_was_killed_before_it_made_anything_is_put_away_without_its_clusters(gone: Given) -> None:
    killed(Entry(given=gone))
    answer = CliRunner().invoke(main, ["demo", "down"])
    assert (answer.exit_code, on_record()) == (0, None), answer.output


def test_clusters_that_are_gone_are_told_with_what_was_made_there_and_stay_on_record(gone: Given) -> None:
    killed(Entry(given=replace(gone, made=(MADE,))))
    answer = CliRunner().invoke(main, ["demo", "down"])
    assert answer.exit_code == 1
    assert "sg (context kind-sg): /api/v1/namespaces/retail-banking" in answer.stderr
    assert "domicile demo down --forget" in answer.stderr
    assert on_record() is not None


def test_clusters_that_are_gone_can_be_forgotten(gone: Given) -> None:
    killed(Entry(given=replace(gone, made=(MADE,))))
    answer = CliRunner().invoke(main, ["demo", "down", "--forget"])
    assert answer.exit_code == 0, answer.output
    assert "sg (context kind-sg): /api/v1/namespaces/retail-banking" in answer.stdout
    assert on_record() is None
    assert "no demo was up" in CliRunner().invoke(main, ["demo", "down", "--forget"]).stdout
