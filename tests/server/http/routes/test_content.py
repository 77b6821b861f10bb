"""Contents by range, by tag, and as copies."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from managed_sync.models import SyncedRecord
from managed_sync.server.http.routes.content import _blocks
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.blobs import Blobs
from managed_sync.server.storage.records import StoredRecord
from managed_sync.server.sync.projects import Project
from tests.server.company import FILES, Caller, Company

Configured = Callable[..., Caller]
BUDGET = b"The budget is 10."


class Download:
    """Asks for the content of one file."""

    def __init__(self, caller: Caller, source_id: str) -> None:
        self._http = caller.http
        record = caller.records(FILES)[source_id]["id"]
        self._path = f"/projects/{caller.project}/sync/records/{record}/content"

    def __call__(self, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._http.get(self._path, headers=named)


@pytest.fixture
def download(harbor_caller: Caller) -> Download:
    return Download(harbor_caller, "/Finance/budget.txt")


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-3", 0, 4),
        ("bytes=4-", 4, 17),
        ("bytes=-3", 14, 17),
        ("bytes=8-99", 8, 17),
        ("bytes=-99", 0, 17),
        ("bytes=16-16", 16, 17),
    ],
)
def test_a_range_is_answered_with_that_part(
    download: Download, wanted: str, start: int, end: int
) -> None:
    response = download(range=wanted)
    assert response.status_code == 206
    assert response.content == BUDGET[start:end]
    assert response.headers["content-range"] == f"bytes {start}-{end - 1}/17"
    assert response.headers["content-length"] == str(end - start)
    assert response.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("wanted", ["bytes=17-", "bytes=99-100", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(download: Download, wanted: str) -> None:
    response = download(range=wanted)
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */17"
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=3-1", "bytes=0-1,4-5", "lines=0-1", "bytes=", "bytes=a-b", "bytes=-", "x" * 99],
)
def test_what_is_no_single_range_is_answered_with_the_whole(
    download: Download, wanted: str
) -> None:
    response = download(range=wanted)
    assert (response.status_code, response.content) == (200, BUDGET)


def test_a_content_that_is_known_already_is_not_sent_again(download: Download) -> None:
    tag = download().headers["etag"]
    assert tag == f'"{hashlib.sha256(BUDGET).hexdigest()}"'
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        response = download(if_none_match=known)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == tag
    assert download(if_none_match='"other"').status_code == 200


def test_the_rest_of_another_content_is_never_sent(caller: Caller, company: Company) -> None:
    caller.enable(FILES)
    download = Download(caller, "/handbook.md")
    tag = download().headers["etag"]
    assert download(range="bytes=4-", if_range=tag).status_code == 206
    company.write_file("handbook.md", b"changed meanwhile")
    response = download(range="bytes=4-", if_range=tag)
    assert (response.status_code, response.content) == (200, b"changed meanwhile")
    assert response.headers["etag"] != tag
    assert download(if_none_match=tag).status_code == 200


def test_an_interrupted_download_goes_on_where_it_stopped(caller: Caller, company: Company) -> None:
    content = os.urandom(1 << 20)
    company.write_file("big.bin", content)
    caller.enable(FILES)
    download = Download(caller, "/big.bin")
    first = download(range="bytes=0-399999")
    rest = download(range="bytes=400000-", if_range=first.headers["etag"])
    assert first.content + rest.content == content


class TestCopies:
    @pytest.fixture
    def copying(self, configured: Configured) -> Caller:
        caller = configured(content="blobs")
        caller.enable(FILES)
        return caller

    def test_what_is_served_is_what_was_synced(self, copying: Caller, company: Company) -> None:
        handbook = Download(copying, "/handbook.md")
        tag = handbook().headers["etag"]
        (company.files / "handbook.md").write_text("changed")
        (company.files / "Finance/budget.txt").unlink()
        assert handbook().text == "# Handbook\n\nBe kind.\n"
        assert Download(copying, "/Finance/budget.txt")().text == "The budget is 10."
        copying.enable(FILES)
        assert Download(copying, "/handbook.md")().text == "changed"
        assert Download(copying, "/handbook.md")().headers["etag"] != tag

    def test_equal_contents_are_kept_once(self, copying: Caller, company: Company) -> None:
        company.write_file("copy.txt", "The budget is 10.")
        copying.enable(FILES)
        blobs = company.folder.parent / "state" / "blobs"
        names = [path.name for path in blobs.glob("??/*")]
        assert len(names) == len(set(names)) == 3
        assert not list((blobs / "drafts").iterdir())

    def test_a_copy_that_was_lost_is_made_again(self, copying: Caller, company: Company) -> None:
        blobs = company.folder.parent / "state" / "blobs"
        for path in blobs.glob("??/*"):
            path.unlink()
        lost = Download(copying, "/handbook.md")()
        assert (lost.status_code, "lost" in lost.json()["detail"]) == (503, True)
        copying.enable(FILES)
        assert Download(copying, "/handbook.md")().status_code == 200


def test_copies_that_nobody_wants_are_removed_whatever_the_clock_says(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    for digest in ("aa11", "bb22", "cc33"):
        with blobs.draft() as draft:
            draft.write(b"x")
            draft.keep(digest)
    os.utime(tmp_path / "aa" / "aa11", (0, 0))
    os.utime(tmp_path / "bb" / "bb22", (4_000_000_000, 4_000_000_000))
    assert blobs.sweep({"aa11"}) == 2
    assert [blobs.holds(digest) for digest in ("aa11", "bb22", "cc33")] == [True, False, False]


def test_nothing_is_left_of_a_copy_that_broke_off(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)

    def copy() -> None:
        with blobs.draft() as draft:
            draft.write(b"half")
            raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        copy()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


class TestAnotherFile:
    """A content is never served under permissions that are not its own."""

    def test_what_was_moved_to_a_record_s_place_is_not_served_as_that_record(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        handbook = Download(caller, "/handbook.md")
        (company.files / "Finance/budget.txt").replace(company.files / "handbook.md")
        response = handbook()
        assert response.status_code == 404
        assert "another one than was synced" in response.json()["detail"]
        caller.enable(FILES)
        assert handbook().text == "The budget is 10."

    def test_what_was_written_after_permissions_changed_waits_for_the_next_sync(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        handbook = Download(caller, "/handbook.md")
        company.replace_in_permissions("files:\n", "files:\n  /handbook.md: {inherit: false}\n")
        assert handbook().text == "# Handbook\n\nBe kind.\n"
        company.write_file("handbook.md", "a secret")
        assert handbook().status_code == 404
        caller.enable(FILES)
        assert handbook().text == "a secret"

    def test_what_is_written_while_it_is_sent_is_not_sent_if_the_permissions_changed_before(
        self, company: Company
    ) -> None:
        file = company.write_file("large.txt", "public " * 50_000)
        source = FolderSource(company.folder)
        blocks = self._download(source, "large.txt")
        next(blocks)
        os.utime(file)  # changed under the same permissions: it goes on
        assert b"public" in next(blocks)
        company.replace_in_permissions("files:\n", "files:\n  /large.txt: {inherit: false}\n")
        company.write_file("large.txt", "secret " * 50_000)

        assert list(blocks) == []

    @staticmethod
    def _download(source: FolderSource, location: str) -> Iterator[bytes]:
        published = source.moment().digest
        file = source.open(location)
        assert file is not None
        record = StoredRecord(
            record=SyncedRecord(id="r", integration="googleDrive", sync_type="files"),
            object="file:r",
            container=False,
            location=location,
            version=file.version,
            digest="d",
            published_under=published,
        )
        file.stream.close()
        project = Project("demo", source, cast("Any", None), None)
        content = project.open(record)
        assert content is not None
        return _blocks(content, 0, content.file.size)
