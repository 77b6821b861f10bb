"""Whatever a source holds, each file gives its text or a clear reason, and the next one is read."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import psutil
import pytest

from managed_sync.documents import DocumentLoader, Loaded, LoadFailure
from managed_sync.errors import ContentTooLargeError
from managed_sync.models import FileContent, SyncedRecord
from tests.documents.hard_files import HardFile, all_hard_files, docx_bomb
from tests.support.record_source import RecordSource

HARD_FILES = all_hard_files()


def client_with(hard: list[HardFile]) -> RecordSource:
    records = [
        SyncedRecord(
            id=f"r{number}",
            integration="googleDrive",
            sync_type="files",
            data={"name": one.name, "mimeType": one.content_type},
        )
        for number, one in enumerate(hard)
    ]
    contents = [FileContent(data=one.content(), content_type=one.content_type) for one in hard]
    return RecordSource(
        records, {record.id: content for record, content in zip(records, contents, strict=True)}
    )


def loaded_from(hard: list[HardFile], **options: Any) -> list[Loaded]:
    return list(DocumentLoader(client_with(hard), **options).load("x", "files"))


@cache
def all_loaded(parser: str | None) -> dict[str, Loaded]:
    """Everything in one go, as a source would have it."""
    loaded = loaded_from(HARD_FILES, parser=parser, processes=2)
    return {hard.name: one for hard, one in zip(HARD_FILES, loaded, strict=True)}


@pytest.mark.parametrize(
    "parser", [None, "kreuzberg", pytest.param("unstructured", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("hard", HARD_FILES, ids=lambda hard: hard.name)
def test_a_hard_file_gives_its_text_or_a_clear_reason(hard: HardFile, parser: str | None) -> None:
    loaded = all_loaded(parser)[hard.name]
    if isinstance(loaded, LoadFailure):
        assert hard.reason, loaded.reason
        assert re.search(hard.reason, loaded.reason), loaded.reason
        assert hard.name in loaded.reason
        assert "\n" not in loaded.reason
    else:
        assert hard.text, loaded.text[:200]
        assert hard.text in loaded.text
        loaded.text.encode("utf-8")
        assert "\0" not in loaded.text


def test_a_bomb_that_hides_its_size_is_stopped_by_the_limits_of_its_process() -> None:
    honest = docx_bomb()
    # The size in the archive's own table is what is checked before anything is unpacked.
    size = (300 * 1024**2).to_bytes(4, "little")
    hidden = honest.replace(size, (1000).to_bytes(4, "little"))
    assert hidden != honest
    hard = HardFile("bomb.docx", HARD_FILES[0].content_type, hidden)
    bomb, after = loaded_from(
        [hard, HARD_FILES[-1]], processes=1, max_memory=1024**3, parse_timeout=60
    )
    assert isinstance(bomb, LoadFailure)
    assert bomb.reason.startswith("bomb.docx")
    assert not isinstance(after, LoadFailure)
    assert psutil.Process().memory_info().rss < 2 * 1024**3


@pytest.mark.parametrize("announced", [True, False])
def test_a_csv_file_of_200_mb_is_refused_by_the_limit(announced: bool) -> None:
    size = 200 * 1024**2
    client = client_with([HardFile("sales.csv", "text/csv", b"1,2\n" * (size // 4))])
    if announced:
        client.records[0].data["size"] = size
    (failure,) = DocumentLoader(client).load("x", "files")
    assert isinstance(failure, LoadFailure)
    assert isinstance(failure.error, ContentTooLargeError)
    assert failure.reason == (
        "sales.csv has 209,715,200 bytes; the limit is 104,857,600. Raise max_bytes to load it."
    )
    assert client.downloads == ([] if announced else ["r0"])
