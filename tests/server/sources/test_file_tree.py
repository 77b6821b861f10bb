from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from managed_sync.errors import SourceError
from managed_sync.server.domain import KnownContent
from managed_sync.server.failures import ServerFailureError
from managed_sync.server.sources import file_tree
from managed_sync.server.sources.descent import TreePath
from managed_sync.server.sources.file_tree import FileTree
from managed_sync.server.sources.model import ListingContext, SourceItem, UnreadableItem


class Tree:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.warnings: list[str] = []
        self.unreadable: list[str] = []

    def list(self, known: dict[str, KnownContent] | None = None) -> dict[str, SourceItem]:
        listing = ListingContext(known or {}, self.warnings.append, lambda: None)
        items = list(FileTree(self.root).items(listing))
        self.unreadable = [item.source_id for item in items if isinstance(item, UnreadableItem)]
        return {item.source_id: item for item in items if isinstance(item, SourceItem)}

    def write(self, path: str, content: bytes = b"text") -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        return target


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    (tmp_path / "files").mkdir()
    return Tree(tmp_path / "files")


def test_every_container_comes_before_what_lies_in_it(tree: Tree) -> None:
    for path in ("b/c/d.txt", "a.txt", "b/a.txt"):
        tree.write(path)
    items = tree.list()
    assert list(items) == ["/", "/a.txt", "/b", "/b/a.txt", "/b/c", "/b/c/d.txt"]
    assert [item.parent for item in items.values()] == [None, "/", "/", "/b", "/b", "/b/c"]


def test_hidden_files_and_office_locks_are_ignored(tree: Tree) -> None:
    for path in (".DS_Store", ".git/config", "~$Budget.xlsx", "kept~.txt"):
        tree.write(path)
    assert list(tree.list()) == ["/", "/kept~.txt"]
    assert tree.warnings == []


def test_source_ids_are_in_one_unicode_form(tree: Tree) -> None:
    tree.write("Cafe\u0301/Menu\u0308.txt", b"menu")
    items = tree.list()
    item = items["/Caf\u00e9/Men\u00fc.txt"]
    assert item.data["name"] == "Men\u00fc.txt"
    opened = FileTree(tree.root).open(item.location or "")
    assert opened is not None
    with opened.stream as stream:
        assert stream.read() == b"menu"


def test_two_names_that_differ_in_unicode_form_only_are_named(tree: Tree) -> None:
    tree.write("Cafe\u0301.txt", b"decomposed")
    tree.write("Caf\u00e9.txt", b"composed")
    assert len(tree.list()) == len(list(tree.root.iterdir()))
    assert len(tree.warnings) == 1
    assert "rename" in tree.warnings[0]


def test_a_name_that_is_not_unicode_is_named(tree: Tree) -> None:
    (tree.root / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x")
    tree.write("good.txt")
    assert list(tree.list()) == ["/", "/good.txt"]
    assert "not valid Unicode" in tree.warnings[0]


def test_links_that_leave_the_folder_are_ignored(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tree.root / "out.txt").symlink_to(tmp_path / "secret.txt")
    (tree.root / "relative.txt").symlink_to(Path("..") / "secret.txt")
    (tree.root / "broken.txt").symlink_to(tmp_path / "nothing")
    (tree.root / "outside").symlink_to(tmp_path)
    assert list(tree.list()) == ["/"]
    assert sum("leaves the folder" in warning for warning in tree.warnings) >= 2


def test_a_link_to_a_file_inside_is_that_file(tree: Tree) -> None:
    tree.write("a.txt", b"content")
    (tree.root / "link.txt").symlink_to(tree.root / "a.txt")
    items = tree.list()
    assert items["/link.txt"].digest == items["/a.txt"].digest
    assert tree.warnings == []


def test_a_link_does_not_bring_back_what_is_hidden(tree: Tree) -> None:
    tree.write(".secret/key.txt")
    (tree.root / "link.txt").symlink_to(tree.root / ".secret/key.txt")
    assert list(tree.list()) == ["/"]


def test_links_to_folders_are_left_out_so_that_circles_end(tree: Tree) -> None:
    tree.write("a/b.txt")
    (tree.root / "a" / "circle").symlink_to(tree.root)
    assert list(tree.list()) == ["/", "/a", "/a/b.txt"]
    assert "/a/circle" in tree.warnings[0]


def test_what_is_neither_file_nor_folder_is_ignored(tree: Tree) -> None:
    os.mkfifo(tree.root / "pipe")
    assert list(tree.list()) == ["/"]
    assert FileTree(tree.root).open("pipe") is None


def test_a_folder_600_levels_deep(tree: Tree) -> None:
    tree.write("/".join(["d"] * 600) + "/x.txt")
    assert len(tree.list()) == 602


@pytest.mark.parametrize(
    ("name", "size"), [("empty.bin", 0), ("one.bin", 1), ("big.bin", (50 << 20) + 1)]
)
def test_files_of_any_size(tree: Tree, name: str, size: int) -> None:
    path = tree.write(name, b"")
    os.truncate(path, size)
    item = tree.list()[f"/{name}"]
    assert item.data["size"] == size
    assert len(item.digest or "") == 64


def test_a_known_file_is_not_read_again(tree: Tree) -> None:
    path = tree.write("a.txt")
    status = path.stat()
    known = KnownContent(f"{status.st_size}-{status.st_mtime_ns}", "as known")
    assert tree.list({"/a.txt": known})["/a.txt"].digest == "as known"
    os.utime(path, ns=(0, status.st_mtime_ns + 1))
    assert tree.list({"/a.txt": known})["/a.txt"].digest != "as known"


def test_a_time_that_no_calendar_holds_does_not_cost_the_file(tree: Tree) -> None:
    path = tree.write("a.txt")
    os.utime(path, (0, 300_000_000_000))
    assert "/a.txt" in tree.list()


class TestUnreadable:
    """Root may read everything, so the refusal of the system is played."""

    @pytest.fixture
    def refuse(self, monkeypatch: pytest.MonkeyPatch) -> set[str]:
        refused: set[str] = set()
        digest, entries = file_tree._digest, file_tree._entries

        def check(path: TreePath) -> None:
            if path.name in refused:
                raise PermissionError(errno.EACCES, "Permission denied", str(path.path))

        def guarded_digest(path: TreePath, listing: ListingContext) -> Any:
            check(path)
            return digest(path, listing)

        def guarded_entries(folder: TreePath) -> Any:
            check(folder)
            return entries(folder)

        monkeypatch.setattr(file_tree, "_digest", guarded_digest)
        monkeypatch.setattr(file_tree, "_entries", guarded_entries)
        return refused

    def test_an_unreadable_file_is_a_warning_and_the_rest_goes_on(
        self, tree: Tree, refuse: set[str]
    ) -> None:
        tree.write("a.txt")
        tree.write("b.txt")
        refuse.add("a.txt")
        assert list(tree.list()) == ["/", "/b.txt"]
        assert tree.unreadable == ["/a.txt"]
        assert "/a.txt cannot be read (Permission denied)" in tree.warnings[0]

    def test_an_unreadable_folder_is_a_warning_and_the_rest_goes_on(
        self, tree: Tree, refuse: set[str]
    ) -> None:
        tree.write("closed/a.txt")
        tree.write("open/b.txt")
        refuse.add("closed")
        assert list(tree.list()) == ["/", "/open", "/open/b.txt"]
        assert tree.unreadable == ["/closed"]

    def test_an_unreadable_root_is_an_error(self, tree: Tree, refuse: set[str]) -> None:
        refuse.add("files")
        with pytest.raises(SourceError, match="access rights"):
            tree.list()


def test_a_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone"):
        Tree(tmp_path / "gone").list()


@pytest.mark.parametrize("location", ["../secret.txt", "nothing.txt", "", ".", "/etc/passwd"])
def test_nothing_outside_is_opened(tree: Tree, tmp_path: Path, location: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    assert FileTree(tree.root).open(location) is None


class TestTroubleOfTheServersOwn:
    """A full disk or too many open files say nothing about the file that was being read."""

    @pytest.mark.parametrize(
        "number", [errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT]
    )
    @pytest.mark.parametrize("function", ["_digest", "_entries"])
    def test_it_fails_the_listing_with_the_reason(
        self, tree: Tree, monkeypatch: pytest.MonkeyPatch, number: int, function: str
    ) -> None:
        tree.write("a.txt")
        tree.write("folder/b.txt")
        real = getattr(file_tree, function)

        def fail(path: TreePath, *arguments: Any) -> Any:
            if path.location == ".":
                return real(path, *arguments)
            raise OSError(number, os.strerror(number), str(path.path))

        monkeypatch.setattr(file_tree, function, fail)
        with pytest.raises(SourceError, match=os.strerror(number)):
            tree.list()
        assert tree.warnings == []

    def test_too_many_open_files_are_not_a_missing_file(self, tree: Tree) -> None:
        resource = pytest.importorskip("resource")
        tree.write("a.txt")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")), hard))  # noqa: PTH208
        spare: list[int] = []
        try:
            with suppress(OSError):
                spare.extend(iter(lambda: os.open(os.devnull, os.O_RDONLY), -1))
            with pytest.raises(ServerFailureError, match="Too many open files"):
                FileTree(tree.root).open("a.txt")
            with pytest.raises(SourceError, match="Too many open files"):
                tree.list()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for one in spare:
                os.close(one)
        assert "/a.txt" in tree.list()

    def test_a_link_to_itself_is_left_out(self, tree: Tree) -> None:
        (tree.root / "loop").symlink_to(tree.root / "loop")
        tree.write("a.txt")
        assert "/a.txt" in tree.list()
