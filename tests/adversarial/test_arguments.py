"""Arguments that would be ignored, or that make no sense, are refused in every way of asking."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.vector_stores import MetadataFilters
from pydantic import ValidationError

from managed_sync import AccessChecker
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import PermissionAwareRetriever as LangChainRetriever
from managed_sync.llama_index import PermissionAwareRetriever as LlamaIndexRetriever
from managed_sync.retrieval import CustomObjectFilter
from tests.support.frameworks import ALICE, QUESTION, LangChain, LlamaIndex, Way
from tests.support.passages import InOrder, files, passages_of
from tests.support.permission_service import FakePermissionService

NUMBERS = list(range(20))
PASSAGES = passages_of(*files(*NUMBERS))
IMPOSSIBLE: list[Any] = [0, -1, -5, True, False, 2.0, 2.5, "4", [3], 10_001, 10**9]


@pytest.fixture
def checker() -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=files(*NUMBERS)))


Ask = Callable[[Any, Any], Any]
LANGCHAINS_WAYS: dict[str, Ask] = {
    "invoke": lambda r, k: r.invoke(QUESTION, subject=ALICE, k=k),
    "ainvoke": lambda r, k: asyncio.run(r.ainvoke(QUESTION, subject=ALICE, k=k)),
    "batch": lambda r, k: r.batch([QUESTION] * 2, subject=ALICE, k=k)[0],
    "abatch": lambda r, k: asyncio.run(r.abatch([QUESTION] * 2, subject=ALICE, k=k))[0],
    "stream": lambda r, k: next(r.stream(QUESTION, subject=ALICE, k=k)),
    "bound arguments": lambda r, k: r.bind(subject=ALICE, k=k).invoke(QUESTION),
}
BOTH_FRAMEWORKS_WAYS: dict[str, Ask] = {
    "with a report": lambda r, k: r.retrieve_with_report(QUESTION, subject=ALICE, k=k)[0],
    "with a report, later": lambda r, k: asyncio.run(
        r.aretrieve_with_report(QUESTION, subject=ALICE, k=k)
    )[0],
}
WAYS_TO_ASK = [
    *(
        pytest.param(LangChain(asynchronous=False), ask, id=f"LangChain-{name}")
        for name, ask in {**LANGCHAINS_WAYS, **BOTH_FRAMEWORKS_WAYS}.items()
    ),
    *(
        pytest.param(LlamaIndex(asynchronous=False), ask, id=f"LlamaIndex-{name}")
        for name, ask in BOTH_FRAMEWORKS_WAYS.items()
    ),
]


@pytest.mark.parametrize(("framework", "ask"), WAYS_TO_ASK)
def test_an_impossible_number_is_refused_before_anything_is_searched_or_asked(
    framework: Way, ask: Ask
) -> None:
    service = FakePermissionService(alice=files(*NUMBERS))
    retriever = framework.retriever(framework.shared_store(PASSAGES), AccessChecker(service), k=3)

    for k in IMPOSSIBLE:
        with pytest.raises(ConfigurationError, match="k must be an integer"):
            ask(retriever, k)
    assert service.requests == []


@pytest.mark.parametrize(("framework", "ask"), WAYS_TO_ASK)
def test_the_number_of_a_call_takes_the_place_of_the_retrievers(
    framework: Way, ask: Ask, checker: AccessChecker
) -> None:
    retriever = framework.retriever(framework.shared_store(PASSAGES), checker, k=3)

    assert [len(ask(retriever, k)) for k in (None, 1, 7, 10_000)] == [3, 1, 7, 20]


@pytest.mark.parametrize("size", ["k", "overfetch", "max_candidates", "max_per_object"])
@pytest.mark.parametrize("number", [0, -1, True, 2.5, "4"])
def test_a_retriever_is_not_made_with_an_impossible_number(
    way: Way, size: str, number: Any, checker: AccessChecker
) -> None:
    store = way.shared_store(PASSAGES)

    with pytest.raises(
        (ConfigurationError, ValidationError), match=rf"{size} must be an integer >= 1, got"
    ):
        way.retriever(store, checker, **{size: number})


def test_nor_with_a_number_above_its_limit(way: Way, checker: AccessChecker) -> None:
    with pytest.raises(ConfigurationError, match="max_candidates"):
        way.retriever(way.shared_store(PASSAGES), checker, k=11, max_candidates=10)


class OfThree(BaseRetriever):
    def _get_relevant_documents(self, query: str, **_: Any) -> Any:
        return [passage.document for passage in PASSAGES[:3]]


class Plain(InMemoryVectorStore):
    """A store of another maker, whose search takes two options and no others."""

    def similarity_search_with_score(  # type: ignore[override]
        self, query: str, k: int = 4, region: str = "", floor: float = 0.0
    ) -> Any:
        return []


class TestLangChain:
    @pytest.mark.parametrize(
        ("name", "advice"),
        [
            ("fetch_k", "search_type='mmr'"),
            ("score_threshold", "search_type='similarity_score_threshold'"),
            ("top_k", "takes filter"),
        ],
    )
    def test_an_argument_that_a_search_would_ignore(
        self, checker: AccessChecker, name: str, advice: str
    ) -> None:
        store = LangChain(asynchronous=False).shared_store(PASSAGES)
        wrapped = store.as_retriever(search_kwargs={"k": 3, name: 9})
        message = f"{name} would be ignored.*{re.escape(advice)}"
        with pytest.raises(ConfigurationError, match=message):
            LangChainRetriever(vectorstore=store, checker=checker, search_kwargs={name: 9})
        with pytest.raises(ConfigurationError, match=message):
            LangChainRetriever.from_retriever(wrapped, checker=checker)

    def test_of_a_store_of_another_maker_its_signature_counts(self, checker: AccessChecker) -> None:
        store = Plain(InOrder())
        LangChainRetriever(vectorstore=store, checker=checker, search_kwargs={"region": "x"})
        with pytest.raises(ConfigurationError, match="district would be ignored"):
            LangChainRetriever(vectorstore=store, checker=checker, search_kwargs={"district": "x"})

    def test_a_k_among_the_stores_own_arguments(self, checker: AccessChecker) -> None:
        store = LangChain(asynchronous=False).shared_store(PASSAGES)

        own = LangChainRetriever(vectorstore=store, checker=checker, search_kwargs={"k": 3})
        assert len(own.invoke(QUESTION, subject=ALICE)) == 3
        assert len(own.for_subject(ALICE).invoke(QUESTION)) == 3
        with pytest.raises(ConfigurationError, match=r"k=2 .*'k': 3"):
            LangChainRetriever(vectorstore=store, checker=checker, k=2, search_kwargs={"k": 3})
        wrapped = store.as_retriever(search_kwargs={"k": 7}, tags=["own"], metadata={"team": "x"})
        careful = LangChainRetriever.from_retriever(wrapped, checker=checker)
        assert len(careful.invoke(QUESTION, subject=ALICE)) == 7
        assert (careful.tags, careful.metadata) == (wrapped.tags, {"team": "x"})

    @pytest.mark.parametrize(
        "ignored",
        [
            {"search_kwargs": {"filter": None}},
            {"search_type": "mmr"},
            {"object_filter": CustomObjectFilter(lambda ids: {"ids": ids})},
        ],
        ids=lambda ignored: next(iter(ignored)),
    )
    def test_a_stores_argument_over_another_retriever(
        self, ignored: dict[str, Any], checker: AccessChecker
    ) -> None:
        with pytest.raises(ConfigurationError, match=next(iter(ignored))):
            LangChainRetriever.from_retriever(OfThree(), checker=checker, **ignored)

    def test_what_is_not_a_retriever(self, checker: AccessChecker) -> None:
        store = LangChain(asynchronous=False).shared_store(PASSAGES)
        careful = LangChainRetriever(vectorstore=store, checker=checker)

        wrong: Any
        for wrong in (store, str.strip, careful):
            with pytest.raises(ConfigurationError, match="retriever must be"):
                LangChainRetriever.from_retriever(wrong, checker=checker)
        runnable: Any = RunnableLambda(str.strip)
        no_documents = LangChainRetriever.from_retriever(runnable, checker=checker)
        with pytest.raises(ConfigurationError, match=r"must return documents .* got str"):
            no_documents.invoke(QUESTION, subject=ALICE)

    @pytest.mark.parametrize(
        ("unknown", "message"),
        [
            ({"top_k": 3}, "has no argument top_k. Did you mean k?"),
            ({"id_field": "rid"}, "has no argument id_field. Did you mean object_id?"),
            ({"vector_store": 1}, "has no argument vector_store. Did you mean vectorstore?"),
            ({"bogus": 1}, "has no argument bogus."),
        ],
        ids=lambda value: next(iter(value), ""),
    )
    def test_an_argument_that_it_does_not_have(
        self, unknown: dict[str, Any], message: str, checker: AccessChecker
    ) -> None:
        store = LangChain(asynchronous=False).shared_store(PASSAGES)
        with pytest.raises(ConfigurationError) as raised:
            LangChainRetriever(vectorstore=store, checker=checker, **unknown)
        assert str(raised.value) == f"PermissionAwareRetriever {message}"

    def test_a_retriever_in_place_of_a_store(self, checker: AccessChecker) -> None:
        retriever: Any = LangChain(asynchronous=False).shared_store(PASSAGES).as_retriever()
        index: Any = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
        with pytest.raises(ConfigurationError, match=r"got VectorStoreRetriever. .*from_retriever"):
            LangChainRetriever(vectorstore=retriever, checker=checker)
        with pytest.raises(ConfigurationError, match=r"got VectorStoreIndex. Pass a VectorStore"):
            LangChainRetriever(vectorstore=index, checker=checker)

    @pytest.mark.parametrize("misspelled", ["user", "subjects", "subjct", "filters", "running"])
    def test_an_unknown_argument_of_a_call(self, misspelled: str, checker: AccessChecker) -> None:
        store = LangChain(asynchronous=False).shared_store(PASSAGES)
        retriever = LangChainRetriever(vectorstore=store, checker=checker)
        unknown: dict[str, Any] = {misspelled: ALICE}

        with pytest.raises(TypeError, match=misspelled):
            retriever.invoke(QUESTION, subject=ALICE, **unknown)


class TestLlamaIndex:
    @pytest.mark.parametrize("ignored", ["bogus", "subject", "user", "filter", "search_kwargs"])
    def test_an_argument_that_the_index_does_not_heed(
        self, ignored: str, checker: AccessChecker
    ) -> None:
        index = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
        unknown: dict[str, Any] = {ignored: 1}

        for source in (index, index.as_retriever()):
            with pytest.raises(ConfigurationError, match=ignored):
                LlamaIndexRetriever(source, checker=checker, **unknown)

    def test_one_that_is_misspelled(self, checker: AccessChecker) -> None:
        index = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
        misspelled: dict[str, Any] = {"top_k": 3}
        with pytest.raises(ConfigurationError, match=r"does not know it. Did you mean k\?"):
            LlamaIndexRetriever(index, checker=checker, **misspelled)

    def test_llama_indexes_name_of_k(self, checker: AccessChecker) -> None:
        index = LlamaIndex(asynchronous=False).shared_store(PASSAGES)

        retriever = LlamaIndexRetriever(index, checker=checker, similarity_top_k=3)
        assert len(retriever.retrieve_with_report(QUESTION, subject=ALICE)[0]) == 3
        with pytest.raises(ConfigurationError, match="k=2 and similarity_top_k=3"):
            LlamaIndexRetriever(index, checker=checker, k=2, similarity_top_k=3)

    def test_one_that_it_heeds(self, checker: AccessChecker) -> None:
        index = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
        heeded: dict[str, Any] = {
            "filters": MetadataFilters(filters=[]),
            "vector_store_kwargs": {},
            "verbose": False,
        }

        retriever = LlamaIndexRetriever(index, checker=checker, k=3, **heeded)
        assert len(retriever.retrieve_with_report(QUESTION, subject=ALICE)[0]) == 3

    def test_a_store_argument_over_another_retriever(self, checker: AccessChecker) -> None:
        other = LlamaIndex(asynchronous=False).shared_store(PASSAGES).as_retriever()

        with pytest.raises(ConfigurationError, match="object_filter"):
            LlamaIndexRetriever.from_retriever(
                other, checker=checker, object_filter=CustomObjectFilter(lambda ids: {"ids": ids})
            )
        careful = LlamaIndexRetriever.from_retriever(other, checker=checker)
        for make in (LlamaIndexRetriever, LlamaIndexRetriever.from_retriever):
            with pytest.raises(ConfigurationError, match="checks permissions already"):
                make(careful, checker=checker)

    def test_parts_of_another_kind(self, checker: AccessChecker) -> None:
        index: Any = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
        prefilter: Any = "prefilter"
        client: Any = FakePermissionService()

        with pytest.raises(ConfigurationError, match="source must be"):
            LlamaIndexRetriever(index.vector_store, checker=checker)
        with pytest.raises(ConfigurationError, match="checker must be"):
            LlamaIndexRetriever(index, checker=client)
        with pytest.raises(ConfigurationError, match="strategy must be"):
            LlamaIndexRetriever(index, checker=checker, strategy=prefilter)
