"""The moving display of build and start progress on a terminal."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from domicile.localfleet import progress


class RichProgress:
    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    @contextmanager
    def working(self, title: str, steps: Sequence[progress.Step], *, at_once: bool) -> Generator[progress.Track]:
        track = progress.Track(title, steps, at_once=at_once)
        # Live draws by itself several times a second, so the seconds move also when nothing changes.
        with Live(_Line(track), console=self._console, refresh_per_second=5, transient=True):
            yield track
        self._console.print(Text(track.line()))


class _Line:
    def __init__(self, track: progress.Track) -> None:
        self._track = track
        self._spinner = Spinner("dots")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self._spinner.update(text=Text(self._track.line(), overflow="ellipsis", no_wrap=True))
        yield self._spinner
