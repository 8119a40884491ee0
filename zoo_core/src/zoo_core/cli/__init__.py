"""The command ``zoo``: one module per command group, imported only when called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from zoo_core.errors import UsageError, ZooError, unknown

COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("zoo_core.cli.catalogue:list_command", "List models, or methods with --methods."),
    "info": ("zoo_core.cli.catalogue:info", "Show all that is known of a model or a method."),
    "translate": ("zoo_core.cli.translate:translate", "Translate files, folders or globs."),
    "train": ("zoo_core.cli.train:train", "Train a method on unpaired domains."),
    "evaluate": ("zoo_core.cli.evaluate:evaluate", "Measure a model by a named protocol."),
    "judge": ("zoo_core.cli.judge:judge", "Train and inspect judges (classifiers of real data)."),
    "plugins": (
        "zoo_core.cli.plugins:plugins",
        "List plugins, and what is wrong with broken ones.",
    ),
    "new": ("zoo_core.cli.plugins:new", "Write a new plugin package, ready to install."),
    "check": ("zoo_core.cli.check:check", "Run the conformance kit on a method."),
    "registry": ("zoo_core.cli.registry:registry", "Build or check the index of all models."),
}
"""Built-in commands: name to (lazy target, one line of help)."""


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the built-in commands and of the plugins' commands."""
        from zoo_core.plugins import host

        return [*COMMANDS, *sorted(set(host().components("zoo_commands")) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        from zoo_core.plugins import PluginHost, host

        if cmd_name in COMMANDS:
            command: click.Command = PluginHost.resolve(COMMANDS[cmd_name][0], owner="zoo-core")
            return command
        if cmd_name in host().components("zoo_commands"):
            command = host().component("zoo_commands", cmd_name)
            return command
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the near match for an unknown command."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise unknown("command", args[0], self.list_commands(ctx), next_step="See zoo --help.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any of them."""
        from zoo_core.plugins import host

        rows = [(name, summary) for name, (_, summary) in COMMANDS.items()]
        rows += [
            (name, component.summary)
            for name, component in sorted(host().components("zoo_commands").items())
            if name not in COMMANDS
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zoo-core", prog_name="zoo")
def cli() -> None:
    """Unpaired translation: pictures and voices from one domain to another."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command line; prints errors that a user can cause without a traceback."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 0, 1 (failed) or 2 (wrong request)."""
    try:
        result: Any = cli.main(args=None if args is None else list(args), standalone_mode=False)
    except ZooError as error:
        click.echo(f"zoo: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("zoo: interrupted; what was finished is kept.", err=True)
        return 130
    return result if isinstance(result, int) else 0
