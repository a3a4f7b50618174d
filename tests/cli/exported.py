"""What the tests of `domicile audit export` share: exports, and a strict reader of the report."""

import json
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from click.testing import Result

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import Files
from decision import world as w

_VOID = {"meta", "link", "br", "hr", "img", "wbr"}


class Page(HTMLParser):
    """Reads the report, and does not let pass what a browser would put right by itself."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.parts: dict[str, str] = {}
        self.text = ""
        self._part = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.append((tag, said))
        if tag not in _VOID:
            self.open.append(tag)
        if said.get("id"):
            self._part = str(said["id"])
            assert self._part not in self.parts
            self.parts[self._part] = ""
        if tag in ("td", "th", "span", "p", "li"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data
            if self._part:
                self.parts[self._part] += data

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def exported(files: Files, to: Path, *more: object) -> Result:
    return files.ask("export", "--to", to, *more)


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text())


def lines(path: Path) -> Sequence[Mapping[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def bank(tmp_path: Path) -> Files:
    """A model on sg with a record and an exception, by a rule of MAS; attested by gil."""
    register = {
        "type": "Regulation",
        "source": "MAS Notices 658 (banks) and 1121 (merchant banks)",
        "clause": "outsourcing register",
        "asOf": "2024-12-11",
    }
    rule = a.rule("mas-outsourcing-register", None, onUnmet="RequireRecord", record="outsourcing", basis=register)
    record = a.record(annotations={"domicile.dev/requested-by": "ben", "domicile.dev/approved-by": "gil"})
    law = {"exceptions": (a.exception(),), "records": (record,)}
    log = Chronicle()
    state = w.world(
        model=w.model(metadata=audited.ASKED),
        attestations=(stamped("sg"), stamped("ph")),
        policies=(a.policy(telemetry=("PH",), rules=[rule]),),
        further=law,
    )
    log.passed(at(w.serving_on(log.passed(state), "sg"), 1), times=2)
    return audited.written(tmp_path, log)


def stamped(name: str) -> Any:
    found = w.attested(name)
    annotations = {"domicile.dev/verified-by": "vera"}
    return found.model_copy(update={"metadata": found.metadata.model_copy(update={"annotations": annotations})})
