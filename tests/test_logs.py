"""Names of any kind make neither lines of a log nor escape sequences on a terminal."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from managed_sync.cli.output import _SafeConsole, plain_table
from managed_sync.logs import LineFormatter, get_logger, printable
from managed_sync.server.runtime.logging import JsonFormatter

FORGED = "2026-11-28 00:00:00,000 INFO FORGED: access revoked"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029"]
SEQUENCES = ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\x08", "\x7f", "\u202e", "\u2066"]
PLAIN = "%(asctime)s %(levelname)s %(message)s"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = get_logger("managed_sync.tests.logs")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()


def written(logger: logging.Logger, formatter: logging.Formatter, write: Callable[[], None]) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    write()
    logger.removeHandler(handler)
    return stream.getvalue()


@pytest.mark.parametrize("formatter", [logging.Formatter(PLAIN), LineFormatter(PLAIN)])
@pytest.mark.parametrize("odd", [*BREAKS, *SEQUENCES])
def test_an_argument_stays_on_its_line_whichever_handler_writes_it(
    logger: logging.Logger, formatter: logging.Formatter, odd: str
) -> None:
    def write() -> None:
        logger.info("%s is left out (%d, %.1f, %r)", f"x{odd}{FORGED}", 1, 0.5, Path(f"y{odd}"))

    text = written(logger, formatter, write)
    assert odd not in text.removesuffix("\n")
    assert len(text.splitlines()) == 1
    assert "(1, 0.5, " in text


@pytest.mark.parametrize("formatter", [logging.Formatter(PLAIN), LineFormatter(PLAIN)])
@pytest.mark.parametrize("odd", [*BREAKS, *SEQUENCES])
def test_a_traceback_begins_no_line(
    logger: logging.Logger, formatter: logging.Formatter, odd: str
) -> None:
    def write() -> None:
        try:
            raise ValueError(f"x{odd}{FORGED}")
        except ValueError:
            logger.exception("A sync failed")

    text = written(logger, formatter, write)
    first, *further = text.splitlines()
    assert first.endswith("ERROR A sync failed")
    assert all(line.startswith("    ") for line in further)
    assert "FORGED" in text
    assert odd not in text or odd == "\n"


def test_records_of_other_loggers_begin_only_their_own_line() -> None:
    other = logging.getLogger("another.library")
    other.propagate = False
    text = written(other, LineFormatter(PLAIN), lambda: other.error("x\n%s\x1b[2J", FORGED))
    first, second = text.splitlines()
    assert first.endswith("ERROR x")
    assert second == f"    {FORGED}\\x1b[2J"


def test_a_line_of_json_holds_whatever_it_holds_in_its_strings(logger: logging.Logger) -> None:
    odd = "".join((*BREAKS, *SEQUENCES))
    text = written(logger, JsonFormatter(), lambda: logger.info("%s", odd + FORGED))
    assert len(text.splitlines()) == 1
    assert text.isascii()
    assert "FORGED" in json.loads(text)["message"]


def test_text_of_every_language_stays_as_it_is() -> None:
    for text in ("Übersicht", "予算 二〇二六", "תקציב", "👩‍👩‍👧", "a\u00a0b", "C:\\new"):
        assert printable(text) == text


def test_every_logger_of_the_package_is_a_safe_one() -> None:
    sources = Path(__file__).parent.parent / "src" / "managed_sync"
    made = {
        path.relative_to(sources).as_posix(): found
        for path in sources.rglob("*.py")
        if (found := re.findall(r"^\w+ = logging\.getLogger\(.*", path.read_text(), re.MULTILINE))
    }
    assert made == {}


class TestTerminal:
    def test_names_are_written_without_their_escape_sequences(self) -> None:
        stream = io.StringIO()
        console = _SafeConsole(file=stream, force_terminal=True, width=200)
        odd = "".join((*BREAKS[1:], *SEQUENCES))
        console.print(f"name {odd} end", style="bold", markup=False)
        table = plain_table("pipeline", "state")
        table.add_row(f"cell {odd} end", "IDLE")
        console.print(table)
        text = stream.getvalue()
        assert "\x1b[1m" in text  # the console's own
        for one in (*BREAKS[1:], *SEQUENCES):
            assert one not in text
        assert "\\x1b" in text

    def test_an_error_is_written_without_them_too(self, tmp_path: Path) -> None:
        name = tmp_path / "a\x1b[2J\nError: forged.yaml"
        done = subprocess.run(
            [sys.executable, "-m", "managed_sync", "serve", "--config", name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "\x1b" not in done.stderr
        assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == [
            done.stderr.splitlines()[0]
        ]
