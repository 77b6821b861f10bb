"""Reader and node parser as LlamaIndex uses them."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import Document, MetadataMode, NodeRelationship, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore

from managed_sync.errors import ConfigurationError, InvalidIdentifierError, NotFoundError
from managed_sync.llama_index import BundledEmbedding, ManagedSyncNodeParser, ManagedSyncReader
from tests.fake_source import FakeSource

# Sentences that stand twice, so that searching for their text would find the wrong place.
PLAN = "# Plan\n\nWhy.\n\n## Steps\n\n" + "Do one thing after the other. " * 40


def reader(source: FakeSource, *, raise_on_failure: bool = False) -> ManagedSyncReader:
    return ManagedSyncReader(
        source, integration="box", sync_type="files", raise_on_failure=raise_on_failure
    )


def test_every_record_but_folders_becomes_a_document_under_its_object_id() -> None:
    documents = reader(FakeSource(a="# A\n\ntext", b="Beta")).load_data()

    assert [document.id_ for document in documents] == ["file:a", "file:b"]
    assert documents[0].metadata["container_id"] == "folder:folder"
    assert asyncio.run(reader(FakeSource(a="Alpha")).aload_data())[0].text == "Alpha\n"


def test_failures_are_kept_or_raised() -> None:
    failing = reader(FakeSource(a="Alpha", gone=None))

    assert [document.text for document in failing.load_data()] == ["Alpha\n"]
    assert [failure.record_id for failure in failing.failures] == ["gone"]
    with pytest.raises(NotFoundError):
        reader(FakeSource(gone=None), raise_on_failure=True).load_data()


def test_serializing_a_reader_says_what_it_reads_and_not_with_which_credentials() -> None:
    serialized = reader(FakeSource()).to_dict()

    assert serialized["class_name"] == "ManagedSyncReader"
    assert serialized["integration"] == "box"
    assert not {"client", "_client"} & serialized.keys()


def test_nodes_know_their_place_their_source_and_their_neighbours() -> None:
    documents = reader(FakeSource(a=PLAN)).load_data()
    nodes = ManagedSyncNodeParser(chunk_size=64, chunk_overlap=8).get_nodes_from_documents(
        documents
    )

    assert len(nodes) > 3
    for position, node in enumerate(nodes):
        assert isinstance(node, TextNode)
        assert node.node_id == node.metadata["chunk_id"]
        assert node.metadata["object_id"] == node.ref_doc_id == "file:a"
        assert documents[0].text[node.start_char_idx : node.end_char_idx] == node.text
        assert (NodeRelationship.PREVIOUS in node.relationships) == (position > 0)
        assert (NodeRelationship.NEXT in node.relationships) == (position < len(nodes) - 1)


def test_ids_reach_neither_the_embedded_text_nor_the_models() -> None:
    nodes = ManagedSyncNodeParser().get_nodes_from_documents(reader(FakeSource(a=PLAN)).load_data())

    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        content = nodes[0].get_content(mode)
        assert "a.md" in content
        for hidden in ("file:a", "folder:folder", "chunk_id", nodes[0].node_id):
            assert hidden not in content


def test_it_works_in_an_ingestion_pipeline_with_a_docstore() -> None:
    pipeline = IngestionPipeline(
        transformations=[ManagedSyncNodeParser(), BundledEmbedding()],
        docstore=SimpleDocumentStore(),
    )
    documents = reader(FakeSource(a=PLAN, b="Beta")).load_data()

    first, again = pipeline.run(documents=documents), pipeline.run(documents=documents)

    assert {node.metadata["object_id"] for node in first} == {"file:a", "file:b"}
    assert all(len(node.embedding or []) == 256 for node in first)
    assert again == []


def test_a_document_without_an_object_id_is_refused() -> None:
    with pytest.raises(InvalidIdentifierError, match="object_id"):
        ManagedSyncNodeParser().get_nodes_from_documents([Document(text="text")])


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigurationError):
        ManagedSyncNodeParser(chunk_size=10, chunk_overlap=10)
