"""`domicile policy diff`: what would move, be evicted or be held if files were applied, or a policy enforced or deleted."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import builders as a
from cli import planned as p
from domicile import kube
from domicile.api import Kind

STRICTER = a.policy("stricter", everywhere=("PH",), spec={"mode": "Audit"})
BOTH = a.policy(everywhere=("SG", "PH"))


@pytest.fixture
def now(tmp_path: Path) -> Path:
    """A model that runs in Singapore and may be in the Philippines; a policy in Audit mode would not leave it there."""
    objects = (p.namespace(), BOTH, STRICTER, p.placed("sg"), *p.fleet("sg", "ph"))
    return p.write(tmp_path / "now.yaml", *objects)


def test_what_enforcing_an_audited_policy_would_move(now: Path) -> None:
    result = p.run("policy", "diff", "--current", now, "--enforce", "stricter")
    assert result.exit_code == 0
    head, row, summary = result.stdout.splitlines()
    assert head.split("  ")[0] == "EFFECT"
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == [
        "Move",
        "retail-banking/fraud-scorer",
        "sg",
        "ph, sg",
        "ph",
        "sg: WorkersOutsideJurisdiction: worker nodes are in SG, stricter allows PH",
    ]
    assert summary == "models: 1 would move"


def test_what_enforcing_all_audited_policies_would_do(now: Path, tmp_path: Path) -> None:
    further = p.write(tmp_path / "further.yaml", a.policy("further", everywhere=("SG",), spec={"mode": "Audit"}))
    assert p.answer("policy", "diff", "--current", now, further)["changes"][0]["effect"] == "Stay"
    told = p.answer("policy", "diff", "--current", now, further, "--enforce-all")
    assert told["changes"][0]["effect"] == "Evict"
    assert told == p.answer("policy", "diff", "--current", now, further, "--enforce=further", "--enforce=stricter")


def test_programs_are_told_of_every_model(now: Path) -> None:
    told = p.answer("policy", "diff", "--current", now, "--enforce", "stricter")
    assert told == {
        "at": p.AT,
        "notes": [],
        "changes": [
            {
                "model": "retail-banking/fraud-scorer",
                "effect": "Move",
                "new": False,
                "placedOn": ["sg"],
                "leaves": ["sg"],
                "lawfulBefore": ["ph", "sg"],
                "lawfulAfter": ["ph"],
                "reasons": [
                    {
                        "cluster": "sg",
                        "policy": "stricter",
                        "rule": "allow.workers",
                        "pool": "",
                        "reason": "WorkersOutsideJurisdiction",
                        "message": "worker nodes are in SG, stricter allows PH",
                    }
                ],
                "conflicts": [],
            }
        ],
    }
    unchanged = p.answer("policy", "diff", "--current", now, "--enforce", "sg-customer-data")
    assert [(c["effect"], c["reasons"]) for c in unchanged["changes"]] == [("Stay", [])]


def test_yaml_says_the_same_as_json(now: Path) -> None:
    asked = ("policy", "diff", "--current", now, "--delete", "sg-customer-data")
    assert yaml.safe_load(p.run(*asked, "-o", "yaml").stdout) == p.answer(*asked)


CHANGES: dict[str, tuple[tuple[Kind | p.Manifest, ...], str]] = {
    "another country": ((a.policy(everywhere=("PH",)),), "Move"),
    "no country of the fleet": ((a.policy(everywhere=("DE",)),), "Evict"),
    "one country fewer": ((a.policy(everywhere=("SG",)),), "Narrow"),
    "the same": ((BOTH,), "Stay"),
    "a policy from Audit to Enforce": ((a.policy("stricter", everywhere=("DE",)),), "Evict"),
    "a group": ((a.policy(everywhere=("group:asean",)), a.group()), "Stay"),
    "an attestation that is gone elsewhere": ((a.attestation(everything="MY"),), "Move"),
    "a further cluster": ((a.regional_cluster("de"), a.attestation("de-2026", of="de", everything="PH")), "Widen"),
    "a cluster that was rebuilt": ((a.regional_cluster("sg", clusterUID=a.uid("rebuilt")),), "Move"),
    "a namespace's label that chooses other policies": (
        (a.policy(namespaces={"matchLabels": {"unit": "x"}}, everywhere=("PH",)), p.namespace(unit="x")),
        "Move",
    ),
    "another class of data": ((a.model(data_classes=["customer.behaviour"]),), "Evict"),
}


@pytest.mark.parametrize(("objects", "effect"), CHANGES.values(), ids=CHANGES.keys())
def test_any_object_may_change(now: Path, tmp_path: Path, objects: tuple[Kind, ...], effect: str) -> None:
    told = p.answer("policy", "diff", "--current", now, p.write(tmp_path / "new.yaml", *objects))
    assert [change["effect"] for change in told["changes"]] == [effect]
    assert told["changes"][0]["placedOn"] == ["sg"], "a manifest without a status does not forget where it runs"


def test_a_cluster_that_was_rebuilt_is_no_longer_the_one_that_it_is_on(now: Path, tmp_path: Path) -> None:
    rebuilt = p.write(tmp_path / "new.yaml", a.regional_cluster("sg", clusterUID=a.uid("rebuilt")))
    assert (
        "sg: no cluster of that name has its UID any more" in p.run("policy", "diff", "--current", now, rebuilt).stdout
    )


def test_a_deleted_policy_leaves_its_classes_uncovered(now: Path) -> None:
    shown = p.run("policy", "diff", "--current", now, "--delete", "sg-customer-data").stdout
    assert shown.startswith("EFFECT  MODEL")
    assert "Evict   retail-banking/fraud-scorer  sg  ph, sg     -" in shown
    assert "sg: NoMatchingPolicy: no ResidencyPolicy covers data class customer.pii in this namespace" in shown


def test_nothing_changes(now: Path) -> None:
    assert (
        p.run("policy", "diff", "--current", now, "--enforce", "sg-customer-data").stdout
        == "models: 1 stay as they are\n"
    )


def test_without_a_model(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", STRICTER)
    shown = p.run("policy", "diff", "--current", path, "--enforce", "stricter").stdout
    assert shown == "there is no SovereignModel\n"


def test_a_new_model_and_conflicts_are_told(now: Path, tmp_path: Path) -> None:
    new = p.write(tmp_path / "new.yaml", a.policy(everywhere=("DE",)), a.model("newcomer"))
    shown = p.run("policy", "diff", "--current", now, new, "--enforce", "stricter").stdout
    assert "Hold    retail-banking/newcomer" in shown
    assert "retail-banking/newcomer: no place is allowed by all for workers: sg-customer-data allows DE" in shown
    assert shown.splitlines()[-1] == "models: 1 would be evicted, 1 would be held"
    told = p.answer("policy", "diff", "--current", now, new)
    assert {change["model"]: change["new"] for change in told["changes"]} == {
        "retail-banking/fraud-scorer": False,
        "retail-banking/newcomer": True,
    }


def test_of_many_reasons_three_are_shown(tmp_path: Path) -> None:
    names = [f"sg{n}" for n in range(5)]
    said = [a.attestation(f"{name}-2026", of=name) for name in names]
    clusters = [a.regional_cluster(name) for name in names]
    path = p.write(tmp_path / "now.yaml", p.namespace(), a.policy(), a.model(), *clusters, *said, a.HUB)
    new = p.write(tmp_path / "new.yaml", a.policy(everywhere=("DE",)))
    row = p.run("policy", "diff", "--current", path, new).stdout.splitlines()[1]
    assert row.count("WorkersOutsideJurisdiction") == 3
    assert row.endswith("; and 2 more")


def test_stamps_of_an_exception_stand_while_its_spec_does(tmp_path: Path) -> None:
    objects = (p.namespace(), a.policy(), a.attestation(telemetry="PH"), a.regional_cluster(), a.HUB)
    path = p.write(tmp_path / "now.yaml", *objects, p.placed("sg"), a.exception())
    same = p.write(tmp_path / "same.yaml", a.exception(annotations={"note": "as in git"}))
    other = p.write(tmp_path / "other.yaml", a.exception(annotations={}, reason="another one"))
    effects = [p.answer("policy", "diff", "--current", path, new)["changes"][0]["effect"] for new in (same, other)]
    assert effects == ["Stay", "Evict"]


@pytest.mark.parametrize(
    ("said", "effect"), [({}, "Stay"), ({"approved": False}, "Evict")], ids=["not said", "taken back"]
)
def test_a_request_that_is_applied_again_takes_no_approval_back(
    tmp_path: Path, said: dict[str, Any], effect: str
) -> None:
    objects = (p.namespace(), a.policy(), a.attestation(telemetry="PH"), a.regional_cluster(), a.HUB)
    path = p.write(tmp_path / "now.yaml", *objects, p.placed("sg"), a.exception())
    asked = p.manifest(a.exception(annotations={}))
    spec = {key: value for key, value in asked["spec"].items() if key != "approved"}
    again = p.write(tmp_path / "again.yaml", {**asked, "spec": {**spec, **said}})
    assert p.answer("policy", "diff", "--current", path, again)["changes"][0]["effect"] == effect


# What a pipeline can fail on.


@pytest.mark.parametrize(
    ("change", "on", "code"),
    [
        (("--delete", "sg-customer-data"), ("evict",), 3),
        (("--delete", "sg-customer-data"), ("move",), 0),
        (("--enforce", "stricter"), ("evict", "move"), 3),
        (("--enforce", "stricter"), ("evict",), 0),
        (("--enforce", "stricter"), (), 0),
    ],
)
def test_exit_codes(now: Path, change: tuple[str, ...], on: tuple[str, ...], code: int) -> None:
    result = p.run("policy", "diff", "--current", now, *change, *(f"--fail-on={effect}" for effect in on))
    assert result.exit_code == code
    assert bool(result.stderr) == bool(code)
    assert result.stdout.startswith("EFFECT"), "the answer is there all the same"


WRONG = {
    "no present": (("x.yaml",), 2, "say how things are now: either --current FILES, or a hub with --hub-context"),
    "two presents": (("--current", "NOW", "--hub-context", "hub", "x.yaml"), 2, "say how things are now"),
    "no change": (("--current", "NOW"), 2, "say what is to change: FILES, --enforce or --delete"),
    "no such policy": (
        ("--current", "NOW", "--enforce", "strict"),
        1,
        "there is no ResidencyPolicy strict: there is sg-customer-data, stricter",
    ),
    "no such policy to delete": (("--current", "NOW", "--delete", "strict"), 1, "there is no ResidencyPolicy strict"),
}


@pytest.mark.parametrize(("arguments", "code", "says"), WRONG.values(), ids=WRONG.keys())
def test_wrong_usage_is_said(now: Path, arguments: tuple[str, ...], code: int, says: str) -> None:
    result = p.run("policy", "diff", *(str(now) if each == "NOW" else each for each in arguments))
    assert (result.exit_code, says in result.stderr) == (code, True)


def test_without_any_policy_there_is_none_to_enforce(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", a.model())
    result = p.run("policy", "diff", "--current", path, "--enforce", "strict")
    assert "there is no ResidencyPolicy strict: there is none" in result.stderr


# A hub.


def test_a_hub_says_how_things_are_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = {**p.namespace("kube-system"), "metadata": {"name": "kube-system", "uid": a.uid("hub")}}
    new = p.write(tmp_path / "new.yaml", a.policy(everywhere=("PH",)))
    with p.hub(p.namespace(), system, BOTH, p.placed("sg"), *p.fleet("sg", "ph")) as endpoint:

        async def from_kubeconfig(_path: Path | None, context: str | None) -> Any:
            assert context == "hub"
            return endpoint

        monkeypatch.setattr(kube, "from_kubeconfig", from_kubeconfig)
        result = p.run("policy", "diff", new, "--hub-context", "hub", "-o", "json", "--fail-on", "move")
    assert result.exit_code == 3
    assert result.stderr == "domicile: move: retail-banking/fraud-scorer\n"
    assert json.loads(result.stdout)["changes"][0]["effect"] == "Move"
