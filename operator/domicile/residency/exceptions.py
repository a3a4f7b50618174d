"""Which ResidencyExceptions hold, and what they set aside: one rule that is known not to be met, never what is unknown."""

from collections.abc import Iterable, Mapping

from domicile.api import ResidencyException
from domicile.api.residencyexception import APPROVED_BY, REQUESTED_BY
from domicile.residency.identity import MemberId
from domicile.residency.validity import longest
from domicile.residency.verdict import Outcome, Result

ByModel = Mapping[tuple[str, str], tuple[ResidencyException, ...]]
"""By namespace and name of the model."""


def by_model(exceptions: Iterable[ResidencyException]) -> ByModel:
    """Exceptions that were approved by somebody who did not ask for them, in force or not. By name."""
    found: dict[tuple[str, str], list[ResidencyException]] = {}
    for exception in sorted(exceptions, key=lambda e: e.metadata.name):
        if approved(exception):
            model = exception.spec.model
            found.setdefault((model.namespace, model.name), []).append(exception)
    return {model: tuple(each) for model, each in found.items()}


def approved(exception: ResidencyException) -> bool:
    """Whether somebody approved it who did not ask for it, both as the API server stamped them."""
    asked, said = (exception.metadata.annotations.get(key, "") for key in (REQUESTED_BY, APPROVED_BY))
    return exception.spec.approved and asked != "" and said not in ("", asked)


def applied(
    results: tuple[Result, ...], member: MemberId, exceptions: Iterable[ResidencyException], forbidding: frozenset[str]
) -> tuple[Result, ...]:
    """The results with what the exceptions set aside. `forbidding` are policies that allow no exception."""
    usable = [
        e
        for e in exceptions
        if (e.spec.cluster.name, e.spec.cluster.uid) == (member.name, member.uid) and e.spec.policy not in forbidding
    ]
    return tuple(_with(result, usable) for result in results)


def _with(result: Result, exceptions: Iterable[ResidencyException]) -> Result:
    if result.outcome is not Outcome.UNMET or not result.denies:
        return result
    best = longest(e for e in exceptions if (e.spec.policy, e.spec.rule) == (result.policy, result.rule))
    if best is None:
        return result
    return result.settled(f"ResidencyException/{best.metadata.name}", best.spec.valid_until)
