"""The example of a bank under its pack: what `domicile plan` says of it, and of what is missed where something is taken away."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from domicile.cli.main import main

ROOT = Path(__file__).parents[2]
PACK = (ROOT / "packs" / "groups.yaml", ROOT / "packs" / "sg" / "bank.yaml")
EXAMPLE = ROOT / "examples" / "sg-bank"
AT = "2026-12-01T00:00:00Z"
Change = Callable[[dict[str, Any]], None]


def planned(*files: Path) -> tuple[int, str]:
    """Exit code and output."""
    ran = CliRunner().invoke(main, ["plan", *map(str, (*PACK, *files)), "--at", AT, "--fail-on=short"])
    return ran.exit_code, ran.output


def test_the_bank_may_serve_until_the_next_evaluation_is_due() -> None:
    code, output = planned(EXAMPLE)
    assert code == 0, output
    assert output.splitlines()[1].split() == [
        "sg-core-banking/fraud-scorer",
        "sg",
        "yes",
        "until",
        "2027-03-31T00:00:00Z",
    ]


def without_contract(kind: str) -> Change:
    def change(facts: dict[str, Any]) -> None:
        facts["contracts"] = [contract for contract in facts["contracts"] if contract["kind"] != kind]

    return change


def told(**facts: Any) -> Change:
    return lambda known: known.update(facts)


# What is changed of the cluster, and what a person must find in the first reason: what is missed, what to do, on what ground.
MISSED: Mapping[str, tuple[Change, tuple[str, ...]]] = {
    "the entry in the register": (
        without_contract("OutsourcingRegister"),
        ("contract kind OutsourcingRegister", "no outsourcing record covers the model on sg in SG", "MAS Notices 658"),
    ),
    "the agreement": (
        without_contract("Outsourcing"),
        ("contract kind Outsourcing", "no outsourcing-agreement record", "paras 7.1 and 7.2"),
    ),
    "the evaluation of the provider": (
        without_contract("DueDiligence"),
        ("contract kind DueDiligence", "no due-diligence record", "Banking Act 1970, s 47A"),
    ),
    "the certificate, by a house rule": (
        told(certifications=[]),
        ("House rule, not law: SS 584 (MTCS) level 3",),
    ),
    "the secrecy of customer information abroad": (
        told(workers={"jurisdiction": "PH"}),
        ("Record on which item", "no customer-information record covers the model on sg in PH", "Third Schedule"),
    ),
    "the house's places": (
        told(telemetry={"jurisdiction": "US"}),
        ("TelemetryOutsideJurisdiction", "US", "PH, SG", "House rule: residency"),
    ),
}


@pytest.mark.parametrize(("change", "wanted"), MISSED.values(), ids=MISSED.keys())
def test_what_is_missed_is_said_with_its_ground(change: Change, wanted: tuple[str, ...], tmp_path: Path) -> None:
    objects = list(yaml.safe_load_all((EXAMPLE / "bank.yaml").read_text()))
    (cluster,) = (o for o in objects if o["kind"] == "ClusterAttestation" and o["spec"]["clusterRef"]["name"] == "sg")
    change(cluster["spec"]["facts"])
    file = tmp_path / "bank.yaml"
    file.write_text(yaml.safe_dump_all(objects))
    code, output = planned(file)
    assert code == 3
    line = output.splitlines()[1]
    assert line.split()[:3] == ["sg-core-banking/fraud-scorer", "sg", "no"]
    assert [part for part in wanted if part not in line] == []


def test_a_hub_that_nobody_vouches_for_is_missed(tmp_path: Path) -> None:
    objects = yaml.safe_load_all((EXAMPLE / "bank.yaml").read_text())
    file = tmp_path / "bank.yaml"
    file.write_text(yaml.safe_dump_all(o for o in objects if o["metadata"]["name"] != "hub-2026"))
    code, output = planned(file)
    assert code == 3
    assert "HubJurisdictionUnknown" in output
