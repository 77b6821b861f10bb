"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["markdown_table"]

_DIVIDERS = {"l": "---", "r": "---:"}


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "l"
) -> str:
    """Returns a table.

    Args:
        header: The names of the columns.
        rows: The cells of each row.
        align: A letter for each column, ``l`` or ``r``; columns without one are aligned right.
    """
    divider = [_DIVIDERS[letter] for letter in align.ljust(len(header), "r")]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, divider, *rows))
