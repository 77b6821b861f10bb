"""The id of a passage's object, in metadata that any program wrote."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import ObjectIdField
from managed_sync.access.object_ids import OWN_FIELD, object_ids_of
from managed_sync.errors import ConfigurationError

TEXTS = st.text("ab:/", max_size=3)


def is_object_id(text: str) -> bool:
    return ":" in text[1:-1] and not text.startswith(":")


@settings(max_examples=50)
@given(cut=TEXTS, add=TEXTS, rest=TEXTS, object_id=TEXTS)
def test_a_filter_looks_for_exactly_the_value_from_which_an_id_is_made(
    cut: str, add: str, rest: str, object_id: str
) -> None:
    field = ObjectIdField("doc", cut_prefix=cut, add_prefix=add)
    is_one = rest and is_object_id(add + rest)
    assert field.of({"doc": cut + rest}) == (add + rest if is_one else None)
    assert field.stored([add + rest]) == ([cut + rest] if is_one else [])
    for value in field.stored([object_id]):
        assert field.of({"doc": value}) == object_id


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"object_id": "file:1"},
        {"source": None},
        {"source": 1},
        {"source": True},
        {"source": ["drive/1"]},
        {"source": b"drive/1"},
        {"source": ""},
        {"source": "drive/"},
        {"source": "1"},
        {"source": "Drive/1"},
        {"source": " drive/1"},
        {"source": "drive/\ud800"},
    ],
)
def test_metadata_without_a_usable_value_name_no_object(metadata: dict[str, Any]) -> None:
    field = ObjectIdField("source", cut_prefix="drive/", add_prefix="file:")
    assert field.of(metadata) is None
    assert field.of({**metadata, "source": "drive/1"}) == "file:1"


@pytest.mark.parametrize("value", ["3f2a", "/Board/Minutes.pdf", ":3f2a", "file:"])
def test_a_text_that_is_not_a_type_and_an_id_names_no_object(value: str) -> None:
    assert object_ids_of("rid").of({"rid": value}) is None
    assert object_ids_of(lambda metadata: metadata["rid"]).of({"rid": value}) is None


def test_an_id_of_the_hosted_service_names_an_object() -> None:
    field = ObjectIdField("rid", add_prefix="file:")

    assert object_ids_of("rid").of({"rid": "file:9c1e/3f2a"}) == "file:9c1e/3f2a"
    assert field.of({"rid": "9c1e/3f2a"}) == "file:9c1e/3f2a"


def fails(_: Mapping[str, Any]) -> str:
    raise RuntimeError("a secret of the passage")


@pytest.mark.parametrize(
    "function",
    [
        fails,
        lambda metadata: metadata["missing"],
        lambda _: None,
        lambda _: True,
        lambda _: 7,
        lambda _: "",
        lambda _: ["file:1"],
        lambda metadata: metadata["source"],
        lambda metadata: metadata.clear(),
        lambda metadata: metadata["tags"].append("new"),
    ],
)
def test_a_function_that_returns_no_id_names_no_object_and_betrays_nothing(
    function: Any, caplog: pytest.LogCaptureFixture
) -> None:
    metadata = {"source": "1", "tags": ["old"]}
    with caplog.at_level(logging.WARNING):
        ids = object_ids_of(function)
        assert ids.of(metadata) is None
        assert ids.of(metadata) is None
    assert metadata == {"source": "1", "tags": ["old"]}
    assert len(caplog.records) <= 1
    assert "secret" not in caplog.text


def test_a_field_can_be_named_and_a_function_can_be_given() -> None:
    assert object_ids_of("object_id") == OWN_FIELD
    assert object_ids_of("doc").of({"doc": "file:1", "object_id": "file:2"}) == "file:1"
    assert object_ids_of(lambda metadata: f"file:{metadata['n']}").of({"n": 3}) == "file:3"


async def later(_: Mapping[str, Any]) -> str:
    return "file:1"


class Later:
    async def __call__(self, _: Mapping[str, Any]) -> str:
        return "file:1"


class EqualsAll(str):
    """A text that takes itself for any other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True


def test_an_id_is_equal_to_no_other() -> None:
    assert object_ids_of(lambda _: EqualsAll("file:2")).of({}) != "file:1"


@pytest.mark.parametrize("odd", [None, 7, "", b"doc", later, Later(), {"name": "doc"}])
def test_anything_else_is_refused(odd: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"object_id|ObjectIdField"):
        object_ids_of(odd)
