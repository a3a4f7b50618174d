"""A fake API server over real HTTP, for faults that a real one does not show on demand. It knows one kind, ConfigMap, and is no
proof of how Kubernetes behaves: tests/fleet has the real ones."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from domicile import kube
from domicile.kube.endpoint import anonymous

PATH = "/api/v1/configmaps"


class FakeApiServer:
    """Serves lists and watches of ConfigMaps. `watch_faults` and `list_faults` are taken one a request."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.version = 100
        self.lists: list[dict[str, str]] = []
        self.watches: list[dict[str, str]] = []
        self.list_faults: deque[str] = deque()
        self.watch_faults: deque[str] = deque()
        self._streams: list[asyncio.Queue[bytes | None]] = []
        self._log: list[tuple[int, dict[str, Any]]] = []
        self.url = ""

    def put(self, name: str, **data: str) -> None:
        """Create or change an object."""
        self.version += 1
        kind = "MODIFIED" if name in self.objects else "ADDED"
        metadata = {"name": name, "namespace": "ns", "resourceVersion": str(self.version)}
        self.objects[name] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        self._tell(kind, self.objects[name])

    def remove(self, name: str) -> None:
        self.version += 1
        gone = self.objects.pop(name)
        self._tell("DELETED", {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}})

    def bookmark(self) -> None:
        self.version += 1
        self.say({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}})

    def say(self, line: dict[str, Any] | bytes | None) -> None:
        """Send a line to every watch; None ends them as the server does."""
        for stream in self._streams:
            stream.put_nowait(json.dumps(line).encode() + b"\n" if isinstance(line, dict) else line)

    def in_silence(self, change: Callable[[], None]) -> None:
        """Change without telling: as events that were compacted away."""
        streams, self._streams = self._streams, []
        change()
        self._streams = streams
        self._log.clear()

    def client(self, **limits: float) -> kube.KubeClient:
        endpoint = kube.Endpoint(server=self.url, tls=None, authorization=anonymous)
        return kube.KubeClient(endpoint, kube.Limits(**limits))  # pyright: ignore[reportArgumentType]

    def _tell(self, kind: str, manifest: dict[str, Any]) -> None:
        event = {"type": kind, "object": manifest}
        self._log.append((self.version, event))
        self.say(event)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        if query.get("watch"):
            self.watches.append(query)
            return await self._watch(request, query, self.watch_faults.popleft() if self.watch_faults else "")
        self.lists.append(query)
        return await self._list(query, self.list_faults.popleft() if self.list_faults else "")

    async def _list(self, query: dict[str, str], fault: str) -> web.Response:
        if fault:
            return await _fault(fault)
        names, size = sorted(self.objects), int(query.get("limit", "500"))
        start = int(query.get("continue") or 0)
        more = {"continue": str(start + size)} if start + size < len(names) else {}
        items = [self.objects[name] for name in names[start : start + size]]
        return web.json_response({"items": items, "metadata": {"resourceVersion": str(self.version), **more}})

    async def _watch(self, request: web.Request, query: dict[str, str], fault: str) -> web.StreamResponse:
        if fault in ("gone", "broken", "forbidden", "ahead"):
            return await _fault(fault)
        response = web.StreamResponse()
        await response.prepare(request)
        if fault == "hang":
            await asyncio.sleep(60)
        stream: asyncio.Queue[bytes | None] = asyncio.Queue()
        for version, event in self._log:
            if version > int(query["resourceVersion"]):
                stream.put_nowait(json.dumps(event).encode() + b"\n")
        self._streams.append(stream)
        try:
            while True:
                line = await stream.get()
                if line is None:
                    return response
                if fault == "drop" and request.transport is not None:
                    request.transport.abort()
                    return response
                half = len(line) // 2 if fault == "slow" else len(line)
                await response.write(line[:half])
                if fault == "slow":
                    await asyncio.sleep(0.05)
                    await response.write(line[half:])
        finally:
            self._streams.remove(stream)


async def _fault(fault: str) -> web.Response:
    status = {"gone": 410, "broken": 500, "forbidden": 403, "ahead": 504}[fault]
    details = {"causes": [{"reason": "ResourceVersionTooLarge"}]} if fault == "ahead" else {}
    return web.json_response(
        {"kind": "Status", "code": status, "reason": fault, "message": f"a planted {fault}", "details": details},
        status=status,
    )


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Any], tls: Any = None) -> AsyncIterator[str]:
    """Serve every path by one handler; gives the URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    _, port = runner.addresses[0][:2]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(runner.cleanup(), 5)


@asynccontextmanager
async def fake_api_server() -> AsyncIterator[FakeApiServer]:
    server = FakeApiServer()
    async with serving(server.answer) as url:
        server.url = url
        yield server
