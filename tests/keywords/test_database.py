"""The file is private, is never half written, and can be searched while others write."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from managed_sync import KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, KeywordIndexError
from managed_sync.keywords import database as database_module
from managed_sync.keywords.rows import remove_chunks
from tests.support.forks import in_child, needs_fork


def chunks(count: int, text: str = "word") -> list[Chunk]:
    ids = ({"chunk_id": f"{n:04}", "object_id": f"file:{n}"} for n in range(count))
    return [Chunk(f"{text} {each['chunk_id']}", each) for each in ids]


@pytest.fixture
def keywords(tmp_path: Path) -> KeywordIndex:
    keywords = KeywordIndex(tmp_path / "folder" / "key words?.db")
    keywords.upsert(chunks(3))
    return keywords


def found(keywords: KeywordIndex, question: str = "word") -> int:
    return len(keywords.search(question, limit=10_000))


@pytest.mark.skipif(os.name == "nt", reason="files inherit their folder's rights there")
def test_only_the_owner_can_read_the_file(keywords: KeywordIndex) -> None:
    files = list(keywords.path.parent.iterdir())
    assert keywords.path in files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_search_sees_the_state_before_a_write_or_after_it(keywords: KeywordIndex) -> None:
    other = KeywordIndex(keywords.path)
    with keywords._database.writing() as connection:
        remove_chunks(connection, ["0000", "0001", "0002"])
        assert found(other) == 3

    assert found(other) == 0


def test_a_write_that_fails_leaves_what_was_there(keywords: KeywordIndex) -> None:
    broken = chunks(50, "new")
    object.__setattr__(broken[40], "metadata", {**broken[40].metadata, "page": object()})

    with pytest.raises(TypeError):
        keywords.upsert(broken)

    assert (found(keywords), found(keywords, "new")) == (3, 0)


@needs_fork
def test_a_process_that_is_killed_while_it_writes_leaves_what_was_there(
    keywords: KeywordIndex,
) -> None:
    def die_half_way() -> None:
        with keywords._database.writing() as connection:
            remove_chunks(connection, ["0000", "0001", "0002"])
            os.kill(os.getpid(), signal.SIGKILL)

    in_child(die_half_way)

    assert found(keywords) == 3
    keywords.upsert(chunks(5))
    assert found(keywords) == 5


@needs_fork
def test_a_forked_process_searches_and_writes(keywords: KeywordIndex) -> None:
    def write() -> int:
        keywords.upsert(chunks(8))
        return found(keywords)

    assert found(keywords) == 3
    assert in_child(write) == 8
    assert found(keywords) == 8


def test_threads_write_and_search_at_the_same_time(keywords: KeywordIndex) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(4):
                ids = {"chunk_id": f"t{number}-{step}", "object_id": "file:t"}
                keywords.upsert([Chunk("thread", ids)])
                assert found(keywords, "thread") > 0
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert found(keywords, "thread") == 16


def test_a_file_that_was_replaced_is_searched_as_it_is_now(keywords: KeywordIndex) -> None:
    assert found(keywords) == 3
    other = KeywordIndex(keywords.path.with_name("other.db"))
    other.upsert(chunks(7))
    for suffix in ("", "-wal", "-shm"):
        keywords.path.with_name(f"{keywords.path.name}{suffix}").unlink(missing_ok=True)
    other.path.replace(keywords.path)

    assert found(keywords) == 7


def empty(file: Path) -> None:
    file.touch()


def without_tables(file: Path) -> None:
    sqlite3.connect(file).execute("PRAGMA journal_mode = WAL")


def half_written(file: Path) -> None:
    """Leaves what a process leaves that is killed while it makes the file."""
    draft = file.with_name("draft.db")
    with closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE chunks (text)")
        connection.execute("INSERT INTO chunks VALUES (zeroblob(100000))")
        for suffix in ("", "-journal"):
            shutil.copy(f"{draft}{suffix}", f"{file}{suffix}")


@pytest.mark.parametrize("make", [empty, without_tables, half_written])
def test_a_file_that_was_never_filled_holds_nothing_and_is_filled(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    keywords = KeywordIndex(tmp_path / "keywords.db")
    make(keywords.path)

    assert keywords.existing_ids(["0000"]) == set()
    assert keywords.count({}) == 0
    with pytest.raises(KeywordIndexError, match=r"There is no keyword index .*keywords\.db"):
        found(keywords)
    keywords.upsert(chunks(3))
    assert found(keywords) == 3


def test_a_copy_with_another_journal_is_searched_and_stays(keywords: KeywordIndex) -> None:
    copy = KeywordIndex(keywords.path.with_name("copy.db"))
    with closing(sqlite3.connect(keywords.path)) as connection:
        connection.execute("VACUUM INTO ?", [str(copy.path)])
    before = copy.path.read_bytes()

    assert found(copy) == 3
    assert copy.path.read_bytes() == before


def test_a_file_of_another_kind_is_refused_and_stays(tmp_path: Path) -> None:
    ledger = tmp_path / "state.db"
    with sqlite3.connect(ledger) as connection:
        connection.execute("CREATE TABLE other (id)")
    before = ledger.read_bytes()

    with pytest.raises(ConfigurationError, match="another kind"):
        KeywordIndex(ledger).search("word", 1)
    assert ledger.read_bytes() == before
    with pytest.raises(ConfigurationError, match=r"state\.db is an SQLite file of another kind"):
        KeywordIndex(ledger).upsert(chunks(1))
    assert sqlite3.connect(ledger).execute("SELECT name FROM sqlite_master").fetchall() == [
        ("other",)
    ]
    assert ledger.read_bytes()[100:] == before[100:]


def test_a_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    (tmp_path / "keywords.db").write_bytes(b"This is no database." * 500)

    with pytest.raises(KeywordIndexError, match=r"keywords\.db cannot be read .* remove it"):
        KeywordIndex(tmp_path / "keywords.db").search("word", 1)


def test_a_file_of_another_version_is_refused(
    keywords: KeywordIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "SCHEMA_VERSION", 99)

    with pytest.raises(KeywordIndexError, match="schema version 2; this one knows 99"):
        found(keywords)
    with pytest.raises(KeywordIndexError, match="schema version 2; this one knows 99"):
        keywords.upsert(chunks(1))
