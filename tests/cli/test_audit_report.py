"""The report of `domicile audit export`: what an auditor with ten minutes reads, and what hostile text in a log does to it."""

from dataclasses import replace
from pathlib import Path

import pytest

import builders as a
from audit.chronicle import Chronicle, at
from cli import audited
from cli.audited import Files
from cli.exported import Page, exported, lines, page
from decision import world as w
from domicile.cli.audit.export import outlines, tables
from domicile.cli.audit.export.attested import UNKNOWN
from domicile.cli.audit.export.scope import country
from evidence import logs

ROOT = Path(__file__).parents[2]
MODEL = "retail-banking/fraud-scorer"


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
