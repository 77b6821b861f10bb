"""A fake index that fails at will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from managed_sync.documents import Chunk
from managed_sync.indexing import StoredChunk


@dataclass
class Target:
    """An index in memory.

    Attributes:
        dies_at: The call from which on every call fails.
        dies_of: What it raises then.
        refuses: Texts that it does not take.
    """

    chunks: dict[str, Chunk] = field(default_factory=dict)
    embedded: list[str] = field(default_factory=list)
    dies_at: int | None = None
    dies_of: type[BaseException] = OSError
    refuses: Callable[[str], bool] = lambda text: False
    calls: int = 0

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        assert present <= {chunk.chunk_id for chunk in chunks}
        self._live()
        if any(self.refuses(chunk.text) for chunk in chunks):
            raise ValueError("the model does not like this text")
        self.embedded += [chunk.text for chunk in chunks]
        self.chunks |= {chunk.chunk_id: chunk for chunk in chunks}
        self._live()

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._live()
        for chunk_id in chunk_ids:
            self.chunks.pop(chunk_id, None)
        self._live()

    def _live(self) -> None:
        self.calls += 1
        if self.dies_at is not None and self.calls >= self.dies_at:
            raise self.dies_of("disk full")

    def texts(self) -> set[tuple[str, str]]:
        return {(chunk.object_id, chunk.text) for chunk in self.chunks.values()}

    def contents(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        return {key: (chunk.text, chunk.metadata) for key, chunk in self.chunks.items()}


class AbleTarget(Target):
    """One that can change metadata without embedding, and say what it holds."""

    can_update_metadata = True
    updated = 0

    def embedded_text(self, chunk: Chunk) -> str:
        return chunk.text

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        self._live()
        self.updated += len(chunks)
        for chunk in chunks:
            assert self.chunks[chunk.chunk_id].text == chunk.text
            self.chunks[chunk.chunk_id] = chunk
        self._live()

    def existing_ids(self, chunk_ids: Collection[str]) -> set[str]:
        return set(chunk_ids) & set(self.chunks)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return (
            key
            for key, chunk in self.chunks.items()
            if metadata.items() <= dict(chunk.metadata).items()
        )

    def count(self, metadata: Mapping[str, str]) -> int:
        return sum(1 for _ in self.chunk_ids(metadata))

    def read(self, chunk_ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        found = [self.chunks[key] for key in chunk_ids if key in self.chunks]
        return [StoredChunk(chunk.chunk_id, chunk.text, chunk.metadata) for chunk in found]
