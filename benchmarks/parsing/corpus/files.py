"""Finds the files of a folder, by format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.parsing.truth.formats import ALL_FORMATS, format_of

__all__ = ["evenly", "files_of"]


def files_of(folder: Path) -> dict[str, list[Path]]:
    """Returns the files below a folder by format, which the ends of their names tell."""
    result: dict[str, list[Path]] = {kind: [] for kind in ALL_FORMATS}
    for path in sorted(folder.rglob("*")):
        kind = format_of(path.name)
        if kind and path.is_file() and path.stat().st_size:
            result[kind].append(path)
    return result


def evenly(paths: Sequence[Path], limit: int | None) -> list[Path]:
    """Returns at most so many of the paths, evenly spread.

    Examples:
        >>> [str(path) for path in evenly([Path(letter) for letter in "abcdef"], 3)]
        ['a', 'c', 'e']
    """
    if limit is None or len(paths) <= limit:
        return list(paths)
    return [paths[index * len(paths) // limit] for index in range(limit)]
