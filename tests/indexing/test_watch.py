"""Watching goes on whatever happens, and ends when it is told to."""

from __future__ import annotations

import threading

import pytest

from managed_sync.errors import IndexingError, ManagedSyncError
from managed_sync.indexing.watch import watch


class Pauses(threading.Event):
    """Notes the pauses instead of waiting, and is set after some of them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        if len(self.seconds) == self.most:
            self.set()
        return self.is_set()


def test_it_waits_the_same_time_after_each_run_and_longer_after_failures() -> None:
    stop = Pauses(8)
    outcomes = iter([None, "no", "no", "no", None, "no", None, None])
    errors: list[tuple[str, float]] = []

    def work() -> None:
        if reason := next(outcomes):
            raise IndexingError(reason)

    def note(error: ManagedSyncError, pause: float) -> None:
        errors.append((str(error), pause))

    watch(work, every=60, stop=stop, on_error=note)

    assert stop.seconds == [60, 120, 240, 480, 60, 120, 60, 60]
    assert errors == [("no", 120), ("no", 240), ("no", 480), ("no", 120)]


def test_what_the_system_refuses_is_tried_again_too() -> None:
    stop = Pauses(1)
    errors: list[str] = []

    def work() -> None:
        raise FileExistsError("not a folder")

    watch(work, every=60, stop=stop, on_error=lambda error, _: errors.append(str(error)))

    assert errors == ["FileExistsError: not a folder."]


def test_it_never_waits_longer_than_an_hour_unless_it_was_told_to() -> None:
    for every, longest in ((60.0, 3600), (86400.0, 86400)):
        stop = Pauses(20)
        watch(failing, every=every, stop=stop, on_error=lambda *_: None)
        assert max(stop.seconds) == longest


def test_it_ends_while_it_waits() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()

    watch(lambda: None, every=3600, stop=stop, on_error=lambda *_: None)


def test_what_is_no_error_of_this_package_is_not_hidden() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        watch(broken, every=60, stop=threading.Event(), on_error=lambda *_: None)


def failing() -> None:
    raise IndexingError("no")
