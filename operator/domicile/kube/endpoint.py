"""An endpoint: where an API server is, how TLS vouches for it, and who we are there."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from domicile.kube.certificates import Validity, check_any
from domicile.kube.errors import KubeconfigInvalid

TokenSource = Callable[[], Awaitable[str | None]]
"""Gives the value of the Authorization header for a request, None without one."""


@dataclass(frozen=True)
class Endpoint:
    """One API server and our identity there. Its repr shows no credentials."""

    server: str
    """https URL without a trailing slash."""
    tls: ssl.SSLContext | None = field(repr=False)
    """None for plain HTTP, which only tests make."""
    authorization: TokenSource = field(repr=False)
    server_name: str | None = None
    """Name that the server's certificate must have, where it is not the address."""
    authorities: tuple[Validity, ...] = ()
    identity: tuple[Validity, ...] = ()

    def check_validity(self, now: datetime) -> None:
        """Raise CertificateExpired if a certificate in it has ended: a server would say much less."""
        if self.identity:
            self.identity[0].check(self.server, now)
        check_any(self.authorities, self.server, now)


async def anonymous() -> str | None:
    """No Authorization header: a client certificate says who we are."""
    return None


class FixedToken:
    """A bearer token that does not change."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    async def __call__(self) -> str | None:
        return self._value


class TokenFile:
    """A bearer token in a file that somebody else renews, as the kubelet does for a ServiceAccount."""

    def __init__(self, path: Path, every_seconds: float = 30.0) -> None:
        self._path, self._every = path, every_seconds
        self._value: str | None = None
        self._read_at = 0.0
        # Not the loop's: its few threads may all be taken, and the hub's lease waits for this.
        self._thread = ThreadPoolExecutor(1, "token")

    async def __call__(self) -> str | None:
        if self._value is None or time.monotonic() - self._read_at > self._every:
            token = await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
            self._value = f"Bearer {token}"
            self._read_at = time.monotonic()
        return self._value

    def _read(self) -> str:
        try:
            token = self._path.read_text().strip()
        except OSError as error:
            raise KubeconfigInvalid(f"the token file {self._path} cannot be read: {error}") from error
        if not token:
            raise KubeconfigInvalid(f"the token file {self._path} is empty")
        return token
