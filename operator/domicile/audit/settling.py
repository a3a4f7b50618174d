"""What became of acts that a process began and did not live to end: found out by looking, by the process that follows it. Pure."""

from collections.abc import Iterable, Mapping

from domicile.audit.ledger import Ended, Intent
from domicile.decision import Snapshot
from domicile.serving import WORKLOAD, SeenWorkload

Settled = tuple[Intent, Ended]


def settle(intents: Iterable[Intent], seen: Snapshot) -> tuple[Settled, ...]:
    """How each of these acts on the model ended, as far as it can be seen: of a member that is out of sight nothing is known, and it
    stays open."""
    return tuple((intent, end) for intent in intents if (end := _end(intent, seen)) is not None)


def overtaken(intents: Iterable[Intent], seen: Snapshot) -> tuple[Settled, ...]:
    """The same for acts that are decided on no longer: what is not found to be done was given up. On a member that is out of sight it may
    have been done, and stays open."""
    return tuple((intent, "FoundDone" if end == "FoundDone" else "Overtaken") for intent, end in settle(intents, seen))


def of_the_gone(intents: Iterable[Intent]) -> tuple[Settled, ...]:
    """The same for a model that is no more. It was let go, which is done once nothing of it is left."""
    return tuple((intent, _of_the_gone(intent)) for intent in intents)


def _of_the_gone(intent: Intent) -> Ended:
    return "Overtaken" if intent.key[0] == "Place" else "FoundDone"


def _end(intent: Intent, seen: Snapshot) -> Ended | None:
    kind, *rest = intent.key
    if kind == "Release":
        return "FoundUndone"  # The model is still there.
    view = seen.members.get(intent.cluster)
    if view is None or view.member.uid != rest[0] or not seen.in_sight(view.member):
        return None
    there = seen.seen.get(intent.cluster, SeenWorkload())
    if kind == "Withdraw":
        return "FoundDone" if there.absent else "FoundUndone"
    return "FoundDone" if _bears(there, rest[2]) else "FoundUndone"


def _bears(there: SeenWorkload, workload: str) -> bool:
    """Whether the workload of that digest is there, and granted."""
    service = there.inference_service
    if service is None or service.deleting or there.granted is None:
        return False
    annotations: Mapping[str, str] = service.manifest.get("metadata", {}).get("annotations", {})
    return annotations.get(WORKLOAD) == workload
