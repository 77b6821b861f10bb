"""Scores are those of the definition, and a restricted ranking is a part of the whole one."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from zlib import crc32

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import KeywordIndexError

_WORDS = ["alpha", "beta", "gamma", "delta", "omega", "sigma", "theta", "kappa"]


def random_chunks(count: int) -> list[Chunk]:
    chance = random.Random(7)

    def words(most: int) -> str:
        weights = [2.0**-place for place in range(len(_WORDS))]
        return " ".join(chance.choices(_WORDS, weights, k=chance.randint(1, most)))

    return [
        Chunk(
            words(30),
            {
                "chunk_id": f"{number:03}",
                "object_id": f"file:{number % 40}",
                "title": words(3),
                "heading": words(2),
            },
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def chunks() -> list[Chunk]:
    return random_chunks(300)


@pytest.fixture(scope="module")
def keywords(tmp_path_factory: pytest.TempPathFactory, chunks: Sequence[Chunk]) -> KeywordIndex:
    keywords = KeywordIndex(tmp_path_factory.mktemp("ranked") / "keywords.db")
    for start in range(0, len(chunks), 20):
        keywords.upsert(chunks[start : start + 20])
    return keywords


@pytest.mark.parametrize("question", ["kappa", "sigma omega kappa", "alpha", "alpha theta"])
def test_scores_are_those_of_another_implementation_of_bm25(
    keywords: KeywordIndex, chunks: Sequence[Chunk], question: str
) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE t USING fts5(title, heading, text)")
        except sqlite3.OperationalError:
            pytest.skip("SQLite was built without full-text search")
        connection.executemany(
            "INSERT INTO t (rowid, title, heading, text) VALUES (?, ?, ?, ?)",
            (
                (number, each.metadata["title"], each.metadata["heading"], each.text)
                for number, each in enumerate(chunks)
            ),
        )
        score = "SELECT rowid, -bm25(t, 2.0, 2.0, 1.0) FROM t WHERE t MATCH ?"
        expected = dict(connection.execute(score, (" OR ".join(question.split()),)).fetchall())

    hits = keywords.search(question, limit=300)

    assert {int(hit.chunk_id): hit.score for hit in hits} == pytest.approx(expected)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.chunk_id))
    assert keywords.search(question, limit=7) == hits[:7]


@pytest.mark.parametrize("objects", [["file:3"], [f"file:{number}" for number in range(3, 90)]])
def test_a_ranking_of_some_objects_is_a_part_of_the_whole_one(
    keywords: KeywordIndex, objects: list[str]
) -> None:
    everything = keywords.search("alpha theta", limit=300)
    own = [hit for hit in everything if hit.metadata["object_id"] in objects]

    assert keywords.search("alpha theta", 300, objects) == own
    assert keywords.search("alpha theta", 5, objects) == own[:5]


def test_objects_with_equal_hashes_are_told_apart(tmp_path: Path) -> None:
    keywords = KeywordIndex(tmp_path / "keywords.db")
    mine, hidden = "plumless:1", "buckeroo:1"
    assert crc32(mine.encode()) == crc32(hidden.encode())
    keywords.upsert(
        [Chunk("word " * 9, {"chunk_id": f"h{n}", "object_id": hidden}) for n in range(50)]
    )
    keywords.upsert([Chunk("a word", {"chunk_id": f"m{n}", "object_id": mine}) for n in range(3)])

    assert [hit.chunk_id for hit in keywords.search("word", 3, [mine])] == ["m0", "m1", "m2"]
    assert [hit.chunk_id for hit in keywords.search("word", 2, [mine])] == ["m0", "m1"]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE postings SET postings = x'00ff'",
        "UPDATE postings SET postings = x'ffffffffffffffff'",
        "DELETE FROM chunks WHERE chunk_id = '1'",
        "UPDATE projects SET chunks = 0",
    ],
)
def test_damage_is_an_error_with_a_remedy(tmp_path: Path, damage: str) -> None:
    keywords = KeywordIndex(tmp_path / "keywords.db")
    keywords.upsert([Chunk("word", {"chunk_id": key, "object_id": "file:1"}) for key in "12"])
    with closing(sqlite3.connect(keywords.path)) as connection, connection:
        connection.execute(damage)

    for objects in None, ["file:1"]:
        with pytest.raises(KeywordIndexError, match=r"keywords\.db cannot be read .* remove it"):
            keywords.search("word", 1, objects)
