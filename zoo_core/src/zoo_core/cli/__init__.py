"""The command ``zoo``: one module per command group, imported only when called."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from zoo_core.errors import UsageError, ZooError, printable
from zoo_core.host.plugins import host


class LazyGroup(click.Group):
    """Knows its commands by name and imports one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, the core's first."""
        return list(host().components("command"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports a command."""
        if cmd_name not in host().components("command"):
            return None
        command: click.Command = host().load("command", cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click, with the near match for an unknown command."""
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from zoo_core.host.absent import absent

            known = self.list_commands(ctx)
            raise absent("command", args[0], known, asked="command", next_step="See zoo --help.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list of commands without importing any of them."""
        components = host().components("command").values()
        rows = [(component.name, component.summary) for component in components]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="zoo-core", prog_name="zoo")
def cli() -> None:
    """Unpaired translation: pictures and voices from one domain to another."""


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command line; prints errors that a user can cause without a traceback."""
    # Threads that spin while they wait cost many times the work where other programs compute, too.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 0, 1 (failed) or 2 (wrong request)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console that lacks a character ends nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        result: Any = cli.main(args=None if args is None else list(args), standalone_mode=False)
        if sys.stdout is not None:  # as it is where the console was closed
            sys.stdout.flush()
    except ZooError as error:
        click.echo(f"zoo: {printable(str(error))}", err=True)
        return error.exit_code
    except BrokenPipeError:
        _close_stdout()
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:  # not of the output
            raise
        _close_stdout()
        click.echo(f"zoo: the output cannot be written: {error.strerror}.", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("zoo: interrupted; what was finished is kept.", err=True)
        return 130
    return result if isinstance(result, int) else 0


def _close_stdout() -> None:
    """Keeps Python from writing to a stdout that takes nothing, and failing, when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
