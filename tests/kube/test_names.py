"""A name that cannot be looked up delays whoever asks for it, and nobody else."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from domicile import kube
from domicile.kube.endpoint import FixedToken, TokenFile, anonymous
from domicile.kube.names import Resolver
from fake_api_server import serving
from waiting import eventually

THING = kube.Resource("things.example", "v1", "things", namespaced=True)
MANY = 70
"""More than the loop's own executor has threads, on whatever machine."""


class Names:
    """The system's resolver, which hangs on names of dead.example until it is let go."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self.asked: list[str] = []
        self.hang = threading.Event()
        self._real = real

    def __call__(self, host: Any, *more: Any, **named: Any) -> Any:
        if str(host).endswith("dead.example"):
            self.asked.append(str(host))
            self.hang.wait(20)
            raise socket.gaierror(-3, "Temporary failure in name resolution")
        return self._real(host, *more, **named)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    hanging = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    yield hanging
    hanging.hang.set()


def client_of(url: str, **limits: float) -> kube.KubeClient:
    return kube.KubeClient(kube.Endpoint(url, None, anonymous), kube.Limits(**limits))  # pyright: ignore[reportArgumentType]


async def test_names_that_hang_delay_neither_another_name_nor_the_token(names: Names, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one")
    dead = [client_of(f"http://m{n}.dead.example", connect=15) for n in range(MANY)]
    asking = [asyncio.create_task(client.get(THING, "it", "ns")) for client in dead]
    await asyncio.sleep(0.2)

    async def answer(_: Any) -> Any:
        from aiohttp import web

        return web.json_response({"metadata": {}})

    async with serving(answer) as url, asyncio.timeout(5):
        assert await TokenFile(tmp_path / "token")() == "Bearer one"
        well = client_of(url.replace("127.0.0.1", "localhost"))
        assert await well.get(THING, "it", "ns")
        await well.close()
    names.hang.set()
    for outcome in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(outcome, kube.Unreachable)
    for client in dead:
        await client.close()


async def test_a_name_is_looked_up_once_at_a_time_however_often_it_is_connected_to_anew(names: Names) -> None:
    for _ in range(3):
        client = client_of("http://sg.dead.example", connect=0.1)
        with pytest.raises(kube.Unreachable):
            await client.get(THING, "it", "ns")
        await client.close()
    assert names.asked == ["sg.dead.example"]
    names.hang.set()
    await eventually(lambda: not Resolver._asked)
    client = client_of("http://sg.dead.example", connect=5)
    with pytest.raises(kube.Unreachable, match="name resolution"):
        await client.get(THING, "it", "ns")
    await client.close()
    assert len(names.asked) == 2


async def test_a_credential_that_does_not_come_is_not_waited_for_longer_than_an_answer() -> None:
    async def never() -> str | None:
        await asyncio.sleep(30)
        return None

    client = kube.KubeClient(kube.Endpoint("http://127.0.0.1:1", None, never))
    async with asyncio.timeout(5):
        with pytest.raises(kube.Unreachable, match=r"our own credential was not to be had within 0\.1 s"):
            await client.get(THING, "it", "ns", within=0.1)


async def test_what_the_credential_took_is_missing_for_the_answer() -> None:
    async def slow() -> str | None:
        await asyncio.sleep(0.3)
        return await FixedToken("t")()

    async def hangs(_: Any) -> Any:
        await asyncio.sleep(30)

    async with serving(hangs) as url:
        client = kube.KubeClient(kube.Endpoint(url, None, slow))
        loop = asyncio.get_running_loop()
        begun = loop.time()
        with pytest.raises(kube.Unreachable):
            await client.get(THING, "it", "ns", within=0.5)
        assert loop.time() - begun < 0.75
        await client.close()
