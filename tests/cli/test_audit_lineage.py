"""`domicile audit lineage`, and what an export has of it: versions, where and on which nodes, and what replaced them."""

import re
from pathlib import Path

import pytest

import builders as a
from audit.chronicle import Chronicle, at
from audit.test_lineage import NEXT, PH_ONLY, edited, placed, ran, workloads
from cli import audited
from cli.audited import Files
from cli.exported import exported, lines
from decision import world as w
from domicile.cli.audit.export.attested import UNKNOWN

MODEL = "retail-banking/fraud-scorer"
HEAD = [
    "MODEL", "GENERATION", "CLUSTER", "WORKLOAD", "ASKED BY", "DECIDED", "WRITTEN", "UNTIL", "REPLACED BY", "PERMITS", "NODES",
    "ARTIFACTS",
]  # fmt: skip


def time(count: int) -> str:
    return f"2026-11-23T09:{count:02}:00Z"


@pytest.fixture
def replaced(tmp_path: Path) -> Files:
    """A model on sg, of which another version was written at minute 5, and which stayed under another permit from minute 8 on."""
    log = Chronicle()
    state = edited(log, placed(log), 5, **NEXT)
    log.passed(at(w.with_model(state, **NEXT, placement={"clusterCount": 2}), 8), times=2)
    return audited.written(tmp_path, log)


def rows(files: Files, *more: object) -> list[list[str]]:
    """Cells of the table. No cell has two spaces in a row."""
    result = files.ask("lineage", *more)
    assert (result.exit_code, result.stderr) == (0, "")
    return [re.split(r"  +", line) for line in result.stdout.splitlines()]


def test_each_version_is_a_line_with_what_replaced_it(replaced: Files) -> None:
    head, first, second = rows(replaced)
    before, after = (each[:19] for each in workloads(replaced.chronicle))
    permits = [act["permit"][:19] for each in replaced.chronicle.decisions for act in each.body["acts"]]
    artifacts = ", ".join(sorted((a.ARTIFACT, a.IMAGE)))
    assert head == HEAD
    assert first == [
        MODEL, "1", "sg", before, "ana", time(0), time(0), time(5), f"2, 3 ({after})", permits[0],
        f"gpu-0 ({time(1)} to {time(5)})", artifacts,
    ]  # fmt: skip
    assert second[:10] == [
        MODEL, "2, 3", "sg", after, "ana", time(5), time(5), "-", "-", second[9],
    ]  # fmt: skip
    assert second[9].startswith(f"{permits[1]}, sha256:")
    assert second[10:] == [f"gpu-0 ({time(6)} to -)", artifacts]


def test_versions_are_of_a_model(moving: Files) -> None:
    assert [row[2] for row in rows(moving, "--model", MODEL)[1:]] == ["sg", "ph"]
    nothing = moving.ask("lineage", "--model", "retail-banking/credit-limit")
    assert (nothing.exit_code, nothing.stdout) == (0, "no such model was ever anywhere, as far as is recorded\n")


def test_what_is_not_recorded_is_a_dash(tmp_path: Path) -> None:
    """Pods were found, and nothing had placed them."""
    log = Chronicle()
    log.decided(w.on(w.world(policies=PH_ONLY), "sg", serves=True))
    _, ph, sg = rows(audited.written(tmp_path, log))
    assert (ph[1:3], ph[5:7], ph[10]) == (["1", "ph"], [time(0), "-"], "-")
    assert [cell for cell in sg if cell == "-"] == ["-"] * 8
    assert (sg[2], sg[10]) == ("sg", f"gpu-0 ({time(0)} to -)")


def test_of_a_model_that_is_missing_from_the_log_no_generation_is_told(tmp_path: Path) -> None:
    log = Chronicle()
    edited(log, placed(log), 5, **NEXT)
    files = audited.written(tmp_path, log)
    (decision,) = (each for each in log.decisions if each.body["what"] == ["Updated"])
    files.without(decision.sequence - 1)
    result = files.ask("lineage")
    assert result.exit_code == 3
    first, second = (re.split(r"  +", line) for line in result.stdout.splitlines()[1:])
    assert (first[1], first[8]) == ("1", f"- ({second[3]})")
    assert (second[1], second[4], second[11]) == ("-", "-", "-")


def test_the_name_of_a_node_moves_no_cursor(tmp_path: Path) -> None:
    log = Chronicle()
    placed(log)
    ran(log, 2, "gpu\x1b[2J\u202e\n1", of="sha256:\x9b7")
    files = audited.written(tmp_path, log)
    said = files.ask("lineage").stdout
    assert "gpu\\u001b[2J\\u202e 1 (2026" in said
    assert "sha256:\\u009b7" in said
    assert len(said.splitlines()) == 3
    exported(files, tmp_path / "out")
    assert (tmp_path / "out" / "lineage.jsonl").read_text().isascii()


def test_an_export_has_the_versions(replaced: Files, tmp_path: Path) -> None:
    exported(replaced, tmp_path / "out")
    before, after = workloads(replaced.chronicle)
    first, second = lines(tmp_path / "out" / "lineage.jsonl")
    placing, replacing, keeping = [each for each in replaced.chronicle.decisions if "Observed" not in each.body["what"]]
    (permit,) = first["permits"]
    assert {key: value for key, value in first.items() if key != "permits"} == {
        "model": MODEL,
        "uid": a.model_ref().uid,
        "cluster": "sg",
        "clusterUID": a.uid("sg"),
        "workers": ["SG"],
        "workload": before,
        "generations": [1],
        "askedBy": ["ana"],
        "decision": placing.sequence,
        "from": "2026-11-23T09:00:00.000000Z",
        "written": "2026-11-23T09:00:00.000000Z",
        "until": "2026-11-23T09:05:00.000000Z",
        "replacedBy": {"workload": after, "generations": [2, 3]},
        "artifacts": sorted((a.ARTIFACT, a.IMAGE)),
        "nodes": [{"node": "gpu-0", "from": "2026-11-23T09:01:00.000000Z", "until": "2026-11-23T09:05:00.000000Z"}],
    }
    assert (permit["decision"], permit["workers"], permit["ends"]) == (
        placing.sequence, ["SG"], "2027-11-23T09:00:00.000000Z"
    )  # fmt: skip
    assert (second["until"], second["replacedBy"]) == (None, None)
    written, kept = second["permits"]
    assert written["decision"] == replacing.sequence
    assert kept == {"from": "2026-11-23T09:08:00.000000Z", "permit": kept["permit"], "decision": keeping.sequence}
    assert kept["permit"] != written["permit"]


def test_an_export_has_the_versions_of_its_period_and_jurisdiction(moving: Files, tmp_path: Path) -> None:
    def clusters(name: str, *more: str) -> list[str]:
        exported(moving, tmp_path / name, *more)
        return [each["cluster"] for each in lines(tmp_path / name / "lineage.jsonl")]

    assert clusters("all") == ["sg", "ph"]
    assert clusters("until", "--until", time(10)) == ["sg"]
    assert clusters("from", "--from", time(12)) == ["ph"]
    assert clusters("there", "--jurisdiction", "PH") == ["ph"]


def test_where_pods_were_that_no_decision_knows_of_is_unknown(tmp_path: Path) -> None:
    log = Chronicle()
    state = log.passed(w.world(policies=PH_ONLY))
    ran(log, 1, "gpu-0", of="")
    files = audited.written(tmp_path, log)
    exported(files, tmp_path / "before")
    _, strange = lines(tmp_path / "before" / "lineage.jsonl")
    assert (strange["workers"], strange["decision"], strange["permits"]) == ([UNKNOWN], None, [])
    log.decided(at(w.on(state, "sg", pod={"workload": ""}), 1))
    (later := tmp_path / "later").mkdir()
    exported(audited.written(later, log), tmp_path / "after")
    assert [each["workers"] for each in lines(tmp_path / "after" / "lineage.jsonl")] == [["PH"], ["SG"]]
