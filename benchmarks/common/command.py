"""The command line that benchmarks share."""

from __future__ import annotations

from argparse import ArgumentParser

from benchmarks.common.pages import DOCS

__all__ = ["command_parser"]


def command_parser(
    name: str, description: str | None, *, update_docs: bool = True
) -> ArgumentParser:
    """Returns the parser of ``python -m benchmarks.<name>``.

    Args:
        name: The benchmark.
        description: Its description.
        update_docs: Add the option ``--update-docs``.
    """
    parser = ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    if update_docs:
        parser.add_argument("--update-docs", action="store_true", help=f"write to {DOCS.name}/")
    return parser
