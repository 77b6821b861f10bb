"""A collection that another program filled, whose metadata try to pass one object for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from llama_index.core.schema import NodeWithScore, TextNode

from managed_sync import AccessChecker, ObjectIdField
from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.langchain import PermissionFilter
from managed_sync.llama_index import PermissionPostprocessor
from tests.support.frameworks import ALICE, WAYS, Way
from tests.support.keywords import BM25
from tests.support.passages import Passage
from tests.support.permission_service import CheckingService, FakePermissionService

FIELD = ObjectIdField("source", cut_prefix="drive/", add_prefix="file:")


def passage(number: int, **metadata: Any) -> Passage:
    return Passage(f"passage {number}", None, f"chunk-{number}", more=metadata)


# Alice may read file:2 and file:9, and nothing that other fields name.
ODD = [
    passage(0, source="drive/1", object_id="file:2"),
    passage(1, object_id="file:2"),
    passage(2, source="drive/2", object_id="file:1"),
    passage(3, source="file:2"),
    passage(4, source="2"),
    passage(5, source="Drive/2"),
    passage(6, source="drive/drive/2"),
    passage(7, source="drive/"),
    passage(8, source=2),
    passage(9, source="drive/9"),
]
READABLE = ["passage 2", "passage 9"]


def function(metadata: Mapping[str, Any]) -> str:
    source: str = metadata["source"]
    return "file:" + source.split("drive/", 1)[1]


def service() -> FakePermissionService:
    return FakePermissionService(alice=["file:2", "file:9"])


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("object_id", [FIELD, function], ids=["field", "function"])
def test_only_the_named_field_counts(way: Way, object_id: Any) -> None:
    found = way.ask(
        way.retriever(way.shared_store(ODD), AccessChecker(service()), object_id=object_id)
    )
    assert found.texts == READABLE
    # Passages that name no object could have been readable ones.
    assert found.report.unidentified
    assert not found.report.complete


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_list_finds_the_same_by_the_field_and_is_refused_for_a_function(way: Way) -> None:
    store, checker = way.shared_store(ODD), AccessChecker(service(), list_limit=None)
    by_list = way.retriever(store, checker, object_id=FIELD, strategy="pre_filter")
    assert way.ask(by_list).texts == READABLE
    refused = "no store can filter by a function object_id=. Name a metadata field"
    with pytest.raises(ConfigurationError, match=refused):
        way.retriever(store, checker, object_id=function, strategy="pre_filter")
    unlisted = AccessChecker(CheckingService(), list_limit=None)
    with pytest.raises(ConfigurationError, match=r": the checker's client has no list_objects\(\)"):
        way.retriever(store, unlisted, object_id=FIELD, strategy="pre_filter")


MANY = [passage(number, source=f"drive/{number}") for number in range(400)]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_with_a_function_a_user_who_may_read_little_still_gets_all_of_it(way: Way) -> None:
    few = FakePermissionService(alice=["file:7", "file:399"])
    retriever = way.retriever(
        way.shared_store(MANY), AccessChecker(few, list_limit=None), object_id=function, k=3
    )
    found = way.ask(retriever)
    assert found.texts == ["passage 7", "passage 399"]
    assert (found.report.strategy, found.report.complete) == ("post_filter", True)
    assert few.listed == 0, "A list is of no use without a filter."


class Swaps(BaseDocumentCompressor):
    """Returns the passages backwards, each under the name of the first one's object."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Any = None
    ) -> Sequence[Document]:
        source = documents[0].metadata["source"]
        return [
            Document(one.page_content, metadata={**one.metadata, "source": source})
            for one in reversed(documents)
        ]


def test_a_reranker_that_renames_objects_returns_none_of_them() -> None:
    (way, *_) = WAYS
    retriever = way.retriever(
        way.shared_store(MANY), AccessChecker(service()), object_id=FIELD, reranker=Swaps(), k=2
    )
    found = way.ask(retriever)
    assert found.texts == ["passage 2"]


@pytest.mark.parametrize("object_id", [FIELD, function], ids=["field", "function"])
def test_the_filters_behind_a_retriever_read_the_same_field(object_id: Any) -> None:
    checker = AccessChecker(service())
    documents = [Document(each.text, metadata=each.metadata) for each in ODD]
    kept = PermissionFilter(
        checker=checker, object_id=object_id, bound_subject=ALICE
    ).compress_documents(documents, "")
    assert [document.page_content for document in kept] == READABLE

    nodes = [NodeWithScore(node=TextNode(text=each.text, metadata=each.metadata)) for each in ODD]
    left = PermissionPostprocessor(
        checker=checker, object_id=object_id, bound_subject=ALICE
    ).postprocess_nodes(nodes)
    assert [scored.node.get_content() for scored in left] == READABLE


@pytest.mark.parametrize("way", WAYS[::2], ids=str)
def test_neighbors_are_those_of_the_same_object_only(way: Way) -> None:
    passages = [
        passage(0, source="drive/2", chunk_index=0, object_id="file:9"),
        passage(1, source="drive/2", chunk_index=1, object_id="file:9"),
        passage(2, source="drive/3", chunk_index=2, object_id="file:9"),
    ]
    store, checker = way.store(passages), AccessChecker(service())
    found = way.ask(way.retriever(store, checker, object_id=FIELD, expand=1, k=1))
    assert found.texts == ["passage 0\n\npassage 1"]
    with pytest.raises(ConfigurationError, match="expand"):
        way.retriever(store, checker, object_id=function, expand=1)


@pytest.mark.parametrize("way", WAYS[::2], ids=str)
def test_it_is_refused_where_it_would_be_ignored(way: Way) -> None:
    with pytest.raises(ConfigurationError, match="object_id"):
        way.retriever(None, AccessChecker(service()), keywords=BM25([]), object_id=FIELD)


# The ids of records, paths and addresses, none of which is the id of an object.
FOREIGN = [
    passage(number, rid=f"secret{number}", url=f"https://drive/secret{number}")
    for number in range(30)
]


@pytest.mark.parametrize("way", WAYS[::2], ids=str)
@pytest.mark.parametrize("field", ["rid", "dic_id"])
def test_a_field_of_other_values_is_named_and_the_values_are_not(
    way: Way, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    permissions = FakePermissionService(alice=["file:secret1"])
    store, checker = way.shared_store(FOREIGN), AccessChecker(permissions)

    report = way.ask(way.retriever(store, checker, object_id=field, k=2)).report

    assert (report.returned, report.unidentified, report.complete) == (0, 30, False)
    assert f"30 passages without a usable object id in '{field}'" in caplog.text
    assert "returned 0 after looking at 30" in caplog.text
    assert f"ObjectIdField('{field}', add_prefix='file:')" in caplog.text
    with pytest.raises(IncompleteRetrievalError, match=f"object id in '{field}'") as raised:
        way.ask(way.retriever(store, checker, object_id=field, raise_if_incomplete=True))
    assert "secret" not in caplog.text + str(raised.value)


@pytest.mark.parametrize("way", WAYS[::2], ids=str)
def test_values_that_look_like_ids_and_are_all_denied_are_noticed_once(
    way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    store, checker = way.shared_store(FOREIGN), AccessChecker(FakePermissionService())
    retriever = way.retriever(store, checker, object_id="url", k=2)

    assert [way.ask(retriever).texts for _ in range(2)] == [[], []]

    (message,) = [record.getMessage() for record in caplog.records]
    assert "object_id='url'" in message
    assert "looks like 'file:3f2a'" in message
    assert "secret" not in message
