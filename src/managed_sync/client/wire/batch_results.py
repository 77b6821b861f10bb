"""Reads the response to a check or a batch of checks: one decision per check, or an error.

Guarantees:

- Each decision is the boolean that the API returned for exactly that check.
- If the API says which check a result belongs to, that decides, and not the order. A result for a
  check that was not sent, and two different results for one check, decide nothing.
- A result with an error is not a decision, whatever else it contains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from managed_sync.client.wire.response import Response, described, parse_json
from managed_sync.errors import AccessCheckError, ResponseFormatError

__all__ = ["read_decision", "read_decisions"]


def read_decisions(
    response: Response,
    *,
    field: str,
    objects: Sequence[str],
    keys: Sequence[Hashable],
    key_of: Callable[[Mapping[str, Any]], Hashable],
    must_echo: bool,
) -> list[bool]:
    """Returns one decision per check, in the order of the checks.

    Args:
        response: The API's response.
        field: The name of the results in it.
        objects: The object of each check, for errors.
        keys: The key of each check.
        key_of: Returns the key of the check that a result's ``request`` repeats.
        must_echo: Refuses a result without a ``request``.

    Raises:
        AccessCheckError: A check has no decision. ``undecided`` holds its object, or all objects if
            the form of the response makes no part of it trustworthy.
    """
    document = parse_json(response)
    results: Any = document.get(field) if isinstance(document, dict) else None
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        raise AccessCheckError(
            f"Expected a list of decisions in the API's response, got {described(results)}.",
            undecided=objects,
        )
    if len(results) != len(keys):
        raise AccessCheckError(
            f"The API returned {len(results)} decisions for {len(keys)} checks; none of them can "
            f"be trusted.",
            undecided=objects,
        )
    for each in results:
        # Only a boolean is a decision: a string such as "false" must never be read as one.
        if each.get("error") is None and not isinstance(each.get("allowed"), bool):
            raise AccessCheckError(
                "The API returned a decision that is neither true nor false; none of its decisions "
                "can be trusted.",
                undecided=objects,
            )
    echoes = [each["request"] for each in results if each.get("request") is not None]
    if echoes or must_echo:
        results = _in_order(results, echoes, objects=objects, keys=keys, key_of=key_of)
    failed = [
        name for name, each in zip(objects, results, strict=True) if each.get("error") is not None
    ]
    if failed:
        raise AccessCheckError(
            f"The API returned an error for {len(failed)} of {len(keys)} checks.", undecided=failed
        )
    return [each["allowed"] for each in results]


def read_decision(
    response: Response,
    *,
    field: str,
    asked: Mapping[str, Any],
    key_of: Callable[[Mapping[str, Any]], Hashable],
) -> bool:
    """Returns the decision of a check that was sent alone.

    Args:
        response: The API's response.
        field: The name of the decision in it.
        asked: The check as it was sent.
        key_of: Returns the key of a check.

    Raises:
        ResponseFormatError: The response is not a decision, or not one about this check.
    """
    document = parse_json(response)
    found: Mapping[str, Any] = document if isinstance(document, dict) else {}
    if found.get("error") is not None:
        raise ResponseFormatError("The API returned an error in place of a decision.")
    decision = found.get(field)
    # Only a boolean is a decision: a string such as "false" must never be read as one.
    if not isinstance(decision, bool):
        raise ResponseFormatError(
            f"Expected true or false in the field {field} of the API's response, got "
            f"{described(decision)}."
        )
    # A response may repeat the check or a part of it: in ``request``, or next to the decision.
    request = found.get("request")
    for echo in (found, {} if request is None else request):
        if not isinstance(echo, dict) or key_of(_with_echo(asked, echo)) != key_of(asked):
            raise ResponseFormatError("The API decided a check that was not sent.")
    return decision


def _with_echo(asked: Mapping[str, Any], echo: Mapping[str, Any]) -> dict[str, Any]:
    return {**asked, **{name: echo[name] for name in asked if echo.get(name) is not None}}


def _in_order(
    results: Sequence[Mapping[str, Any]],
    echoes: Sequence[Any],
    *,
    objects: Sequence[str],
    keys: Sequence[Hashable],
    key_of: Callable[[Mapping[str, Any]], Hashable],
) -> list[Mapping[str, Any]]:
    """Returns the results in the order of the checks that they repeat."""
    if len(echoes) != len(results) or not all(isinstance(each, dict) for each in echoes):
        raise AccessCheckError(
            "The API does not say for each decision which check it belongs to; none of them can "
            "be trusted.",
            undecided=objects,
        )
    echoed = [key_of(each) for each in echoes]
    if Counter(echoed) != Counter(keys):
        raise AccessCheckError(
            "The API decided checks that were not sent; none of its decisions can be trusted.",
            undecided=objects,
        )
    found: dict[Hashable, Mapping[str, Any]] = {}
    contradicted: set[Hashable] = set()
    for key, result in zip(echoed, results, strict=True):
        if key in found and _outcome(found[key]) != _outcome(result):
            contradicted.add(key)
        found[key] = result
    if contradicted:
        raise AccessCheckError(
            "The API returned two different decisions for the same check.",
            undecided=[
                name for name, key in zip(objects, keys, strict=True) if key in contradicted
            ],
        )
    return [found[key] for key in keys]


def _outcome(result: Mapping[str, Any]) -> tuple[bool, Any]:
    return result.get("error") is not None, result.get("allowed")
