"""Writes known vectors into a LangChain store, which would embed the texts itself.

LangChain's interface cannot write a text with an existing vector. So while a store writes, its
embedding model is replaced by one that returns these vectors, and asks the real model for anything
else, such as questions that are searched for at the same time.

Guarantees:

- A text that two writers write at the same time with different vectors gets the vector of each:
  the second one waits. Passages of equal text have different vectors if their titles differ.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from managed_sync.documents.vectors import Vector

__all__ = ["embedding_model", "keeps_model", "writing_with"]

_changed = threading.Condition()


class _KeptVectors(Embeddings):
    """A model that knows the vectors of some texts."""

    def __init__(self, model: Embeddings) -> None:
        self.model = model
        self.vectors: dict[str, Vector] = {}
        self.writers: Counter[str] = Counter()

    def has_another(self, vectors: Mapping[str, Vector]) -> bool:
        """Returns whether a writer writes one of these texts with another vector."""
        return any(self.vectors.get(text, vector) != vector for text, vector in vectors.items())

    def add(self, vectors: Mapping[str, Vector]) -> None:
        self.vectors |= vectors
        self.writers.update(vectors.keys())

    def remove(self, vectors: Mapping[str, Vector]) -> None:
        self.writers.subtract(vectors.keys())
        for text in [text for text in vectors if not self.writers[text]]:
            del self.vectors[text], self.writers[text]

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
    with _changed:
        kept = _kept(store)
        while kept.has_another(vectors):
            _changed.wait()
            kept = _kept(store)
        kept.add(vectors)
    try:
        yield
    finally:
        with _changed:
            kept.remove(vectors)
            if not kept.vectors:
                for owner, name in _attributes(store, kept):
                    setattr(owner, name, kept.model)
            _changed.notify_all()


def _kept(store: VectorStore) -> _KeptVectors:
    """Returns the model that a store has while it writes, and gives it to the store."""
    model = store.embeddings
    if model is None:
        raise TypeError(f"{type(store).__name__} has no embedding model.")
    if isinstance(model, _KeptVectors):
        return model
    attributes, kept = _attributes(store, model), _KeptVectors(model)
    for owner, name in attributes:
        setattr(owner, name, kept)
    return kept


def _attributes(store: VectorStore, model: Embeddings) -> list[tuple[object, str]]:
    """Returns the attributes that hold the model, of the store or of an object that it wraps."""
    return [
        (owner, name)
        for owner in [store, *vars(store).values()]
        for name, value in getattr(owner, "__dict__", {}).items()
        if value is model
    ]
