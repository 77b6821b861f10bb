"""Milvus for the tests: Milvus Lite, whose server keeps its data in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from langchain_core.embeddings import Embeddings

if TYPE_CHECKING:
    from langchain_milvus import Milvus
    from llama_index.vector_stores.milvus import MilvusVectorStore

_FLAT = {"index_type": "FLAT"}


def langchain_milvus(
    embeddings: Embeddings, folder: Path, metric: str = "L2", **settings: Any
) -> Milvus:
    """Returns an empty store in a collection of its own; the stores of a folder share a server."""
    pytest.importorskip("milvus_lite")
    from langchain_milvus import Milvus

    return Milvus(
        embeddings,
        collection_name=_new_name(),
        connection_args=_connection(folder),
        **{
            "enable_dynamic_field": True,
            "auto_id": False,
            "index_params": {**_FLAT, "metric_type": metric},
            **settings,
        },
    )


def llama_index_milvus(dimensions: int, folder: Path, **settings: Any) -> MilvusVectorStore:
    """Returns an empty store in a collection of its own; the stores of a folder share a server."""
    pytest.importorskip("milvus_lite")
    from llama_index.vector_stores.milvus import MilvusVectorStore

    return MilvusVectorStore(
        dim=dimensions,
        collection_name=_new_name(),
        use_async_client=False,
        **_connection(folder),
        **settings,
    )


def _new_name() -> str:
    return f"c{uuid4().hex}"


def _connection(folder: Path) -> dict[str, Any]:
    # Without its name, pymilvus takes the first folder of the path for the database.
    return {"uri": str(folder / "milvus.db"), "db_name": "default"}
