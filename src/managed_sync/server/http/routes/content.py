"""The content of a file as an HTTP response: media type, name, ETag and ranges."""

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
        "description": "The requested range of the content.",
        "content": {"*/*": _BYTES},
    },
    304: {"description": "The content has not changed since the ETag in the request."},
    **documented(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE),
}
"""The responses of a route that sends content, for the OpenAPI document."""


class _Part(NamedTuple):
    start: int
    size: int


def record_content(request: Request, found: StoredRecord, project: Project) -> Response:
    """Returns the content of a record: whole (200), a range (206), or not modified (304).

    Raises:
        ProblemError: 404 for a record without content, or whose content is gone; 416 for a range
            that lies outside of the content.
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
            # Set as a header: as a media type it would get a charset, which is unknown here.
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
    """Returns the requested range, empty if it lies outside; ``None`` for the whole content.

    Several ranges, and a header that cannot be parsed, get the whole content (RFC 9110).
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
    """Yields the content up to the promised length, even if the file grows meanwhile.

    The response ends early if the file and the permissions were changed after the sync.
    """
    left = length
    with content.file.stream as stream:
        stream.seek(start)
        while left and (block := stream.read(min(_BLOCK, left))) and content.may_go_on():
            left -= len(block)
            yield block


def _disposition(name: str) -> str:
    """Returns the header of RFC 6266: the name in ASCII for old clients, and encoded (RFC 5987)."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_"
        for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
