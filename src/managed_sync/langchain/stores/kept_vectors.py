"""Vectors handed to a store of LangChain's that would embed the texts itself.

LangChain's interface has no way to write a text with a vector that is there already. So while a
store writes, its embedding model is one that knows these vectors and asks the real model for
anything else, such as the questions that are searched for meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from managed_sync.indexing.targets.vectors import Vector

__all__ = ["embedding_model", "keeps_model", "writing_with"]

_lock = threading.Lock()


class _KeptVectors(Embeddings):
    """A model that knows the vectors of some texts."""

    def __init__(self, model: Embeddings) -> None:
        self.model = model
        self.vectors: dict[str, Vector] = {}
        self.writers = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        known = [self.vectors.get(text) for text in texts]
        missing = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        found = iter(self.model.embed_documents(missing) if missing else [])
        return [next(found) if vector is None else vector for vector in known]

    def embed_query(self, text: str) -> list[float]:
        return self.model.embed_query(text)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        known = [self.vectors.get(text) for text in texts]
        missing = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        found = iter(await self.model.aembed_documents(missing) if missing else [])
        return [next(found) if vector is None else vector for vector in known]

    async def aembed_query(self, text: str) -> list[float]:
        return await self.model.aembed_query(text)


def embedding_model(store: VectorStore) -> Embeddings | None:
    """Returns a store's own embedding model, also while it writes with known vectors."""
    model = store.embeddings
    return model.model if isinstance(model, _KeptVectors) else model


def keeps_model(store: VectorStore) -> bool:
    """Returns whether a store keeps its model where it can be exchanged while it writes."""
    return store.embeddings is not None and bool(_places(store, store.embeddings))


@contextmanager
def writing_with(store: VectorStore, vectors: Mapping[str, Vector]) -> Iterator[None]:
    """Lets a store take the vectors of some texts from here instead of embedding the texts."""
    with _lock:
        kept = store.embeddings
        if kept is None:
            raise TypeError(f"{type(store).__name__} has no embedding model.")
        if not isinstance(kept, _KeptVectors):
            places, kept = _places(store, kept), _KeptVectors(kept)
            for thing, name in places:
                setattr(thing, name, kept)
        kept.writers += 1
        kept.vectors |= vectors
    try:
        yield
    finally:
        with _lock:
            kept.writers -= 1
            if not kept.writers:
                for thing, name in _places(store, kept):
                    setattr(thing, name, kept.model)


def _places(store: VectorStore, model: Embeddings) -> list[tuple[object, str]]:
    """The attributes, of the store or of what it is a front of, that are its model."""
    things = [store, *vars(store).values()]
    return [
        (thing, name)
        for thing in things
        for name, value in getattr(thing, "__dict__", {}).items()
        if value is model
    ]
