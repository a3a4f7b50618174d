"""A hub that was restored from a backup: members remember a later term of it, and it writes nothing until a person has looked."""

from collections.abc import Iterator

import pytest

from fleet import audit
from fleet.members import CLAIM, LEASE
from fleet.world import CLUSTERS, Object, World, eventually, policy

pytestmark = [pytest.mark.usefixtures("no_operator")]


@pytest.fixture
def bank(world: World, hub_namespace: str) -> Iterator[str]:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    yield hub_namespace
    confirm(world)  # Also where the test ended early: the tests after it need a hub that goes on.
    world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"confirmedEpoch": None}})


def claim(world: World) -> Object:
    return world.member("sg").get(CLAIM)["spec"]


def test_a_hub_that_was_restored_from_a_backup_holds_all_writes_until_a_person_confirms(
    world: World, bank: str
) -> None:
    with world.operator("before-the-backup"):
        world.model(bank)
        world.ready(bank, on="sg")
        backup = world.hub.get(LEASE)["metadata"]["annotations"]
    with world.operator("after-the-backup"):
        eventually(
            lambda: claim(world)["epoch"] == epoch_of(backup) + 1, within=30, what="sg is claimed in the next term"
        )
    world.hub.merge(LEASE, {"metadata": {"annotations": backup}, "spec": {"leaseTransitions": epoch_of(backup)}})
    mark = {name: audit.size(region.audit_log) for name, region in world.fleet.regions.items()}
    with world.operator("restored"):
        # It counts to the same epoch, and begins another term than the one that the member remembers.
        said = world.cluster_reports("sg", "HubBehind", "FenceInForce", within=30)["message"]
        assert f"to epoch {claim(world)['epoch']}, with the reason" in said
        world.model(bank, "meanwhile")
        world.delete(bank)
        assert "(HubBehind)" in world.reports(bank, "Ready", "NoAbleCluster", "meanwhile")["message"]
        for name, region in world.fleet.regions.items():
            written = audit.writes(region.audit_log, since=mark[name])
            assert [str(w) for w in written if w.resource != "hubclaims"] == []
        confirmed = confirm(world)
        world.ready(bank, "meanwhile", on="sg")
        world.gone(bank)
        assert claim(world)["epoch"] == confirmed + 1


def confirm(world: World) -> int:
    """A person says that the hub goes on."""
    epoch = claim(world)["epoch"]
    said = {"epoch": epoch, "reason": "restored from the backup of the day before"}
    world.hub.merge(f"{CLUSTERS}/sg", {"spec": {"confirmedEpoch": said}})
    return epoch


def epoch_of(annotations: Object) -> int:
    return int(annotations["domicile.dev/terms"].split()[-1].partition("/")[0])
