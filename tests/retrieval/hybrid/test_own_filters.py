"""The caller's own filter over two rankings: both apply it, or the call is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from managed_sync import AccessChecker, KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import PermissionAwareRetriever
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.keywords import BM25
from tests.support.permission_service import FakePermissionService

READABLE = [f"file:{number}" for number in range(0, 60, 2)]


def metadata_of(number: int) -> dict[str, Any]:
    return {
        "object_id": f"file:{number}",
        "chunk_id": f"chunk {number}",
        "project_id": "p",
        "integration": "zendesk" if number % 3 else "drive",
        "page": number % 5,
        "team": str(number % 4),
    }


def text_of(number: int) -> str:
    return "battery " * (number % 7 + 1) + str(number)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> KeywordIndex:
    index = KeywordIndex(tmp_path_factory.mktemp("keywords") / "keywords.db")
    index.upsert([Chunk(text_of(number), metadata_of(number)) for number in range(60)])
    return index


@pytest.fixture(scope="module")
def store() -> InMemoryVectorStore:
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents(
        [
            Document(text_of(number), metadata=metadata_of(number), id=f"chunk {number}")
            for number in range(60)
        ]
    )
    return store


def retriever_of(store: Any, keywords: Any, **settings: Any) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        vectorstore=store,
        keywords=keywords,
        checker=AccessChecker(FakePermissionService(*READABLE), list_limit=None),
        bound_subject="a@x.example",
        **{"k": 40, **settings},
    )


def numbers(documents: list[Document]) -> set[int]:
    return {int(one.metadata["object_id"].removeprefix("file:")) for one in documents}


def matching(**wanted: Any) -> set[int]:
    return {
        number
        for number in range(0, 60, 2)
        if all(metadata_of(number)[name] == value for name, value in wanted.items())
    }


def test_both_rankings_apply_a_mapping(index: KeywordIndex, store: InMemoryVectorStore) -> None:
    for vectorstore in (store, None):
        for strategy in ("auto", "post_filter", "pre_filter"):
            retriever = retriever_of(
                vectorstore, index, strategy=strategy, filter={"integration": "zendesk"}
            )
            assert numbers(retriever.invoke("battery")) == matching(integration="zendesk")
            found, report = retriever.retrieve_with_report("battery", filter={"page": 3})
            assert numbers(found) == matching(integration="zendesk", page=3)
            assert report.complete
            assert retriever.invoke("battery", filter={"integration": "drive"}) == []


def test_values_of_another_type_are_not_equal(
    index: KeywordIndex, store: InMemoryVectorStore
) -> None:
    retriever = retriever_of(store, index)

    assert numbers(retriever.invoke("battery", filter={"team": "2"})) == matching(team="2")
    assert retriever.invoke("battery", filter={"team": 2}) == []
    assert retriever.invoke("battery", filter={"page": "3"}) == []


@pytest.mark.parametrize(
    "own", [lambda document: True, {"page": {"$gt": 2}}, {"page": [1, 2]}, {"flag": True}]
)
def test_another_filter_is_refused_by_name(
    index: KeywordIndex, store: InMemoryVectorStore, own: Any
) -> None:
    for settings in ({"filter": own}, {"search_kwargs": {"filter": own}}):
        with pytest.raises(ConfigurationError, match="filter cannot be used with keywords"):
            retriever_of(store, index, **settings)
    for vectorstore in (store, None):
        with pytest.raises(ConfigurationError, match="filter cannot be used with keywords"):
            retriever_of(vectorstore, index).invoke("battery", filter=own)


def test_so_are_keywords_that_cannot_be_filtered(store: InMemoryVectorStore) -> None:
    with pytest.raises(ConfigurationError, match="no argument where"):
        retriever_of(store, BM25([]), filter={"page": 3})
    with pytest.raises(ConfigurationError, match="no argument where"):
        retriever_of(store, BM25([])).invoke("battery", filter={"page": 3})


def test_a_filtered_search_by_keywords_is_its_ranking_without_the_rest(
    index: KeywordIndex,
) -> None:
    everything = index.search("battery", 60)
    conditions: list[Any] = [{"page": 3}, {"page": 3, "team": "1"}, {"team": "nobody's"}]
    for where in conditions:
        expected = [
            each for each in everything
            if all(each.metadata.get(name) == value for name, value in where.items())
        ]  # fmt: skip
        for limit in (1, 3, 60):
            assert index.search("battery", limit, where=where) == expected[:limit]


class Unknown(VectorStore):
    """A store that this package does not know, whose search takes some arguments."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def similarity_search(
        self, query: str, k: int = 4, num_candidates: int = 50, **kwargs: Any
    ) -> list[Document]:
        self.calls.append({"k": k, "num_candidates": num_candidates, **kwargs})
        return []

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Unknown:
        return cls()


class TestAnUnknownStore:
    def test_a_filter_that_its_search_could_ignore_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="filter is not available for Unknown"):
            retriever_of(Unknown(), None, filter={"page": 3})
        with pytest.raises(ConfigurationError, match="filter is not available for Unknown"):
            retriever_of(Unknown(), None).invoke("q", filter={"page": 3})

    def test_arguments_that_limit_the_hits_are_widened_with_them(self) -> None:
        store: Any = Unknown()
        own = {"num_candidates": 20, "param": {"params": {"ef": 10}}, "filters": {"ef": 1}}

        retriever_of(store, None).invoke("q")
        retriever_of(store, None, search_kwargs=own).invoke("q")

        for call in store.calls:
            assert call["num_candidates"] >= call["k"] > 50
        assert store.calls[-1]["param"]["params"]["ef"] >= store.calls[-1]["k"]
        assert store.calls[-1]["filters"] == {"ef": 1}


def test_a_path_of_an_index_can_be_filtered_too(
    index: KeywordIndex, store: InMemoryVectorStore
) -> None:
    retriever = retriever_of(store, Path(index.path), filter={"page": 3})
    assert numbers(retriever.invoke("battery")) == matching(page=3)


class TestNeighbors:
    @pytest.fixture
    def chunks(self) -> list[Chunk]:
        return [
            Chunk(f"battery {number}", {**metadata_of(0), "chunk_id": f"c{number}",
                  "chunk_index": number, "team": team})
            for number, team in enumerate(["ours", "ours", "theirs"])
        ]  # fmt: skip

    @pytest.fixture
    def filled(self, chunks: list[Chunk]) -> InMemoryVectorStore:
        store = InMemoryVectorStore(HashEmbeddings())
        store.add_documents(
            [
                Document(one.text, metadata=one.metadata, id=one.metadata["chunk_id"])
                for one in chunks
            ]
        )
        return store

    def test_those_outside_of_the_filter_are_not_joined(
        self, filled: InMemoryVectorStore, chunks: list[Chunk], tmp_path: Path
    ) -> None:
        index = KeywordIndex(tmp_path / "keywords.db")
        index.upsert(chunks)
        for keywords in (index, None):
            (found,) = retriever_of(filled, keywords, expand=2, filter={"team": "ours"}).invoke("q")
            assert found.page_content == "battery 0\n\nbattery 1"

    def test_a_filter_that_they_cannot_be_compared_with_is_refused(
        self, filled: InMemoryVectorStore
    ) -> None:
        retriever = retriever_of(filled, None, expand=1)
        with pytest.raises(ConfigurationError, match="expand cannot be used with this filter"):
            retriever.invoke("q", filter=lambda document: document.metadata["team"] == "ours")
