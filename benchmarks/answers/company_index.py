"""The sample company, served and indexed: its chunks, their vectors, and who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from numpy.typing import NDArray

from managed_sync import AccessChecker, IndexSync, KeywordIndex, ManagedSyncClient
from managed_sync.documents.loading.record_metadata import object_id
from managed_sync.langchain import BundledEmbeddings, LangChainTarget
from managed_sync.sample_company import company_folder
from managed_sync.server import EmbeddedServer

__all__ = ["CompanyIndex", "indexed_company"]

_PIPELINES = (
    ("googleDrive", "files"),
    ("salesforce", "contacts"),
    ("salesforce", "deals"),
    ("zendesk", "tickets"),
)


@dataclass(frozen=True)
class CompanyIndex:
    """The chunks of the sample company.

    Attributes:
        chunks: The chunks.
        vectors: The vector of each by the bundled embedding, with title and headings.
        keywords: The keyword index of the same chunks.
        client: A client of the server.
        objects: The object id of each object that questions name.
    """

    chunks: list[Document]
    vectors: NDArray[np.float64]
    keywords: KeywordIndex
    client: ManagedSyncClient
    objects: dict[str, str]

    @property
    def checker(self) -> AccessChecker:
        """Decides who may read what."""
        return AccessChecker(self.client)

    @cache  # noqa: B019 - one index a process
    def readable(self, user: str) -> NDArray[np.bool_]:
        """Returns which chunks a user may read."""
        allowed = set(self.client.list_objects(user, "viewer"))
        return np.array([chunk.metadata["object_id"] in allowed for chunk in self.chunks])

    def __hash__(self) -> int:
        return id(self)


@contextmanager
def indexed_company() -> Iterator[CompanyIndex]:
    """Serves and indexes the sample company while the block runs."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with (
            EmbeddedServer(company_folder(), folder / "state") as server,
            ManagedSyncClient(
                server.project_id,
                signing_key=server.signing_key,
                user_id="benchmark",
                base_url=server.base_url,
            ) as client,
        ):
            yield _indexed(client, folder)


def _indexed(client: ManagedSyncClient, folder: Path) -> CompanyIndex:
    store = InMemoryVectorStore(BundledEmbeddings())
    keywords = KeywordIndex(folder / "keywords.db")
    sync = IndexSync(client, LangChainTarget(store), folder / "ledger.db", keywords=keywords)
    objects = {}
    for pipeline in _PIPELINES:
        client.enable_sync(*pipeline)
        client.wait_until_idle(*pipeline)
        sync.run(integration=pipeline[0], sync_type=pipeline[1])
        for record in client.iter_records(*pipeline):
            known_as = object_id(record)
            kind = known_as.partition(":")[0]
            objects[record.source_id] = objects[f"{kind}:{record.source_id}"] = known_as
    rows: list[dict[str, Any]] = sorted(store.store.values(), key=lambda row: str(row["id"]))
    chunks = [Document(row["text"], metadata=row["metadata"]) for row in rows]
    vectors = np.array([row["vector"] for row in rows])
    return CompanyIndex(chunks, vectors, keywords, client, objects)
