"""The vector index of a workspace: Qdrant's local mode on disk, with the bundled embedding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.bundled_embedding import BUNDLED_DIMENSIONS
from managed_sync.cli.signals import StopRequest
from managed_sync.cli.workspace import Workspace
from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.private_files import private_folder

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

__all__ = ["COMFORTABLE_CHUNKS", "LONGEST_WAIT", "open_index"]

# Above this, Qdrant's local mode takes seconds to open and to search among some objects only.
COMFORTABLE_CHUNKS = 10_000

# A search holds the index for seconds, a run for as long as it takes.
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
    """The index as a LangChain vector store; it is made if it is not there.

    One process at a time can have it open: others wait for their turn.

    Args:
        workspace: Where it is.
        wait: Seconds to wait for another process at most.
        stop: Ends the waiting when it is set.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
        ConfigurationError: Another process uses the index, or it cannot be opened.
    """
    if not all(find_spec(name) for name in ("qdrant_client", "langchain_qdrant", "wordllama")):
        raise MissingExtraError("The local index", "demo")
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client.models import Distance, VectorParams

    from managed_sync.langchain import BundledEmbeddings

    client = _opened(workspace.index_folder, wait, stop or StopRequest())
    try:
        if not client.collection_exists(_COLLECTION):
            client.create_collection(
                _COLLECTION, VectorParams(size=BUNDLED_DIMENSIONS, distance=Distance.COSINE)
            )
        yield QdrantVectorStore(client, _COLLECTION, BundledEmbeddings())
    finally:
        client.close()


def _opened(folder: Path, wait: float, stop: StopRequest) -> QdrantClient:
    """The index, as soon as no other process has it open."""
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
                f"The index {folder} is in use by another process, and still was after "
                f"{wait:.0f} s; wait until that has ended, or work in another --workspace."
            )


def _unusable(folder: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"The index {folder} cannot be opened ({error}). If it is damaged, remove it together with "
        f"the workspace's ledger.db, and run `managed-sync index`."
    )
