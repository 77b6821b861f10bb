"""The notebooks: they run offline from a clean kernel, and are kept with outputs fit to publish."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat import NotebookNode

from scripts.run_notebooks import NOTEBOOKS, execute, load, normalize

# Refuses every connection that leaves this machine, in whatever process starts with it.
NO_NETWORK = """
import socket

_connect = socket.socket.connect


def connect(self, address):
    if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
        raise OSError(f"no network in this test: {address}")
    return _connect(self, address)


socket.socket.connect = connect
"""
PLACES_OF_A_MACHINE = re.compile(
    r"/(home|root|tmp|work|Users|var)\b|[A-Z]:\\|127\.0\.0\.1|localhost"
)
REVOKED = {
    "01_quickstart_langchain.ipynb": "Re Nordfracht discount.eml",
    "02_quickstart_llama_index.ipynb": "Kingfisher term sheet.docx",
}
# What the other notebooks are about: in the output of a cell, by its id.
SHOWN = {
    "03_retrieval_in_depth.ipynb": {
        "measure": ["post_filter +.* 1.00", "pre_filter +.* 1.00", "auto +.* 1.00"],
        "complete": ["returned 5 of 6, complete: True"],
        "bound": ["complete: False"],
        "limit": ["by default .* False", "list_limit=None .* True"],
        "down": ["post_filter: Access", "pre_filter: Access", "auto: AccessCheckError, nothing"],
    },
    "04_keeping_an_index_in_step.ipynb": {
        "again": [" 91 unchanged, 0 deleted; chunks: 0 embedded"],
        "edit": [" 1 updated, .* 1 embedded"],
        "rename-run": [" 1 updated, .* 4 embedded", "{'How we hand over.md'}"],
        "revoke": ["True → False"],
        "revoked": [" 91 unchanged, 0 deleted; chunks: 0 embedded"],
        "stop": ["could not be written to"],
        "stop-finish": ["all agree: True"],
        "guard": ["Nothing was deleted"],
        "verify": ["5 missing, 1 unknown, agrees: False", "after the repair: True"],
    },
    "05_parsing_and_chunking.ipynb": {
        "structure": ["docx +list items +1 +28"],
        "chunks": [f"{size} .* True" for size in (64, 128, 256, 512, 1024)],
        "ids": ["5 the same"],
    },
    "06_from_embedded_to_production.ipynb": {
        "tokens": ["1 token for three requests", "0 tokens in what the client prints"],
        "hosted": [r"\['Plan.md'\] 1 withheld"],
        "table": [f"{name} .* 8 of 8 " for name in ("Qdrant", "Chroma", "FAISS", "LanceDB")],
    },
}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    return (cell for cell in notebook.cells if cell.cell_type == "code")


def texts(cell: NotebookNode) -> str:
    """Everything that a cell shows as text."""
    shown = []
    for output in cell.outputs:
        if output.output_type == "stream":
            shown.append(output.text)
        else:
            shown += [text for kind, text in output.data.items() if kind.startswith("text/")]
    return "\n".join(shown)


def column(markdown: str, name: str) -> list[str]:
    """A column of a Markdown table."""
    rows = [
        [entry.strip() for entry in line.strip("|").split("|")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]
    return [row[rows[0].index(name)] for row in rows[2:]]


def shows_something(source: str) -> bool:
    """Returns whether a cell prints or plots by itself, or ends in a value."""
    body = ast.parse(source).body
    printing = any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "plt.show"}
        for statement in body
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef)
        for node in ast.walk(statement)
    )
    last = body[-1]
    value = isinstance(last, ast.Expr) and not isinstance(last.value, ast.Call)
    return printing or value


def assert_it_shows_what_it_is_about(notebook: NotebookNode, path: Path) -> None:
    cells = {cell.id: texts(cell) for cell in code_cells(notebook)}
    if path.name in REVOKED:
        assert REVOKED[path.name] in column(cells["revoke"], "carol")
        assert REVOKED[path.name] not in column(cells["after"], "carol")
        return
    for cell, patterns in SHOWN[path.name].items():
        for pattern in patterns:
            assert re.search(pattern, cells[cell]), f"{cell}: {pattern}"


def test_it_is_known_what_each_notebook_is_about() -> None:
    assert {path.name for path in NOTEBOOKS} == {*REVOKED, *SHOWN}


# A kernel and its imports take longer than a thousand other tests: one of them shows that it works.
@pytest.mark.slow
@every_notebook
def test_it_runs_from_a_clean_kernel_without_a_network_and_leaves_nothing_behind(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "startup"
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(startup), prepend=os.pathsep)
    notebook = load(path)
    execute(notebook, working)
    assert_it_shows_what_it_is_about(notebook, path)
    assert list(working.iterdir()) == []


@every_notebook
def test_each_cell_that_shows_something_is_kept_with_its_output(path: Path) -> None:
    cells = [cell for cell in code_cells(load(path)) if shows_something(cell.source)]
    assert len(cells) > 5
    assert [cell.id for cell in cells if not cell.outputs] == []


@every_notebook
def test_what_is_kept_names_no_place_of_the_machine_that_made_it(path: Path) -> None:
    found = {cell.id: PLACES_OF_A_MACHINE.findall(texts(cell)) for cell in code_cells(load(path))}
    assert {cell for cell, places in found.items() if places} == set()


@every_notebook
def test_what_is_kept_has_no_warnings_and_no_errors(path: Path) -> None:
    outputs = [output for cell in code_cells(load(path)) for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert {output.name for output in outputs if output.output_type == "stream"} == {"stdout"}


@every_notebook
def test_its_cells_are_short(path: Path) -> None:
    lines = {cell.id: cell.source.count("\n") + 1 for cell in load(path).cells}
    assert {cell for cell, count in lines.items() if count > 45} == set()


@every_notebook
def test_it_is_kept_as_the_script_that_runs_it_leaves_it(path: Path) -> None:
    notebook = load(path)
    normalized = load(path)
    normalize(normalized)
    assert notebook == normalized
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_it_has_a_plot(path: Path) -> None:
    kinds = [kind for c in code_cells(load(path)) for o in c.outputs for kind in o.get("data", {})]
    assert "image/png" in kinds


@every_notebook
def test_what_is_kept_shows_what_it_is_about(path: Path) -> None:
    assert_it_shows_what_it_is_about(load(path), path)


def test_normalizing_takes_out_the_times_and_the_python_of_a_run() -> None:
    notebook = load(NOTEBOOKS[0])
    before = load(NOTEBOOKS[0])
    notebook.metadata["language_info"]["version"] = "3.99"
    notebook.cells[0].metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    normalize(notebook)
    assert notebook == before
