"""The ledger forgets no chunk that may be in the index, whatever happens."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from managed_sync.errors import ConfigurationError, IndexingError, MissingExtraError
from managed_sync.indexing import Ledger, Pipeline
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import LedgerRecord, RecordResult, RecordStatus
from tests.support.draws import draws
from tests.support.index_target import Target
from tests.support.indexing import run
from tests.support.record_source import ChangingSource

BOX = Pipeline("p1", "box", "files")


def outcome(record_id: str, version: str = "v1", **values: object) -> RecordResult:
    defaults: dict[str, object] = {"title": f"{record_id}.txt", "digest": "d", "chunks": {}}
    return RecordResult(record_id, version, **{**defaults, **values})  # type: ignore[arg-type]


def record_of(ledger: PipelineLedger, record_id: str) -> LedgerRecord:
    return ledger.records([record_id])[record_id]


def test_what_was_begun_is_known_to_the_next_process_and_in_flight(any_ledger: str) -> None:
    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        box.finish([outcome("a", chunks={"c1": "m1"})])
        box.begin([(record_of(box, "a"), {"c1": "m1", "c2": None})])

    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        record = record_of(box, "a")
        assert (record.state, record.chunks) == (RecordStatus.PENDING, {"c1": "m1", "c2": None})
        assert not box.states(["a"])["a"].is_indexed("v1")
        assert box.due(now=0) == ["a"]


def test_what_is_finished_is_indexed_in_its_version_and_counted(any_ledger: str) -> None:
    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        box.finish([outcome("a", chunks={"c1": "m1", "c2": "m2"}), outcome("b", "v7")])

        assert box.counts() == (1, 2)
        assert box.states(["a", "b", "x"])["b"].is_indexed("v7")
        assert not box.states(["b"])["b"].is_indexed("v8")
        assert box.due(now=1e12) == []


def test_a_failure_is_kept_with_reason_and_count_and_waits_longer_each_time(
    any_ledger: str,
) -> None:
    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        waits = []
        for _ in range(14):
            box.finish([outcome("a", error="a.txt is damaged.", chunks={"c1": "m"})], now=1000)
            (failure,) = box.failures()
            assert failure.retry_at is not None
            waits.append(failure.retry_at - 1000)

        assert (failure.title, failure.reason) == ("a.txt", "a.txt is damaged.")
        assert failure.attempts == 14
        assert waits[:5] == [0, 60, 120, 240, 480]
        assert waits == sorted(waits)
        assert waits[-1] == 24 * 3600
        state = box.states(["a"])["a"]
        assert state.is_waiting("v1", now=1000)
        assert not state.is_waiting("v1", now=1000 + 24 * 3600)
        assert not state.is_waiting("v2", now=1000), "another version may be a better one"
        assert record_of(box, "a").chunks == {"c1": "m"}


def test_attempts_are_counted_anew_for_another_version_and_forgotten_with_success(
    any_ledger: str,
) -> None:
    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        box.finish([outcome("a", "v1", error="no")])
        box.finish([outcome("a", "v1", error="no")])
        box.finish([outcome("a", "v2", error="no")])
        assert box.failures()[0].attempts == 1

        box.finish([outcome("a", "v2")])
        assert box.failures() == []


def test_pipelines_do_not_see_each_other(any_ledger: str) -> None:
    with Ledger(any_ledger) as ledger:
        box, drive = ledger.of(BOX), ledger.of(Pipeline("p1", "drive", "files"))
        box.finish([outcome("a", chunks={"c": "m"})])
        drive.finish([outcome("a", "v2", error="no")])

        drive.forget(["a"])

        assert record_of(box, "a").version == "v1"
        assert drive.counts() == (0, 0)


NAMES = st.sampled_from(["a", "ä", "日本", "with 'quotes'", "x" * 300])
CHUNKS = st.dictionaries(st.sampled_from("123456"), st.sampled_from(["m", None]), max_size=4)
STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "finish", "fail", "forget", "reopen"]), NAMES, CHUNKS),
    max_size=20,
)


@settings(
    max_examples=draws(13),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_it_always_says_what_it_was_last_told(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, dict[str, str | None]]]
) -> None:
    place = tmp_path_factory.mktemp("ledger") / "ledger.db"
    expected: dict[str, tuple[RecordStatus, dict[str, str | None]]] = {}
    ledger = Ledger(place)
    box = ledger.of(BOX)
    for action, name, chunks in steps:
        if action == "begin":
            box.begin([(LedgerRecord(name), chunks)])
            expected[name] = (RecordStatus.PENDING, chunks)
        elif action in {"finish", "fail"}:
            error = "no" if action == "fail" else None
            box.finish([outcome(name, chunks=chunks, error=error)])
            expected[name] = (RecordStatus.FAILED if error else RecordStatus.INDEXED, chunks)
        elif action == "forget":
            box.forget([name])
            expected.pop(name, None)
        else:
            ledger.close()
            ledger = Ledger(place)
            box = ledger.of(BOX)
        found = {record.record_id: record for page in box.pages() for record in page}
        assert {key: (one.state, one.chunks) for key, one in found.items()} == expected
    ledger.close()


def test_a_process_that_is_killed_loses_nothing_that_was_written(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    program = textwrap.dedent(
        f"""
        import os, signal
        from managed_sync.indexing import Ledger, Pipeline
        from managed_sync.indexing.ledger.model import LedgerRecord
        box = Ledger({str(place)!r}).of(Pipeline(*{tuple(BOX)!r}))
        for number in range(50):
            box.begin([(LedgerRecord(f"r{{number}}"), {{"c": None}})])
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    killed = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert killed.returncode == -9
    with Ledger(place) as ledger:
        assert len(ledger.of(BOX).due(now=0)) == 50


def test_it_is_in_write_ahead_mode_and_safe_against_a_power_cut(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, ledger.database.reading() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2, "FULL"


def test_two_that_open_a_new_ledger_at_the_same_time_both_can_use_it(any_ledger: str) -> None:
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            with Ledger(any_ledger) as ledger:
                ledger.of(BOX).finish([outcome(f"r{number}")])
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    with Ledger(any_ledger) as ledger:
        assert len(ledger.of(BOX).states([f"r{number}" for number in range(8)])) == 8


def first_form(place: Path) -> None:
    """A ledger as the first form of this package wrote it."""
    database = sqlite3.connect(place)
    database.executescript(
        """
        CREATE TABLE records (
            pipeline TEXT NOT NULL, record_id TEXT NOT NULL, version TEXT, failure TEXT,
            PRIMARY KEY (pipeline, record_id)
        );
        CREATE TABLE chunks (
            pipeline TEXT NOT NULL, record_id TEXT NOT NULL, chunk_id TEXT NOT NULL,
            PRIMARY KEY (pipeline, record_id, chunk_id)
        );
        INSERT INTO records VALUES
            ('p1/box/files', 'done', 'v1', NULL), ('p1/box/files', 'between', NULL, NULL),
            ('p1/box/files', 'failed', 'v0', 'It is damaged.'), ('a/b/drive/files', 'x', 'v', NULL);
        INSERT INTO chunks VALUES
            ('p1/box/files', 'done', 'c1'), ('p1/box/files', 'done', 'c2'),
            ('p1/box/files', 'between', 'c3'), ('p1/box/files', 'failed', 'c4');
        """
    )
    database.commit()
    database.close()


def test_a_ledger_of_the_first_form_is_brought_along_whole(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    first_form(place)

    for _ in range(2):
        with Ledger(place) as ledger:
            box = ledger.of(BOX)
            found = {record.record_id: record for page in box.pages() for record in page}
            assert {key: (str(one.state), set(one.chunks)) for key, one in found.items()} == {
                "done": ("indexed", {"c1", "c2"}),
                "between": ("pending", {"c3"}),
                "failed": ("failed", {"c4"}),
            }
            assert box.states(["done"])["done"].is_indexed("v1")
            assert box.failures()[0].reason == "It is damaged."
            assert len(ledger.of(Pipeline("a/b", "drive", "files")).states(["x"])) == 1


def test_a_migration_that_stops_anywhere_leaves_the_old_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "ledger.db"
    first_form(place)

    def fail(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("managed_sync.indexing.ledger.migrations.json.dumps", fail)
        with pytest.raises(KeyboardInterrupt):
            Ledger(place)
    database = sqlite3.connect(place)
    assert database.execute("SELECT count(*) FROM chunks").fetchone() == (4,)
    database.close()
    with Ledger(place) as ledger:
        assert ledger.of(BOX).counts() == (3, 4)


def test_a_ledger_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    Ledger(place).close()
    with sqlite3.connect(place) as database:
        database.execute("UPDATE managed_sync_layout SET version = 99")
    database.close()

    with pytest.raises(IndexingError, match="newer version"):
        Ledger(place)


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    ledger.write_bytes(b"something else entirely" * 100)

    with pytest.raises(IndexingError, match=r"ledger\.db"):
        run(ChangingSource(), Target(), ledger)


def test_tables_of_others_in_the_same_database_stay(any_ledger: str) -> None:
    Ledger(any_ledger).close()
    with Ledger(any_ledger) as ledger, ledger.database.writing() as connection:
        connection.execute(text("CREATE TABLE records (id INTEGER)"))
        connection.execute(text("INSERT INTO records VALUES (1)"))

    with Ledger(any_ledger) as ledger, ledger.database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM records")) == 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("mysql://host/db", "got mysql"),
        ("sqlite://", "would forget"),
        ("postgresql://host:port/db", "cannot be read"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(place: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Ledger(place)


def test_postgresql_without_its_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("managed_sync.sql.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"managed-sync\[postgres\]"):
        Ledger("postgresql://user:s3cret@127.0.0.1:1/ledger")


def test_a_full_disk_is_said_and_what_was_written_before_is_still_there(tmp_path: Path) -> None:
    place = tmp_path / "ledger.db"
    with Ledger(place) as ledger:
        box = ledger.of(BOX)
        box.finish([outcome("a", chunks={"c": "m"})])
        with ledger.database.reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count = {pages}"))

        with pytest.raises(IndexingError, match="full"):
            box.begin([(LedgerRecord(f"r{number}", title="x" * 999), {}) for number in range(99)])

        assert record_of(box, "a").chunks == {"c": "m"}
        assert box.due(now=0) == []


def test_a_password_is_in_no_error() -> None:
    with pytest.raises(IndexingError) as caught:
        Ledger("postgresql://user:s3cret@127.0.0.1:1/ledger")

    assert "s3cret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


def test_the_error_of_a_record_may_hold_any_text(any_ledger: str) -> None:
    with Ledger(any_ledger) as ledger:
        box = ledger.of(BOX)
        box.finish([outcome("a", error="half \ud800 a \0 character", title="a\ud800")])

        assert "half" in box.failures()[0].reason
        assert json.dumps(box.failures()[0].title)
