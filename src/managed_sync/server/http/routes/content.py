"""The content of a file as an HTTP answer: its type, its name, its tag, and parts of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from managed_sync.server.http.problems import ProblemError, documented
from managed_sync.server.storage.records import StoredRecord
from managed_sync.server.sync.projects import Content, Project

__all__ = ["CONTENT_ANSWERS", "record_content"]

_BLOCK = 1 << 18
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")


_BYTES = {"schema": {"type": "string", "format": "binary"}}
CONTENT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "File content, under the media type that the file has.",
        "content": {"application/octet-stream": _BYTES, "*/*": _BYTES},
    },
    206: {
        "description": "The range of the content that was asked for.",
        "content": {"*/*": _BYTES},
    },
    304: {"description": "The content is the one whose ETag was sent."},
    **documented(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE),
}
"""What the documentation of a route says that answers with a content."""


class _Part(NamedTuple):
    start: int
    size: int


def record_content(request: Request, found: StoredRecord, project: Project) -> Response:
    """The content of a record: whole (200), in part (206), or as known already (304).

    Raises:
        ProblemError: 404 for a record without content, or whose content is gone; 416 for a part
            that the content does not have.
    """
    if found.location is None:
        kind = "a folder" if found.container else f"of the kind {found.record.sync_type!r}"
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The record {found.record.id!r} is {kind}; only files have content.",
        )
    content = project.open(found)
    if content is None:
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            f"The file {found.record.source_id!r} is no longer there, is another one than was "
            "synced, or cannot be read; the next sync brings the records up to date.",
        )
    return _response(
        request,
        content,
        media_type=str(found.record.data["mimeType"]),
        name=str(found.record.data.get("name", found.record.source_id)),
    )


def _response(request: Request, content: Content, *, media_type: str, name: str) -> Response:
    tag = f'"{content.tag}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Accept-Ranges": "bytes"}
    if _is_known(request.headers.get("if-none-match"), tag):
        content.file.stream.close()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    size = content.file.size
    part = None
    if request.headers.get("if-range") in {None, tag}:
        part = _part(request.headers.get("range"), size)
    if part is not None and not part.size:
        content.file.stream.close()
        raise ProblemError(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"The content has {size} bytes, none of which are in that range.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.start + part.size - 1}/{size}"
    start, length = part or _Part(0, size)
    return StreamingResponse(
        _blocks(content, start, length),
        status_code=HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT,
        headers={
            **headers,
            # As a header, for as a media type it would get a charset that nobody knows.
            "Content-Type": media_type,
            "Content-Length": str(length),
            "Content-Disposition": _disposition(name),
            "X-Content-Type-Options": "nosniff",
        },
    )


def _is_known(tags: str | None, tag: str) -> bool:
    if tags is None:
        return False
    known = {one.strip().removeprefix("W/") for one in tags.split(",")}
    return "*" in known or tag in known


def _part(wanted: str | None, size: int) -> _Part | None:
    """The part that is asked for, empty when there is none such; ``None`` for the whole.

    Several parts at once, and what cannot be read, are answered with the whole, as RFC 9110 has it.
    """
    match = _RANGE.fullmatch(wanted.strip()) if wanted is not None else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(int(suffix), size)
        return _Part(size - length, length)
    start, end = int(first), int(last) if last else size - 1
    if last and end < start:
        return None
    return _Part(start, max(0, min(end, size - 1) - start + 1))


def _blocks(content: Content, start: int, length: int) -> Iterator[bytes]:
    """The content up to the promised length, even when the file grows meanwhile.

    It breaks off where the file was changed after the permissions were.
    """
    left = length
    with content.file.stream as stream:
        stream.seek(start)
        while left and (block := stream.read(min(_BLOCK, left))) and content.may_go_on():
            left -= len(block)
            yield block


def _disposition(name: str) -> str:
    """RFC 6266: the name in ASCII for old readers, and as it is (RFC 5987) for the others."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_"
        for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
