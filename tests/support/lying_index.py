"""An index and an embedding model that lie, by chance: all of it happens with real services."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from copy import deepcopy
from typing import Any

from managed_sync.documents import Chunk
from managed_sync.indexing import StoredChunk

DIMENSIONS = 4


class LimitedError(Exception):
    """The error of an SDK after too many requests."""

    status_code = 429
    retry_after = 20


class Liar:
    """Decides by chance whether to lie, and how; an honest one never does."""

    def __init__(self, chance: random.Random, share: float = 0.25) -> None:
        self.chance = chance
        self.share = share
        self.is_honest = False
        self.lies: list[str] = []

    def pick(self, *lies: str) -> str:
        """One of some lies, or nothing for the truth."""
        if self.is_honest or self.chance.random() >= self.share:
            return ""
        lie = self.chance.choice(lies)
        self.lies.append(lie)
        return lie


class LyingModel:
    """An embedding model whose vectors are of no use every now and then."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar

    def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = [vector_of(text) for text in texts]
        place = self.liar.chance.randrange(len(vectors))
        match self.liar.pick("raises", "is limited", "NaN", "zero", "one too few", "too long"):
            case "raises":
                raise ConnectionError("the model does not answer")
            case "is limited":
                raise LimitedError
            case "NaN":
                vectors[place] = [float("nan")] * DIMENSIONS
            case "zero":
                vectors[place] = [0.0] * DIMENSIONS
            case "one too few":
                del vectors[place]
            case "too long":
                vectors[place] = [1.0] * (DIMENSIONS + 1)
        return vectors


class LyingIndex:
    """Rows of chunks with their vectors; the same id may be in several rows.

    Attributes:
        updates_metadata: Whether metadata can be changed without embedding.
        poison: Texts that it never takes.
        removed: Ids that it was told to delete.
    """

    def __init__(self, liar: Liar, *, updates_metadata: bool = True) -> None:
        self.liar = liar
        self.model = LyingModel(liar)
        self.updates_metadata = updates_metadata
        self.rows: list[tuple[Chunk, list[float]]] = []
        self.poison: Callable[[str], bool] = lambda text: False
        self.embedded: list[str] = []
        self.removed: set[str] = set()

    can_embed = True

    @property
    def can_update_metadata(self) -> bool:
        return self.updates_metadata

    def embedded_text(self, chunk: Chunk) -> str:
        return chunk.text

    def embed(self, chunks: Sequence[Chunk], *, cached: bool = True) -> list[list[float]]:
        from managed_sync.documents.vectors import checked_vectors

        texts = [chunk.text for chunk in chunks]
        vectors = checked_vectors(self.model.vectors(texts), len(texts))
        self.embedded += texts
        return vectors

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        self.write(chunks, self.embed(chunks), present)

    def write(
        self, chunks: Sequence[Chunk], vectors: Sequence[Sequence[float]], present: Set[str]
    ) -> None:
        if any(self.poison(chunk.text) for chunk in chunks):
            raise ValueError("the index does not like this text")
        assert all(len(vector) == DIMENSIONS for vector in vectors)
        lie = self.liar.pick(
            "drops one", "doubles one", "writes and times out", "times out", "writes a part"
        )
        if lie == "times out":
            raise TimeoutError("no answer")
        rows = [(chunk, list(vector)) for chunk, vector in zip(chunks, vectors, strict=True)]
        place = self.liar.chance.randrange(len(rows))
        if lie == "drops one":
            del rows[place]
        if lie == "doubles one":
            rows.append(rows[place])
        if lie == "writes a part":
            rows = rows[:place]
        self._remove(present & {chunk.chunk_id for chunk, _ in rows})
        self.rows += rows
        if lie in {"writes and times out", "writes a part"}:
            raise TimeoutError("no answer")

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        lie = self.liar.pick("forgets to update", "updates and times out")
        changed = {chunk.chunk_id: chunk for chunk in chunks}
        if lie != "forgets to update":
            self.rows = [(changed.get(one.chunk_id, one), vector) for one, vector in self.rows]
        if lie == "updates and times out":
            raise TimeoutError("no answer")

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self.removed |= set(chunk_ids)
        lie = self.liar.pick("refuses to delete", "keeps one", "deletes and times out")
        if lie == "refuses to delete":
            raise PermissionError("the row is locked")
        kept = chunk_ids[0] if lie == "keeps one" and chunk_ids else None
        self._remove({key for key in chunk_ids if key != kept})
        if lie == "deletes and times out":
            raise TimeoutError("no answer")

    def existing_ids(self, chunk_ids: Collection[str]) -> set[str]:
        return {chunk.chunk_id for chunk, _ in self.rows} & set(chunk_ids)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        if self.liar.pick("ignores the filter"):
            metadata = {}
        return (
            chunk.chunk_id
            for chunk, _ in self.rows
            if metadata.items() <= dict(chunk.metadata).items()
        )

    def count(self, metadata: Mapping[str, str]) -> int:
        return sum(1 for _ in self.chunk_ids(metadata))

    def read(self, chunk_ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        returns_all = bool(self.liar.pick("ignores the ids"))
        return [
            StoredChunk(chunk.chunk_id, chunk.text, chunk.metadata, vector)
            for chunk, vector in self.rows
            if returns_all or chunk.chunk_id in chunk_ids
        ]

    def forget(self) -> None:
        """Loses rows, old metadata comes back, or a text becomes another one, and nobody says."""
        match self.liar.pick("loses rows", "loses metadata", "garbles a text"):
            case "loses rows":
                self.rows = [row for row in self.rows if self.liar.chance.random() < 0.7]
            case "loses metadata":
                self._spoil(lambda chunk: Chunk(chunk.text, {**chunk.metadata, "title": "?"}))
            case "garbles a text":
                self._spoil(lambda chunk: Chunk(f"{chunk.text}?", chunk.metadata))

    def backup(self) -> list[tuple[Chunk, list[float]]]:
        """A copy that ``rows`` can be set to later."""
        return deepcopy(self.rows)

    def contents(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Every row, in an order that does not depend on when it was written."""
        rows = [(chunk.chunk_id, chunk.text, dict(chunk.metadata)) for chunk, _ in self.rows]
        return sorted(rows, key=lambda row: row[0])

    def _spoil(self, spoiled: Callable[[Chunk], Chunk]) -> None:
        if self.rows:
            place = self.liar.chance.randrange(len(self.rows))
            chunk, vector = self.rows[place]
            self.rows[place] = (spoiled(chunk), vector)

    def _remove(self, ids: Set[str]) -> None:
        self.rows = [row for row in self.rows if row[0].chunk_id not in ids]


def vector_of(text: str) -> list[float]:
    """The vector that a text always has."""
    chance = random.Random(text)
    return [chance.uniform(-1, 1) for _ in range(DIMENSIONS)]
