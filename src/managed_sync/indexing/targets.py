"""What an index must offer to be kept in step."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Protocol

from managed_sync.documents import Chunk

__all__ = ["IndexTarget"]


class IndexTarget(Protocol):
    """An index of chunks; ``LangChainTarget`` and ``LlamaIndexTarget`` are such."""

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        """Writes chunks; raises unless all were written.

        Args:
            chunks: What to write.
            present: The ids that may be in the index already, and are to be replaced.
        """

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error."""
