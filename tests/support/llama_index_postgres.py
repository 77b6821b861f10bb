"""LlamaIndex's ``PGVectorStore``, which cannot be installed beside SQLAlchemy 2.1."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest


def llama_index_pgvector(dimensions: int, address: str, **settings: Any) -> Any:
    """Returns an empty store in a table of its own."""
    package = pytest.importorskip("llama_index.vector_stores.postgres")
    from sqlalchemy import NullPool

    return package.PGVectorStore(
        connection_string=f"postgresql+psycopg2://postgres@{address}/postgres",
        async_connection_string=f"postgresql+asyncpg://postgres@{address}/postgres",
        table_name=f"t{uuid4().hex}",
        embed_dim=dimensions,
        create_engine_kwargs={"poolclass": NullPool},
        initialization_fail_on_error=True,
        **settings,
    )
