"""A question to vectors and keywords in proportion to one to vectors, both with permissions.

    python -m benchmarks.retrieval.hybrid                       # in full: 100,000 chunks
    python -m benchmarks.retrieval.hybrid --chunks 10000        # a first look
    python -m benchmarks.retrieval.hybrid --update-docs         # writes it to docs/

Set ``OPENBLAS_NUM_THREADS=1`` and ``OMP_NUM_THREADS=1``, so that a search by vectors leaves a core
to the one by keywords. Both retrievers answer each case in turn, so that a busy computer slows both
down alike. Processor time is shown too, which other programs disturb less; it adds up what runs at
the same time. Every answer is compared with the fused ranking by its definition.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from rich.console import Console

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, update_page
from benchmarks.common.tables import markdown_table
from benchmarks.retrieval.corpus import Case, Corpus, make_cases, make_corpus
from benchmarks.retrieval.ours import permission_aware
from benchmarks.retrieval.permission_service import PermissionService
from benchmarks.retrieval.vector_store import ExactVectorStore, object_id, question_text
from managed_sync import Fusion, KeywordHit, KeywordIndex
from managed_sync.documents import Chunk

__all__ = ["Point", "main", "run"]

STORES = ("NumPy", "FAISS")
SELECTIVITIES = (1.0, 0.1, 0.01, 0.001)
_WORDS = 20_000
_WORDS_PER_CHUNK = 60
_WORDS_PER_QUESTION = 6
# The most common words are in every chunk, and a question's are less common.
_QUESTION_RANKS = range(50, 2000)
_CHUNKS_AT_ONCE = 5000


@dataclass(frozen=True)
class Point:
    """The median answer at one selectivity.

    Attributes:
        placement: See ``Case``.
        selectivity: The share of the objects that the subject may read.
        vectors_ms: The latency of a question to vectors.
        hybrid_ms: The latency of a question to both.
        keywords_ms: The time that its searches by keywords took, next to those by vectors.
        vectors_processor_ms: The processor time of a question to vectors.
        hybrid_processor_ms: The processor time of a question to both.
        round_trips: The number of times the permission service was waited for.
        ids: The object ids that were checked or listed.
        exact: The share of answers that are those of the definition.
    """

    placement: str
    selectivity: float
    vectors_ms: float
    hybrid_ms: float
    keywords_ms: float
    vectors_processor_ms: float
    hybrid_processor_ms: float
    round_trips: float
    ids: float
    exact: float


def run(
    *, chunks: int, questions: int, k: int, seed: int, folder: Path, stores: Sequence[str] = STORES
) -> dict[str, list[Point]]:
    """Measures both retrievers over each store at every selectivity and placement."""
    corpus = make_corpus(chunks=chunks, questions=questions, seed=seed)
    index = _filled_index(folder / "keywords.db", corpus, seed)
    keywords = _TimedKeywords(index, questions, seed)
    return {
        name: _measured(_filled_store(name, corpus), corpus, keywords, k, seed) for name in stores
    }


def _measured(
    store: VectorStore, corpus: Corpus, keywords: _TimedKeywords, k: int, seed: int
) -> list[Point]:
    cases = list(make_cases(corpus, SELECTIVITIES, seed + 1))
    allowed = {case.subject: [object_id(number) for number in case.allowed] for case in cases}
    service = PermissionService(allowed)
    by_vectors = permission_aware(store, service, k)
    hybrid = permission_aware(store, service, k, keywords=keywords)
    answers: dict[tuple[str, float], list[tuple[float, ...]]] = {}
    for case in cases:
        question = question_text(case.question)
        vectors, _ = _timed(partial(by_vectors.invoke, question, subject=case.subject))
        service.take_usage()
        keywords.seconds = 0.0
        both, found = _timed(partial(hybrid.invoke, question, subject=case.subject))
        searched = keywords.seconds
        usage = service.take_usage()
        is_exact = [_row_of(document) for document in found] == _best(corpus, keywords, case, k)
        answers.setdefault((case.placement, case.selectivity), []).append(
            (
                1000 * vectors.clock,
                1000 * both.clock,
                1000 * searched,
                1000 * vectors.processor,
                1000 * both.processor,
                usage.rounds,
                usage.checked + usage.listed,
                is_exact,
            )
        )
    return [
        Point(placement, selectivity, *_medians(rows))
        for (placement, selectivity), rows in answers.items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures a question to vectors and keywords next to one to vectors."""
    parser = command_parser("retrieval.hybrid", main.__doc__)
    parser.add_argument("--chunks", type=int, default=100_000, help="10 of them an object")
    parser.add_argument("--questions", type=int, default=20, help="at each point")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--k", type=int, default=6, help="passages wanted")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    begun = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        measured = run(
            chunks=options.chunks,
            questions=options.questions,
            k=options.k,
            seed=options.seed,
            folder=Path(folder),
            stores=options.stores,
        )
    header = ["store", "placement", "selectivity", "vectors, ms", "both, ms", "keywords, ms"]
    header += ["ratio", "ratio of processor time", "round trips", "ids", "exact"]
    rows = [
        [
            store,
            point.placement,
            f"{point.selectivity:g}",
            f"{point.vectors_ms:.1f}",
            f"{point.hybrid_ms:.1f}",
            f"{point.keywords_ms:.1f}",
            f"{point.hybrid_ms / point.vectors_ms:.2f}",
            f"{point.hybrid_processor_ms / point.vectors_processor_ms:.2f}",
            f"{point.round_trips:g}",
            f"{point.ids:g}",
            f"{point.exact:.3f}",
        ]
        for store, points in measured.items()
        for point in points
    ]
    busy = f"load average {begun:.1f} at the beginning and {os.getloadavg()[0]:.1f} at the end"
    text = (
        f"{options.chunks:,} chunks, medians of {options.questions} questions; {os.cpu_count()} "
        f"cores; {busy}.\n\n{markdown_table(header, rows)}"
    )
    Console(soft_wrap=True, markup=False, highlight=False).print(text)
    if options.update_docs:
        update_page(DOCS / "retrieval.md", text, section="hybrid")


class _Seconds(NamedTuple):
    clock: float
    processor: float


def _timed(call: Callable[[], Any]) -> tuple[_Seconds, Any]:
    clock, processor = time.perf_counter(), time.process_time()
    result = call()
    return _Seconds(time.perf_counter() - clock, time.process_time() - processor), result


def _medians(rows: Sequence[tuple[float, ...]]) -> tuple[float, ...]:
    *columns, exact = zip(*rows, strict=True)
    return (*map(median, columns), sum(exact) / len(exact))


class _Texts(Embeddings):
    """Knows the vectors of the corpus' chunks and questions."""

    def __init__(self, corpus: Corpus, store: ExactVectorStore) -> None:
        self._corpus, self._questions = corpus, store.embeddings

    def embed_query(self, text: str) -> list[float]:
        return self._questions.embed_query(text)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._corpus.vectors[int(text.split()[-1])].tolist() for text in texts]


def _filled_store(name: str, corpus: Corpus) -> VectorStore:
    exact = ExactVectorStore(corpus)
    if name == "NumPy":
        return exact
    import faiss  # noqa: PLC0415 - takes a second
    from langchain_community.docstore.in_memory import InMemoryDocstore  # noqa: PLC0415
    from langchain_community.vectorstores import FAISS  # noqa: PLC0415

    index = faiss.IndexFlatL2(corpus.vectors.shape[1])
    store = FAISS(_Texts(corpus, exact), index, InMemoryDocstore(), {})
    documents = exact.documents
    store.add_documents(documents, ids=[document.metadata["chunk_id"] for document in documents])
    return store


def _row_of(document: Document) -> int:
    return int(document.metadata["chunk_id"].removeprefix("chunk-"))


class _TimedKeywords:
    """A keyword index whose questions have words, and whose searches are timed."""

    def __init__(self, index: KeywordIndex, questions: int, seed: int) -> None:
        chance = random.Random(seed)
        self._index = index
        self._words = {
            question_text(number): " ".join(
                f"word{rank}" for rank in chance.sample(_QUESTION_RANKS, _WORDS_PER_QUESTION)
            )
            for number in range(questions)
        }
        self.seconds = 0.0

    def search(
        self,
        question: str,
        limit: int,
        objects: Sequence[str] | None = None,
        *,
        project_id: str | None = None,
    ) -> list[KeywordHit]:
        """Returns the best passages for the words of a question."""
        began = time.perf_counter()
        found = self._index.search(self._words[question], limit, objects, project_id=project_id)
        self.seconds += time.perf_counter() - began
        return found

    def count_chunks(
        self, objects: Sequence[str] | None = None, *, project_id: str | None = None
    ) -> int:
        """Returns the number of passages."""
        return self._index.count_chunks(objects, project_id=project_id)


def _filled_index(file: Path, corpus: Corpus, seed: int) -> KeywordIndex:
    index = KeywordIndex(file)
    chance = random.Random(seed)
    words = [f"word{rank}" for rank in range(_WORDS)]
    # As often as their rank says, after Zipf.
    shares = list(accumulate(1 / (rank + 1) for rank in range(_WORDS)))
    for start in range(0, len(corpus.vectors), _CHUNKS_AT_ONCE):
        rows = range(start, min(start + _CHUNKS_AT_ONCE, len(corpus.vectors)))
        index.upsert([_chunk(row, corpus, words, shares, chance) for row in rows])
    return index


def _chunk(
    row: int, corpus: Corpus, words: Sequence[str], shares: Sequence[float], chance: random.Random
) -> Chunk:
    number, place = divmod(row, corpus.chunks_per_object)
    text = " ".join(chance.choices(words, cum_weights=shares, k=_WORDS_PER_CHUNK))
    ids = {"object_id": object_id(number), "record_id": str(number), "chunk_id": f"chunk-{row}"}
    return Chunk(text, {**ids, "chunk_index": place})


def _best(corpus: Corpus, keywords: _TimedKeywords, case: Case, k: int) -> list[int]:
    """Returns the rows of the best chunks by the definition."""
    fusion = Fusion()
    window = fusion.window_of(k)
    rows = (
        np.sort(case.allowed)[:, None] * corpus.chunks_per_object
        + np.arange(corpus.chunks_per_object)
    ).ravel()
    scores = corpus.vectors[rows] @ corpus.questions[case.question]
    by_vectors = rows[np.argsort(-scores, kind="stable")[:window]].tolist()
    readable = {object_id(number) for number in case.allowed}
    found = keywords.search(question_text(case.question), len(corpus.vectors))
    by_keywords = [
        int(hit.chunk_id.removeprefix("chunk-"))
        for hit in found
        if hit.metadata["object_id"] in readable
    ][:window]
    ranks = [dict(_ranked(ranking)) for ranking in (by_vectors, by_keywords)]
    score = {
        row: sum(1 / (fusion.constant + own[row]) for own in ranks if row in own)
        for row in (*by_vectors, *by_keywords)
    }
    order = sorted(
        score, key=lambda row: (-score[row], min(own[row] for own in ranks if row in own))
    )
    return order[:k]


def _ranked(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((row, rank) for rank, row in enumerate(rows, start=1))


if __name__ == "__main__":
    main()
