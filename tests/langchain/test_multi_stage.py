"""LangChain's retrievers that are made of others, for a user who may read very little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from langchain_classic.chains.history_aware_retriever import create_history_aware_retriever
from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
    ParentDocumentRetriever,
)
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda
from langchain_core.stores import InMemoryStore
from langchain_core.vectorstores import InMemoryVectorStore, VectorStoreRetriever
from langchain_text_splitters import CharacterTextSplitter
from pydantic import Field

from managed_sync import AccessChecker, acting_as, collect_reports
from managed_sync.errors import ConfigurationError, MissingSubjectError
from managed_sync.langchain import PermissionAwareRetriever
from tests.support.passages import InOrder, files, passages_of
from tests.support.permission_service import FakePermissionService

ALICE = "alice@x.example"
# The second passage is far behind the 300 that other parts would find first.
READABLE = ["passage 7", "passage 399"]


@pytest.fixture(scope="module")
def store() -> InMemoryVectorStore:
    filled = InMemoryVectorStore(InOrder())
    filled.add_documents([each.document for each in passages_of(*files(*range(400)))])
    return filled


@pytest.fixture
def checker() -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=files(7, 399)))


class ByWords(BaseRetriever):
    """Stands for BM25 and the like: it has a ``k``, and its own order."""

    store: Any
    k: int = 4

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        rows = list(self.store.store.values())[::-1][: self.k]
        return [Document(row["text"], id=row["id"], metadata=row["metadata"]) for row in rows]


def both_ways(retriever: Runnable[Any, Any], question: Any = "q") -> list[list[Document]]:
    return [retriever.invoke(question), asyncio.run(retriever.ainvoke(question))]


def texts(documents: Sequence[Document]) -> list[str]:
    return [document.page_content for document in documents]


def ensemble(*parts: Any) -> BaseRetriever:
    return EnsembleRetriever(retrievers=[*parts], weights=[0.5, 0.5])


def merged(*parts: Any) -> BaseRetriever:
    return MergerRetriever(retrievers=[*parts])


def several_questions(part: Any, *_: Any) -> BaseRetriever:
    return MultiQueryRetriever(retriever=part, llm_chain=RunnableLambda(lambda _: ["q", "r"]))


class Everything(BaseDocumentCompressor):
    """Keeps all passages, and what it saw."""

    seen: list[str] = Field(default_factory=list)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Any = None
    ) -> Sequence[Document]:
        self.seen.extend(texts(documents))
        return documents


def compressed(part: Any, *_: Any) -> BaseRetriever:
    return ContextualCompressionRetriever(base_retriever=part, base_compressor=Everything())


def history_aware(part: Any, *_: Any) -> Runnable[Any, Any]:
    model = FakeListChatModel(responses=["a whole question"])
    prompt = ChatPromptTemplate.from_messages(
        [("placeholder", "{chat_history}"), ("human", "{input}")]
    )
    chain: Runnable[Any, Any] = create_history_aware_retriever(model, part, prompt)
    return (
        RunnableLambda(
            lambda question: {"input": question, "chat_history": [HumanMessage("before")]}
        )
        | chain
    )


@pytest.mark.parametrize(
    "make",
    [ensemble, merged, several_questions, compressed, history_aware],
    ids=lambda f: f.__name__,
)
def test_of_wrapped_parts_all_that_a_narrow_user_may_read_is_found_and_stated(
    make: Callable[..., Any], store: InMemoryVectorStore, checker: AccessChecker
) -> None:
    by_vectors = PermissionAwareRetriever(vectorstore=store, checker=checker, k=4)
    whole = make(by_vectors, by_vectors)
    with acting_as(ALICE), collect_reports() as reports:
        found = both_ways(whole)
    for documents in found:
        assert sorted(set(texts(documents))) == sorted(READABLE)
    assert reports
    assert all(report.complete for report in reports)

    unknown = PermissionAwareRetriever.from_retriever(ByWords(store=store), checker=checker)
    with acting_as(ALICE), collect_reports() as reports:
        found = both_ways(make(by_vectors, unknown))
    for documents in found:
        assert set(texts(documents)) == set(READABLE)
    says_so = [report.complete for report in reports]
    assert all(says_so) is (make in (several_questions, compressed, history_aware))


def test_a_compressor_between_sees_only_what_may_be_read(
    store: InMemoryVectorStore, checker: AccessChecker
) -> None:
    part = PermissionAwareRetriever(vectorstore=store, checker=checker, bound_subject=ALICE)
    compressor = Everything(seen=[])
    ContextualCompressionRetriever(base_retriever=part, base_compressor=compressor).invoke("q")
    assert sorted(compressor.seen) == sorted(READABLE)


def test_wrapped_as_a_whole_an_ensemble_shows_nothing_else_and_says_that_it_may_lack_some(
    store: InMemoryVectorStore, checker: AccessChecker
) -> None:
    parts = [store.as_retriever(search_kwargs={"k": 9}), ByWords(store=store, k=9)]
    whole = PermissionAwareRetriever.from_retriever(
        EnsembleRetriever(retrievers=[*parts], weights=[0.5, 0.5]), checker=checker
    )
    found, report = whole.retrieve_with_report("q", subject=ALICE)
    assert sorted(texts(found)) == sorted(READABLE)
    assert not report.complete


@pytest.mark.parametrize("make", [ensemble, several_questions, compressed])
def test_parts_inside_of_a_whole_search_for_its_user_and_for_nobody_else(
    make: Callable[..., Any], store: InMemoryVectorStore
) -> None:
    checker = AccessChecker(FakePermissionService(alice=files(7, 399), bob=files(3)))
    part = PermissionAwareRetriever(vectorstore=store, checker=checker, k=4)
    whole = PermissionAwareRetriever.from_retriever(make(part, part), checker=checker)
    alices, bobs = whole.for_subject(ALICE), whole.for_subject("bob@x.example")

    async def together() -> list[list[Document]]:
        return list(await asyncio.gather(alices.ainvoke("q"), bobs.ainvoke("q")))

    assert [set(texts(found)) for found in asyncio.run(together())] == [
        set(READABLE),
        {"passage 3"},
    ]
    assert set(texts(whole.invoke("q", subject=ALICE))) == set(READABLE)
    with pytest.raises(MissingSubjectError):
        part.invoke("q")
    # A part that is bound stays its user's own, and the whole shows nothing of it to another.
    bound = make(part.for_subject(ALICE), part.for_subject(ALICE))
    others = PermissionAwareRetriever.from_retriever(bound, checker=checker)
    assert others.invoke("q", subject="bob@x.example") == []


@pytest.fixture(scope="module")
def parents() -> ParentDocumentRetriever:
    """Forty parents with ten children each; the children of the first ones are the nearest."""
    retriever = ParentDocumentRetriever(
        vectorstore=InMemoryVectorStore(InOrder()),
        docstore=InMemoryStore(),
        child_splitter=CharacterTextSplitter(separator="|", chunk_size=1, chunk_overlap=0),
    )
    retriever.add_documents(
        [
            Document(
                "|".join(f"c{parent * 10 + child}" for child in range(10)),
                metadata={"object_id": f"file:{parent}"},
            )
            for parent in range(40)
        ]
    )
    return retriever


def few(*numbers: int) -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=files(*numbers)))


def objects(documents: Sequence[Document]) -> list[Any]:
    return [document.metadata["object_id"] for document in documents]


def test_parents_are_looked_for_further_than_their_children_reach(
    parents: ParentDocumentRetriever,
) -> None:
    retriever = PermissionAwareRetriever.from_retriever(parents, checker=few(3, 38), k=3)
    with acting_as(ALICE), collect_reports() as reports:
        for found in both_ways(retriever):
            assert objects(found) == files(3, 38)
    # It is not known how another retriever searches.
    assert not any(report.complete for report in reports)
    assert parents.search_kwargs == {}


def test_a_parent_of_another_object_than_its_child_is_checked_itself(
    parents: ParentDocumentRetriever,
) -> None:
    forbidden = Document("of the board", metadata={"object_id": "file:99"})
    docstore: Any = InMemoryStore()
    docstore.mset([(key, forbidden) for key in parents.docstore.yield_keys()])
    swapped = parents.model_copy(update={"docstore": docstore})
    retriever = PermissionAwareRetriever.from_retriever(swapped, checker=few(3), k=3)
    assert retriever.invoke("q", subject=ALICE) == []


class Narrowed(VectorStoreRetriever):
    """A subclass, which searches in its own way."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        found = super()._get_relevant_documents(query, run_manager=run_manager, **kwargs)
        return [document for document in found if document.page_content != "passage 7"]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, **kwargs: Any
    ) -> list[Document]:
        return self._get_relevant_documents(query, run_manager=run_manager.get_sync(), **kwargs)


class Yielding(ByWords):
    def _get_relevant_documents(  # type: ignore[override]
        self, query: str, **_: Any
    ) -> Iterator[Document]:
        yield from super()._get_relevant_documents(query)


class FailsOnce(ByWords):
    failures: list[int] = Field(default_factory=list)

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        self.failures.append(1)
        if len(self.failures) % 2:
            raise TimeoutError
        return super()._get_relevant_documents(query)


class Fails(BaseRetriever):
    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        raise TimeoutError


class Both(BaseRetriever):
    """Returns ``k`` of the hits that it looks at."""

    store: Any
    k: int = 4
    search_kwargs: dict[str, Any] = Field(default_factory=lambda: {"k": 4})

    def _get_relevant_documents(self, query: str, **_: Any) -> list[Document]:
        found: list[Document] = self.store.similarity_search(query, **self.search_kwargs)
        return found[: self.k]


OTHERS: dict[str, Callable[[Any], Any]] = {
    "a subclass": lambda store: Narrowed(vectorstore=store),
    "one that yields": lambda store: Yielding(store=store),
    "with retry": lambda store: FailsOnce(store=store).with_retry(wait_exponential_jitter=False),
    "with a fallback": lambda store: Fails().with_fallbacks([store.as_retriever()]),
    "with a config": lambda store: store.as_retriever().with_config(tags=["own"]),
    "with a bound k": lambda store: store.as_retriever().bind(k=3),
    "with fields of a config": lambda store: store.as_retriever().configurable_fields(
        search_kwargs=ConfigurableField("own")
    ),
    "with alternatives of a config": lambda store: (
        store.as_retriever()
        .configurable_alternatives(ConfigurableField("own"), other=Fails())
        .with_config(tags=["own"])
    ),
    "with two limits": lambda store: Both(store=store),
    "a chain": lambda store: (
        RunnableLambda(str.strip) | store.as_retriever(search_kwargs={"k": 400})
    ),
    "a function": lambda store: RunnableLambda(store.similarity_search).bind(k=400),
}


class Watching(BaseCallbackHandler):
    """Notes the outputs of all runs."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_retriever_end(self, documents: Any, **_: Any) -> None:
        self.seen.append(repr(documents))

    def on_chain_end(self, outputs: Any, **_: Any) -> None:
        self.seen.append(repr(outputs))


@pytest.mark.parametrize("name", OTHERS)
def test_any_runnable_that_finds_documents_can_be_wrapped(
    name: str, store: InMemoryVectorStore, checker: AccessChecker
) -> None:
    retriever = PermissionAwareRetriever.from_retriever(OTHERS[name](store), checker=checker, k=3)
    expected = {"passage 399"} if name == "a subclass" else set(READABLE)
    with acting_as(ALICE), collect_reports() as reports:
        for found in both_ways(retriever):
            assert set(texts(found)) == expected
        watching = Watching()
        retriever.invoke("q", {"callbacks": [watching]})
    assert not any(report.complete for report in reports)
    assert "passage 399" in str(watching.seen)
    assert "passage 398" not in str(watching.seen), "A trace shows what is withheld."


class Limited(Runnable[str, list[Document]]):
    """A runnable with a limit, which is no model of pydantic's."""

    def __init__(self, store: Any) -> None:
        self.search = store.similarity_search
        self.k = 400
        self.search_kwargs = {"k": 400}

    def invoke(self, input: str, config: Any = None, **_: Any) -> list[Document]:
        found: list[Document] = self.search(input, k=self.k)
        return found


def test_a_limit_that_cannot_be_changed_is_left_alone(
    store: InMemoryVectorStore, checker: AccessChecker
) -> None:
    retriever = PermissionAwareRetriever.from_retriever(Limited(store), checker=checker, k=3)
    found, report = retriever.retrieve_with_report("q", subject=ALICE)
    assert set(texts(found)) == set(READABLE)
    assert (report.rounds, report.complete) == (1, False)


class Returns(BaseRetriever):
    found: Any

    def _get_relevant_documents(self, query: str, **_: Any) -> Any:
        return self.found


@pytest.mark.parametrize(
    "found", [["text"], None, [(Document("text"), 0.5)]], ids=["texts", "nothing", "pairs"]
)
def test_what_returns_anything_but_documents_is_named(found: Any, checker: AccessChecker) -> None:
    for odd in (Returns(found=found), RunnableLambda(lambda _: found)):
        retriever = PermissionAwareRetriever.from_retriever(odd, checker=checker)
        with acting_as(ALICE), pytest.raises(ConfigurationError, match="must return documents"):
            both_ways(retriever)
        with acting_as(ALICE), pytest.raises(ConfigurationError, match="must return documents"):
            asyncio.run(retriever.ainvoke("q"))


def test_a_permission_aware_retriever_can_be_retried_and_replaced(
    store: InMemoryVectorStore,
) -> None:
    service = FakePermissionService(alice=files(7, 399), fails_at=1)
    retriever = PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(service))
    again = retriever.with_retry(wait_exponential_jitter=False)
    config: Any = {"configurable": {"subject": ALICE}}
    assert texts(again.invoke("q", config)) == READABLE
    down = PermissionAwareRetriever(
        vectorstore=store, checker=AccessChecker(FakePermissionService(fails_at=1))
    )
    assert texts(down.with_fallbacks([retriever]).invoke("q", config)) == READABLE
