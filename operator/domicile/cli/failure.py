"""The one way in which a command ends badly: a line for the person who typed it, and exit code 1."""

from typing import IO, Any

import click


class Failure(click.ClickException):
    """An expected error. Its message says what, where, why and what to do; no traceback is shown."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """To stderr, as one line more often than not."""
        click.echo(f"domicile: {self.format_message()}", err=True, file=file)
