"""Tests peculiarities of LlamaIndex's ``PGVectorStore``, in a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import LlamaIndexTarget
from managed_sync.llama_index.stores import adapter_of
from tests.support.hash_embeddings import DIMENSIONS, HashEmbedding
from tests.support.llama_index_postgres import llama_index_pgvector

IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)]
# The store would read the first as SQL, and the second as a parameter.
ODD = ["file:') OR TRUE --", "file:a.:b %s"]
HNSW = {"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40}


def filled(postgres: str, **settings: Any) -> BasePydanticVectorStore:
    store: BasePydanticVectorStore = llama_index_pgvector(DIMENSIONS, postgres, **settings)
    chunks = [
        Chunk(f"text {number}", {"object_id": object_id, "chunk_id": IDS[number], "title": title})
        for number, (object_id, title) in enumerate(
            [("file:1", "it's"), *zip(ODD, ODD, strict=True)]
        )
    ]
    LlamaIndexTarget(store, HashEmbedding()).upsert(chunks)
    return store


def test_an_index_of_vectors_is_not_exact_and_neither_is_code_of_the_callers(postgres: str) -> None:
    assert adapter_of(filled(postgres)).exact
    assert not adapter_of(filled(postgres, use_jsonb=True, hnsw_kwargs=dict(HNSW))).exact
    own = {"customize_query_fn": lambda query, _: query.where(False)}
    assert not adapter_of(filled(postgres, **own)).exact


def test_values_of_a_mapping_are_not_read_as_sql(postgres: str) -> None:
    index = LlamaIndexTarget(filled(postgres), HashEmbedding())._index
    adapter = adapter_of(index.vector_store, index)

    for title, number in (("it's", 0), (ODD[0], 1), (ODD[1], 2)):
        filters = adapter.filter_of({"title": title})
        found = index.as_retriever(similarity_top_k=5, filters=filters).retrieve("q")
        assert [node.node.node_id for node in found] == [IDS[number]]
    with pytest.raises(ConfigurationError, match="cannot filter by the metadata"):
        adapter.filter_of({"title') OR ('": "x"})


@pytest.mark.parametrize("use_jsonb", [False, True])
def test_a_number_is_compared_without_reading_other_rows_as_numbers(
    postgres: str, use_jsonb: bool
) -> None:
    store = llama_index_pgvector(DIMENSIONS, postgres, use_jsonb=use_jsonb)
    target = LlamaIndexTarget(store, HashEmbedding())
    levels: list[Any] = [3, "TOP SECRET MERGER", "3", 30]
    target.upsert(
        [
            Chunk(f"text {number}", {"object_id": "f:1", "chunk_id": IDS[number], "level": level})
            for number, level in enumerate(levels)
        ]
    )
    adapter = adapter_of(store)

    for level, expected in ((3, IDS[:1]), (30, IDS[3:])):
        filters = adapter.filter_of({"level": level})
        found = target._index.as_retriever(similarity_top_k=5, filters=filters).retrieve("q")
        assert [node.node.node_id for node in found] == expected


def test_a_store_that_quotes_values_gets_them_as_they_are(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = filled(postgres)
    monkeypatch.setattr(type(store), "_build_filter_clause", lambda *_: "metadata_->>'k' IN (:k)")

    filters = adapter_of(store).search_kwargs(ODD)["filters"]

    assert filters.filters[0].value == ODD


def test_a_write_that_fails_leaves_what_was_there(postgres: str) -> None:
    store = filled(postgres)
    target = LlamaIndexTarget(store, HashEmbedding())
    new = Chunk("new", {"object_id": "file:1", "chunk_id": IDS[0]})

    with pytest.raises(Exception, match="dimensions"):
        target._adapter.write(_nodes(new), {IDS[0]})

    assert [chunk.text for chunk in target.read([IDS[0]]) or ()] == ["text 0"]


def _nodes(chunk: Chunk) -> list[Any]:
    from managed_sync.llama_index.conversion import to_node

    node = to_node(chunk, heading_prefix=True)
    node.embedding = [0.5] * (DIMENSIONS + 1)
    return [node]
