"""The port to one API server: what a client offers, so that a simulated one can stand in its place."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from domicile.kube.resources import Resource

Object = Mapping[str, Any]
"""A Kubernetes object as its JSON says it."""

Propagation = Literal["Foreground", "Background", "Orphan"]

Clock = Callable[[], datetime]
"""The time of day, with a zone; injected."""


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """A moment in UTC as metav1.Time has it: to the second, with Z for the zone."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def only_as(resource_version: str) -> Object:
    """An operation of a JSON patch, to go first: with the object at another version by then, the patch is a Conflict. Replaced by what
    it is, the resourceVersion is compared by the API server."""
    return {"op": "replace", "path": "/metadata/resourceVersion", "value": resource_version}


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    items: tuple[Object, ...]
    resource_version: str
    """The moment of the list; a watch may begin there."""


@dataclass(frozen=True)
class WatchEvent:
    """One line of a watch. ERROR lines are raised instead."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Object


class Api(Protocol):
    """One API server. Every method raises domicile.kube.errors and nothing else, cancellation apart."""

    @property
    def server(self) -> str:
        """Address, for messages."""
        ...

    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        any_version: bool = False,
        within: float | None = None,
    ) -> Object:
        """One object, as it is now. `any_version` lets the server answer from its cache, which may lag. `within` is how many
        seconds it may take."""
        ...

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Page:
        """All objects, as they are now, read page by page and returned as one."""
        ...

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncIterator[Page]:
        """All objects, as they are now, page by page. Gone if that took so long that its moment was compacted away."""
        ...

    def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        timeout_seconds: int,
    ) -> AbstractAsyncContextManager[AsyncIterator[WatchEvent]]:
        """What changed since `resource_version`, with bookmarks. Entered once the server has accepted the watch; the
        iterator ends when the server ends it."""
        ...

    async def create(
        self, resource: Resource, manifest: Object, namespace: str | None = None, *, field_manager: str
    ) -> Object:
        """Create the object, in its own namespace unless another is given; Conflict if it is there already."""
        ...

    async def apply(
        self,
        resource: Resource,
        manifest: Object,
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
    ) -> Object:
        """Server-side apply. A `metadata.uid` in the manifest is a precondition: Conflict, or for an object of another UID
        Invalid."""
        ...

    async def apply_status(
        self, resource: Resource, manifest: Object, *, field_manager: str, force: bool = False
    ) -> Object:
        """Server-side apply of the status."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        change: Object,
        namespace: str | None = None,
        *,
        field_manager: str,
        subresource: str | None = None,
    ) -> Object:
        """JSON merge patch."""
        ...

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        operations: Sequence[Object],
        namespace: str | None = None,
        *,
        field_manager: str,
        subresource: str | None = None,
    ) -> Object:
        """JSON patch (RFC 6902)."""
        ...

    async def patch_status(
        self, resource: Resource, name: str, change: Object, namespace: str | None = None, *, field_manager: str
    ) -> Object:
        """JSON merge patch of the status."""
        ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        propagation: Propagation = "Background",
    ) -> None:
        """Delete the object; with `uid`, only if it is still that one (else Conflict)."""
        ...

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        within: float | None = None,
    ) -> Any:
        """Any other request, such as GET /version: the JSON of the answer."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...
