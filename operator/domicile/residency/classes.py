"""Which data a model is taken to have seen: what it declares, and what governance says of its namespace."""

from collections.abc import Iterable

from domicile.api import DataClassification


class Classes:
    """Orders and floors of all DataClassifications together."""

    def __init__(self, classifications: Iterable[DataClassification]) -> None:
        self._orders: list[tuple[str, ...]] = []
        self._floors: dict[str, set[str]] = {}
        for classification in sorted(classifications, key=lambda c: c.metadata.name):
            self._orders += [order.classes for order in classification.spec.orders]
            for floor in classification.spec.floors:
                self._floors.setdefault(floor.namespace, set()).update(floor.data_classes)

    def effective(self, namespace: str, declared: Iterable[str]) -> tuple[str, ...]:
        """The classes that the model is judged by: all that it declares, and those of the namespace's floor that none of
        these is above. Sorted."""
        own = set(declared)
        floor = self._floors.get(namespace, set())
        return tuple(sorted(own | {f for f in floor if not any(self._above(f, c) for c in own)}))

    def at_or_below(self, data_class: str) -> frozenset[str]:
        """The class itself and those below it in an order: policies for them are for it too."""
        below = {lower for order in self._orders if data_class in order for lower in order[: order.index(data_class)]}
        return frozenset({data_class, *below})

    def _above(self, lower: str, upper: str) -> bool:
        return lower != upper and lower in self.at_or_below(upper)
