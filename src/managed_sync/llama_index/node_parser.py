"""Parses LlamaIndex documents into nodes that carry the id of their source object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.node_parser import NodeParser
from llama_index.core.schema import BaseNode, Document, TextNode, TransformComponent
from llama_index.core.utils import get_tqdm_iterable
from pydantic import PrivateAttr, SerializeAsAny

from managed_sync.documents import Chunk, Chunker, SplitPiece
from managed_sync.documents.chunking.chunk_metadata import without_tables
from managed_sync.documents.chunking.chunker import DEFAULT_CHUNK_SIZE
from managed_sync.llama_index.conversion import from_llama_index, to_node

__all__ = ["ManagedSyncNodeParser"]


class ManagedSyncNodeParser(NodeParser):
    """Splits by tokens along headings, paragraphs and sentences, never inside a word.

    Args:
        chunk_size: The maximum number of tokens in a node.
        chunk_overlap: The maximum number of tokens that a node repeats from the one before it.
        encoding: The tiktoken encoding that counts the tokens.
        heading_prefix: Whether to embed the path of headings with the text.
        splitter: A LlamaIndex node parser or other transformation that splits instead; the sizes
            are ignored then. Its nodes get ids and, if their text is found in the document
            unchanged, offsets, heading and page. They are related to the document and to each
            other.

    Raises:
        ConfigurationError: The sizes do not fit together, or the encoding is not available.

    Examples:
        ```python
        nodes = ManagedSyncNodeParser(chunk_size=512).get_nodes_from_documents(documents)
        index = VectorStoreIndex(nodes)

        ManagedSyncNodeParser(splitter=SentenceSplitter()).get_nodes_from_documents(documents)
        ```
    """

    chunk_size: int = DEFAULT_CHUNK_SIZE
    chunk_overlap: int = 64
    encoding: str = "cl100k_base"
    heading_prefix: bool = False
    # Serialized with all its settings, since the cache of a pipeline compares them.
    splitter: SerializeAsAny[TransformComponent] | None = None

    _chunker: Chunker = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepares the chunker, so that wrong sizes are refused at once."""
        super().model_post_init(context)
        self._chunker = Chunker(self.chunk_size, self.chunk_overlap, self.encoding)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which LlamaIndex serializes this parser."""
        return "ManagedSyncNodeParser"

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **_: Any
    ) -> list[BaseNode]:
        return [
            to_node(chunk, document, heading_prefix=self.heading_prefix)
            for document in get_tqdm_iterable(nodes, show_progress, "Splitting documents")
            for chunk in self._split(document)
        ]

    def _split(self, document: BaseNode) -> list[Chunk]:
        source = from_llama_index(document)
        if self.splitter is None:
            return self._chunker.split(source)
        return self._chunker.from_splits(
            source,
            (
                SplitPiece(node.get_content(), node.metadata, getattr(node, "start_char_idx", None))
                for node in self.splitter([document])
            ),
        )

    def _postprocess_parsed_nodes(
        self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]
    ) -> list[BaseNode]:
        # LlamaIndex copies metadata of the document that a node lacks.
        parents = {
            name: document.model_copy(update={"metadata": without_tables(document.metadata)})
            for name, document in parent_doc_map.items()
        }
        processed = super()._postprocess_parsed_nodes(nodes, parents)
        for node in processed:
            # LlamaIndex searches for the text again, and may find an equal one earlier on.
            if isinstance(node, TextNode):
                node.start_char_idx = node.metadata.get("start_char")
                node.end_char_idx = node.metadata.get("end_char")
        return processed
