"""How often a pipeline syncs by itself."""

from __future__ import annotations

import re
from datetime import timedelta

__all__ = ["parse_frequency"]

_FORM = re.compile(r"([1-9][0-9]{0,3})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_frequency(text: str) -> timedelta:
    """The time between two syncs.

    Examples:
        >>> parse_frequency("15m")
        datetime.timedelta(seconds=900)

    Raises:
        ValueError: It is not a number of minutes, hours or days.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} is not a frequency; write a whole number of minutes, hours or days, "
            "such as 1m, 15m, 1h or 1d."
        )
    return int(match[1]) * _UNITS[match[2]]
