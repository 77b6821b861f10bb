"""Loader and splitter as LangChain uses them."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentTransformer, Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from managed_sync.documents.chunking.tokens import Tokenizer
from managed_sync.errors import (
    ConfigurationError,
    DocumentError,
    InvalidIdentifierError,
    NotFoundError,
)
from managed_sync.langchain import BundledEmbeddings, ManagedSyncLoader, ManagedSyncSplitter
from tests.support.record_source import RecordSource, folder_of, mail_with

PRICES = "\n".join(
    [
        "| Item | Price |",
        "| --- | --- |",
        *(f"| Cable no. {number} | 7.50 |" for number in range(60)),
    ]
)
PLAN = "# Plan\n\nWhy.\n\n## Steps\n\n" + "Do one thing after the other. " * 40


def loader(source: RecordSource, *, raise_on_failure: bool = False) -> ManagedSyncLoader:
    return ManagedSyncLoader(
        source, integration="box", sync_type="files", raise_on_failure=raise_on_failure
    )


def test_every_record_but_folders_becomes_a_document_with_scalar_metadata() -> None:
    documents = loader(folder_of(a="# A\n\ntext", b="# B\n\ntext")).load()

    assert [document.metadata["object_id"] for document in documents] == ["file:a", "file:b"]
    metadata = documents[0].metadata
    assert (
        metadata.items()
        >= {
            "record_id": "a",
            "source_id": "/x/a.md",
            "integration": "box",
            "sync_type": "files",
            "project_id": "p1",
            "container_id": "folder:folder",
            "title": "a.md",
            "mime_type": "text/markdown",
        }.items()
    )
    assert all(isinstance(value, str | int | float | bool) for value in metadata.values())


def test_the_attachments_of_a_mail_are_documents_of_their_own_after_it() -> None:
    source = mail_with(a_txt="Same text.", b_txt="Same text.")

    documents = loader(source).load()
    chunks = ManagedSyncSplitter().transform_documents(documents)

    assert [each.metadata["title"] for each in documents] == ["mail.eml", "a.txt", "b.txt"]
    assert [each.metadata.get("part") for each in chunks] == [
        *(None, "attachments/a.txt", "attachments/b.txt"),
    ]
    assert {each.metadata["object_id"] for each in [*documents, *chunks]} == {"file:mail"}
    assert len({each.id for each in chunks}) == 3

    async def load() -> list[Document]:
        return [document async for document in loader(source).alazy_load()]

    assert asyncio.run(load()) == documents


def test_the_asynchronous_way_loads_the_same() -> None:
    async def load() -> list[Document]:
        return [document async for document in loader(folder_of(a="Alpha", b="Beta")).alazy_load()]

    assert [document.page_content for document in asyncio.run(load())] == ["Alpha\n", "Beta\n"]


def test_a_record_that_cannot_be_read_is_kept_with_its_reason_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = loader(folder_of(a="Alpha", gone=None, b="Beta"))

    with caplog.at_level(logging.WARNING, "managed_sync"):
        documents = failing.load()

    assert [document.page_content for document in documents] == ["Alpha\n", "Beta\n"]
    assert [failure.record_id for failure in failing.failures] == ["gone"]
    assert "gone" in caplog.text


def test_it_raises_instead_when_asked_to() -> None:
    with pytest.raises(NotFoundError):
        loader(folder_of(a="Alpha", gone=None), raise_on_failure=True).load()


def test_chunks_carry_the_object_id_their_place_and_their_own_id() -> None:
    splitter = ManagedSyncSplitter(chunk_size=64, chunk_overlap=8)
    document = loader(folder_of(a=PLAN)).load()[0]

    chunks = splitter.transform_documents([document])

    assert len(chunks) > 3
    for position, chunk in enumerate(chunks):
        metadata = chunk.metadata
        assert metadata["object_id"] == "file:a"
        assert metadata["chunk_index"] == position
        assert chunk.id == metadata["chunk_id"]
        assert metadata["token_count"] <= 64
        start, end = metadata["start_char"], metadata["end_char"]
        assert document.page_content[start:end] == chunk.page_content
    assert chunks[-1].metadata["heading"] == "Plan > Steps"


def test_it_is_what_load_and_split_takes() -> None:
    splitter = ManagedSyncSplitter(chunk_size=64, chunk_overlap=8)
    documents = loader(folder_of(a=PLAN)).load()

    assert splitter.split_documents(documents) == splitter.transform_documents(documents)
    assert asyncio.run(splitter.atransform_documents(documents)) == splitter.split_documents(
        documents
    )


def test_a_document_without_an_object_id_is_refused() -> None:
    with pytest.raises(InvalidIdentifierError, match="object_id"):
        ManagedSyncSplitter().transform_documents([Document("text", metadata={"source": "x"})])


def test_the_heading_comes_first_in_what_is_embedded_if_wanted() -> None:
    documents = loader(folder_of(a=PLAN)).load()
    plain = ManagedSyncSplitter(64, 8).transform_documents(documents)
    prefixed = ManagedSyncSplitter(64, 8, heading_prefix=True).transform_documents(documents)

    assert prefixed[-1].page_content == f"Plan > Steps\n\n{plain[-1].page_content}"
    for chunk, same in zip(prefixed, plain, strict=True):
        start, end = chunk.metadata["start_char"], chunk.metadata["end_char"]
        own = chunk.page_content[chunk.metadata["prefix_chars"] :]
        assert own == documents[0].page_content[start:end] == same.page_content
        assert chunk.id == same.id


def test_the_header_of_a_table_is_embedded_with_each_of_its_chunks() -> None:
    document = loader(folder_of(a=f"# Prices\n\n{PRICES}\n")).load()[0]
    for heading_prefix in (False, True):
        splitter = ManagedSyncSplitter(64, 16, heading_prefix=heading_prefix)
        chunks = splitter.transform_documents([document])
        assert len(chunks) > 5
        for position, chunk in enumerate(chunks):
            prefix = chunk.metadata.get("prefix_chars", 0)
            start, end = chunk.metadata["start_char"], chunk.metadata["end_char"]
            assert chunk.page_content[prefix:] == document.page_content[start:end]
            heading = "Prices\n\n" if heading_prefix else ""
            header = "| Item | Price |\n" if position else ""
            assert chunk.page_content[:prefix] == f"{heading}{header}"
            embedded = chunk.page_content.removeprefix(heading)
            assert embedded.count("| Item | Price |\n") == 1
            assert Tokenizer("cl100k_base").count(embedded) <= 64


def test_chunks_that_are_split_once_more_keep_their_header_and_their_text() -> None:
    document = loader(folder_of(a=f"# Prices\n\n{PRICES}\n\nAsk for {'more ' * 9}prices.")).load()[
        0
    ]
    theirs = RecursiveCharacterTextSplitter(chunk_size=100, chunk_overlap=0)
    for heading_prefix in (False, True):
        first = ManagedSyncSplitter(128, 0, heading_prefix=heading_prefix)
        _, *chunks = first.transform_documents([document])
        own = [part.page_content[part.metadata.get("prefix_chars", 0) :] for part in chunks]
        for again in (
            ManagedSyncSplitter(48, 0),
            ManagedSyncSplitter(splitter=theirs),
            ManagedSyncSplitter(1_000, 0),
        ):
            pieces = again.transform_documents(chunks)
            texts = [p.page_content[p.metadata.get("prefix_chars", 0) :] for p in pieces]
            assert "".join("".join(texts).split()) == "".join("".join(own).split())
            for piece, text in zip(pieces, texts, strict=True):
                headers = piece.page_content.count("| Item | Price |\n")
                assert headers == int(text.startswith("|"))


def test_pieces_of_another_splitter_are_not_robbed_of_their_beginning() -> None:
    (_, chunk, *_) = ManagedSyncSplitter(64, 0).transform_documents(
        [Document(f"{PRICES}\n", metadata={"object_id": "file:a"})]
    )
    theirs = RecursiveCharacterTextSplitter(chunk_size=60, chunk_overlap=0)
    copies = theirs.split_documents([chunk])

    pieces = ManagedSyncSplitter(1_000, 0).transform_documents(copies)

    assert {each.metadata["prefix_chars"] for each in copies} == {17}, "as LangChain copies it"
    shown = "\n".join(piece.page_content.removeprefix("| Item | Price |\n") for piece in pieces)
    assert shown.split() == chunk.page_content.removeprefix("| Item | Price |\n").split()
    assert all(piece.page_content.startswith("| Item | Price |\n") for piece in pieces)


def test_any_other_splitter_can_cut_and_its_chunks_get_ids_and_their_place() -> None:
    document = loader(folder_of(a=PLAN)).load()[0]
    theirs = RecursiveCharacterTextSplitter(chunk_size=100, chunk_overlap=20)

    chunks = ManagedSyncSplitter(splitter=theirs).transform_documents([document])

    assert [chunk.page_content for chunk in chunks] == theirs.split_text(document.page_content)
    assert len({chunk.id for chunk in chunks}) == len(chunks) > 5
    starts = [chunk.metadata["start_char"] for chunk in chunks]
    assert starts == sorted(set(starts))
    for chunk in chunks:
        metadata = chunk.metadata
        assert metadata["object_id"] == "file:a"
        assert metadata["chunk_id"] == chunk.id
        start, end = metadata["start_char"], metadata["end_char"]
        assert document.page_content[start:end] == chunk.page_content
    assert chunks[-1].metadata["heading"] == "Plan > Steps"


def test_where_a_splitter_says_that_a_chunk_begins_is_believed_if_it_is_true() -> None:
    document = Document("same same same", metadata={"object_id": "file:a"})

    class Last(BaseDocumentTransformer):
        def transform_documents(
            self, documents: Sequence[Document], **kwargs: Any
        ) -> Sequence[Document]:
            return [
                Document("same", metadata={"start_index": 10}),
                Document("same", metadata={"start_index": 3}),
            ]

    first, second = ManagedSyncSplitter(splitter=Last()).transform_documents([document])
    assert (first.metadata["start_char"], second.metadata["start_char"]) == (10, 0)


class Rewriting(BaseDocumentTransformer):
    """A transformer that changes text and metadata."""

    def __init__(self, **metadata: object) -> None:
        self.metadata = metadata

    def transform_documents(
        self, documents: Sequence[Document], **kwargs: Any
    ) -> Sequence[Document]:
        return [Document(page_content="A summary.", metadata=self.metadata), Document("  ")]


def test_a_chunk_that_is_not_in_the_document_has_an_id_and_no_place() -> None:
    document = Document("A long text.", metadata={"object_id": "file:a", "start_char": 7})
    (chunk,) = ManagedSyncSplitter(splitter=Rewriting(topic="x")).transform_documents([document])

    assert chunk.id == chunk.metadata["chunk_id"]
    assert (chunk.metadata["object_id"], chunk.metadata["topic"]) == ("file:a", "x")
    assert not {"start_char", "end_char", "heading", "page"} & chunk.metadata.keys()


@pytest.mark.parametrize("metadata", [{"object_id": "file:b"}, {"object_id": ""}, {"tags": ["x"]}])
def test_a_splitter_cannot_give_a_chunk_to_another_object(metadata: dict[str, object]) -> None:
    document = Document("A long text.", metadata={"object_id": "file:a"})
    with pytest.raises(DocumentError, match="file:a"):
        ManagedSyncSplitter(splitter=Rewriting(**metadata)).transform_documents([document])


def test_with_another_splitter_a_document_without_an_object_id_is_refused_too() -> None:
    with pytest.raises(InvalidIdentifierError, match="object_id"):
        ManagedSyncSplitter(splitter=Rewriting(object_id="file:a")).transform_documents(
            [Document("text")]
        )


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        ManagedSyncSplitter(chunk_size=10, chunk_overlap=10)


def test_documents_survive_pickling_and_langchains_own_index() -> None:
    documents = loader(folder_of(a=PLAN, b="Beta")).load()
    assert pickle.loads(pickle.dumps(documents)) == documents  # noqa: S301 - its own bytes

    store = InMemoryVectorStore(BundledEmbeddings())
    manager = InMemoryRecordManager("box/files")
    manager.create_schema()
    chunks = ManagedSyncSplitter().transform_documents(documents)
    first = index(chunks, manager, store, cleanup="full", source_id_key="object_id")
    again = index(chunks, manager, store, cleanup="full", source_id_key="object_id")

    assert first["num_added"] == len(chunks)
    assert (again["num_added"], again["num_skipped"]) == (0, len(chunks))


def test_langchains_own_index_takes_the_loader_and_removes_what_the_source_lost() -> None:
    store = InMemoryVectorStore(BundledEmbeddings())
    manager = InMemoryRecordManager("box/files")
    manager.create_schema()

    def bring_up_to_date(**files: str) -> tuple[int, int, int]:
        result = index(
            loader(folder_of(**files)),
            manager,
            store,
            cleanup="full",
            source_id_key="object_id",
            key_encoder="blake2b",
        )
        return result["num_added"], result["num_skipped"], result["num_deleted"]

    assert bring_up_to_date(a="Alpha", b="Beta") == (2, 0, 0)
    assert bring_up_to_date(a="Alpha", b="Beta") == (0, 2, 0)
    assert bring_up_to_date(a="Alpha", b="Gamma") == (1, 1, 1)
    assert bring_up_to_date(b="Gamma") == (0, 1, 1)


def test_langchains_asynchronous_index_takes_the_loader_too() -> None:
    async def run() -> int:
        manager = InMemoryRecordManager("box/files")
        await manager.acreate_schema()
        result = await aindex(
            loader(folder_of(a="Alpha", b="Beta")),
            manager,
            InMemoryVectorStore(BundledEmbeddings()),
            cleanup="full",
            source_id_key="object_id",
            key_encoder="blake2b",
        )
        return result["num_added"]

    assert asyncio.run(run()) == 2


def test_options_reach_the_loader() -> None:
    mine = ManagedSyncLoader(
        folder_of(a="Alpha"),
        integration="box",
        sync_type="files",
        parser=lambda data, *, content_type, filename: "mine",
    )
    assert [document.page_content for document in mine.load()] == ["mine"]
    with pytest.raises(ConfigurationError, match="nothing"):
        ManagedSyncLoader(folder_of(), integration="box", sync_type="files", parser="nothing")  # type: ignore[arg-type]
