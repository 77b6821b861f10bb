"""Modules that run in processes of their own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["ROOT", "lines_from"]

ROOT = Path(__file__).resolve().parents[2]


def lines_from(python: Path, arguments: Sequence[str]) -> Iterator[str]:
    """Yields the lines that a module writes to its standard output.

    Args:
        python: The interpreter.
        arguments: The module, and what to pass to it.

    Raises:
        subprocess.CalledProcessError: The process failed; what it said is on the standard error.
    """
    command = [str(python), "-m", *arguments]
    # One thread for the store's arithmetic: what competes for a second core changes no latency.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield from process.stdout or ()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
