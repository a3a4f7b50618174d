"""Heads of the evidence at a member: kept in the claim, which its API server lets go on alone, whatever the hub sends."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from domicile import localfleet
from domicile.api import GrantedConnection
from domicile.evidence import checkpoint
from domicile.evidence.checkpoint import Checkpoint
from domicile.fleet import Arrangement
from domicile.localfleet.errors import RequestRefused
from domicile.placement import FenceDown, FenceInForce
from evidence.logs import NEXT, OURS
from fleet.members import CLAIM, Members, grant, intruder, members
from waiting import eventually

pytestmark = [pytest.mark.usefixtures("no_operator")]
OTHER = "11111111-1111-1111-1111-111111111111"


@pytest.fixture
def sg(fleet: localfleet.Fleet) -> localfleet.Region:
    return fleet.regions["sg"]


@pytest.fixture
def as_it_was(sg: localfleet.Region) -> Iterator[None]:
    """The claim of sg, which the test takes away first."""
    member = intruder(sg)
    before = member.find(CLAIM)
    member.delete(CLAIM)
    yield
    member.delete(CLAIM)
    if before is not None:
        kept = {"name": "domicile", "labels": before["metadata"]["labels"]}
        member.create({**before, "metadata": kept})


@pytest.fixture
async def m(sg: localfleet.Region, as_it_was: None) -> AsyncIterator[Members]:
    """A hub that claimed sg when its log had nine records, with the rights of a joined hub and no more."""
    async with members() as made:
        made.office.head = head(made, 9)
        made.join(sg)
        await made.connected()
        yield made


def head(m: Members, size: int, root: int = 0, of: str = "") -> str:
    state = Checkpoint(f"domicile.dev/evidence/{of or m.office.hub}", size, bytes([root]) * 32)
    return checkpoint.signed(state, OURS)


def kept(sg: localfleet.Region) -> str:
    return sg.api().get(CLAIM)["spec"].get("evidence", "")


async def test_a_hub_with_a_log_that_was_cut_is_refused_by_the_member(m: Members, sg: localfleet.Region) -> None:
    assert isinstance(m.view().fence, FenceInForce)
    assert kept(sg) == head(m, 9)
    m.office.head = head(m, 8)
    # Something else is to be written to the claim.
    m.fleet.set_member("sg", sg.kube_system_uid, grant(sg), Arrangement(connections=(exception(),)))
    await eventually(lambda: fence(m) == "ClaimRefused", within=10, show=lambda: m.view().fence)
    assert "never back" in str(m.view().fence)
    assert (kept(sg), sg.api().get(CLAIM)["spec"].get("connections", [])) == (head(m, 9), [])
    m.office.head = head(m, 10)
    await eventually(lambda: fence(m) == "", within=40, show=lambda: m.view().fence)
    assert kept(sg) == head(m, 10)
    assert m.office.kept[:2] == [("sg", ""), ("sg", head(m, 9))]


def exception() -> GrantedConnection:
    spec = {"user": "ana", "namespaces": ["retail-banking"], "ways": ["proxy"], "reason": "odd answers"}
    return GrantedConnection.model_validate({**spec, "notAfter": datetime.now(UTC) + timedelta(days=1)})


def fence(m: Members) -> str:
    state = m.view().fence
    return state.reason if isinstance(state, FenceDown) else ""


async def test_with_the_hub_s_own_identity_a_head_goes_on_and_never_back(m: Members, sg: localfleet.Region) -> None:
    member = intruder(sg)
    refused: Mapping[str, tuple[str | None, str]] = {
        "a shorter log": (head(m, 8), "never back"),
        "one written anew": (head(m, 9, root=1), "never back"),
        "another hub's": (head(m, 19, of=OTHER), "of no other log"),
        "none": (None, "not taken away"),
        "something else": ("nine records", "should match"),
        "with no signature": (head(m, 19).split("\n\n")[0] + "\n\n", "should match"),
    }
    for what, (note, says) in refused.items():
        with pytest.raises(RequestRefused, match=says) as answer:
            member.merge(CLAIM, {"spec": {"evidence": note}})
        assert answer.value.status == 422, what
    assert kept(sg) == head(m, 9)
    with_both = head(m, 9) + checkpoint.signed(checkpoint.parsed(head(m, 9)).checkpoint, NEXT).split("\n\n")[1]
    for taken in (with_both, head(m, 10), head(m, 100_000, root=1)):
        member.merge(CLAIM, {"spec": {"evidence": taken}})
        assert kept(sg) == taken
