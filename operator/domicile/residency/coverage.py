"""Which policies are for a model, and whether each of its data classes has one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from domicile.api import ResidencyPolicy
from domicile.api.residencypolicy import LabelSelector, LabelSelectorRequirement


@dataclass(frozen=True)
class Covered:
    """Every data class has a policy. A cluster must satisfy all of the policies."""

    policies: tuple[ResidencyPolicy, ...]
    """By name."""


@dataclass(frozen=True)
class Uncovered:
    """No policy speaks of these data classes, so nothing is allowed."""

    data_classes: tuple[str, ...]


def coverage(
    data_classes: Iterable[str], namespace_labels: Mapping[str, str], policies: Iterable[ResidencyPolicy]
) -> Covered | Uncovered:
    """The policies that are for a model with these data classes in a namespace with these labels."""
    wanted = sorted(set(data_classes))
    here = [p for p in policies if selects(p.spec.applies_to.namespace_selector, namespace_labels)]
    applying = tuple(
        sorted((p for p in here if any(_speaks_of(p, c) for c in wanted)), key=lambda policy: policy.metadata.name)
    )
    missing = tuple(c for c in wanted if not any(_speaks_of(p, c) for p in applying))
    return Covered(applying) if applying and not missing else Uncovered(missing)


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a metav1.LabelSelector matches these labels."""
    return all(labels.get(key) == value for key, value in selector.match_labels.items()) and all(
        _meets(requirement, labels) for requirement in selector.match_expressions
    )


def _speaks_of(policy: ResidencyPolicy, data_class: str) -> bool:
    classes = policy.spec.applies_to.data_classes
    return not classes or data_class in classes


def _meets(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    match requirement.operator:
        case "In":
            return labels.get(requirement.key) in requirement.values
        case "NotIn":  # As in Kubernetes: a label that is not there is not in the values either.
            return labels.get(requirement.key) not in requirement.values
        case "Exists":
            return requirement.key in labels
        case _:  # DoesNotExist
            return requirement.key not in labels
