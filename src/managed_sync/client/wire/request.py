"""A request to the API, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from managed_sync.errors import InvalidIdentifierError

__all__ = ["Request", "path_segment"]

# httpx refuses URLs of more than 65,536 characters.
_MAX_SEGMENT_LENGTH = 60_000
_SHOWN_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: The HTTP method.
        path: The path below the API's base URL, percent-encoded.
        params: The query parameters.
        body: The JSON body.
        is_repeatable: ``True`` if the API may execute the request twice without harm.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_repeatable: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def path_segment(value: str, kind: str) -> str:
    """Returns an id as one segment of a path.

    Args:
        value: The id.
        kind: The kind of id, for messages.

    Raises:
        InvalidIdentifierError: The id is empty, too long, or would lead to another path.
    """
    if not value or value in {".", ".."}:
        raise InvalidIdentifierError(f"A {kind} must not be empty, '.' or '..', got {value!r}.")
    segment = quote(value, safe="", errors="surrogatepass")
    if len(segment) > _MAX_SEGMENT_LENGTH:
        raise InvalidIdentifierError(
            f"A {kind} must fit into a URL, got one of {len(value):,} characters that begins with "
            f"{value[:_SHOWN_LENGTH]!r}."
        )
    return segment
