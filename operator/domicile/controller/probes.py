"""/healthz and /readyz for the kubelet: alive, and leading or waiting to lead."""

from collections.abc import Callable

from aiohttp import web


async def serve(host: str, port: int, ready: Callable[[], bool]) -> web.AppRunner:
    """Serve the probes until the runner is cleaned up. A process that waits for the lease is healthy and not ready."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if ready():
            return web.Response(text="leading\n")
        return web.Response(status=503, text="waiting for the lease, or for the first look at the hub\n")

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
