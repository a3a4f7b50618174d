"""The same value gives the same bytes, whatever the order it was written in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import model
from domicile import residency

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def backwards(value: Any) -> Any:
    """The same value with the keys of all maps in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(entry) for entry in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(), VALUES))
def test_the_order_of_keys_does_not_count(value: dict[str, Any]) -> None:
    assert residency.digest_of(backwards(value)) == residency.digest_of(value)


DIFFERENT = {
    "order of a list": (["a", "b"], ["b", "a"]),
    "a string that looks like JSON": ('{"a":1}', {"a": 1}),
    "a number and its text": ({"a": 1}, {"a": "1"}),
    "true and one": ({"a": True}, {"a": 1}),
    "empty and absent": ({"a": {}}, {}),
}


@pytest.mark.parametrize(("one", "two"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_differs_has_another_digest(one: Any, two: Any) -> None:
    assert residency.digest_of(one) != residency.digest_of(two)


def test_a_digest_is_that_of_the_canonical_json() -> None:
    """printf '{"a":[1],"b":"é"}' | sha256sum"""
    expected = "sha256:04f34bc0940adae4d1055943965f4f1a5617be528e5e463451aa03f0ecff81f3"
    assert residency.digest_of({"b": "é", "a": [1]}) == expected


def test_a_default_that_is_written_out_changes_nothing() -> None:
    assert residency.digest_of(model().spec) == residency.digest_of(model(placement={"clusterCount": 1}).spec)
    assert residency.digest_of(model().spec) != residency.digest_of(model(placement={"clusterCount": 2}).spec)
