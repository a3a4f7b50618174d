"""What is seen of a member, with what its RegionalCluster says: the same object as long as neither changes."""

from collections.abc import Callable
from typing import Any, cast

import pytest

import builders as a
from domicile import placement
from domicile.controller.members import Members

MIRRORS = [{"registry": a.REGISTRY, "mirror": "mirror.sg.example:5000"}]
PEERS = [{"name": "gateway", "namespaces": ["istio-system"]}]


class FakeConnections:
    """Stands for Fleet: what it sees is what it is told to see."""

    def __init__(self) -> None:
        self.seen = a.view()

    def set_member(self, *_: Any) -> None:
        """It is connected already."""

    forget_member = drop_member = set_member

    def view(self, name: str) -> placement.ClusterView:
        return self.seen


class Shell:
    def __init__(self, **spec: Any) -> None:
        self.connections = FakeConnections()
        self.members = Members(cast(Any, self.connections), lambda: a.NOW)
        self.register(**(spec or SAID["both"]))

    def register(self, **spec: Any) -> None:
        self.members.register(a.regional_cluster(**spec), "kubeconfig")

    @property
    def view(self) -> placement.ClusterView:
        found = self.members.view("sg")
        assert found is not None
        return found


def test_a_member_is_seen_with_what_is_said_of_it() -> None:
    view = Shell().view
    assert (view.mirrors[0][1], view.peers[0].name) == ("mirror.sg.example:5000", "gateway")


SAID: dict[str, dict[str, Any]] = {
    "both": {"registryMirrors": MIRRORS, "peers": PEERS},
    "mirrors": {"registryMirrors": MIRRORS},
    "peers": {"peers": PEERS},
}


@pytest.mark.parametrize("spec", SAID.values(), ids=SAID)
def test_what_is_seen_the_same_is_the_same_object(spec: dict[str, Any]) -> None:
    """Though its RegionalCluster is told anew, as with every write of its status."""
    shell = Shell(**spec)
    first = shell.view
    shell.register(**spec)
    assert shell.view is first


CHANGES: dict[str, Callable[[Shell], object]] = {
    "what is seen": lambda shell: setattr(shell.connections, "seen", a.view("sg", a.node())),
    "its mirrors": lambda shell: shell.register(peers=PEERS),
    "its peers": lambda shell: shell.register(registryMirrors=MIRRORS),
    "that nothing is said any more": lambda shell: shell.register(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_is_seen_at_once(change: Callable[[Shell], object]) -> None:
    shell = Shell()
    first = shell.view
    change(shell)
    assert shell.view != first


def test_a_member_that_is_not_registered_is_not_seen() -> None:
    shell = Shell()
    shell.members.unregister("sg")
    assert shell.members.view("sg") is None
