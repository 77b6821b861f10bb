"""The protocols of an index: one that it must follow to be kept in step, and four that it may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Protocol, runtime_checkable

from managed_sync.documents import Chunk
from managed_sync.documents.stored_chunk import StoredChunk
from managed_sync.documents.vectors import Vector
from managed_sync.errors import ConfigurationError

__all__ = [
    "EmbeddingTarget",
    "IndexTarget",
    "InspectableTarget",
    "MetadataTarget",
    "ReadableTarget",
    "StoredChunk",
    "checked_target",
    "wrapper_of",
]

# The classes of the frameworks that are no targets, each with what makes one of them.
_WRAPPERS = {
    ("langchain_core", "VectorStore"): "LangChainTarget(store)",
    ("llama_index", "BaseIndex"): "LlamaIndexTarget(index)",
    ("llama_index", "BasePydanticVectorStore"): "LlamaIndexTarget(store, embed_model)",
}


def checked_target(target: object) -> IndexTarget:
    """Returns a target that can be written to.

    Raises:
        ConfigurationError: It is a store of a framework, or lacks a method.
    """
    wrapper = wrapper_of(target)
    if wrapper or not isinstance(target, IndexTarget):
        raise ConfigurationError(
            f"target must be a LangChainTarget, a LlamaIndexTarget or another object with upsert() "
            f"and delete(), got {type(target).__name__}. Pass {wrapper or 'one of these'}."
        )
    return target


def wrapper_of(value: object) -> str:
    """Returns the expression that makes a target of a framework's store; empty for other values.

    The frameworks are optional, so their classes are known by name.
    """
    for kind in type(value).__mro__:
        wrapper = _WRAPPERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if wrapper is not None:
            return wrapper
    return ""


@runtime_checkable
class IndexTarget(Protocol):
    """An index of chunks, such as ``LangChainTarget`` and ``LlamaIndexTarget``.

    Both methods may be called again with the same chunks, after they failed or were cut off.
    """

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        """Embeds and writes chunks; raises unless all were written.

        Args:
            chunks: The chunks to write.
            present: The ids that may be in the index already, and are to be replaced.
        """

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error."""


@runtime_checkable
class EmbeddingTarget(Protocol):
    """A target that can embed without writing, so that no text is embedded twice."""

    @property
    def can_embed(self) -> bool:
        """Returns whether the store behind it takes vectors."""

    def embed(self, chunks: Sequence[Chunk], *, cached: bool = True) -> list[Vector]:
        """Returns one vector for each chunk, and changes nothing.

        Args:
            chunks: The chunks to embed.
            cached: Whether a cache around the model may answer.

        Raises:
            IndexingError: A vector is missing or cannot be searched.
        """

    def write(self, chunks: Sequence[Chunk], vectors: Sequence[Vector], present: Set[str]) -> None:
        """Writes chunks with their vectors, as ``upsert`` does once it has embedded them."""


@runtime_checkable
class MetadataTarget(Protocol):
    """A target that can change the metadata of chunks without embedding them again."""

    @property
    def can_update_metadata(self) -> bool:
        """Returns whether the store behind it can do so."""

    def embedded_text(self, chunk: Chunk) -> str:
        """Returns the part of a chunk that goes into its vector."""

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are in the index with the same text."""


@runtime_checkable
class InspectableTarget(Protocol):
    """A target that can list chunks of the index."""

    def existing_ids(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        """Returns those chunks that the index holds; ``None`` if the store cannot say."""

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns all chunks that have this metadata; ``None`` if the store cannot say."""


@runtime_checkable
class ReadableTarget(Protocol):
    """A target that can read back what the index holds."""

    def read(
        self, chunk_ids: Sequence[str], *, vectors: bool = False
    ) -> Sequence[StoredChunk] | None:
        """Returns the stored chunks with these ids; ``None`` if the store cannot say.

        A chunk that is there twice is returned twice, and one that is not is left out.
        """

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """Counts the chunks that have this metadata; ``None`` if the store cannot say."""
