from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.errors import DocumentError, InvalidIdentifierError


@pytest.mark.parametrize(
    "metadata", [{}, {"object_id": ""}, {"object_id": "3f2a"}, {"object_id": 7}, {"id": "file:1"}]
)
@pytest.mark.parametrize("kind", [SourceDocument, Chunk])
def test_a_text_without_a_valid_object_id_cannot_exist(
    kind: type[SourceDocument | Chunk], metadata: dict[str, Any]
) -> None:
    with pytest.raises(InvalidIdentifierError):
        kind("text", {"chunk_id": "c", **metadata})


def test_a_chunk_without_an_id_cannot_exist() -> None:
    with pytest.raises(DocumentError, match="chunk_id"):
        Chunk("text", {"object_id": "file:1"})


@pytest.mark.parametrize("value", [None, [], {}, b"x"])
def test_metadata_holds_scalars_only(value: Any) -> None:
    with pytest.raises(DocumentError, match="'tags' of file:1"):
        SourceDocument("text", {"object_id": "file:1", "tags": value})


def test_changing_the_callers_metadata_afterwards_changes_nothing() -> None:
    metadata = {"object_id": "file:1"}
    document = SourceDocument("text", metadata)
    metadata["object_id"] = "file:2"
    assert document.object_id == "file:1"


def test_documents_can_be_copied_and_sent_to_other_processes() -> None:
    document = SourceDocument("text", {"object_id": "file:1", "page": 2})
    assert copy.deepcopy(document) == document
    assert pickle.loads(pickle.dumps(document)) == document  # noqa: S301 - made right here


@pytest.mark.parametrize("kind", [SourceDocument, Chunk])
def test_what_no_database_takes_is_in_no_text_and_no_metadata(
    kind: type[SourceDocument | Chunk],
) -> None:
    metadata = {"object_id": "file:1", "chunk_id": "c", "title": "a\0b", "heading": "\ud83d"}

    made = kind("one\0 two\udc00", metadata)

    assert made.text == "one\ufffd two\ufffd"
    assert (made.metadata["title"], made.metadata["heading"]) == ("a\ufffdb", "\ufffd")


@pytest.mark.parametrize("object_id", ["file:a\0", "file:\ud800"])
def test_an_object_id_that_no_database_takes_is_refused_and_not_made_another_one(
    object_id: str,
) -> None:
    with pytest.raises(DocumentError, match="no database takes"):
        SourceDocument("text", {"object_id": object_id})
