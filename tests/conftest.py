"""Fixtures for several folders: a server over the sample company, and its index."""

from __future__ import annotations

import gc
import logging
import signal
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.sample_company import Company, serving_company

# A shell that starts the tests in the background makes them, and what they start, ignore Ctrl-C.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leaves what is imported and collected out of every garbage collection.

    These are millions of objects that stay until the end, and each worker has them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# The folders with the longest tests.
_FIRST = ("notebooks", "examples", "docs", "cli", "documents")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the cases that `make test` leaves out as slow, and runs the longest tests first.

    So no worker waits at the end for another one.
    """
    _leave_out_most_cases(items)

    def rank(item: pytest.Item) -> int:
        folders = [part for part in item.path.parts if part in _FIRST]
        return _FIRST.index(folders[-1]) if folders else len(_FIRST)

    items.sort(key=rank)


def _leave_out_most_cases(items: list[pytest.Item]) -> None:
    functions: dict[str, list[pytest.Function]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            assert isinstance(item, pytest.Function)
            functions.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in functions.values():
        mark = cases[0].get_closest_marker("sampled")
        assert mark is not None
        seen = {value for case in cases[:: mark.args[0]] for value in _values_of(case)}
        for number, case in enumerate(cases):
            if number % mark.args[0] and seen.issuperset(_values_of(case)):
                case.add_marker(pytest.mark.slow)
            seen.update(_values_of(case))


def _values_of(case: pytest.Function) -> list[tuple[str, int]]:
    # The cases of a function share the objects that are its parameters' values.
    return [(name, id(value)) for name, value in case.callspec.params.items()]


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BASE_URL", "PROJECT_ID", "TOKEN", "SIGNING_KEY", "USER_ID", "API"):
            patch.delenv(f"MANAGED_SYNC_{name}", raising=False)
            patch.delenv(f"PARAGON_{name}", raising=False)
        patch.delenv("MANAGED_SYNC_WORKSPACE", raising=False)
        yield


@pytest.fixture(autouse=True)
def _loggers_stay_as_they_are() -> Iterator[None]:
    """Restores what a page of the documentation, a command or a library changed.

    A handler that stays would write into the captured output of its test, which is closed.
    """
    loggers = [logging.getLogger(), logging.getLogger("managed_sync")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        if logger.level != level:  # it takes a while: all other loggers forget theirs
            logger.setLevel(level)
        for handler in set(logger.handlers) - set(handlers):
            logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def _chroma_of_a_test_is_closed() -> Iterator[None]:
    with _closing_chroma():
        yield


@pytest.fixture(autouse=True, scope="module")
def _chroma_of_a_module_is_closed() -> Iterator[None]:
    with _closing_chroma():
        yield


@contextmanager
def _closing_chroma() -> Iterator[None]:
    """Closes the Chroma databases that are opened inside; each holds a dozen file descriptors.

    Those in memory share their settings with all others of the process, too.
    """
    before = set(_chroma_systems())
    yield
    for place in _chroma_systems().keys() - before:
        _chroma_systems().pop(place).stop()


def _chroma_systems() -> dict[str, Any]:
    # By the folder; private, as chromadb 1.5 has it. Frameworks open clients that nobody can close.
    module: Any = sys.modules.get("chromadb.api.shared_system_client")
    systems: dict[str, Any] = module.SharedSystemClient._identifier_to_system if module else {}
    return systems


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The sample company, served and synced; tests may change the copy and sync again."""
    with serving_company(tmp_path_factory.mktemp("sample")) as running:
        yield running
