"""The LangChain retriever: who asks, what comes back, and what never does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_classic.retrievers import EnsembleRetriever, MergerRetriever, MultiQueryRetriever
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import (
    AccessCheckError,
    ConfigurationError,
    EmbeddingError,
    IncompleteRetrievalError,
    InvalidIdentifierError,
    MissingSubjectError,
)
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.retrieval import CustomObjectFilter, Doubt
from tests.support.community_stores import faiss_store
from tests.support.permission_service import (
    CheckingService,
    FakePermissionService,
    everything,
    number_of,
    own_numbers,
)

USERS = [f"user{number}@x.example" for number in range(64)]


@pytest.fixture(scope="module")
def store() -> InMemoryVectorStore:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    store.add_documents(
        [
            Document(f"passage {n}", metadata={"object_id": f"file:{n}", "chunk_id": f"c{n}"})
            for n in range(256)
        ]
    )
    store.add_documents([Document("nobody's passage"), Document("q", metadata={"object_id": 7})])
    return store


@pytest.fixture
def retriever(store: InMemoryVectorStore) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        vectorstore=store, checker=AccessChecker(CheckingService(own_numbers(len(USERS)))), k=4
    )


def owners(documents: Sequence[Document]) -> set[str]:
    return {
        f"user{int(d.metadata['object_id'].removeprefix('file:')) % 64}@x.example"
        for d in documents
    }


class TestWhoAsks:
    def test_the_argument(self, retriever: PermissionAwareRetriever) -> None:
        documents = retriever.invoke("q", subject=USERS[3])

        assert len(documents) == 4
        assert owners(documents) == {USERS[3]}

    def test_the_config(self, retriever: PermissionAwareRetriever) -> None:
        config: RunnableConfig = {"configurable": {"subject": USERS[5]}}

        assert owners(retriever.invoke("q", config=config)) == {USERS[5]}
        assert owners(asyncio.run(retriever.ainvoke("q", config=config))) == {USERS[5]}

    def test_the_config_of_a_chain_around_it(self, retriever: PermissionAwareRetriever) -> None:
        chain = RunnableLambda(str.strip) | retriever
        config: RunnableConfig = {"configurable": {"subject": USERS[6]}}

        assert owners(chain.invoke(" q ", config=config)) == {USERS[6]}
        assert owners(asyncio.run(chain.ainvoke(" q ", config=config))) == {USERS[6]}

    def test_acting_as_also_in_batches(self, retriever: PermissionAwareRetriever) -> None:
        with acting_as(USERS[7]):
            assert owners(retriever.invoke("q")) == {USERS[7]}
            for documents in retriever.batch(["q", "r", "s"]):
                assert owners(documents) == {USERS[7]}
            for documents in asyncio.run(retriever.abatch(["q", "r", "s"])):
                assert owners(documents) == {USERS[7]}

    def test_a_bound_retriever(self, retriever: PermissionAwareRetriever) -> None:
        bound = retriever.for_subject(USERS[8])

        assert owners(bound.invoke("q")) == {USERS[8]}
        with acting_as(USERS[9]):
            assert owners(bound.invoke("q")) == {USERS[8]}
        with pytest.raises(ConfigurationError):
            bound.invoke("q", subject=USERS[9])
        with pytest.raises(ConfigurationError):
            bound.invoke("q", config={"configurable": {"subject": USERS[9]}})

    def test_binding_leaves_the_original_unbound(self, retriever: PermissionAwareRetriever) -> None:
        retriever.for_subject(USERS[8])

        with pytest.raises(MissingSubjectError):
            retriever.invoke("q")

    def test_the_argument_goes_before_the_config(self, retriever: PermissionAwareRetriever) -> None:
        documents = retriever.invoke(
            "q", config={"configurable": {"subject": USERS[1]}}, subject=USERS[2]
        )

        assert owners(documents) == {USERS[2]}


class TestNobodyAsks:
    def test_nothing_was_said(self, retriever: PermissionAwareRetriever) -> None:
        with pytest.raises(MissingSubjectError):
            retriever.invoke("q")
        with pytest.raises(MissingSubjectError):
            asyncio.run(retriever.ainvoke("q"))
        with pytest.raises(MissingSubjectError):
            retriever.batch(["q"])

    @pytest.mark.parametrize("lost", ["", " ", None])
    def test_the_identity_was_lost_on_the_way(
        self, retriever: PermissionAwareRetriever, lost: Any
    ) -> None:
        with acting_as(USERS[0]):
            with pytest.raises(MissingSubjectError):
                retriever.invoke("q", subject=lost)
            with pytest.raises(MissingSubjectError):
                retriever.invoke("q", config={"configurable": {"subject": lost}})
            with pytest.raises(MissingSubjectError):
                retriever.for_subject(lost)

    def test_the_subject_is_of_another_type(self, retriever: PermissionAwareRetriever) -> None:
        with pytest.raises(InvalidIdentifierError):
            retriever.invoke("q", subject=["user0@x.example"])


class TestWhatComesBack:
    def test_the_report_says_what_was_withheld(self, retriever: PermissionAwareRetriever) -> None:
        documents, report = retriever.retrieve_with_report("q", subject=USERS[3])

        assert len(documents) == report.returned == 4
        assert report.withheld > 0

    def test_scores_come_with_the_report_and_leave_the_metadata_alone(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        documents, report = retriever.retrieve_with_report("q", subject=USERS[3])

        scores = [score for score in report.scores if score is not None]
        assert len(scores) == len(documents)
        assert scores == sorted(scores, reverse=True)
        assert all(document.metadata.keys() == {"object_id", "chunk_id"} for document in documents)

    def test_passages_without_an_object_id_never_do(self, store: InMemoryVectorStore) -> None:
        everything = PermissionAwareRetriever(
            vectorstore=store, checker=AccessChecker(CheckingService()), k=1000
        )

        documents, report = everything.retrieve_with_report("q", subject=USERS[0])

        assert len(documents) == 256
        assert report.unidentified == 2

    def test_a_broken_permission_service_raises(self, store: InMemoryVectorStore) -> None:
        broken = PermissionAwareRetriever(
            vectorstore=store, checker=AccessChecker(CheckingService(error=TimeoutError()))
        )

        with pytest.raises(AccessCheckError):
            broken.invoke("q", subject=USERS[0])
        with pytest.raises(AccessCheckError):
            asyncio.run(broken.ainvoke("q", subject=USERS[0]))

    def test_callbacks_see_what_was_returned_and_nothing_that_was_withheld(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        class Recorder(BaseCallbackHandler):
            seen: list[Document] = []  # noqa: RUF012 - one recorder a test

            def on_retriever_end(self, documents: Sequence[Document], **_: Any) -> None:
                self.seen.extend(documents)

        recorder = Recorder()
        returned = retriever.invoke("q", config={"callbacks": [recorder]}, subject=USERS[3])

        assert recorder.seen == returned


def filled(*documents: Document, embeddings: Embeddings | None = None) -> InMemoryVectorStore:
    store = InMemoryVectorStore(embeddings or DeterministicFakeEmbedding(size=16))
    store.add_documents(list(documents))
    return store


def passages(count: int, **metadata: Any) -> list[Document]:
    return [
        Document(f"passage {n}", metadata={"object_id": f"file:{n}", **metadata})
        for n in range(count)
    ]


def over(store: VectorStore, **settings: Any) -> PermissionAwareRetriever:
    settings = {"checker": AccessChecker(CheckingService()), "bound_subject": USERS[0], **settings}
    return PermissionAwareRetriever(vectorstore=store, **settings)


class TestMetadataOfAnotherMaker:
    def test_chunk_ids_that_several_chunks_share_lose_none(self) -> None:
        store = filled(*passages(6, chunk_id="page-1"))

        assert len(over(store, k=6).invoke("q")) == 6

    def test_a_score_stays_what_it_was(self) -> None:
        store = filled(*passages(3, score="good"))

        assert [each.metadata["score"] for each in over(store).invoke("q")] == ["good"] * 3

    def test_passages_of_several_questions_can_be_told_apart_by_their_metadata(self) -> None:
        several = MultiQueryRetriever(
            retriever=over(filled(*passages(8)), k=3),
            llm_chain=RunnableLambda(lambda _: ["q", "r", "s"]),
        )

        found = [document.page_content for document in several.invoke("q")]

        assert len(found) == len(set(found)) > 3

    def test_a_caller_who_changes_it_leaves_the_stores_alone(self) -> None:
        store = filled(*passages(1))
        over(store).invoke("q")[0].metadata.clear()

        assert over(store).invoke("q")[0].metadata["object_id"] == "file:0"


class OfTheOldKind(BaseRetriever):
    """A retriever that takes the question alone, as LangChain still allows."""

    def _get_relevant_documents(self, query: str) -> list[Document]:  # type: ignore[override]
        return passages(3)


class OfTheOldKindAwaited(OfTheOldKind):
    async def _aget_relevant_documents(self, query: str) -> list[Document]:  # type: ignore[override]
        return passages(3)


@pytest.mark.parametrize("kind", [OfTheOldKind, OfTheOldKindAwaited])
def test_a_retriever_that_takes_the_question_alone_can_be_wrapped(
    kind: type[BaseRetriever],
) -> None:
    retriever = PermissionAwareRetriever.from_retriever(
        kind(), checker=AccessChecker(CheckingService()), k=2
    ).for_subject(USERS[0])

    assert len(retriever.invoke("q")) == 2
    assert len(asyncio.run(retriever.ainvoke("q"))) == 2


class TestAnOddHit:
    """One row that is damaged costs none of the others."""

    @pytest.mark.parametrize("score", ["high", [1], 10**400, float("nan")])
    def test_a_score_that_is_no_number_is_none(self, score: Any) -> None:
        store = Scored([*((each, 0.5) for each in passages(3)), (passages(4)[3], score)])

        found, report = over(store, k=6).retrieve_with_report("q")

        assert len(found) == 4
        assert not report.complete

    @pytest.mark.parametrize("odd", ["mixed keys", "circular", "too deep"])
    def test_metadata_that_are_no_json_tell_a_passage_apart(self, odd: str) -> None:
        ring: dict[Any, Any] = {}
        ring["ring"] = ring
        deep: dict[Any, Any] = {}
        for _ in range(2_000):
            deep = {"deeper": deep}
        extras: dict[str, dict[Any, Any]] = {
            "mixed keys": {1: 2, "b": 1},
            "circular": ring,
            "too deep": deep,
        }
        several = [Document(each.page_content, metadata=each.metadata) for each in passages(4)]
        several[2].metadata.update(extras[odd])

        assert len(over(Scored([(each, 0.5) for each in several]), k=6).invoke("q")) == 4


class Scored(VectorStore):
    """A store that nobody knows, which gives the same hits to every question."""

    def __init__(self, hits: list[tuple[Document, Any]]) -> None:
        self._hits = hits

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return [document for document, _ in self._hits[:k]]

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return self._hits[:k]

    @classmethod
    def from_texts(cls, *args: Any, **kwargs: Any) -> Scored:
        return cls([])


class Capped(VectorStore):
    """A store that nobody knows, which gives no more than 50."""

    def __init__(self, inner: VectorStore) -> None:
        self.inner = inner

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> Capped:
        raise NotImplementedError

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        return self.inner.similarity_search(query, k=min(k, 50))


class CappedWithScores(Capped):
    def similarity_search_with_score(
        self, query: str, k: int = 4, **_: Any
    ) -> list[tuple[Document, float]]:
        return self.inner.similarity_search_with_score(query, k=min(k, 50))


class CappedInMemoryStore(InMemoryVectorStore):
    """A known store, whose search somebody has changed."""

    def similarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return super().similarity_search_with_score(query, k=min(k, 50), **kwargs)


def capped_in_memory(store: InMemoryVectorStore) -> InMemoryVectorStore:
    capped = CappedInMemoryStore(store.embedding)
    capped.store = store.store
    return capped


def patched(store: InMemoryVectorStore) -> InMemoryVectorStore:
    copy = InMemoryVectorStore(store.embedding)
    copy.store = store.store
    search: Any = CappedWithScores(store).similarity_search_with_score
    copy.similarity_search_with_score = search  # type: ignore[method-assign]
    return copy


def every_third(subject: str, object_id: str) -> bool:
    """Lets each user read some of the objects."""
    return (len(subject) + number_of(object_id)) % 3 == 0


class TestComplete:
    def test_users_who_are_new_get_what_is_complete_of_a_store_of_few_objects(self) -> None:
        several = [
            Document(f"{n} of {number}", metadata={"object_id": f"file:{number}"})
            for number in range(12)
            for n in range(10)
        ]
        retriever = PermissionAwareRetriever(
            vectorstore=filled(*several), checker=AccessChecker(CheckingService(every_third)), k=5
        )

        reports = [
            retriever.retrieve_with_report(f"q{n}", subject=f"user{n}@x.example")[1]
            for n in range(30)
        ]

        assert [report.doubts for report in reports if not report.complete] == []

    @pytest.mark.parametrize("capped", [Capped, CappedWithScores, capped_in_memory, patched])
    @pytest.mark.parametrize("k", [2, 60])
    def test_a_store_of_which_nothing_is_known_is_not_taken_at_its_word(
        self, capped: Callable[[Any], VectorStore], k: int
    ) -> None:
        store = filled(*passages(100))
        retriever = over(capped(store), k=k)

        for found, report in (
            retriever.retrieve_with_report("q"),
            asyncio.run(retriever.aretrieve_with_report("q")),
        ):
            assert len(found) >= min(k, 50)
            assert Doubt.APPROXIMATE in report.doubts
        with pytest.raises(IncompleteRetrievalError, match="not known to be exhaustive"):
            over(capped(store), k=k, raise_if_incomplete=True).invoke("q")

    def test_unless_somebody_says_that_it_searches_exhaustively(self) -> None:
        exact = CustomObjectFilter(lambda ids: {"ids": list(ids)}, exact=True)
        retriever = over(CappedWithScores(filled(*passages(9))), k=4, object_filter=exact)

        assert retriever.retrieve_with_report("q")[1].complete

    @pytest.mark.parametrize(
        "make",
        [
            lambda retriever: MergerRetriever(retrievers=[retriever, retriever]),
            lambda retriever: EnsembleRetriever(retrievers=[retriever], weights=[1]),
            lambda retriever: ListRetriever(k=3),
        ],
        ids=["merger", "ensemble", "with a k"],
    )
    def test_nor_is_another_retriever(self, make: Callable[[BaseRetriever], BaseRetriever]) -> None:
        retriever = PermissionAwareRetriever.from_retriever(
            make(filled(*passages(9)).as_retriever()), checker=AccessChecker(CheckingService()), k=3
        )

        for found, report in (
            retriever.retrieve_with_report("q", subject=USERS[0]),
            asyncio.run(retriever.aretrieve_with_report("q", subject=USERS[0])),
        ):
            assert len(found) == 3
            assert report.doubts == (Doubt.APPROXIMATE,)

    def test_passages_without_an_object_id_may_have_been_better(self) -> None:
        store = filled(Document("q"), *passages(3))

        _, report = over(store, k=4).retrieve_with_report("q")

        assert report.doubts == (Doubt.UNIDENTIFIED,)

    def test_denials_that_were_kept_may_be_out_of_date(self) -> None:
        service = CheckingService(lambda _, object_id: object_id in readable)
        readable = {"file:1"}

        retriever = over(filled(*passages(9)), checker=AccessChecker(service, deny_ttl=60), k=2)
        assert retriever.retrieve_with_report("q")[1].complete
        readable.add("file:2")

        found, report = retriever.retrieve_with_report("q")

        assert len(found) == 1
        assert report.doubts == (Doubt.KEPT,)

    def test_where_only_a_certain_result_will_do_lists_are_left_alone(self) -> None:
        service = FakePermissionService("file:900")
        service.may_read = lambda _, object_id: object_id in {"file:500", "file:900"}
        store = filled(*passages(1000))
        certain = over(store, checker=AccessChecker(service), k=2, raise_if_incomplete=True)

        assert {each.page_content for each in certain.invoke("q")} == {"passage 500", "passage 900"}


class ListRetriever(BaseRetriever):
    k: int = 4

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return passages(self.k)


class TestOwnFilters:
    def test_a_filter_of_another_maker_is_only_called_with_ids_of_objects(self) -> None:
        asked: list[str] = []

        def by_object(object_ids: Sequence[str]) -> dict[str, Any]:
            asked.extend(object_ids)
            return {"filter": lambda document: document.metadata["object_id"] in object_ids}

        service = FakePermissionService("file:1")
        service.may_read = everything
        retriever = over(
            filled(*passages(9)),
            checker=AccessChecker(service),
            strategy="pre_filter",
            object_filter=CustomObjectFilter(by_object),
            search_kwargs={"filter": lambda _: True},
        )

        assert asked == []
        assert len(retriever.invoke("q")) == 1
        assert set(asked) == {"file:1"}

    def test_one_that_lets_everything_through_leaves_the_callers_in_force(self) -> None:
        def retriever(strategy: str) -> PermissionAwareRetriever:
            return over(
                filled(*passages(900)),
                checker=AccessChecker(FakePermissionService("file:1"), list_limit=None),
                strategy=strategy,
                object_filter=CustomObjectFilter(lambda ids: {"filter": lambda _: True}),
                search_kwargs={"filter": lambda document: document.page_content != "passage 1"},
            )

        for strategy in ("pre_filter", "auto", "post_filter"):
            assert retriever(strategy).invoke("q") == []


class TestDiversity:
    def test_the_report_counts_what_is_returned(self) -> None:
        for retriever in (
            over(filled(*passages(30)), search_type="mmr", k=4),
            over(filled(*passages(10)), search_type="mmr", k=4, search_kwargs={"fetch_k": None}),
            over(filled(*passages(5)), search_type="mmr", k=4, search_kwargs={"lambda_mult": None}),
        ):
            found, report = retriever.retrieve_with_report("q")
            again, same = asyncio.run(retriever.aretrieve_with_report("q"))

            assert len(found) == report.returned == len(report.scores) == 4
            assert report.complete
            assert (again, same.scores) == (found, report.scores)

    def test_without_a_vector_for_each_passage_none_is_lost_silently(self) -> None:
        class Forgets(DeterministicFakeEmbedding):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                return super().embed_documents(texts)[:2]

        store = filled(*passages(30))
        store.embedding = Forgets(size=16)
        retriever = over(store, search_type="mmr", k=4)

        with pytest.raises(EmbeddingError, match="2 for 20"):
            retriever.invoke("q")
        with pytest.raises(EmbeddingError, match="2 for 20"):
            asyncio.run(retriever.ainvoke("q"))

    def test_a_question_without_known_words_gets_the_order_of_the_store(self) -> None:
        class FindsNoWord(DeterministicFakeEmbedding):
            def embed_query(self, text: str) -> list[float]:
                return [0.0] * self.size

        store = filled(*passages(30))
        store.embedding = FindsNoWord(size=16)

        assert over(store, search_type="mmr", k=4).invoke("q") == over(store, k=4).invoke("q")

    def test_asynchronously_it_embeds_asynchronously(self) -> None:
        class AsyncOnly(DeterministicFakeEmbedding):
            def embed_documents(self, texts: list[str]) -> list[list[float]]:
                raise AssertionError("This would block the event loop.")

            async def aembed_query(self, text: str) -> list[float]:
                return super().embed_query(text)

            def embed_query(self, text: str) -> list[float]:
                raise AssertionError("This would block the event loop.")

            async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
                return [super(AsyncOnly, self).embed_query(text) for text in texts]

        store = filled(*passages(30))
        store.embedding = AsyncOnly(size=16)

        found, _ = asyncio.run(over(store, search_type="mmr", k=4).aretrieve_with_report("q"))

        assert len(found) == 4


class TestManyAtOnce:
    def test_threads_do_not_cross(self, retriever: PermissionAwareRetriever) -> None:
        def ask(user: str) -> set[str]:
            with acting_as(user):
                return owners(retriever.invoke("q"))

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, USERS)) == [{user} for user in USERS]

    def test_tasks_do_not_cross(self, retriever: PermissionAwareRetriever) -> None:
        async def ask(user: str) -> set[str]:
            with acting_as(user):
                return owners(await retriever.ainvoke("q"))

        async def all_at_once() -> list[set[str]]:
            return await asyncio.gather(*(ask(user) for user in USERS))

        assert asyncio.run(all_at_once()) == [{user} for user in USERS]


@pytest.mark.parametrize("field", ["k", "overfetch", "max_candidates"])
def test_sizes_below_one_are_refused(store: InMemoryVectorStore, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        PermissionAwareRetriever(
            vectorstore=store,
            checker=AccessChecker(CheckingService(own_numbers(len(USERS)))),
            **{field: 0},
        )


class Sick(DeterministicFakeEmbedding):
    """A model that gives questions no usable vector, though it gave texts good ones."""

    number: float = math.nan

    def embed_query(self, text: str) -> list[float]:
        return [self.number] * self.size


def in_faiss(model: Embeddings) -> VectorStore:
    return faiss_store(model, 16)


def in_qdrant(model: Embeddings) -> VectorStore:
    client = QdrantClient(":memory:")
    client.create_collection("c", VectorParams(size=16, distance=Distance.COSINE))
    return QdrantVectorStore(client, "c", model)


@pytest.mark.parametrize("make", [InMemoryVectorStore, in_faiss, in_qdrant])
@pytest.mark.parametrize("number", [math.nan, math.inf, 1e39])
@pytest.mark.parametrize("search_type", ["similarity", "mmr"])
def test_a_question_without_a_usable_vector_is_an_error_and_no_empty_result(
    make: Callable[[Embeddings], VectorStore], number: float, search_type: Any
) -> None:
    store = make(Sick(size=16, number=number))
    store.add_documents([Document(f"{n}", metadata={"object_id": f"file:{n}"}) for n in range(4)])
    retriever = PermissionAwareRetriever(
        vectorstore=store,
        checker=AccessChecker(CheckingService(own_numbers(len(USERS)))),
        search_type=search_type,
    )

    with pytest.raises(EmbeddingError):
        retriever.invoke("q", subject=USERS[1])
    with pytest.raises(EmbeddingError):
        asyncio.run(retriever.ainvoke("q", subject=USERS[1]))
