"""Runs over a fake source into a fake index: small chunks, and no waiting."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from managed_sync import IndexReport, IndexSync, KeywordIndex
from managed_sync.documents import Chunker
from managed_sync.indexing import IndexTarget
from managed_sync.indexing.targets.calls import Retries
from tests.support.index_target import Target
from tests.support.record_source import ChangingSource

AT_ONCE = Retries(attempts=3, first_wait=0)


def syncing(
    source: ChangingSource, target: IndexTarget, ledger: Path | str, **settings: Any
) -> IndexSync:
    """Returns an ``IndexSync`` for tests, with small chunks and without waiting."""
    settings = {"chunker": Chunker(20, 0), "retries": AT_ONCE, **settings}
    return IndexSync(source, target, ledger, **settings)


def run(
    source: ChangingSource,
    target: Target,
    ledger: Path | str,
    *,
    keywords: KeywordIndex | None = None,
    **options: Any,
) -> IndexReport:
    """One run."""
    sync = syncing(source, target, ledger, keywords=keywords)
    return sync.run(integration="box", sync_type="files", **options)


def from_scratch(source: ChangingSource, folder: Path) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Returns the contents of a new index of this source."""
    target = Target()
    number = len(list(folder.glob("scratch-*.db")))
    run(source, target, folder / f"scratch-{number}.db")
    return target.contents()


def keyword_contents(keywords: KeywordIndex) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Returns everything that a keyword index holds, in the form of ``from_scratch``."""
    read = keywords.read(list(keywords.chunk_ids({})))
    return {each.chunk_id: (each.text, each.metadata or {}) for each in read}
