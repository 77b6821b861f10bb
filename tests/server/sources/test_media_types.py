from __future__ import annotations

import pytest

from managed_sync.server.sources.media_types import media_type_of

OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.md", "text/markdown"),
        ("a.txt", "text/plain"),
        ("a.html", "text/html"),
        ("a.csv", "text/csv"),
        ("a.docx", f"{OFFICE}.wordprocessingml.document"),
        ("a.pptx", f"{OFFICE}.presentationml.presentation"),
        ("A.XLSX", f"{OFFICE}.spreadsheetml.sheet"),
        ("a.pdf", "application/pdf"),
        ("a.eml", "message/rfc822"),
        ("a.csv.gz", "application/gzip"),
        ("https://x/?#.pdf", "application/pdf"),
        ("a.unknown", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_the_name_gives_the_type(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
