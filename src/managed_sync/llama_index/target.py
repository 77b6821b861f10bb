"""Lets ``IndexSync`` write into a LlamaIndex index."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, ClassVar

from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.indices.base import BaseIndex
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import Vector, checked_vectors, raise_for_dimensions
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.fingerprint import model_settings
from managed_sync.indexing.targets.base import wrapper_of
from managed_sync.llama_index.conversion import to_node
from managed_sync.llama_index.stores import adapter_of
from managed_sync.llama_index.stores.base import LlamaIndexAdapter

if TYPE_CHECKING:
    from llama_index.core.embeddings import BaseEmbedding
from managed_sync.stores.target import StoreTarget

__all__ = ["LlamaIndexTarget"]


class LlamaIndexTarget(StoreTarget[LlamaIndexAdapter]):
    """An index as the target.

    In known stores (see ``docs/how-to/stores.md``), new metadata is written without embedding
    again, except for what ``embeds`` names.

    Args:
        index: A ``VectorStoreIndex``, or a vector store.
        embed_model: The embedding model for a vector store. An index has its own.
        embeds: The metadata that is embedded before the text of each chunk: ``"title"``, and
            ``"headings"`` for the path of headings. ``()`` embeds the text alone. The text of the
            node stays as it is.

    Raises:
        ConfigurationError: ``index`` is neither, a vector store has no ``embed_model``, an index
            has one, or ``embeds`` names anything else.
    """

    first_embedded_parts: ClassVar[str] = "title, heading, text as LlamaIndex joins them"

    def __init__(
        self,
        index: VectorStoreIndex | BasePydanticVectorStore,
        embed_model: BaseEmbedding | None = None,
        *,
        embeds: Sequence[str] = ("title", "headings"),
    ) -> None:
        if isinstance(index, BasePydanticVectorStore):
            if embed_model is None:
                raise ConfigurationError("embed_model is required with a vector store.")
            storage = StorageContext.from_defaults(vector_store=index)
            index = VectorStoreIndex([], storage_context=storage, embed_model=embed_model)
        elif not isinstance(index, VectorStoreIndex):
            raise ConfigurationError(
                f"index must be a VectorStoreIndex or a vector store of LlamaIndex, got "
                f"{type(index).__name__}. Pass {_remedy(index)}."
            )
        elif embed_model is not None:
            raise ConfigurationError("An index has its own embedding model; leave embed_model out.")
        super().__init__(adapter_of(index.vector_store, index), embeds)
        self._index = index

    @property
    def fingerprint(self) -> str:
        """Returns a description of the embedding model, as far as it can be described."""
        return model_settings(self._index._embed_model)  # noqa: SLF001 - private in llama-index-core 0.14

    @property
    def can_embed(self) -> bool:
        """Returns ``True``: LlamaIndex's stores take vectors."""
        return True

    def embed(self, chunks: Sequence[Chunk], *, cached: bool = True) -> list[Vector]:
        """Returns one vector for each chunk, and changes nothing.

        Raises:
            IndexingError: A vector is missing or cannot be searched.
        """
        texts = [self.embedded_text(chunk) for chunk in chunks]
        model = self._index._embed_model  # noqa: SLF001 - private in llama-index-core 0.14
        if cached:
            vectors = model.get_text_embedding_batch(texts)
        else:
            vectors = model._get_text_embeddings(texts)  # noqa: SLF001 - bypasses the cache; llama-index-core 0.14
        return checked_vectors(vectors, len(texts))

    def write(
        self, chunks: Sequence[Chunk], vectors: Sequence[Vector], present: Set[str] = frozenset()
    ) -> None:
        """Writes chunks with their vectors; those whose ids are in ``present`` are replaced.

        Raises:
            IndexingError: A vector does not fit the store.
        """
        raise_for_dimensions(vectors, self._adapter.dimensions())
        nodes = [to_node(chunk, heading_prefix=True) for chunk in chunks]
        for node, vector in zip(nodes, vectors, strict=True):
            node.embedding = vector
        self._adapter.write(nodes, present)

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Embeds and writes chunks; those whose ids are in ``present`` are replaced.

        Raises:
            IndexingError: A vector is missing, cannot be searched or does not fit the store.
        """
        self.write(chunks, self.embed(chunks), present)

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are there."""
        self._adapter.update_metadata([to_node(chunk, heading_prefix=True) for chunk in chunks])

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error."""
        self._adapter.delete(chunk_ids)


def _remedy(value: object) -> str:
    is_index = isinstance(value, BaseIndex)  # of another kind, such as a summary index
    return "a VectorStoreIndex" if is_index else wrapper_of(value) or "a VectorStoreIndex"
