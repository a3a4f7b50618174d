"""Registering members: what changes what is seen of one is told to the models, also where no watch of it can tell."""

import asyncio
from typing import Any, cast

import builders as a
from domicile import placement
from domicile.controller.clusters import Clusters
from domicile.controller.members import Members
from domicile.controller.store import Store


class FakeConnections:
    """Stands for Fleet: a member that is set is in sight at once, and tells nothing by itself."""

    def __init__(self) -> None:
        self.members: dict[str, str] = {}

    def set_member(self, name: str, uid: str, kubeconfig: str) -> None:
        self.members[name] = kubeconfig

    def drop_member(self, name: str) -> None:
        self.members.pop(name, None)

    def view(self, name: str) -> placement.ClusterView | None:
        return a.view(name) if name in self.members else None


class FakeHub:
    kubeconfigs: dict[str, str]

    def __init__(self) -> None:
        self.kubeconfigs = {"sg-kubeconfig": "it"}

    async def kubeconfig(self, ref: Any) -> str | None:
        return self.kubeconfigs.get(ref.name)


class Shell:
    def __init__(self) -> None:
        self.store, self.hub, self.told = Store(), FakeHub(), 0
        self.members = Members(cast(Any, FakeConnections()), lambda: a.NOW)
        self.clusters = Clusters(
            self.store,
            self.members,
            cast(Any, self.hub),
            lambda: a.NOW,
            lambda: True,
            lambda name, seconds: None,
            self.tell,
        )
        self.raw = {**a.regional_cluster().wire()}
        self.raw["metadata"] = {"name": "sg", "uid": a.uid("object/sg"), "resourceVersion": "1"}
        self.store.clusters.put(self.raw)

    def tell(self) -> None:
        self.told += 1

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


def test_one_that_was_removed_while_nobody_listened_is_forgotten() -> None:
    shell = Shell()
    shell.connect()
    shell.store.clusters.remove(shell.raw)
    shell.clusters.forget_the_removed()
    assert (shell.members.views(), shell.told) == ({}, 2)
    shell.clusters.forget_the_removed()
    assert shell.told == 2
