"""One run at a time works on a pipeline; a dead one holds nobody up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Sequence, Set
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError, IndexLockedError
from managed_sync.indexing import Ledger, Pipeline
from managed_sync.indexing.ledger.locks import locked
from tests.support.forks import in_child, needs_fork
from tests.support.index_target import Target
from tests.support.indexing import run, syncing
from tests.support.record_source import ChangingSource

BOX = Pipeline("p1", "box", "files")


def holder_process(place: str) -> subprocess.Popen[str]:
    """Another process that holds the lock of the pipeline until it is ended."""
    program = textwrap.dedent(
        f"""
        import time
        from managed_sync.indexing import Ledger, Pipeline
        from managed_sync.indexing.ledger.locks import locked
        with Ledger({place!r}) as ledger, locked(ledger.of(Pipeline(*{tuple(BOX)!r}))):
            print("held", flush=True)
            time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_run_says_who_holds_the_lock_and_goes_on_when_that_one_was_killed(
    any_ledger: str,
) -> None:
    holder = holder_process(any_ledger)
    try:
        with pytest.raises(IndexLockedError, match=f"by process {holder.pid} on .* since 20"):
            run(ChangingSource(a="One."), Target(), any_ledger)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate(timeout=30)

    assert run(ChangingSource(a="One."), Target(), any_ledger, wait=5).added == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
def test_a_child_that_a_killed_process_left_behind_does_not_keep_the_lock(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.db")
    program = textwrap.dedent(
        f"""
        import os, signal, time
        from managed_sync.indexing import Ledger, Pipeline
        from managed_sync.indexing.ledger.locks import locked
        with Ledger({place!r}) as ledger, locked(ledger.of(Pipeline(*{tuple(BOX)!r}))):
            if os.fork() == 0:
                os.close(1)
                time.sleep(5)
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    subprocess.run([sys.executable, "-c", program], check=False, timeout=60)

    assert run(ChangingSource(a="One."), Target(), place).added == 1


def test_two_threads_are_kept_apart_and_the_second_can_wait(any_ledger: str) -> None:
    held, order = threading.Event(), []

    def hold() -> None:
        with Ledger(any_ledger) as ledger, locked(ledger.of(BOX)):
            held.set()
            time.sleep(0.3)
            order.append("first")

    first = threading.Thread(target=hold)
    first.start()
    held.wait()
    with Ledger(any_ledger) as ledger:
        with pytest.raises(IndexLockedError), locked(ledger.of(BOX)):
            pass
        with locked(ledger.of(BOX), wait=30):
            order.append("second")
    first.join()

    assert order == ["first", "second"]


def test_pipelines_of_one_ledger_do_not_wait_for_each_other(any_ledger: str) -> None:
    with Ledger(any_ledger) as one, Ledger(any_ledger) as two:
        drive = two.of(Pipeline("p1", "drive", "files"))
        with locked(one.of(BOX)), locked(drive):
            pass


def test_a_wait_ends_when_it_is_told_to_stop(any_ledger: str) -> None:
    stop = threading.Event()
    with Ledger(any_ledger) as one, Ledger(any_ledger) as two, locked(one.of(BOX)):
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(IndexLockedError), locked(two.of(BOX), wait=60, stop=stop):
            pass


def test_a_dry_run_needs_no_lock(any_ledger: str) -> None:
    with Ledger(any_ledger) as ledger, locked(ledger.of(BOX)):
        assert run(ChangingSource(a="One."), Target(), any_ledger, dry_run=True).added == 1


@needs_fork
def test_a_forked_process_waits_for_its_parents_run_and_not_for_ever(tmp_path: Path) -> None:
    def can_take() -> bool:
        with Ledger(tmp_path / "ledger.db") as ledger:
            try:
                with locked(ledger.of(BOX)):
                    return True
            except IndexLockedError:
                return False

    held, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with Ledger(tmp_path / "ledger.db") as ledger, locked(ledger.of(BOX)):
            held.set()
            go_on.wait(20)

    def after_the_parents_run() -> list[bool]:
        first = can_take()
        os.write(writable, b".")
        os.read(readable, 1)
        return [first, can_take()]

    # The child tells when it has tried, and the parent when its own run has ended.
    readable, tell_child = os.pipe()
    told_by_child, writable = os.pipe()
    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)

    def end_when_told() -> None:
        os.read(told_by_child, 1)
        go_on.set()
        thread.join()
        os.write(tell_child, b".")

    teller = threading.Thread(target=end_when_told)
    teller.start()
    assert in_child(after_the_parents_run) == [False, True]
    teller.join()


class Disconnecting(Target):
    """Loses the ledger's connection after so many calls; another run then does all there is."""

    def __init__(self, place: str, *, at: int) -> None:
        super().__init__()
        self.place, self.at = place, at
        self.lost: list[str] = []

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        super().upsert(chunks, present=present)
        if self.calls >= self.at and not self.lost:
            self.lost.append("now")
            engine = create_engine(self.place.replace("postgresql:", "postgresql+psycopg:"))
            with engine.connect() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )
            engine.dispose()
            assert run(ChangingSource(a="One.", b="Two.", c="Three."), self, self.place).complete
            self.lost.append(str(sorted(self.texts())))


@pytest.mark.parametrize("at", [2, 6])
def test_a_run_that_lost_its_lock_with_the_connection_writes_nothing_more(
    postgres_ledger: str, at: int
) -> None:
    target = Disconnecting(postgres_ledger, at=at)
    sync = syncing(
        ChangingSource(a="One.", b="Two.", c="Three."), target, postgres_ledger, batch_size=1
    )
    with pytest.raises(IndexingError, match="lost, and with it the lock"):
        sync.run(integration="box", sync_type="files")

    assert len(target.lost) == 2
    assert target.lost[1] == str(sorted(target.texts())), "as the other run left it"
    assert run(ChangingSource(a="One.", b="Two.", c="Three."), target, postgres_ledger).complete
