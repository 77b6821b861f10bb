"""Measures the chunkers of each environment in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path

from benchmarks.chunking.chunkers import Chunked
from benchmarks.chunking.prose import load
from benchmarks.chunking.report import Results
from benchmarks.common import environments
from benchmarks.common.processes import lines_from

__all__ = ["run"]

_HERE = ("managed-sync", "tiktoken", "langchain-text-splitters", "llama-index-core")
_PEERS = ("semantic-text-splitter", "chonkie")


def run(
    file: Path, *, size: int = 512, overlap: int = 64, rounds: int = 5, with_peers: bool = True
) -> Results:
    """Measures everything, each environment in a process of its own.

    Raises:
        CalledProcessError: The peers could not be installed, or a process failed.
    """
    pythons = [Path(sys.executable)]
    versions = {name: version(name) for name in _HERE}
    if with_peers:
        pythons.append(environments.peers_python())
        versions |= environments.required_versions(_PEERS)
    options = ["--size", str(size), "--overlap", str(overlap), "--rounds", str(rounds)]
    rows = [
        Chunked(**json.loads(line))
        for python in pythons
        for line in lines_from(python, ["benchmarks.chunking.chunkers", str(file), *options])
    ]
    texts = load(file)
    return Results(
        characters=sum(map(len, texts)),
        documents=len(texts),
        size=size,
        overlap=overlap,
        rounds=rounds,
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions=versions,
        chunkers=tuple(rows),
    )
