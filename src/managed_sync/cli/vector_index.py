"""The index of a workspace: vectors of its embedding model in Qdrant's local mode, and keywords."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.cli.signals import StopRequest
from managed_sync.cli.workspace import Workspace
from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.private_files import private_folder

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    from managed_sync.cli.named_embeddings import NamedEmbeddings
    from managed_sync.keywords import KeywordIndex

__all__ = ["COMFORTABLE_CHUNKS", "LONGEST_WAIT", "keyword_index", "open_filled_index", "open_index"]

# Above this, opening Qdrant's local mode and searching with an object filter take seconds.
COMFORTABLE_CHUNKS = 10_000

# A search locks the index for seconds, a run until it ends.
LONGEST_WAIT = 30.0

_POLL_SECONDS = 0.1
_COLLECTION = "chunks"


@contextmanager
def open_index(
    workspace: Workspace,
    *,
    embedding: str = "",
    wait: float = LONGEST_WAIT,
    stop: StopRequest | None = None,
) -> Iterator[QdrantVectorStore]:
    """Opens the index as a LangChain vector store; creates it if it is missing.

    Only one process at a time can have it open; others wait. The workspace keeps the embedding
    model as soon as it has embedded a text for an index that holds nothing.

    Args:
        workspace: The workspace.
        embedding: The embedding model of an index that holds nothing; empty for the workspace's.
        wait: The longest time to wait for another process, in seconds.
        stop: Ends the wait when it is set.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
        ConfigurationError: Another process uses the index, it cannot be opened, its embedding
            model cannot be loaded, or it has vectors of another model.
        EmbeddingError: The embedding model cannot embed.
    """
    name = embedding or workspace.embedding
    with _connected(workspace, wait, stop or StopRequest()) as client:
        dimensions = _dimensions(client)
        if dimensions is not None and name != workspace.embedding:
            raise workspace.refusal_of(name)
        model = _model(name, dimensions)
        size = len(model.embed_query(_COLLECTION))
        if dimensions is None:
            workspace.keep_embedding(name)
            _create_collection(client, size)
        # Index runs handle the errors of the model itself, and note which model it is.
        yield _store(client, model.model)


@contextmanager
def open_filled_index(workspace: Workspace) -> Iterator[QdrantVectorStore]:
    """Opens the index like :func:`open_index`, to search in it.

    Raises:
        ConfigurationError: Nothing is indexed yet, or the index cannot be opened.
        EmbeddingError: Raised by searches: the embedding model cannot embed the question.
    """
    if not (workspace.ledger.exists() and workspace.index_folder.exists()):
        raise _nothing_indexed(workspace)
    with _connected(workspace, LONGEST_WAIT, StopRequest()) as client:
        dimensions = _dimensions(client)
        if dimensions is None:
            raise _nothing_indexed(workspace)
        yield _store(client, _model(workspace.embedding, dimensions))


def keyword_index(workspace: Workspace) -> KeywordIndex | None:
    """Returns the keyword index to search beside the vectors.

    It is ``None`` in a workspace that was indexed before there was one, until the next run.
    """
    from managed_sync.keywords import KeywordIndex

    return KeywordIndex(workspace.keyword_file) if workspace.keyword_file.exists() else None


@contextmanager
def _connected(workspace: Workspace, wait: float, stop: StopRequest) -> Iterator[QdrantClient]:
    if not all(find_spec(name) for name in ("qdrant_client", "langchain_qdrant", "wordllama")):
        raise MissingExtraError("The local index", "demo")
    client = _opened(workspace.index_folder, wait, stop)
    try:
        yield client
    finally:
        client.close()


def _dimensions(client: QdrantClient) -> int | None:
    """Returns the dimensions of the vectors in the index; ``None`` if it holds none."""
    from qdrant_client.models import VectorParams

    if not client.collection_exists(_COLLECTION) or not client.count(_COLLECTION).count:
        return None
    vectors = client.get_collection(_COLLECTION).config.params.vectors
    assert isinstance(vectors, VectorParams)  # noqa: S101 - as it was created below
    return vectors.size


def _create_collection(client: QdrantClient, size: int) -> None:
    from qdrant_client.models import Distance, VectorParams

    # An empty one may be of another model.
    client.delete_collection(_COLLECTION)
    client.create_collection(_COLLECTION, VectorParams(size=size, distance=Distance.COSINE))


def _model(name: str, dimensions: int | None) -> NamedEmbeddings:
    from managed_sync.cli.named_embeddings import NamedEmbeddings
    from managed_sync.langchain.embeddings import load_embeddings

    return NamedEmbeddings(name, load_embeddings(name), dimensions)


def _store(client: QdrantClient, model: Embeddings) -> QdrantVectorStore:
    from langchain_qdrant import QdrantVectorStore

    # The validation embeds a text only to compare dimensions, which are compared here already.
    return QdrantVectorStore(client, _COLLECTION, model, validate_collection_config=False)


def _opened(folder: Path, wait: float, stop: StopRequest) -> QdrantClient:
    """Opens the index as soon as no other process has it open."""
    from qdrant_client import QdrantClient

    deadline = time.monotonic() + wait
    while True:
        try:
            private_folder(folder)
            return QdrantClient(path=str(folder))
        except RuntimeError as error:
            if "already accessed" not in str(error):
                raise _unusable(folder, error) from None
        except (OSError, ValueError) as error:
            raise _unusable(folder, error) from None
        left = deadline - time.monotonic()
        stop.wait(max(0.0, min(_POLL_SECONDS, left)))
        stop.raise_if_set()
        if left <= 0:
            raise ConfigurationError(
                f"The index {folder} is still in use by another process after {wait:.0f} s. Wait "
                f"until that process ends, or use another --workspace."
            )


def _nothing_indexed(workspace: Workspace) -> ConfigurationError:
    if workspace.pipelines:
        return ConfigurationError("Nothing is indexed yet. Run `managed-sync index` first.")
    return ConfigurationError(
        "Nothing is indexed yet. Enable a pipeline first, such as `managed-sync enable googleDrive "
        "files`, and then run `managed-sync index`."
    )


def _unusable(folder: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"The index {folder} cannot be opened ({error}). If it is damaged, remove it together with "
        f"the workspace's ledger.db and keywords.db, and run `managed-sync index`."
    )
