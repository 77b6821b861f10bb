"""The workloads of a comparison, which use public names only, so that older versions run them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TextIO, TypedDict

import httpx
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

import managed_sync
from managed_sync import AccessChecker, IndexSync, ManagedSyncClient
from managed_sync.documents import Chunker, DocumentLoader, SourceDocument
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever

__all__ = ["WORKLOADS", "answer"]

_QUESTIONS = 40
_CHECKS = 2_000
_RECORDS = 150
_PARAGRAPHS = 2_000


class _Pipeline(TypedDict):
    integration: str
    sync_type: str


_PIPELINE: _Pipeline = {"integration": "box", "sync_type": "files"}


def _respond(request: httpx.Request) -> httpx.Response:
    """Answers as the Managed Sync API of one pipeline does, at once."""
    path = request.url.path
    if path.endswith("batch-check-access"):
        checks = json.loads(request.content)["checks"]
        return httpx.Response(200, json={"results": [{"allowed": True} for _ in checks]})
    if path.endswith("/sync/records"):
        return httpx.Response(200, content=_records())
    if path.endswith("/content"):
        return httpx.Response(
            200, content=_text(20).encode(), headers={"content-type": "text/markdown"}
        )
    status = {**_PIPELINE, "syncType": "files", "status": "IDLE", "recordCount": _RECORDS}
    return httpx.Response(200, json=status)


@cache
def _records() -> bytes:
    records = [
        {
            "id": f"r{number}",
            "integration": "box",
            "syncType": "files",
            "sourceId": f"/{number}.md",
            "data": {"name": f"{number}.md", "mimeType": "text/markdown", "digest": "d"},
            "updatedAt": "2026-01-01T00:00:00Z",
        }
        for number in range(_RECORDS)
    ]
    return json.dumps({"records": records}).encode()


@cache
def _text(paragraphs: int) -> str:
    return "\n\n".join(
        f"# Part {number}\n\nThe plan of part {number} was agreed on. It ends in May."
        for number in range(paragraphs)
    )


@cache
def _client() -> ManagedSyncClient:
    return ManagedSyncClient(
        "p1", "token", base_url="http://api", transport=httpx.MockTransport(_respond)
    )


@cache
def _retriever() -> PermissionAwareRetriever:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(
        [
            Document(
                f"p{number}", metadata={"object_id": f"file:{number}", "chunk_id": f"{number}"}
            )
            for number in range(200)
        ]
    )
    return PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(_client()), k=6)


def _retrieval() -> None:
    for number in range(_QUESTIONS):
        _retriever().invoke(f"question {number}", subject="a@x.example")


def _requests() -> None:
    AccessChecker(_client()).allowed("a@x.example", [f"file:{each}" for each in range(_CHECKS)])
    assert sum(1 for _ in _client().iter_records(**_PIPELINE)) == _RECORDS  # noqa: S101 - else it measures nothing


def _chunking() -> None:
    metadata = {"object_id": "file:1", "record_id": "1", "title": "Plan"}
    Chunker().split(SourceDocument(_text(_PARAGRAPHS), metadata))


def _indexing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = LangChainTarget(InMemoryVectorStore(DeterministicFakeEmbedding(size=8)))
        loader = DocumentLoader(_client(), processes=0)
        sync = IndexSync(_client(), target, Path(folder) / "ledger.db", loader=loader)
        assert sync.run(**_PIPELINE).added == _RECORDS  # noqa: S101 - else it measures nothing
        assert sync.run(**_PIPELINE).unchanged == _RECORDS  # noqa: S101 - else it measures nothing


WORKLOADS: Mapping[str, Callable[[], None]] = {
    "retrieval": _retrieval,
    "client": _requests,
    "chunking": _chunking,
    "indexing": _indexing,
}


def answer(questions: TextIO, answers: TextIO) -> None:
    """Answers each line: the package's file, or the seconds that the named workload took."""
    for line in questions:
        name = line.strip()
        if name == "package":
            result = managed_sync.__file__
        else:
            began = time.perf_counter()
            WORKLOADS[name]()
            result = repr(time.perf_counter() - began)
        answers.write(f"{result}\n")
        answers.flush()
