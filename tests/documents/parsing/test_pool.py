"""Parsing in other processes: nothing that a file does there reaches this one or the next file."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from managed_sync.documents.parsing.base import Parser
from managed_sync.documents.parsing.pool import ParsingPool
from managed_sync.errors import EmptyContentError, MissingExtraError, ParsingError
from tests.documents.misbehaving_parsers import by_instruction, process_id, trees_alive
from tests.support.forks import in_child, needs_fork

GIB = 1024**3


def pool_of(parser: Parser, *, processes: int = 1, timeout: float = 30.0) -> ParsingPool:
    return ParsingPool(parser, processes=processes, timeout=timeout, max_memory=2 * GIB)


def children() -> list[int]:
    return [child.pid for child in psutil.Process().children(recursive=True)]


def parse(pool: ParsingPool, text: str) -> str:
    return pool.parse(text.encode(), content_type="text/plain", filename="a.txt")


@pytest.fixture(autouse=True)
def _leaves_no_process() -> Iterator[None]:
    before = set(children())
    yield
    # A process of Python's own, or one that another test stopped, may take a moment to end.
    deadline = time.monotonic() + 60
    while not set(children()) <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(children()) <= before


@pytest.fixture
def pool() -> Iterator[ParsingPool]:
    one = pool_of(by_instruction)
    yield one
    one.close()


def test_files_are_parsed_in_another_process_which_is_used_again() -> None:
    pool = pool_of(process_id)
    first, second = parse(pool, "a"), parse(pool, "b")
    pool.close()
    assert first == second != f"process {os.getpid()}"


def test_as_many_processes_work_at_once_as_asked() -> None:
    before = set(children())
    pool = pool_of(by_instruction, processes=2)
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda number: parse(pool, str(number)), range(20)))
    assert answers == [f"a.txt: {number}" for number in range(20)]
    assert len(set(children()) - before) <= 2
    pool.close()


def test_a_file_that_takes_too_long_is_given_up_and_the_next_one_is_read() -> None:
    pool = pool_of(by_instruction, timeout=4)
    with pytest.raises(ParsingError, match=r"a\.txt could not be read: it takes longer than 4 s"):
        parse(pool, "hang")
    assert parse(pool, "next") == "a.txt: next"
    pool.close()


def test_what_the_parser_has_started_ends_with_it() -> None:
    pool = pool_of(by_instruction, timeout=1)
    with pytest.raises(ParsingError, match="longer than"):
        parse(pool, "hang with a child")
    pool.close()


@pytest.mark.parametrize(
    ("instruction", "reason"), [("crash", "SIGSEGV"), ("exit", "exit status 3")]
)
def test_a_process_that_dies_is_reported_for_its_file_alone_and_replaced(
    pool: ParsingPool, instruction: str, reason: str
) -> None:
    assert parse(pool, "before") == "a.txt: before"
    with pytest.raises(ParsingError, match=rf"a\.txt could not be read: .*died \({reason}\)"):
        parse(pool, instruction)
    assert parse(pool, "after") == "a.txt: after"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_file_that_needs_too_much_memory_is_given_up(pool: ParsingPool) -> None:
    with pytest.raises(ParsingError, match=r"a\.txt could not be read: it needs too much memory"):
        parse(pool, "fill")
    assert parse(pool, "after") == "a.txt: after"


def test_what_parsed_files_leave_behind_does_not_pile_up() -> None:
    pool = pool_of(trees_alive)
    alive = [int(parse(pool, "a")) for _ in range(200)]
    pool.close()
    assert max(alive) <= 50


def test_what_a_parser_raises_arrives_as_what_it_is(pool: ParsingPool) -> None:
    with pytest.raises(ParsingError, match=r"failed with KeyError: 'a\.txt'"):
        parse(pool, "raise")
    with pytest.raises(EmptyContentError, match=r"a\.txt has no text in it"):
        parse(pool, "nothing")


def missing_library(data: bytes, *, content_type: str, filename: str) -> str:
    raise MissingExtraError("Reading a.pdf", "parsers")


def test_a_missing_library_arrives_with_the_extra_to_install() -> None:
    pool = pool_of(missing_library)
    with pytest.raises(MissingExtraError, match=r"Reading a.pdf needs an extra") as caught:
        parse(pool, "text")
    pool.close()
    assert caught.value.extra == "parsers"


def test_what_a_parser_prints_or_reads_harms_nothing(
    pool: ParsingPool, capfd: pytest.CaptureFixture[str]
) -> None:
    assert parse(pool, "print") == "a.txt: print"
    assert capfd.readouterr() == ("", "")


def test_a_parser_that_cannot_be_sent_away_runs_here_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "managed_sync"):
        pool = pool_of(lambda data, *, content_type, filename: str(os.getpid()))
    assert parse(pool, "text") == str(os.getpid())
    assert "parsed in this process" in caplog.text


def test_without_processes_files_are_parsed_here_one_at_a_time() -> None:
    running = threading.Lock()

    def parser(data: bytes, *, content_type: str, filename: str) -> str:
        assert running.acquire(blocking=False)
        time.sleep(0.001)
        running.release()
        return str(os.getpid())

    pool = pool_of(parser, processes=0)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(lambda _: parse(pool, "a"), range(20))) == {str(os.getpid())}


def test_closing_ends_what_is_being_parsed() -> None:
    pool = pool_of(by_instruction)
    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(parse, pool, "hang")
        while not children():
            time.sleep(0.01)
        pool.close()
        with pytest.raises(ParsingError):
            stuck.result(timeout=10)


SCRIPT = """
    # A script as people write them: no main guard, and a parser of its own in it.
    import os
    from managed_sync.documents import DocumentLoader
    from tests.documents.misbehaving_parsers import process_id
    from tests.documents.text_files import client_of

    def mine(data, *, content_type, filename):
        return f"process {os.getpid()}"

    print("once")
    for parser in (process_id, mine):
        (loaded,) = DocumentLoader(client_of(r1="one"), parser=parser).load("x", "files")
        print(loaded.text == f"process {os.getpid()}")
"""


def test_a_script_without_a_main_guard_runs_once_and_keeps_its_own_parser(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert done.stdout.split() == ["once", "False", "True"]


STUCK = """
    from managed_sync.documents import DocumentLoader
    from tests.documents.misbehaving_parsers import by_instruction
    from tests.documents.text_files import client_of
    print("begins", flush=True)
    list(DocumentLoader(client_of(r1="hang"), parser=by_instruction).load("x", "files"))
"""


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_the_program_is_ended_its_workers_end_too(
    tmp_path: Path, how: signal.Signals
) -> None:
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(STUCK), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as program:
        workers: list[psutil.Process] = []
        deadline = time.monotonic() + 60
        while not workers and time.monotonic() < deadline:
            workers = psutil.Process(program.pid).children(recursive=True)
            time.sleep(0.02)
        program.send_signal(how)
        _, errors = program.communicate(timeout=60)
    assert not psutil.wait_procs(workers, timeout=60)[1]
    if how is signal.SIGINT:
        assert errors.decode().rstrip().endswith("KeyboardInterrupt")


@needs_fork
def test_a_forked_process_has_workers_of_its_own_and_leaves_the_parents_alone() -> None:
    pool = pool_of(process_id)

    def in_a_child() -> str:
        answer = parse(pool, "b")
        pool.close()
        return answer

    first, other, again = parse(pool, "a"), in_child(in_a_child), parse(pool, "c")
    pool.close()
    assert other != first
    assert again == first


class _Unsure:
    """A parser that cannot even tell how long a file takes."""

    def __call__(self, data: bytes, *, content_type: str, filename: str) -> str:
        return data.decode()

    def is_quick(self, data: bytes, *, content_type: str, filename: str) -> bool:
        raise NotImplementedError("zip file version 9.9")


def test_a_file_that_nothing_is_known_about_is_left_to_a_worker() -> None:
    pool = pool_of(_Unsure())
    assert pool.parse(b"text", content_type="text/plain", filename="a.txt") == "text"
    pool.close()
