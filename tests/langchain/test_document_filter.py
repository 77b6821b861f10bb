"""The LangChain document filter: what it keeps, what it drops, and who asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import AccessCheckError, ConfigurationError, MissingSubjectError
from managed_sync.langchain.document_filter import PermissionFilter
from tests.support.permission_service import CheckingService, own_numbers

USERS = [f"user{number}@x.example" for number in range(64)]
OBJECTS = 128


class Everything(BaseRetriever):
    """Returns the same documents to everybody."""

    found: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.found


def chunk(number: int, part: int = 0) -> Document:
    return Document(f"passage {number}.{part}", metadata={"object_id": f"file:{number}"})


def texts(documents: Sequence[Document]) -> list[str]:
    return [document.page_content for document in documents]


def of_user(number: int) -> list[str]:
    return [f"passage {n}.{part}" for n in (number, number + 64) for part in (0, 1)]


@pytest.fixture
def client() -> CheckingService:
    return CheckingService(own_numbers(len(USERS)))


@pytest.fixture
def permission_filter(client: CheckingService) -> PermissionFilter:
    return PermissionFilter(checker=AccessChecker(client))


@pytest.fixture
def retriever(permission_filter: PermissionFilter) -> ContextualCompressionRetriever:
    found = [chunk(number, part) for number in range(OBJECTS) for part in (0, 1)]
    return ContextualCompressionRetriever(
        base_retriever=Everything(found=found), base_compressor=permission_filter
    )


Filtering = Callable[[PermissionFilter, Sequence[Document]], Sequence[Document]]


def filtering(permission_filter: PermissionFilter, found: Sequence[Document]) -> Sequence[Document]:
    return permission_filter.compress_documents(found, "q")


def filtering_asynchronously(
    permission_filter: PermissionFilter, found: Sequence[Document]
) -> Sequence[Document]:
    return asyncio.run(permission_filter.acompress_documents(found, "q"))


both_ways = pytest.mark.parametrize("filtered", [filtering, filtering_asynchronously])


@both_ways
class TestWhatIsKept:
    def test_all_chunks_of_an_allowed_object_in_their_order(
        self, permission_filter: PermissionFilter, client: CheckingService, filtered: Filtering
    ) -> None:
        found = [chunk(3, 2), chunk(4), chunk(67), chunk(3, 0), chunk(5), chunk(3, 1)]

        kept = filtered(permission_filter.for_subject(USERS[3]), found)

        assert texts(kept) == ["passage 3.2", "passage 67.0", "passage 3.0", "passage 3.1"]
        assert client.batches == [["file:3", "file:4", "file:67", "file:5"]]

    def test_documents_without_an_object_id_do_not_pass_for_an_allowed_one(
        self, permission_filter: PermissionFilter, client: CheckingService, filtered: Filtering
    ) -> None:
        strays: list[Any] = [None, "", 3, ["file:3"], {"id": "file:3"}, b"file:3", True]
        found = [Document("stray", metadata={"object_id": stray}) for stray in strays]
        found += [Document("without", metadata={}), Document("with an id", id="file:3")]

        kept = filtered(permission_filter.for_subject(USERS[3]), [*found, chunk(3), *found])

        assert texts(kept) == ["passage 3.0"]
        assert client.batches == [["file:3"]]

    def test_nothing_if_nothing_is_allowed(
        self, permission_filter: PermissionFilter, filtered: Filtering
    ) -> None:
        assert filtered(permission_filter.for_subject(USERS[3]), [chunk(4), chunk(5)]) == []

    def test_the_documents_themselves_unchanged(
        self, permission_filter: PermissionFilter, filtered: Filtering
    ) -> None:
        document = chunk(3)

        (kept,) = filtered(permission_filter.for_subject(USERS[3]), [document])

        assert kept is document

    def test_a_failed_check_raises(self, filtered: Filtering) -> None:
        broken = PermissionFilter(
            checker=AccessChecker(CheckingService(error=TimeoutError())), bound_subject=USERS[3]
        )

        with pytest.raises(AccessCheckError):
            filtered(broken, [chunk(3)])

    def test_without_a_subject_it_raises_even_with_nothing_to_filter(
        self, permission_filter: PermissionFilter, client: CheckingService, filtered: Filtering
    ) -> None:
        for found in ([], [chunk(3)], [Document("stray")]):
            with pytest.raises(MissingSubjectError):
                filtered(permission_filter, found)
        assert client.batches == []


class Yields(Everything):
    def _get_relevant_documents(  # type: ignore[override]
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> Iterator[Document]:
        yield from self.found


def test_behind_a_retriever_that_yields_nothing_is_lost(
    permission_filter: PermissionFilter,
) -> None:
    retriever = ContextualCompressionRetriever(
        base_retriever=Yields(found=[chunk(3), chunk(4)]),
        base_compressor=permission_filter.for_subject(USERS[3]),
    )

    assert texts(retriever.invoke("q")) == ["passage 3.0"]
    assert texts(asyncio.run(retriever.ainvoke("q"))) == ["passage 3.0"]


class TestWhoAsks:
    """In a ``ContextualCompressionRetriever``, which passes on no config."""

    def test_a_bound_filter(self, retriever: ContextualCompressionRetriever) -> None:
        assert isinstance(retriever.base_compressor, PermissionFilter)
        bound = retriever.model_copy(
            update={"base_compressor": retriever.base_compressor.for_subject(USERS[8])}
        )

        assert texts(bound.invoke("q")) == of_user(8)
        assert texts(asyncio.run(bound.ainvoke("q"))) == of_user(8)
        with acting_as(USERS[9]):
            assert texts(bound.invoke("q")) == of_user(8)

    def test_a_bound_filter_does_not_serve_a_chain_for_another(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        assert isinstance(retriever.base_compressor, PermissionFilter)
        bound = retriever.model_copy(
            update={"base_compressor": retriever.base_compressor.for_subject(USERS[8])}
        )
        chain = RunnableLambda(str.strip) | bound

        with pytest.raises(ConfigurationError):
            chain.invoke("q", config={"configurable": {"subject": USERS[9]}})

    def test_acting_as_also_in_batches(self, retriever: ContextualCompressionRetriever) -> None:
        with acting_as(USERS[7]):
            answers = [retriever.invoke("q"), asyncio.run(retriever.ainvoke("q"))]
            answers += retriever.batch(["q", "r", "s"])
            answers += asyncio.run(retriever.abatch(["q", "r", "s"]))

        assert [texts(answer) for answer in answers] == [of_user(7)] * 8

    def test_the_config_of_a_chain_around_it(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        chain = RunnableLambda(str.strip) | retriever
        configs: list[RunnableConfig] = [{"configurable": {"subject": user}} for user in USERS]

        async def all_at_once() -> list[list[Document]]:
            return await asyncio.gather(*(chain.ainvoke("q", config) for config in configs))

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda config: chain.invoke("q", config), configs))
        answers += asyncio.run(all_at_once())

        assert [texts(answer) for answer in answers] == [of_user(n) for n in range(64)] * 2

    def test_the_configs_of_a_batch_never_reach_it(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        chain = RunnableLambda(str.strip) | retriever
        config: RunnableConfig = {"configurable": {"subject": USERS[3]}}

        with pytest.raises(MissingSubjectError):
            chain.batch(["q", "r"], config)
        with pytest.raises(MissingSubjectError):
            asyncio.run(chain.abatch(["q", "r"], config))

    def test_the_config_of_the_compression_retriever_itself_never_reaches_it(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        config: RunnableConfig = {"configurable": {"subject": USERS[3]}}

        with pytest.raises(MissingSubjectError):
            retriever.invoke("q", config=config)
        with pytest.raises(MissingSubjectError):
            asyncio.run(retriever.ainvoke("q", config=config))

    @pytest.mark.parametrize("lost", ["", " ", None])
    def test_an_identity_that_was_lost_on_the_way_is_not_replaced(
        self, retriever: ContextualCompressionRetriever, lost: Any
    ) -> None:
        chain = RunnableLambda(str.strip) | retriever
        assert isinstance(retriever.base_compressor, PermissionFilter)

        with acting_as(USERS[0]):
            with pytest.raises(MissingSubjectError):
                chain.invoke("q", config={"configurable": {"subject": lost}})
            with pytest.raises(MissingSubjectError):
                retriever.base_compressor.for_subject(lost)

    def test_a_config_and_acting_as_that_differ_are_refused(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        chain = RunnableLambda(str.strip) | retriever
        config: RunnableConfig = {"configurable": {"subject": USERS[1]}}

        with acting_as(USERS[1]):
            assert texts(chain.invoke("q", config=config)) == of_user(1)
        with acting_as(USERS[2]), pytest.raises(ConfigurationError):
            chain.invoke("q", config=config)

    def test_acting_as_for_another_inside_a_chain_gets_nothing_of_the_chains_user(
        self, retriever: ContextualCompressionRetriever
    ) -> None:
        def for_another(question: str) -> list[Document]:
            with acting_as(USERS[2]):
                return retriever.invoke(question)

        with pytest.raises(ConfigurationError):
            RunnableLambda(for_another).invoke("q", {"configurable": {"subject": USERS[1]}})


class TestManyAtOnce:
    def test_threads_do_not_cross(self, retriever: ContextualCompressionRetriever) -> None:
        def ask(user: str) -> list[str]:
            with acting_as(user):
                return texts(retriever.invoke("q"))

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, USERS)) == [of_user(n) for n in range(64)]

    def test_tasks_do_not_cross(self, retriever: ContextualCompressionRetriever) -> None:
        async def ask(user: str) -> list[str]:
            with acting_as(user):
                return texts(await retriever.ainvoke("q"))

        async def all_at_once() -> list[list[str]]:
            return await asyncio.gather(*(ask(user) for user in USERS))

        assert asyncio.run(all_at_once()) == [of_user(n) for n in range(64)]


def test_it_works_in_a_pipeline_of_compressors(permission_filter: PermissionFilter) -> None:
    pipeline = DocumentCompressorPipeline(transformers=[permission_filter])

    with acting_as(USERS[3]):
        assert texts(pipeline.compress_documents([chunk(3), chunk(4)], "q")) == ["passage 3.0"]
        kept = asyncio.run(pipeline.acompress_documents([chunk(3), chunk(4)], "q"))
    assert texts(kept) == ["passage 3.0"]


def test_neither_its_repr_nor_what_is_serialized_holds_the_checker(
    permission_filter: PermissionFilter,
) -> None:
    bound = permission_filter.for_subject(USERS[3])

    assert bound.model_dump() == {"bound_subject": USERS[3]}
    assert "checker" not in bound.model_dump_json()
    assert "hecker" not in repr(bound)
