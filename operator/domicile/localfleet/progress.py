"""What a person sees while the fleet is built and started: stage, k of n, time gone, time left. Never a silent wait."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO

EVERY_SECONDS = 15.0
Clock = Callable[[], float]


@dataclass(frozen=True)
class Step:
    name: str
    expected_seconds: float


class Progress(Protocol):
    """A display. Whoever works tells it about the whole at first, and then about each step through the Track."""

    def say(self, text: str) -> None:
        """One line that stays."""
        ...

    def working(self, title: str, steps: Sequence[Step], *, at_once: bool) -> AbstractContextManager[Track]:
        """`at_once`: the steps run beside each other, not one after the other."""
        ...


class Track:
    """Which steps run, how long they took, how much is left. May be told from several threads."""

    def __init__(
        self,
        title: str,
        steps: Sequence[Step],
        *,
        at_once: bool,
        changed: Callable[[str], None] = lambda step: None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.title, self.steps, self.at_once = title, tuple(steps), at_once
        self._changed, self._clock = changed, clock
        self._started = clock()
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}
        self._notes: dict[str, str] = {}
        self._lock = threading.RLock()

    def begin(self, step: str, note: str = "") -> None:
        with self._lock:
            self._began[step] = self._clock()
            self._notes[step] = note
        self._changed(step)

    def note(self, step: str, text: str) -> None:
        """What the step is doing now."""
        with self._lock:
            self._notes[step] = text
        self._changed(step)

    def done(self, step: str) -> float:
        with self._lock:
            self._took[step] = self._clock() - self._began.get(step, self._clock())
            worth_telling = self.at_once or len(self._took) == len(self.steps)
        if worth_telling:  # in a row, the next step speaks at once anyway
            self._changed(step)
        return self._took[step]

    def elapsed(self) -> float:
        return self._clock() - self._started

    def remaining(self) -> float:
        """Steps that run at once wait for the slowest, steps in a row for all of them."""
        with self._lock:
            left = [self._left(step) for step in self.steps if step.name not in self._took]
        return max(left, default=0.0) if self.at_once else sum(left)

    def line(self, only: str = "") -> str:
        """One line about every running step, or about `only` this one."""
        with self._lock:
            running = [step.name for step in self.steps if step.name in self._began and step.name not in self._took]
            doing = self._told(only) if only else ", ".join(self._told(step) for step in running)
            done, total = len(self._took), len(self.steps)
        if done == total:
            return f"{self.title}: done in {shown_seconds(self.elapsed())}"
        position = f"{done} of {total} done" if self.at_once else f"{done + 1} of {total}"
        left = self.remaining()
        until = f"about {shown_seconds(left)} left" if left >= 1 else "any moment now"
        return f"{self.title}: {position}: {doing or 'next step'}; {shown_seconds(self.elapsed())} gone, {until}"

    def _left(self, step: Step) -> float:
        began = self._began.get(step.name)
        return step.expected_seconds if began is None else max(0.0, step.expected_seconds - (self._clock() - began))

    def _told(self, step: str) -> str:
        note = f"ready after {shown_seconds(self._took[step])}" if step in self._took else self._notes.get(step)
        return f"{step} ({note})" if note else step


class PlainProgress:
    """Lines for a log or a pipe: one at each change, and one at least every 15 seconds."""

    def __init__(
        self, stream: TextIO | None = None, every_seconds: float = EVERY_SECONDS, clock: Clock = time.monotonic
    ) -> None:
        self._stream, self._every, self._clock = stream, every_seconds, clock
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        with self._lock:
            print(text, file=self._stream or sys.stderr, flush=True)

    @contextmanager
    def working(self, title: str, steps: Sequence[Step], *, at_once: bool) -> Generator[Track]:
        told = threading.Event()
        ended = threading.Event()

        def changed(step: str) -> None:
            self.say(track.line(step))
            told.set()

        def speak_up_when_quiet() -> None:
            while not ended.is_set():
                if not told.wait(self._every) and not ended.is_set():
                    self.say(track.line())
                told.clear()

        track = Track(title, steps, at_once=at_once, changed=changed, clock=self._clock)
        ticker = threading.Thread(target=speak_up_when_quiet, name="progress", daemon=True)
        ticker.start()
        try:
            yield track
        finally:
            ended.set()
            told.set()
            ticker.join()


class Silent:
    """For callers that show nothing, such as tests of something else."""

    def say(self, text: str) -> None:
        del text

    @contextmanager
    def working(self, title: str, steps: Sequence[Step], *, at_once: bool) -> Generator[Track]:
        yield Track(title, steps, at_once=at_once)


def shown_seconds(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60:02d} s"


def for_stream(stream: TextIO) -> Progress:
    """A moving display on a terminal, lines elsewhere."""
    if stream.isatty():
        from domicile.localfleet import progress_rich

        return progress_rich.RichProgress(stream)
    return PlainProgress(stream)
