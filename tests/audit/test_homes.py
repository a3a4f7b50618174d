"""Details of a member are kept in the region in which its nodes stand; the log has what they hash to."""

import json
from collections.abc import Collection, Mapping

import pytest

import builders as a
from audit import recorded
from audit.views import rich_view
from decision import world as w
from domicile import audit
from domicile.audit import Bag, Ledger, NotReplayed, Same, Trail, Values, homes_of, replay
from domicile.evidence.records import ELSEWHERE, Content
from domicile.residency import Law

POOLS = [
    {"name": name, "nodeSelector": {"node-restriction.kubernetes.io/site": name}, "workers": {"jurisdiction": place}}
    for name, place in (("a", "MY-14"), ("b", "SG"))
]
RUNNING = w.on(w.settled(w.world(views={"sg": rich_view()})), "sg")
SG = a.member("sg").uid


PLACES: Mapping[str, tuple[Law, Collection[str], Mapping[str, str]]] = {
    "in a region that has a place": (Law(attestations=(w.attested("sg"),)), ("SG", "PH"), {SG: "SG"}),
    "in one that has none": (Law(attestations=(w.attested("sg"),)), ("PH",), {}),
    "in a part of a country": (Law(attestations=(w.attested("sg", workers="MY-14"),)), ("MY",), {SG: "MY"}),
    "in several countries": (
        Law(attestations=(w.attested("sg", workers=None, has={"nodePools": POOLS}),)),
        ("SG", "MY"),
        {},
    ),
    "nobody vouches for it": (Law(), ("SG",), {}),
    "two contradict each other": (
        Law(attestations=(w.attested("sg"), w.attested("sg", workers="PH"))),
        ("SG", "PH"),
        {},
    ),
}


@pytest.mark.parametrize(("law", "regions", "expected"), PLACES.values(), ids=PLACES)
def test_where_details_of_a_member_are_kept(law: Law, regions: Collection[str], expected: Mapping[str, str]) -> None:
    assert homes_of(law, regions) == expected


def in_sg() -> audit.Account:
    return recorded.account(w.snapshot(RUNNING), bag=Bag(homes={SG: "SG"}))


def test_the_log_has_no_node_and_nothing_that_runs_there() -> None:
    seen, found = w.snapshot(RUNNING), in_sg()
    details = [node.name for node in seen.members["sg"].accelerators]
    details += [pod.name for pod in seen.seen["sg"].pods] + [each.name for each in seen.seen["sg"].deployments]
    assert details
    log, there = (json.dumps(each) for each in ([dict(found.body), dict(found.values)], dict(found.apart)))
    assert not [each for each in details if f'"{each}"' in log]
    assert not [each for each in details if f'"{each}"' not in there]


def test_it_is_the_same_decision_wherever_details_are_kept() -> None:
    assert in_sg().body == recorded.account(w.snapshot(RUNNING)).body


def test_with_what_is_kept_there_it_is_decided_again_and_without_it_is_said_what_is_missing() -> None:
    found = in_sg()
    record = recorded.read({**found.body, "context": recorded.CONTEXT})
    assert replay(record, Values({**found.values, **found.apart["SG"]})) == Same()
    elsewhere = dict.fromkeys(found.apart["SG"], "SG")
    missing = replay(record, Values(found.values, elsewhere))
    assert isinstance(missing, NotReplayed)
    assert "is kept in SG, and what is kept there was not given" in missing.why


def test_it_is_said_before_them_what_is_kept_there() -> None:
    found = in_sg()
    contents = audit.contents(found, recorded.CONTEXT)
    first, *rest = contents
    assert (first.kind, first.body["home"], first.body["next"]) == (ELSEWHERE, "SG", sum(c.home == "SG" for c in rest))
    assert first.body["values"] == sorted(found.apart["SG"])
    assert [each.home for each in rest[: first.body["next"]]] == ["SG"] * first.body["next"]
    assert {each.home for each in rest[first.body["next"] :]} == {""}


def ledger(contents: Collection[Content]) -> Ledger:
    found = Ledger()
    for each in contents:
        if not each.home:
            found.take("", each.kind, each.subject, each.body)
    return found


def test_what_is_recorded_there_is_not_recorded_again() -> None:
    known = ledger(audit.contents(in_sg(), recorded.CONTEXT))
    again = recorded.account(w.snapshot(RUNNING), bag=Bag(known.recorded, homes={SG: "SG"}))
    assert (again.values, again.apart) == ({}, {})


def test_another_region_has_all_of_its_own() -> None:
    """What is the same in two regions is kept in both."""
    known = ledger(audit.contents(in_sg(), recorded.CONTEXT))
    again = recorded.account(w.snapshot(RUNNING), bag=Bag(known.recorded, homes={SG: "PH"}))
    assert (again.values, again.apart) == ({}, {"PH": in_sg().apart["SG"]})


def test_who_reads_the_log_knows_where_the_rest_is() -> None:
    found = in_sg()
    trail = Trail()
    digest = next(iter(found.apart["SG"]))
    trail._take(recorded.read({"home": "SG", "next": 1, "values": [digest]}, ELSEWHERE))
    with pytest.raises(audit.ValueMissing, match="is kept in SG"):
        trail.values.get(digest)
