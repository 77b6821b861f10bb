"""The vector index of a workspace: Qdrant's local mode on disk, with the bundled embedding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from managed_sync.cli.workspace import Workspace
from managed_sync.embedding import BUNDLED_DIMENSIONS
from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.private_files import private_folder

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore

__all__ = ["COMFORTABLE_CHUNKS", "open_index"]

# Above this, Qdrant's local mode takes seconds to open and to search among some objects only.
COMFORTABLE_CHUNKS = 10_000

_COLLECTION = "chunks"


@contextmanager
def open_index(workspace: Workspace) -> Iterator[QdrantVectorStore]:
    """The index as a LangChain vector store; it is made if it is not there.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
        ConfigurationError: Another process uses the index.
    """
    if not all(find_spec(name) for name in ("qdrant_client", "langchain_qdrant", "wordllama")):
        raise MissingExtraError("The local index", "demo")
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    from managed_sync.langchain import BundledEmbeddings

    private_folder(workspace.index_folder)
    try:
        client = QdrantClient(path=str(workspace.index_folder))
    except RuntimeError:
        raise ConfigurationError(
            f"The index {workspace.index_folder} is in use by another process; wait until that "
            f"has ended, or work in another --workspace."
        ) from None
    try:
        if not client.collection_exists(_COLLECTION):
            client.create_collection(
                _COLLECTION, VectorParams(size=BUNDLED_DIMENSIONS, distance=Distance.COSINE)
            )
        yield QdrantVectorStore(client, _COLLECTION, BundledEmbeddings())
    finally:
        client.close()
