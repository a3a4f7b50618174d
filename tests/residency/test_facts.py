"""Facts about one cluster: which hold, until when, what the nodes say against them, and where a divided cluster is."""

from typing import Any

import pytest

from builders import LONG_AGO, LONG_AHEAD, NOW, TOMORROW, attestation, member
from domicile import residency
from domicile.residency.facts import Known, Unknown, sites, whole
from domicile.residency.rules import cluster_facts, ends, hub_facts


def node_pool(name: str, workers: str) -> dict[str, Any]:
    return {
        "name": name,
        "nodeSelector": {"node-restriction.kubernetes.io/site": name},
        "workers": {"jurisdiction": workers},
    }


DIVIDED = attestation(workers=None, has={"nodePools": [node_pool("b", "SG"), node_pool("a", "PH")]})
REGIONS = {"nodes": {"regions": ["sg-1"]}}
REPORTED = residency.Reported(frozenset({"sg-2", "sg-3"}), frozenset({"gce:x"}))


def test_a_cluster_that_is_not_divided_is_one_site_that_any_node_is_of() -> None:
    (site,) = sites(member(), [attestation("a"), attestation("b")], NOW).sites
    assert (site.pool, site.node_selector, site.facts.attestations) == ("", (), ("a", "b"))


def test_the_next_change_is_after_the_moment_itself() -> None:
    assert sites(member(), [attestation(since=LONG_AGO, until=TOMORROW)], NOW).until == TOMORROW
    assert sites(member(), [attestation(since=NOW, until=TOMORROW)], NOW).until == TOMORROW
    assert sites(member(), [attestation(until=TOMORROW)], TOMORROW).until is None


def test_what_nodes_say_is_held_against_every_attestation_that_speaks_of_nodes() -> None:
    both = {"nodes": {"regions": ["sg-2"], "providerPrefixes": ["aws:"]}}
    said = [attestation("a"), attestation("b", has=REGIONS), attestation("c", has=both)]
    (site,) = sites(member(), said, NOW, REPORTED).sites
    assert site.facts.contradictions == (
        "a node says that it is in region sg-2",
        "a node says that it is in region sg-3",
        "a node says that it is of gce:x",
    )


def test_a_cluster_whose_pools_are_in_one_country_is_there() -> None:
    one = attestation(workers=None, has={"nodePools": [node_pool("b", "SG"), node_pool("a", "SG")]})
    assert whole(sites(member(), [one], NOW)) == Known("SG", ("sg-2026",), LONG_AHEAD)


def test_a_cluster_whose_pools_are_in_several_is_in_none() -> None:
    assert whole(sites(member(), [DIVIDED], NOW)) == Unknown("its pools are in PH, SG")


def test_a_cluster_of_which_one_pool_is_unknown_is_unknown() -> None:
    doubted = attestation("z", of="old", at="sg", everything=None, has={"nodePools": [node_pool("a", "SG")]})
    found = whole(sites(member(), [DIVIDED, doubted], NOW))
    assert found == Unknown("attestations contradict each other (sg-2026 says PH, z says SG)")


@pytest.mark.parametrize(("place", "seen"), [(Known("SG", ("a",), LONG_AHEAD), True), (Unknown("why"), False)])
def test_expressions_see_a_hub_as_a_whole_and_not_its_pools(place: Known | Unknown, seen: bool) -> None:
    (first, _) = sites(member(), [DIVIDED], NOW).sites
    facts = hub_facts(first, place)
    assert facts["pool"] == ""
    assert ("workers" in facts) == seen
    assert facts["controlPlane"] == {"jurisdiction": "SG"}


def test_expressions_see_every_fact_and_read_its_end_in_universal_time() -> None:
    has: dict[str, Any] = {
        "certifications": [{"name": "SS584", "level": 3, "number": "1", "scope": "all", "validUntil": TOMORROW}],
        "contracts": [{"kind": "Outsourcing", "reference": "7", "party": "Cloud", "validUntil": TOMORROW}],
    }
    (site,) = sites(member(), [attestation(has=has, operator="JP", key_store=None)], NOW).sites
    facts = cluster_facts(site)
    assert facts == {
        "name": "sg",
        "uid": member().uid,
        "pool": "",
        "workers": {"jurisdiction": "SG"},
        "controlPlane": {"jurisdiction": "SG"},
        "operator": {"jurisdiction": "JP"},
        "operatorParent": {"jurisdiction": "SG"},
        "telemetry": {"jurisdiction": "SG"},
        "registries": [{"host": "registry.sg.example", "jurisdiction": "SG"}],
        "certifications": [{**has["certifications"][0], "validUntil": "2026-11-24T09:00:00Z"}],
        "contracts": [{**has["contracts"][0], "validUntil": "2026-11-24T09:00:00Z"}],
    }
    assert ends(facts) == (TOMORROW,)
    assert ends({"certifications": facts["certifications"]}) == ends({"contracts": facts["contracts"]}) == (TOMORROW,)
    assert ends({}) == ()
