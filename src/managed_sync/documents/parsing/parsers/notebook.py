"""Reads Jupyter notebooks: Markdown cells, code, and the outputs that are text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.errors import ParsingError

__all__ = ["parse_notebook"]

# Outputs can be logs of any length; code and text are always kept.
_LONGEST_OUTPUT = 10_000
# A picture or a widget stands for itself as "<Figure size 640x480 with 1 Axes>".
_PLACEHOLDER = re.compile(r"\[?<[\w.]+(?: [^<>\n]*)?>\]?")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LANGUAGE = re.compile(r"[\w+#-]{1,30}")


def parse_notebook(text: str, *, name: str) -> str:
    """Writes the cells of a notebook, with code in fences in the language of its kernel.

    Args:
        text: The notebook, as JSON.
        name: The name of the file in error messages.

    Raises:
        ParsingError: The file is not a notebook.
    """
    try:
        notebook = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ParsingError(
            f"{name} is declared as a notebook, but it is not valid JSON: the file is damaged "
            "or has the wrong type."
        ) from error
    cells = _cells(notebook)
    if cells is None:
        raise ParsingError(f"{name} is declared as a notebook, but it has no cells.")
    language = _language(notebook)
    return markdown.join_blocks(
        block
        for cell in cells
        if isinstance(cell, Mapping)
        for block in _blocks(cell, language, name)
    )


def _cells(notebook: Any) -> Sequence[Any] | None:
    """Returns the cells; before version 4 they were in worksheets."""
    if not isinstance(notebook, Mapping):
        return None
    sheets = notebook.get("worksheets")
    if isinstance(sheets, list):
        return [cell for sheet in sheets for cell in _cells(sheet) or ()]
    cells = notebook.get("cells")
    return cells if isinstance(cells, list) else None


def _language(notebook: Mapping[str, Any]) -> str:
    metadata = _mapping(notebook.get("metadata"))
    info, kernel = _mapping(metadata.get("language_info")), _mapping(metadata.get("kernelspec"))
    language = str(info.get("name") or kernel.get("language") or "")
    return language.lower() if _LANGUAGE.fullmatch(language) else ""


def _blocks(cell: Mapping[str, Any], language: str, name: str) -> Iterator[str]:
    source = _text(cell.get("source", cell.get("input")))
    match cell.get("cell_type"):
        case "markdown":
            yield parse_markdown(source, name=name)
        case "heading":
            level = cell.get("level")
            yield markdown.heading(source, level if isinstance(level, int) else 1)
        case "code":
            yield markdown.code_block(source, language)
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else ():
                yield _output(_mapping(output), name)
        case _:
            yield markdown.paragraph(source)


def _output(output: Mapping[str, Any], name: str) -> str:
    if output.get("output_type") in {"error", "pyerr"}:
        return _plain(f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}")
    if output.get("output_type") == "stream":
        return _plain(_text(output.get("text")))
    data = _mapping(output.get("data"))
    if written := _text(data.get("text/markdown")):
        return parse_markdown(written[:_LONGEST_OUTPUT], name=name)
    html = _text(data.get("text/html", output.get("html")))
    # A table that is cut would lose its end tags only.
    if html and (read := parse_html(html[: 10 * _LONGEST_OUTPUT], name=name)):
        return read if len(read) <= _LONGEST_OUTPUT else _shortened(read)
    return _plain(_text(data.get("text/plain", output.get("text", data.get("text/latex")))))


def _plain(text: str) -> str:
    text = _TERMINAL.sub("", text).strip("\n")
    if _PLACEHOLDER.fullmatch(text.strip()):
        return ""
    return markdown.code_block(_shortened(text))


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_OUTPUT:
        return text
    return text[: text.rfind("\n", 1, _LONGEST_OUTPUT) + 1 or _LONGEST_OUTPUT] + "…"


def _text(value: Any) -> str:
    """Returns a text of a notebook, which may be stored as a list of lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
