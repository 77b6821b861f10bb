"""Reader and node parser as LlamaIndex uses them."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.ingestion import DocstoreStrategy, IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.readers.base import ReaderConfig
from llama_index.core.schema import (
    BaseNode,
    Document,
    MetadataMode,
    NodeRelationship,
    TextNode,
    TransformComponent,
)
from llama_index.core.storage.docstore import SimpleDocumentStore
from llama_index.core.vector_stores import SimpleVectorStore

from managed_sync.documents import Chunker
from managed_sync.errors import (
    ConfigurationError,
    DocumentError,
    InvalidIdentifierError,
    NotFoundError,
)
from managed_sync.llama_index import BundledEmbedding, ManagedSyncNodeParser, ManagedSyncReader
from tests.support.record_source import AsyncRecordSource, RecordSource, folder_of, mail_with

# Sentences that stand twice, so that searching for their text would find the wrong place.
PLAN = "# Plan\n\nWhy.\n\n## Steps\n\n" + "Do one thing after the other. " * 40


def reader(source: RecordSource, *, raise_on_failure: bool = False) -> ManagedSyncReader:
    return ManagedSyncReader(
        source, integration="box", sync_type="files", raise_on_failure=raise_on_failure
    )


def test_every_record_but_folders_becomes_a_document_under_its_object_id() -> None:
    documents = reader(folder_of(a="# A\n\ntext", b="Beta")).load_data()

    assert [document.id_ for document in documents] == ["file:a", "file:b"]
    assert documents[0].metadata["container_id"] == "folder:folder"
    assert asyncio.run(reader(folder_of(a="Alpha")).aload_data())[0].text == "Alpha\n"


def test_the_attachments_of_a_mail_are_documents_of_their_own_after_it() -> None:
    source = mail_with(a_txt="Same text.", b_txt="Same text.")

    documents = reader(source).load_data()
    nodes = ManagedSyncNodeParser().get_nodes_from_documents(documents)

    assert [document.id_ for document in documents] == [
        *("file:mail", "file:mail#attachments/a.txt", "file:mail#attachments/b.txt"),
    ]
    assert [node.ref_doc_id for node in nodes] == [document.id_ for document in documents]
    assert {each.metadata["object_id"] for each in [*documents, *nodes]} == {"file:mail"}
    assert len({node.node_id for node in nodes}) == 3
    assert reader(source).load_resource("mail") == documents
    awaited = reader(AsyncRecordSource(source)).aload_resource("mail")  # type: ignore[arg-type]
    assert asyncio.run(awaited) == documents


def test_failures_are_kept_or_raised() -> None:
    failing = reader(folder_of(a="Alpha", gone=None))

    assert [document.text for document in failing.load_data()] == ["Alpha\n"]
    assert [failure.record_id for failure in failing.failures] == ["gone"]
    with pytest.raises(NotFoundError):
        reader(folder_of(gone=None), raise_on_failure=True).load_data()


def test_serializing_a_reader_says_what_it_reads_and_not_with_which_credentials() -> None:
    serialized = reader(folder_of()).to_dict()

    assert serialized["class_name"] == "ManagedSyncReader"
    assert serialized["integration"] == "box"
    assert not {"client", "_client"} & serialized.keys()


def test_nodes_know_their_place_their_source_and_their_neighbours() -> None:
    documents = reader(folder_of(a=PLAN)).load_data()
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


def test_a_node_carries_no_tables_but_its_own() -> None:
    sentences = "Do one thing after the other. " * 40
    page = f"# Places\n\n{sentences}\n\n# Limits\n\n{sentences}\n\n| City |\n| --- |\n| Oslo |\n"
    (document,) = reader(folder_of(a=page)).load_data()
    nodes = ManagedSyncNodeParser().get_nodes_from_documents([document])
    assert ["tables_html" in node.metadata for node in nodes] == [False, True]
    assert "tables_html" in document.metadata
    assert all(
        node.source_node and "tables_html" not in node.source_node.metadata for node in nodes
    )


def test_ids_reach_neither_the_embedded_text_nor_the_models() -> None:
    nodes = ManagedSyncNodeParser().get_nodes_from_documents(reader(folder_of(a=PLAN)).load_data())

    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        content = nodes[0].get_content(mode)
        assert "a.md" in content
        for hidden in ("file:a", "folder:folder", "chunk_id", nodes[0].node_id):
            assert hidden not in content


def test_the_heading_is_embedded_if_wanted() -> None:
    documents = reader(folder_of(a=PLAN)).load_data()
    for wanted in (False, True):
        parser = ManagedSyncNodeParser(chunk_size=64, chunk_overlap=8, heading_prefix=wanted)
        node = parser.get_nodes_from_documents(documents)[-1]
        assert ("Plan > Steps" in node.get_content(MetadataMode.EMBED)) == wanted
        assert "Plan > Steps" in node.get_content(MetadataMode.LLM)
        assert "Plan > Steps" not in node.get_content()


def test_the_header_of_a_table_is_embedded_and_shown_with_each_of_its_nodes() -> None:
    rows = "".join(f"| Cable no. {number} | 7.50 |\n" for number in range(60))
    documents = reader(folder_of(a=f"| Item | Price |\n| --- | --- |\n{rows}")).load_data()
    parser = ManagedSyncNodeParser(chunk_size=64, chunk_overlap=16)
    nodes = parser.get_nodes_from_documents(documents)
    assert len(nodes) > 5
    for node in nodes:
        assert isinstance(node, TextNode)
        assert node.text == documents[0].text[node.start_char_idx : node.end_char_idx]
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert node.get_content(mode).count("| Item | Price |") == 1


def test_any_other_parser_can_cut_and_its_nodes_get_ids_and_their_place() -> None:
    documents = reader(folder_of(a=PLAN)).load_data()
    theirs = SentenceSplitter(chunk_size=60, chunk_overlap=10)
    nodes = ManagedSyncNodeParser(splitter=theirs).get_nodes_from_documents(documents)

    assert [node.get_content() for node in nodes] == theirs.split_text(documents[0].text)
    assert len({node.node_id for node in nodes}) == len(nodes) > 3
    for position, node in enumerate(nodes):
        assert isinstance(node, TextNode)
        assert node.node_id == node.metadata["chunk_id"]
        assert node.metadata["object_id"] == node.ref_doc_id == "file:a"
        assert documents[0].text[node.start_char_idx : node.end_char_idx] == node.text
        assert (NodeRelationship.PREVIOUS in node.relationships) == (position > 0)
        assert (NodeRelationship.NEXT in node.relationships) == (position < len(nodes) - 1)
        assert node.node_id not in node.get_content(MetadataMode.EMBED)
        assert "file:a" not in node.get_content(MetadataMode.LLM)


class Summary(TransformComponent):
    object_id: str = ""

    def __call__(self, nodes: Sequence[BaseNode], **_: Any) -> list[BaseNode]:
        metadata = {"object_id": self.object_id} if self.object_id else {}
        return [TextNode(text="A summary.", metadata=metadata) for _ in nodes]


def test_a_node_that_is_not_in_the_document_has_an_id_and_no_place() -> None:
    document = Document(text="A long text.", metadata={"object_id": "file:a"})
    (node,) = ManagedSyncNodeParser(splitter=Summary()).get_nodes_from_documents([document])
    assert isinstance(node, TextNode)
    assert node.metadata["object_id"] == "file:a"
    assert node.node_id == node.metadata["chunk_id"]
    assert (node.start_char_idx, node.end_char_idx) == (None, None)


def test_a_parser_cannot_give_a_node_to_another_object() -> None:
    document = Document(text="A long text.", metadata={"object_id": "file:a"})
    with pytest.raises(DocumentError, match="file:b"):
        ManagedSyncNodeParser(splitter=Summary(object_id="file:b"))([document])
    with pytest.raises(InvalidIdentifierError, match="object_id"):
        ManagedSyncNodeParser(splitter=Summary(object_id="file:b"))([Document(text="text")])


def test_a_pipelines_cache_is_used_again_and_knows_parsers_apart() -> None:
    documents = reader(folder_of(a=PLAN)).load_data()
    cache = IngestionCache()

    def run(parser: ManagedSyncNodeParser) -> list[str]:
        pipeline = IngestionPipeline(transformations=[parser], cache=cache)
        return [node.node_id for node in pipeline.run(documents=documents)]

    def parser(size: int) -> ManagedSyncNodeParser:
        return ManagedSyncNodeParser(splitter=SentenceSplitter(chunk_size=size, chunk_overlap=0))

    first = run(parser(60))
    assert run(parser(60)) == first
    assert len(run(parser(90))) < len(first)
    assert len(run(ManagedSyncNodeParser(chunk_size=64, chunk_overlap=0))) > 3

    # What comes out of the cache is what went in, and not cut again.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Chunker, "split", None)
        ids = run(ManagedSyncNodeParser(chunk_size=64, chunk_overlap=0))
    assert len(ids) == len(set(ids)) > 3


def test_a_pipeline_with_a_docstore_renews_the_nodes_of_a_changed_document_only() -> None:
    pipeline = IngestionPipeline(
        transformations=[ManagedSyncNodeParser()], docstore=SimpleDocumentStore()
    )
    pipeline.run(documents=reader(folder_of(a=PLAN, b="Beta")).load_data())
    again = pipeline.run(documents=reader(folder_of(a=PLAN, b="Gamma")).load_data())
    assert {node.metadata["object_id"] for node in again} == {"file:b"}


def test_a_parser_survives_pickling_as_a_pipeline_with_workers_needs() -> None:
    parser = ManagedSyncNodeParser(chunk_size=64, chunk_overlap=8)
    documents = reader(folder_of(a=PLAN)).load_data()
    nodes = pickle.loads(pickle.dumps(parser)).get_nodes_from_documents(documents)  # noqa: S301
    assert nodes == parser.get_nodes_from_documents(documents)


def test_it_works_in_an_ingestion_pipeline_with_a_docstore() -> None:
    pipeline = IngestionPipeline(
        transformations=[ManagedSyncNodeParser(), BundledEmbedding()],
        docstore=SimpleDocumentStore(),
    )
    documents = reader(folder_of(a=PLAN, b="Beta")).load_data()

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


def reader_of(client: RecordSource | AsyncRecordSource, **options: Any) -> ManagedSyncReader:
    return ManagedSyncReader(client, integration="box", sync_type="files", **options)


@pytest.mark.parametrize("awaited", [False, True])
def test_records_are_its_resources(awaited: bool) -> None:
    company = folder_of(a="Alpha", gone=None, b="Beta")
    reader = reader_of(AsyncRecordSource(company) if awaited else company)

    async def ask() -> None:
        assert await reader.alist_resources() == ["a", "gone", "b"]
        info = await reader.aget_resource_info("a")
        assert info["object_id"] == "file:a"
        assert info["title"] == "a.md"
        assert (await reader.alist_resources_with_info())["a"] == info
        assert await reader.aget_permission_info("a") == {
            "object_id": "file:a",
            "relation": "viewer",
            "users": ["viewer of file:a"],
        }
        assert [one.text for one in await reader.aload_resource("b")] == ["Beta\n"]
        loaded = await reader.aload_resources(["b", "gone", "nowhere", "a"])
        assert [one.text for one in loaded["b"] + loaded["a"]] == ["Beta\n", "Alpha\n"]
        assert loaded["gone"] == loaded["nowhere"] == []
        assert {failure.record_id for failure in reader.failures} == {"gone", "nowhere"}

    asyncio.run(ask())


def test_the_synchronous_resource_methods_say_the_same() -> None:
    reader = reader_of(folder_of(a="Alpha", gone=None, b="Beta"))

    assert reader.list_resources() == ["a", "gone", "b"]
    assert reader.get_resource_info("a") == reader.list_resources_with_info()["a"]
    assert reader.get_permission_info("a", relation="owner")["users"] == ["owner of file:a"]
    assert [one.id_ for one in reader.load_resource("b")] == ["file:b"]
    assert [one.id_ for one in reader.load_resources(["b", "nowhere", "a"])] == ["file:b", "file:a"]
    assert [failure.record_id for failure in reader.failures] == ["nowhere"]


def test_a_missing_resource_raises_when_asked_to() -> None:
    with pytest.raises(NotFoundError):
        reader_of(folder_of(), raise_on_failure=True).load_resource("nowhere")


def test_an_asynchronous_client_is_refused_where_nothing_is_awaited() -> None:
    reader = reader_of(AsyncRecordSource(folder_of(a="Alpha")))

    assert asyncio.run(reader.aload_data())[0].text == "Alpha\n"
    for method in (reader.load_data, reader.list_resources):
        with pytest.raises(ConfigurationError):
            method()


def test_options_reach_the_loader_and_a_reader_is_made_again_from_what_was_serialized() -> None:
    company = folder_of(a="Alpha")
    reader = reader_of(company, parser=lambda data, *, content_type, filename: "mine")

    assert [one.text for one in reader.load_data()] == ["mine"]
    again = ManagedSyncReader.from_dict(reader.to_dict(), client=company)
    assert again.integration == "box"
    assert [one.text for one in again.load_data()] == ["Alpha\n"]


def test_a_pipeline_reads_its_documents_from_the_reader_and_caches_what_it_made() -> None:
    cache = IngestionCache()

    def pipeline(*readers: ManagedSyncReader) -> IngestionPipeline:
        return IngestionPipeline(
            readers=[ReaderConfig(reader=one) for one in readers],
            transformations=[ManagedSyncNodeParser(), BundledEmbedding()],
            docstore=SimpleDocumentStore(),
            docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
            vector_store=SimpleVectorStore(),
            cache=cache,
        )

    first = pipeline(reader_of(folder_of(a=PLAN, b="Beta")))
    nodes = first.run()
    assert {node.metadata["object_id"] for node in nodes} == {"file:a", "file:b"}
    assert first.run() == []

    first.readers = [ReaderConfig(reader=reader_of(folder_of(a=PLAN, b="Gamma")))]
    assert {node.metadata["object_id"] for node in first.run()} == {"file:b"}
    fresh = pipeline(reader_of(folder_of(a=PLAN, b="Beta")))
    assert [node.node_id for node in fresh.run()] == [node.node_id for node in nodes]
