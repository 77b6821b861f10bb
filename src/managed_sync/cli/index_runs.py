"""Runs over the index of a workspace, and the exit statuses of their commands."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from managed_sync.cli.output import progress_output
from managed_sync.cli.signals import StopRequest
from managed_sync.cli.vector_index import COMFORTABLE_CHUNKS, open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import DeletionsWithheldError

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore

    from managed_sync.indexing import IndexReport, IndexSync

__all__ = ["ExitStatus", "index_pipelines", "index_sync"]


class ExitStatus(IntEnum):
    """The exit statuses of the commands that work on the index."""

    PIPELINE_FAILED = 1
    SOME_FAILED = 3
    DELETIONS_WITHHELD = 4
    DIFFERENCES_FOUND = 5


def index_sync(
    workspace: Workspace, client: ManagedSyncClient, store: QdrantVectorStore, *, ocr: str = ""
) -> IndexSync:
    """Returns the ``IndexSync`` of a workspace.

    Args:
        workspace: The workspace with index, keyword index and ledger.
        client: A client of the API.
        store: The index.
        ocr: The languages of pictures and scans, joined with ``+``; without one, they are not read.
    """
    from managed_sync.documents import FileParser
    from managed_sync.indexing import IndexSync
    from managed_sync.keywords import KeywordIndex
    from managed_sync.langchain import LangChainTarget

    parser = FileParser(ocr=ocr.split("+")) if ocr else None
    keywords = KeywordIndex(workspace.keyword_file)
    target = LangChainTarget(store)
    return IndexSync(client, target, workspace.ledger, parser=parser, keywords=keywords)


def index_pipelines(
    workspace: Workspace,
    client: ManagedSyncClient,
    pipelines: list[PipelineRef],
    *,
    withheld: Callable[[DeletionsWithheldError], None] | None = None,
    failed: Callable[[PipelineRef, Exception], None] | None = None,
    stop: StopRequest | None = None,
    ocr: str = "",
    embedding: str = "",
    **options: Any,
) -> dict[PipelineRef, IndexReport]:
    """Loads, splits, embeds and indexes pipelines, with progress bars.

    Args:
        workspace: The workspace with index and ledger.
        client: A client of the API.
        pipelines: The pipelines.
        withheld: Called if a pipeline's deletions are withheld; without it, the error is raised.
        failed: Called if a pipeline cannot be indexed; without it, the error is raised.
        stop: Ends the run early.
        ocr: The languages of pictures and scans; see :func:`index_sync`.
        embedding: The embedding model of a new index; see :func:`open_index`.
        options: Options of ``IndexSync.run``.
    """
    from managed_sync.cli.index_progress import index_progress

    reports = {}
    if embedding and embedding != workspace.embedding:
        # Runs that indexed nothing may have noted the settings of the other model.
        options["rebuild"] = True
    with (
        open_index(workspace, embedding=embedding, stop=stop) as store,
        index_progress(progress_output) as meter_for,
    ):
        sync = index_sync(workspace, client, store, ocr=ocr)
        for name in pipelines:
            integration, sync_type = name
            try:
                reports[name] = sync.run(
                    integration=integration,
                    sync_type=sync_type,
                    on_progress=meter_for(str(name)),
                    stop=stop,
                    **options,
                )
            except DeletionsWithheldError as error:
                if withheld is None:
                    raise
                withheld(error)
                reports[name] = error.report
            except Exception as error:
                if failed is None:
                    raise
                failed(name, error)
            if stop is not None and stop.is_set():
                break
        _warn_of_size(store)
    return reports


def _warn_of_size(store: QdrantVectorStore) -> None:
    chunks = store.client.count(store.collection_name).count
    if chunks > COMFORTABLE_CHUNKS:
        progress_output.print(
            f"The index has {chunks:,} chunks. The local index is designed for up to "
            f"{COMFORTABLE_CHUNKS:,}: above that it stays exact, but gets slow. Use IndexSync with "
            f"a Qdrant server or PostgreSQL instead.",
            style="yellow",
        )
