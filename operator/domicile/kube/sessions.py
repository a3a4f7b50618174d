"""aiohttp sessions with one API server: our own TLS, sockets that notice a dead peer, no proxy, no cookies."""

import socket
from asyncio import sslproto
from typing import Any, Final

import aiohttp
from yarl import URL

from domicile.kube.endpoint import Endpoint
from domicile.kube.names import Resolver

_TLS_BUFFER: Final = 32 * 1024


def session(endpoint: Endpoint, connections: int, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
    """With at most so many connections at a time; 0 for no limit. Without credentials: each request brings them."""
    _small_tls_buffers()
    connector = aiohttp.TCPConnector(
        ssl=endpoint.tls if endpoint.tls is not None else False,
        limit=connections,
        ttl_dns_cache=10,
        keepalive_timeout=30,
        resolver=Resolver(),
        socket_factory=_socket,
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "domicile"},
        raise_for_status=False,
        middlewares=middlewares,
    )


def authorized_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """For a library that makes its own requests: each gets the credential as it is at that time, if it is to that server."""
    origin = URL(endpoint.server).origin()

    async def authorize(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if request.url.origin() == origin:
            request.server_hostname = endpoint.server_name
            authorization = await endpoint.authorization()
            if authorization is not None:
                request.headers["Authorization"] = authorization
        return await send(request)

    return session(endpoint, 0, authorize)


def _small_tls_buffers() -> None:
    """asyncio zeroes 256 KiB for each TLS connection of the process, and a member has ten: 3.5 MB a member instead of 0.9.

    A TLS record is 16 KiB at most, so 32 do for any stream. There is no public setting; without the attribute it is as before.
    """
    if getattr(sslproto.SSLProtocol, "max_size", 0) > _TLS_BUFFER:
        sslproto.SSLProtocol.max_size = _TLS_BUFFER


def _socket(address: Any) -> socket.socket:
    """A socket that finds a vanished peer by itself within about 20 s, where the system can."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # macOS lacks some of these.
    for option, value in (
        ("TCP_KEEPIDLE", 10),
        ("TCP_KEEPINTVL", 4),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 20_000),
    ):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
