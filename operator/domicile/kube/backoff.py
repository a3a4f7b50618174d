"""How long to wait before the next try: twice as long each time, with jitter, so that many do not come at once."""

from random import Random


class Backoff:
    """Waits that grow from `first` to `longest` seconds. Randomness is injected."""

    def __init__(self, random: Random, first: float = 1.0, longest: float = 30.0) -> None:
        self._random, self._first, self._longest = random, first, longest
        self._failures = 0

    def next(self) -> float:
        """Seconds to wait after one more failure: between half of the nominal wait and all of it."""
        nominal = min(self._longest, self._first * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return nominal * (0.5 + 0.5 * self._random.random())

    def reset(self) -> None:
        """It worked: begin anew with the shortest wait."""
        self._failures = 0
