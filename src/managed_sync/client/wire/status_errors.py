"""The errors of responses with an error status."""

from __future__ import annotations

import json
from typing import Any

from managed_sync.backoff import retry_after_seconds
from managed_sync.client.wire.request import Request
from managed_sync.client.wire.response import Response, short_text
from managed_sync.errors import (
    ApiStatusError,
    AuthenticationError,
    BadRequestError,
    ForbiddenError,
    IncompleteResponseError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)

__all__ = ["raise_for_content", "raise_for_status"]

_PARTIAL_CONTENT = 206
_ERRORS: dict[int, tuple[type[ApiStatusError], str]] = {
    400: (BadRequestError, "The API did not understand the request."),
    401: (
        AuthenticationError,
        "Check the token: it may have expired, or be signed with a key the project does not know.",
    ),
    403: (ForbiddenError, "The token is not valid for this project: check the project id."),
    404: (NotFoundError, "Check the project id, the integration, the sync type and the record id."),
    413: (BadRequestError, "The request is too large: send less at once."),
    422: (BadRequestError, "The API did not understand the request."),
    429: (RateLimitError, "Wait a little and try again."),
}


def raise_for_status(request: Request, response: Response) -> None:
    """Raises the error of a response's status; does nothing if the request succeeded."""
    if 200 <= response.status < 300:
        return
    if response.status < 400:
        raise ResponseFormatError(
            f"{request} was answered with a redirect ({response.status}), which the API does not "
            f"use: check the base URL.",
            status=response.status,
            request_id=response.request_id,
            excerpt=response.excerpt,
        )
    kind, remedy = _ERRORS.get(response.status, (BadRequestError, "The API refused the request."))
    if response.status >= 500:
        kind, remedy = ServerError, "The API failed: try again, and look at its log."
    detail = _detail(response)
    error = kind(
        f"{request} was answered with {response.status}{f' ({detail})' if detail else ''}. "
        f"{remedy}",
        status=response.status,
        request_id=response.request_id,
        excerpt=response.excerpt,
        retry_after=retry_after_seconds(
            response.headers.get("retry-after"), response.headers.get("date")
        ),
    )
    if isinstance(error, NotFoundError):
        error.is_from_api = isinstance(_document(response), dict)
    raise error


def raise_for_content(request: Request, response: Response) -> None:
    """Raises the error of a response that should be the whole content of a file.

    Raises:
        IncompleteResponseError: The response is a part of the content.
    """
    raise_for_status(request, response)
    if response.status == _PARTIAL_CONTENT:
        raise IncompleteResponseError(
            f"{request} was answered with a part of the content ({_PARTIAL_CONTENT}), though the "
            f"whole was requested. Try again.",
            status=response.status,
            request_id=response.request_id,
        )


def _detail(response: Response) -> str:
    """Returns the server's own words: the detail of a problem document, or the body's start."""
    document = _document(response)
    if document is None:
        return response.excerpt.rstrip(".")
    known = document if isinstance(document, dict) else {}
    text = str(known.get("detail") or known.get("message") or known.get("title") or "")
    return short_text(text, response.token).rstrip(".")


def _document(response: Response) -> Any:
    """Returns the body as a JSON value; ``None`` if it is not JSON."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None
