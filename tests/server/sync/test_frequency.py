from __future__ import annotations

from datetime import timedelta

import pytest

from managed_sync.server.sync.timetable import parse_frequency


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("1m", timedelta(minutes=1)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
    ],
)
def test_minutes_hours_and_days(text: str, interval: timedelta) -> None:
    assert parse_frequency(text) == interval


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "01m", "1.5h", "1s", "1M", "1 m", "99999d", "\u0661m"]
)
def test_other_forms_are_refused_with_the_right_one(text: str) -> None:
    with pytest.raises(ValueError, match="1m, 15m, 1h or 1d"):
        parse_frequency(text)
