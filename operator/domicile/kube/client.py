"""A client of one API server: get, list, watch, create, apply, patch, delete, by Resource."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, cast

from domicile.kube import errors, shape
from domicile.kube.api import Clock, Object, Page, Propagation, WatchEvent, system_clock
from domicile.kube.endpoint import Endpoint
from domicile.kube.resources import Resource
from domicile.kube.transport import JSON_TYPE, Limits, Transport

_PAGE: Final = 250
"""Objects a page, as long as none of the pages is too large."""
_APPLY_TYPE: Final = "application/apply-patch+yaml"
_MERGE_TYPE: Final = "application/merge-patch+json"
_JSON_PATCH_TYPE: Final = "application/json-patch+json"
_NOTHING: Final[Mapping[str, str]] = {}
_EVENT_TYPES: Final = frozenset({"ADDED", "MODIFIED", "DELETED", "BOOKMARK"})


class KubeClient:
    """kube.Api over HTTP. It has its own connections and shares nothing with other clients of the process."""

    def __init__(self, endpoint: Endpoint, limits: Limits | None = None, clock: Clock = system_clock) -> None:
        self.endpoint = endpoint
        self._transport = Transport(endpoint, limits or Limits(), clock)

    @property
    def server(self) -> str:
        """Address, for messages."""
        return self.endpoint.server

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
        query = {"resourceVersion": "0"} if any_version else None
        return await self._object("GET", resource.path(name, namespace), query=query, within=within)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Page:
        """All objects, as they are now, read page by page and returned as one."""
        items: list[Object] = []
        version = ""
        selected = _selectors(label_selector, field_selector)
        async for page in self._pages(resource, namespace, selected, self._transport.limits.list):
            items += page.items
            version = page.resource_version
        return Page(tuple(items), version)

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncGenerator[Page]:
        """All objects, as they are now, page by page. Gone if that took so long that its moment was compacted away."""
        selected = _selectors(label_selector, field_selector)
        async for page in self._pages(resource, namespace, selected, self._transport.limits.pages):
            yield page

    async def _pages(
        self, resource: Resource, namespace: str | None, selected: Mapping[str, str], at_most: int
    ) -> AsyncGenerator[Page]:
        """Bounded in bytes, objects and requests: the server may be anything, and may never come to an end."""
        path = resource.collection(namespace)
        what = f"GET {path} at {self.server}"
        # No resourceVersion: the most recent state, and not what some server's cache happens to hold.
        query, size, asked = {**selected}, _PAGE, set[str]()
        bytes_left, items_left = at_most, self._transport.limits.items
        while True:
            answer, length, size = await self._page_of(path, query, size)
            page, more = _page(answer, resource, what)
            bytes_left -= length
            items_left -= max(1, len(page.items))
            if min(bytes_left, items_left) < 0:
                bound = f"{at_most} bytes or {self._transport.limits.items} objects"
                raise errors.AnswerTooLarge(f"{what} lists more than {bound}")
            yield page
            if not more:
                return
            if more in asked:
                raise errors.MalformedAnswer(f"{what} continues where it has been already: the list has no end")
            asked.add(more)
            query["continue"] = more

    async def _page_of(self, path: str, query: Mapping[str, str], size: int) -> tuple[Object, int, int]:
        """A page, how many bytes it has, and how many objects it may have without being too large."""
        while True:
            try:
                answer, length = await self._transport.measured(
                    "GET", path, query={**query, "limit": str(size)}, at_most=self._transport.limits.answer
                )
            except errors.AnswerTooLarge:
                if size == 1:
                    raise
                size //= 2
            else:
                return self._checked(answer, "GET", path), length, size

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
        query = {
            **_selectors(label_selector, None),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        }
        return self._watch(resource.collection(namespace), query)

    @asynccontextmanager
    async def _watch(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[AsyncIterator[WatchEvent]]:
        async with self._transport.lines(path, query) as lines:

            async def events() -> AsyncIterator[WatchEvent]:
                async for line in lines:
                    yield self._event(line, f"WATCH {path}")

            yield events()

    def _event(self, line: bytes, what: str) -> WatchEvent:
        try:
            event = json.loads(line)
            kind, manifest = event["type"], event["object"]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise errors.MalformedAnswer(f"{what} at {self.server} says a line that is no event") from None
        if kind == "ERROR":
            raise self._transport.refusal(200, manifest, what)
        # By `isinstance` first: a list cannot be looked for in a set.
        if not isinstance(kind, str) or kind not in _EVENT_TYPES or not isinstance(manifest, dict):
            raise errors.MalformedAnswer(f"{what} at {self.server} says an event of no known type, or of no object")
        return WatchEvent(cast(Any, kind), cast(Object, manifest))

    async def create(
        self, resource: Resource, manifest: Object, namespace: str | None = None, *, field_manager: str
    ) -> Object:
        """Create the object, in its own namespace unless another is given; Conflict if it is there already."""
        path = resource.collection(namespace or _namespace(resource, manifest))
        return await self._write("POST", path, manifest, JSON_TYPE, field_manager)

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
        path = _own_path(resource, manifest, subresource)
        return await self._write(
            "PATCH", path, manifest, _APPLY_TYPE, field_manager, {"force": "true"} if force else {}
        )

    async def apply_status(
        self, resource: Resource, manifest: Object, *, field_manager: str, force: bool = False
    ) -> Object:
        """Server-side apply of the status."""
        return await self.apply(resource, manifest, field_manager=field_manager, force=force, subresource="status")

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
        return await self._write(
            "PATCH", resource.path(name, namespace, subresource), change, _MERGE_TYPE, field_manager
        )

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
        path = resource.path(name, namespace, subresource)
        return await self._write("PATCH", path, operations, _JSON_PATCH_TYPE, field_manager)

    async def patch_status(
        self, resource: Resource, name: str, change: Object, namespace: str | None = None, *, field_manager: str
    ) -> Object:
        """JSON merge patch of the status."""
        return await self.patch(resource, name, change, namespace, field_manager=field_manager, subresource="status")

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
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        await self._transport.send("DELETE", resource.path(name, namespace), body=json.dumps(options).encode())

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
        content = json.dumps(body).encode() if body is not None else None
        small = self._transport.limits.small
        return await self._transport.send(method, path, query=query, body=content, within=within, at_most=small)

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def _write(
        self,
        method: str,
        path: str,
        content: Object | Sequence[Object],
        media_type: str,
        field_manager: str,
        more: Mapping[str, str] = _NOTHING,
    ) -> Object:
        # Strict: a misspelt field is an error, and not a setting that silently has no effect.
        query = {"fieldManager": field_manager, "fieldValidation": "Strict", **more}
        body = json.dumps(content, separators=(",", ":")).encode()
        return await self._object(method, path, query=query, body=body, media_type=media_type)

    async def _object(self, method: str, path: str, **more: Any) -> Object:
        return self._checked(await self._transport.send(method, path, **more), method, path)

    def _checked(self, answer: Any, method: str, path: str) -> Object:
        if not isinstance(answer, dict):
            raise errors.MalformedAnswer(f"{method} {path} at {self.server} answers with no object")
        return cast(Object, answer)


def _namespace(resource: Resource, manifest: Object) -> str | None:
    return shape.text(shape.metadata(manifest).get("namespace")) if resource.namespaced else None


def _own_path(resource: Resource, manifest: Object, subresource: str | None = None) -> str:
    return resource.path(manifest["metadata"]["name"], _namespace(resource, manifest), subresource)


def _selectors(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    given = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {key: value for key, value in given.items() if value}


def _page(answer: Object, resource: Resource, what: str) -> tuple[Page, str]:
    described = answer.get("metadata")
    # A Go server writes an empty list as null in places.
    if not isinstance(answer.get("items") or [], list) or not isinstance(described, dict):
        raise errors.MalformedAnswer(f"{what} answers with no list of {resource.plural}")
    version, more = (shape.text(shape.metadata(answer).get(key)) for key in ("resourceVersion", "continue"))
    return Page(shape.mappings(answer.get("items")), version), more
