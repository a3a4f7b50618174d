"""A reflector keeps a cache in step whatever the server and the network do. The server is a fake one, made for faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

from domicile import kube
from fake_api_server import FakeApiServer, fake_api_server
from waiting import eventually

Seen = list[tuple[str, bool, bool]]


class Following:
    """A reflector that runs, and what it told."""

    def __init__(self, reflector: kube.Reflector, told: list[kube.Change]) -> None:
        self.reflector, self.told = reflector, told

    @property
    def names(self) -> set[str]:
        return {manifest["metadata"]["name"] for manifest in self.reflector}

    def came_and_went(self) -> list[tuple[str, str]]:
        words = {(False, True): "came", (True, True): "changed", (True, False): "went"}
        return [(change.key[1], words[change.old is not None, change.new is not None]) for change in self.told]


@asynccontextmanager
async def following(server: FakeApiServer, silence: float = 30.0, **more: Any) -> AsyncIterator[Following]:
    told: list[kube.Change] = []
    client = server.client(silence=silence)
    reflector = kube.Reflector(client, kube.CONFIG_MAPS, **{"on_change": told.append, "random": Random(1), **more})
    task = asyncio.create_task(reflector.run())
    try:
        await asyncio.wait_for(reflector.synced.wait(), 5)
        await eventually(lambda: server.watches)
        yield Following(reflector, told)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


async def test_it_lists_and_then_follows() -> None:
    async with fake_api_server() as server:
        server.put("a")
        async with following(server) as f:
            server.put("b")
            server.put("a", more="1")
            server.remove("b")
            await eventually(lambda: len(f.told) == 4, show=lambda: f.told)
            assert f.came_and_went() == [("a", "came"), ("b", "came"), ("a", "changed"), ("b", "went")]
            assert f.names == {"a"}
            assert f.reflector.failure is None
            assert len(server.lists) == 1


async def test_a_list_of_many_pages_is_one_list() -> None:
    async with fake_api_server() as server:
        for number in range(600):
            server.put(f"n{number}")
        async with following(server) as f:
            assert len(f.names) == 600
            assert [query.get("continue") for query in server.lists] == [None, "250", "500"]


async def test_a_list_whose_moment_is_gone_half_way_begins_anew() -> None:
    async with fake_api_server() as server:
        for number in range(300):
            server.put(f"n{number}")
        server.list_faults.extend(["", "gone"])
        async with following(server) as f:
            assert len(f.names) == 300


@pytest.mark.parametrize("how", ["refused", "told by an event"])
async def test_after_410_it_lists_again_and_tells_what_went_meanwhile(how: str) -> None:
    async with fake_api_server() as server:
        server.put("stays")
        server.put("goes")
        server.put("changes")
        async with following(server) as f:
            f.told.clear()

            def meanwhile() -> None:
                server.remove("goes")
                server.put("changes", more="1")
                server.put("comes")

            server.in_silence(meanwhile)
            if how == "refused":
                server.watch_faults.append("gone")
                server.say(None)
            else:
                expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
                server.say({"type": "ERROR", "object": expired})
            await eventually(lambda: len(f.told) == 3, show=f.came_and_went)
            assert sorted(f.came_and_went()) == [("changes", "changed"), ("comes", "came"), ("goes", "went")]
            assert f.names == {"stays", "changes", "comes"}
            assert len(server.lists) == 2


async def test_a_version_ahead_of_the_server_makes_it_list_again() -> None:
    """The server's storage was restored from a backup."""
    async with fake_api_server() as server, following(server) as f:
        server.watch_faults.append("ahead")
        server.in_silence(lambda: server.put("restored"))
        server.say(None)
        await eventually(lambda: f.names == {"restored"}, show=lambda: f.names)


async def test_a_dropped_connection_loses_nothing_and_lists_nothing() -> None:
    async with fake_api_server() as server:
        server.watch_faults.append("drop")
        async with following(server) as f:
            server.put("a")  # The watch is cut instead of told.
            await eventually(lambda: f.names == {"a"}, show=lambda: f.names)
            assert len(server.lists) == 1
            assert f.reflector.failure is None


async def test_a_watch_that_falls_silent_is_replaced() -> None:
    async with fake_api_server() as server:
        server.watch_faults.append("hang")
        async with following(server, silence=0.3) as f:
            server.put("a")
            await eventually(lambda: f.names == {"a"}, show=lambda: f.names)
            assert len(server.watches) >= 2


async def test_a_bookmark_moves_the_place_to_go_on_from() -> None:
    async with fake_api_server() as server, following(server) as f:
        server.bookmark()
        server.bookmark()
        server.put("a")
        await eventually(lambda: f.names == {"a"})
        server.bookmark()
        server.say(None)
        await eventually(lambda: len(server.watches) == 2)
        assert server.watches[-1]["resourceVersion"] == str(server.version)
        assert f.came_and_went() == [("a", "came")]


GARBAGE = {
    "no JSON": b"{half a line\n",
    "no event": b"[1, 2]\n",
    "an event of no object": b'{"type": "ADDED", "object": 7}\n',
    "an object without a name": b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": "5"}}}\n',
    "an object without a version": b'{"type": "ADDED", "object": {"metadata": {"name": "x", "namespace": "ns"}}}\n',
    "an unknown type": b'{"type": "SHUFFLED", "object": {"metadata": {"name": "x"}}}\n',
    "very deep": b'{"type": "ADDED", "object": ' + b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("line", GARBAGE.values(), ids=GARBAGE.keys())
async def test_garbage_makes_it_list_again(line: bytes) -> None:
    async with fake_api_server() as server, following(server) as f:
        server.in_silence(lambda: server.put("a"))
        server.say(line)
        await eventually(lambda: f.names == {"a"}, show=lambda: (f.names, f.reflector.failure))
        assert len(server.lists) == 2


async def test_a_line_in_pieces_is_one_event() -> None:
    async with fake_api_server() as server:
        server.watch_faults.append("slow")
        async with following(server) as f:
            server.put("a", text="x" * 200_000)
            await eventually(lambda: f.names == {"a"})
            assert len(server.watches) == 1


async def test_what_a_callback_raises_ends_nothing() -> None:
    def fails(_: kube.Change) -> None:
        raise RuntimeError("planted")

    async with fake_api_server() as server, following(server, on_change=fails) as f:
        server.put("a")
        await eventually(lambda: f.names == {"a"})
        assert f.reflector.failure is None
        server.put("b")
        await eventually(lambda: f.names == {"a", "b"})
        assert (len(server.lists), len(server.watches)) == (1, 1)


async def test_what_trimming_hides_is_no_change() -> None:
    def name_only(manifest: kube.Object) -> kube.Object:
        return {"metadata": {"name": manifest["metadata"]["name"]}}

    async with fake_api_server() as server, following(server, trim=name_only) as f:
        server.put("a")
        server.put("a", heartbeat="1")
        server.put("b")
        await eventually(lambda: f.names == {"a", "b"})
        assert f.came_and_went() == [("a", "came"), ("b", "came")]


async def test_an_index_finds_and_tells_of_objects_that_belong_together() -> None:
    def team(manifest: kube.Object) -> str | None:
        return manifest["data"].get("team")

    touched: list[str] = []
    async with fake_api_server() as server, following(server, index=team, on_touched=touched.append) as f:
        server.put("a", team="x")
        server.put("b", team="x")
        server.put("c")
        server.put("b", team="y")
        await eventually(lambda: f.reflector.indexed("y"))
        assert [m["metadata"]["name"] for m in f.reflector.indexed("x")] == ["a"]
        assert sorted(touched) == ["x", "x", "x", "y"]
        server.remove("a")
        await eventually(lambda: not f.reflector.indexed("x"))


async def test_a_failure_is_told_and_taken_back() -> None:
    states: list[bool] = []
    async with fake_api_server() as server, following(server, on_state=lambda: states.append(True)) as f:
        states.clear()
        server.watch_faults.append("broken")
        server.say(None)
        await eventually(lambda: f.reflector.failure)
        assert "a planted broken" in str(f.reflector.failure)
        await eventually(lambda: f.reflector.failure is None)
        assert len(states) == 2


async def failed(server: FakeApiServer, admit: Callable[[], Awaitable[None]]) -> None:
    """A reflector of the server has run until its first failure."""
    client = server.client()
    reflector = kube.Reflector(client, kube.CONFIG_MAPS, random=Random(1), admit=admit)
    task = asyncio.create_task(reflector.run())
    await eventually(lambda: reflector.failure)
    task.cancel()
    await client.close()


async def test_nothing_is_asked_of_a_server_that_is_not_admitted() -> None:
    async def refuse() -> None:
        raise kube.Unreachable("there", "ADMIT", "it is another one")

    async with fake_api_server() as server:
        await failed(server, refuse)
        assert not server.lists
        assert not server.watches


async def test_a_server_is_looked_at_again_between_the_list_and_the_watch() -> None:
    """The list may have taken its time, and the address lead to another one by then."""
    asked: list[int] = []

    async def refuse_after_the_first() -> None:
        asked.append(len(asked))
        if len(asked) > 1:
            raise kube.Unreachable("there", "ADMIT", "it is another one")

    async with fake_api_server() as server:
        await failed(server, refuse_after_the_first)
        assert len(server.lists) == 1
        assert not server.watches


async def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_storm() -> None:
    async with fake_api_server() as server, following(server):
        for _ in range(20):
            server.say(None)
            await asyncio.sleep(0.05)
        assert len(server.watches) <= 6
