"""Two operator processes: one acts. The other takes over when it dies, stops or hangs, and what hung does not act again."""

import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from fleet import audit
from fleet.members import LEASE
from fleet.world import Object, OperatorProcess, World, eventually, policy

pytestmark = [pytest.mark.usefixtures("no_operator")]

TAKEN_OVER_WITHIN = 22.0
"""A lease of 15 s, of which the other learned at most 3 s after it was renewed, and at which it looks every 3 s."""
HANDED_OVER_WITHIN = 10.0
"""2.6 to 2.8 s on a quiet machine; far less than the lease in any case, which shows that it was released."""


@pytest.fixture
def bank(world: World, hub_namespace: str) -> str:
    world.hub.apply(policy(hub_namespace, hub_namespace, "SG"))
    return hub_namespace


@pytest.fixture
def pair(world: World, bank: str) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """The one that leads, and the one that waits."""
    if world.database is None:
        pytest.skip("two processes record in one log in PostgreSQL alone, and there is none on this machine")
    with ExitStack() as running:
        first = running.enter_context(world.operator("first"))
        eventually(lambda: holder(world) == "first", within=40, what="first leads")
        second = OperatorProcess(world, "second")
        running.callback(second.stop)
        mark = second.log.stat().st_size if second.log.exists() else 0
        second.start()
        eventually(lambda: b"another process leads" in second.log.read_bytes()[mark:], within=20, what="second waits")
        yield first, second


def test_one_acts_and_the_other_waits(world: World, bank: str, pair: tuple[OperatorProcess, OperatorProcess]) -> None:
    mark = audit.size(world.fleet.hub.audit_log)
    for number in range(3):
        world.model(bank, f"scorer-{number}")
    for number in range(3):
        world.ready(bank, f"scorer-{number}")
    assert {event["reportingInstance"] for event in events(world, bank)} == {"first"}
    assert holder(world) == "first"
    status = [w for w in audit.writes(world.fleet.hub.audit_log, since=mark) if w.namespace == bank]
    assert Counter(w.name for w in audit.accepted(status)) == {f"scorer-{number}": 2 for number in range(3)}
    assert [str(w) for w in status if w.code >= 300 and w.resource != "events"] == [], "nobody was in another's way"


def test_a_leader_that_stops_hands_over_at_once(
    world: World, bank: str, pair: tuple[OperatorProcess, OperatorProcess]
) -> None:
    first, _ = pair
    world.model(bank)
    world.ready(bank)
    stopped, before = time.monotonic(), first.log.stat().st_size
    assert first.process is not None
    first.process.send_signal(signal.SIGTERM)
    eventually(lambda: holder(world) == "second", within=HANDED_OVER_WITHIN, what="second leads")
    print(f"handed over after {time.monotonic() - stopped:.1f} s")
    assert first.wait(20) == 0
    assert "ERROR" not in first.log.read_text()[before:]
    world.model(bank, "after")
    world.ready(bank, "after")


def test_a_leader_that_is_killed_is_succeeded(
    world: World, bank: str, pair: tuple[OperatorProcess, OperatorProcess]
) -> None:
    first, _ = pair
    world.model(bank)
    world.ready(bank)
    mark = audit.size(world.fleet.regions["sg"].audit_log)
    first.kill()
    killed = time.monotonic()
    world.model(bank, "meanwhile")
    eventually(lambda: holder(world) == "second", within=TAKEN_OVER_WITHIN, what="second leads")
    print(f"taken over {time.monotonic() - killed:.1f} s after the kill")
    world.ready(bank, "meanwhile", within=30)
    print(f"the model of the meantime serves {time.monotonic() - killed:.1f} s after the kill")
    again = [w for w in audit.writes(world.fleet.regions["sg"].audit_log, since=mark) if w.name == "scorer"]
    assert [str(w) for w in again] == [], "what was placed before is not placed again"


def test_a_leader_that_hangs_is_succeeded_and_does_not_act_when_it_wakes(
    world: World, bank: str, pair: tuple[OperatorProcess, OperatorProcess]
) -> None:
    """It hangs in the middle of placing on Singapore. Then the law changes, and the other one follows the new law."""
    first, second = pair
    assert first.process is not None
    singapore = world.fleet.regions["sg"]
    world.model(bank, "before")
    world.ready(bank, "before", on="sg")
    singapore.freeze_apiserver()
    try:
        world.model(bank)
        eventually(
            lambda: (world.get(bank) or {}).get("status", {}).get("placedOn") == "sg",
            within=10,
            what="it is decided and on record that scorer goes to sg",
        )
        first.process.send_signal(signal.SIGSTOP)
        hung = time.monotonic()
    finally:
        singapore.thaw_apiserver()
    try:
        world.hub.apply(policy(bank, bank, "PH"))
        eventually(lambda: holder(world) == "second", within=TAKEN_OVER_WITHIN, what="second leads")
        print(f"taken over after {time.monotonic() - hung:.1f} s")
        for name in ("scorer", "before"):
            world.ready(bank, name, on="ph", within=40)
        eventually(lambda: not world.left("sg", bank, "before"), within=30, what="nothing is left on sg")
        marks = {name: audit.size(region.audit_log) for name, region in world.fleet.regions.items()}
    finally:
        first.process.send_signal(signal.SIGCONT)
    assert first.wait(20) != 0
    assert "another process may lead now" in first.tail()
    assert "is over: another process opened the log" in first.tail(), "what it was about to record was refused"
    # The second one goes on beside it.
    world.model(bank, "after")
    world.ready(bank, "after", on="ph")
    assert holder(world) == "second"
    assert second.returncode is None
    since = {
        name: [w for w in audit.writes(region.audit_log, since=marks[name]) if w.namespace == bank]
        for name, region in world.fleet.regions.items()
    }
    assert [str(w) for w in since["sg"]] == [], "the one that woke wrote where it had been about to write"
    assert Counter((w.resource, w.name) for w in audit.accepted(since["ph"])) == {
        ("admissiongrants", "grants"): 1,
        **{
            (resource, "after"): 1
            for resource in ("inferenceservices", "servingruntimes", "networkpolicies", "serviceaccounts")
        },
    }


def holder(world: World) -> str:
    """Who holds the lease, by its own record."""
    lease = world.hub.find(LEASE)
    return (lease or {}).get("spec", {}).get("holderIdentity", "")


def events(world: World, namespace: str) -> list[Object]:
    return world.hub.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")["items"]
