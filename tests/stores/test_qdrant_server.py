"""Tests requests to a Qdrant server; the suite for all stores runs Qdrant in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from langchain_qdrant import QdrantVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaIndexQdrant
from qdrant_client import QdrantClient

from managed_sync.langchain import stores as langchain_stores
from managed_sync.llama_index import stores as llama_index_stores
from tests.support.hash_embeddings import HashEmbedding, HashEmbeddings

IDS = ["file:it's", "file:日本語"]


class RecordingServer(ThreadingHTTPServer):
    """Finds nothing, and remembers what was looked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.searches: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: RecordingServer

    def do_GET(self) -> None:
        self._answer({"exists": True})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith(("/points/query", "/points/search")):
            self.server.searches.append(json.loads(body))
        # Older adapters search, newer ones query.
        self._answer([] if self.path.endswith("/points/search") else {"points": []})

    def do_PUT(self) -> None:
        self.do_POST()

    def _answer(self, result: Any) -> None:
        body = json.dumps({"result": result, "status": "ok", "time": 0}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as running:
        Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def client(server: RecordingServer) -> Iterator[QdrantClient]:
    client = QdrantClient(f"http://127.0.0.1:{server.server_address[1]}", check_compatibility=False)
    yield client
    client.close()


def test_langchain_asks_for_an_exhaustive_search_among_the_objects(
    server: RecordingServer, client: QdrantClient
) -> None:
    vectorstore = QdrantVectorStore(
        client,
        "chunks",
        HashEmbeddings(),
        metadata_payload_key="meta",
        validate_collection_config=False,
    )
    object_filter = langchain_stores.object_filter_for(vectorstore)
    assert object_filter is not None
    vectorstore.similarity_search("Who?", **object_filter.search_kwargs(IDS))
    [search] = server.searches
    assert search["filter"] == {"must": [{"key": "meta.object_id", "match": {"any": IDS}}]}
    assert search["params"] == {"exact": True}


def test_llama_index_asks_for_an_exhaustive_search_among_the_objects(
    server: RecordingServer, client: QdrantClient
) -> None:
    store = LlamaIndexQdrant("chunks", client=client)
    index = VectorStoreIndex.from_vector_store(store, embed_model=HashEmbedding())
    object_filter = llama_index_stores.object_filter_for(index)
    assert object_filter is not None
    index.as_retriever(**object_filter.search_kwargs(IDS)).retrieve("Who?")
    [search] = server.searches
    assert IDS in [
        condition["match"]["any"] for part in search["filter"]["must"] for condition in part["must"]
    ]
    assert search["params"] == {"exact": True}
