"""Counting what was written, from the API servers' own audit logs."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

OPERATOR = "system:serviceaccount:domicile-system:domicile"
"""The operator's name, on the hub as on members."""
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
SERVICE_RESOURCES = frozenset({"leases", "events"})


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
    """Where the log ends now: a place to count from."""
    return log.stat().st_size


def writes(log: Path, *, since: int = 0, user: str = OPERATOR) -> list[Write]:
    """What a user wrote since then. A line that is being written is left out."""
    with log.open("rb") as lines:
        lines.seek(since)
        events = (json.loads(line) for line in lines.read().split(b"\n")[:-1] if line)
        return [_write(event) for event in events if event["verb"] in WRITES and event["user"]["username"] == user]


def accepted(found: Iterable[Write], *resources: str) -> list[Write]:
    """Those that were accepted, of these resources; of all but leases and events if none is named."""
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
        user=event["user"]["username"],
        verb=event["verb"],
        resource=resource,
        namespace=ref.get("namespace", ""),
        name=ref.get("name", ""),
        code=event.get("responseStatus", {}).get("code", 0),
        body=body if isinstance(body, dict) else {},
    )
