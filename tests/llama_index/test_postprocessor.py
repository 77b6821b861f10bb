"""The LlamaIndex postprocessor: what it keeps, what it drops, and who asks."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageNode,
    IndexNode,
    NodeWithScore,
    QueryBundle,
    TextNode,
)

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import AccessCheckError, ConfigurationError, MissingSubjectError
from managed_sync.llama_index.postprocessor import PermissionPostprocessor
from tests.support.permission_service import CheckingService, own_numbers

SECRET = "do-not-show"
USERS = [f"user{number}@x.example" for number in range(64)]


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_llm", MockLLM())
    monkeypatch.setattr(Settings, "_embed_model", MockEmbedding(embed_dim=8))


@pytest.fixture
def client() -> CheckingService:
    service = CheckingService(own_numbers(len(USERS)))
    vars(service)["token"] = SECRET
    return service


@pytest.fixture
def postprocessor(client: CheckingService) -> PermissionPostprocessor:
    return PermissionPostprocessor(checker=AccessChecker(client))


def chunk(number: int, part: int = 0) -> TextNode:
    return TextNode(text=f"passage {number}.{part}", metadata={"object_id": f"file:{number}"})


def scored(*nodes: BaseNode) -> list[NodeWithScore]:
    return [NodeWithScore(node=node, score=1 / rank) for rank, node in enumerate(nodes, start=1)]


def texts(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [found.node.get_content() for found in nodes]


Filtering = Callable[[PermissionPostprocessor, list[NodeWithScore]], list[NodeWithScore]]


def filtering(
    postprocessor: PermissionPostprocessor, nodes: list[NodeWithScore]
) -> list[NodeWithScore]:
    return postprocessor.postprocess_nodes(nodes, query_str="q")


def filtering_asynchronously(
    postprocessor: PermissionPostprocessor, nodes: list[NodeWithScore]
) -> list[NodeWithScore]:
    return asyncio.run(postprocessor.apostprocess_nodes(nodes, QueryBundle("q")))


@pytest.mark.parametrize("filtered", [filtering, filtering_asynchronously])
class TestWhatIsKept:
    def test_all_nodes_of_an_allowed_object_in_their_order_with_their_scores(
        self, postprocessor: PermissionPostprocessor, client: CheckingService, filtered: Filtering
    ) -> None:
        found = scored(chunk(3, 2), chunk(4), chunk(67), chunk(3, 0), chunk(5), chunk(3, 1))

        kept = filtered(postprocessor.for_subject(USERS[3]), found)

        assert kept == [found[0], found[2], found[3], found[5]]
        assert client.batches == [["file:3", "file:4", "file:67", "file:5"]]

    def test_nodes_without_an_object_id_do_not_pass_for_an_allowed_one(
        self, postprocessor: PermissionPostprocessor, client: CheckingService, filtered: Filtering
    ) -> None:
        strays: list[Any] = [None, "", 3, ["file:3"], {"id": "file:3"}, True]
        found = [TextNode(text="stray", metadata={"object_id": stray}) for stray in strays]
        found += [TextNode(text="without"), TextNode(text="with an id", id_="file:3")]

        kept = filtered(postprocessor.for_subject(USERS[3]), scored(*found, chunk(3), *found))

        assert texts(kept) == ["passage 3.0"]
        assert client.batches == [["file:3"]]

    def test_nodes_of_every_kind_by_their_own_object_id(
        self, postprocessor: PermissionPostprocessor, filtered: Filtering
    ) -> None:
        def one_of_each(object_id: str) -> list[BaseNode]:
            metadata = {"object_id": object_id}
            return [
                Document(text="document", metadata=metadata),
                ImageNode(text="image", metadata=metadata),
                IndexNode(text="door", index_id="x", metadata=metadata),
            ]

        found = scored(*one_of_each("file:4"), *one_of_each("file:3"))

        kept = filtered(postprocessor.for_subject(USERS[3]), found)

        assert kept == found[3:]

    def test_a_node_that_stands_for_a_forbidden_one_without_it(
        self, postprocessor: PermissionPostprocessor, filtered: Filtering
    ) -> None:
        metadata = {"object_id": "file:3"}
        door = IndexNode(text="door", index_id="x", obj=chunk(4), metadata=metadata)

        (kept,) = filtered(postprocessor.for_subject(USERS[3]), scored(door))

        assert (kept.text, kept.score) == ("door", 1)
        assert "passage 4" not in str(kept.to_dict())
        assert door.obj is not None

    def test_a_failed_check_raises(self, filtered: Filtering) -> None:
        broken = PermissionPostprocessor(
            checker=AccessChecker(CheckingService(error=TimeoutError())), bound_subject=USERS[3]
        )

        with pytest.raises(AccessCheckError):
            filtered(broken, scored(chunk(3)))

    def test_without_a_subject_it_raises_even_with_nothing_to_filter(
        self, postprocessor: PermissionPostprocessor, client: CheckingService, filtered: Filtering
    ) -> None:
        for nodes in ([], [chunk(3)], [TextNode(text="stray")]):
            with pytest.raises(MissingSubjectError):
                filtered(postprocessor, scored(*nodes))
        assert client.batches == []


class TestWhoAsks:
    def test_acting_as(self, postprocessor: PermissionPostprocessor) -> None:
        with acting_as(USERS[3]):
            assert texts(filtering(postprocessor, scored(chunk(3), chunk(4)))) == ["passage 3.0"]

    def test_a_bound_postprocessor_is_for_its_subject_only(
        self, postprocessor: PermissionPostprocessor
    ) -> None:
        with acting_as(USERS[4]):
            kept = filtering(postprocessor.for_subject(USERS[3]), scored(chunk(3), chunk(4)))

        assert texts(kept) == ["passage 3.0"]
        with pytest.raises(MissingSubjectError):
            filtering(postprocessor, scored(chunk(3)))

    @pytest.mark.parametrize("lost", ["", " ", None])
    def test_an_identity_that_was_lost_on_the_way_is_not_replaced(
        self, postprocessor: PermissionPostprocessor, lost: Any
    ) -> None:
        with acting_as(USERS[3]), pytest.raises(MissingSubjectError):
            postprocessor.for_subject(lost)

    def test_threads_and_tasks_do_not_cross(self, postprocessor: PermissionPostprocessor) -> None:
        found = scored(*(chunk(number) for number in range(64)))

        def ask(user: str) -> list[str]:
            with acting_as(user):
                return texts(postprocessor.postprocess_nodes(found, query_str="q"))

        async def aask(user: str) -> list[str]:
            with acting_as(user):
                return texts(await postprocessor.apostprocess_nodes(found, query_str="q"))

        async def all_at_once() -> list[list[str]]:
            return await asyncio.gather(*(aask(user) for user in USERS))

        own = [[f"passage {number}.0"] for number in range(64)]
        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(ask, USERS)) == own
        assert asyncio.run(all_at_once()) == own


class TestInAnEngine:
    @pytest.fixture
    def index(self) -> VectorStoreIndex:
        nodes = [chunk(number, part) for number in range(20) for part in (0, 1)]
        return VectorStoreIndex([*nodes, TextNode(text="nobody's passage")])

    def test_a_query_engine_answers_from_what_the_user_may_read(
        self, index: VectorStoreIndex, postprocessor: PermissionPostprocessor
    ) -> None:
        engine = RetrieverQueryEngine.from_args(
            index.as_retriever(similarity_top_k=50), node_postprocessors=[postprocessor]
        )

        with acting_as(USERS[3]):
            answers = [engine.query("q"), asyncio.run(engine.aquery("q"))]

        for answer in answers:
            assert sorted(texts(answer.source_nodes)) == ["passage 3.0", "passage 3.1"]
            assert "passage 4" not in str(answer)
        with pytest.raises(MissingSubjectError):
            engine.query("q")
        with pytest.raises(MissingSubjectError):
            asyncio.run(engine.aquery("q"))

    def test_so_does_a_chat_engine(
        self, index: VectorStoreIndex, postprocessor: PermissionPostprocessor
    ) -> None:
        engine = ContextChatEngine.from_defaults(
            retriever=index.as_retriever(similarity_top_k=50), node_postprocessors=[postprocessor]
        )

        with acting_as(USERS[3]):
            answers = [engine.chat("q"), asyncio.run(engine.achat("q")), engine.stream_chat("q")]

        for answer in answers:
            assert sorted(texts(answer.source_nodes)) == ["passage 3.0", "passage 3.1"]
        with pytest.raises(MissingSubjectError):
            engine.chat("q")
        with pytest.raises(MissingSubjectError):
            asyncio.run(engine.achat("q"))


class TestSerialization:
    def test_it_leaves_out_the_checker_and_takes_it_anew(
        self, postprocessor: PermissionPostprocessor, client: CheckingService
    ) -> None:
        bound = postprocessor.for_subject(USERS[3])

        data = bound.to_dict()

        assert data == {"bound_subject": USERS[3], "class_name": "PermissionPostprocessor"}
        assert SECRET not in bound.to_json() + repr(bound)
        restored = PermissionPostprocessor.from_dict(data, checker=AccessChecker(client))
        assert texts(filtering(restored, scored(chunk(3), chunk(4)))) == ["passage 3.0"]
        with pytest.raises(TypeError, match="checker"):
            PermissionPostprocessor.from_dict(data)

    def test_a_pickled_copy_has_no_credentials_and_lets_nothing_through(
        self, postprocessor: PermissionPostprocessor, client: CheckingService
    ) -> None:
        bound = postprocessor.for_subject(USERS[3])

        pickled = pickle.dumps(bound)

        assert SECRET.encode() not in pickled
        copy = pickle.loads(pickled)  # noqa: S301 - written two lines above
        with pytest.raises(ConfigurationError, match="checker"):
            filtering(copy, scored(chunk(3)))
        assert texts(filtering(bound, scored(chunk(3)))) == ["passage 3.0"]
