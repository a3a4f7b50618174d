"""Waits for a condition, and says what was last seen when it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

from domicile.localfleet import errors

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
Look = Callable[[], str | None]
"""Returns None when what is waited for is there, else what stands in the way."""


def until(what: str, look: Look, *, within: float) -> None:
    """Raises WaitedTooLong with what was last seen."""
    started, pause = time.monotonic(), FIRST_PAUSE
    while True:
        seen = look()
        if seen is None:
            return
        if time.monotonic() - started > within:
            raise errors.WaitedTooLong(f"{what}: not within {within:.0f} s; last seen: {seen}")
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
