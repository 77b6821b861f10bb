"""What an index must offer to be kept in step, and what more it may offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Protocol, runtime_checkable

from managed_sync.documents import Chunk

__all__ = ["IndexTarget", "InspectableTarget", "RelabelingTarget"]


class IndexTarget(Protocol):
    """An index of chunks; ``LangChainTarget`` and ``LlamaIndexTarget`` are such.

    Both methods may be called again with the same chunks, after they failed or were cut off.
    """

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        """Embeds and writes chunks; raises unless all were written.

        Args:
            chunks: What to write.
            present: The ids that may be in the index already, and are to be replaced.
        """

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error."""


@runtime_checkable
class RelabelingTarget(Protocol):
    """A target that can change the metadata of chunks without embedding them again."""

    @property
    def can_relabel(self) -> bool:
        """Whether the store that is behind it can do so."""

    def embedded_text(self, chunk: Chunk) -> str:
        """What of a chunk goes into its vector; a change of anything else needs no new one."""

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are in the index with the same text."""


@runtime_checkable
class InspectableTarget(Protocol):
    """A target that can say what the index holds."""

    def held(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        """Those of some chunks that the index holds; ``None`` if the store cannot say."""

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """All chunks that have this metadata; ``None`` if the store cannot say."""
