"""What the demo prints: numbered steps, commands as a person would type them, their output, and what was checked."""

import time

import click

_WIDEST = 156


class Narrator:
    """Prints the story to stdout and counts what was checked and what was skipped."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._step = 0
        self.checked = 0
        self.skipped: list[str] = []

    def title(self, text: str) -> None:
        """The first line."""
        click.secho(text, bold=True)

    def step(self, text: str) -> None:
        """A new step of the story."""
        self._step += 1
        click.echo()
        click.secho(f"{self._step}. {text}  ({self.elapsed():.0f} s)", bold=True)

    def says(self, text: str) -> None:
        """A sentence between steps."""
        click.echo(f"   {text}")

    def command(self, who: str, line: str) -> None:
        """A command, and whose it is."""
        click.echo(f"   {click.style(f'{who} $', fg='cyan')} {line}")

    def output(self, text: str) -> None:
        """Output of a command."""
        for line in text.rstrip().splitlines():
            click.secho(f"     {clipped(line.rstrip())}", dim=True)

    def seen(self, text: str) -> None:
        """Something that was observed to be true."""
        self.checked += 1
        click.echo(f"   {click.style('checked', fg='green')}  {text}")

    def skip(self, what: str, why: str) -> None:
        """Something that could not be shown here; never a success."""
        self.skipped.append(what)
        click.echo(f"   {click.style('SKIPPED', fg='yellow')}  {what}: {why}")

    def elapsed(self) -> float:
        """Seconds since the first line."""
        return time.monotonic() - self._begun


def clipped(line: str) -> str:
    """A line of output that fits on a screen."""
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 1]}…"


def table(text: str) -> str:
    """kubectl's table without the blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.splitlines())
