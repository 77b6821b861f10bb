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
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

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
    wait: float = LONGEST_WAIT,
    stop: StopRequest | None = None,
) -> Iterator[QdrantVectorStore]:
    """Opens the index as a LangChain vector store; creates it if it is missing.

    Only one process at a time can have it open; others wait.

    Args:
        workspace: The workspace.
        wait: The longest time to wait for another process, in seconds.
        stop: Ends the wait when it is set.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
        ConfigurationError: Another process uses the index, it cannot be opened, or its embedding
            model cannot be loaded.
    """
    if not all(find_spec(name) for name in ("qdrant_client", "langchain_qdrant", "wordllama")):
        raise MissingExtraError("The local index", "demo")
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client.models import Distance, VectorParams

    from managed_sync.langchain.embeddings import load_embeddings

    embeddings = load_embeddings(workspace.embedding)
    client = _opened(workspace.index_folder, wait, stop or StopRequest())
    try:
        if not client.collection_exists(_COLLECTION):
            size = len(embeddings.embed_query(_COLLECTION))
            client.create_collection(_COLLECTION, VectorParams(size=size, distance=Distance.COSINE))
        yield QdrantVectorStore(client, _COLLECTION, embeddings)
    finally:
        client.close()


@contextmanager
def open_filled_index(workspace: Workspace) -> Iterator[QdrantVectorStore]:
    """Opens the index like :func:`open_index`, to search in it.

    Raises:
        ConfigurationError: Nothing is indexed yet, or the index cannot be opened.
    """
    if not workspace.ledger.exists():
        raise _nothing_indexed(workspace)
    with open_index(workspace) as store:
        if not store.client.count(store.collection_name).count:
            raise _nothing_indexed(workspace)
        yield store


def keyword_index(workspace: Workspace) -> KeywordIndex | None:
    """Returns the keyword index to search beside the vectors.

    It is ``None`` in a workspace that was indexed before there was one, until the next run.
    """
    from managed_sync.keywords import KeywordIndex

    return KeywordIndex(workspace.keyword_file) if workspace.keyword_file.exists() else None


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
