"""Kills runs at random moments while the source changes, and compares with an index from scratch.

    python -m tests.indexing.crashes --kills 200 --seed 1

Runs in a process of its own: it forks for each run, and kills the child with SIGKILL.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk
from tests.support.indexing import from_scratch, keyword_contents, run
from tests.support.record_source import ChangingSource
from tests.support.source_changes import change, random_text

# Most of a run is writing, so that most kills fall there.
_WRITING = 0.002


class StoreOnDisk:
    """An index that writes one chunk after another, so that a kill leaves a part of them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        with self._database() as database:
            for chunk in chunks:
                time.sleep(_WRITING)
                row = (chunk.chunk_id, chunk.text, json.dumps(dict(chunk.metadata)))
                database.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?)", row)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        with self._database() as database:
            for chunk_id in chunk_ids:
                time.sleep(_WRITING)
                database.execute("DELETE FROM chunks WHERE id = ?", (chunk_id,))

    def contents(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        with self._database() as database:
            rows = database.execute("SELECT id, text, metadata FROM chunks").fetchall()
        return {key: (text, json.loads(metadata)) for key, text, metadata in rows}

    def _database(self) -> Any:
        database = sqlite3.connect(self._path, isolation_level=None)
        database.execute("PRAGMA synchronous = OFF")  # the machine stays on
        database.execute("CREATE TABLE IF NOT EXISTS chunks (id TEXT PRIMARY KEY, text, metadata)")
        return database


class RelabelingStoreOnDisk(StoreOnDisk):
    """One that can change metadata without embedding."""

    can_update_metadata = True

    def embedded_text(self, chunk: Chunk) -> str:
        return chunk.text

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        with self._database() as database:
            for chunk in chunks:
                time.sleep(_WRITING)
                row = (json.dumps(dict(chunk.metadata)), chunk.chunk_id)
                database.execute("UPDATE chunks SET metadata = ? WHERE id = ?", row)


def moments(folder: Path, *, kills: int, seed: int, seconds: float) -> Iterator[str]:
    """Kills so many runs; yields what was found wrong, and nothing if all is well."""
    chance = random.Random(seed)
    source = ChangingSource(**{f"r{number:05}": random_text(chance) for number in range(50)})
    store = (RelabelingStoreOnDisk if seed % 2 else StoreOnDisk)(folder / "index.db")
    ledger, keywords = folder / "ledger.db", KeywordIndex(folder / "keywords.db")
    deadline = time.monotonic() + seconds
    killed, longest = 0, 0.5
    while killed < kills:
        if time.monotonic() > deadline:
            yield f"Only {killed} of {kills} runs were killed in {seconds:.0f} s."
            return
        change(source, chance)
        killed += _run_and_kill(source, store, ledger, keywords, chance.uniform(0, longest))
        if killed < kills and chance.random() < 0.5:
            continue
        change(source, chance)
        started = time.monotonic()
        report = run(source, store, ledger, keywords=keywords)  # type: ignore[arg-type]
        longest = 0.8 * longest + 0.2 * (time.monotonic() - started)
        if report.failed or not report.complete:
            yield f"After {killed} kills: {report}"
        fresh = from_scratch(source, folder)
        if store.contents() != fresh:
            yield f"After {killed} kills the index is not what it is from scratch."
        if keyword_contents(keywords) != fresh:
            yield f"After {killed} kills the keyword index is not what it is from scratch."
        for leftover in folder.glob("scratch-*"):
            leftover.unlink()


def _run_and_kill(
    source: ChangingSource,
    store: StoreOnDisk,
    ledger: Path,
    keywords: KeywordIndex,
    after: float,
) -> bool:
    """One run in a process that is killed; whether it was killed before its end."""
    child = os.fork()
    if not child:
        status = 1
        try:
            run(source, store, ledger, keywords=keywords)  # type: ignore[arg-type]
            status = 0
        finally:
            os._exit(status)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("A run failed by itself.")
    return os.WIFSIGNALED(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crashes-") as folder:
        wrong = list(
            moments(Path(folder), kills=options.kills, seed=options.seed, seconds=options.seconds)
        )
    if wrong:
        raise SystemExit(f"Seed {options.seed}: " + "\n".join(wrong))


if __name__ == "__main__":
    main()
