"""The demo's journal: one demo at a time, and what it made is on record for whoever comes after it."""

from dataclasses import replace
from pathlib import Path

import pytest

from domicile.cli.demo import given, journal
from domicile.cli.demo.journal import Entry, Given, Made
from domicile.cli.failure import Failure
from domicile.cli.join import member


@pytest.fixture(autouse=True)
def run_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMICILE_RUN", str(tmp_path))


def test_a_second_demo_is_told_of_the_first() -> None:
    first = journal.claim()
    first.write(Entry(4711))
    with pytest.raises(Failure, match="running already, process 4711"):
        journal.claim()
    first.close()
    journal.claim().close()


def test_what_a_killed_demo_made_is_on_record() -> None:
    made = Made("sg", "/api/v1/namespaces/domicile-system")
    killed = journal.claim()
    killed.write(Entry(1, given=Given("/tmp/config", "hub", (("SG", "kind-sg"), ("PH", "kind-ph")))))
    killed.change_given(lambda known: replace(known, operator=42, made=(made,)))
    killed.close()
    found = journal.claim()
    assert found.entry == killed.entry
    assert found.entry is not None
    assert found.entry.given is not None
    assert found.entry.given.made == (made,)
    found.write(None)
    found.close()
    last = journal.claim()
    assert last.entry is None
    last.close()


def test_files_of_an_earlier_demo_are_cleared_and_others_cannot_read_the_new_ones() -> None:
    mine = journal.claim()
    (mine.fresh_work() / "operator.kubeconfig").touch()
    again = mine.fresh_work()
    assert list(again.iterdir()) == []
    assert again.stat().st_mode & 0o077 == 0
    mine.close()


def test_paths_of_what_is_made() -> None:
    paths = [given.path_of(manifest) for _, manifest in member.identity("domicile-system", ())]
    assert paths == [
        "/api/v1/namespaces/domicile-system/serviceaccounts/domicile",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/domicile-system:hub",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/domicile-system:hub",
    ]
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "a"},
    }
    assert given.path_of(policy) == "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies/a"


def test_a_process_that_is_no_operator_of_ours_is_left_alone() -> None:
    import os

    given.stop_operator(Given("", "hub", (), operator=os.getppid()))
    given.stop_operator(Given("", "hub", (), operator=0))
