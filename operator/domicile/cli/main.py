"""The command's entry: which sub-commands there are. Each is imported when it is asked for, so that --help is quick."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    # name: (module:attribute, what `domicile --help` says)
    "audit": ("domicile.cli.audit.command:audit", "Read the evidence: verify it, ask it, decide again."),
    "cluster": ("domicile.cli.cluster:cluster", "Register regional clusters with the hub."),
    "crds": ("domicile.cli.crds:crds", "Write the CustomResourceDefinitions, or check that they are up to date."),
    "demo": ("domicile.cli.demo.command:demo", "Show the main job on real clusters, step by step."),
    "plan": ("domicile.cli.plan.command:plan", "Say where models may run, from manifests, and write nothing."),
    "policy": ("domicile.cli.plan.command:policy", "Look at what policies would do."),
    "operator": ("domicile.cli.operate:operate", "Run the operator."),
}


class LazyGroup(click.Group):
    """A group that knows the names and one-line helps of its commands, and imports one only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, attribute = _COMMANDS[cmd_name][0].split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in sorted(_COMMANDS.items())])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="domicile", message="domicile %(version)s")
def main() -> None:
    """Runs AI models only in the regional clusters where they are allowed to be."""
