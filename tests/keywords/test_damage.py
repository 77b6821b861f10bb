"""A damaged file is named with its remedy, and no search in it passes for complete."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk, ChunkPlace
from managed_sync.errors import KeywordIndexError

IDS = [f"c{number}" for number in range(16)]


def chunk(number: int) -> Chunk:
    ids = {"chunk_id": f"c{number}", "object_id": f"file:{number % 3}", "project_id": "p"}
    return Chunk(f"alpha own{number}", {**ids, "chunk_index": number})


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keywords = KeywordIndex(tmp_path_factory.mktemp("sound") / "keywords.db")
    keywords.upsert([chunk(number) for number in range(8)])
    keywords.upsert([chunk(number) for number in range(8, 16)])
    keywords.delete(["c0"])
    return keywords.path


def damaged(sound: Path, folder: Path, statement: str) -> KeywordIndex:
    file = folder / "keywords.db"
    shutil.copy(sound, file)
    with closing(sqlite3.connect(file)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    return KeywordIndex(file)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segments SET removed = x'010203'",
        "UPDATE segments SET removed = x'ffffff7f'",
        "UPDATE segments SET removed = 'abcd'",
        "UPDATE segments SET first = -5",
        "UPDATE segments SET last = 'x'",
        "UPDATE segments SET last = 99999999999999",
        "UPDATE segments SET first = 1, last = 8",
        "UPDATE segments SET chunks = 'x'",
        "UPDATE projects SET words = 'x'",
        "UPDATE projects SET chunks = -3",
        "UPDATE postings SET postings = 'abcdefgh'",
        "UPDATE postings SET postings = x'ffffffff01000100'",
        "UPDATE chunks SET chunk_id = CAST(chunk_id AS BLOB) WHERE id = 3",
        "DELETE FROM passages",
        "UPDATE passages SET content = '{}'",
    ],
)
def test_a_search_that_meets_damage_names_the_file_and_the_remedy(
    sound: Path, tmp_path: Path, statement: str
) -> None:
    keywords = damaged(sound, tmp_path, statement)

    with pytest.raises(
        KeywordIndexError, match=r"keywords\.db cannot be read .* remove it and run"
    ):
        keywords.search("alpha", 99)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE segments SET last = 99999999999999",
        "UPDATE segments SET removed = 'abcd'",
        "UPDATE postings SET postings = 'abcdefgh'",
        "UPDATE chunks SET words = 'x'",
    ],
)
def test_a_write_that_meets_damage_names_the_file_and_the_remedy(
    sound: Path, tmp_path: Path, statement: str
) -> None:
    keywords = damaged(sound, tmp_path, statement)

    with pytest.raises(KeywordIndexError, match=r"cannot be written .* remove it and run"):
        keywords.delete(IDS[:12])


LOST = [
    "UPDATE postings SET postings = x'' WHERE term = ''",
    "DELETE FROM postings WHERE term = ''",
]


@pytest.mark.parametrize("statement", LOST)
def test_a_search_in_objects_does_not_pass_for_complete_if_it_misses_chunks(
    sound: Path, tmp_path: Path, statement: str
) -> None:
    keywords = damaged(sound, tmp_path, statement)

    assert len(keywords.search("alpha", 99)) == 15
    with pytest.raises(KeywordIndexError, match="remove it and run"):
        keywords.search("alpha", 99, ["file:1"])


@pytest.mark.parametrize(
    "statement", [*LOST, "UPDATE chunks SET object_id = 'file:9'", "UPDATE chunks SET project = 7"]
)
def test_chunks_that_a_search_in_their_objects_misses_are_not_read_and_can_be_written_again(
    sound: Path, tmp_path: Path, statement: str
) -> None:
    keywords = damaged(sound, tmp_path, statement)
    assert keywords.read(IDS) == []

    if statement in LOST:
        keywords.upsert([chunk(number) for number in range(1, 16)])
        assert len(keywords.read(IDS)) == 15
        assert len(keywords.search("alpha", 99, ["file:1"])) == 5


def test_a_chunk_of_another_object_is_no_neighbor(sound: Path, tmp_path: Path) -> None:
    keywords = damaged(sound, tmp_path, "UPDATE chunks SET object_id = 'file:1'")

    found = keywords.neighbors(ChunkPlace("file:1", 4), 9)

    assert [chunk.chunk_id for chunk in found] == ["c1", "c7", "c10", "c13"]
