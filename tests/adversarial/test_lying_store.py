"""Whatever an index and its embedding model say and do: once they are honest again, a few runs and
one repair make what an index from scratch holds, or an error says what to do.
"""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from pathlib import Path
from shutil import copy
from typing import Any, TypeAlias

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError, ManagedSyncError
from managed_sync.indexing import IndexSync, Retries
from tests.support.draws import draws
from tests.support.indexing import from_scratch, keyword_contents, syncing
from tests.support.lying_index import Liar, LyingIndex, vector_of
from tests.support.record_source import ChangingSource
from tests.support.source_changes import change

CASES = draws(4)
SHARDS = 4
NAMES: Any = {"integration": "box", "sync_type": "files"}
Contents: TypeAlias = list[tuple[str, str, dict[str, Any]]]
SOON = Retries(attempts=3, first_wait=0, patience=30)


class NoWaiting(threading.Event):
    """Time passes without anybody waiting."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_store_and_a_model_that_lie_end_in_a_fresh_index(tmp_path: Path, shard: int) -> None:
    for seed in range(shard, CASES, SHARDS):
        folder = tmp_path / str(seed)
        folder.mkdir()
        lie_and_repair(folder, random.Random(seed))


def lie_and_repair(folder: Path, chance: random.Random) -> None:
    source = ChangingSource(**{f"r{n}": f"Text {n}. " * chance.randint(1, 12) for n in range(8)})
    index = LyingIndex(Liar(chance), updates_metadata=chance.random() < 0.7)
    others = add_another_pipeline(index)
    ledger, keywords = folder / "ledger.db", KeywordIndex(folder / "keywords.db")
    options: Any = {"retries": SOON, "batch_size": chance.choice([2, 5, 128])}
    sync = syncing(source, index, ledger, keywords=keywords, **options)
    index_backup, has_ledger_backup = index.backup(), False
    for _ in range(3):
        change(source, chance)
        with suppress(ManagedSyncError):
            sync.run(**NAMES, allow_deletions=True, stop=NoWaiting())
        index.forget()
        spoil(keywords, chance)
        match chance.randrange(12):
            case 0:
                index_backup = index.backup()
            case 1:
                index.rows = index_backup
            case 2 if ledger.exists():
                copy(ledger, folder / "backup.db")
                has_ledger_backup = True
            case 3 if has_ledger_backup:
                copy(folder / "backup.db", ledger)
    index.liar.is_honest = True

    fresh = from_scratch(source, folder)
    expected = sorted((key, text, dict(metadata)) for key, (text, metadata) in fresh.items())
    for _ in range(2):
        run_honestly(sync)
        if own(index.contents()) == expected and keyword_contents(keywords) == fresh:
            break
    else:
        sync.verify(**NAMES, repair=True, remove_unknown=True)

    assert own(index.contents()) == expected, index.liar.lies
    assert keyword_contents(keywords) == fresh, index.liar.lies
    assert sync.verify(**NAMES).agrees, index.liar.lies
    assert index.removed.isdisjoint(others), index.liar.lies


def add_another_pipeline(index: LyingIndex) -> set[str]:
    """Adds chunks that are as like this pipeline's as can be; returns their ids."""
    names = {"project_id": "p1", "integration": "drive", "sync_type": "files"}
    for number in range(8):
        ids = {"object_id": f"file:r{number}", "record_id": f"r{number}"}
        chunk = Chunk(f"Text {number}.", {**ids, **names, "chunk_id": f"drive-{number}"})
        index.rows.append((chunk, vector_of(chunk.text)))
    return {chunk.chunk_id for chunk, _ in index.rows}


def spoil(keywords: KeywordIndex, chance: random.Random) -> None:
    """Lets the keyword index lose its file, a chunk or a text, and says nothing."""
    held = sorted(keywords.chunk_ids({}))
    match chance.randrange(6):
        case 0:
            for file in keywords.path.parent.glob("keywords.db*"):
                file.unlink()
        case 1 if held:
            keywords.delete([chance.choice(held)])
        case 2 if held:
            (chunk,) = keywords.read([chance.choice(held)])
            keywords.upsert([Chunk("spoiled", chunk.metadata or {})])


def own(contents: Contents) -> Contents:
    return [row for row in contents if row[2]["integration"] == "box"]


def run_honestly(sync: IndexSync) -> None:
    """Runs once, and does what an error says if there is one."""
    try:
        sync.run(**NAMES, full=True, allow_deletions=True)
    except IndexingError as error:
        if "rebuild=True" in str(error):
            sync.run(**NAMES, rebuild=True, allow_deletions=True)
        elif "verify(repair=True)" in str(error):
            sync.verify(**NAMES, repair=True)
        else:
            raise
