"""What is wrong with a pod, in words that stay the same while the cause does: no back-off times, no names of pods."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from domicile.serving.seen import SeenPod

LATEST = 9
"""Rank of what merely follows from other faults."""


class Fault(NamedTuple):
    """A fault; the least of several is told."""

    rank: int
    reason: str
    message: str


_PULL_REASONS = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "SignatureValidationFailed"}
)
_CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_RESTARTED_OFTEN = 2
"""Once may be a slip, such as a server that was there before its model."""

_IMAGE = re.compile(r'image "([^"]+)"')
_PULL_CAUSES: tuple[tuple[str, str], ...] = (
    # what the runtime's message has in it, and what it means. The first that fits.
    (r"image verifier|signature", "the node's image verifier refuses it"),
    (r"not found|manifest unknown|name unknown", "it is not in the registry"),
    (
        r"unauthorized|denied|forbidden|authorization|authentication|\b40[13]\b",
        "the registry refuses the member's credentials",
    ),
    (r"x509|certificate|tls:|server gave HTTP response", "the node does not trust the registry's certificate"),
    (
        r"no such host|refused|timeout|unreachable|dial tcp|deadline|EOF|connection reset",
        "the registry does not answer",
    ),
    (r"no space left", "the node's disk is full"),
)
_CONFIG_CAUSES: tuple[tuple[str, str], ...] = (
    (r"runAsNonRoot", "the image runs as root or names its user by name: it needs a numeric USER other than 0"),
    (r"no such file|not found|executable", "its command is not in the image"),
)
_TAKEN = re.compile(r"^\d+ ")


def faults(pod: SeenPod, *, spare: bool) -> Iterator[Fault]:
    """What is wrong with a pod of the current workload. A pod that finds no node does not matter where it is `spare`."""
    for reason, message in pod.waiting:
        yield from _waiting(reason, message)
    if not pod.ready and pod.restarts >= _RESTARTED_OFTEN:
        yield _crashes()
    if pod.unschedulable and not spare:
        yield Fault(4, "Unschedulable", f"no node takes the pod: {_scheduler_says(pod.unschedulable)}")


def _waiting(reason: str, message: str) -> Iterator[Fault]:
    # A pod goes to and fro between ErrImagePull and ImagePullBackOff: one reason for both.
    if reason in _PULL_REASONS:
        image = _IMAGE.search(message)
        what = image[1] if image else "an image"
        yield Fault(1, "ImagePullBackOff", f"{what} cannot be pulled: {_cause(_PULL_CAUSES, message)}")
    elif reason == "InvalidImageName":
        yield Fault(0, reason, "the reference of an image is not valid on the member")
    elif reason in _CONFIG_REASONS:
        yield Fault(2, reason, f"a container cannot be started: {_cause(_CONFIG_CAUSES, message)}")
    elif reason == "CrashLoopBackOff":
        yield _crashes()


def _crashes() -> Fault:
    return Fault(
        3, "CrashLoopBackOff", "a container ends soon after its start, again and again: see its log on the member"
    )


def _cause(causes: tuple[tuple[str, str], ...], message: str) -> str:
    known = (meaning for pattern, meaning in causes if re.search(pattern, message, re.IGNORECASE))
    return next(known, "see the pod's events on the member")


def _scheduler_says(message: str) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had x. preemption: ...` as `Insufficient cpu; node(s) had x`."""
    _, found, rest = message.partition(" nodes are available: ")
    if not found:
        return "see the pod's events on the member"
    parts = re.split(r", (?=\d+ )", rest.split(". ")[0].rstrip("."))
    return "; ".join(sorted({_TAKEN.sub("", part) for part in parts}))
