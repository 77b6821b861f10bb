"""What a client sends and receives, without I/O.

An ``Operation`` is a request and the function that reads its answer. The wire formats
(``projects_api``) build operations; the clients in ``http`` only send them, so that a synchronous
and an asynchronous client share every decision.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from managed_sync.errors import (
    ApiStatusError,
    AuthenticationError,
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)
from managed_sync.models import RecordPage

__all__ = [
    "Answer",
    "Operation",
    "PageWalk",
    "Request",
    "in_batches",
    "parse_model",
    "raise_for_status",
]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

_EXCERPT_LENGTH = 300

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


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; ``path`` is below the API's base URL and already percent-encoded."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One whole HTTP response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """A request, and how to read the answer to it."""

    request: Request
    parse: Callable[[Answer], T]

    def read(self, answer: Answer) -> T:
        """Reads an answer.

        Raises:
            ApiStatusError: The answer has an error status.
            ResponseFormatError: The answer cannot be understood.
        """
        raise_for_status(self.request, answer)
        return self.parse(answer)


def raise_for_status(request: Request, answer: Answer) -> None:
    """Raises the error that belongs to the answer's status; does nothing for a success."""
    if 200 <= answer.status < 300:
        return
    said = _detail(answer)
    if answer.status < 400:
        raise ResponseFormatError(
            f"{request} was answered with a redirect ({answer.status}), which the API does not "
            f"use: check the base URL."
        )
    error, remedy = _ERRORS.get(answer.status, (BadRequestError, "The API refused the request."))
    if answer.status >= 500:
        error, remedy = ServerError, "The API failed; try again, and look at its log."
    raise error(
        f"{request} was answered with {answer.status}{f' ({said})' if said else ''}. {remedy}",
        status=answer.status,
    )


def _detail(answer: Answer) -> str:
    """What the server says of an error: the detail of a problem document, or the text's start."""
    try:
        document = json.loads(answer.content)
    except ValueError:
        text = answer.content[: _EXCERPT_LENGTH * 4].decode("utf-8", errors="replace")
    else:
        known = document if isinstance(document, dict) else {}
        text = str(known.get("detail") or known.get("message") or known.get("title") or "")
    return " ".join(text.split())[:_EXCERPT_LENGTH].rstrip(".")


def parse_json(answer: Answer) -> Any:
    """Reads a JSON body.

    Raises:
        ResponseFormatError: The body is not JSON.
    """
    try:
        return json.loads(answer.content)
    except ValueError:
        kind = answer.headers.get("content-type", "no content type")
        raise ResponseFormatError(
            f"The API answered with {len(answer.content)} bytes of {kind} where JSON belongs: "
            f"check that the base URL is the Sync API's."
        ) from None


def parse_model(model: type[Model], document: Any) -> Model:
    """Reads a JSON value into a model.

    Raises:
        ResponseFormatError: A field is missing or of the wrong type; the message names it, and
            not its value.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the answer'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)[:3]
        )
        raise ResponseFormatError(
            f"The API's answer is not a {model.__name__}: {problems}."
        ) from None


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cuts a sequence into runs of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class PageWalk:
    """Follows the cursors of one listing, and notices when they lead in a circle."""

    def __init__(self) -> None:
        self.cursor: str | None = None
        self._seen: set[str] = set()

    def follow(self, page: RecordPage) -> bool:
        """Takes the next cursor; ``False`` when the page was the last one.

        Raises:
            ResponseFormatError: The cursor was followed before, so that the listing never ends.
        """
        self.cursor = page.next_cursor
        if self.cursor is None:
            return False
        if self.cursor in self._seen:
            raise ResponseFormatError(
                f"The listing of records does not end: page {len(self._seen) + 1} repeats a cursor "
                f"that was already followed."
            )
        self._seen.add(self.cursor)
        return True
