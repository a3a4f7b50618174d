"""Waiting for what is meant, and saying what was last seen when it does not come."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from domicile import kube

T = TypeVar("T")
_PAUSE = 0.15


class NotObserved(Exception):
    """A step of the story was not seen to be true; the message says what was seen instead."""


@dataclass(frozen=True)
class NotYet:
    """What is seen while the wait goes on."""

    seen: str


async def eventually(what: str, look: Callable[[], Awaitable[T | NotYet]], *, within: float) -> T:
    """What `look` returns once it is not NotYet. NotObserved, with what was last seen, after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            found = await look()
        except kube.KubeError as error:
            found = NotYet(str(error))
        if not isinstance(found, NotYet):
            return found
        if time.monotonic() > deadline:
            raise NotObserved(f"{what}: not within {within:.0f} s\n     last seen: {found.seen}")
        await asyncio.sleep(_PAUSE)
