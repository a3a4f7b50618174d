"""What governance writes, on real clusters: audits, confirmed changes, broken rules, records, and floors of data classes."""

import json
import re

import pytest

from fleet import audit
from fleet.people import People, people
from fleet.world import HUB_STANDS_IN, POLICIES, Object, OperatorProcess, World, condition, eventually, policy

HOUSE_RULE = {"type": "OrgPolicy", "source": "Data standard 7.2", "asOf": "2026-04-01"}
VALID = {"validFrom": "2026-01-01T00:00:00Z", "validUntil": "2036-01-01T00:00:00Z"}


@pytest.fixture
def bank(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A namespace whose models with customer.pii may be in Singapore."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    return hub_namespace


@pytest.fixture
def who(world: World, hub_namespace: str) -> People:
    return people(world, hub_namespace)


def exclusions(model: Object | None) -> dict[str, tuple[str, str]]:
    rows = ((model or {}).get("status") or {}).get("exclusions", [])
    return {row["cluster"]: (row["reason"], row["message"]) for row in rows}


# Policies in Audit mode.


@pytest.fixture
def audited(world: World, bank: str) -> tuple[str, int]:
    """A model that serves where a policy in Audit mode would forbid it, and where sg's audit log ended before that."""
    world.model(bank)
    world.ready(bank, on="sg")
    mark = audit.size(world.fleet.regions["sg"].audit_log)
    world.hub.apply(policy(f"{bank}-audit", bank, "PH", mode="Audit"))
    return bank, mark


def test_an_audit_says_on_the_model_what_enforcing_would_forbid(world: World, audited: tuple[str, int]) -> None:
    bank, _ = audited
    said = world.reports(bank, "AuditPassed", "WouldBeDenied")
    assert said["status"] == "False"
    assert f"sg: worker nodes are in SG, {bank}-audit allows PH" in said["message"]


def test_an_audit_moves_nothing(world: World, audited: tuple[str, int]) -> None:
    bank, mark = audited
    world.reports(bank, "AuditPassed", "WouldBeDenied")
    model = world.ready(bank, on="sg")
    assert (model["status"]["clusters"]["lawful"], world.left("ph", bank)) == (1, [])
    written = audit.accepted(audit.writes(world.fleet.regions["sg"].audit_log, since=mark))
    assert [str(write) for write in written if write.namespace == bank] == []


# Policies that models run under.


@pytest.fixture
def used(world: World, bank: str) -> str:
    """A policy that a model runs under, and the operator has said so."""
    world.model(bank)
    world.ready(bank, on="sg")
    world.policy_reports(bank, "InUse", "True")
    return bank


def moved_to(place: str) -> Object:
    """A merge patch of a policy."""
    allow = policy("any", "any", place)["spec"]["allow"]
    return {"spec": {"allow": {**allow, "hub": [HUB_STANDS_IN]}}}


def patch(kind: str, name: str, change: Object) -> tuple[str, ...]:
    """Arguments of kubectl."""
    return ("patch", kind, name, "--type=merge", f"--patch={json.dumps(change)}")


def test_a_change_of_a_policy_in_use_is_refused_without_a_confirmation(world: World, used: str, who: People) -> None:
    said = who.governance.is_refused(*patch("residencypolicy", used, moved_to("PH")))
    assert f"models run under policy {used}" in said
    assert "allow.workers" in said
    assert "set the annotation domicile.dev/confirmed-change in the same update" in said
    assert world.hub.get(f"{POLICIES}/{used}")["spec"]["allow"]["workers"] == ["SG"]


def test_with_the_confirmation_the_models_are_decided_anew(world: World, used: str, who: People) -> None:
    why = {"metadata": {"annotations": {"domicile.dev/confirmed-change": "decided by the board in November"}}}
    who.governance.sees(*patch("residencypolicy", used, {**moved_to("PH"), **why}))
    world.ready(used, on="ph")
    assert world.left("sg", used) == []
    annotations = world.hub.get(f"{POLICIES}/{used}")["metadata"]["annotations"]
    assert annotations["domicile.dev/confirmed-by"] == "gil"


def test_a_policy_in_use_is_not_deleted_without_a_confirmation(world: World, used: str, who: People) -> None:
    said = who.governance.is_refused("delete", "residencypolicy", used)
    assert "deleting it has to be confirmed first" in said
    assert world.ready(used, on="sg")


def test_a_policy_that_nothing_runs_under_any_more_is_free_again(world: World, used: str, who: People) -> None:
    world.delete(used)
    world.gone(used)
    world.policy_reports(used, "InUse", "False")
    who.governance.sees("delete", "residencypolicy", used)


# Rules that cannot be read.


@pytest.fixture
def broken(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A policy with a rule that asks for what clusters do not have, on its second line."""
    rule = {"name": "planet", "onUnmet": "Advise", "expression": "cluster.name != ''\n&& cluster.planet == 'Earth'"}
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG", rules=[{**rule, "basis": HOUSE_RULE}]))
    return hub_namespace


def test_a_broken_rule_is_said_on_the_policy_with_its_line_and_column(world: World, broken: str) -> None:
    said = world.policy_reports(broken, "Accepted", "False")
    assert said["reason"] == "Invalid"
    assert re.search(r"spec\.rules\[planet\]\.expression: line 2, column 11: undefined field 'planet'", said["message"])


def test_a_broken_rule_is_told_to_whoever_reads_events(world: World, broken: str) -> None:
    told = eventually(lambda: world.events("default", broken), within=15, what="an event about the policy")
    assert [(event["type"], event["reason"]) for event in told] == [("Warning", "Invalid")]


def test_a_broken_rule_denies_even_where_it_would_only_advise(world: World, broken: str) -> None:
    world.model(broken)
    world.reports(broken, "PolicyCompliant", "NoLawfulCluster")
    reason, message = exclusions(world.get(broken))["sg"]
    assert reason == "RuleInvalid"
    assert message.startswith("rule planet cannot be read: line 2, column 11")


def test_a_corrected_rule_frees_the_model(world: World, broken: str) -> None:
    world.model(broken)
    world.reports(broken, "PolicyCompliant", "NoLawfulCluster")
    world.hub.apply(policy(broken, broken, "SG"))
    world.ready(broken, on="sg")
    world.policy_reports(broken, "Accepted", "True")


# Records.


@pytest.fixture
def without_record(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A model that waits for the outsourcing register."""
    rule = {"name": "register", "onUnmet": "RequireRecord", "record": "outsourcing", "basis": HOUSE_RULE}
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG", rules=[rule]))
    world.model(hub_namespace)
    world.reports(hub_namespace, "PolicyCompliant", "NoLawfulCluster")
    return hub_namespace


def record(name: str, namespace: str, **spec: object) -> Object:
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "ResidencyRecord",
        "metadata": {"name": name},
        "spec": {
            "record": "outsourcing",
            "scope": {"namespaces": [namespace], "clusters": ["sg"]},
            "countries": ["SG"],
            "reference": "outsourcing register, entry 17",
            **VALID,
            **spec,
        },
    }


def test_a_model_that_wants_a_record_is_held_and_says_so(world: World, without_record: str) -> None:
    rows = (world.get(without_record) or {})["status"]["exclusions"]
    row = next(row for row in rows if row["cluster"] == "sg")
    assert (row["policy"], row["rule"], row["reason"]) == (without_record, "register", "RecordMissing")
    assert "no outsourcing record covers the model on sg" in row["message"]
    assert "house rule: Data standard 7.2" in row["message"]


def test_a_record_that_governance_writes_frees_it(world: World, without_record: str, who: People) -> None:
    who.governance.sees("create", "-f", "-", sends=record(without_record, without_record))
    model = world.ready(without_record, on="sg")
    assert f"; sg by ResidencyRecord/{without_record}" in condition(model, "PolicyCompliant")["message"]


def test_a_record_of_another_kind_does_not(world: World, without_record: str, who: People) -> None:
    who.governance.sees("create", "-f", "-", sends=record(without_record, without_record, record="transfer"))
    # Another model of the namespace, which is decided after the record came.
    world.model(without_record, "later")
    world.reports(without_record, "PolicyCompliant", "NoLawfulCluster", "later")
    assert exclusions(world.get(without_record, "later"))["sg"][0] == "RecordMissing"


def test_a_team_writes_no_record(world: World, without_record: str, who: People) -> None:
    said = who.team.is_refused("create", "-f", "-", sends=record(without_record, without_record))
    assert "forbidden" in said.lower()


# Floors.


def floor(namespace: str, *classes: str) -> Object:
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "DataClassification",
        "metadata": {"name": namespace},
        "spec": {"floors": [{"namespace": namespace, "dataClasses": list(classes)}]},
    }


@pytest.fixture
def harmless(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A model that declares public figures, which may be in Germany. Nothing covers health records."""
    world.hub.apply(policy(hub_namespace, hub_namespace, "DE", data_classes=("public.figures",)))
    world.model(hub_namespace, dataClasses=["public.figures"])
    world.ready(hub_namespace, on="de")
    return hub_namespace


def test_a_floor_holds_for_a_model_that_declares_less(world: World, harmless: str, who: People) -> None:
    who.governance.sees("create", "-f", "-", sends=floor(harmless, "health.record"))
    said = world.reports(harmless, "PolicyCompliant", "NoMatchingPolicy")
    assert "health.record" in said["message"]
    eventually(lambda: not world.left("de", harmless), within=30, what="nothing is left on de")


def test_a_policy_for_the_floor_decides_with_the_model_s_own(world: World, harmless: str, who: People) -> None:
    world.hub.apply(policy(f"{harmless}-health", harmless, "DE", data_classes=("health.record",)))
    who.governance.sees("create", "-f", "-", sends=floor(harmless, "health.record"))
    world.policy_reports(f"{harmless}-health", "InUse", "True")
    assert world.ready(harmless, on="de")


def test_lowering_a_floor_needs_the_right_to_declassify(world: World, harmless: str, who: People) -> None:
    who.governance.sees("create", "-f", "-", sends=floor(harmless, "public.figures", "health.record"))
    world.reports(harmless, "PolicyCompliant", "NoMatchingPolicy")
    why = {"annotations": {"domicile.dev/confirmed-change": "no health data has been there since March"}}
    lower = {"metadata": why, "spec": floor(harmless, "public.figures")["spec"]}
    refused = who.governance.is_refused(*patch("dataclassification", harmless, lower))
    assert f"gil may not take away from a data classification (floor of {harmless})" in refused
    who.declassifier.sees(*patch("dataclassification", harmless, lower))
    world.ready(harmless, on="de")


def dropped() -> Object:
    return {
        "metadata": {"annotations": {"domicile.dev/declassified-because": "the column was taken out in March"}},
        "spec": {"dataClasses": ["customer.pii"]},
    }


def test_dropping_a_data_class_needs_the_right(world: World, bank: str, who: People) -> None:
    world.model(bank, dataClasses=["customer.pii", "health.record"])
    drop = (*patch("sovereignmodel", "scorer", dropped()), f"--namespace={bank}")
    assert "ana may not drop a data class (health.record): that needs the verb declassify" in who.team.is_refused(*drop)
    world.reports(bank, "Ready", "NoMatchingPolicy")
    who.declassifier.sees(*drop)
    world.ready(bank, on="sg")
