"""JSON logs: one object a line, with nothing in it that a record only carries along."""

import json
import logging
import sys

import pytest

from domicile.cli.logs import JsonFormatter


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("domicile.fleet", logging.WARNING, "file", 1, message, arguments, None)


def test_one_line_with_time_level_logger_and_message() -> None:
    line = JsonFormatter().format(record("lost %s\nagain", "sg"))
    assert "\n" not in line
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {"level": "warning", "logger": "domicile.fleet", "message": "lost sg\nagain"}


def test_what_a_library_hangs_on_a_record_is_left_out() -> None:
    one = record("read")
    one.settings = {"kubeconfig": "secret"}
    assert "secret" not in JsonFormatter().format(one)


def test_a_traceback_is_in_the_same_line() -> None:
    with pytest.raises(ValueError, match="no") as caught:
        raise ValueError("no")
    one = record("failed")
    one.exc_info = (caught.type, caught.value, caught.tb)
    assert "ValueError: no" in json.loads(JsonFormatter().format(one))["error"]
    assert sys.exc_info() == (None, None, None)
