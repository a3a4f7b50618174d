"""A ResidencyException on real clusters: one asks, another approves, it shows, and it ends by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from fleet.people import People, people
from fleet.world import Object, OperatorProcess, World, condition, eventually, policy

APPROVE = ("--type=merge", '--patch={"spec": {"approved": true}}')
LONG_AHEAD = datetime(2036, 1, 1, tzinfo=UTC)
SOON = timedelta(seconds=30)
"""Long enough to approve it and to serve before it ends, on a busy machine too."""


@pytest.fixture
def who(world: World, hub_namespace: str) -> People:
    return people(world, hub_namespace)


@pytest.fixture
def held(world: World, hub_namespace: str, operator: OperatorProcess) -> str:
    """A model that sg could take if its telemetry did not stay in Singapore."""
    allow = {**policy("any", "any", "SG")["spec"]["allow"], "telemetry": ["JP"]}
    world.hub.apply(policy(hub_namespace, hub_namespace, allow=allow))
    world.model(hub_namespace)
    world.reports(hub_namespace, "PolicyCompliant", "NoLawfulCluster")
    return hub_namespace


def exception(world: World, held: str, until: datetime = LONG_AHEAD) -> Object:
    return {
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "ResidencyException",
        "metadata": {"name": held},
        "spec": {
            "model": {"namespace": held, "name": "scorer"},
            "policy": held,
            "rule": "allow.telemetry",
            "cluster": {"name": "sg", "uid": world.fleet.regions["sg"].kube_system_uid},
            "reason": "metrics stay where they are until the new sink is built",
            "reference": "ticket 4711",
            "validFrom": "2026-01-01T00:00:00Z",
            "validUntil": until.isoformat(timespec="seconds"),
        },
    }


@pytest.fixture
def asked(world: World, held: str, who: People) -> str:
    """An exception that Bo asked for, who is of governance and an approver too."""
    who.both.sees("create", "-f", "-", sends=exception(world, held))
    return held


def test_who_asked_for_it_cannot_approve_it(asked: str, who: People) -> None:
    said = who.both.is_refused("patch", "residencyexception", asked, *APPROVE)
    assert "bo asked for this exception and cannot approve it: who asks is not who approves" in said


def test_unapproved_it_changes_nothing(world: World, asked: str, who: People) -> None:
    # Another model of the namespace, which is decided after the exception came.
    world.model(asked, "later")
    world.reports(asked, "PolicyCompliant", "NoLawfulCluster", "later")
    rows = {row["cluster"]: row["reason"] for row in (world.get(asked) or {})["status"]["exclusions"]}
    assert rows["sg"] == "TelemetryOutsideJurisdiction"


def test_approved_by_another_it_makes_the_cluster_lawful_and_shows(world: World, asked: str, who: People) -> None:
    who.approver.sees("patch", "residencyexception", asked, *APPROVE)
    model = world.ready(asked, on="sg")
    assert f"; sg by ResidencyException/{asked}" in condition(model, "PolicyCompliant")["message"]


def test_it_is_for_its_own_model_alone(world: World, asked: str, who: People) -> None:
    who.approver.sees("patch", "residencyexception", asked, *APPROVE)
    world.ready(asked, on="sg")
    world.model(asked, "later")
    world.reports(asked, "PolicyCompliant", "NoLawfulCluster", "later")


def test_an_approval_that_is_taken_back_ends_it(world: World, asked: str, who: People) -> None:
    who.approver.sees("patch", "residencyexception", asked, *APPROVE)
    world.ready(asked, on="sg")
    who.approver.sees("patch", "residencyexception", asked, "--type=merge", '--patch={"spec": {"approved": false}}')
    world.reports(asked, "PolicyCompliant", "NoLawfulCluster")
    eventually(lambda: not world.left("sg", asked), within=30, what="nothing is left on sg")


def test_when_its_end_comes_the_model_leaves(world: World, held: str, who: People) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + SOON
    who.governance.sees("create", "-f", "-", sends=exception(world, held, end))
    who.approver.sees("patch", "residencyexception", held, *APPROVE)
    model = world.ready(held, on="sg", within=(end - datetime.now(UTC)).total_seconds())
    warned = condition(model, "EvidenceCurrent")
    assert (warned["reason"], f"ResidencyException/{held} ends at" in warned["message"]) == ("EndsSoon", True), warned
    world.reports(held, "PolicyCompliant", "NoLawfulCluster", within=SOON.total_seconds() + 15)
    assert datetime.now(UTC) >= end
    eventually(lambda: not world.left("sg", held), within=30, what="nothing is left on sg")
