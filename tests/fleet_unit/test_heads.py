"""Heads of the evidence at the members: with every claim that is written, by themselves now and then, and told when they are seen. The notes
mean nothing here: the kind's own rules say what a head is (tests/api/test_hubclaim.py), the hub compares them with its log."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

import builders
from domicile import fleet, kube
from domicile.api import GrantedConnection
from domicile.fleet import Arrangement, kinds
from domicile.fleet.claiming import Claimant, Standing
from domicile.kube import errors
from domicile.placement import FenceDown
from fake_api import FakeApi, FakeOffice, claimed
from fleet_unit.test_guard import Guarded

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Hub:
    """A hub before sg, of which it may not know much."""

    def __init__(self, api: FakeApi) -> None:
        self.api, self.now, self.office = api, builders.NOW, FakeOffice()
        self.claimant = Claimant(Standing(self.office), "sg", lambda: self.now)

    async def claims(self, after: timedelta = timedelta()) -> bool:
        """Whether it had to write."""
        self.now += after
        return await self.claimant.claim(self.api)

    @property
    def kept(self) -> str:
        return self.api.objects[(kinds.CLAIMS, "", "domicile")]["spec"].get("evidence", "")


def keeping(note: str, written: timedelta = timedelta(), **more: Any) -> FakeApi:
    """A member with a claim that was written so long ago, and bears that head."""
    api = FakeApi()
    made = claimed(until=builders.NOW + DAY - written, **more)
    api.put(kinds.CLAIMS, {**made, "spec": {**made["spec"], **({"evidence": note} if note else {})}})
    return api


def _unclaimed() -> FakeApi:
    api = FakeApi()
    api.remove(kinds.CLAIMS, "domicile")
    return api


ANA = GrantedConnection.model_validate(
    {
        "user": "ana",
        "namespaces": ["bank"],
        "ways": ["proxy"],
        "notAfter": builders.NOW + DAY,
        "reason": "the model gives odd answers",
    }
)
WRITTEN: Mapping[str, tuple[FakeApi, Arrangement]] = {
    "made": (_unclaimed(), Arrangement()),
    "moved on": (keeping("head 1", written=DAY / 2), Arrangement()),
    "moved on in a new term": (keeping("head 1", epoch=3, token="a3"), Arrangement()),
    "given another exception": (keeping("head 1"), Arrangement(connections=(ANA,))),
}


@pytest.mark.parametrize(("api", "arrangement"), WRITTEN.values(), ids=WRITTEN)
async def test_whenever_a_claim_is_written_it_has_the_head(api: FakeApi, arrangement: Arrangement) -> None:
    hub = Hub(api)
    hub.office.head, hub.claimant.arrangement = "head 2", arrangement
    assert await hub.claims()
    assert (hub.kept, len(api.writes)) == ("head 2", 1)


async def test_a_new_head_alone_is_worth_a_write_every_five_minutes() -> None:
    hub = Hub(keeping("head 0"))
    written: list[int] = []
    for minute in range(21):
        hub.office.head = f"head {minute}"  # Something is recorded all the time.
        if await hub.claims():
            written.append(minute)
        hub.now += MINUTE
    assert written == [5, 10, 15, 20]
    assert hub.kept == "head 20"


async def test_where_nothing_is_recorded_nothing_is_written() -> None:
    hub = Hub(keeping("head 1"))
    hub.office.head = "head 1"
    assert [await hub.claims(after=5 * MINUTE) for _ in range(100)] == [False] * 100


async def test_a_process_that_has_no_log_yet_leaves_what_is_kept() -> None:
    hub = Hub(keeping("head 1", written=DAY))
    assert await hub.claims()
    assert hub.kept == "head 1"
    assert not await hub.claims(after=6 * MINUTE)


async def test_the_first_head_of_a_process_waits_no_longer_than_others() -> None:
    hub = Hub(keeping("", written=DAY / 2))
    assert await hub.claims()
    hub.office.head = "head 1"
    assert await hub.claims(after=5 * MINUTE)


async def test_a_clock_that_is_behind_delays_it_by_as_much_and_no_more() -> None:
    hub = Hub(keeping("head 1", written=-4 * MINUTE))
    hub.office.head = "head 2"
    assert not await hub.claims(after=MINUTE)
    assert await hub.claims(after=8 * MINUTE)


class Forgetful(FakeApi):
    """A member whose API server does not know the field yet."""

    knows = False

    def put(self, kind: kube.Resource, manifest: Mapping[str, Any], **metadata: Any) -> dict[str, Any]:
        if kind == kinds.CLAIMS and not self.knows:
            manifest = {**manifest, "spec": {k: v for k, v in manifest["spec"].items() if k != "evidence"}}
        return super().put(kind, manifest, **metadata)


async def test_a_member_that_does_not_know_the_field_is_not_written_to_in_a_loop() -> None:
    api = Forgetful()
    api.put(kinds.CLAIMS, claimed(until=builders.NOW + DAY))
    hub = Hub(api)
    hub.office.head = "head 1"
    minutes = [minute for minute in range(3 * 24 * 60) if await hub.claims(after=MINUTE)]
    assert minutes[:4] == [4, 14, 34, 74]
    # Then as often as a claim is moved on anyway.
    assert all(later - sooner == 12 * 60 for sooner, later in pairwise(minutes[8:])), minutes
    assert len(minutes) < 16
    assert all([await hub.claims(after=DAY / 2) for _ in range(100)])


async def test_once_it_knows_the_field_it_gets_heads_as_others_do() -> None:
    api = Forgetful()
    api.remove(kinds.CLAIMS, "domicile")
    hub = Hub(api)
    hub.office.head = "head 1"
    assert [await hub.claims(), await hub.claims(after=9 * MINUTE)] == [True, False], "in vain, so it waits for longer"
    api.knows = True
    assert await hub.claims(after=MINUTE)
    assert hub.kept == "head 1"
    hub.office.head = "head 2"
    assert [await hub.claims(after=4 * MINUTE), await hub.claims(after=MINUTE)] == [False, True]


async def test_what_a_member_keeps_is_told_when_it_is_first_seen_and_when_it_is_another() -> None:
    hub = Hub(api := keeping("head 1"))
    for _ in range(3):
        await hub.claims()
    assert hub.office.kept == [("sg", "head 1")]
    hub.office.head = "head 2"
    await hub.claims(after=5 * MINUTE)
    await hub.claims()
    assert hub.office.kept[1:] == [("sg", "head 2")]
    api.remove(kinds.CLAIMS, "domicile")
    await hub.claims()
    assert hub.office.kept[2:] == [("sg", "")]
    await hub.claims()
    assert hub.office.kept[3:] == [("sg", "head 2")]


async def test_that_a_member_keeps_none_is_told_too() -> None:
    hub = Hub(keeping(""))
    await hub.claims()
    assert hub.office.kept == [("sg", "")]


NOT_OURS: Mapping[str, Callable[[], FakeApi]] = {
    "another hub's": lambda: keeping("head 9", by=builders.uid("another hub")),
    "that of a term that the hub does not know": lambda: keeping("head 9", epoch=7, token="a7"),
}


@pytest.mark.parametrize("api", NOT_OURS.values(), ids=NOT_OURS)
async def test_what_is_not_of_a_term_of_this_hub_is_not_told(api: Callable[[], FakeApi]) -> None:
    hub = Hub(api())
    with pytest.raises(fleet.GateError):
        await hub.claims()
    assert hub.office.kept == []


async def test_a_hub_that_cannot_have_written_what_a_member_keeps_writes_nothing_there_and_looks_again() -> None:
    hub = Hub(api := keeping("head 9", written=DAY))
    hub.office.head, hub.office.refuses = "head 2", fleet.GateError("the log was cut")
    for _ in range(2):
        with pytest.raises(fleet.GateError, match="the log was cut"):
            await hub.claims()
    assert (api.writes, hub.office.kept) == ([], [("sg", "head 9")] * 2)
    hub.office.refuses = None
    assert await hub.claims()


async def test_that_it_keeps_it_no_more_is_told_where_it_was_refused() -> None:
    hub = Hub(api := keeping(""))
    await hub.claims()
    before = api.objects[(kinds.CLAIMS, "", "domicile")]
    api.put(kinds.CLAIMS, {**before, "spec": {**before["spec"], "evidence": "head 9"}})
    hub.office.refuses = fleet.GateError("the log was cut")
    with pytest.raises(fleet.GateError):
        await hub.claims()
    hub.office.refuses = None
    api.remove(kinds.CLAIMS, "domicile")
    await hub.claims()
    assert hub.office.kept == [("sg", ""), ("sg", "head 9"), ("sg", "")]


async def test_a_member_that_refuses_the_head_has_no_fence_in_force_and_is_not_claimed() -> None:
    """An earlier one, than it keeps: its API server says so, not the hub."""
    guarded = Guarded(api := keeping("head 9", written=6 * MINUTE))
    await guarded.look()
    guarded.office.head = "head 2"

    def refuse(verb: str, path: str) -> None:
        if verb == "PATCH" and "hubclaims" in path:
            said = {"reason": "Invalid", "message": "HubClaim domicile is invalid: never back"}
            raise errors.from_status(422, said, f"PATCH {path}")

    api.before = refuse
    state = await guarded.look()
    assert isinstance(state, FenceDown)
    assert (state.reason, "never back" in state.message) == ("ClaimRefused", True)
    assert api.objects[(kinds.CLAIMS, "", "domicile")]["spec"]["evidence"] == "head 9"
