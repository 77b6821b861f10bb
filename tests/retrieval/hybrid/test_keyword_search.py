"""Searches of the keyword index of this package, from a file, next to a store or alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessChecker, KeywordIndex
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, KeywordIndexError
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.langchain.conversion import to_langchain
from managed_sync.llama_index import PermissionAwareRetriever as LlamaIndexRetriever
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.permission_service import FakePermissionService

ALICE = "alice@x.example"
TEXTS = {
    "file:vpn": "Error 612 means that the tunnel is down.",
    "file:secret": "Error 612 error 612: the secret tunnel.",
    "file:table": "| Oslo | 200 |",
}


def chunk(object_id: str, text: str, **more: Any) -> Chunk:
    ids: dict[str, Any] = {
        "object_id": object_id,
        "chunk_id": f"chunk of {object_id}",
        "chunk_index": 0,
    }
    return Chunk(text, {**ids, "project_id": "p1", **more})


CHUNKS = [
    chunk("file:vpn", TEXTS["file:vpn"]),
    chunk("file:secret", TEXTS["file:secret"]),
    chunk("file:table", TEXTS["file:table"], table_header="| City | Limit |"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keywords.db"
    KeywordIndex(file).upsert(CHUNKS)
    return file


def checker(*readable: str) -> AccessChecker:
    return AccessChecker(FakePermissionService(*readable, project_id="p1"), list_limit=None)


def test_a_path_is_enough_and_passages_that_may_not_be_read_do_not_come_back(file: Path) -> None:
    alone = PermissionAwareRetriever(keywords=file, checker=checker("file:vpn", "file:table"))

    found, report = alone.retrieve_with_report("VPN error 612", subject=ALICE)

    assert [document.page_content for document in found] == [TEXTS["file:vpn"]]
    assert report.complete


def test_llama_index_finds_the_same(file: Path) -> None:
    alone = LlamaIndexRetriever(keywords=str(file), checker=checker("file:vpn"))

    nodes, _ = alone.retrieve_with_report("VPN error 612", subject=ALICE)

    assert [node.node.get_content() for node in nodes] == [TEXTS["file:vpn"]]
    assert nodes[0].score is not None


def test_a_passage_that_stands_under_its_tables_header_in_the_store_is_one_passage(
    file: Path,
) -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    # Another id in the store, so that only the chunk's id and text tell that it is the same.
    own = to_langchain(CHUNKS[2])
    store.add_documents([Document(own.page_content, metadata=own.metadata, id="another")])
    retriever = PermissionAwareRetriever(
        vectorstore=store, keywords=file, checker=checker("file:table")
    )

    (found,) = retriever.invoke("Oslo", subject=ALICE)

    assert found.page_content == "| City | Limit |\n| Oslo | 200 |"


def test_passages_of_another_project_in_the_file_do_not_come_back(file: Path) -> None:
    elsewhere = chunk("file:vpn", "Error 612 elsewhere", project_id="p2", chunk_id="elsewhere")
    KeywordIndex(file).upsert([elsewhere])
    alone = PermissionAwareRetriever(keywords=file, checker=checker("file:vpn"))

    found = alone.invoke("error 612", subject=ALICE)

    assert [document.page_content for document in found] == [TEXTS["file:vpn"]]


@pytest.mark.parametrize("kind", [PermissionAwareRetriever, LlamaIndexRetriever])
def test_passages_that_name_no_project_are_of_the_checkers_and_so_are_their_neighbors(
    tmp_path: Path, kind: Any
) -> None:
    texts = ["Error 612 here.", "Next to it."]
    unnamed = [
        Chunk(text, {"object_id": "file:own", "chunk_id": f"c{n}", "chunk_index": n})
        for n, text in enumerate(texts)
    ]
    canaries = [
        chunk("file:own", "Error 612 canary", project_id=project, chunk_id=project, chunk_index=n)
        for n, project in enumerate(["p2", "p3"])
    ]
    KeywordIndex(tmp_path / "k.db").upsert([*unnamed, *canaries])
    retriever = kind(keywords=tmp_path / "k.db", checker=checker("file:own"), expand=1)

    found, report = retriever.retrieve_with_report("error 612", subject=ALICE)

    assert [getattr(each, "page_content", None) or each.text for each in found] == [
        "Error 612 here.\n\nNext to it."
    ]
    assert report.complete


def test_a_file_that_is_missing_or_damaged_raises(tmp_path: Path) -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents([to_langchain(each) for each in CHUNKS])
    damaged = tmp_path / "damaged.db"
    damaged.write_text("not a database, but long enough to be taken for one" * 100)
    for file in (tmp_path / "missing.db", damaged):
        retriever = PermissionAwareRetriever(
            vectorstore=store, keywords=file, checker=checker("file:vpn")
        )
        with pytest.raises(KeywordIndexError):
            retriever.invoke("error 612", subject=ALICE)


@pytest.mark.parametrize("kind", [PermissionAwareRetriever, LlamaIndexRetriever])
def test_something_else_is_refused(kind: Any) -> None:
    with pytest.raises(Exception, match="keywords"):
        kind(keywords=7, checker=checker())


def test_neighbors_come_from_the_index_and_are_of_the_same_object(tmp_path: Path) -> None:
    text = "The first part. The second part. The third part."
    spans = [(0, 18), (16, 35), (33, 48)]
    parts = [
        chunk(
            "file:1",
            text[start:end],
            chunk_id=f"c{n}",
            chunk_index=n,
            start_char=start,
            end_char=end,
        )
        for n, (start, end) in enumerate(spans)
    ]
    other = chunk("file:2", "secret", chunk_id="c9", chunk_index=2)
    KeywordIndex(tmp_path / "k.db").upsert([*parts, other])
    store = InMemoryVectorStore(HashEmbeddings())
    store.add_documents([to_langchain(each) for each in [*parts, other]])

    for arguments in ({"keywords": tmp_path / "k.db"}, {"vectorstore": store}):
        retriever = PermissionAwareRetriever(
            **arguments, checker=checker("file:1"), k=3, expand=1, max_per_object=None
        )
        found = {
            document.metadata["chunk_id"]: document
            for document in retriever.invoke("second part", subject=ALICE)
        }
        assert found["c1"].page_content == text
        assert found["c1"].metadata["start_char"] == 0
        assert found["c0"].page_content == text[:35]


def test_a_store_that_cannot_be_read_back_has_no_neighbors() -> None:
    class Unknown(InMemoryVectorStore):
        def similarity_search_with_score(self, *arguments: Any, **more: Any) -> Any:
            return super().similarity_search_with_score(*arguments, **more)

    with pytest.raises(ConfigurationError, match="expand is not available"):
        PermissionAwareRetriever(vectorstore=Unknown(HashEmbeddings()), checker=checker(), expand=1)
