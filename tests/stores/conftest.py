"""Every vector store that runs in process, and PostgreSQL, filled with the same chunks.

A test that takes the fixture ``store`` runs once for each store and gets a ``FilledStore``:

- ``store.vectorstore``: the LangChain vector store, holding ``chunks.CHUNKS`` (40 objects of 10
  chunks; ``object_id`` and ``chunk_id`` are in the metadata),
- ``store.ranking(query)``: the ids of all chunks as an exhaustive search orders them,
- ``store.exact``: whether the store's filtered search is exhaustive too,
- ``store.asynchronous``: whether it can be searched asynchronously (LangChain's ``PGVector`` over a
  synchronous engine cannot),
- ``store.name``: what the test is called after.

Stores live as long as the session and are shared: do not write into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from langchain_core.vectorstores import VectorStore

from tests.stores.filled_stores import STORES, FilledStore, Place, pgvector_collection
from tests.support.postgres import running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL with pgvector, without a password for ``postgres``."""
    with running_postgres() as address:
        yield address


@pytest.fixture(scope="session")
def place(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Place]:
    with ExitStack() as closing:
        yield Place(tmp_path_factory.mktemp("stores"), request, closing)


@pytest.fixture(scope="session", params=STORES, ids=lambda fill: fill.__name__)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FilledStore]:
    """One store after the other; see the head of this module."""
    fill: Callable[[Place], VectorStore] = request.param
    name = fill.__name__
    with ExitStack() as closing:
        vectorstore = fill(Place(tmp_path_factory.mktemp(name), request, closing))
        yield FilledStore(name, vectorstore, STORES[fill], fill is not pgvector_collection)
