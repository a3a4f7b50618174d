"""HTTP to one API server over aiohttp: sockets that notice a dead peer, time-outs, size limits, and errors by name."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from domicile.kube import errors, sessions
from domicile.kube.api import Clock
from domicile.kube.endpoint import Endpoint
from domicile.kube.secrecy import Credentials

JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Limits:
    """How long to wait, in seconds, and how much to read, in bytes."""

    connect: float = 5.0
    request: float = 15.0
    """From the first byte sent to the last one read."""
    silence: float = 120.0
    """How long a watch may say nothing. The server sends a bookmark about every minute."""
    answer: int = 32 * 1024 * 1024
    """Of one page of a list."""
    object: int = 4 * 1024 * 1024
    """Of one object. etcd takes 1.5 MiB, and some are stored in fewer bytes than their JSON has."""
    small: int = 1024 * 1024
    """Of what is no object of a kind, such as GET /version."""
    pages: int = 256 * 1024 * 1024
    """Of all pages of a list together, which whoever asks for them trims one by one: 5000 nodes may have 150 MiB."""
    list: int = 64 * 1024 * 1024
    """Of a list that is kept whole."""
    items: int = 100_000
    """Objects of a list. A page without any counts as one."""
    connections: int = 64
    """Of one client at a time; each watch holds one."""


class Transport:
    """Requests to one endpoint. It follows no redirect, takes no proxy from the environment and keeps no cookie."""

    def __init__(self, endpoint: Endpoint, limits: Limits, clock: Clock) -> None:
        self.endpoint, self.limits = endpoint, limits
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._credentials = Credentials()

    async def send(self, method: str, path: str, *, at_most: int | None = None, **request: Any) -> Any:
        """The JSON of the answer, None if it is empty. `at_most` bytes are read of it; `request` is as `measured` takes it."""
        answer, _ = await self.measured(method, path, at_most=at_most or self.limits.object, **request)
        return answer

    async def measured(
        self,
        method: str,
        path: str,
        *,
        at_most: int,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        media_type: str = JSON_TYPE,
        within: float | None = None,
    ) -> tuple[Any, int]:
        """The JSON of the answer, None if it is empty, and how many bytes it has."""
        what = f"{method} {path}"
        total = within or self.limits.request
        limit = aiohttp.ClientTimeout(total=total, connect=self.limits.connect, sock_connect=self.limits.connect)
        async with self._answer(method, path, query, body, media_type, limit) as response:
            content = await self._content(response, what, at_most)
            status = response.status
        if status >= 300:
            raise self.refusal(status, _json_or_none(content), what)
        return (_strict(content, what, self.endpoint.server) if content.strip() else None), len(content)

    @asynccontextmanager
    async def lines(self, path: str, query: Mapping[str, str]) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The lines of an answer that goes on, entered once the server has said 200."""
        what = f"WATCH {path}"
        limit = aiohttp.ClientTimeout(
            total=None,
            connect=self.limits.connect,
            sock_connect=self.limits.connect,
            sock_read=self.limits.silence,
        )
        async with self._answer("GET", path, query, None, JSON_TYPE, limit) as response:
            if response.status >= 300:
                content = await self._content(response, what, self.limits.small)
                raise self.refusal(response.status, _json_or_none(content), what)
            try:
                yield self._split(response, what)
            finally:
                _abort(response)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)  # Sockets of aborted connections are closed by the loop's next turn.

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: bytes | None,
        media_type: str,
        limit: aiohttp.ClientTimeout,
    ) -> AsyncGenerator[aiohttp.ClientResponse]:
        server, what = self.endpoint.server, f"{method} {path}"
        authorization, limit = await self._authorization(what, limit)
        headers = {"Accept": JSON_TYPE}
        if authorization is not None:
            headers["Authorization"] = authorization
            self._credentials.remember(authorization)
        if body is not None:
            headers["Content-Type"] = media_type
        url = URL(server + path, encoded=True)
        try:
            async with self._opened().request(
                method,
                url.update_query(query) if query else url,
                data=body,
                headers=headers,
                timeout=limit,
                allow_redirects=False,
                server_hostname=self.endpoint.server_name,
            ) as response:
                yield response
        except (ssl.SSLCertVerificationError, aiohttp.ClientConnectorCertificateError) as error:
            raise errors.CertificateInvalid(
                f"TLS does not vouch for {server}: {_certificate_problem(error)}"
            ) from error
        except (ssl.SSLError, aiohttp.ClientSSLError) as error:
            self.endpoint.check_validity(self._clock())
            raise errors.CertificateInvalid(f"no TLS connection to {server}: {error}") from error
        except TimeoutError as error:
            raise errors.Unreachable(server, what, _patience(limit, error)) from error
        except OSError as error:
            raise errors.Unreachable(server, what, str(error) or type(error).__name__) from error
        except aiohttp.ClientError as error:
            # Its text quotes the answer, which may quote the request's headers.
            why = "the connection was closed, or what answers is no HTTP"
            raise errors.Unreachable(server, what, f"{why} ({type(error).__name__})") from None

    async def _authorization(self, what: str, limit: aiohttp.ClientTimeout) -> tuple[str | None, aiohttp.ClientTimeout]:
        """The credential, and what is left of the time for the rest."""
        patience = min(self.limits.connect, limit.total or self.limits.connect)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(patience):
                authorization = await self.endpoint.authorization()
        except TimeoutError as error:
            why = f"our own credential was not to be had within {patience:g} s"
            raise errors.Unreachable(self.endpoint.server, what, why) from error
        total = max(0.001, limit.total - (loop.time() - begun)) if limit.total else None
        left = aiohttp.ClientTimeout(total, limit.connect, limit.sock_read, limit.sock_connect)
        return authorization, left

    def refusal(self, status: int, answer: Any, what: str) -> errors.ApiError:
        """The error that an answer of failure says; 200 for an event of a watch."""
        if status == 401:
            # To the server an expired client certificate is as good as none; its date tells the reader more.
            self.endpoint.check_validity(self._clock())
        return errors.from_status(status, self._credentials.status(answer), f"{what} at {self.endpoint.server}")

    async def _content(self, response: aiohttp.ClientResponse, what: str, at_most: int) -> bytes:
        content, limit = bytearray(), min(at_most, self.limits.answer)
        async for chunk in response.content.iter_any():
            content += chunk
            if len(content) > limit:
                raise errors.AnswerTooLarge(f"{what} at {self.endpoint.server} answers with more than {limit} bytes")
        return bytes(content)

    async def _split(self, response: aiohttp.ClientResponse, what: str) -> AsyncIterator[bytes]:
        pending = bytearray()
        async for chunk in response.content.iter_any():
            searched = len(pending)
            pending += chunk
            while (end := pending.find(b"\n", searched)) >= 0:
                line = bytes(pending[:end])
                del pending[: end + 1]
                searched = 0
                if line.strip():
                    yield line
            if len(pending) > self.limits.object:
                raise errors.AnswerTooLarge(
                    f"{what} at {self.endpoint.server} has a line of more than {self.limits.object} bytes"
                )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:  # Made late: a session belongs to the loop that is running.
            self._session = sessions.session(self.endpoint, self.limits.connections)
        return self._session


def _abort(response: aiohttp.ClientResponse) -> None:
    """Close the connection now: a polite end of TLS waits up to 30 s for a peer that hangs."""
    connection = response.connection  # None once the answer has ended by itself.
    if connection is not None and connection.transport is not None:
        connection.transport.abort()


def _strict(content: bytes, what: str, server: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        # Neither quoted nor chained: it may quote the request's headers.
        raise errors.MalformedAnswer(f"{what} at {server} answers with {len(content)} bytes that are no JSON") from None


def _json_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _certificate_problem(error: BaseException) -> str:
    inner: object = getattr(error, "certificate_error", error)
    message = getattr(inner, "verify_message", "") or str(inner)
    return f"{message}. Compare certificate-authority-data and server in the kubeconfig"


def _patience(limit: aiohttp.ClientTimeout, error: TimeoutError) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return f"no connection within {limit.sock_connect:g} s"
    seconds = limit.total or limit.sock_read
    return f"no answer within {seconds:.3g} s" if seconds else "no answer"
