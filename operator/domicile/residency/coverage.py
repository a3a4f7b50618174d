"""Which policies are for a model, and whether each of its data classes has one that is enforced."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from domicile.api import ResidencyPolicy
from domicile.api.residencypolicy import LabelSelector, LabelSelectorRequirement

Below = Callable[[str], frozenset[str]]
"""A data class and those below it."""


@dataclass(frozen=True)
class Covered:
    """Every data class has a policy. A cluster must satisfy all of the policies."""

    policies: tuple[ResidencyPolicy, ...]
    """Those that are enforced, by name."""
    audits: tuple[ResidencyPolicy, ...] = ()
    """Those that only report, by name."""


@dataclass(frozen=True)
class Uncovered:
    """No enforced policy speaks of these data classes, so nothing is allowed."""

    data_classes: tuple[str, ...]
    audits: tuple[ResidencyPolicy, ...] = ()
    """Policies that only report and do speak of the model."""
    policies: tuple[ResidencyPolicy, ...] = ()
    """Those that are enforced and speak of the model all the same, by name: of other classes, or of lower ones."""


def coverage(
    data_classes: Iterable[str],
    namespace_labels: Mapping[str, str],
    policies: Iterable[ResidencyPolicy],
    below: Below = lambda data_class: frozenset({data_class}),
) -> Covered | Uncovered:
    """The policies that are for a model with these data classes in a namespace with these labels.

    A class is covered by a policy that names it, or names none. Policies for a class below it apply too, and do not
    cover it: they say what is too little, not what is enough.
    """
    wanted = sorted(set(data_classes))
    reach = frozenset[str]().union(*(below(c) for c in wanted))
    here = [p for p in policies if selects(p.spec.applies_to.namespace_selector, namespace_labels)]
    applying = sorted(
        (p for p in here if any(_speaks_of(p, c) for c in reach)), key=lambda policy: policy.metadata.name
    )
    enforced = tuple(p for p in applying if p.spec.mode == "Enforce")
    audits = tuple(p for p in applying if p.spec.mode == "Audit")
    missing = tuple(c for c in wanted if not any(_speaks_of(p, c) for p in enforced))
    return Covered(enforced, audits) if wanted and not missing else Uncovered(missing, audits, enforced)


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
