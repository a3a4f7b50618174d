"""`domicile audit export`: what is handed to an auditor, who has the export, the public keys, and ten minutes."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import FIRST, Files, run
from decision import world as w
from domicile.cli.audit.export import outlines, tables
from domicile.cli.audit.export.attested import UNKNOWN
from domicile.cli.audit.export.scope import country
from domicile.evidence import keyfile
from evidence import logs

ROOT = Path(__file__).parents[2]
MODEL = "retail-banking/fraud-scorer"
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


@pytest.fixture
def moving(tmp_path: Path) -> Files:
    return audited.written(tmp_path, audited.moving())


@pytest.fixture
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


def test_an_export_has_all_of_it(moving: Files, tmp_path: Path) -> None:
    (kept := tmp_path / "sg.txt").write_text(moving.chronicle.note(4))
    result = exported(moving, tmp_path / "out", "--checkpoint", kept)
    assert (result.exit_code, result.stderr) == (0, "")
    count = len(moving.chronicle.decisions)
    assert result.stdout.endswith(f"{count} of {count} decisions came out the same\n")
    found = sorted(str(each.relative_to(tmp_path / "out")) for each in (tmp_path / "out").rglob("*") if each.is_file())
    assert found == [
        "README.txt",
        "checkpoints/sg.txt",
        "decisions.jsonl",
        "keys/1.pem",
        f"log/{FIRST}",
        "report.html",
        "stays.jsonl",
    ]
    assert (tmp_path / "out" / "log" / FIRST).read_bytes() == (moving.log / FIRST).read_bytes()
    assert (tmp_path / "out" / "checkpoints" / "sg.txt").read_text() == kept.read_text()


def test_the_readme_says_commands_that_verify_the_export_by_itself(
    moving: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept := tmp_path / "of sg.txt").write_text(moving.chronicle.note(4))
    exported(moving, out := tmp_path / "out", "--checkpoint", kept, "--origin", logs.ORIGIN)
    (moving.log / FIRST).unlink()
    moving.key.unlink()
    monkeypatch.chdir(out)
    said = re.findall(r"^  domicile audit (.*)$", (out / "README.txt").read_text(), re.MULTILINE)
    assert [each.split()[0] for each in said] == ["verify", "replay", "list", "show", "where", "unheld"]
    for command in said:
        what, *arguments = shlex.split(command.replace("NUMBER", "1").replace("TIME", "2026-11-23T09:05:00Z"))
        named = [each for one in arguments for each in (sorted(Path().glob(one)) if "*" in one else [one])]
        result = run(what, *named)
        assert (result.exit_code, result.stderr) == (3 if what == "unheld" else 0, "")
        assert result.stdout
    assert "agrees with the checkpoint of 4 records in of sg.txt" in run("verify", "log", "--key", "keys/1.pem", "--checkpoint", "checkpoints/of sg.txt").stdout  # fmt: skip


def test_a_private_key_that_was_given_is_not_handed_over(tmp_path: Path) -> None:
    private = tmp_path / "key.pem"
    signer = keyfile.signer_made_once(private)
    files = audited.written(tmp_path, audited.moving())
    run("export", files.log, "--key", files.key, "--key", private, "--to", tmp_path / "out")
    given = [path.read_text() for path in sorted((tmp_path / "out" / "keys").iterdir())]
    assert given == [keyfile.pem(logs.OURS.public), keyfile.pem(signer.public)]


def test_what_is_written_meanwhile_is_no_part_of_it(moving: Files, tmp_path: Path) -> None:
    before = (moving.log / FIRST).read_bytes()
    with (moving.log / FIRST).open("ab") as file:
        file.write(b'{"payload":"torn')
    assert exported(moving, tmp_path / "out").exit_code == 0
    assert (tmp_path / "out" / "log" / FIRST).read_bytes() == before


def test_segments_keep_their_names_or_are_named_in_their_order(tmp_path: Path) -> None:
    key, content = audited.pem(tmp_path / "pub.pem"), audited.moving().sealed.splitlines(keepends=True)
    files = [tmp_path / name for name in ("z.jsonl", "b.jsonl", "a.jsonl")]
    for path, part in zip(files, (content[:3], [], content[3:]), strict=True):
        path.write_bytes(b"".join(part))
    assert run("export", *files, "--key", key, "--to", tmp_path / "out").exit_code == 0
    found = sorted((tmp_path / "out" / "log").iterdir())
    assert b"".join(path.read_bytes() for path in found) == b"".join(content)
    assert len(found) == 3
    assert run("verify", tmp_path / "out" / "log", "--key", key).exit_code == 0


def test_checkpoints_of_one_name_are_kept_apart(moving: Files, tmp_path: Path) -> None:
    options: list[object] = []
    for number in (2, 3, 4):
        (folder := tmp_path / str(number)).mkdir()
        (folder / "note").write_text(moving.chronicle.note(number))
        options += ["--checkpoint", folder / "note"]
    exported(moving, tmp_path / "out", *options)
    found = {each.name: each.read_text().splitlines()[1] for each in (tmp_path / "out" / "checkpoints").iterdir()}
    assert found == {"note": "2", "2-note": "3", "3-note": "4"}


def test_it_goes_into_a_new_or_an_empty_directory(moving: Files, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert exported(moving, tmp_path / "empty").exit_code == 0
    for taken in (tmp_path / "empty", moving.key):
        result = exported(moving, taken)
        assert result.exit_code == 1
        assert "is not empty: an export goes into a new or an empty directory" in result.stderr
    under = exported(moving, moving.key / "out")
    assert under.exit_code == 1
    assert "cannot be written: Not a directory" in under.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--from", "2026-11-24T00:00:00Z", "--until", "2026-11-23T00:00:00Z"), "is not before"),
        (("--from", "2126-11-24T00:00:00Z"), "is not before now"),
        (("--from", "monday"), "monday is no time"),
        (("--jurisdiction", "Singapore"), "Singapore is no country of ISO 3166-1"),
    ],
)
def test_what_cannot_be_asked_for_is_told(moving: Files, tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = exported(moving, tmp_path / "out", *options)
    assert result.exit_code == 1
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_of_a_log_that_is_not_in_order_the_export_says_so_everywhere(moving: Files, tmp_path: Path) -> None:
    moving.without(1)
    result = exported(moving, tmp_path / "out")
    assert result.exit_code == 3
    assert "Missing: record 1 is missing" in result.stderr
    told = page(tmp_path / "out").parts["log"]
    assert "Not in order." in told
    assert "Missing: record 1 is missing" in told
    assert "Verified." not in told
    assert "Of this log there are findings." in (tmp_path / "out" / "README.txt").read_text()
    verified = run("verify", tmp_path / "out" / "log", "--key", tmp_path / "out" / "keys" / "1.pem")
    assert verified.stderr == result.stderr


def test_a_log_without_its_values_is_exported_as_far_as_it_goes(moving: Files, tmp_path: Path) -> None:
    moving.without(0)
    result = exported(moving, tmp_path / "out")
    assert result.exit_code == 3
    assert UNKNOWN in page(tmp_path / "out").parts
    assert any(stay["workers"] == [UNKNOWN] for stay in lines(tmp_path / "out" / "stays.jsonl"))
    assert [act["grounds"] for act in lines(tmp_path / "out" / "decisions.jsonl")[0]["acts"]] == [None]


def test_what_does_not_come_out_the_same_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world())
    log.said(lambda body: body.update(what=["Invented"]), at(state, 5))
    log.said(lambda body: body["seen"].update(members="sha256:" + "0" * 64), at(state, 6))
    result = exported(audited.written(tmp_path, log), tmp_path / "out")
    assert result.exit_code == 3
    told = page(tmp_path / "out").parts["log"]
    assert "1 of 3 decisions" in told
    assert "other: what" in told
    assert "it cannot be decided again: ValueMissing" in told


def test_decisions_are_told_with_all_that_they_name(bank: Files, tmp_path: Path) -> None:
    exported(bank, tmp_path / "out")
    decision = lines(tmp_path / "out" / "decisions.jsonl")[0]
    assert {key: decision[key] for key in ("time", "what", "model", "askedBy", "policies", "dataClasses")} == {
        "time": "2026-11-23T09:00:00.000000Z",
        "what": ["Placed"],
        "model": MODEL,
        "askedBy": "ana",
        "policies": ["sg-customer-data"],
        "dataClasses": ["customer.pii"],
    }
    ph, sg = decision["candidates"]
    assert [(each["cluster"], each["workers"], each["lawful"]) for each in (ph, sg)] == [
        ("ph", ["PH"], False),
        ("sg", ["SG"], True),
    ]
    results = {each["rule"]: each for site in sg["sites"] for each in site["results"]}
    assert results["allow.telemetry"]["settledBy"] == "ResidencyException/ticket-4711"
    assert results["mas-outsourcing-register"]["basis"]["type"] == "Regulation"
    (act,) = decision["acts"]
    assert (act["act"], act["cluster"], act["clusterUID"]) == ("Place", "sg", a.uid("sg"))
    assert [name for name, _ in act["grounds"]["records"]] == ["register-17"]
    assert [(each["outcome"], each["wrote"]) for each in act["outcomes"]] == [("Done", ["InferenceService"])]
    assert [each["name"] for each in decision["approvals"]] == ["ticket-4711", "register-17"]
    assert decision["decidedBy"] == {"identity": "domicile-0", "version": "0.1.0"}


def test_stays_are_told_with_their_permits(moving: Files, tmp_path: Path) -> None:
    exported(moving, tmp_path / "out")
    sg, ph = lines(tmp_path / "out" / "stays.jsonl")
    assert (sg["model"], sg["cluster"], sg["workers"], sg["from"], sg["placed"], sg["until"]) == (
        MODEL,
        "sg",
        ["SG"],
        "2026-11-23T09:00:00.000000Z",
        "2026-11-23T09:00:00.000000Z",
        "2026-11-23T09:12:00.000000Z",
    )
    (permit,) = sg["permits"]
    assert (permit["decision"], permit["ends"], permit["workers"]) == (1, "2027-11-23T09:00:00.000000Z", ["SG"])
    assert [name for name, _ in permit["policies"]] == ["sg-customer-data"]
    assert sg["artifacts"] == [a.ARTIFACT, a.IMAGE]
    assert ph["until"] is None


def test_a_period_bounds_what_is_told_and_never_the_log(moving: Files, tmp_path: Path) -> None:
    exported(moving, out := tmp_path / "out", "--from", "2026-11-23T09:04:00Z", "--until", "2026-11-23T09:10:00Z")
    assert [each["what"] for each in lines(out / "decisions.jsonl")] == [["Refused"]]
    assert [each["cluster"] for each in lines(out / "stays.jsonl")] == ["sg"]
    assert (out / "log" / FIRST).read_bytes() == (moving.log / FIRST).read_bytes()
    told = page(out)
    said = "The period alone is told from 2026-11-23 09:04:00Z to 2026-11-23 09:10:00Z; the end is not part of it."
    assert said in told.text
    assert "Times without a valid verdict: none." in " ".join(told.parts["log"].split())
    assert said in (out / "README.txt").read_text()
    exported(moving, after := tmp_path / "after", "--from", "2026-11-23T09:12:00Z")
    assert [each["cluster"] for each in lines(after / "stays.jsonl")] == ["ph"]
    exported(moving, before := tmp_path / "before", "--until", "2026-11-23T09:10:00Z")
    assert "from the beginning to 2026-11-23 09:10:00Z" in page(before).text


def test_a_jurisdiction_bounds_what_is_told(moving: Files, tmp_path: Path) -> None:
    exported(moving, out := tmp_path / "out", "--jurisdiction", "PH")
    assert [each["cluster"] for each in lines(out / "stays.jsonl")] == ["ph"]
    told = page(out)
    assert {"PH"} == {part for part in told.parts if re.fullmatch("[A-Z]{2}", part)}
    assert "Clusters in PH alone are told of" in told.text
    assert (out / "log" / FIRST).read_bytes() == (moving.log / FIRST).read_bytes()
    exported(moving, none := tmp_path / "none", "--jurisdiction", "JP")
    assert (none / "decisions.jsonl").read_text() == ""


def test_without_a_filter_nothing_is_said_of_one(moving: Files, tmp_path: Path) -> None:
    exported(moving, tmp_path / "out")
    assert "Not all of the log" not in page(tmp_path / "out").text


def test_the_report_is_one_well_formed_file_that_needs_nothing_else(bank: Files, tmp_path: Path) -> None:
    exported(bank, tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    told = Page(text)
    names = {tag for tag, _ in told.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    assert not any(key in ("src", "style") or key.startswith("on") for _, said in told.tags for key in said)
    assert "url(" not in text
    assert "@import" not in text
    assert ("http-equiv", "Content-Security-Policy") in [item for _, said in told.tags for item in said.items()]
    links = [str(said["href"]) for tag, said in told.tags if tag == "a"]
    assert links
    assert {link.removeprefix("#") for link in links} <= set(told.parts)
    for rule in ("@page", "size: A4", "counter(page)", "table-header-group", "break-inside: avoid"):
        assert rule in text


def test_the_report_says_what_the_log_is_and_who_agrees(moving: Files, tmp_path: Path) -> None:
    (agrees := tmp_path / "sg.txt").write_text(moving.chronicle.note(4))
    exported(moving, tmp_path / "out", "--checkpoint", agrees)
    told = page(tmp_path / "out").parts["log"]
    size, count = len(moving.chronicle.tree), len(moving.chronicle.decisions)
    for said in (
        logs.ORIGIN,
        f"{size}, of which {count} are decisions",
        "2026-11-23 09:00:00Z to 2026-11-23 09:13:00Z",
        logs.OURS.public.keyid,
        "sg.txt: agrees, as of 4 records",
        "Verified.",
        f"{count} of {count} decisions",
    ):
        assert said in told
    exported(moving, tmp_path / "none")
    assert "None was given: that nothing was cut off" in page(tmp_path / "none").parts["log"]


def test_the_report_says_which_checkpoint_does_not_agree(moving: Files, tmp_path: Path) -> None:
    other = Chronicle()
    other.passed(w.world("sg"))
    (kept := tmp_path / "kept").write_text(other.note())
    result = exported(moving, tmp_path / "out", "--checkpoint", kept)
    assert result.exit_code == 3
    told = page(tmp_path / "out").parts["log"]
    assert "kept: DOES NOT AGREE" in told
    assert "Rewritten: " in told


def test_the_report_says_by_jurisdiction_what_ran_and_under_what(bank: Files, tmp_path: Path) -> None:
    exported(bank, tmp_path / "out")
    told = page(tmp_path / "out").parts
    digest = bank.chronicle.decisions[0].body["acts"][0]["permit"]
    for said in (MODEL, "ana", "2026-11-23 09:00:00Z", "still there", digest, "sg-customer-data", a.IMAGE, a.ARTIFACT):
        assert said in told["SG-ran"]
    assert "No model was here." in told["PH-ran"]
    for said in (a.uid("sg"), "sg-2026", "contract 7.2", "vera", "until 2027-11-23 09:00:00Z"):
        assert said in told["SG-where"]
    assert "hub-2026" not in told["SG-where"]
    for said in ("ResidencyRecord register-17", "outsourcing", "register 17", "ben", "gil", f"{MODEL} on sg"):
        assert said in told["SG-approved"]
    assert "ResidencyException ticket-4711" in told["SG-approved"]
    for said in ("ticket-4711", "allow.telemetry", "logs leave for a week", "ticket 4711", "ana", "gil"):
        assert said in told["SG-excepted"]
    assert "None was in force." in told["PH-excepted"]
    assert "None: whatever was here had a valid verdict" in told["SG-unheld"]
    assert "None: all that was begun was ended" in told["SG-unfinished"]


def test_the_report_counts_what_was_refused_by_reason_with_the_basis_of_the_rule(bank: Files, tmp_path: Path) -> None:
    exported(bank, tmp_path / "out")
    refused = " ".join(page(tmp_path / "out").parts["PH-refused"].split())
    assert (
        "RecordMissing sg-customer-data mas-outsourcing-register Regulation MAS Notices 658 (banks) and 1121 (merchant"
        " banks), outsourcing register as of 2024-12-11 models: 1 clusters: 1 decisions: 2"
    ) in refused
    assert "WorkersOutsideJurisdiction sg-customer-data allow.workers no source stated: the policy's own" in refused


def test_times_without_a_valid_verdict_are_told_in_their_jurisdiction(moving: Files, tmp_path: Path) -> None:
    exported(moving, tmp_path / "out")
    told = page(tmp_path / "out").parts
    assert "2026-11-23 09:10:00Z 2026-11-23 09:12:00Z 2 min worker nodes are in SG" in " ".join(
        told["SG-unheld"].split()
    )
    assert "None: whatever was here" in told["PH-unheld"]


def test_what_was_held_is_told_with_what_kept_it(tmp_path: Path) -> None:
    log = Chronicle()
    log.passed(w.world(model=w.model(accelerators={"count": 1})))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    assert "no rule: it was held, not refused" in page(tmp_path / "out").parts["SG-refused"]


def test_a_model_that_was_held_for_a_reason_that_is_of_no_cluster_is_of_no_jurisdiction(tmp_path: Path) -> None:
    log = Chronicle()
    log.passed(w.damaged(w.world()))
    log.passed(w.world(model=w.model(name="other"), views={}))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    told = page(tmp_path / "out").parts["none"]
    assert "'0' must be more than zero" in told
    assert "none of 0 clusters is lawful" in told


def test_what_failed_is_open_or_was_late_is_told_where_it_was(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world())
    other = w.world(model=w.model(name="other"), policies=(a.policy(everywhere=("PH",)),))
    log.failed(log.decided(at(other, 2)), "Place", "Forbidden", "no quota")
    log.late(state, 20, 30)
    gone = log.decided(at(w.deleted(w.world(model=w.model(name="gone"))), 40))
    log.late_release(gone, 41)
    exported(audited.written(tmp_path, log), tmp_path / "out")
    told = {name: " ".join(text.split()) for name, text in page(tmp_path / "out").parts.items()}
    assert "Place failed retail-banking/other ph: no quota [Forbidden]" in told["PH-unfinished"]
    assert "Place retail-banking/other ph: begun by record" in told["PH-unfinished"]
    assert (
        f"Withdraw, late {MODEL} sg: done at 2026-11-23 09:20:00Z, while nothing could be recorded, and recorded at"
        " 2026-11-23 09:30:00Z"
    ) in told["SG-unfinished"]
    assert "Release retail-banking/gone the hub: begun by record" in told["none"]
    assert "Release, late" in told["none"]


def test_what_failed_or_was_late_outside_of_the_period_is_not_told(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world())
    other = w.world(model=w.model(name="other"))
    log.failed(log.decided(at(other, 2)), "Place", "Forbidden", "no quota")
    log.late(state, 20, 30)
    files = audited.written(tmp_path, log)
    exported(files, tmp_path / "out", "--from", "2026-11-23T08:00:00Z", "--until", "2026-11-23T09:01:00Z")
    assert "None: all that was begun was ended" in page(tmp_path / "out").parts["SG-unfinished"]


def test_what_was_held_for_a_reason_that_is_missing_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.damaged(w.world()))
    log.said(lambda body: body.update(status="sha256:" + "0" * 64), at(state, 5))
    empty = log.bag()
    digest = empty.put({"conditions": []})
    log.values(empty.values, at(state, 6))
    log.said(lambda body: body.update(status=digest), at(state, 7))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    rows = page(tmp_path / "out").parts["none"].splitlines()
    assert "its status is missing from the log" in "".join(rows)
    assert any(row.rstrip().endswith("-") for row in rows)


def test_what_failed_of_a_decision_that_is_missing_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    log.failed(log.decided(w.world()), "Place", "Forbidden", "no quota")
    files = audited.written(tmp_path, log)
    files.without(1)
    exported(files, tmp_path / "out")
    text = page(tmp_path / "out").text
    assert "An act of a decision that is missing from the log failed" in text


def test_a_cluster_with_pools_is_in_the_country_of_the_pool(tmp_path: Path) -> None:
    pools = [
        {"name": name, "nodeSelector": {"pool": name}, "workers": {"jurisdiction": place}}
        for name, place in (("inner", "SG"), ("outer", "MY-14"))
    ]
    attestation = a.attestation("sg-2026", workers=None, has={"nodePools": pools})
    log = Chronicle()
    state = log.passed(w.world("sg", attestations=(attestation,)))
    log.decided(at(replace(state, policies=(a.policy(everywhere=("JP",)),)), 5))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    (stay,) = lines(tmp_path / "out" / "stays.jsonl")
    assert stay["workers"] == ["SG"]
    assert [each["workers"] for each in lines(tmp_path / "out" / "decisions.jsonl")[0]["candidates"]] == [
        ["MY-14", "SG"]
    ]
    told = page(tmp_path / "out").parts
    assert "worker nodes are in MY-14" in told["MY-refused"]
    assert "worker nodes are in SG" in told["SG-refused"]
    assert "MY-14" not in told["SG-refused"]
    assert "No model was here." in told["MY-ran"]


def test_where_nobody_vouched_it_is_unknown(tmp_path: Path) -> None:
    log = Chronicle()
    log.decided(w.on(w.world("sg", attestations=(), policies=(a.policy(),)), "sg"))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    told = page(tmp_path / "out").parts
    assert "found there, without a permit" in told[f"{UNKNOWN}-ran"]
    assert "Nobody vouched for where nodes stand." in told[f"{UNKNOWN}-where"]
    assert "by nobody who was stamped" in told[f"{UNKNOWN}-ran"]


def test_a_stay_says_how_many_permits_it_had(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(at(w.serving_on(log.passed(w.world()), "sg"), 1), times=2)
    log.passed(at(w.with_model(state, runtime={"image": a.IMAGE, "args": ["new"]}), 5), times=2)
    exported(audited.written(tmp_path, log), tmp_path / "out")
    assert "the last of 2" in page(tmp_path / "out").parts["SG-ran"]


def test_a_long_table_says_where_the_rest_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MOST", 1)
    exported(audited.written(tmp_path, audited.moving()), tmp_path / "out")
    assert "These are the first 1 of " in page(tmp_path / "out").parts["SG-refused"]


def test_a_log_without_decisions_has_a_report(tmp_path: Path) -> None:
    log = Chronicle()
    log.values({}, w.world())
    assert exported(audited.written(tmp_path, log), tmp_path / "out").exit_code == 0
    assert "no decision is in it" in page(tmp_path / "out").parts["log"]


HOSTILE = "<script>alert(1)</script> \"'& \u202egnol\u2066 \x1b[31m {{ 7*7 }} \u200b"


def test_what_others_wrote_is_text_and_nothing_else(tmp_path: Path) -> None:
    log = Chronicle()
    exception = a.exception(reason=HOSTILE, reference="<img src=x onerror=alert(1)>")
    model = w.model(metadata={"annotations": {"domicile.dev/requested-by": HOSTILE}})
    state = w.world(model=model, policies=(a.policy(telemetry=("PH",)),), further={"exceptions": (exception,)})
    log.failed(log.decided(state), "Place", "<b>Reason", HOSTILE)
    log.said(lambda body: body.update(what=["</td></table><h1>"]), at(state, 5))
    files = audited.written(tmp_path, log)
    (tmp_path / "<i>kept\u202e").write_text(log.note(1))
    exported(files, tmp_path / "out", "--checkpoint", tmp_path / "<i>kept\u202e")
    text = (tmp_path / "out" / "report.html").read_text()
    told = Page(text)
    assert not {tag for tag, _ in told.tags} & {"script", "img", "b", "i"}
    assert len([tag for tag, _ in told.tags if tag == "h1"]) == 1
    assert not set(text) & set("\u202e\u2066\x1b\u200b")
    seen = "<script>alert(1)</script> \"'& \\u202egnol\\u2066 \\u001b[31m {{ 7*7 }} \\u200b"
    assert seen in told.parts["SG-ran"]
    assert seen in told.parts["SG-unfinished"]
    assert seen in told.parts["SG-excepted"]
    assert "<img src=x onerror=alert(1)>" in told.parts["SG-excepted"]
    assert "<i>kept\\u202e: agrees" in told.parts["log"]
    for name in ("decisions.jsonl", "stays.jsonl"):
        assert (tmp_path / "out" / name).read_text().isascii()
    assert not set((tmp_path / "out" / "README.txt").read_text()) & set("\u202e\x1b")


@pytest.mark.parametrize("place", ["SG", "PH", "DE"])
def test_each_outline_says_what_is_not_answered_yet(place: str) -> None:
    found = outlines.outline(place)
    assert found.title.endswith(f"({place})") or found.title == place
    unanswered = [each for each in found.questions if not each.parts]
    assert [each.unanswered.split(":")[0] for each in unanswered] == ["Not answered yet", "Not answered yet"]


def test_the_outlines_cite_only_what_the_policy_packs_name() -> None:
    documented = (ROOT / "docs" / "policy-packs.md").read_text()
    sources = {s for place in ("SG", "PH", "DE") for each in outlines.outline(place).questions for s in each.sources}
    assert sources
    for source in sources - {"Data Privacy Act of 2012 (RA 10173), s 20"}:
        assert source in documented
    assert "**RA 10173 s 20**" in documented


def test_the_country_of_a_part_of_it() -> None:
    assert [country(place) for place in ("SG", "MY-14", UNKNOWN)] == ["SG", "MY", UNKNOWN]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7200, "2 h"), (90061, "1 d 1 h")]
)
def test_lengths_of_time(seconds: float, said: str) -> None:
    assert tables.lasted(seconds) == said


def test_a_record_that_a_permit_names_and_that_is_missing_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world())
    bag = log.bag()
    grounds = bag.put({"records": [["register-99", a.DIGEST]]})
    log.values(bag.values, state)
    log.said(lambda body: body["acts"][0].update(grounds=grounds, permit=a.DIGEST), at(state, 5))
    exported(audited.written(tmp_path, log), tmp_path / "out")
    told = " ".join(page(tmp_path / "out").parts["SG-approved"].split())
    assert "ResidencyRecord register-99 missing from the log retail-banking/fraud-scorer on sg - - -" in told
