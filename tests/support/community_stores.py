"""The stores of ``langchain-community``, which not every environment of the tests has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from langchain_core.embeddings import Embeddings

if TYPE_CHECKING:
    from langchain_community.vectorstores import FAISS, LanceDB


def faiss_store(embeddings: Embeddings, dimensions: int) -> FAISS:
    """Returns an empty store over exact distances."""
    pytest.importorskip("langchain_community")
    import faiss
    from langchain_community.docstore.in_memory import InMemoryDocstore
    from langchain_community.vectorstores import FAISS

    return FAISS(embeddings, faiss.IndexFlatL2(dimensions), InMemoryDocstore(), {})


def lancedb_store(embeddings: Embeddings, folder: Path, mode: str = "append") -> LanceDB:
    """Returns a store with its data in a folder."""
    pytest.importorskip("langchain_community")
    from langchain_community.vectorstores import LanceDB

    return LanceDB(uri=str(folder), embedding=embeddings, mode=mode)
