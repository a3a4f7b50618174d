"""What the API servers write down, and that a count of it is complete."""

import json
import threading
import time
from pathlib import Path

import pytest

from domicile.localfleet import audit as policy
from fleet import audit


def line(stage: str, verb: str = "patch", request: str = "1") -> str:
    return json.dumps({"stage": stage, "auditID": request, "verb": verb, "user": {"username": audit.OPERATOR}}) + "\n"


def test_what_is_read_is_written_down_once_and_what_changes_something_when_it_comes_and_when_it_ends() -> None:
    reads, writes = policy.POLICY["rules"][0::2], policy.POLICY["rules"][1::2]
    assert policy.POLICY["omitStages"] == ["Panic"]
    assert [rule["omitStages"] for rule in reads] == [["RequestReceived"]] * 2
    assert [{"verbs", "omitStages"} & set(rule) for rule in writes] == [set()] * 2


def test_a_count_waits_for_a_write_that_was_received(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("RequestReceived"))
    ending = threading.Timer(0.2, lambda: log.write_text(line("RequestReceived") + line("ResponseComplete")))
    ending.start()
    assert [entry["stage"] for entry in audit.entries(log)] == ["ResponseComplete"]
    ending.join()


def test_a_write_that_never_ends_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("RequestReceived") + line("ResponseComplete", "get", "2"))
    monkeypatch.setattr(audit, "ENDS_WITHIN", 0.1)
    assert [entry["auditID"] for entry in audit.entries(log, user=audit.OPERATOR)] == ["2"]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("ResponseComplete") + line("ResponseComplete", request="2")[:-5])
    assert [entry["auditID"] for entry in audit.entries(log)] == ["1"]


def test_a_watch_that_goes_on_is_not_waited_for(tmp_path: Path) -> None:
    log = tmp_path / "audit.log"
    log.write_text(line("ResponseStarted", "watch", "1") + line("ResponseComplete", "get", "2"))
    begun = time.monotonic()
    assert [entry["auditID"] for entry in audit.entries(log)] == ["2"]
    assert time.monotonic() - begun < audit.ENDS_WITHIN


def test_a_request_of_nobody_is_nobody_s(tmp_path: Path) -> None:
    """It was received, and not authenticated."""
    log = tmp_path / "audit.log"
    nobody = json.loads(line("RequestReceived")) | {"user": {}}
    log.write_text(json.dumps(nobody) + "\n" + line("ResponseComplete", request="2"))
    assert [entry["auditID"] for entry in audit.entries(log, user=audit.OPERATOR)] == ["2"]
