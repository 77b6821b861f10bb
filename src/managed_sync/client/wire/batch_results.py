"""Reads the answer to a check or a batch of them: one decision for each of them, or an error.

Guarantees:

- Each decision is the boolean that the API gave to just that check.
- Where the API says which check a result belongs to, that is what counts, and not the order; what
  belongs to no check that was asked, or to one twice with different decisions, decides nothing.
- A result with an error is no decision, whatever else it says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from managed_sync.errors import AccessCheckError, ResponseFormatError

__all__ = ["read_decision", "read_decisions"]


def read_decisions(
    results: Any,
    *,
    objects: Sequence[str],
    keys: Sequence[Hashable],
    key_of: Callable[[Mapping[str, Any]], Hashable],
    must_echo: bool,
) -> list[bool]:
    """One decision for each check, in the order of the checks.

    Args:
        results: What the API answered.
        objects: The object of each check, for errors.
        keys: What identifies each check.
        key_of: What identifies the check that a result's ``request`` repeats.
        must_echo: Whether a result without a ``request`` is of no use.

    Raises:
        AccessCheckError: A check has no decision. ``undecided`` has its object; or all objects,
            where the answer is not of the form that makes any part of it worth trusting.
    """
    if not isinstance(results, list) or not all(isinstance(each, dict) for each in results):
        raise AccessCheckError(
            f"The API answered {_kind(results)} where a list of decisions belongs.",
            undecided=objects,
        )
    if len(results) != len(keys):
        raise AccessCheckError(
            f"The API answered {len(results)} decisions to {len(keys)} checks; none of them can "
            f"be trusted.",
            undecided=objects,
        )
    # Only the two booleans: a text such as "false" must never be read as a decision.
    if not all(_failed(each) or isinstance(each.get("allowed"), bool) for each in results):
        raise AccessCheckError(
            "The API answered with something that is neither true nor false; none of its "
            "decisions can be trusted.",
            undecided=objects,
        )
    echoes = [each["request"] for each in results if each.get("request") is not None]
    if echoes or must_echo:
        results = _in_order(results, echoes, objects=objects, keys=keys, key_of=key_of)
    failed = [name for name, each in zip(objects, results, strict=True) if _failed(each)]
    if failed:
        raise AccessCheckError(
            f"The API has an error for {len(failed)} of {len(keys)} checks.", undecided=failed
        )
    return [each["allowed"] for each in results]


def read_decision(
    answer: Any,
    field: str,
    *,
    asked: Mapping[str, Any],
    key_of: Callable[[Mapping[str, Any]], Hashable],
) -> bool:
    """The decision of a check that was asked alone.

    Args:
        answer: What the API answered.
        field: The name of the decision in it.
        asked: The check as it was sent.
        key_of: What identifies a check.

    Raises:
        ResponseFormatError: It is not a decision, or not one of this check.
    """
    found: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    if _failed(found):
        raise ResponseFormatError("The API has an error in place of a decision.")
    decision = found.get(field)
    # Only the two booleans: a text such as "false" must never be read as a decision.
    if not isinstance(decision, bool):
        raise ResponseFormatError(
            f"The API's answer is not a decision: {field} is {_kind(decision)}, not true or false."
        )
    # An answer may repeat the check or a part of it: under ``request``, or beside the decision.
    request = found.get("request")
    for echo in (found, {} if request is None else request):
        if not isinstance(echo, dict) or key_of(_with_echo(asked, echo)) != key_of(asked):
            raise ResponseFormatError("The API answered a check that was not asked.")
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
    """The results in the order of the checks whose requests they repeat."""
    if len(echoes) != len(results) or not all(isinstance(each, dict) for each in echoes):
        raise AccessCheckError(
            "The API does not say of each decision which check it belongs to; none of them can "
            "be trusted.",
            undecided=objects,
        )
    echoed = [key_of(each) for each in echoes]
    if Counter(echoed) != Counter(keys):
        raise AccessCheckError(
            "The API answered checks that were not asked; none of its decisions can be trusted.",
            undecided=objects,
        )
    found: dict[Hashable, Mapping[str, Any]] = {}
    contradicted: set[Hashable] = set()
    for key, result in zip(echoed, results, strict=True):
        if key in found and _said(found[key]) != _said(result):
            contradicted.add(key)
        found[key] = result
    if contradicted:
        raise AccessCheckError(
            "The API answered the same check in two ways.",
            undecided=[
                name for name, key in zip(objects, keys, strict=True) if key in contradicted
            ],
        )
    return [found[key] for key in keys]


def _failed(result: Mapping[str, Any]) -> bool:
    return result.get("error") is not None


def _said(result: Mapping[str, Any]) -> tuple[bool, Any]:
    return _failed(result), result.get("allowed")


def _kind(value: Any) -> str:
    return f"{type(value).__name__} values" if isinstance(value, list) else type(value).__name__
