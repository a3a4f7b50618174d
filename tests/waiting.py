"""Waiting, in asynchronous tests, for what is meant."""

import asyncio
from collections.abc import Callable
from typing import Any


async def eventually(look: Callable[[], Any], *, within: float = 15.0, show: Callable[[], Any] = lambda: None) -> Any:
    """The first truthy answer; a time-out prints what `show` says."""
    deadline = asyncio.get_running_loop().time() + within
    while asyncio.get_running_loop().time() < deadline:
        found = look()
        if found:
            return found
        await asyncio.sleep(0.01)
    raise AssertionError(f"not within {within:g} s; last seen: {show()!r}")
