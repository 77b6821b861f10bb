"""What a client sends and receives, without I/O.

An ``Operation`` is a request and the function that reads its answer. The wire formats
(``projects_api``, ``hosted_api``) build operations, ``flows`` decides when they are sent, and the
clients only send them, so that a synchronous and an asynchronous client share every decision.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, SecretStr, ValidationError

from managed_sync.client.transport.retry_after import seconds_until
from managed_sync.errors import (
    ApiError,
    ApiStatusError,
    AuthenticationError,
    BadRequestError,
    ForbiddenError,
    IncompleteResponseError,
    InvalidIdentifierError,
    NotFoundError,
    RateLimitError,
    ResponseFormatError,
    ServerError,
)

__all__ = [
    "Operation",
    "Request",
    "Response",
    "UnreadableJsonError",
    "in_batches",
    "parse_json",
    "parse_model",
    "path_segment",
    "raise_for_content",
    "raise_for_status",
]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)

_PARTIAL_CONTENT = 206
_EXCERPT_LENGTH = 300
_READ_FOR_EXCERPT = 65_536
# httpx refuses URLs of more than 65,536 characters.
_LONGEST_SEGMENT = 60_000
_SHOWN_OF_A_SEGMENT = 40
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id", "cf-ray")

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


class UnreadableJsonError(ResponseFormatError):
    """An answer with nesting or a number that goes beyond what can be read."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; ``path`` is below the API's base URL and already percent-encoded.

    ``is_repeatable`` says whether the API may carry it out twice without harm.
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    is_repeatable: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Response:
    """One whole HTTP response; header names are in lower case.

    ``token`` is what was sent with the request: what is quoted of the answer must not repeat it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    token: SecretStr

    @property
    def request_id(self) -> str | None:
        """What the API calls the request in its own log."""
        found = next((self.headers[name] for name in _REQUEST_IDS if name in self.headers), None)
        return without_token(found, self.token)[:_EXCERPT_LENGTH] if found else None

    @property
    def excerpt(self) -> str:
        """The start of the body, without the token."""
        return _shortened(self.content[:_READ_FOR_EXCERPT].decode("utf-8", "replace"), self.token)


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """A request, and how to read the answer to it."""

    request: Request
    parse: Callable[[Response], T]

    def read(self, response: Response) -> T:
        """Reads an answer.

        Raises:
            ApiStatusError: The answer has an error status.
            ResponseFormatError: The answer cannot be understood.
        """
        raise_for_status(self.request, response)
        try:
            return self.parse(response)
        except ApiError as error:
            error.status = response.status
            error.request_id = response.request_id
            error.excerpt = response.excerpt
            raise


def raise_for_status(request: Request, response: Response) -> None:
    """Raises the error that belongs to the answer's status; does nothing for a success."""
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
    error, remedy = _ERRORS.get(response.status, (BadRequestError, "The API refused the request."))
    if response.status >= 500:
        error, remedy = ServerError, "The API failed; try again, and look at its log."
    said = _detail(response)
    raised = error(
        f"{request} was answered with {response.status}{f' ({said})' if said else ''}. {remedy}",
        status=response.status,
        request_id=response.request_id,
        excerpt=response.excerpt,
        retry_after=seconds_until(
            response.headers.get("retry-after"), response.headers.get("date")
        ),
    )
    if isinstance(raised, NotFoundError):
        raised.is_from_api = isinstance(_document(response), dict)
    raise raised


def raise_for_content(request: Request, response: Response) -> None:
    """Does the same for an answer that should be a file's content, and as a whole.

    Raises:
        IncompleteResponseError: It is a part, which nobody asked for.
    """
    raise_for_status(request, response)
    if response.status == _PARTIAL_CONTENT:
        raise IncompleteResponseError(
            f"{request} was answered with a part of the content ({_PARTIAL_CONTENT}), though all "
            f"of it was asked for. Try again.",
            status=response.status,
            request_id=response.request_id,
        )


def without_token(text: str, token: SecretStr) -> str:
    """A text in which neither the token nor the signature at its end appears."""
    value = token.get_secret_value()
    secrets = sorted({value, json.dumps(value)[1:-1], value.rpartition(".")[2]} - {""}, key=len)
    if not secrets:
        return text
    # All at once, the longest first: what stands in a secret's place is not searched again.
    return re.sub("|".join(re.escape(secret) for secret in reversed(secrets)), "[token]", text)


def _detail(response: Response) -> str:
    """What the server says of an error: the detail of a problem document, or the text's start."""
    document = _document(response)
    if document is None:
        return response.excerpt.rstrip(".")
    known = document if isinstance(document, dict) else {}
    text = str(known.get("detail") or known.get("message") or known.get("title") or "")
    return _shortened(text, response.token).rstrip(".")


def _document(response: Response) -> Any:
    """The body as JSON; ``None`` if it is none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _shortened(text: str, token: SecretStr) -> str:
    # First the token, then the blanks and the end: half a token is one too many.
    return " ".join(without_token(text, token).split())[:_EXCERPT_LENGTH]


def parse_json(response: Response) -> Any:
    """Reads a JSON body.

    Raises:
        IncompleteResponseError: The body is said to be JSON, and breaks off.
        UnreadableJsonError: The body has nesting or a number that cannot be read.
        ResponseFormatError: The body is not JSON.
    """
    try:
        return json.loads(response.content)
    except RecursionError:
        raise UnreadableJsonError("The API's answer is nested too deeply to be read.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        kind = response.headers.get("content-type", "no content type")[:_EXCERPT_LENGTH]
        if "json" in kind:
            raise IncompleteResponseError(
                f"The API answered with {len(response.content)} bytes that are not whole JSON: "
                f"the answer broke off on its way, or the API does not write JSON. Try again."
            ) from None
        raise ResponseFormatError(
            f"The API answered with {len(response.content)} bytes of {kind} where JSON belongs: "
            f"check that the base URL is the Sync API's."
        ) from None
    except ValueError:
        raise UnreadableJsonError(
            "The API's answer has a number with too many digits to be read."
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


def path_segment(value: str, what: str) -> str:
    """A value as one segment of a path.

    Raises:
        InvalidIdentifierError: It is empty, too long, or would name another path.
    """
    if not value or value in {".", ".."}:
        raise InvalidIdentifierError(f"{value!r} cannot be used as a {what}.")
    segment = quote(value, safe="", errors="surrogatepass")
    if len(segment) > _LONGEST_SEGMENT:
        raise InvalidIdentifierError(
            f"A {what} must fit into a URL, got one of {len(value):,} characters that begins with "
            f"{value[:_SHOWN_OF_A_SEGMENT]!r}."
        )
    return segment


def in_batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Cuts a sequence into runs of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
