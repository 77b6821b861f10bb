"""The contenders of the indexing benchmark, each for one run in a process of its own.

python -m benchmarks.indexing.contenders managed-sync folder --records 10000 --revision 0
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from benchmarks.common.memory import peak_bytes
from benchmarks.indexing.workload import ChunkTable, CountingModel, GeneratedPipeline

__all__ = ["CONTENDERS", "OURS", "Measured", "main", "table_store"]

OURS = "managed-sync IndexSync"
_INTEGRATION, _SYNC_TYPE = "generated", "files"


@dataclass(frozen=True)
class Measured:
    """One run of one contender.

    Attributes:
        seconds: For the run alone, without loading its modules.
        peak_mb: The most memory that the process ever took.
        downloads: Files that were downloaded.
        embedded: Texts that were embedded.
        chunks: How many the index holds after it.
        digest: Of the texts in the index.
    """

    contender: str
    records: int
    run: str
    seconds: float
    peak_mb: float
    downloads: int
    embedded: int
    chunks: int
    digest: str


class _LangChainStore(VectorStore):
    def __init__(self, table: ChunkTable, model: CountingModel) -> None:
        self._table = table
        self._model = model

    @property
    def embeddings(self) -> Embeddings | None:
        return None

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> _LangChainStore:
        raise NotImplementedError

    def add_texts(
        self, texts: Iterable[str], metadatas: Any = None, *, ids: Any = None, **_: Any
    ) -> list[str]:
        texts = list(texts)
        vectors = self._model.vectors(texts)
        rows = zip(ids, texts, metadatas, vectors, strict=True)
        self._table.put(
            [(key, one["object_id"], text, one, vector) for key, text, one, vector in rows]
        )
        return list(ids)

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool:
        self._table.delete(ids or [])
        return True

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        raise NotImplementedError


def table_store(table: ChunkTable, model: CountingModel) -> VectorStore:
    """Returns a table as a vector store of LangChain, to write into."""
    return _LangChainStore(table, model)


class _LlamaIndexStore(BasePydanticVectorStore):
    stores_text: bool = True
    _table: ChunkTable = PrivateAttr()

    def __init__(self, table: ChunkTable) -> None:
        super().__init__(stores_text=True)
        self._table = table

    @property
    def client(self) -> Any:
        return None

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        self._table.put(
            [
                (
                    node.node_id,
                    node.ref_doc_id or "",
                    node.get_content(),
                    node.metadata,
                    node.get_embedding(),
                )
                for node in nodes
            ]
        )
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        self._table.delete_document(ref_doc_id)

    def query(self, query: Any, **_: Any) -> Any:
        raise NotImplementedError


class _LlamaIndexModel(BaseEmbedding):
    _model: CountingModel = PrivateAttr()

    def __init__(self, model: CountingModel) -> None:
        super().__init__(model_name="counting", embed_batch_size=128)
        self._model = model

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._model.vectors([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.vectors(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._model.vectors([query])[0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


def _managed_sync(
    pipeline: GeneratedPipeline, table: ChunkTable, model: CountingModel, folder: Path
) -> Callable[[], None]:
    from managed_sync import IndexSync  # noqa: PLC0415 - each contender loads its own
    from managed_sync.langchain import LangChainTarget  # noqa: PLC0415

    target = LangChainTarget(_LangChainStore(table, model))
    sync = IndexSync(pipeline, target, folder / "ledger.db")

    def run() -> None:
        sync.run(integration=_INTEGRATION, sync_type=_SYNC_TYPE)

    return run


def _langchain_index(
    pipeline: GeneratedPipeline, table: ChunkTable, model: CountingModel, folder: Path
) -> Callable[[], None]:
    from langchain_classic.indexes import SQLRecordManager  # noqa: PLC0415
    from langchain_core.indexing import index  # noqa: PLC0415

    from managed_sync.langchain import ManagedSyncLoader, ManagedSyncSplitter  # noqa: PLC0415

    manager = SQLRecordManager("benchmark", db_url=f"sqlite:///{folder / 'records.db'}")
    manager.create_schema()
    loader = ManagedSyncLoader(pipeline, integration=_INTEGRATION, sync_type=_SYNC_TYPE)
    splitter = ManagedSyncSplitter()

    def chunks() -> Iterator[Document]:
        for document in loader.lazy_load():
            yield from splitter.transform_documents([document])

    def run() -> None:
        index(
            chunks(),
            manager,
            _LangChainStore(table, model),
            batch_size=128,
            cleanup="full",
            source_id_key="object_id",
            key_encoder="blake2b",
        )

    return run


def _llama_index_pipeline(
    pipeline: GeneratedPipeline, table: ChunkTable, model: CountingModel, folder: Path
) -> Callable[[], None]:
    from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline  # noqa: PLC0415
    from llama_index.core.storage.docstore import SimpleDocumentStore  # noqa: PLC0415

    from managed_sync.llama_index import ManagedSyncNodeParser, ManagedSyncReader  # noqa: PLC0415

    path = str(folder / "docstore.json")
    docstore = (
        SimpleDocumentStore.from_persist_path(path)
        if Path(path).exists()
        else SimpleDocumentStore()
    )
    reader = ManagedSyncReader(client=pipeline, integration=_INTEGRATION, sync_type=_SYNC_TYPE)
    ingestion = IngestionPipeline(
        transformations=[ManagedSyncNodeParser(), _LlamaIndexModel(model)],
        docstore=docstore,
        vector_store=_LlamaIndexStore(table),
        docstore_strategy=DocstoreStrategy.UPSERTS_AND_DELETE,
        disable_cache=True,
    )

    def run() -> None:
        ingestion.run(documents=list(reader.lazy_load_data()))
        docstore.persist(path)

    return run


CONTENDERS = {
    OURS: _managed_sync,
    "LangChain index()": _langchain_index,
    "LlamaIndex IngestionPipeline": _llama_index_pipeline,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Lets one contender run once, and writes what it took as a JSON line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("folder", type=Path, help="what the contender keeps between runs")
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--revision", type=int, required=True)
    parser.add_argument("--run", required=True, help="what to call it")
    options = parser.parse_args(arguments)
    logging.disable(logging.ERROR)
    pipeline = GeneratedPipeline(options.records, options.revision)
    table, model = ChunkTable(options.folder / "chunks.db"), CountingModel()
    run = CONTENDERS[options.contender](pipeline, table, model, options.folder)
    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    digest, chunks = hashlib.sha256(), 0
    for text in table.texts():
        digest.update(text.strip().encode() + b"\0")
        chunks += 1
    measured = Measured(
        options.contender,
        options.records,
        options.run,
        seconds,
        peak_bytes() / 2**20,
        pipeline.downloads,
        model.texts,
        chunks,
        digest.hexdigest(),
    )
    sys.stdout.write(json.dumps(asdict(measured)) + "\n")


if __name__ == "__main__":
    main()
