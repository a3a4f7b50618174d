"""`domicile plan`: what platform, governance and a pipeline learn from manifests alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

import builders as a
from cli import planned as p
from domicile import kube
from domicile.api import Kind
from domicile.cli.main import main

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"
BANK = (p.namespace(), a.policy(), a.model())


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    """A model that may be in Singapore, and two clusters."""
    return p.write(tmp_path / "bank.yaml", *BANK, *p.fleet("sg", "ph"))


def test_each_model_on_each_cluster_with_the_first_reason_and_a_summary(bank: Path) -> None:
    result = p.run("plan", bank)
    assert result.exit_code == 0
    assert result.stderr == ""
    head, ph, sg, summary = result.stdout.splitlines()
    assert head.split() == ["MODEL", "CLUSTER", "LAWFUL", "WHY"]
    assert ph.split("  ")[-1].endswith("allows SG; and 6 more")
    assert "no" in ph.split()
    assert sg.endswith("yes     until 2027-11-23T09:00:00Z")
    assert summary == "1 of 1 models may be on as many clusters as they want"


def test_the_examples_are_planned_as_they_are() -> None:
    told = p.answer("plan", EXAMPLES)
    assert {m["model"]: [c["lawful"] for c in m["clusters"]] for m in told["models"]} == {
        "retail-banking/churn-forecast": [False],
        "retail-banking/fraud-scorer": [True],
        "retail-banking/payment-router": [True],
        # Its pack is not among the examples.
        "sg-core-banking/fraud-scorer": [False],
    }


def test_programs_are_told_all_that_the_verdict_rests_on(bank: Path) -> None:
    told = p.answer("plan", bank)
    assert {key: told[key] for key in ("at", "hub", "notes")} == {
        "at": p.AT,
        "hub": {"name": "hub", "uid": a.uid("hub")},
        "notes": [],
    }
    (model,) = told["models"]
    ph, sg = model.pop("clusters")
    assert model == {
        "model": "retail-banking/fraud-scorer",
        "dataClasses": ["customer.pii"],
        "wants": 1,
        "lawful": 1,
        "placedOn": [],
        "policies": ["sg-customer-data"],
        "audits": [],
        "uncovered": [],
        "conflicts": [],
    }
    assert ph["findings"][0] == {
        "policy": "sg-customer-data",
        "rule": "allow.workers",
        "pool": "",
        "reason": "WorkersOutsideJurisdiction",
        "message": "worker nodes are in PH, sg-customer-data allows SG",
    }
    assert (ph["lawful"], ph["until"], len(ph["findings"])) == (False, None, 7)
    assert sg == {
        "cluster": "sg",
        "uid": a.uid("sg"),
        "lawful": True,
        "findings": [],
        "audited": [],
        "advice": [],
        "until": "2027-11-23T09:00:00Z",
        "nodeSelectors": [{}],
        "attestations": ["hub-2026", "sg-2026"],
        "records": [],
        "exceptions": [],
        "warnings": [],
    }


def test_yaml_says_the_same_as_json(bank: Path) -> None:
    assert yaml.safe_load(p.run("plan", bank, "-o", "yaml").stdout) == p.answer("plan", bank)


def test_a_plan_of_the_future_sees_what_ends(bank: Path) -> None:
    told = p.run("plan", bank, at="2027-11-23T09:00:00Z").stdout
    assert "WorkersJurisdictionUnknown: worker nodes are in an unknown place: sg-2026 ended" in told


@pytest.mark.parametrize("at", ["2027-11-23T09:00:00+08:00", "2027-11-23T01:00:00", "2027-11-23T01:00:00Z"])
def test_a_time_without_a_zone_is_in_utc(bank: Path, at: str) -> None:
    assert json.loads(p.run("plan", bank, "-o", "json", at=at).stdout)["at"] == "2027-11-23T01:00:00Z"


def test_without_a_time_it_is_now(bank: Path) -> None:
    assert "as many clusters as they want" in CliRunner().invoke(main, ["plan", str(bank)]).stdout


MAY_BE: dict[str, tuple[tuple[Kind | p.Manifest, ...], str]] = {
    "by an exception": (
        (*BANK[:2], a.model(), *p.fleet("sg")[:1], a.HUB, a.attestation(telemetry="PH"), a.exception()),
        "until 2027-11-23T09:00:00Z, by ResidencyException/ticket-4711",
    ),
    "by a record": (
        (
            p.namespace(),
            a.model(),
            *p.fleet("sg"),
            a.record(),
            a.policy(rules=(a.rule("register", None, onUnmet="RequireRecord", record="outsourcing"),)),
        ),
        "by ResidencyRecord/register-17",
    ),
    "against advice": (
        (
            p.namespace(),
            a.model(),
            *p.fleet("sg"),
            a.policy(rules=(a.rule("r", "false", onUnmet="Advise", message="better not"),)),
        ),
        "against advice: better not (house rule: Data standard, 7.2)",
    ),
    "for not much longer": (
        (*BANK, a.regional_cluster(), a.HUB, a.attestation(until=a.TOMORROW)),
        "soon: what sg-2026 says of sg ends at 2026-11-24T09:00:00Z",
    ),
    "on some nodes": (
        (
            *BANK,
            a.regional_cluster(),
            a.HUB,
            a.attestation(
                workers=None,
                has={
                    "nodePools": [
                        {
                            "name": "own",
                            "nodeSelector": {"node-restriction.kubernetes.io/pool": "own"},
                            "workers": {"jurisdiction": "SG"},
                        },
                        {
                            "name": "far",
                            "nodeSelector": {"node-restriction.kubernetes.io/pool": "far"},
                            "workers": {"jurisdiction": "PH"},
                        },
                    ]
                },
            ),
        ),
        "on nodes with node-restriction.kubernetes.io/pool=own",
    ),
}


@pytest.mark.parametrize(("objects", "told"), MAY_BE.values(), ids=MAY_BE.keys())
def test_why_it_may_be_there_is_told(tmp_path: Path, objects: tuple[Kind, ...], told: str) -> None:
    result = p.run("plan", p.write(tmp_path / "x.yaml", *objects))
    assert " yes " in result.stdout, result.stdout + result.stderr
    assert told in result.stdout


def test_what_a_policy_in_audit_mode_would_deny_is_told(tmp_path: Path) -> None:
    stricter = a.policy("stricter", everywhere=("PH",), spec={"mode": "Audit"})
    path = p.write(tmp_path / "x.yaml", *BANK, stricter, *p.fleet("sg"))
    lines = p.run("plan", path).stdout.splitlines()
    assert lines[1].endswith("yes     until 2027-11-23T09:00:00Z")
    assert lines[2].endswith(
        "audit   stricter would deny: WorkersOutsideJurisdiction: worker nodes are in SG, stricter allows PH"
    )
    (model,) = p.answer("plan", path)["models"]
    assert model["audits"] == ["stricter"]
    assert model["clusters"][0]["audited"][0]["policy"] == "stricter"


def test_policies_that_together_allow_no_place_are_named(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", *BANK, a.policy("other", everywhere=("PH",)), *p.fleet("sg"))
    told = p.run("plan", path).stdout
    assert "retail-banking/fraud-scorer: no place is allowed by all for workers: other allows PH" in told


# The page about it.


def shown_in_the_docs() -> dict[str, str]:
    """Commands on the examples, and what docs/plan.md says that they print."""
    blocks = re.findall(r"```\n\$ domicile (.*)\n((?:(?!```).*\n)+)```", (REPOSITORY / "docs" / "plan.md").read_text())
    return {command: said for command, said in blocks if "examples" in command}


@pytest.mark.parametrize(("command", "said"), shown_in_the_docs().items(), ids=shown_in_the_docs().keys())
def test_the_docs_show_what_is_printed(command: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert CliRunner().invoke(main, command.split()).output == said


def test_the_docs_show_some() -> None:
    assert len(shown_in_the_docs()) == 3


# The matrix.


def test_the_matrix_has_every_rule_of_every_policy_on_every_cluster_and_pool(tmp_path: Path) -> None:
    pool = {
        "name": "own",
        "nodeSelector": {"node-restriction.kubernetes.io/pool": "own"},
        "workers": {"jurisdiction": "SG"},
    }
    objects = (
        p.namespace(),
        a.model(),
        a.policy(
            rules=(a.rule("certified", "cluster.certifications.exists(c, c.name == 'SS584')", message="no SS 584"),)
        ),
        a.policy("audited", everywhere=("PH",), spec={"mode": "Audit"}),
        *p.fleet("ph"),
        a.regional_cluster("sg"),
        a.attestation(workers=None, telemetry="PH", has={"nodePools": [pool]}),
        a.exception(),
    )
    path = p.write(tmp_path / "x.yaml", *objects)
    (model,) = p.answer("plan", path, "--matrix")["models"]
    rows = model["matrix"]
    rules = {(row["policy"], row["rule"]) for row in rows}
    assert len(rules) == 12 + 1 + 12
    assert len(rows) == 2 * len(rules)
    assert {(row["cluster"], row["pool"]) for row in rows} == {("ph", ""), ("sg", "own")}

    by = {(row["cluster"], row["policy"], row["rule"]): row for row in rows}
    assert by["sg", "sg-customer-data", "certified"] == {
        "cluster": "sg",
        "uid": a.uid("sg"),
        "pool": "own",
        "mode": "Enforce",
        "policy": "sg-customer-data",
        "rule": "certified",
        "outcome": "Unmet",
        "effect": "Deny",
        "follows": "Denies",
        "reason": "RuleNotMet",
        "message": "no SS 584",
        "basis": {
            "type": "OrgPolicy",
            "source": "Data standard",
            "clause": "7.2",
            "asOf": "2026-04-01",
            "confidence": "Medium",
        },
        "settledBy": None,
        "ends": None,
    }
    settled = by["sg", "sg-customer-data", "allow.telemetry"]
    assert (settled["follows"], settled["settledBy"], settled["ends"]) == (
        "Settled",
        "ResidencyException/ticket-4711",
        "2027-11-23T09:00:00Z",
    )
    assert by["sg", "sg-customer-data", "allow.workers"]["follows"] == "None"
    assert by["sg", "audited", "allow.workers"]["mode"] == "Audit"

    shown = p.run("plan", path, "--matrix").stdout
    assert shown.startswith("retail-banking/fraud-scorer with customer.pii, under sg-customer-data\n")
    lines = [line.split("  ") for line in shown.splitlines()]
    told = [[cell.strip() for cell in line if cell.strip()] for line in lines[1:]]
    assert told[0] == ["CLUSTER", "POLICY", "RULE", "OUTCOME", "FOLLOWS", "REASON", "WHY"]
    assert len(told) == 1 + len(rows)
    assert [
        "sg/own",
        "sg-customer-data",
        "certified",
        "Unmet",
        "denies",
        "RuleNotMet",
        "no SS 584 (house rule: Data standard, 7.2)",
    ] in told
    assert ["sg/own", "sg-customer-data", "allow.workers", "Met", "-", "-"] in told
    assert any(row[4] == "settled by ResidencyException/ticket-4711" for row in told)
    assert any(row[4] == "audit: denies" and row[1] == "audited" for row in told)


def test_what_advises_is_told_apart(tmp_path: Path) -> None:
    policy = a.policy(rules=(a.rule("r", "false", onUnmet="Advise"),))
    path = p.write(tmp_path / "x.yaml", p.namespace(), a.model(), policy, *p.fleet("sg"))
    (model,) = p.answer("plan", path, "--matrix")["models"]
    assert {row["rule"]: row["follows"] for row in model["matrix"]}["r"] == "Advises"


def test_where_no_policy_covers_the_model_the_matrix_says_so(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", p.namespace(), a.model(), *p.fleet("sg"))
    assert p.run("plan", path, "--matrix").stdout == (
        "retail-banking/fraud-scorer with customer.pii: lawful nowhere, as no enforced ResidencyPolicy covers customer.pii"
        " in its namespace\n"
    )
    (model,) = p.answer("plan", path)["models"]
    assert model["uncovered"] == ["customer.pii"]


def test_one_model_alone(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", *BANK, a.model("other"), *p.fleet("sg"))
    assert "other" in p.run("plan", path).stdout
    shown = p.run("plan", path, "--model", "retail-banking/fraud-scorer")
    assert "other" not in shown.stdout
    missing = p.run("plan", path, "--model", "fraud-scorer")
    assert missing.exit_code == 1
    assert missing.stderr.endswith("there is no SovereignModel fraud-scorer: write it as NAMESPACE/NAME\n")


# What a pipeline can fail on.

FAILS: dict[str, tuple[tuple[Kind | p.Manifest, ...], str, int, str]] = {
    "lawful": ((*BANK, *p.fleet("sg")), "short", 0, ""),
    "lawful nowhere": ((*BANK, *p.fleet("ph")), "short", 3, "than wanted: retail-banking/fraud-scorer (0 of 1)"),
    "on fewer than wanted": (
        (p.namespace(), a.policy(), a.model(placement={"clusterCount": 2}), *p.fleet("sg", "ph")),
        "short",
        3,
        "fewer lawful clusters than wanted: retail-banking/fraud-scorer (1 of 2)",
    ),
    "without a cluster": ((*BANK, a.HUB), "short", 3, "(0 of 1)"),
    "without a model": ((a.policy(), *p.fleet("sg")), "short", 1, "there is no SovereignModel, so --fail-on short"),
    "a valid policy": ((a.policy(), *p.fleet("sg")), "invalid", 0, ""),
    "an expression that cannot be read": (
        (a.policy(rules=(a.rule("r", "cluster.("),)),),
        "invalid",
        3,
        "cannot be read in full: sg-customer-data",
    ),
    "a group that is not there": (
        (a.policy(workers=("group:eea",)),),
        "invalid",
        3,
        "there is no such JurisdictionGroup",
    ),
    "not asked for": ((*BANK, *p.fleet("ph")), "invalid", 0, ""),
}


@pytest.mark.parametrize(("objects", "on", "code", "says"), FAILS.values(), ids=FAILS.keys())
def test_exit_codes(tmp_path: Path, objects: tuple[Kind, ...], on: str, code: int, says: str) -> None:
    result = p.run("plan", p.write(tmp_path / "x.yaml", *objects), "--fail-on", on)
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert result.stdout, "the answer is there all the same"


def test_a_pipeline_does_not_pass_for_want_of_the_namespace(tmp_path: Path) -> None:
    stricter = a.policy("stricter", everywhere=("PH",), namespaces={"matchLabels": {"unit": "retail"}})
    path = p.write(tmp_path / "x.yaml", a.policy(), stricter, a.model(), *p.fleet("sg"))
    assert p.run("plan", path).exit_code == 0
    result = p.run("plan", path, "--fail-on", "short")
    assert result.exit_code == 1
    assert "Namespace retail-banking was not read, so --fail-on short cannot know which policies apply" in result.stderr


def test_a_cluster_under_two_names_is_one(tmp_path: Path) -> None:
    twin = a.regional_cluster("sg2", clusterUID=a.uid("sg"))
    said = a.attestation("sg2-2026", of="sg2", at="sg")
    model = a.model(placement={"clusterCount": 2})
    path = p.write(tmp_path / "x.yaml", p.namespace(), a.policy(), model, *p.fleet("sg"), twin, said)
    assert p.run("plan", path, "--fail-on", "short").stderr.endswith("(1 of 2)\n")


# What should be known before the answer is believed.

NOTES: dict[str, tuple[tuple[Kind | p.Manifest, ...], str]] = {
    "the hub is not attested": (
        (*BANK, *p.fleet("sg")[:-1]),
        "no ClusterAttestation of the cluster named hub was read",
    ),
    "two hubs are attested": (
        (*BANK, *p.fleet("sg"), a.attestation("hub2", of="hub", at="other")),
        "clusters with 2 UIDs are attested as hub, so none is taken",
    ),
    "another hub is attested": (
        (*BANK, *p.fleet("sg"), {**p.namespace("kube-system"), "metadata": {"name": "kube-system", "uid": "u"}}),
        "the hub's UID is u, and no ClusterAttestation of hub names that",
    ),
    "the namespace was not read": ((*BANK[1:], *p.fleet("sg")), "Namespace retail-banking was not read"),
    "an exception that nobody stamped": (
        (*BANK, *p.fleet("sg"), a.exception(annotations={})),
        "ResidencyException ticket-4711 does not count",
    ),
    "a record that nobody stamped": (
        (*BANK, *p.fleet("sg"), a.record(annotations={})),
        "ResidencyRecord register-17 does not count",
    ),
    "a group that is not there": (
        (*BANK[::2], a.policy(everywhere=("SG", "group:eea")), *p.fleet("sg")),
        (
            "ResidencyPolicy sg-customer-data: spec.allow.workers: group:eea: there is no such JurisdictionGroup;"
            " spec.allow.controlPlane: group:eea: there is no such JurisdictionGroup; and 5 more. What cannot be read denies"
        ),
    ),
    "an expression that cannot be read": (
        (*BANK[::2], a.policy(rules=(a.rule("r", "cluster.("),)), *p.fleet("sg")),
        "spec.rules[r].expression: ",
    ),
}


@pytest.mark.parametrize(("objects", "told"), NOTES.values(), ids=NOTES.keys())
def test_notes_go_to_standard_error_and_to_programs(tmp_path: Path, objects: tuple[Kind, ...], told: str) -> None:
    path = p.write(tmp_path / "x.yaml", *objects)
    lines = p.run("plan", path).stderr.splitlines()
    assert [line for line in lines if line.startswith("domicile: note: ") and told in line]
    assert [note for note in p.answer("plan", path)["notes"] if told in note]


def test_of_two_attested_hubs_neither_is_taken(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", *BANK, *p.fleet("sg"), a.attestation("hub2", of="hub", at="other"))
    told = p.answer("plan", path)
    assert told["hub"] is None
    assert [f["rule"] for f in told["models"][0]["clusters"][0]["findings"]] == ["allow.hub"]


def test_with_its_namespace_kube_system_the_hub_is_known(tmp_path: Path) -> None:
    system = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system", "uid": a.uid("hub")}}
    path = p.write(tmp_path / "x.yaml", *BANK, *p.fleet("sg"), a.attestation("old", of="hub", at="other"), system)
    told = p.answer("plan", path)
    assert told["hub"]["uid"] == a.uid("hub")
    assert told["notes"] == []


def test_without_regional_clusters_the_attested_ones_are_judged(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", *BANK, *p.fleet("sg", "ph")[2:])
    (model,) = p.answer("plan", path)["models"]
    assert [(c["cluster"], c["lawful"]) for c in model["clusters"]] == [("ph", False), ("sg", True)]


def test_a_namespace_has_its_name_as_a_label_even_if_it_was_not_read(tmp_path: Path) -> None:
    policy = a.policy(namespaces={"matchLabels": {"kubernetes.io/metadata.name": "retail-banking"}})
    path = p.write(tmp_path / "x.yaml", a.model(), policy, *p.fleet("sg"))
    assert p.answer("plan", path)["models"][0]["lawful"] == 1


def test_mirrors_of_a_regional_cluster_count(tmp_path: Path) -> None:
    mirrored = a.regional_cluster(registryMirrors=[{"registry": a.REGISTRY, "mirror": "mirror.ph.example"}])
    path = p.write(tmp_path / "x.yaml", *BANK, mirrored, *p.fleet("sg")[1:])
    assert "RegistryJurisdictionUnknown" in p.run("plan", path).stdout


# Reading.


def test_several_files_folders_lists_json_and_standard_input(tmp_path: Path) -> None:
    folder = tmp_path / "governance" / "deep"
    folder.mkdir(parents=True)
    (folder / "policy.json").write_text(json.dumps({"kind": "List", "items": [p.manifest(a.policy())]}, default=str))
    (folder / "notes.txt").write_text("not a manifest: {")
    p.write(folder / "fleet.yml", *p.fleet("sg"))
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"}}
    of_others = {"apiVersion": "other.example/v1", "kind": "ResidencyPolicy", "metadata": {"name": "x"}}
    team = p.write(tmp_path / "team.yaml", p.namespace(), deployment, of_others)
    team.write_text(team.read_text() + "---\n---\n- a list\n")
    given = yaml.safe_dump(dict(p.manifest(a.model())))
    told = p.answer("plan", tmp_path / "governance", team, "-", given=given)
    assert [(m["model"], m["lawful"]) for m in told["models"]] == [("retail-banking/fraud-scorer", 1)]


def test_the_same_object_twice_is_once(tmp_path: Path, bank: Path) -> None:
    assert p.run("plan", bank, tmp_path).exit_code == 0


def test_a_date_is_a_text_as_kubectl_reads_it(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", *BANK[::2], a.policy(rules=(a.rule(),)), *p.fleet("sg"))
    path.write_text(path.read_text().replace("asOf: '2026-04-01'", "asOf: 2026-04-01"))
    assert "asOf: 2026-04-01" in path.read_text()
    assert p.answer("plan", path)["models"][0]["lawful"] == 1


def _policy(**spec: Any) -> str:
    return yaml.safe_dump(
        {"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "x"}, "spec": spec}
    )


REFUSED = {
    "what is no YAML": ("a: b: c", "x.yaml is no YAML: mapping values are not allowed here"),
    "nothing": ("", "x.yaml: there is no object of domicile.dev and no Namespace in it"),
    "only what is others'": ("kind: Pod\napiVersion: v1", "there is no object of domicile.dev"),
    "a kind that there is not": (
        "kind: ResidencyPolcy\napiVersion: domicile.dev/v1alpha1\nmetadata: {name: x}",
        "x.yaml: ResidencyPolcy x: domicile.dev has no kind 'ResidencyPolcy'; it has ClusterAttestation, ",
    ),
    "another version": (
        "kind: ResidencyPolicy\napiVersion: domicile.dev/v1\nmetadata: {name: x}",
        "x.yaml: ResidencyPolicy x: apiVersion is domicile.dev/v1: it must be domicile.dev/v1alpha1",
    ),
    "no version": ("kind: ResidencyPolicy\nmetadata: {name: x}", "apiVersion is missing: it must be"),
    "no metadata": (
        "kind: ResidencyPolicy\napiVersion: domicile.dev/v1alpha1\nspec: {allow: {}}",
        "metadata: Field required",
    ),
    "no namespace": (
        yaml.safe_dump(dict(p.manifest(a.model(namespace="")))),
        "SovereignModel fraud-scorer: metadata.namespace is missing",
    ),
    "every wrong field": (
        _policy(mode="audit", allow={"workers": ["Singapore"], "worker": ["SG"]}),
        "ResidencyPolicy x: spec.mode: Input should be 'Enforce' or 'Audit' (it is 'audit')",
        "x.yaml: ResidencyPolicy x: spec.allow.workers.0: ",
        "x.yaml: ResidencyPolicy x: spec.allow.worker: Extra inputs are not permitted",
    ),
    "Norway": (
        _policy(allow={"workers": [False]}),
        "(it is False): YAML reads NO, yes, on and off so; put a text in quotes",
    ),
    "a label that is no text": (
        "kind: Namespace\napiVersion: v1\nmetadata: {name: x, labels: {tier: 1}}",
        "x.yaml: Namespace x: label tier is no text: put it in quotes",
    ),
    "an object that says two things": (
        f"{_policy(allow={})}---\n{_policy(allow={'hub': ['SG']})}",
        "x.yaml: ResidencyPolicy x was read before, from ",
    ),
    "a namespace with two sets of labels": (
        (
            "kind: Namespace\napiVersion: v1\nmetadata: {name: x}\n---\n"
            "kind: Namespace\napiVersion: v1\nmetadata: {name: x, labels: {a: b}}"
        ),
        "Namespace x was read before, with other labels",
    ),
}


@pytest.mark.parametrize(("text", "says"), [(t, s) for t, *s in REFUSED.values()], ids=REFUSED.keys())
def test_what_cannot_be_read_is_said_with_file_object_and_field(tmp_path: Path, text: str, says: list[str]) -> None:
    (tmp_path / "x.yaml").write_text(text)
    for path in (tmp_path / "x.yaml", tmp_path):
        result = p.run("plan", path)
        assert result.exit_code == 1
        assert result.stdout == ""
        for each in says:
            assert each.replace("x.yaml: there", f"{path.name}: there") in result.stderr


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert "no-such-file cannot be read: No such file or directory" in p.run("plan", tmp_path / "no-such-file").stderr
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    assert "x.yaml cannot be read: it is no text in UTF-8" in p.run("plan", tmp_path).stderr


def test_standard_input_that_is_no_text() -> None:
    result = CliRunner().invoke(main, ["plan", "-"], input=b"\xff\xfe")
    assert result.exit_code == 1
    assert "domicile: standard input cannot be read: it is no text in UTF-8" in result.stderr


def test_a_time_that_is_none() -> None:
    result = p.run("plan", EXAMPLES, at="soon")
    assert (result.exit_code, "soon is no time: write it as 2026-11-24T09:00:00Z" in result.stderr) == (1, True)


def test_nothing_to_read_is_wrong_usage() -> None:
    result = p.run("plan")
    assert (result.exit_code, "give files, or a hub with --hub-context" in result.stderr) == (2, True)


def test_policies_without_a_model_can_be_looked_at(tmp_path: Path) -> None:
    path = p.write(tmp_path / "x.yaml", a.policy())
    for more in ([], ["--matrix"]):
        assert p.run("plan", path, *more).stdout == "there is no SovereignModel\n"


# A hub.


def test_files_are_put_over_what_a_hub_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = {**p.namespace("kube-system"), "metadata": {"name": "kube-system", "uid": a.uid("hub")}}
    with p.hub(p.namespace(), system, a.policy(), p.placed("sg"), *p.fleet("sg", "ph")) as endpoint:
        monkeypatch.setattr(kube, "from_kubeconfig", answering(endpoint))
        told = p.answer("plan", "--hub-context", "hub")
        path = p.write(tmp_path / "x.yaml", a.policy(everywhere=("SG", "PH")), a.model(data_classes=["customer.pii"]))
        then = p.answer("plan", path, "--hub-context", "hub")
    (now,), (later,) = told["models"], then["models"]
    assert told["hub"]["uid"] == a.uid("hub")
    assert (now["lawful"], now["placedOn"], later["lawful"], later["placedOn"]) == (1, ["sg"], 2, ["sg"])


def test_a_teams_model_that_cannot_be_read_keeps_nobody_from_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {**p.manifest(a.model("odd")), "spec": {"flavour": "sweet"}}
    with p.hub(p.namespace(), a.policy(), a.model(), odd, *p.fleet("sg")) as endpoint:
        monkeypatch.setattr(kube, "from_kubeconfig", answering(endpoint))
        told = p.answer("plan", "--hub-context", "hub")
    assert [model["model"] for model in told["models"]] == ["retail-banking/fraud-scorer"]
    assert told["notes"][0].startswith("the hub: SovereignModel odd: spec.dataClasses: Field required")
    assert told["notes"][0].endswith("This model is left out")


def test_what_governance_wrote_on_a_hub_has_to_be_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = {**p.manifest(a.policy("odd")), "spec": {}}
    with p.hub(p.namespace(), a.policy(), a.model(), odd, *p.fleet("sg")) as endpoint:
        monkeypatch.setattr(kube, "from_kubeconfig", answering(endpoint))
        result = p.run("plan", "--hub-context", "hub")
    assert result.exit_code == 1
    assert "domicile: the hub: ResidencyPolicy odd: spec.allow: Field required" in result.stderr


def test_a_hub_that_cannot_be_read(tmp_path: Path) -> None:
    result = p.run("plan", "--hub-kubeconfig", tmp_path / "none")
    assert result.exit_code == 1
    assert "domicile: the hub could not be read: " in result.stderr


def answering(endpoint: kube.Endpoint) -> Any:
    async def from_kubeconfig(_path: Path | None, _context: str | None) -> kube.Endpoint:
        return endpoint

    return from_kubeconfig
