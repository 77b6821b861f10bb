"""Postings stay few and in few places, whatever the history of the file is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk


def chunk(number: int) -> Chunk:
    return Chunk(f"word own{number}", {"chunk_id": f"{number:04}", "object_id": f"file:{number}"})


def rows(keywords: KeywordIndex, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(keywords.path)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def keywords(tmp_path: Path) -> KeywordIndex:
    return KeywordIndex(tmp_path / "keywords.db")


def test_many_small_writes_leave_few_segments(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk(number) for number in range(1000, 1100)])
    for number in range(70):
        keywords.upsert([chunk(number)])

    segments = rows(keywords, "SELECT chunks FROM segments ORDER BY first")
    assert segments == [(100,), (64,), *[(1,)] * 6], "the large one was not written again"
    assert len(keywords.search("word", 200)) == 170
    assert [hit.chunk_id for hit in keywords.search("own7", 5)] == ["0007"]


def test_removed_chunks_leave_nothing_behind_for_long(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk(number) for number in range(100)])
    keywords.delete([chunk(number).chunk_id for number in range(10)])
    assert keywords.search("own7", 5) == []
    assert len(keywords.search("word", 200)) == keywords.count_chunks() == 90

    keywords.delete([chunk(number).chunk_id for number in range(10, 30)])

    assert rows(keywords, "SELECT chunks, removed FROM segments") == [(70, b"")]
    assert rows(keywords, "SELECT 1 FROM postings WHERE term = 'own7'") == []
    assert len(keywords.search("word", 200)) == keywords.count_chunks() == 70


def test_an_index_that_was_emptied_is_filled_again(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk(number) for number in range(5)])
    keywords.delete([chunk(number).chunk_id for number in range(5)])

    assert (
        rows(keywords, "SELECT * FROM postings") == rows(keywords, "SELECT * FROM segments") == []
    )
    assert keywords.search("word", 5) == []
    keywords.upsert([chunk(3)])
    assert [hit.chunk_id for hit in keywords.search("word", 5)] == ["0003"]
