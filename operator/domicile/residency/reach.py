"""Whom a model has to do with beside its own pods: hosts that its arguments name, and peers in the member. Each must be listed."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from domicile.api import Basis
from domicile.residency.verdict import Outcome, Result


class Reach(NamedTuple):
    """Of a model, what it names; of a policy, what it lists."""

    hosts: tuple[str, ...] = ()
    """Hosts, with their port if they have one."""
    callers: tuple[str, ...] = ()
    """Peers that ask the model, by the names that RegionalClusters give them."""
    egress: tuple[str, ...] = ()
    """Peers that the model asks."""


_WORDS: Final = {
    "hosts": ("HostNotAllowed", "the server's arguments name"),
    "callers": ("CallerNotAllowed", "the model is to be asked by"),
    "egress": ("EgressNotAllowed", "the model is to ask"),
}
"""By field: the reason, and how a sentence begins. In the order in which they are judged and reported."""


def results(policy: str, listed: Reach, basis: Basis | None, named: Reach) -> Iterator[Result]:
    """How what the model names fares under the policy, which is the same on every site."""
    for (field, (reason, sentence)), wanted, allowed in zip(_WORDS.items(), named, listed, strict=True):
        rule = f"allow.{field}"
        strange = sorted(set(wanted) - set(allowed))
        if not strange:
            yield Result(policy, rule, Outcome.MET, "Deny", basis=basis)
            continue
        allows = ", ".join(sorted(allowed)) or f"none (spec.{rule} is empty)"
        message = f"{sentence} {', '.join(strange)}, {policy} allows {allows}"
        yield Result(policy, rule, Outcome.UNMET, "Deny", reason, message, basis)
