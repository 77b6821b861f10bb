"""The LangChain retriever: who asks, what comes back, and what never does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessCheck, AccessChecker, acting_as
from managed_sync.errors import (
    AccessCheckError,
    ConfigurationError,
    InvalidIdentifierError,
    MissingSubjectError,
)
from managed_sync.langchain import PermissionAwareRetriever

USERS = [f"user{number}@x.example" for number in range(64)]


class OwnDocumentOnly:
    """User n may read the objects whose number ends as n does, modulo 64."""

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        return [
            int(check.object.removeprefix("file:")) % 64
            == int(check.subject.removeprefix("user").removesuffix("@x.example"))
            for check in checks
        ]


class Broken:
    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        raise TimeoutError


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
        vectorstore=store, checker=AccessChecker(OwnDocumentOnly()), k=4
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
        assert report.complete

    def test_scores_fall(self, retriever: PermissionAwareRetriever) -> None:
        scores = [d.metadata["score"] for d in retriever.invoke("q", subject=USERS[3])]

        assert scores == sorted(scores, reverse=True)

    def test_passages_without_an_object_id_never_do(self, store: InMemoryVectorStore) -> None:
        class Everything:
            def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
                return [True] * len(checks)

        everything = PermissionAwareRetriever(
            vectorstore=store, checker=AccessChecker(Everything()), k=1000
        )

        documents, report = everything.retrieve_with_report("q", subject=USERS[0])

        assert len(documents) == 256
        assert report.unidentified == 2

    def test_a_broken_permission_service_raises(self, store: InMemoryVectorStore) -> None:
        broken = PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(Broken()))

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
            vectorstore=store, checker=AccessChecker(OwnDocumentOnly()), **{field: 0}
        )
