"""The status of a RegionalCluster: what is told of a member, and what is not written again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import builders as a
from domicile import placement, residency
from domicile.api import Accelerator, RegionalCluster, RegionalClusterStatus
from domicile.decision.clusterstatus import cluster_status, look_again

LATER = a.NOW + timedelta(hours=1)
LAW = residency.Law(attestations=(a.attestation(has={"nodes": {"regions": ["ap-southeast-1"]}}),))


def cluster(status: RegionalClusterStatus | None = None) -> RegionalCluster:
    return a.regional_cluster().model_copy(update={"status": status})


def conditions(status: RegionalClusterStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (c.status, c.reason) for c in status.conditions}


def hidden(**changed: Any) -> placement.ClusterView:
    return replace(a.view(), connection=a.out_of_sight(**changed))


VIEWS: dict[str, tuple[placement.ClusterView, dict[str, tuple[str, str]]]] = {
    "all is well": (
        a.view(),
        {
            "Ready": ("True", "KServeFound"),
            "Reachable": ("True", "Connected"),
            "FenceInForce": ("True", "FenceShown"),
            "ServingAvailable": ("True", "KServeFound"),
            "FactsConsistent": ("True", "Consistent"),
        },
    ),
    "nodes say that they are elsewhere": (
        replace(a.view(), reported=residency.Reported(frozenset({"ap-southeast-3"}))),
        {
            "Ready": ("True", "KServeFound"),
            "Reachable": ("True", "Connected"),
            "FenceInForce": ("True", "FenceShown"),
            "ServingAvailable": ("True", "KServeFound"),
            "FactsConsistent": ("False", "NodesContradictAttestation"),
        },
    ),
    "no KServe": (
        replace(a.view(), serving=placement.ServingMissing("not installed")),
        {
            "Ready": ("False", "KServeMissing"),
            "Reachable": ("True", "Connected"),
            "FenceInForce": ("True", "FenceShown"),
            "ServingAvailable": ("False", "KServeMissing"),
            "FactsConsistent": ("True", "Consistent"),
        },
    ),
    "its fence is down": (
        replace(a.view(), fence=placement.FenceDown("FenceTampered", "ValidatingAdmissionPolicy writers changed")),
        {
            "Ready": ("False", "FenceTampered"),
            "Reachable": ("True", "Connected"),
            "FenceInForce": ("False", "FenceTampered"),
            "ServingAvailable": ("True", "KServeFound"),
            "FactsConsistent": ("True", "Consistent"),
        },
    ),
    "dead": (
        hidden(),
        {
            "Ready": ("False", "Unreachable"),
            "Reachable": ("False", "Unreachable"),
            "FenceInForce": ("Unknown", "OutOfSight"),
            "ServingAvailable": ("Unknown", "OutOfSight"),
            "FactsConsistent": ("Unknown", "OutOfSight"),
        },
    ),
    "not yet answered": (
        hidden(reason="Connecting"),
        {
            "Ready": ("Unknown", "Connecting"),
            "Reachable": ("Unknown", "Connecting"),
            "FenceInForce": ("Unknown", "OutOfSight"),
            "ServingAvailable": ("Unknown", "OutOfSight"),
            "FactsConsistent": ("Unknown", "OutOfSight"),
        },
    ),
}


def test_nothing_attested_is_not_consistent() -> None:
    told = conditions(cluster_status(cluster(), a.view(), residency.Law(), a.NOW))
    assert told["FactsConsistent"] == ("Unknown", "NothingAttested")


@pytest.mark.parametrize(("view", "expected"), VIEWS.values(), ids=VIEWS.keys())
def test_conditions_tell(view: placement.ClusterView, expected: dict[str, tuple[str, str]]) -> None:
    assert conditions(cluster_status(cluster(), view, LAW, a.NOW)) == expected


@pytest.mark.parametrize("view", [view for view, _ in VIEWS.values()], ids=VIEWS.keys())
def test_a_member_that_stays_as_it_is_costs_no_write(view: placement.ClusterView) -> None:
    once = cluster_status(cluster(), view, LAW, a.NOW)
    read = RegionalClusterStatus.model_validate(once.wire())
    assert cluster_status(cluster(read), view, LAW, LATER) == read


def test_versions_and_accelerators_are_told() -> None:
    l4 = (a.node("gpu-0", of=2), a.node("gpu-1", memory_mib=24564, of=1))
    unlabelled = a.node("gpu-2", "NVIDIA-H100", memory_mib=None, of=8)
    status = cluster_status(cluster(), a.view("sg", unlabelled, *l4), LAW, a.NOW)
    assert (status.kubernetes_version, status.kserve_version) == ("v1.36.3", "0.20.0")
    assert status.accelerators == (
        Accelerator(product="NVIDIA-H100", memory="", nodes=1, allocatable=8),
        Accelerator(product="NVIDIA-L4", memory="23034Mi", nodes=2, allocatable=3),
    )


def test_a_missing_kserve_has_no_version() -> None:
    view = replace(a.view(), serving=placement.ServingMissing("not installed"))
    assert cluster_status(cluster(), view, LAW, a.NOW).kserve_version == ""


def test_out_of_sight_what_was_last_known_stays() -> None:
    seen = cluster_status(cluster(), a.view("sg", a.node()), LAW, a.NOW)
    lost = cluster_status(cluster(seen), hidden(), LAW, LATER)
    assert (lost.kubernetes_version, lost.accelerators) == (seen.kubernetes_version, seen.accelerators)


def test_a_dead_member_costs_one_write_however_its_errors_vary() -> None:
    once = cluster_status(cluster(), hidden(message="refused"), LAW, a.NOW)
    assert cluster_status(cluster(once), hidden(message="timed out"), LAW, LATER) == once


def test_another_reason_is_told() -> None:
    once = cluster_status(cluster(), hidden(message="refused"), LAW, a.NOW)
    expired = cluster_status(cluster(once), hidden(reason="CertificateExpired", message="ended today"), LAW, LATER)
    assert expired.conditions[0].message == "ended today"
    assert expired.conditions[0].last_transition_time == a.NOW


def test_what_a_lasting_reason_says_is_kept_current() -> None:
    once = cluster_status(cluster(), hidden(reason="KubeconfigInvalid", message="no user"), LAW, a.NOW)
    again = cluster_status(cluster(once), hidden(reason="KubeconfigInvalid", message="no server"), LAW, LATER)
    assert again.conditions[0].message == "no server"


CHANGES: dict[str, tuple[dict[str, Any], object]] = {
    "when its attestation ends": ({"until": LATER}, LATER),
    "when one begins": ({"since": LATER}, LATER),
    "not for another cluster": ({"of": "ph", "until": LATER}, None),
    "not for what has ended": ({"until": a.YESTERDAY}, None),
}


@pytest.mark.parametrize(("attested", "moment"), CHANGES.values(), ids=CHANGES.keys())
def test_when_time_alone_changes_what_is_told(attested: dict[str, Any], moment: object) -> None:
    assert look_again(a.view(), residency.Law(attestations=(a.attestation(**attested),)), a.NOW) == moment


def test_facts_that_ended_are_told() -> None:
    law = residency.Law(attestations=(a.attestation(until=LATER),))
    once = cluster_status(cluster(), a.view(), law, a.NOW)
    after = cluster_status(cluster(once), a.view(), law, LATER)
    assert conditions(once)["FactsConsistent"] == ("True", "Consistent")
    assert conditions(after)["FactsConsistent"] == ("Unknown", "NothingAttested")
