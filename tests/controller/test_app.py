"""The operator process ends when it is told to, and not quietly when a part of it does."""

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

import pytest

import builders as a
from controller.fake_hub_api import FakeHubApi
from domicile import kube
from domicile.api import SovereignModel, SovereignModelStatus
from domicile.controller.app import Operator, PartEnded, _together
from domicile.controller.hub import resource
from domicile.controller.settings import Settings
from domicile.kube.endpoint import anonymous


async def run(*parts: Coroutine[Any, Any, None], told_to_stop: bool = False) -> None:
    stop = asyncio.Event()
    if told_to_stop:
        stop.set()
    async with _together() as tasks:
        for part in parts:
            tasks.add(part)
        await tasks.until(stop)


async def for_ever() -> None:
    await asyncio.Event().wait()


async def ends() -> None:
    return


async def fails() -> None:
    raise ValueError("the watch broke")


async def is_cancelled() -> None:
    raise asyncio.CancelledError


async def test_it_ends_when_it_is_told_to() -> None:
    await run(for_ever(), told_to_stop=True)


@pytest.mark.parametrize("part", [ends, is_cancelled])
async def test_a_part_that_ends_by_itself_ends_it_all(part: Any) -> None:
    with pytest.raises(PartEnded):
        await run(for_ever(), part())


async def test_a_part_that_fails_says_why() -> None:
    with pytest.raises(ValueError, match="the watch broke"):
        await run(for_ever(), fails())


async def test_what_the_operator_placed_is_in_use_without_waiting_for_the_watch() -> None:
    """The answer to its own write is known before the watch tells of it, which then is no change."""
    api = FakeHubApi()
    operator = Operator(
        Settings(namespace="domicile", identity="test"),
        api.client,
        kube.Endpoint("https://hub.example", None, anonymous),
        cast(Any, None),
    )
    operator._store.models.put(api.storage.put(resource(SovereignModel), a.model().wire()))
    (model,) = operator._store.models.readable()
    await operator._hub.write_status(model, SovereignModelStatus(placed_on="sg"))
    assert "all" in operator._policies._delayed
