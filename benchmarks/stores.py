"""Measures embedded vector stores through LangChain, with and without an object filter.

    python -m benchmarks.stores                     # about six minutes on two cores
    python -m benchmarks.stores --sizes 10000       # less than one

Each store is filled in one process and searched in another, so that opening it and its memory are
seen as a user sees them. Qdrant's local mode waits for the disk at every chunk: on a slow one, set
TMPDIR to a folder in memory. Prints the table, and writes it to ``docs/benchmarks/stores.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from numpy.typing import NDArray

from benchmarks.sqlite_store import SqliteStore
from managed_sync.langchain.stores import object_filter_for
from managed_sync.retrieval.object_filter import CustomObjectFilter

DIMENSIONS = 256
CHUNKS_PER_OBJECT = 10
QUERIES = 10
K = 10
WIDE_K = 1000
BATCH = 1000
# One case of one store is repeated for every query, but for no longer than this.
SECONDS_A_CASE = 12.0
REPORT = Path(__file__).parent.parent / "docs/benchmarks/stores.md"

Vectors = NDArray[np.float32]
# What the operating system counts memory in.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass
class Measured:
    """One store at one size."""

    store: str
    chunks: int
    insert_seconds: float = 0.0
    disk_mb: float = 0.0
    open_seconds: float = 0.0
    memory_mb: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    recall: dict[str, float] = field(default_factory=dict)


class Prepared(Embeddings):
    """Hands out prepared vectors: the text of a chunk or a question is its row."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """The rows that the texts name."""
        rows: list[list[float]] = self._vectors[[int(text) for text in texts]].tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """The row that the text names."""
        return self.embed_documents([text])[0]


def main() -> None:
    """Runs the measurements that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stores", nargs="+", choices=OPEN, default=list(OPEN))
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--step", choices=["fill", "search"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        step = fill if arguments.step == "fill" else search
        print(json.dumps(step(arguments.stores[0], arguments.sizes[0], arguments.folder)))
        return
    results = [measure(store, chunks) for chunks in arguments.sizes for store in arguments.stores]
    report = as_markdown(results)
    print(report)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(report, encoding="utf-8")


def measure(store: str, chunks: int) -> Measured:
    """Fills and searches one store, each in a process of its own."""
    measured = asdict(Measured(store, chunks))
    with tempfile.TemporaryDirectory() as folder:
        for step in ("fill", "search"):
            command = [
                sys.executable,
                "-m",
                "benchmarks.stores",
                "--step",
                step,
                "--folder",
                folder,
            ]
            command += ["--stores", store, "--sizes", str(chunks)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            measured |= json.loads(output.splitlines()[-1])
    print(f"{store}, {chunks:,} chunks: done", file=sys.stderr)
    return Measured(**measured)


def fill(store: str, chunks: int, folder: Path) -> dict[str, Any]:
    """Writes the chunks, and beside them the questions and their exact answers."""
    vectors, questions = make_vectors(chunks)
    prepare_answers(vectors, questions, folder)
    data = folder / "data"
    vectorstore = OPEN[store](data, Prepared(vectors))
    started = time.perf_counter()
    for start in range(0, chunks, BATCH):
        rows = range(start, min(start + BATCH, chunks))
        vectorstore.add_texts(
            [str(row) for row in rows],
            [
                {"object_id": f"file:{row // CHUNKS_PER_OBJECT}", "chunk_id": str(row)}
                for row in rows
            ],
            ids=[f"00000000-0000-0000-0000-{row:012}" for row in rows],
        )
    seconds = time.perf_counter() - started
    size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    return {"insert_seconds": seconds, "disk_mb": size / 1e6}


def search(store: str, chunks: int, folder: Path) -> dict[str, Any]:
    """Opens the store anew and asks it every question in every way."""
    questions: Vectors = np.load(folder / "questions.npy")
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    started = time.perf_counter()
    vectorstore = OPEN[store](folder / "data", Prepared(questions))
    vectorstore.similarity_search_with_score("0", k=1)
    open_seconds = time.perf_counter() - started
    object_filter = object_filter_for(vectorstore) or CustomObjectFilter(lambda i: {"objects": i})
    seconds, recall = {}, {}
    for name, case in cases.items():
        shares = []
        started = time.perf_counter()
        for question in range(QUERIES):
            wanted = case["objects"][question]
            kwargs = object_filter.search_kwargs(wanted) if wanted else {}
            found = vectorstore.similarity_search_with_score(str(question), k=case["k"], **kwargs)
            ids = {document.metadata["chunk_id"] for document, _ in found}
            answer = case["answers"][question]
            shares.append(len(ids.intersection(answer)) / len(answer))
            if time.perf_counter() - started > SECONDS_A_CASE:
                break
        seconds[name] = (time.perf_counter() - started) / len(shares)
        recall[name] = sum(shares) / len(shares)
    return {
        "open_seconds": open_seconds,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT / 1e6,
        "seconds": seconds,
        "recall": recall,
    }


def make_vectors(chunks: int) -> tuple[Vectors, Vectors]:
    """Chunks that lie together by object, and objects by topic; questions near a topic."""
    random = np.random.default_rng(7)
    topics = random.normal(size=(200, DIMENSIONS))
    objects = topics[random.integers(len(topics), size=chunks // CHUNKS_PER_OBJECT)]
    objects = objects + random.normal(size=objects.shape)
    vectors = np.repeat(objects, CHUNKS_PER_OBJECT, axis=0)
    vectors += random.normal(size=vectors.shape)
    questions = topics[:QUERIES] + random.normal(size=(QUERIES, DIMENSIONS))
    return _normalized(vectors), _normalized(questions)


def prepare_answers(vectors: Vectors, questions: Vectors, folder: Path) -> None:
    """Writes down, for each case and question, the objects to search in and the exact answer."""
    random = np.random.default_rng(11)
    total = len(vectors) // CHUNKS_PER_OBJECT
    cases: dict[str, Any] = {}
    for name, k, count in CASES:
        cases[name] = {"k": k, "objects": [], "answers": []}
        for question in questions:
            similarity = vectors @ question
            if count == 0:
                objects = np.arange(0)
            elif name.endswith("far"):
                objects = np.argsort(similarity.reshape(total, -1).max(axis=1))[:count]
            else:
                objects = random.choice(total, size=min(count, total), replace=False)
            if count:
                allowed = np.isin(np.arange(len(vectors)) // CHUNKS_PER_OBJECT, objects)
                similarity = np.where(allowed, similarity, -2)
            best = np.argsort(-similarity)[: min(k, count * CHUNKS_PER_OBJECT or k)]
            cases[name]["objects"].append([f"file:{number}" for number in objects])
            cases[name]["answers"].append([str(row) for row in best])
    np.save(folder / "questions.npy", questions)
    (folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


CASES = [
    ("all", K, 0),
    (f"all, k = {WIDE_K:,}", WIDE_K, 0),
    ("1 object", K, 1),
    ("100 objects", K, 100),
    ("1,000 objects", K, 1000),
    ("100 far", K, 100),
]


def as_markdown(results: list[Measured]) -> str:
    """The results as a page."""
    names = [name for name, _, _ in CASES]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Embedded vector stores",
        "",
        f"Written by `python -m benchmarks.stores`; {os.cpu_count()} cores; {versions}; data in "
        f"`{tempfile.gettempdir()}`. Vectors of "
        f"{DIMENSIONS} dimensions, {CHUNKS_PER_OBJECT} chunks an object, through LangChain.",
        "*Open* includes the first search. *Memory* is the most that a process takes which only "
        "opens and searches. Each cell of the second table is seconds a search, and the share "
        f"found of the {K} best chunks by exact cosine (of the {WIDE_K:,} best where k = "
        f"{WIDE_K:,}); *far* are the objects that lie farthest from the question.",
        "",
        "| store | chunks | insert, s | disk, MB | open, s | memory, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {m.store} | {m.chunks:,} | {m.insert_seconds:.1f} | {m.disk_mb:.0f} "
        f"| {m.open_seconds:.2f} | {m.memory_mb:.0f} |"
        for m in results
    ]
    lines += [
        "",
        f"| store | chunks | {' | '.join(names)} |",
        f"| --- | ---: |{' ---: |' * len(names)}",
    ]
    for m in results:
        cells = " | ".join(f"{m.seconds[name]:.3f} / {m.recall[name]:.2f}" for name in names)
        lines.append(f"| {m.store} | {m.chunks:,} | {cells} |")
    return "\n".join(lines) + "\n"


def open_qdrant(folder: Path, embeddings: Embeddings) -> VectorStore:
    """Qdrant's local mode."""
    from langchain_qdrant import QdrantVectorStore  # noqa: PLC0415
    from qdrant_client import QdrantClient  # noqa: PLC0415
    from qdrant_client.models import Distance, VectorParams  # noqa: PLC0415

    warnings.simplefilter("ignore")
    client = QdrantClient(path=str(folder))
    if not client.collection_exists("chunks"):
        client.create_collection("chunks", VectorParams(size=DIMENSIONS, distance=Distance.COSINE))
    return QdrantVectorStore(client, "chunks", embeddings, validate_collection_config=False)


def open_chroma(folder: Path, embeddings: Embeddings) -> VectorStore:
    """Chroma in process, with cosine as its distance and its default settings."""
    from langchain_chroma import Chroma  # noqa: PLC0415

    return Chroma(
        "chunks",
        embeddings,
        persist_directory=str(folder),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )


def open_lancedb(folder: Path, embeddings: Embeddings) -> VectorStore:
    """LanceDB in process, without a vector index."""
    from langchain_community.vectorstores import LanceDB  # noqa: PLC0415

    return LanceDB(uri=str(folder), embedding=embeddings, mode="append")


def _normalized(vectors: NDArray[np.float64]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


OPEN: dict[str, Callable[[Path, Embeddings], VectorStore]] = {
    "Qdrant, local mode": open_qdrant,
    "Chroma": open_chroma,
    "LanceDB": open_lancedb,
    "SQLite and NumPy": SqliteStore,
}
PACKAGES = ["qdrant-client", "chromadb", "lancedb"]

if __name__ == "__main__":
    main()
