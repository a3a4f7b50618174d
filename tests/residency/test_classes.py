"""Orders and floors of several DataClassifications count together."""

from builders import classification
from domicile.residency.classes import Classes

CLASSES = Classes(
    [
        classification("bank", orders=[("public", "internal"), ("a", "b", "c")], floors={"retail": ["internal"]}),
        classification("group", orders=[("health.public", "health.record")], floors={"retail": ["health.public"]}),
    ]
)


def test_orders_of_all_of_them_hold() -> None:
    assert CLASSES.at_or_below("internal") == {"public", "internal"}
    assert CLASSES.at_or_below("b") == {"a", "b"}
    assert CLASSES.at_or_below("health.record") == {"health.public", "health.record"}


def test_floors_of_all_of_them_hold() -> None:
    assert CLASSES.effective("retail", ["x"]) == ("health.public", "internal", "x")
    assert CLASSES.effective("retail", ["health.record"]) == ("health.record", "internal")
