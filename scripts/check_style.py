"""Checks the style of docstrings and of comments that allow private names.

Every problem is printed with its file and line. The exit status is 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

__all__ = ["problems_in", "python_files"]

ROOT = Path(__file__).parent.parent
_FOLDERS = ("src", "tests", "examples", "benchmarks", "scripts")
_GENERATED = ROOT / "src" / "managed_sync" / "sample_company"

_VAGUE_OPENING = re.compile(r"(What|Whether|How|Where|Which|When)\b")
# A line that announces a list of promises, under any heading.
_PROMISES = re.compile(r"^(?=.*\b(promise[sd]?|guarantee[sd]?)\b).*:$", re.IGNORECASE)
_HEADING = "Guarantees:"
_PRIVATE_NAME = re.compile(r"#\s*noqa:[^#]*\bSLF001\b(?P<reason>.*)")
_REASON = re.compile(r"\s*- (own class|\S.*\d)")

Problem = tuple[int, str]


def python_files() -> Iterator[Path]:
    """Yields the Python files whose style is checked."""
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.is_relative_to(_GENERATED):
                yield path


def problems_in(source: str) -> list[Problem]:
    """Returns the problems of a module, each with its line."""
    return sorted([*_docstring_problems(source), *_comment_problems(source)])


def _docstring_problems(source: str) -> Iterator[Problem]:
    for node in _documented(ast.parse(source)):
        text = ast.get_docstring(node)
        if not text:
            continue
        line = getattr(node, "lineno", 1)
        if opening := _VAGUE_OPENING.match(text):
            yield line, f"a docstring begins with {opening.group()!r}, and not with what it does"
        if isinstance(node, ast.Module):
            yield from _heading_problems(text)


def _documented(
    node: ast.AST,
) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yields a node and those below it that may have a docstring; looks into statements only."""
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node
    for field in ("body", "handlers", "cases", "orelse", "finalbody"):
        for child in getattr(node, field, ()):
            yield from _documented(child)


def _heading_problems(docstring: str) -> Iterator[Problem]:
    lines = docstring.splitlines()
    for number, line in enumerate(lines, 1):
        if line == _HEADING and (lines[number:] + [""] * 2)[1][:2] != "- ":
            yield number, f"{_HEADING!r} must be followed by a blank line and a list with '- '"
        elif _PROMISES.match(line) and line != _HEADING:
            yield number, f"a list of promises must have the heading {_HEADING!r}, got {line!r}"


def _comment_problems(source: str) -> Iterator[Problem]:
    if "SLF001" not in source:  # most modules; tokens take longer than all else
        return
    lines = iter(source.splitlines(keepends=True))
    for token in tokenize.generate_tokens(lambda: next(lines, "")):
        if token.type != tokenize.COMMENT:
            continue
        private = _PRIVATE_NAME.match(token.string)
        if private and not _REASON.match(private["reason"]):
            example = "# noqa: SLF001 - private in <package> 1.0 to 1.2"
            yield token.start[0], f"a private name needs a reason and versions: {example!r}"


def main() -> int:
    """Prints the problems of all files and returns the exit status."""
    found = 0
    for path in python_files():
        for line, problem in problems_in(path.read_text(encoding="utf-8")):
            print(f"{path.relative_to(ROOT)}:{line}: {problem}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
