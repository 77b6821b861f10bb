"""Writes known vectors into a LangChain store, which would embed the texts itself.

LangChain's interface cannot write a text with an existing vector. So while a store writes, its
embedding model is replaced by one that returns these vectors, and asks the real model for anything
else, such as questions that are searched for at the same time.
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
    """Returns a store's own embedding model, even while it writes known vectors."""
    model = store.embeddings
    return model.model if isinstance(model, _KeptVectors) else model


def keeps_model(store: VectorStore) -> bool:
    """Returns whether a store's model can be replaced while it writes."""
    return store.embeddings is not None and bool(_attributes(store, store.embeddings))


@contextmanager
def writing_with(store: VectorStore, vectors: Mapping[str, Vector]) -> Iterator[None]:
    """Makes a store use these vectors of texts instead of embedding the texts."""
    with _lock:
        kept = store.embeddings
        if kept is None:
            raise TypeError(f"{type(store).__name__} has no embedding model.")
        if not isinstance(kept, _KeptVectors):
            attributes, kept = _attributes(store, kept), _KeptVectors(kept)
            for owner, name in attributes:
                setattr(owner, name, kept)
        kept.writers += 1
        kept.vectors |= vectors
    try:
        yield
    finally:
        with _lock:
            kept.writers -= 1
            if not kept.writers:
                for owner, name in _attributes(store, kept):
                    setattr(owner, name, kept.model)


def _attributes(store: VectorStore, model: Embeddings) -> list[tuple[object, str]]:
    """Returns the attributes that hold the model, of the store or of an object that it wraps."""
    return [
        (owner, name)
        for owner in [store, *vars(store).values()]
        for name, value in getattr(owner, "__dict__", {}).items()
        if value is model
    ]
