"""A process that runs workloads with the package of one checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.common.processes import ROOT

__all__ = ["Checkout"]


class Checkout:
    """A checkout whose package is measured; enter it to start its process.

    Args:
        folder: The folder with ``src/managed_sync``.

    Raises:
        SystemExit: The folder is no checkout.
    """

    def __init__(self, folder: Path) -> None:
        self._source = folder.resolve() / "src"
        if not (self._source / "managed_sync").is_dir():
            raise SystemExit(f"{folder} has no src/managed_sync.")

    def __enter__(self) -> Self:
        paths = os.pathsep.join([str(self._source), str(ROOT)])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compare", "--answer"],
            env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )
        loaded = Path(self._ask("package"))
        if not loaded.is_relative_to(self._source):
            self._process.kill()
            raise SystemExit(f"{self._source} was not used, but {loaded}.")
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.close()
        self._process.wait()

    def seconds(self, workload: str) -> float:
        """Runs a workload once; returns the seconds that it took."""
        return float(self._ask(workload))

    def _ask(self, question: str) -> str:
        assert self._process.stdin is not None  # noqa: S101 - a pipe was asked for
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        self._process.stdin.write(f"{question}\n")
        answer = self._process.stdout.readline().strip()
        if not answer:
            raise SystemExit(f"{question} failed with {self._source}; see the error above.")
        return answer
