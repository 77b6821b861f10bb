"""Runs the notebooks and keeps their outputs.

    python scripts/run_notebooks.py                 # all of them, in place
    python scripts/run_notebooks.py notebooks/01_quickstart_langchain.ipynb

Each runs in a kernel and an empty folder of its own. What differs from run to run without meaning
anything, such as the time of execution, is left out, so that a new run gives a small diff.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

__all__ = ["NOTEBOOKS", "execute", "load", "normalize"]

_FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(_FOLDER.glob("*.ipynb"))
_TIMEOUT_SECONDS = 300
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def load(path: Path) -> NotebookNode:
    """Reads a notebook."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    return notebook


def execute(notebook: NotebookNode, folder: Path) -> None:
    """Runs a notebook from a clean kernel, with ``folder`` as its working folder.

    Raises:
        CellExecutionError: A cell failed.
    """
    NotebookClient(
        notebook,
        timeout=_TIMEOUT_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def normalize(notebook: NotebookNode) -> None:
    """Takes out what an execution leaves in the metadata: times, and this machine's Python."""
    notebook.metadata.clear()
    notebook.metadata.update(_METADATA)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def main(names: Sequence[str]) -> int:
    """Runs the named notebooks, or all; the exit status."""
    for path in [Path(name) for name in names] or NOTEBOOKS:
        notebook = load(path)
        started = time.perf_counter()
        with TemporaryDirectory() as folder:
            try:
                execute(notebook, Path(folder))
            except CellExecutionError as error:
                print(f"{path.name} failed and was left as it was:\n{error}", file=sys.stderr)
                return 1
        normalize(notebook)
        nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
        print(f"{path.name}: {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
