from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from managed_sync.errors import SourceError
from managed_sync.server.sources.json_lines import json_lines_items
from managed_sync.server.sources.model import ListingContext, SourceItem


def _read(path: Path, content: bytes) -> tuple[list[SourceItem], list[str]]:
    path.write_bytes(content)
    warnings: list[str] = []
    items = list(json_lines_items(path, ListingContext({}, warnings.append, lambda: None)))
    return items, warnings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deals.jsonl"


def test_a_line_is_an_item_with_all_its_fields(path: Path) -> None:
    (item,), warnings = _read(path, '{"id": "d-1", "größe": [1, null]}\n'.encode())
    assert (item.source_id, item.data) == ("d-1", {"id": "d-1", "größe": [1, None]})
    assert warnings == []


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T12:00:00+02:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (7, None),
        (None, None),
    ],
)
def test_updated_at_is_read_where_it_is_a_time(
    path: Path, written: object, read: datetime | None
) -> None:
    (item,), warnings = _read(path, json.dumps({"id": "d", "updatedAt": written}).encode())
    assert item.updated_at == read
    assert warnings == []


def test_blank_lines_a_byte_order_mark_and_windows_line_ends_do_no_harm(path: Path) -> None:
    items, warnings = _read(path, b'\xef\xbb\xbf{"id": "a"}\r\n\r\n  \n{"id": "b"}')
    assert [item.source_id for item in items] == ["a", "b"]
    assert warnings == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"id": "d"', "not JSON"),
        (b'["d"]', "not an object"),
        (b"7", "not an object"),
        (b"{}", "'id'"),
        (b'{"id": ""}', "'id'"),
        (b'{"id": 7}', "'id'"),
        (b'{"id": "a\\u0000"}', "'id'"),
        (b'{"id": "d", "amount": NaN}', "NaN"),
        (b'{"id": "d", "amount": 1e999}', "not JSON compliant"),
        (b'{"id": "d", "name": "\\ud800"}', "half a character"),
        (b'{"id": "d", "name": "\xff"}', "not UTF-8"),
        (b'{"id": "d", "x": ' + b"[" * 70 + b"]" * 70 + b"}", "nested"),
        (b"[" * 100_000, "nested"),
        (b'{"id": "a"}', "'a' is there already"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(path: Path, line: bytes, says: str) -> None:
    items, warnings = _read(path, b'{"id": "a"}\n' + line + b'\n{"id": "z"}\n')
    assert [item.source_id for item in items] == ["a", "z"]
    (warning,) = warnings
    assert warning.startswith("deals.jsonl, line 2 is left out: ")
    assert says in warning


def test_an_empty_file_has_no_items(path: Path) -> None:
    assert _read(path, b"") == ([], [])


def test_a_missing_file_is_an_error(path: Path) -> None:
    with pytest.raises(SourceError, match=r"deals\.jsonl"):
        list(json_lines_items(path, ListingContext({}, print, lambda: None)))
