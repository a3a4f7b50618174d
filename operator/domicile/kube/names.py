"""Names to addresses, in threads of their own: a lookup that hangs must take no thread from anything else."""

import asyncio
import socket
import threading
from concurrent.futures import Future

from aiohttp.abc import AbstractResolver, ResolveResult

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_Address = tuple[int, int, str]
"""Family, protocol, numeric host."""


class Resolver(AbstractResolver):
    """The system's resolver. It takes no time-out, and may well hang for 20 s: the loop's own few threads would all wait for
    the names of dead members, and with them whoever reads the hub's token. Whoever asks for a name that is being looked up
    already, from whatever client, waits for the same answer: there is one thread a name, as long as it takes."""

    _asked: dict[tuple[str, int], "Future[tuple[_Address, ...]]"] = {}  # noqa: RUF012 - of the process
    _lock = threading.Lock()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        # Shielded: whoever gives up must not end the lookup of the others.
        found = await asyncio.shield(asyncio.wrap_future(self._lookup(host, family)))
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=protocol, flags=_NUMERIC)
            for kind, protocol, address in found
        ]

    async def close(self) -> None:
        """Nothing is held."""

    @classmethod
    def _lookup(cls, host: str, family: int) -> "Future[tuple[_Address, ...]]":
        key = (host, family)
        with cls._lock:
            asked = cls._asked.get(key)
            if asked is None:
                asked = cls._asked[key] = Future()
                # A daemon: the end of the process does not wait for it, as it would for an executor's.
                threading.Thread(target=cls._answer, args=(key, asked), name=f"look up {host}", daemon=True).start()
            return asked

    @classmethod
    def _answer(cls, key: tuple[str, int], asked: "Future[tuple[_Address, ...]]") -> None:
        try:
            answer, problem = _addresses(*key), None
        except Exception as error:
            answer, problem = (), error
        with cls._lock:
            del cls._asked[key]
        if problem is None:
            asked.set_result(answer)
        else:
            asked.set_exception(problem)


def _addresses(host: str, family: int) -> tuple[_Address, ...]:
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    # By getnameinfo: a link-local address needs its zone.
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return tuple((kind, protocol, socket.getnameinfo(at, numeric)[0]) for kind, _, protocol, _, at in found)
