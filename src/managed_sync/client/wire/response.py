"""A response of the API: its JSON, and the errors of its status. No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from managed_sync.backoff import retry_after_seconds
from managed_sync.client.wire.request import Request
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

__all__ = [
    "Response",
    "UnreadableJsonError",
    "described",
    "is_integer",
    "parse_json",
    "parse_model",
    "raise_for_content",
    "raise_for_status",
    "without_token",
]

Model = TypeVar("Model", bound=BaseModel)

_EXCERPT_LENGTH = 300
_READ_FOR_EXCERPT = 65_536
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id", "cf-ray")

# The most keys that a message names.
_MAX_KEYS = 10
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


class UnreadableJsonError(ResponseFormatError):
    """A response whose nesting or numbers exceed what can be read."""


@dataclass(frozen=True, slots=True)
class Response:
    """One whole HTTP response.

    Attributes:
        status: The status code.
        headers: The headers, by their names in lower case.
        content: The body.
        token: The token that was sent with the request, and must not appear in an excerpt.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    token: SecretStr

    @property
    def request_id(self) -> str | None:
        """The id of the request in the API's own log."""
        found = next((self.headers[name] for name in _REQUEST_IDS if name in self.headers), None)
        return without_token(found, self.token)[:_EXCERPT_LENGTH] if found else None

    @property
    def excerpt(self) -> str:
        """The start of the body, without the token."""
        return _short_text(self.content[:_READ_FOR_EXCERPT].decode("utf-8", "replace"), self.token)


def without_token(text: str, token: SecretStr) -> str:
    """Returns a text without the token and without the signature at the token's end."""
    value = token.get_secret_value()
    secrets = sorted({value, json.dumps(value)[1:-1], value.rpartition(".")[2]} - {""}, key=len)
    if not secrets:
        return text
    # All of them in one pass, the longest first, so that no replacement is searched again.
    return re.sub("|".join(re.escape(secret) for secret in reversed(secrets)), "[token]", text)


def _short_text(text: str, token: SecretStr) -> str:
    """Returns the start of a text on one line, without the token."""
    # The token goes first: after the text was cut, a part of the token would not be found.
    return " ".join(without_token(text, token).split())[:_EXCERPT_LENGTH]


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
        error.detail = detail
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


def parse_json(response: Response) -> Any:
    """Reads a JSON body.

    Raises:
        IncompleteResponseError: The body is declared as JSON, and breaks off.
        UnreadableJsonError: The body has nesting or a number that cannot be read.
        ResponseFormatError: The body is not JSON.
    """
    try:
        return json.loads(response.content)
    except RecursionError:
        raise UnreadableJsonError("The API's response is nested too deeply to be read.") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        kind = response.headers.get("content-type", "no content type")[:_EXCERPT_LENGTH]
        if "json" in kind:
            raise IncompleteResponseError(
                f"The API's response of {len(response.content)} bytes is not valid JSON: it was "
                f"cut off on its way, or the API does not write JSON. Try again."
            ) from None
        raise ResponseFormatError(
            f"Expected JSON in the API's response, got {len(response.content)} bytes of {kind}: "
            f"check that the base URL is the Sync API's."
        ) from None
    except ValueError:
        raise UnreadableJsonError(
            "The API's response has a number with too many digits to be read."
        ) from None


def parse_model(model: type[Model], document: Any) -> Model:
    """Reads a JSON value into a model.

    Raises:
        ResponseFormatError: A field is missing or has the wrong type. The message names the field,
            and not its value.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'the response'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)[:3]
        )
        raise ResponseFormatError(
            f"The API's response is not a valid {model.__name__}: {problems}."
        ) from None


def is_integer(value: Any) -> bool:
    """Returns whether a JSON value is an integer, which ``True`` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def described(value: Any, *, keys: bool = False) -> str:
    """Returns the kind of a JSON value for messages, and never the value.

    Args:
        value: The value.
        keys: Also names the keys of an object; only for objects whose keys are names of fields.
    """
    match value:
        case dict():
            return f"an object with the keys {sorted(value)[:_MAX_KEYS]}" if keys else "an object"
        case list():
            return "a list"
        case str():
            return "a string"
        case bool():
            return "a boolean"
        case None:
            return "null"
        case _:
            return "a number"


def _detail(response: Response) -> str:
    """Returns the server's own words: the detail of a problem document, or the body's start."""
    document = _document(response)
    if document is None:
        return response.excerpt.rstrip(".")
    known = document if isinstance(document, dict) else {}
    text = str(known.get("detail") or known.get("message") or known.get("title") or "")
    return _short_text(text, response.token).rstrip(".")


def _document(response: Response) -> Any:
    """Returns the body as a JSON value; ``None`` if it is not JSON."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None
