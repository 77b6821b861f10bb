"""Something is swapped for a link between any two calls to the system, and perhaps put back."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from managed_sync.server.sources import descent
from managed_sync.server.sources.file_tree import FileTree
from managed_sync.server.sources.model import ListingContext, SourceItem, UnreadableItem

SECRET = b"the merger is on 3 May"
DIGEST = hashlib.sha256(SECRET).hexdigest()
NEVER = 1_000_000
CALLS = {"open", "scandir", "stat", "lstat", "fstat", "close"}


class System:
    """The calls that a descent makes; before each of them something may happen."""

    def __init__(self) -> None:
        self.before: Callable[[int], None] = lambda call: None
        self.calls = 0
        self.path = self
        self.realpath = self._counted(os.path.realpath)
        self.join = os.path.join
        self.samestat = os.path.samestat

    def __getattr__(self, name: str) -> Any:
        return self._counted(getattr(os, name)) if name in CALLS else getattr(os, name)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.before(self.calls)
            self.calls += 1
            return call(*arguments, **options)

        return counted


@pytest.fixture(params=["with steps", "without steps"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    system = System()
    monkeypatch.setattr(descent, "os", system)
    if request.param == "without steps":
        monkeypatch.setattr(descent, "_HAS_STEPS", False)
    return system


class Swap:
    """A file or folder, and a link that replaces it."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path, self._target = path, target
        self._kept = path.with_name(".kept")
        self.is_in = False

    def turn(self) -> None:
        """Puts the link in, or takes it out; the folder does not show that it was changed."""
        folder = self._path.parent
        before = folder.stat()
        if self.is_in:
            self._path.unlink()
            self._kept.rename(self._path)
        else:
            self._path.rename(self._kept)
            self._path.symlink_to(self._target)
        os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.is_in = not self.is_in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = tmp_path / "files"
    for path in ("Board/secret.md", "Board/deep/secret.md"):
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_bytes(SECRET)
    for path in ("Public/m/secret.md", "Public/m/deep/secret.md", "Public/note.md"):
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        (files / path).write_text("mine")
    (tmp_path / "outside/deep").mkdir(parents=True)
    for path in ("secret.md", "deep/secret.md"):
        (tmp_path / "outside" / path).write_bytes(SECRET)
    return files


SWAPS = [
    ("Public/m", "files/Board"),
    ("Public/m", "outside"),
    ("Public/m/deep", "files/Board/deep"),
    ("Public/note.md", "files/Board/secret.md"),
    ("Public/note.md", "outside/secret.md"),
    ("Public/note.md", "files/Public/note.md"),
]


def _list(root: Path) -> tuple[list[SourceItem | UnreadableItem], ListingContext]:
    listing = ListingContext({}, lambda sentence: None, lambda: None)
    return list(FileTree(root).items(listing)), listing


@contextmanager
def _turning(system: System, swap: Swap, *moments: int) -> Iterator[None]:
    def before(call: int) -> None:
        if call in moments:
            swap.turn()

    system.calls, system.before = 0, before
    try:
        yield
    finally:
        system.before = lambda call: None
        if swap.is_in:
            swap.turn()


@pytest.mark.parametrize(("path", "target"), SWAPS)
def test_whenever_a_link_is_put_in_nothing_is_listed_that_lies_elsewhere(
    system: System, root: Path, path: str, target: str
) -> None:
    expected, _ = _list(root)
    last = system.calls
    swap = Swap(root / path, root.parent / target)
    for first in range(last):
        # Half of the time it is put back at once, and half of the time later.
        for second in (first + (1 if first % 2 else 6), NEVER):
            with _turning(system, swap, first, second):
                items, listing = _list(root)
                again = FileTree(root).look_again(listing.seen, lambda: None)
            for item in items:
                if isinstance(item, SourceItem) and item.source_id.startswith("/Public"):
                    assert item.digest != DIGEST or item.link_to == "/Board/secret.md"
            # Whatever is missing shows at the second look, so that a sync begins again.
            if items != expected and not any(isinstance(one, UnreadableItem) for one in items):
                listed = {one.source_id for one in items}
                lost = {one.source_id for one in expected} - listed
                assert not lost or again != listing.seen or second >= last


@pytest.mark.parametrize(("path", "target"), SWAPS)
@pytest.mark.parametrize("location", ["Public/m/secret.md", "Public/m/deep/secret.md"])
def test_whenever_a_link_is_put_in_no_content_is_served_that_lies_elsewhere(
    system: System, root: Path, path: str, target: str, location: str
) -> None:
    def read() -> bytes | None:
        opened = FileTree(root).open(location)
        if opened is None:
            return None
        with opened.stream as stream:
            return stream.read()

    assert read() == b"mine"
    last = system.calls
    swap = Swap(root / path, root.parent / target)
    for first in range(last):
        for second in (first + 1, first + 2, first + 4, NEVER):
            with _turning(system, swap, first, second):
                assert read() in {b"mine", None}


def test_a_file_swapped_for_a_pipe_is_waited_for_by_nobody(system: System, root: Path) -> None:
    note = root / "Public/note.md"
    _list(root)
    last = system.calls
    for moment in range(last):

        def before(call: int, moment: int = moment) -> None:
            if call == moment:
                note.unlink()
                os.mkfifo(note)

        system.calls, system.before = 0, before
        items, _ = _list(root)
        system.before = lambda call: None
        assert "/Board/secret.md" in {item.source_id for item in items}
        assert FileTree(root).open("Public/note.md") is None
        note.unlink()
        note.write_text("mine")


def test_a_file_that_another_takes_the_place_of_is_not_listed_in_its_name(
    system: System, root: Path
) -> None:
    note, other = root / "Public/note.md", root.parent / "other"
    _list(root)
    for moment in range(system.calls):
        other.write_text("another")

        def before(call: int, moment: int = moment) -> None:
            if call == moment:
                other.replace(note)

        system.calls, system.before = 0, before
        items, listing = _list(root)
        system.before = lambda call: None
        again = FileTree(root).look_again(listing.seen, lambda: None)
        found = [one for one in items if one.source_id == "/Public/note.md"]
        assert found or again != listing.seen


def test_nothing_stays_open(system: System, root: Path) -> None:
    swap = Swap(root / "Public/m", root / "Board")
    _list(root)
    last = system.calls
    before = sorted(os.listdir("/dev/fd"))  # noqa: PTH208
    for moment in range(last):
        with _turning(system, swap, moment):
            _list(root)
            FileTree(root).open("Public/m/deep/secret.md")
    assert sorted(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_a_path_that_is_longer_than_systems_allow_is_not_descended(root: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        descent.read_folder(descent.TreePath(root, "/".join(["d"] * 3000)))
