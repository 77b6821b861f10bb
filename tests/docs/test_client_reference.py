"""The reference page names all there is to the clients."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from managed_sync import ManagedSyncClient, errors

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "client.md"
TEXT = PAGE.read_text(encoding="utf-8")
NAMES = [name for name in dir(ManagedSyncClient) if not name.startswith("_")]
METHODS = [
    name
    for name in NAMES
    if not isinstance(inspect.getattr_static(ManagedSyncClient, name), property)
]
PARAMETERS = list(inspect.signature(ManagedSyncClient).parameters)
OF_THE_WIRE = [
    name
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, errors.ApiError)
]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there(name: str) -> None:
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("name", [name for name in METHODS if name != "close"])
def test_every_method_is_there_with_its_parameters(name: str) -> None:
    start = TEXT.index(f"`{name}(")
    written = TEXT[start : TEXT.index(")`", start)]

    for parameter in inspect.signature(getattr(ManagedSyncClient, name)).parameters:
        assert parameter in {"self", "cls"} or parameter in written


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_of_the_constructor_is_there(name: str) -> None:
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", OF_THE_WIRE)
def test_every_error_of_the_wire_is_there(name: str) -> None:
    assert f"`{name}`" in TEXT
