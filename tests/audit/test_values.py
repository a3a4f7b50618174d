"""Values by digest: recorded once, small where much is the same, and never mistaken for another."""

import gc
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domicile.api import Peer
from domicile.audit import Bag, Kept, ValueMissing, Values, digest_of, moment
from domicile.audit.values import plain
from domicile.evidence import dsse


@dataclass
class Thing:
    """Something immutable, as far as who keeps its digest can tell."""

    says: str


def written(thing: Thing, _: Bag) -> dict[str, Any]:
    return {"says": thing.says}


def named(count: int, **but: str) -> dict[str, str]:
    """Digests of so many clusters."""
    return {f"c{i:03}": but.get(f"c{i:03}", digest_of({"cluster": i})) for i in range(count)}


def test_what_is_put_is_found_by_its_digest() -> None:
    bag = Bag()
    digest = bag.put({"b": [1], "a": "x"})
    assert Values(bag.values).get(digest) == {"a": "x", "b": [1]}


def test_the_digest_is_of_the_canonical_bytes() -> None:
    assert digest_of({"b": 1, "a": "é"}) == digest_of({"a": "é", "b": 1})


def test_what_is_recorded_is_named_and_not_recorded_again() -> None:
    first = Bag()
    digest = first.put({"a": 1})
    second = Bag(recorded={digest})
    assert (second.put({"a": 1}), second.values) == (digest, {})


def test_what_is_put_twice_is_there_once() -> None:
    bag = Bag()
    assert bag.put({"a": 1}) == bag.put({"a": 1})
    assert len(bag.values) == 1


def test_an_object_that_is_recorded_is_not_written_again() -> None:
    kept, thing, times = Kept(), Thing("sg"), list[str]()

    def counted(thing: Thing, _: Bag) -> dict[str, Any]:
        times.append(thing.says)
        return {"says": thing.says}

    digest = Bag(kept=kept).put_object(thing, counted)
    again = Bag(recorded={digest}, kept=kept)
    assert (again.put_object(thing, counted), again.values, times) == (digest, {}, ["sg"])


def test_an_object_whose_record_failed_is_gathered_again() -> None:
    kept, thing = Kept(), Thing("sg")
    digest = Bag(kept=kept).put_object(thing, written)
    again = Bag(kept=kept)
    assert again.put_object(thing, written) == digest
    assert again.values == {digest: {"says": "sg"}}


def test_an_object_that_is_written_in_two_ways_has_two_digests() -> None:
    def otherwise(thing: Thing, _: Bag) -> dict[str, Any]:
        return {"told": thing.says}

    kept, thing = Kept(), Thing("sg")
    recorded = {Bag(kept=kept).put_object(thing, written)}
    assert Bag(recorded, kept).put_object(thing, otherwise) == digest_of({"told": "sg"})


def test_an_object_whose_digest_is_kept_is_kept_too() -> None:
    """Were it let go, another object could have its identity, and be taken for it."""
    kept, thing = Kept(), Thing("sg")
    there = weakref.ref(thing)
    Bag(kept=kept).put_object(thing, written)
    del thing
    gc.collect()
    assert there() is not None


def test_what_was_not_asked_for_the_longest_goes() -> None:
    kept, things = Kept(most=2), [Thing(str(number)) for number in range(3)]
    for number, thing in enumerate(things):
        kept.put(number, thing, f"digest {number}")
        kept.get(0)
    assert [kept.get(number) for number in range(3)] == ["digest 0", None, "digest 2"]


def test_what_is_put_again_takes_no_further_place() -> None:
    kept = Kept(most=2)
    for digest in ("a", "b", "c"):
        kept.put("one", Thing("one"), digest)
        kept.put("two", Thing("two"), digest)
    assert (kept.get("one"), kept.get("two")) == ("c", "c")


def test_what_follows_from_an_object_is_gathered_once() -> None:
    kept, thing, times = Kept(), Thing("sg"), list[int]()

    def gather(bag: Bag) -> str:
        times.append(1)
        return bag.put_all({"sg": bag.put({"lawful": True})})

    first = Bag(kept=kept)
    digest = first.put_once(thing, "candidates", lambda: gather(first))
    again = Bag(first.values.keys(), kept)
    assert (again.put_once(thing, "candidates", lambda: gather(again)), again.values, len(times)) == (digest, {}, 1)


@pytest.mark.parametrize("count", [0, 1, 16, 17, 300, 5000])
def test_a_mapping_of_any_size_is_read_as_it_was(count: int) -> None:
    bag = Bag()
    values = {f"c{i:03}": {"cluster": i} for i in range(count)}
    digest = bag.put_all({name: bag.put(value) for name, value in values.items()})
    assert dict(Values(bag.values).entries(digest)) == values


def test_of_300_clusters_one_that_changes_costs_three_small_values() -> None:
    before = Bag()
    before.put_all(named(300))
    after = Bag(recorded=before.values.keys())
    after.put_all(named(300, c123=digest_of({"cluster": "another"})))
    assert len(after.values) == 3
    assert max(len(dsse.canonical(value)) for value in after.values.values()) < 2000


def test_a_cluster_that_comes_is_no_more_than_one_that_changes() -> None:
    before = Bag()
    before.put_all(named(300))
    after = Bag(recorded=before.values.keys())
    after.put_all(named(301))
    assert len(after.values) <= 4


def test_a_mapping_has_one_digest_in_whatever_order_it_was_filled() -> None:
    there = named(300)
    back = dict(reversed(there.items()))
    assert Bag().put_all(there) == Bag().put_all(back)


def test_a_value_that_was_not_recorded_is_told() -> None:
    with pytest.raises(ValueMissing, match=r"value sha256:\w+ was not recorded"):
        Values({}).get(digest_of({}))


def test_a_value_under_the_digest_of_another_is_told() -> None:
    digest = digest_of({"lawful": False})
    with pytest.raises(ValueMissing, match="is not as it was recorded"):
        Values({digest: {"lawful": True}}).get(digest)


def test_a_part_of_a_mapping_that_is_missing_is_told() -> None:
    bag = Bag()
    digest = bag.put_all(named(300))
    left = dict(bag.values)
    part = next(iter(left[digest]["parts"].values()))
    del left[part]
    with pytest.raises(ValueMissing, match=part):
        Values(left).entries(digest)


PEER = Peer.model_validate({"name": "gateway", "namespaces": ["istio-system"]})
PLAIN: dict[str, tuple[Any, Any]] = {
    "one of our kinds": (PEER, {"name": "gateway", "namespaces": ["istio-system"], "ports": []}),
    "a time": (datetime(2026, 11, 23, 9, tzinfo=UTC), "2026-11-23T09:00:00.000000Z"),
    "a set": (frozenset({"sg", "de", "ph"}), ["de", "ph", "sg"]),
    "a set that is open": ({2, 1}, [1, 2]),
    "a tuple of tuples": ((("a", 1), ("b", 2)), [["a", 1], ["b", 2]]),
    "a list": ([frozenset({"b", "a"})], [["a", "b"]]),
    "a mapping by name": ({"b": (1,), "a": None}, {"b": [1], "a": None}),
    "a mapping by model": ({("treasury", "b"): 1, ("bank", "a"): 2}, [[["bank", "a"], 2], [["treasury", "b"], 1]]),
    "nothing": (None, None),
    "a number": (1.5, 1.5),
}


@pytest.mark.parametrize(("value", "told"), PLAIN.values(), ids=PLAIN)
def test_what_json_does_not_have_is_said_in_its_terms(value: Any, told: Any) -> None:
    assert plain(value) == told


def test_a_moment_is_the_same_in_every_zone() -> None:
    there = datetime(2026, 11, 23, 17, 0, 0, 7, tzinfo=timezone(timedelta(hours=8)))
    assert moment(there) == "2026-11-23T09:00:00.000007Z"
