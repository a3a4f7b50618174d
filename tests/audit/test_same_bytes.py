"""The same decision has the same bytes: whatever was seen first, and whichever process decides."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Any, TypeVar

import pytest

import builders as a
from audit import recorded
from audit.views import rich_view
from decision import world as w
from domicile import audit, residency
from domicile.audit import snapshots
from domicile.decision import Snapshot
from domicile.evidence import dsse

T = TypeVar("T")
SEEDS = range(5)


def digests(seen: Snapshot) -> tuple[str, frozenset[str]]:
    """Of the decision, and of the values that it names."""
    found = recorded.account(seen)
    return audit.digest_of(found.body), frozenset(found.values)


def shuffled(seen: Snapshot, seed: int) -> Snapshot:
    """The same, seen in another order."""
    chance = Random(seed)

    def mixed(found: Mapping[str, T]) -> dict[str, T]:
        entries = list(found.items())
        chance.shuffle(entries)
        return dict(entries)

    def view(found: Any) -> Any:
        nodes = tuple(replace(node, granted=mixed(node.granted)) for node in found.accelerators)
        return replace(found, accelerators=nodes, foreign_services=mixed(found.foreign_services))

    law = {
        name: tuple(mixed({o.metadata.name: o for o in getattr(seen.engine.law, name)}).values())
        for name in snapshots.LAW
    }
    return replace(
        seen,
        engine=residency.Engine(residency.Law(**law)),
        members=mixed({name: view(each) for name, each in seen.members.items()}),
        seen=mixed(seen.seen),
        refusals=mixed(seen.refusals),
        stuck=mixed(seen.stuck),
        namespace_labels=None if seen.namespace_labels is None else mixed(seen.namespace_labels),
    )


CROWDED = w.world(
    views={"sg": rich_view(), **{f"sg{n}": a.view(f"sg{n}", a.node(granted=1)) for n in range(20)}},
    attestations=(w.attested("sg"), *(w.attested(f"sg{n}") for n in range(20))),
    policies=(a.policy(), a.policy("another"), a.policy("trial", spec={"mode": "Audit"})),
    labels={"unit": "retail-banking", "tier": "1"},
    further={"groups": (a.group(), a.group("emea", "DE", "FR"))},
)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_was_seen_first_the_bytes_are_the_same(seed: int) -> None:
    seen = replace(w.snapshot(CROWDED), stuck={"sg": "x", "sg1": "y"})
    assert digests(shuffled(seen, seed)) == digests(seen)


def told() -> str:
    """Digests of a decision and of the values that it names, as another process may work them out."""
    body, values = digests(w.snapshot(CROWDED))
    return json.dumps([body, sorted(values)])


def test_whichever_process_decides_the_bytes_are_the_same() -> None:
    """Sets have another order in each."""
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed}
    program = "from audit.test_same_bytes import told; print(told())"
    there = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == json.loads(told())


def test_a_bag_that_kept_digests_names_the_same_values() -> None:
    seen, kept = w.snapshot(CROWDED), audit.Kept()
    first = recorded.account(seen, bag=audit.Bag(kept=kept))
    again = recorded.account(seen, bag=audit.Bag(first.values.keys(), kept))
    assert dsse.canonical(again.body) == dsse.canonical(first.body)
