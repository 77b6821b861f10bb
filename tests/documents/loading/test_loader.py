from __future__ import annotations

import inspect
import threading
import time
from typing import Any

import pytest

from managed_sync.documents import (
    DocumentLoader,
    LoadFailure,
    LoadOptions,
    LoadProgress,
    RecordTemplate,
    SourceDocument,
)
from managed_sync.errors import (
    ApiConnectionError,
    ApiTimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ContentTooLargeError,
    EmptyContentError,
    ForbiddenError,
    InvalidIdentifierError,
    ManagedSyncError,
    NotFoundError,
    ParsingError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.models import FileContent, SyncedRecord, SyncState, SyncStatus
from tests.documents.text_files import client_of, file_record, load, text_file
from tests.support.record_source import RecordSource


def test_a_document_carries_everything_that_is_known_about_its_record() -> None:
    record = file_record(1, parentId="f9", url="https://drive.example/plan")
    client = RecordSource([record], {"r1": text_file("The plan.")})
    assert load(client) == [
        SourceDocument(
            "The plan.\n",
            {
                "object_id": "file:r1",
                "record_id": "r1",
                "source_id": "/Plans/plan 1.txt",
                "integration": "googleDrive",
                "sync_type": "files",
                "project_id": "p1",
                "container_id": "folder:f9",
                "title": "plan 1.txt",
                "url": "https://drive.example/plan",
                "mime_type": "text/plain",
                "updated_at": "2026-11-02T09:30:00+00:00",
            },
        )
    ]


def test_what_is_not_known_is_left_out() -> None:
    record = SyncedRecord(id="r1", integration="googleDrive", sync_type="files", source_id="/a.txt")
    (document,) = load(RecordSource([record], {"r1": text_file("words")}))
    assert isinstance(document, SourceDocument)
    assert set(document.metadata) == {
        *("object_id", "record_id", "source_id", "integration", "sync_type", "project_id"),
        *("title", "mime_type"),
    }
    assert document.metadata["title"] == "a.txt"


PAGE = b"<html><title>Sign in</title><body>Please sign in.</body></html>"
ERROR = b'{"error": {"code": 503}}'


@pytest.mark.parametrize(
    ("data", "content_type"),
    [(PAGE, "text/html"), (ERROR, "application/json"), (ERROR, "application/problem+json")],
)
@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("plan.txt", "text/plain"),
        ("plan", "text/plain; charset=utf-8"),
        ("plan.pdf", "application/pdf"),
        ("plan.md", "text/markdown"),
        (
            "plan.docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
    ],
)
def test_a_login_page_or_an_error_is_not_taken_for_a_file_of_another_type(
    name: str, declared: str, data: bytes, content_type: str
) -> None:
    record = file_record(1, name=name, mimeType=declared, size=9_000)
    content = FileContent(data=data, content_type=content_type)

    (failure,) = load(RecordSource([record], {"r1": content}))

    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, ParsingError)
    assert "login page" in failure.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "plan.html", "mimeType": "text/html"},
        {"name": "plan.html", "mimeType": "text/plain"},
        {"name": "plan", "mimeType": "application/vnd.google-apps.document"},
        {"name": "plan", "mimeType": "application/octet-stream"},
        {"name": "plan", "mimeType": None},
        {"name": "plan.txt", "mimeType": "text/plain", "size": len(PAGE)},
    ],
)
def test_a_page_that_may_be_the_file_is_read(fields: dict[str, Any]) -> None:
    content = FileContent(data=PAGE, content_type="text/html")

    (document,) = load(RecordSource([file_record(1, **fields)], {"r1": content}))

    assert isinstance(document, SourceDocument)
    assert "Please sign in" in document.text


def test_small_tables_are_in_the_metadata_too_as_html() -> None:
    (document,) = load(client_of(r1="| City |\n| --- |\n| Oslo |\n"))
    assert isinstance(document, SourceDocument)
    assert document.metadata["tables_html"] == (
        "<table><tr><th>City</th></tr><tr><td>Oslo</td></tr></table>"
    )


def test_records_that_are_not_files_become_text_without_a_download() -> None:
    record = SyncedRecord(
        id="d1", integration="salesforce", sync_type="deals", data={"name": "Arm", "parentId": "x"}
    )
    client = RecordSource([record], {})
    (document,) = load(client)
    assert isinstance(document, SourceDocument)
    assert document.text == "# Arm\n"
    assert document.object_id == "deal:d1"
    assert document.metadata["container_id"] == "folder:x"
    assert document.metadata["mime_type"] == "text/markdown"
    assert client.downloads == []


def test_a_template_of_the_users_own_reaches_the_records() -> None:
    record = SyncedRecord(id="d1", integration="x", sync_type="deals", data={"name": "Arm"})
    (document,) = load(RecordSource([record], {}), templates={"deals": lambda one: "A\0rm!"})
    assert isinstance(document, SourceDocument)
    assert document.text == "Arm!"


@pytest.mark.parametrize("kind", ["inode/directory", "application/vnd.google-apps.folder"])
def test_folders_are_left_out(kind: str) -> None:
    client = RecordSource([file_record(1, mimeType=kind)], {})
    assert load(client) == []
    assert client.downloads == []


def test_the_order_is_kept_though_downloads_take_different_times() -> None:
    class SlowFirst(RecordSource):
        def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
            time.sleep(0.05 if record_id in {"r0", "r3"} else 0)
            return super().download_content(record_id)

    names = [f"r{number}" for number in range(10)]
    client = SlowFirst(
        [file_record(number) for number in range(10)],
        {name: text_file(name) for name in names},
    )
    assert [item.text for item in load(client) if isinstance(item, SourceDocument)] == [
        f"{name}\n" for name in names
    ]


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("gone", status=404),
        BadRequestError("no", status=400),
        ServerError("down", status=500),
        ResponseFormatError("odd"),
        ApiTimeoutError("late"),
        ContentTooLargeError("big"),
    ],
)
def test_a_record_that_fails_is_reported_and_the_others_are_loaded(
    error: ManagedSyncError,
) -> None:
    before, failure, after = load(client_of(r1="one", r2=error, r3="three"))
    assert isinstance(before, SourceDocument)
    assert isinstance(after, SourceDocument)
    assert failure == LoadFailure("r2", "file:r2", "plan 2.txt", str(error), error)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("expired", status=401),
        ForbiddenError("other project", status=403),
        RateLimitError("slow down", status=429),
        ApiConnectionError("refused"),
        ConfigurationError("missing"),
    ],
)
def test_what_would_hit_every_record_is_raised(error: ManagedSyncError) -> None:
    with pytest.raises(type(error)):
        load(client_of(r1="one", r2=error, r3="three"))


def test_a_file_that_cannot_be_read_is_reported_with_its_name() -> None:
    png = FileContent(data=b"\x89PNG\r\n\x1a\n123", content_type="image/png")
    empty = FileContent(data=b"", content_type="text/plain")
    picture, nothing, good = load(client_of(r1=png, r2=empty, r3="three"))
    assert isinstance(picture, LoadFailure)
    assert isinstance(picture.error, ParsingError)
    assert picture.reason == "plan 1.txt: no text can be read from image/png."
    assert isinstance(nothing, LoadFailure)
    assert isinstance(nothing.error, EmptyContentError)
    assert isinstance(good, SourceDocument)


def test_a_parser_that_fails_in_its_own_way_is_reported_with_the_cause() -> None:
    def parser(data: bytes, *, content_type: str, filename: str) -> str:
        raise KeyError(filename)

    (failure,) = load(client_of(r1="one"), parser=parser)
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, ParsingError)
    assert isinstance(failure.error.__cause__, KeyError)
    assert "plan 1.txt" in failure.reason


def test_an_interrupt_during_parsing_is_not_swallowed() -> None:
    def parser(data: bytes, *, content_type: str, filename: str) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(client_of(r1="one"), parser=parser)


def test_a_parser_of_the_users_own_gets_bytes_type_and_name() -> None:
    def parser(data: bytes, *, content_type: str, filename: str) -> str:
        return f"{data!r} {content_type} {filename}"

    (document,) = load(client_of(r1="one"), parser=parser)
    assert isinstance(document, SourceDocument)
    assert document.text == "b'one' text/plain plan 1.txt"


def test_a_parser_that_finds_nothing_makes_no_document() -> None:
    (failure,) = load(client_of(r1="one"), parser=lambda data, *, content_type, filename: " \n")
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, EmptyContentError)


def test_the_records_type_counts_where_the_server_sends_none() -> None:
    record = file_record(1, name="page", mimeType="text/html")
    (document,) = load(RecordSource([record], {"r1": FileContent(data=b"<h1>Hi</h1>")}))
    assert isinstance(document, SourceDocument)
    assert document.text == "# Hi\n"
    assert document.metadata["mime_type"] == "text/html"


def test_a_file_that_is_too_large_is_refused_before_the_download() -> None:
    client = RecordSource([file_record(1, size=11)], {"r1": text_file("x" * 11)})
    (failure,) = load(client, max_bytes=10)
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, ContentTooLargeError)
    assert failure.reason == (
        "plan 1.txt has 11 bytes; the limit is 10. Raise max_bytes to load it."
    )
    assert client.downloads == []


def test_a_file_that_is_larger_than_its_record_says_is_refused_too() -> None:
    (failure,) = load(
        RecordSource([file_record(1, size=1)], {"r1": text_file("x" * 11)}), max_bytes=10
    )
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, ContentTooLargeError)


def test_the_limit_is_the_clients_too_so_that_it_may_be_larger_than_the_clients_own() -> None:
    client = client_of(r1="one")
    load(client, max_bytes=10**9)
    assert client.limits == {10**9}


def test_the_callers_object_id_is_used_for_documents_and_failures() -> None:
    client = client_of(r1="one", r2=NotFoundError("gone", status=404))
    document, failure = load(client, object_id=lambda record: f"doc:{record.id}-x")
    assert document.object_id == "doc:r1-x"
    assert failure.object_id == "doc:r2-x"


def test_an_error_can_be_declared_one_of_a_single_record() -> None:
    client = client_of(r1="one", r2=ForbiddenError("not this one", status=403), r3="three")

    _, failure, after = load(client, of_one_record=[ForbiddenError])

    assert isinstance(failure, LoadFailure)
    assert isinstance(after, SourceDocument)


@pytest.mark.parametrize(
    "error", [InvalidIdentifierError("'..' cannot be used as a record id."), PermissionError("no")]
)
def test_a_download_that_fails_in_its_own_way_is_reported_with_the_title(error: Any) -> None:
    _, failure, after = load(client_of(r1="one", r2=error, r3="three"))

    assert isinstance(failure, LoadFailure)
    assert "plan 2.txt" in failure.reason
    assert isinstance(after, SourceDocument)


def test_a_template_that_fails_concerns_its_record_only() -> None:
    def template(record: SyncedRecord) -> str:
        return f"# {record.data['subject']}\n"

    client = client_of()
    records = [
        SyncedRecord(id=name, integration="desk", sync_type="tickets", data=data)
        for name, data in (("t1", {}), ("t2", {"subject": "Crane"}))
    ]
    loader = DocumentLoader(client, templates={"tickets": template}, processes=0)

    failure, document = loader.load_records(records)

    assert isinstance(failure, LoadFailure)
    assert "KeyError: 'subject'" in failure.reason
    assert isinstance(document, SourceDocument)


class TestTitles:
    RECORD = SyncedRecord(
        id="7",
        integration="erp",
        sync_type="invoices",
        data={"number": "R-7", "name": "internal row 7"},
    )

    def test_text_metadata_and_reports_have_the_title_of_the_template(self) -> None:
        template = RecordTemplate(titles=("number",))
        loader = DocumentLoader(client_of(), templates={"invoices": template}, processes=0)

        (document,) = loader.load_records([self.RECORD])

        assert isinstance(document, SourceDocument)
        assert document.text.startswith("# R-7\n")
        assert document.metadata["title"] == "R-7"
        assert loader.describe(self.RECORD)["title"] == "R-7"
        assert loader.title(self.RECORD) == "R-7"

    def test_half_a_character_is_in_no_metadata(self) -> None:
        file = file_record(1, name="a\ud83d.txt", parentId="p\ud800", url="https://x/\ud800")

        described = DocumentLoader(client_of(), processes=0).describe(file)

        assert (described["title"], described["container_id"]) == ("a\ufffd.txt", "folder:p\ufffd")
        assert str(described["url"]).isprintable()

    def test_a_file_without_a_name_has_one_title_everywhere(self) -> None:
        file = SyncedRecord(
            id="7", integration="box", sync_type="files", source_id="/Plans/2026/plan.md"
        )

        assert DocumentLoader(client_of(), processes=0).title(file) == "plan.md"


def test_an_object_id_that_is_none_stops_the_load() -> None:
    with pytest.raises(InvalidIdentifierError):
        load(client_of(r1="one"), object_id=lambda record: "")


def test_only_a_few_files_are_downloaded_ahead_of_the_caller() -> None:
    before = set(threading.enumerate())
    client = client_of(**{f"r{number}": f"text {number}" for number in range(100)})
    loaded = DocumentLoader(client, downloads=3).load("googleDrive", "files")
    next(loaded)
    time.sleep(0.05)
    assert len(client.downloads) <= 4 * 3
    loaded.close()
    assert not [
        thread
        for thread in set(threading.enumerate()) - before
        if thread.name.startswith("managed-sync")
    ]


def test_no_more_files_are_downloaded_at_once_than_asked() -> None:
    class Counting(RecordSource):
        now = most = 0
        lock = threading.Lock()

        def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.01)
            with self.lock:
                self.now -= 1
            return super().download_content(record_id)

    names = [f"r{number}" for number in range(30)]
    client = Counting(
        [file_record(number) for number in range(30)], {name: text_file(name) for name in names}
    )
    assert len(load(client, downloads=5)) == 30
    assert client.most == 5


def test_what_is_ready_comes_first_where_order_is_not_asked_for() -> None:
    release = threading.Event()

    class FirstIsStuck(RecordSource):
        def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
            if record_id == "r0":
                release.wait()
            return super().download_content(record_id)

    client = FirstIsStuck(
        [file_record(number) for number in range(3)],
        {f"r{number}": text_file(f"text {number}") for number in range(3)},
    )
    loaded = DocumentLoader(client, keep_order=False).load("googleDrive", "files")
    first = [next(loaded).object_id, next(loaded).object_id]
    release.set()
    assert set(first) == {"file:r1", "file:r2"}
    assert [one.object_id for one in loaded] == ["file:r0"]


def test_folders_are_loaded_under_their_own_ids_when_asked_for() -> None:
    record = file_record(1, name="Plans", mimeType="inode/directory")
    client = RecordSource([record], {})
    (document,) = load(client, include_folders=True)
    assert isinstance(document, SourceDocument)
    assert document.object_id == "folder:r1"
    assert document.metadata["title"] == "Plans"
    assert document.text.startswith("# Plans\n")
    assert client.downloads == []


def test_the_caller_hears_how_far_it_is() -> None:
    class Known(RecordSource):
        def get_sync_status(self, integration: str, sync_type: str) -> SyncStatus:
            return SyncStatus(
                integration=integration, sync_type=sync_type, status=SyncState.IDLE, record_count=2
            )

    heard: list[LoadProgress] = []
    gone = NotFoundError("gone", status=404)
    client = Known([file_record(1), file_record(2)], {"r1": text_file("one"), "r2": gone})
    load(client, on_progress=heard.append)
    assert heard == [LoadProgress(1, 0, 2), LoadProgress(1, 1, 2)]
    assert [progress.done for progress in heard] == [1, 2]


def test_a_bar_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    load(client_of(r1="one", r2=NotFoundError("gone", status=404)), show_progress=True)
    shown = capsys.readouterr().err
    assert "Loading" in shown
    assert "2 records" in shown
    assert "1 failed" in shown


def test_options_can_be_passed_on_under_the_same_names() -> None:
    parameters = inspect.signature(DocumentLoader).parameters
    assert set(LoadOptions.__annotations__) == set(parameters) - {"client"}


@pytest.mark.parametrize(
    "options",
    [
        {"max_bytes": 0},
        {"downloads": 0},
        {"processes": -1},
        {"parse_timeout": 0},
        {"max_memory": 0},
    ],
)
def test_limits_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        DocumentLoader(client_of(), **options)  # type: ignore[arg-type]
