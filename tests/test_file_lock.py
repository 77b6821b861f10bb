"""A file has one holder at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from managed_sync.private_files import FileLock
from tests.support.forks import in_child, needs_fork

HOLD = """
import sys
from pathlib import Path
from managed_sync.private_files import FileLock
assert FileLock(Path(sys.argv[1])).try_acquire(note="another process")
print("held", flush=True)
sys.stdin.read()
"""


def test_two_locks_of_one_process_keep_each_other_out(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")

    assert first.try_acquire(note="a note that is longer than the next one")
    assert not second.try_acquire()
    assert second.is_held_here
    second.release()
    assert not FileLock(tmp_path / "lock").try_acquire(), "only the holder releases it"
    first.release()
    first.release()
    assert second.try_acquire(note="short")
    assert (tmp_path / "lock").read_text() == "short"
    assert (tmp_path / "lock").stat().st_mode & 0o077 == 0


def test_another_process_is_named_by_its_note_until_it_is_killed(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "lock"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert not lock.try_acquire(note="mine")
        assert (lock.holder_note, lock.is_held_here) == ("another process", False)
        holder.kill()
        holder.wait()
    assert lock.try_acquire()


@needs_fork
def test_a_child_does_not_hold_its_parents_lock(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.try_acquire()

    def tries() -> list[bool]:
        mine = FileLock(tmp_path / "lock")
        return [mine.try_acquire(), mine.is_held_here]

    assert in_child(tries) == [False, False]
    assert not FileLock(tmp_path / "lock").try_acquire(), "and does not end it"


def test_a_file_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        FileLock(tmp_path / "nowhere" / "lock").try_acquire()
