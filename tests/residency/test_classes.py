"""Orders and floors of several DataClassifications count together."""

from builders import classification
from domicile.residency.classes import Classes


def classes() -> Classes:
    bank = classification("bank", orders=[("public", "internal"), ("a", "b", "c")], floors={"retail": ["internal"]})
    group = classification("group", orders=[("health.public", "health.record")], floors={"retail": ["health.public"]})
    return Classes([bank, group])


def test_orders_of_all_of_them_hold() -> None:
    assert classes().at_or_below("internal") == {"public", "internal"}
    assert classes().at_or_below("b") == {"a", "b"}
    assert classes().at_or_below("health.record") == {"health.public", "health.record"}


def test_floors_of_all_of_them_hold() -> None:
    assert classes().effective("retail", ["x"]) == ("health.public", "internal", "x")
    assert classes().effective("retail", ["health.record"]) == ("health.record", "internal")
