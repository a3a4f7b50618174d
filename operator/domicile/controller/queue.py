"""The work queue: keys, each at most once in it and never worked on twice at a time, now or after a delay."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class KeyedQueue(Generic[Key]):
    """A level-triggered queue. A key that is added while it is being worked on is worked on once more after that.

    Times are those of the running event loop. One delayed entry a key is kept: the earliest.
    """

    def __init__(self) -> None:
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._working: set[Key] = set()
        self._again: set[Key] = set()
        self._delayed: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key) -> None:
        """Work on the key as soon as possible."""
        self._forget_delay(key)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Work on the key after a delay, unless it is added before."""
        loop = asyncio.get_running_loop()
        due = loop.time() + max(seconds, 0.0)
        pending = self._delayed.get(key)
        if pending is not None and pending.when() <= due:
            return
        self._forget_delay(key)
        self._delayed[key] = loop.call_at(due, self.add, key)

    async def work(self, reconcile: Callable[[Key], Awaitable[None]]) -> None:
        """Work on keys until cancelled. Several of these may run at a time. `reconcile` must not raise."""
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._working.add(key)
            try:
                await reconcile(key)
            finally:
                self._working.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    @property
    def idle(self) -> bool:
        """Whether nothing is due or being worked on. Delayed keys do not count."""
        return not (self._waiting or self._working)

    def _forget_delay(self, key: Key) -> None:
        pending = self._delayed.pop(key, None)
        if pending is not None:
            pending.cancel()
