from __future__ import annotations

import json
from typing import Any

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.notebook import parse_notebook
from managed_sync.errors import EmptyContentError, ParsingError


def notebook(*cells: dict[str, Any], language: str = "python") -> str:
    return json.dumps(
        {
            "nbformat": 4,
            "metadata": {"language_info": {"name": language}},
            "cells": list(cells),
        }
    )


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def shown(**data: Any) -> dict[str, Any]:
    types = {name.replace("_", "/"): value for name, value in data.items()}
    return {"output_type": "display_data", "data": types}


def test_cells_are_markdown_and_fenced_code_with_their_outputs() -> None:
    text = notebook(
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "Text with `x`."]},
        code("# not a heading\nprint(1)", {"output_type": "stream", "text": ["1\n", "2\n"]}),
        code("1/0", {"output_type": "error", "ename": "ZeroDivisionError", "evalue": "by zero"}),
        {"cell_type": "raw", "source": "# raw"},
        language="R",
    )
    assert parse_notebook(text, name="a.ipynb").split("\n\n") == [
        "# Title",
        "Text with `x`.",
        "```r\n# not a heading\nprint(1)\n```",
        "```\n1\n2\n```",
        "```r\n1/0\n```",
        "```\nZeroDivisionError: by zero\n```",
        "\\# raw",
    ]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (shown(text_plain="Out"), "```\nOut\n```"),
        (shown(text_plain="Out", text_markdown="**Out**"), "**Out**"),
        (
            shown(text_plain="   a\n0  1", text_html="<table><tr><th>a<th>b<tr><td>1<td>2</table>"),
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (shown(text_plain="Plot", text_html="<script>draw()</script>"), "```\nPlot\n```"),
        (shown(image_png="iVBORw0KGgo=", text_plain="<Figure size 640x480 with 1 Axes>"), ""),
        (shown(image_png="iVBORw0KGgo="), ""),
        ({"output_type": "stream", "text": "\x1b[31mred\x1b[0m"}, "```\nred\n```"),
        ({"output_type": "pyout", "text": ["old"]}, "```\nold\n```"),
    ],
)
def test_an_output_is_its_richest_text_and_no_picture(output: dict[str, Any], text: str) -> None:
    assert parse_notebook(notebook(code("", output)), name="a.ipynb") == text


def test_a_long_output_is_cut() -> None:
    log = "\n".join(f"line {number}" for number in range(100_000))
    text = parse_notebook(notebook(code("x", {"output_type": "stream", "text": log})), name="a")
    assert "line 0\n" in text
    assert len(text) < 11_000


def test_pictures_in_markdown_cells_are_left_out() -> None:
    cell = {"cell_type": "markdown", "source": f"See ![a](data:image/png;base64,{'A' * 9999}) b"}
    assert parse_notebook(notebook(cell), name="a.ipynb") == "See ![a]() b"


def test_the_worksheets_of_old_notebooks_are_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "T"},
        {"cell_type": "code", "input": "x"},
    ]
    text = json.dumps({"nbformat": 3, "metadata": {}, "worksheets": [{"cells": cells}]})
    assert parse_notebook(text, name="a.ipynb") == "## T\n\n```\nx\n```"


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b"[" * 100_000, b'{"cells": 1}'])
def test_a_file_that_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(ParsingError, match=r"a\.ipynb is declared as a notebook"):
        parse(data, content_type="application/x-ipynb+json", filename="a.ipynb")


@pytest.mark.parametrize("cell", [1, None, [], {"cell_type": "code", "outputs": [1, {"data": 2}]}])
def test_cells_of_the_wrong_form_are_passed_over(cell: Any) -> None:
    with pytest.raises(EmptyContentError):
        parse(json.dumps({"cells": [cell]}).encode(), filename="a.ipynb")


def test_a_drawing_is_its_labels() -> None:
    svg = (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><title>Plan</title><style>a'
        "</style><g><desc>The site</desc><path d='M0 0'/><text>Gate <tspan>A</tspan></text></g>"
        "<foreignObject><p>Note</p></foreignObject></svg>"
    )
    text = parse(svg.encode(), content_type="image/svg+xml", filename="a.svg")
    assert text == "Plan\n\nThe site\n\nGate A\n\nNote\n"
