"""Fills and searches a store, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from benchmarks.common.memory import peak_bytes
from benchmarks.stores.engines import OPEN
from benchmarks.stores.report import CASES, CHUNKS_PER_OBJECT, DIMENSIONS, Measured
from managed_sync.langchain.stores import object_filter_for
from managed_sync.retrieval.object_filter import CustomObjectFilter

__all__ = ["fill", "measure", "search"]

QUERIES = 10
BATCH = 1000
# One case of one store is repeated for every query, but for no longer than this.
SECONDS_A_CASE = 12.0

Vectors = NDArray[np.float32]


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
        "memory_mb": peak_bytes() / 1e6,
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


def _normalized(vectors: NDArray[np.float64]) -> Vectors:
    unit: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit
