"""Limits of services are waited out, and calls that hang are given up without harm."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

import httpx
import pytest

from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing import Retries
from managed_sync.indexing.targets.calls import TimedCalls
from managed_sync.indexing.targets.rate_limits import is_limited, requested_wait
from tests.support.index_target import Target
from tests.support.indexing import from_scratch, syncing
from tests.support.lying_index import Liar, LimitedError, LyingIndex
from tests.support.record_source import ChangingSource

NAMES: Any = {"integration": "box", "sync_type": "files"}


class Waits(threading.Event):
    """Notes how long somebody would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def http_error(status: int, **headers: str) -> Exception:
    """As SDKs raise it: with the answer."""
    request = httpx.Request("POST", "http://api")
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx.Response(status, headers=names, request=request)
    return httpx.HTTPStatusError("refused", request=request, response=answer)


class RateLimitError(Exception):
    """As OpenAI's SDK names it."""


class Aws(Exception):  # noqa: N818 - as botocore names it
    response = {  # noqa: RUF012 - as botocore has it
        "Error": {"Code": "ThrottlingException"},
        "ResponseMetadata": {"HTTPHeaders": {"retry-after": "9"}},
    }


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("the embedding failed")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (http_error(429), None),
        (http_error(429, retry_after="20"), 20.0),
        (http_error(429, Retry_After_Ms="1500"), 1.5),
        (
            http_error(
                429,
                date="Wed, 21 Oct 2026 07:28:00 GMT",
                retry_after="Wed, 21 Oct 2026 07:29:30 GMT",
            ),
            90.0,
        ),
        (http_error(429, retry_after="soon"), None),
        (LimitedError(), 20.0),
        (RateLimitError("Please try again in 250ms."), 0.25),
        (RuntimeError("429 Too Many Requests, retry after 20 s"), 20.0),
        (Aws(), 9.0),
        (wrapped(LimitedError()), 20.0),
    ],
    ids=repr,
)
def test_a_limit_is_recognized_in_whatever_way_an_sdk_says_it(
    error: Exception, seconds: float | None
) -> None:
    assert is_limited(error)
    assert requested_wait(error) == seconds


@pytest.mark.parametrize(
    "error",
    [
        ValueError("the text has 429 tokens more than it may have"),
        RateLimitError("Request too large for this model: limit 1000 tokens, requested 1200"),
        http_error(500),
        http_error(413),
        TimeoutError("no answer"),
    ],
    ids=repr,
)
def test_other_errors_are_no_limits(error: Exception) -> None:
    assert not is_limited(error)


def limited(times: int) -> tuple[LyingIndex, list[int]]:
    """An index whose model refuses so many calls, after it has answered two."""
    index, calls = LyingIndex(Liar(random.Random(0), share=0.0)), [0]
    real = index.model.vectors

    def vectors(texts: Sequence[str]) -> list[list[float]]:
        calls[0] += 1
        if 2 < calls[0] <= 2 + times:
            raise LimitedError
        return real(texts)

    index.model.vectors = vectors  # type: ignore[method-assign]
    return index, calls


def a_source(count: int = 30) -> ChangingSource:
    return ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(count)})


def test_a_limited_model_is_waited_for_and_no_record_is_blamed(ledger: Path) -> None:
    source, waits = a_source(), Waits()
    index, _ = limited(times=10)
    sync = syncing(source, index, ledger, batch_size=5, retries=Retries(patience=300))

    report = sync.run(**NAMES, stop=waits)

    assert (report.added, report.failed) == (30, ())
    assert waits.seconds == [20.0] * 10, "as long as the model asks for, and no more"


def test_when_patience_ends_the_rest_is_left_for_the_next_run(ledger: Path) -> None:
    source, waits = a_source(), Waits()
    index, calls = limited(times=6)
    sync = syncing(source, index, ledger, batch_size=5, retries=Retries(patience=60))

    with pytest.raises(IndexingError, match=r"asks to wait after 60 s.*patience.*next run"):
        sync.run(**NAMES, stop=waits)

    assert waits.seconds == [20.0] * 3
    assert calls[0] == 6, "not asked again for each record"
    assert len(index.rows) == 5
    report = sync.run(**NAMES, stop=waits)
    assert (report.unchanged, report.added + report.updated, report.failed) == (5, 25, ())
    texts = [text for text in index.embedded if text.startswith("Text")]
    assert len(texts) == len(set(texts)) == 30, "nothing is paid for twice"


class Hanging(Target):
    """An index whose first call returns only when it is let go, after it has written."""

    def __init__(self) -> None:
        super().__init__()
        self.may_return = threading.Event()
        self.has_begun = threading.Event()

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        super().upsert(chunks, present=present)
        if not self.has_begun.is_set():
            self.has_begun.set()
            self.may_return.wait(30)


def test_a_call_that_hangs_ends_the_run_and_is_never_made_twice_at_once(
    ledger: Path, tmp_path: Path
) -> None:
    source, target = a_source(3), Hanging()
    sync = syncing(
        source, target, ledger, retries=Retries(attempts=2, first_wait=0, call_timeout=0.5)
    )

    with pytest.raises(IndexingError, match=r"did not answer within 0.5 s.*call_timeout"):
        sync.run(**NAMES)
    with pytest.raises(IndexingError, match="did not answer"):
        sync.run(**NAMES)

    assert len(target.embedded) == 3, "the second run waited for the first one's call"
    target.may_return.set()
    sync.run(**NAMES)
    assert target.contents() == from_scratch(source, tmp_path)


def test_an_answer_that_comes_late_is_an_answer() -> None:
    calls, may_return, made = TimedCalls(0.5), threading.Event(), []

    def call() -> None:
        may_return.wait(30)
        made.append(1)

    with pytest.raises(IndexingError):
        calls(call)
    may_return.set()
    calls(call)

    assert made == [1], "it was waited for, not made again"


def test_an_error_of_a_timed_call_is_raised_as_it_is() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        TimedCalls(5)(fail)


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first_wait": -1}, {"patience": -1}, {"call_timeout": 0}]
)
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        Retries(**wrong)
