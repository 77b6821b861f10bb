"""Chunks are written, replaced, removed and read back as a target of an index needs it."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk, ChunkPlace
from managed_sync.errors import ConfigurationError, KeywordIndexError

PIPELINE = {"project_id": "p1", "integration": "box", "sync_type": "files"}


def chunk(key: str, text: str, **metadata: str) -> Chunk:
    return Chunk(text, {"chunk_id": key, "object_id": f"file:{key}", **PIPELINE, **metadata})


@pytest.fixture
def keywords(tmp_path: Path) -> KeywordIndex:
    return KeywordIndex(tmp_path / "keywords.db")


def test_a_chunk_that_is_written_again_is_replaced(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk("1", "first"), chunk("2", "second")], present=frozenset())
    keywords.upsert([chunk("1", "third"), chunk("1", "fourth")], present={"1"})

    assert [keywords.search(word, 5) for word in ("first", "third")] == [[], []]
    assert [hit.chunk_id for hit in keywords.search("fourth", 5)] == ["1"]
    assert keywords.count(PIPELINE) == 2


def test_new_metadata_is_found_and_returned(keywords: KeywordIndex) -> None:
    keywords.upsert([chunk("1", "text", title="Old")])
    keywords.update_metadata([chunk("1", "text", title="New")])

    assert keywords.search("old", 5) == []
    assert keywords.search("new", 5)[0].metadata["title"] == "New"


def test_removed_chunks_are_gone_and_unknown_ones_are_no_error(keywords: KeywordIndex) -> None:
    keywords.delete(["1"])
    keywords.upsert([chunk("1", "text"), chunk("2", "text")])
    keywords.delete(["1", "unknown"])
    keywords.delete([])

    assert [hit.chunk_id for hit in keywords.search("text", 5)] == ["2"]
    assert keywords.existing_ids(["1", "2", "unknown"]) == {"2"}
    assert keywords.read(["1"]) == []


def test_chunks_are_read_back_as_they_were_written(keywords: KeywordIndex) -> None:
    written = chunk("1", "| a |\n\f\u2028\U0001f600 " + "x" * 5000, heading="A > B")
    keywords.upsert([written])

    (read,) = keywords.read(["1", "unknown"], vectors=True)

    assert (read.chunk_id, read.text, read.metadata) == ("1", written.text, written.metadata)
    assert read.vector is None


def test_chunks_are_listed_and_counted_by_their_pipeline(keywords: KeywordIndex) -> None:
    keywords.upsert(
        [
            chunk("1", "a"),
            chunk("2", "b"),
            chunk("3", "c", sync_type="other"),
            chunk("4", "d", project_id="p2"),
            Chunk("e", {"chunk_id": "5", "object_id": "file:5"}),
        ]
    )

    assert list(keywords.chunk_ids(PIPELINE)) == ["1", "2"]
    assert keywords.count({"integration": "box"}) == 4
    assert list(keywords.chunk_ids({"object_id": "file:5"})) == ["5"]
    assert keywords.count({}) == 5
    with pytest.raises(ConfigurationError, match="got title"):
        keywords.count({"title": "x"})


def test_content_that_is_damaged_is_an_error_with_a_remedy(keywords: KeywordIndex) -> None:
    keywords.upsert([Chunk("text", {**chunk("1", "").metadata, "chunk_index": 1})])
    with closing(sqlite3.connect(keywords.path)) as connection, connection:
        connection.execute("UPDATE passages SET content = x'00ff'")

    for use in (
        lambda: keywords.search("text", 1),
        lambda: keywords.neighbors(ChunkPlace("file:1", 0), 1),
        lambda: keywords.read(["1"]),
    ):
        with pytest.raises(KeywordIndexError, match=r"keywords\.db cannot be .* remove it and run"):
            use()


@pytest.mark.parametrize(
    "odd",
    [
        {"record_id": ["x"]},
        {"project_id": ["p1"]},
        {"chunk_index": 2**63},
        {"chunk_index": "0"},
        {"object_id": ["file:1"]},
    ],
)
def test_odd_values_have_no_neighbors(keywords: KeywordIndex, odd: dict[str, Any]) -> None:
    keywords.upsert([Chunk("text", {**chunk("1", "").metadata, "chunk_index": 1})])
    place = ChunkPlace("file:1", 0)

    assert len(keywords.neighbors(place, 2**64)) == 1
    assert keywords.neighbors(place._replace(**odd), 2**64) == []


def test_nothing_is_in_an_index_that_was_never_written(keywords: KeywordIndex) -> None:
    assert keywords.existing_ids(["1"]) == set()
    assert list(keywords.chunk_ids({})) == []
    assert keywords.read(["1"]) == []
    assert keywords.count(PIPELINE) == 0
    assert not keywords.path.exists()


@pytest.mark.parametrize("seed", range(3))
def test_after_any_history_everything_is_as_in_a_new_index(tmp_path: Path, seed: int) -> None:
    chance, keywords = random.Random(seed), KeywordIndex(tmp_path / "history.db")
    words = ["alpha", "beta-7", "gamma", "日本語", "Ünïcode", "4.2.1"]
    held: dict[str, Chunk] = {}
    for _ in range(15):
        new = {
            key: chunk(key, " ".join(chance.choices(words, k=6)), title=chance.choice(words))
            for key in map(str, chance.sample(range(20), 4))
        }
        gone = chance.sample(sorted(held), min(len(held), 2))
        keywords.upsert(list(new.values()))
        held |= new
        keywords.delete(gone)
        for key in gone:
            del held[key]
    fresh = KeywordIndex(tmp_path / "fresh.db")
    fresh.upsert(list(held.values()))

    assert list(keywords.chunk_ids({})) == sorted(held)
    for word in words:
        assert keywords.search(word, 50) == fresh.search(word, 50), "scores included"
