"""Checks of arguments: the same mistake gets the same message in every class."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from numbers import Integral, Real

from managed_sync.errors import ConfigurationError

__all__ = ["check_integer", "check_names", "check_number", "check_text", "did_you_mean"]

# Names of arguments that users know from other libraries, each with the one used here.
_NAMES_ELSEWHERE = {
    "id_field": "object_id",
    "n_results": "k",
    "similarity_top_k": "k",
    "store": "vectorstore",
    "subject": "bound_subject",
    "top_k": "k",
    "user": "bound_subject",
}


def check_integer(
    name: str,
    value: object,
    *,
    at_least: int = 1,
    at_most: int | None = None,
    limit: str = "",
    alternative: str = "",
) -> int:
    """Returns an argument that must be an integer.

    Args:
        name: The argument's name.
        value: The argument.
        at_least: The lowest integer allowed.
        at_most: The highest one; ``None`` for any.
        limit: The argument that sets ``at_most``, for the message.
        alternative: Another value that the caller accepts, for the message.

    Raises:
        ConfigurationError: The argument is not an integer, or out of range.

    Examples:
        >>> check_integer("k", 6)
        6
        >>> check_integer("k", 0)
        Traceback (most recent call last):
            ...
        managed_sync.errors.ConfigurationError: k must be an integer >= 1, got 0.
    """
    # A bool would be 0 or 1.
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < at_least:
        raise _refusal(name, f"an integer >= {at_least}", alternative, value)
    if at_most is not None and int(value) > at_most:
        bound = f"{limit} ({at_most})" if limit else f"{at_most}"
        raise _refusal(name, f"an integer <= {bound}", alternative, value)
    return int(value)


def check_number(
    name: str,
    value: object,
    *,
    unit: str = "",
    alternative: str = "",
    is_positive: bool = False,
    at_most: float | None = None,
    is_finite: bool = True,
) -> float:
    """Returns an argument that must be a number, 0 or more.

    Args:
        name: The argument's name.
        value: The argument.
        unit: The unit of the number, for the message.
        alternative: Another value that the caller accepts, for the message.
        is_positive: Refuses 0 too.
        at_most: The highest number allowed; ``None`` for any.
        is_finite: Refuses infinity too.

    Raises:
        ConfigurationError: The argument is not a number, or out of range.

    Examples:
        >>> check_number("retry_budget", 2.5, unit="seconds")
        2.5
    """
    # Whatever is not a number becomes NaN, which fails every comparison. A bool would be 0 or 1.
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    is_high_enough = number > 0 if is_positive else number >= 0
    is_low_enough = number < math.inf if is_finite else number <= math.inf
    if is_high_enough and is_low_enough and (at_most is None or number <= at_most):
        return number
    kind = f"{'a finite' if math.isinf(number) else 'a'} number{f' of {unit}' if unit else ''}"
    bounds = f"{'>' if is_positive else '>='} 0{'' if at_most is None else f' and <= {at_most:g}'}"
    raise _refusal(name, f"{kind} {bounds}", alternative, value)


def check_text(name: str, value: object, *, example: str, alternative: str = "") -> str:
    """Returns an argument that must be a string with more than white space in it.

    Args:
        name: The argument's name.
        value: The argument.
        example: A correct value, for the message.
        alternative: Another value that the caller accepts, for the message.

    Raises:
        ConfigurationError: The argument is not a string, or blank.
    """
    if isinstance(value, str) and value.strip():
        return value
    raise _refusal(name, f"a non-empty string such as {example!r}", alternative, value)


def check_names(owner: str, names: Iterable[str], known: Collection[str]) -> None:
    """Refuses arguments that a class does not have.

    Args:
        owner: The name of the class.
        names: The names of the arguments that were passed.
        known: The names of those that it has.

    Raises:
        ConfigurationError: There is another one.

    Examples:
        >>> check_names("PermissionAwareRetriever", ["top_k"], ["checker", "k"])
        Traceback (most recent call last):
            ...
        managed_sync.errors.ConfigurationError: PermissionAwareRetriever has no argument top_k. \
Did you mean k?
    """
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ConfigurationError(
            f"{owner} has no argument {' or '.join(unknown)}.{did_you_mean(unknown, known)}"
        )


def did_you_mean(names: Iterable[str], known: Collection[str]) -> str:
    """Returns a sentence that names the arguments that were probably meant; empty without any."""
    meant = {
        near
        for name in names
        for near in (_NAMES_ELSEWHERE.get(name, ""), *get_close_matches(name, known, 1, 0.75))
        if near in known
    }
    return f" Did you mean {' and '.join(sorted(meant))}?" if meant else ""


def _refusal(name: str, wanted: str, alternative: str, value: object) -> ConfigurationError:
    choice = f" or {alternative}" if alternative else ""
    return ConfigurationError(f"{name} must be {wanted}{choice}, got {value!r}.")
