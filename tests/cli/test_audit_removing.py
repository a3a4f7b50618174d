"""`domicile audit prune` and `forget`: what is removed is on record, and what stays is told as before. And details that are kept in a region."""

import asyncio
from pathlib import Path

import pytest
from click.testing import Result

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import Files, run
from decision import world as w
from domicile.controller.opening import Signing, opening
from domicile.evidence import homes
from domicile.evidence.records import Content

ASKED = {"annotations": {"domicile.dev/requested-by": "ana"}}
UNLAWFUL = (a.policy(everywhere=("DE",)),)
SHORT = "keepDays: 1\n"


def story() -> Chronicle:
    """A model that ana asked for and that was deleted, and one that bob asked for and that is still there."""
    log = Chronicle()
    state = log.passed(w.world(model=w.model(metadata=ASKED), policies=UNLAWFUL))
    log.passed(at(w.deleted(state), 10), times=4)
    other = {"name": "other", "uid": a.uid("other"), "annotations": {"domicile.dev/requested-by": "bob"}}
    log.passed(at(w.world(model=w.model(metadata=other)), 20))
    return log


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return audited.written(tmp_path, story())


def prune(files: Files, rules: str, *more: object) -> Result:
    (said := files.log.parent / "rules.yaml").write_text(rules)
    return run(
        "prune", "--evidence", files.log, "--evidence-key", audited.private(files.log.parent), "--rules", said, *more
    )


def forget(files: Files, person: str, *more: object, rules: str = SHORT) -> Result:
    (said := files.log.parent / "holds.yaml").write_text(rules)
    given = ("--evidence", files.log, "--evidence-key", audited.private(files.log.parent), "--rules", said)
    return run("forget", *given, "--person", person, "--reason", "case 17", *more)


def test_what_need_not_be_kept_is_removed_and_the_log_says_so(files: Files) -> None:
    before, decisions = len(files.chronicle.tree), len(files.chronicle.decisions)
    result = prune(files, SHORT)
    assert (result.exit_code, result.stderr) == (0, "")
    told, removed = result.stdout.splitlines()
    assert f"of {before} records need not be kept any longer" in told
    assert "Decision" in told
    assert removed == f"removed, and record {before} says so"
    verified = files.ask("verify")
    assert verified.exit_code == 0
    assert f"{before + 1} records, of which" in verified.stdout
    assert f"removed by record {before}, " in verified.stdout
    assert ", for Retention: kept for 1 days\n" in verified.stdout
    rows = files.ask("list").stdout.splitlines()[1:]
    assert 0 < len(rows) < decisions
    assert files.ask("replay").exit_code == 0
    assert prune(files, SHORT).stdout.endswith("nothing was removed\n")


def test_a_dry_run_removes_nothing(files: Files) -> None:
    before = (files.log / audited.FIRST).read_bytes()
    result = prune(files, SHORT, "--dry-run")
    assert result.stdout.endswith("nothing was removed\n")
    assert (files.log / audited.FIRST).read_bytes() == before


HOLDS = """
keepDays: 1
rules: [{models: ["retail-banking/*"], keepDays: 2}]
holds:
- {name: case-17, models: ["*"], since: 2020-01-01T00:00:00+08:00, reason: a claim}
- {name: case-18, models: ["a/b"], until: 2030-01-01T00:00:00Z, reason: another}
"""


def test_a_legal_hold_keeps_what_it_is_on(files: Files) -> None:
    decisions = len(files.chronicle.decisions)
    prune(files, HOLDS)
    assert len(files.ask("list").stdout.splitlines()) == decisions + 1


def test_what_was_removed_tells_in_spite_of_which_holds(files: Files) -> None:
    hold = "{name: case-17, models: [a/b], reason: a claim}"
    assert prune(files, f"keepDays: 3\nrules: [{{models: ['*/*'], keepDays: 1}}]\nholds: [{hold}]").exit_code == 0
    assert ", for Retention: kept for 3 days, but for case-17\n" in files.ask("verify").stdout


def test_who_a_legal_hold_is_on_is_not_forgotten(files: Files) -> None:
    result = forget(files, "ana", rules="keepDays: 1\nholds: [{name: case-17, models: ['*'], reason: a claim}]")
    assert (result.exit_code, "case-17 is on record" in result.stderr) == (1, True)
    other = "keepDays: 1\nholds: [{name: case-17, models: [retail-banking/other], reason: a claim}]"
    assert forget(files, "ana", rules=other).exit_code == 0


def test_it_is_said_how_many_records_a_hold_is_on(files: Files) -> None:
    told = prune(files, HOLDS).stdout.splitlines()
    assert told[1] == "case-18 is on 0 records"
    assert told[0].startswith("case-17 is on ")
    assert not told[0].endswith(" 0 records")


def hold(more: str) -> str:
    return f"keepDays: 3\nholds: [{{name: a, models: ['*'], reason: b, {more}}}]"


NO_RULES = {
    "no YAML": ("{", "cannot be read"),
    "nothing": ("", "does not rule how long evidence is kept: it: "),
    "no days": ("rules: []", "keepDays: Field required"),
    "too few": ("keepDays: 0", "keepDays: Input should be greater"),
    "something else": ("keepDays: 3\nkeepYears: 4", "keepYears: Extra inputs"),
    "a hold without a reason": ("keepDays: 3\nholds: [{name: a, models: ['*']}]", "holds.0.reason: Field required"),
    "a time without a zone": (hold("since: 2026-01-01T00:00:00"), "holds.0.since: Input should have timezone"),
    "a number for a time": (hold("until: 20271231"), "holds.0.until: Value error, it is no time as RFC 3339 has it"),
    "a number in quotes": (hold("until: '20271231'"), "holds.0.until: Value error, it is no time"),
    "an end before its beginning": (
        hold("since: 2027-01-01T00:00:00Z, until: 2026-01-01T00:00:00Z"),
        "holds.0: Value error, since is not before until",
    ),
    "a model without a namespace": ("keepDays: 3\nrules: [{models: [bank], keepDays: 3}]", "rules.0.models.0: String"),
    "a word for a number": ("keepDays: yes", "keepDays: Input should be a valid integer"),
    "a number that is octal": ("keepDays: 0100", "keepDays: Input should be a valid integer"),
    "a number that is a time": ("keepDays: 1:30", "keepDays: Input should be a valid integer"),
    "a key that is there twice": ("keepDays: 3\nholds: []\nholds: []", "a key is there twice"),
}


@pytest.mark.parametrize(("rules", "why"), NO_RULES.values(), ids=NO_RULES)
def test_rules_that_are_none_are_told(files: Files, rules: str, why: str) -> None:
    result = prune(files, rules)
    assert result.exit_code == 1
    assert why in result.stderr


def test_a_person_is_forgotten_and_what_was_done_is_not(files: Files) -> None:
    result = forget(files, "ana")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("1 (1 Values) of")
    assert "ana" not in files.ask("list").stdout.replace("banking", "")
    assert "(the name is not kept)" in files.ask("list").stdout
    verified = files.ask("verify")
    assert (verified.exit_code, ": 1, for Erasure: case 17\n" in verified.stdout) == (0, True)
    assert files.ask("replay").exit_code == 0
    assert forget(files, "ana").stdout.endswith("nothing was removed\n")
    prune(files, SHORT)
    prune(files, SHORT)
    assert files.ask("verify").stdout.count("removed by record") == 2


def test_who_is_still_named_is_not_forgotten(files: Files) -> None:
    result = forget(files, "bob")
    assert result.exit_code == 1
    assert "SovereignModel/retail-banking/other names bob, and is still there" in result.stderr


def test_a_reason_that_names_the_person_is_refused(files: Files) -> None:
    result = forget(files, "case")
    assert (result.exit_code, "the reason names the person" in result.stderr) == (1, True)


def test_while_the_operator_runs_nothing_is_removed(files: Files) -> None:
    where = opening(str(files.log), Signing(audited.private(files.log.parent)), lambda: a.LONG_AHEAD)
    log = where(where.known()[0], 9, lambda *_: None)
    result = prune(files, SHORT)
    assert (result.exit_code, "another process has the log" in result.stderr) == (1, True)
    asyncio.run(log.close())


def test_where_there_is_no_log_that_is_told(files: Files, tmp_path: Path) -> None:
    for name, content in (("empty", None), ("strange", b"{}\n")):
        (there := tmp_path / name).mkdir()
        if content:
            (there / audited.FIRST).write_bytes(content)
        result = prune(Files(there, files.key, files.chronicle), SHORT)
        assert result.exit_code == 1
    (tmp_path / "broken" / audited.FIRST).mkdir(parents=True)
    result = prune(Files(tmp_path / "broken", files.key, files.chronicle), SHORT)
    assert "cannot be read" in result.stderr


def test_a_log_that_was_tampered_with_is_left_alone(files: Files) -> None:
    files.without(1)
    before = (files.log / audited.FIRST).read_bytes()
    result = prune(files, SHORT)
    assert (result.exit_code, "is not as it was written" in result.stderr) == (1, True)
    assert (files.log / audited.FIRST).read_bytes() == before


def test_records_of_another_version_are_left_alone(tmp_path: Path) -> None:
    log = story()
    log.add(Content("Decision", "SovereignModel/a/b", a.DIGEST, {"surprise": 1}), a.LONG_AHEAD)
    result = prune(audited.written(tmp_path, log), SHORT)
    assert (result.exit_code, "not as records of this version are" in result.stderr) == (1, True)


def test_ranges_in_several_records_are_told_as_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domicile.evidence.store._RANGES", 1)
    log = story()
    third = w.model(metadata={"name": "third", "uid": a.uid("third")})
    state = log.passed(at(w.world(model=third, policies=UNLAWFUL), 30))
    log.passed(at(w.deleted(state), 40), times=4)
    log.passed(at(w.world(model=w.model(metadata={"name": "fourth", "uid": a.uid("fourth")})), 50))
    before, files = len(log.tree), audited.written(tmp_path, log)
    result = prune(files, SHORT)
    assert f"removed, and records {before} to " in result.stdout
    assert files.ask("verify").stdout.count(", for Retention: ") > 1


def test_a_log_of_which_the_beginning_was_removed_is_pruned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = story()
    first = len(log.tree)
    log.seal()
    files = audited.written(tmp_path, log)
    lines = (files.log / audited.FIRST).read_bytes().splitlines(keepends=True)
    (files.log / audited.FIRST).write_bytes(b"".join(lines[: first + 1]))
    (files.log / f"{first:020}.jsonl").write_bytes(b"".join(lines[first + 1 :]))
    with monkeypatch.context() as patch:
        patch.setattr("domicile.audit.retention.removable", lambda *_: ((0, first),))
        assert prune(files, SHORT).exit_code == 0
    assert prune(files, SHORT).exit_code == 0
    assert files.ask("verify").exit_code == 0


# What is kept in a region.


@pytest.fixture
async def apart(tmp_path: Path) -> Files:
    return await audited.decided_in_sg(tmp_path, str(tmp_path / "evidence"), str(tmp_path / "sg"))


def test_it_is_told_what_is_kept_in_a_region_and_how_to_give_it(apart: Files) -> None:
    said = apart.ask("verify")
    assert (said.exit_code, " records are kept in SG: give them with --region SG=PATH\n" in said.stdout) == (0, True)
    replayed = apart.ask("replay")
    assert replayed.exit_code == 3
    assert "is kept in SG, and what is kept there was not given" in replayed.stdout


def test_with_what_is_kept_there_all_of_it_is_decided_again(apart: Files) -> None:
    given = ("--region", f"SG={apart.log.parent / 'sg'}")
    assert apart.ask("replay", *given).exit_code == 0
    assert "are kept in" not in apart.ask("verify", *given).stdout


def test_what_is_missing_there_is_found(apart: Files) -> None:
    path = apart.log.parent / "sg" / homes.NAME
    path.write_bytes(b"")
    result = apart.ask("verify", "--region", f"SG={path}")
    assert (result.exit_code, "kept in SG, and missing from what was given of it" in result.stderr) == (3, True)
    path.unlink()
    gone = apart.ask("verify", "--region", f"SG={path}")
    assert (gone.exit_code, "cannot be read" in gone.stderr) == (1, True)


def test_an_export_has_what_was_given_of_regions(apart: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    assert apart.ask("export", "--to", out, "--region", f"SG={apart.log.parent / 'sg'}").exit_code == 0
    assert "regions/         details of SG" in (out / "README.txt").read_text()
    monkeypatch.chdir(out)
    found = run("replay", "log", "--key", "keys/1.pem", "--region", "SG=regions/SG.jsonl")
    assert (found.exit_code, found.stderr) == (0, "")
    assert "--region SG=regions/SG.jsonl" in (out / "README.txt").read_text()


@pytest.mark.parametrize("given", ["SG", "SG=", "=x"])
def test_a_region_that_is_none_is_told(apart: Files, given: str) -> None:
    result = apart.ask("verify", "--region", given)
    assert result.exit_code == 2


def test_who_prunes_has_to_say_where_the_rest_is(apart: Files) -> None:
    result = prune(apart, SHORT)
    assert result.exit_code == 1
    assert "records are kept in SG: say where, with --evidence-region SG=WHERE" in result.stderr
    assert prune(apart, SHORT, "--evidence-region", f"SG={apart.log.parent / 'sg'}").exit_code == 0
    assert apart.ask("replay", "--region", f"SG={apart.log.parent / 'sg'}").exit_code == 0


NO_REGIONS = {"no place": "SG", "an empty place": "SG=", "no country": "Singapore=/x", "no such country": "XX=/x"}


@pytest.mark.parametrize("given", NO_REGIONS.values(), ids=NO_REGIONS)
def test_a_place_of_a_region_that_is_none_is_told(files: Files, given: str) -> None:
    assert prune(files, SHORT, "--evidence-region", given).exit_code == 2


def test_places_of_regions_come_from_the_environment_too(apart: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOMICILE_EVIDENCE_REGION_SG", str(apart.log.parent / "sg"))
    assert prune(apart, SHORT).exit_code == 0
