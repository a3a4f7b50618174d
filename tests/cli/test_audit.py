"""`domicile audit`: what somebody learns from a log of evidence with nothing but the log and a public key."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import Files, run
from decision import world as w
from domicile.audit import Bag, changes, questions
from domicile.evidence import keyfile
from domicile.evidence.records import Content
from domicile.residency import Law
from evidence import logs

MODEL = "retail-banking/fraud-scorer"


def placed() -> tuple[Chronicle, w.World]:
    log = Chronicle()
    state = log.passed(w.world(model=w.model(metadata=audited.ASKED)))
    return log, log.passed(at(w.serving_on(state, "sg"), 1), times=2)


def test_a_log_that_is_in_order_is_verified(moving: Files, tmp_path: Path) -> None:
    (kept := tmp_path / "sg-checkpoint").write_text(moving.chronicle.note(4))
    result = moving.ask("verify", "--checkpoint", kept)
    assert (result.exit_code, result.stderr) == (0, "")
    head, root, agrees, rest = result.stdout.splitlines()
    size, decisions = len(moving.chronicle.tree), len(moving.chronicle.decisions)
    assert head == f"{logs.ORIGIN}: {size} records, of which {decisions} are decisions"
    assert root == f"root: {base64.b64encode(moving.chronicle.tree.root()).decode()}"
    assert agrees == "agrees with the checkpoint of 4 records in sg-checkpoint"
    assert rest.startswith("nothing was changed, left out, put in")


def test_what_is_begun_and_has_no_end_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    log.decided(w.world())
    result = audited.written(tmp_path, log).ask("verify")
    assert "begun, and no end recorded: Place of retail-banking/fraud-scorer on sg" in result.stdout
    assert result.exit_code == 0


def _changed(files: Files) -> None:
    line = files.log.joinpath(audited.FIRST).read_bytes().splitlines()[1]
    payload: Any = json.loads(line)["payload"]
    said = base64.b64decode(payload).replace(b"fraud-scorer", b"fraud-sc0rer")
    files.tamper(payload.encode(), base64.b64encode(said))


TAMPERED: dict[str, tuple[Callable[[Files], None], str]] = {
    "a record that was changed": (_changed, "SignatureInvalid: "),
    "a record that was left out": (lambda files: files.without(1), "Missing: record 1 is missing before record 2"),
    "a checkpoint that is none": (lambda files: files.tamper(b'{"checkpoint":"', b'{"checkpoint":"x'), "CheckpointIn"),
}


@pytest.mark.parametrize("ask", ["verify", "replay", "list", "where", "unheld"])
@pytest.mark.parametrize(("tamper", "finding"), TAMPERED.values(), ids=TAMPERED)
def test_of_a_log_that_was_tampered_with_it_is_said_whatever_was_asked(
    moving: Files, tamper: Callable[[Files], None], finding: str, ask: str
) -> None:
    tamper(moving)
    result = moving.ask(ask)
    assert result.exit_code == 3
    assert finding in result.stderr
    assert "nothing was changed" not in result.stdout
    assert result.stdout


def test_a_tail_that_was_cut_shows_against_a_checkpoint(moving: Files, tmp_path: Path) -> None:
    (kept := tmp_path / "kept").write_text(moving.chronicle.note())
    path = moving.log / audited.FIRST
    shorter = Chronicle()
    shorter.passed(w.world())
    path.write_bytes(shorter.sealed)
    result = moving.ask("verify", "--checkpoint", kept)
    assert result.exit_code == 3
    assert "TailCut: " in result.stderr


def test_values_that_are_missing_do_not_keep_the_rest_from_being_told(moving: Files) -> None:
    moving.without(1)  # The first one is of a name.
    assert "- " in moving.ask("where", "--at", "2026-11-23T09:05:00Z").stdout
    assert MODEL in moving.ask("list").stdout
    number = moving.chronicle.decisions[0].sequence
    assert f"record {number}" in moving.ask("show", "--decision", number).stdout
    assert "cannot be decided again: ValueMissing" in moving.ask("replay").stdout


def test_each_decision_comes_out_the_same(moving: Files) -> None:
    result = moving.ask("replay")
    count = len(moving.chronicle.decisions)
    assert result.stdout == f"{count} of {count} decisions, made again from what was recorded, are the same bytes\n"
    assert result.exit_code == 0


def test_a_decision_that_does_not_follow_from_what_was_seen_is_told(tmp_path: Path) -> None:
    """The log is in order: who has the key wrote it so."""
    log, state = placed()
    log.said(lambda body: body.update(what=["Invented"]), at(state, 5))
    log.said(lambda body: body["seen"].update(law="sha256:" + "0" * 64), at(state, 6))
    result = audited.written(tmp_path, log).ask("replay")
    assert result.exit_code == 3
    differs, cannot, same = result.stdout.splitlines()
    assert differs.endswith("on SovereignModel/retail-banking/fraud-scorer: decided again, what differ")
    assert "cannot be decided again: ValueMissing" in cannot
    assert same.startswith("2 of 4 decisions")


def test_decisions_are_listed_with_who_asked_and_what_came_of_them(moving: Files) -> None:
    head, *rows = moving.ask("list").stdout.splitlines()
    assert head.split("  ")[0] == "RECORD"
    first = rows[0].split(maxsplit=5)
    assert first == ["2", "2026-11-23T09:00:00Z", "Placed", MODEL, "ana", "Place sg: Done (1 written)"]
    assert len(rows) == len(moving.chronicle.decisions)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--model", "retail-banking/credit-limit"), ["Refused"]),
        (("--what", "Evicted"), ["Evicted+Placed"]),
        (("--model", MODEL, "--what", "Placed"), ["Placed", "Evicted+Placed"]),
    ],
)
def test_the_list_is_of_a_model_or_of_a_sort(moving: Files, options: tuple[str, ...], what: list[str]) -> None:
    assert [row.split()[2] for row in moving.ask("list", *options).stdout.splitlines()[1:]] == what


def test_where_nothing_is_asked_for_that_is_said(moving: Files) -> None:
    assert moving.ask("list", "--model", "x/y").stdout == "there is no such decision\n"


def test_an_attempt_that_failed_is_in_the_list(tmp_path: Path) -> None:
    log = Chronicle()
    log.failed(log.decided(w.world()), "Place", "Forbidden", "no quota")
    assert "Place sg: Failed (Forbidden)" in audited.written(tmp_path, log).ask("list").stdout


def test_a_decision_is_shown_with_all_rules_and_who_approved(tmp_path: Path) -> None:
    log = Chronicle()
    house = a.rule(expression="false", onUnmet="Advise")
    policy = a.policy(telemetry=("PH",), rules=[house])
    audit = a.policy("planned", everywhere=("DE",), spec={"mode": "Audit"})
    law = {"exceptions": (a.exception(),), "records": (a.record(),)}
    log.passed(w.world(model=w.model(metadata=audited.ASKED), policies=(policy, audit), further=law))
    files = audited.written(tmp_path, log)
    number = str(log.decisions[0].sequence)
    by_number = files.ask("show", "--decision", number)
    digest = log.decisions[0].digest
    assert by_number.stdout == files.ask("show", "--decision", digest[:20]).stdout
    for said in (
        f"record {number}, {digest}",
        "Placed: retail-banking/fraud-scorer, decided 2026-11-23T09:00:00.000000Z, recorded 2026-11-23T09:00:00Z in term 1",
        "by domicile-0, domicile 0.1.0",
        "asked for by ana",
        "data classes customer.pii; policies sg-customer-data",
        "rests on ResidencyException/ticket-4711 (approved-by gil, requested-by ana)",
        "act: Place sg: Done (1 written)",
        "Unmet, settled by ResidencyException/ticket-4711",
        "audit: Unmet",
        "worker nodes are in PH, sg-customer-data allows SG",
    ):
        assert said in by_number.stdout


def test_a_decision_without_a_judgement_and_one_that_passes_over_clusters_are_shown_too(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world(model=w.model(accelerators={"count": 1})))
    log.decided(at(w.deleted(state), 5))
    held, deleting = log.decisions
    files = audited.written(tmp_path, log)
    shown = files.ask("show", "--decision", held.sequence).stdout
    assert "passed over sg: " in shown
    assert "asked for by somebody who was not recorded" in shown
    assert "CLUSTER" not in files.ask("show", "--decision", deleting.sequence).stdout


def test_a_model_that_no_policy_covers_is_shown_with_that(tmp_path: Path) -> None:
    log = Chronicle()
    log.passed(w.world(policies=()))
    shown = audited.written(tmp_path, log).ask("show", "--decision", str(log.decisions[0].sequence)).stdout
    assert "policies none that covers them" in shown


def test_who_approves_without_a_stamp_is_nobody(tmp_path: Path) -> None:
    log, state = placed()
    resting = [{"kind": "ResidencyRecord", "name": "r", "stamps": {}}]
    log.said(lambda body: body.update(restsOn=resting), at(state, 5))
    shown = audited.written(tmp_path, log).ask("show", "--decision", log.decisions[-1].sequence).stdout
    assert "rests on ResidencyRecord/r (by nobody who was stamped)" in shown


def test_what_names_no_decision_or_several_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = audited.written(tmp_path, audited.moving())
    unknown = files.ask("show", "--decision", "999")
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("domicile: no decision is 999: give its number")
    # Digests that begin alike are not to be had: of a log that tells each decision twice they do.
    monkeypatch.setattr(questions, "named", lambda trail, _: list(trail.decisions.values())[:2])
    several = files.ask("show", "--decision", "abcdef")
    assert several.exit_code == 1
    assert several.stderr.startswith("domicile: 2 decisions are abcdef: ")


def test_where_says_what_ran_at_a_time_and_which_exceptions_were_in_force(tmp_path: Path) -> None:
    log = Chronicle()
    rule = a.rule("register", None, onUnmet="RequireRecord", record="outsourcing")
    law = {"exceptions": (a.exception(),), "records": (a.record(),)}
    log.passed(w.world(policies=(a.policy(telemetry=("PH",), rules=[rule]),), further=law))
    files = audited.written(tmp_path, log)
    head, row, held = files.ask("where", "--at", "2026-11-23T09:30:00Z").stdout.splitlines()
    assert head.split()[:4] == ["MODEL", "CLUSTER", "SINCE", "PERMIT"]
    for said in ("2026-11-23T09:00:00Z", "ResidencyException/ticket-4711, ResidencyRecord/register-17", a.ARTIFACT):
        assert said in row
    assert held.startswith(
        "in force: ResidencyException/ticket-4711: allow.telemetry of sg-customer-data need not hold for"
        " retail-banking/fraud-scorer on sg until 2027-11-23T09:00:00Z, for: logs leave for a week"
    )


def test_where_is_asked_of_a_time(moving: Files) -> None:
    def clusters(at: str) -> list[str]:
        return [row.split()[1] for row in moving.ask("where", "--at", at).stdout.splitlines()[1:]]

    assert clusters("2026-11-23T09:05:00Z") == ["sg"]
    assert clusters("2026-11-23T09:11:00+00:00") == ["sg", "ph"]
    assert clusters("2026-11-23T17:20:00+08:00") == ["ph"]
    before = moving.ask("where", "--at", "2026-11-22T00:00:00Z").stdout
    assert before == "nothing ran anywhere at 2026-11-22T00:00:00Z, as far as is recorded\n"
    assert moving.ask("where", "--at", "yesterday").stderr.startswith("domicile: yesterday is no time")


def test_what_was_found_there_without_a_permit_is_there(tmp_path: Path) -> None:
    log = Chronicle()
    log.decided(w.on(w.world(policies=(a.policy(everywhere=("PH",)),)), "sg"))
    rows = audited.written(tmp_path, log).ask("where", "--at", "2026-11-23T10:00:00Z").stdout.splitlines()
    assert [row.split()[1:4] for row in rows if " sg " in row] == [["sg", "2026-11-23T09:00:00Z", "-"]]


def test_times_without_a_valid_verdict_are_listed_and_fail(moving: Files) -> None:
    result = moving.ask("unheld", "--at", "2026-11-23T10:00:00Z")
    assert result.exit_code == 3
    _, row = result.stdout.splitlines()
    assert row.split(maxsplit=4) == [
        MODEL,
        "sg",
        "2026-11-23T09:10:00Z",
        "2026-11-23T09:12:00Z",
        "worker nodes are in SG, sg-customer-data allows PH",
    ]
    goes_on = moving.ask("unheld", "--at", "2026-11-23T09:11:00Z").stdout.splitlines()[1]
    assert goes_on.split()[3] == "-"


def test_where_all_was_held_nothing_is_listed(moving: Files) -> None:
    result = moving.ask("unheld", "--at", "2026-11-23T09:05:00Z")
    assert (result.exit_code, result.stdout) == (
        0,
        "no model was anywhere without a valid verdict, as far as is recorded\n",
    )


def test_the_public_key_of_a_private_one_is_printed(tmp_path: Path) -> None:
    private = tmp_path / "key.pem"
    public = keyfile.pem(keyfile.signer_made_once(private).public)
    assert run("key", private).stdout == public
    (tmp_path / "none.pem").write_text("no key")
    none = run("key", tmp_path / "none.pem")
    assert none.exit_code == 1
    assert none.stderr.startswith("domicile: the public key in ")


def test_a_log_that_another_key_signed_is_not_believed(moving: Files, tmp_path: Path) -> None:
    result = run("verify", moving.log, "--key", audited.pem(tmp_path / "other.pem", logs.STOLEN))
    assert result.exit_code == 3
    assert "KeyUnknown: " in result.stderr
    assert "0 records" in result.stdout


def test_a_key_has_to_be_given_and_be_one(moving: Files, tmp_path: Path) -> None:
    assert run("verify", moving.log).exit_code == 2
    (tmp_path / "none.pem").write_text("no key")
    for name in ("none.pem", "missing.pem"):
        result = run("verify", moving.log, "--key", tmp_path / name)
        assert result.exit_code == 1
        assert result.stderr.startswith("domicile: the public key in ")


def test_what_a_process_is_writing_meanwhile_is_not_counted_yet(moving: Files) -> None:
    """It does not lock the log, and what stands after the last checkpoint was not acknowledged."""
    size = len(moving.chronicle.tree)
    moving.chronicle.decided(at(audited.refused(), 30))
    with (moving.log / audited.FIRST).open("ab") as file:
        file.write(moving.chronicle.lines[-1] + b"\n" + b'{"payload":"torn')
    (moving.log / "lock").touch()
    result = moving.ask("verify")
    assert (result.exit_code, result.stderr) == (0, "")
    assert f" {size} records" in result.stdout


def test_segments_are_read_in_their_order_and_files_as_they_are_given(tmp_path: Path) -> None:
    log, key = tmp_path / "log", audited.pem(tmp_path / "pub.pem")
    log.mkdir()
    writer = audited.moving()
    lines = writer.sealed.splitlines(keepends=True)
    second = log / f"{2:020}.jsonl"
    second.write_bytes(b"".join(lines[2:]))
    first = log / audited.FIRST
    first.write_bytes(b"".join(lines[:2]))
    assert run("verify", log, "--key", key).exit_code == 0
    assert run("verify", first, second, "--key", key).exit_code == 0
    assert run("verify", second, first, "--key", key).exit_code == 3


def test_what_cannot_be_read_is_told(moving: Files, tmp_path: Path) -> None:
    (empty := tmp_path / "empty").mkdir()
    assert "has no segments of a log" in run("verify", empty, "--key", moving.key).stderr
    (moving.log / f"{900:020}.jsonl").mkdir()
    unreadable = moving.ask("verify")
    assert unreadable.exit_code == 1
    assert f"{900:020}.jsonl cannot be read: Is a directory" in unreadable.stderr
    assert run("verify", tmp_path / "missing", "--key", moving.key).exit_code == 2


def test_a_checkpoint_that_cannot_be_read_is_told(moving: Files, tmp_path: Path) -> None:
    (noise := tmp_path / "noise").write_bytes(b"\xff")
    for path in (noise, tmp_path / "missing"):
        result = moving.ask("verify", "--checkpoint", path)
        assert result.exit_code == 1
        assert result.stderr.startswith("domicile: the checkpoint in ")


def test_of_a_log_without_a_record_the_name_has_to_be_given(tmp_path: Path) -> None:
    (log := tmp_path / "log.jsonl").write_bytes(b'\n{"checkpoint":"x"}\nnoise\n')
    key = audited.pem(tmp_path / "pub.pem")
    result = run("verify", log, "--key", key)
    assert result.exit_code == 1
    assert result.stderr.endswith("give --origin\n")
    named = run("verify", log, "--key", key, "--origin", logs.ORIGIN)
    assert named.exit_code == 3
    assert named.stdout.startswith(f"{logs.ORIGIN}: 0 records")


def test_what_others_wrote_moves_no_cursor_and_begins_no_line(tmp_path: Path) -> None:
    log = Chronicle()
    reason = "in a hurry\x1b[2J\u202egnol\n9  2026  Placed"
    state = w.world(policies=(a.policy(telemetry=("PH",)),), further={"exceptions": (a.exception(reason=reason),)})
    log.passed(replace(state, model=w.model(metadata={"annotations": {"domicile.dev/requested-by": "ana\r\x9b1A"}})))
    files = audited.written(tmp_path, log)
    for ask in (
        ("list",),
        ("where", "--at", "2026-11-23T09:30:00Z"),
        ("show", "--decision", str(log.decisions[0].sequence)),
    ):
        said = files.ask(*ask).stdout
        assert said
        assert not set(said) & set("\x1b\u202e\r\x9b")
        assert not any(line.startswith("9  2026") for line in said.splitlines())
    assert (
        "in a hurry\\u001b[2J\\u202egnol 9  2026  Placed" in files.ask("where", "--at", "2026-11-23T09:30:00Z").stdout
    )


def test_records_of_another_sort_are_told_and_are_no_traceback(tmp_path: Path) -> None:
    log, state = placed()
    number = len(log.tree)
    log.add(Content("Decision", f"SovereignModel/{MODEL}", a.DIGEST, {"surprise": 1}), at(state, 5).now)
    files = audited.written(tmp_path, log)
    result = files.ask("list")
    assert result.exit_code == 3
    assert result.stderr == f"Odd: record {number} is not as records of this version are: KeyError 'context'\n"


def test_a_decision_that_lacks_what_is_asked_for_is_told_and_is_no_traceback(tmp_path: Path) -> None:
    log, state = placed()
    log.said(lambda body: body.pop("seen"), at(state, 5))
    result = audited.written(tmp_path, log).ask("where")
    assert result.exit_code == 1
    assert result.stderr == "domicile: a record is not as records of this version are: KeyError 'seen'\n"


def test_what_governance_changed_is_listed(tmp_path: Path) -> None:
    log, _ = placed()
    content = changes({}, Law(exceptions=(a.exception(),)), Bag())
    assert content is not None
    log.add(content, a.NOW)
    result = audited.written(tmp_path, log).ask("law")
    assert result.exit_code == 0
    assert "ResidencyException/ticket-4711: Added+ApprovalGiven (approved-by gil, requested-by ana)" in result.stdout


def test_that_governance_changed_nothing_is_said(moving: Files) -> None:
    assert moving.ask("law").stdout == "governance changed nothing, as far as is recorded\n"
