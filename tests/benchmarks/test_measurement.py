"""Leaks, losses and failures of a contender are seen, and what it asks for is counted."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.documents import Document

from benchmarks.retrieval.contenders import Contender, unfiltered
from benchmarks.retrieval.corpus import Case, Corpus
from benchmarks.retrieval.measurement import measure
from benchmarks.retrieval.oracle import Oracle
from benchmarks.retrieval.permission_service import PermissionService
from benchmarks.retrieval.results import Failure, Point, summarize
from benchmarks.retrieval.vector_store import ExactVectorStore

K = 10


def measured(
    corpus: Corpus, cases: Sequence[Case], entry: object, latency_ms: float = 0
) -> tuple[tuple[Point, ...], tuple[Failure, ...]]:
    assert callable(entry)
    run = list(measure(entry, corpus, cases, k=K, latencies_ms=[latency_ms]))
    return summarize([run], cases, Oracle(corpus, K))


def points_of(points: Sequence[Point], contender: str) -> list[Point]:
    return [point for point in points if point.contender == contender]


def test_a_search_that_asks_nobody_leaks(corpus: Corpus, cases: list[Case]) -> None:
    points, _ = measured(
        corpus, cases, lambda store, service, k: [unfiltered(store, k, beside="others")]
    )
    leaks = {(point.placement, point.selectivity): point.leaks for point in points}
    assert leaks["spread", 1.0] == 0
    assert leaks["far", 0.1] == 2 * K
    assert all(point.mean_ids == 0 and point.worst_rounds == 0 for point in points)


def test_a_pre_filter_has_full_recall_and_no_leaks(corpus: Corpus, cases: list[Case]) -> None:
    def entry(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
        def retrieve(question: str, subject: str) -> list[Document]:
            allowed = service.list_objects(subject)
            return store.similarity_search(question, k, object_ids=allowed)

        return [unfiltered(store, k, beside="others"), Contender("pre-filter", retrieve)]

    points, _ = measured(corpus, cases, entry, latency_ms=1)
    for point in points_of(points, "pre-filter"):
        assert (point.lowest_recall, point.leaks, point.worst_rounds) == (1.0, 0, 1)
        assert point.worst_ids == corpus.object_count * point.selectivity
        assert point.median_ms >= 1


def test_a_filter_after_the_top_k_loses_what_is_far(corpus: Corpus, cases: list[Case]) -> None:
    def entry(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
        def retrieve(question: str, subject: str) -> list[Document]:
            found = store.similarity_search(question, k)
            decisions = service.check(subject, [hit.metadata["object_id"] for hit in found])
            return [hit for hit, allowed in zip(found, decisions, strict=True) if allowed]

        return [unfiltered(store, k, beside="others"), Contender("post-filter", retrieve)]

    points, _ = measured(corpus, cases, entry)
    recall = {(p.placement, p.selectivity): p.recall for p in points_of(points, "post-filter")}
    assert recall["far", 1.0] == 1
    assert recall["far", 0.1] == 0


def test_who_fails_at_once_is_reported_and_not_measured(corpus: Corpus, cases: list[Case]) -> None:
    def entry(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
        def retrieve(question: str, subject: str) -> list[Document]:
            raise TimeoutError("no answer")

        return [unfiltered(store, k, beside="others"), Contender("broken", retrieve)]

    points, failures = measured(corpus, cases, entry)
    assert failures == (Failure("broken", "TimeoutError: no answer"),)
    assert not points_of(points, "broken")


def test_who_fails_now_and_then_stays_with_its_errors(corpus: Corpus, cases: list[Case]) -> None:
    def entry(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
        def retrieve(question: str, subject: str) -> list[Document]:
            if subject.startswith("far-0.1-"):
                raise TimeoutError
            return []

        return [unfiltered(store, k, beside="others"), Contender("fragile", retrieve)]

    points, failures = measured(corpus, cases, entry)
    assert not failures
    errors = {(p.placement, p.selectivity): p.errors for p in points_of(points, "fragile")}
    assert errors["far", 0.1] == 2
    assert sum(errors.values()) == 2
