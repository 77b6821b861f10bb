"""A JSON Lines file, as source items: one object per line, with an ``id``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from managed_sync.errors import SourceError
from managed_sync.server.sources.model import ListingContext, SourceItem

__all__ = ["file_mark", "json_lines_items"]

_MAX_DEPTH = 64


def json_lines_items(path: Path, listing: ListingContext) -> Iterator[SourceItem]:
    """Lists the file; a line that cannot be read is left out with a warning.

    Raises:
        SourceError: The file cannot be read, or may be half written, so its lines are unknown.
    """
    seen: set[str] = set()
    try:
        with path.open("rb") as lines:
            listing.seen[path.name] = {"": file_mark(os.fstat(lines.fileno()))}
            for number, line in enumerate(lines, start=1):
                listing.keep_going()
                if not line.strip():
                    continue
                try:
                    item = _item(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
                    if item.source_id in seen:
                        raise ValueError(f"the id {item.source_id!r} is there already")
                except (ValueError, RecursionError) as error:
                    if not line.endswith(b"\n"):
                        raise SourceError(
                            f"{path}, line {number}: the file ends in the middle of this line "
                            f"({_reason(error)}), so it may be half written. Complete the line; "
                            "what was synced before is kept."
                        ) from None
                    listing.warn(f"{path.name}, line {number} is left out: {_reason(error)}.")
                    continue
                seen.add(item.source_id)
                yield item
    except OSError as error:
        raise SourceError(
            f"Cannot read {path}: {error.strerror}. Put it back, or correct its access rights; "
            "what was synced before is kept."
        ) from None


def file_mark(status: os.stat_result) -> str:
    """Returns a mark that changes whenever a file is written or replaced."""
    return f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}"


def _item(line: bytes) -> SourceItem:
    fields = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    if not isinstance(fields, dict):
        raise ValueError("it is not an object")
    identifier = fields.get("id")
    if not isinstance(identifier, str) or not identifier.strip() or not identifier.isprintable():
        raise ValueError("it needs an 'id', which must be a non-empty string")
    _refuse_unservable(fields)
    return SourceItem(identifier, fields, updated_at=_timestamp(fields.get("updatedAt")))


def _refuse_unservable(fields: dict[str, Any]) -> None:
    # json.loads accepts infinite numbers, halves of characters and any nesting. These would fail
    # later, when a whole page of records is sent.
    json.dumps(fields, allow_nan=False, ensure_ascii=False).encode()
    if _depth(fields) > _MAX_DEPTH:
        raise ValueError(f"it is nested more than {_MAX_DEPTH} levels deep")


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _timestamp(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg}, column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "it holds half a character"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)
