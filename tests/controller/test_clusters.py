"""Registering members: what changes what is seen of one is told to the models, also where no watch of it can tell."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

import builders as a
from controller.fakes import Later
from domicile import fleet, placement, residency
from domicile.api import Peer, RegionalCluster, RegionalClusterStatus
from domicile.controller.clusters import Clusters
from domicile.controller.members import Members
from domicile.controller.store import Store
from domicile.decision.events import Told


class FakeConnections:
    """Stands for Fleet: a member that is set is in sight at once, and tells nothing by itself."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self.regions: frozenset[str] = frozenset()
        self.fence: placement.FenceInForce | placement.FenceDown = placement.FenceInForce("70d39efa2237b070")

    def set_member(self, name: str, uid: str, kubeconfig: str, arrangement: fleet.Arrangement) -> None:
        self.members[name], self.arrangement = kubeconfig, arrangement

    def drop_member(self, name: str) -> None:
        self.members.pop(name, None)

    forget_member = drop_member

    def view(self, name: str) -> placement.ClusterView | None:
        seen = {"reported": residency.Reported(self.regions), "fence": self.fence}
        return a.view(name, **seen) if name in self.members else None


class FakeHub:
    kubeconfigs: dict[str, str]

    def __init__(self) -> None:
        self.kubeconfigs = {"sg-kubeconfig": "it"}
        self.written: list[RegionalClusterStatus] = []
        self.events: list[str] = []
        self.notes: list[str] = []

    async def write_cluster_status(self, cluster: RegionalCluster, status: RegionalClusterStatus) -> None:
        self.written.append(status)

    async def tell(self, about: RegionalCluster, told: Told) -> None:
        self.events.append(told.reason)
        self.notes.append(told.note)

    async def kubeconfig(self, ref: Any) -> str | None:
        return self.kubeconfigs.get(ref.name)


class Shell:
    def __init__(self) -> None:
        self.store, self.hub, self.told, self.later = Store(), FakeHub(), 0, Later()
        self.connections = FakeConnections()
        self.members = Members(cast(Any, self.connections), lambda: a.NOW)
        self.clusters = Clusters(
            self.store,
            self.members,
            cast(Any, self.hub),
            lambda: a.NOW,
            lambda: True,
            lambda name, seconds: self.later(("", name), seconds),
            self.tell,
        )
        self.raw = {**a.regional_cluster().wire()}
        self.raw["metadata"] = {"name": "sg", "uid": a.uid("object/sg"), "resourceVersion": "1"}
        self.store.clusters.put(self.raw)

    def tell(self) -> None:
        self.told += 1

    def attest(self, until: datetime) -> None:
        made = a.attestation(until=until, has={"nodes": {"regions": ["ap-southeast-1"]}}).wire()
        self.store.attestations.put({**made, "metadata": {**made["metadata"], "resourceVersion": "1"}})

    def reconcile(self) -> None:
        asyncio.run(self.clusters.reconcile("sg"))

    def connect(self) -> int:
        """How often models were told."""
        before = self.told
        asyncio.run(self.clusters.connect("sg"))
        return self.told - before


def test_a_member_that_is_registered_is_told_and_once() -> None:
    shell = Shell()
    assert [shell.connect(), shell.connect()] == [1, 0]


def test_a_kubeconfig_that_is_gone_is_told() -> None:
    shell = Shell()
    shell.connect()
    shell.hub.kubeconfigs.clear()
    assert shell.connect() == 1


def test_a_cluster_that_was_removed_is_told() -> None:
    shell = Shell()
    shell.connect()
    shell.store.clusters.remove(shell.raw)
    assert shell.connect() == 1
    assert shell.members.views() == {}


def test_what_a_person_confirmed_of_the_hub_s_terms_is_passed_on() -> None:
    shell = Shell()
    shell.connect()
    assert shell.connections.arrangement == fleet.Arrangement()
    shell.raw["metadata"]["resourceVersion"] = "2"
    shell.raw["spec"] = {
        **shell.raw["spec"],
        "confirmedEpoch": {"epoch": 9, "reason": "restored from the backup of Friday"},
    }
    shell.store.clusters.put(shell.raw)
    shell.connect()
    assert shell.connections.arrangement == fleet.Arrangement(confirmed=9)


def test_who_models_may_have_to_do_with_there_is_seen_of_the_cluster() -> None:
    shell = Shell()
    shell.connect()
    shell.raw["metadata"]["resourceVersion"] = "2"
    shell.raw["spec"] = {**shell.raw["spec"], "peers": [{"name": "gateway", "namespaces": ["edge"]}]}
    shell.store.clusters.put(shell.raw)
    assert shell.connect() == 1
    view = shell.members.view("sg")
    assert view is not None
    assert view.peers == (Peer(name="gateway", namespaces=("edge",)),)


def test_one_that_was_removed_while_nobody_listened_is_forgotten() -> None:
    shell = Shell()
    shell.connect()
    shell.store.clusters.remove(shell.raw)
    shell.clusters.forget_the_removed()
    assert (shell.members.views(), shell.told) == ({}, 2)
    shell.clusters.forget_the_removed()
    assert shell.told == 2


LOOKS = {
    "when its attestation ends": (timedelta(seconds=90), [90.0]),
    "after an hour, where that is long ahead": (timedelta(days=900), [3600.0]),
    "never for what has ended": (timedelta(days=-1), []),
}


@pytest.mark.parametrize(("ends_in", "seconds"), LOOKS.values(), ids=LOOKS.keys())
def test_a_member_is_looked_at_again(ends_in: timedelta, seconds: list[float]) -> None:
    shell = Shell()
    shell.attest(a.NOW + ends_in)
    shell.reconcile()
    assert [after for _, after in shell.later.asked] == seconds


def test_what_nodes_say_is_cut_to_what_an_event_takes_in_bytes() -> None:
    shell = Shell()
    shell.attest(a.LONG_AHEAD)
    shell.connections.regions = frozenset(f"{number}{'é' * 60}" for number in range(12))
    shell.reconcile()
    assert 1021 <= len(shell.hub.notes[-1].encode()) <= 1024


def test_nodes_that_contradict_their_attestation_are_an_event() -> None:
    shell = Shell()
    shell.attest(a.LONG_AHEAD)
    shell.connections.regions = frozenset({"ap-southeast-3"})
    shell.reconcile()
    assert shell.hub.events == ["KServeFound", "NodesContradictAttestation"]
    (status,) = shell.hub.written
    known = {**shell.raw, "status": status.wire(), "metadata": {**shell.raw["metadata"], "resourceVersion": "2"}}
    shell.store.clusters.put(known)
    shell.reconcile()
    assert (len(shell.hub.written), len(shell.hub.events)) == (1, 2)


def test_a_fence_that_goes_down_and_comes_back_is_an_event_each() -> None:
    shell = Shell()

    def look(fence: placement.FenceInForce | placement.FenceDown) -> None:
        shell.connections.fence = fence
        shell.reconcile()
        status = shell.hub.written[-1].wire()
        version = str(1 + len(shell.hub.written))
        shell.store.clusters.put(
            {**shell.raw, "status": status, "metadata": {**shell.raw["metadata"], "resourceVersion": version}}
        )

    look(placement.FenceInForce("1"))
    assert shell.hub.events == ["KServeFound"]
    look(placement.FenceDown("FenceTampered", "a binding went"))
    look(placement.FenceInForce("1"))
    assert shell.hub.events == ["KServeFound", "FenceTampered", "KServeFound"]
    # Another fence, after an upgrade of the operator, is not worth one.
    look(placement.FenceInForce("2"))
    assert len(shell.hub.events) == 3
