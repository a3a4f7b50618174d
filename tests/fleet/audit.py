"""Counting what was written, from the API servers' own audit logs."""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from domicile import fence

OPERATOR = "system:serviceaccount:domicile-system:domicile"
"""The operator's name, on the hub as on members."""
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
ENDS_WITHIN = 5.0
"""Seconds until a write that was received is taken for one that never ends: its API server was killed or frozen, or it is an exec."""
SEEN_BEFORE_LOGGED = 0.5
"""Seconds, at most, that a write may be seen before it is logged."""
_NOT_KNOWN_YET = "failed to find resource referenced by paramKind"
_TAIL = 256 * 1024
INTRUDER = "intruder"
"""Who has got hold of an identity that the fence lets through. Told by the agent that its requests name."""
SERVICE_RESOURCES = frozenset({"leases", "hubclaims", "events"})
"""No part of placing: a claim is the lease of a member, and tells it of the hub's evidence now and then."""


@dataclass(frozen=True)
class Write:
    """One request that changed something, or tried to."""

    at: datetime
    user: str
    verb: str
    resource: str
    """With its subresource: sovereignmodels/status."""
    namespace: str
    name: str
    code: int
    body: dict[str, Any]
    """What was sent; empty where the log has no bodies."""

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.namespace}/{self.name} by {self.user}: {self.code}"


def size(log: Path) -> int:
    """Where the log ends now: a place to count from. What a test has seen the effect of is before it: a write that was received is
    waited for, as it is seen a moment before the log says that it is done."""
    deadline = time.monotonic() + SEEN_BEFORE_LOGGED
    while time.monotonic() < deadline:
        with log.open("rb") as lines:
            lines.seek(max(0, log.stat().st_size - _TAIL))
            events = [json.loads(line) for line in lines.read().split(b"\n")[1:-1] if line]
        begun = {e["auditID"] for e in events if e["stage"] == "RequestReceived"}
        if begun <= {e["auditID"] for e in events if e["stage"] == "ResponseComplete"}:
            break
        time.sleep(0.01)
    return log.stat().st_size


def entries(log: Path, *, since: int = 0, user: str | None = None) -> list[dict[str, Any]]:
    """What was asked of an API server since then, by a user or by all, and how it ended.

    Waits for the end of writes that had been received: their effect is seen before the log says that they are done.
    """
    begun: set[str] | None = None
    deadline = time.monotonic() + ENDS_WITHIN
    while True:
        events = [e for e in _lines(log, since) if user is None or _who(e) == user]
        ended = [e for e in events if e["stage"] == "ResponseComplete"]
        if begun is None:
            begun = {e["auditID"] for e in events if e["stage"] == "RequestReceived"}
        if begun <= {e["auditID"] for e in ended} or time.monotonic() > deadline:
            return ended
        time.sleep(0.02)


def watched(log: Path, user: str, *, since: int = 0) -> set[str]:
    """The resources of which a user's watch was begun since then."""
    begun = (e for e in _lines(log, since) if e["stage"] == "ResponseStarted" and e["verb"] == "watch")
    return {e["objectRef"]["resource"] for e in begun if _who(e) == user}


def refused_by_the_fence(log: Path, *, since: int = 0) -> list[dict[str, Any]]:
    """Requests of the control plane, KServe and Domicile that a policy of the fence refused. Not those of tests that attack it, and
    not its probes: these have to be refused. Nor pods that follow from what an intruder wrote in their namespace, or from its deletion,
    in which the grants go too; nor what an API server that was just started refuses (docs/fence.md); nor what is refused because it has
    not heard yet of what was written a moment before: that is sent again."""
    found = entries(log, since=since)
    disturbed = {namespace_of(e) for e in found if _who(e) == INTRUDER and e["verb"] in WRITES}
    disturbed |= {e["objectRef"]["name"] for e in found if e["verb"] == "delete" and _resource(e) == "namespaces"}

    def in_the_way(entry: dict[str, Any]) -> bool:
        said = entry.get("responseStatus", {}).get("message", "")
        to_be_refused = (
            _who(entry) == INTRUDER
            or "fence-probe-" in said
            or _NOT_KNOWN_YET in said
            or any(f"'{policy}'" in said for policy in (fence.TERMS, fence.REMOVALS))
            or ("'grants.fence" in said and namespace_of(entry) in disturbed)
        )
        lawful = entry["user"].get("username", "").startswith("system:")
        return "fence.domicile.dev'" in said and lawful and not to_be_refused

    return [entry for entry in found if in_the_way(entry)]


def namespace_of(entry: dict[str, Any]) -> str:
    """The namespace that it is about; empty if none."""
    return entry.get("objectRef", {}).get("namespace", "")


def _resource(entry: dict[str, Any]) -> str:
    return entry.get("objectRef", {}).get("resource", "")


def _who(event: dict[str, Any]) -> str:
    return INTRUDER if event.get("userAgent") == INTRUDER else event["user"].get("username", "")


def _lines(log: Path, since: int) -> Iterator[dict[str, Any]]:
    """A line that is being written is left out."""
    with log.open("rb") as lines:
        lines.seek(since)
        return (json.loads(line) for line in lines.read().split(b"\n")[:-1] if line)


def writes(log: Path, *, since: int = 0, user: str = OPERATOR) -> list[Write]:
    """What a user wrote since then, or tried to; dry runs are no writes."""
    found = (
        e for e in entries(log, since=since, user=user) if e["verb"] in WRITES and "dryRun=All" not in e["requestURI"]
    )
    return [_write(event) for event in found]


def accepted(found: Iterable[Write], *resources: str) -> list[Write]:
    """Those that were accepted, of these resources; of all but those of SERVICE_RESOURCES if none is named."""
    wanted = [w for w in found if w.code < 300]
    if resources:
        return [w for w in wanted if w.resource in resources]
    return [w for w in wanted if w.resource.split("/")[0] not in SERVICE_RESOURCES]


def placing(found: Iterable[Write]) -> list[Write]:
    """Those that could be part of placing a workload on the cluster: anything but taking away, of whatever kind."""
    return [w for w in accepted(found) if w.verb not in ("delete", "deletecollection")]


def _write(event: dict[str, Any]) -> Write:
    ref = event.get("objectRef", {})
    resource = ref.get("resource", "") + (f"/{ref['subresource']}" if "subresource" in ref else "")
    body = event.get("requestObject")
    return Write(
        at=datetime.fromisoformat(event["requestReceivedTimestamp"].replace("Z", "+00:00")),
        user=_who(event),
        verb=event["verb"],
        resource=resource,
        namespace=ref.get("namespace", ""),
        name=ref.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        body=body if isinstance(body, dict) else {},
    )
