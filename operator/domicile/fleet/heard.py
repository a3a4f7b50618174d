"""Waiting until an API server has heard of what was just written: its policies hold requests against copies that lag a little."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from domicile.kube import Forbidden, Invalid

Answer = TypeVar("Answer")

_WITHIN: Final = 2.0
_BETWEEN: Final = 0.05


async def heard(policy: str, ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer, once that policy no longer refuses it. Raises what is raised otherwise, or still, after two seconds."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _WITHIN
    while True:
        try:
            return await ask()
        except (Forbidden, Invalid) as refused:  # Invalid: there is nothing yet to hold it against.
            if f"'{policy}'" not in refused.message or loop.time() > give_up:
                raise
        await asyncio.sleep(_BETWEEN)
