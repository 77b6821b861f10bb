"""A response of the API, and how its JSON is read, without I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from managed_sync.errors import IncompleteResponseError, ResponseFormatError

__all__ = [
    "Response",
    "UnreadableJsonError",
    "described",
    "is_integer",
    "parse_json",
    "parse_model",
    "short_text",
    "without_token",
]

Model = TypeVar("Model", bound=BaseModel)

_EXCERPT_LENGTH = 300
_READ_FOR_EXCERPT = 65_536
_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-correlation-id", "cf-ray")


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
        return short_text(self.content[:_READ_FOR_EXCERPT].decode("utf-8", "replace"), self.token)


def without_token(text: str, token: SecretStr) -> str:
    """Returns a text without the token and without the signature at the token's end."""
    value = token.get_secret_value()
    secrets = sorted({value, json.dumps(value)[1:-1], value.rpartition(".")[2]} - {""}, key=len)
    if not secrets:
        return text
    # All of them in one pass, the longest first, so that no replacement is searched again.
    return re.sub("|".join(re.escape(secret) for secret in reversed(secrets)), "[token]", text)


def short_text(text: str, token: SecretStr) -> str:
    """Returns the start of a text on one line, without the token."""
    # The token goes first: after the text was cut, a part of the token would not be found.
    return " ".join(without_token(text, token).split())[:_EXCERPT_LENGTH]


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


def described(value: Any) -> str:
    """Returns the kind of a JSON value for messages: of an object its keys, and never a value."""
    match value:
        case dict():
            return f"an object with the keys {sorted(value)}"
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
