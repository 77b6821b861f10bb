"""Writes each command's ``--help`` into ``docs/reference/command-line.md``."""

from __future__ import annotations

from pathlib import Path

from typer import Typer
from typer.testing import CliRunner

from managed_sync.cli.app import app

__all__ = ["PAGE", "command_reference"]

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "command-line.md"

_TOP = """\
# Command line

Install the extra `cli`. This page shows the `--help` of every command.
"""


def command_reference() -> str:
    """Returns the page, as the commands of this installation describe themselves."""
    sections = [f"## managed-sync\n\n{_help([])}"]
    sections += [f"## managed-sync {name}\n\n{_help([name])}" for name in _names(app)]
    for group in app.registered_groups:
        commands = group.typer_instance
        name = str(group.name)
        sections.append(f"## managed-sync {name}\n\n{_help([name])}")
        sections += [
            f"### managed-sync {name} {own}\n\n{_help([name, own])}"
            for own in (_names(commands) if commands else ())
        ]
    return "\n".join([_TOP, *sections])


def _names(commands: Typer) -> list[str]:
    return [
        command.name or str(getattr(command.callback, "__name__", ""))
        for command in commands.registered_commands
    ]


def _help(command: list[str]) -> str:
    result = CliRunner().invoke(
        app,
        [*command, "--help"],
        prog_name="managed-sync",
        terminal_width=80,
        env={"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"},
    )
    return f"```text\n{result.stdout.strip()}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(command_reference(), encoding="utf-8")
