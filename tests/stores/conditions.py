"""Conditions with operators, as Pinecone and MongoDB evaluate those that the adapters send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def meets_condition(values: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    """Returns whether values meet a condition; fails on an operator that no adapter sends."""
    for name, wanted in condition.items():
        if name == "$and":
            if not all(meets_condition(values, each) for each in wanted):
                return False
            continue
        assert not name.startswith("$"), name
        [(operator, value)] = wanted.items()
        found = values.get(name)
        if operator == "$in":
            assert len(value) <= 10_000
            holds = found in value
        else:
            assert operator in {"$eq", "$gt"}, operator
            holds = found == value if operator == "$eq" else found is not None and found > value
        if not holds:
            return False
    return True
