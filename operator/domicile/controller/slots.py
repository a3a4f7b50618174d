"""How many acts may be under way on one member: a member that answers slowly takes the workers of no other."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Slots(Generic[Key]):
    """Some slots for each place that acts go to. Who finds none free is woken when one is, and holds nobody up meanwhile."""

    def __init__(self, each: int, wake: Callable[[Key], None]) -> None:
        self._each, self._wake = each, wake
        self._taken: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[Key]] = {}

    def take(self, place: Hashable, key: Key) -> bool:
        """Whether a slot was free, and is the caller's until it gives it back. Else the key is woken later."""
        waiting = self._waiting.setdefault(place, deque())
        if self._taken.get(place, 0) < self._each:
            self._taken[place] = self._taken.get(place, 0) + 1
            if key in waiting:
                waiting.remove(key)
            return True
        if key not in waiting:
            waiting.append(key)
        return False

    def give(self, place: Hashable) -> None:
        """Give a slot back."""
        self._taken[place] -= 1
        waiting = self._waiting[place]
        # Each that is free may be taken: one that was woken may not need it any more.
        for _ in range(min(self._each - self._taken[place], len(waiting))):
            self._wake(waiting.popleft())
