"""`domicile audit export`: what is handed over, and how it is checked by who has nothing else."""

import re
import shlex
from pathlib import Path

import pytest

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import FIRST, Files, run
from cli.exported import exported, lines, page
from decision import world as w
from domicile.cli.audit.export.attested import UNKNOWN
from domicile.evidence import keyfile
from evidence import logs

MODEL = "retail-banking/fraud-scorer"


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
        "lineage.jsonl",
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
    assert [each.split()[0] for each in said] == ["verify", "replay", "list", "show", "where", "lineage", "unheld"]
    for command in said:
        what, *arguments = shlex.split(command.replace("NUMBER", "2").replace("TIME", "2026-11-23T09:05:00Z"))
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
    moving.without(1)  # The first one is of a name.
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
    assert (permit["decision"], permit["ends"], permit["workers"]) == (2, "2027-11-23T09:00:00.000000Z", ["SG"])
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
