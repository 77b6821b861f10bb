"""Converts this package's documents and chunks to LlamaIndex's documents and nodes, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.schema import (
    BaseNode,
    Document,
    IndexNode,
    NodeRelationship,
    NodeWithScore,
    TextNode,
)

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.documents.chunking.chunk_metadata import TABLE_HEADER, without_tables

__all__ = [
    "as_node",
    "from_llama_index",
    "to_document",
    "to_node",
    "with_text",
    "without_reference",
]

# The metadata that a model sees beside a passage's text; ids and offsets mean nothing to it.
_KEYS_FOR_EMBEDDING = {"title", TABLE_HEADER}
_KEYS_FOR_MODELS = {
    "title",
    "parent_title",
    "heading",
    "url",
    "page",
    "updated_at",
    TABLE_HEADER,
}


def to_document(source: SourceDocument) -> Document:
    """Returns a document under its object id, so that loading it again replaces it.

    The path of a part, such as an attachment, is added to the id.
    """
    part = source.metadata.get("part")
    return Document(
        id_=f"{source.object_id}#{part}" if part else source.object_id,
        text=source.text,
        metadata=dict(source.metadata),
        excluded_embed_metadata_keys=_keys_outside(source, _KEYS_FOR_EMBEDDING),
        excluded_llm_metadata_keys=_keys_outside(source, _KEYS_FOR_MODELS),
    )


def to_node(
    chunk: Chunk, document: BaseNode | None = None, *, heading_prefix: bool = False
) -> TextNode:
    """Returns a chunk as a node under its chunk id, related to its document if that is given.

    Args:
        chunk: The chunk.
        document: The document that the chunk was cut from.
        heading_prefix: Whether to embed the heading with the text.
    """
    relationships = {}
    if document is not None:
        source = document.as_related_node_info()
        source.metadata = without_tables(source.metadata)
        relationships[NodeRelationship.SOURCE] = source
    embedded = _KEYS_FOR_EMBEDDING | {"heading"} if heading_prefix else _KEYS_FOR_EMBEDDING
    start, end = chunk.metadata.get("start_char"), chunk.metadata.get("end_char")
    return TextNode(
        id_=chunk.chunk_id,
        text=chunk.text,
        metadata=dict(chunk.metadata),
        start_char_idx=None if start is None else int(start),
        end_char_idx=None if end is None else int(end),
        excluded_embed_metadata_keys=_keys_outside(chunk, embedded),
        excluded_llm_metadata_keys=_keys_outside(chunk, _KEYS_FOR_MODELS),
        relationships=relationships,
    )


def as_node(text: str, metadata: Mapping[str, Any], chunk_id: str) -> TextNode:
    """Returns a chunk that an index keeps as a node, whatever its metadata are."""
    return TextNode(
        id_=chunk_id,
        text=text,
        metadata=dict(metadata),
        start_char_idx=_offset(metadata.get("start_char")),
        end_char_idx=_offset(metadata.get("end_char")),
        excluded_embed_metadata_keys=[key for key in metadata if key not in _KEYS_FOR_EMBEDDING],
        excluded_llm_metadata_keys=[key for key in metadata if key not in _KEYS_FOR_MODELS],
    )


def with_text(node: BaseNode, text: str, metadata: Mapping[str, Any]) -> BaseNode:
    """Returns a node with another text and metadata."""
    joined = node.model_copy(update={"metadata": dict(metadata)})
    joined.set_content(text)
    if isinstance(joined, TextNode):
        joined.start_char_idx = _offset(metadata.get("start_char"))
        joined.end_char_idx = _offset(metadata.get("end_char"))
    return joined


def _offset(value: object) -> int | None:
    return value if isinstance(value, int) else None


def from_llama_index(node: BaseNode) -> SourceDocument:
    """Returns a LlamaIndex document as one of this package's.

    Raises:
        InvalidIdentifierError: The metadata has no ``object_id``, so nobody could check who may
            read it.
    """
    return SourceDocument(text=node.get_content(), metadata=node.metadata)


def without_reference(scored: NodeWithScore) -> NodeWithScore:
    """Returns the node without the object that it refers to.

    An ``IndexNode`` refers to another node, an index or an engine. That may belong to any source
    object, was not checked, and would be serialized with the node.
    """
    if not isinstance(scored.node, IndexNode) or scored.node.obj is None:
        return scored
    return NodeWithScore(node=scored.node.model_copy(update={"obj": None}), score=scored.score)


def _keys_outside(source: SourceDocument | Chunk, kept: set[str]) -> list[str]:
    return [key for key in source.metadata if key not in kept]
