"""An event loop whose clock jumps to the next timer: hours pass at once, in the same order each time, and nothing sleeps."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class NothingWillHappen(AssertionError):
    """Everything waits, and no timer is set."""


class _Selector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None):
        if timeout is None:
            raise NothingWillHappen("every task waits, and no timer is set")
        self.now += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """`loop.time()` begins at 0 and moves only while everything waits."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def now() -> float:
    """Seconds since the beginning."""
    return asyncio.get_running_loop().time()
