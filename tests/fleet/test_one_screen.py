"""`kubectl get sovereignmodels`: on one screen, where each model runs, whether it is ready, and if not, why."""

from collections.abc import Iterator, Mapping

import pytest

from fleet.people import Person, people
from fleet.world import OperatorProcess, World, policy

SCREEN = 120
"""Characters of a line that a terminal shows without breaking it."""
CLASSES = {
    "serving": "customer.pii",
    "moved": "customer.behaviour",
    "held": "health.record",
    "hidden": "public.figures",
}
"""The data of each model. Nothing covers health.record."""


@pytest.fixture
def team(world: World, hub_namespace: str) -> Person:
    return people(world, hub_namespace).team


@pytest.fixture
def fates(world: World, hub_namespace: str, operator: OperatorProcess) -> Iterator[str]:
    """One model that serves, one that moved, one that is held, and one on a cluster that the hub does not see."""
    for name, place in {"serving": "SG", "moved": "SG", "hidden": "DE"}.items():
        world.hub.apply(policy(f"{hub_namespace}-{name}", hub_namespace, place, data_classes=(CLASSES[name],)))
    for name, data_class in CLASSES.items():
        world.model(hub_namespace, name, dataClasses=[data_class])
    for name, cluster in {"serving": "sg", "moved": "sg", "hidden": "de"}.items():
        world.ready(hub_namespace, name, on=cluster)
    world.hub.apply(policy(f"{hub_namespace}-moved", hub_namespace, "PH", data_classes=(CLASSES["moved"],)))
    world.ready(hub_namespace, "moved", on="ph")
    world.reports(hub_namespace, "Ready", "NoMatchingPolicy", "held")
    region = world.fleet.regions["de"]
    region.stop_apiserver()
    try:
        world.reports(hub_namespace, "Available", "ClusterOutOfSight", "hidden")
        yield hub_namespace
    finally:
        region.start_apiserver()
        world.cluster_reports("de", "KServeFound", within=60)
        for name in CLASSES:
            world.delete(hub_namespace, name)
        for name in CLASSES:
            world.gone(hub_namespace, name)


def test_where_each_runs_whether_it_is_ready_and_why_not(fates: str, team: Person) -> None:
    shown = team.sees("get", "sovereignmodels", f"--namespace={fates}")
    rows = table(shown)
    assert {name: (row["CLUSTER"], row["READY"], row["REASON"]) for name, row in rows.items()} == {
        "serving": ("sg", "True", "Serving"),
        "moved": ("ph", "True", "Serving"),
        "held": ("", "False", "NoMatchingPolicy"),
        "hidden": ("de", "Unknown", "ClusterOutOfSight"),
    }
    assert max(len(line) for line in shown.splitlines()) <= SCREEN

    wide = table(team.sees("get", "sovereignmodels", f"--namespace={fates}", "--output=wide"))
    assert "no ResidencyPolicy covers data class health.record" in wide["held"]["MESSAGE"]
    assert "de is out of sight (Unreachable): see RegionalCluster de" in wide["hidden"]["MESSAGE"]
    assert wide["serving"]["MESSAGE"] == "serving on sg"


def table(shown: str) -> Mapping[str, Mapping[str, str]]:
    """What kubectl prints, by name and column. A cell may be empty: columns are where their heads are."""
    head, *lines = shown.splitlines()
    names = head.split()
    begins = [head.index(name) for name in names]
    ends = [*begins[1:], None]
    cells = [{n: line[b:e].strip() for n, b, e in zip(names, begins, ends, strict=True)} for line in lines]
    return {row["NAME"]: row for row in cells}
