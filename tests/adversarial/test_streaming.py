"""Streams and requests of web frameworks and graphs: the identity ends where its block ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from threading import Barrier
from typing import Annotated, Any, TypedDict

import httpx
import pytest
from fastapi import Depends, FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from fastapi.testclient import TestClient
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import ConfigurationError, MissingSubjectError
from managed_sync.langchain import PermissionAwareRetriever
from tests.support.asgi_server import served
from tests.support.frameworks import ALICE, BOB, LangChain, LlamaIndex
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService

ALICES, BOBS = files(1, 2), files(3)


class State(TypedDict):
    found: list[str]


@pytest.fixture
def retriever() -> PermissionAwareRetriever:
    way = LangChain(asynchronous=False)
    checker = AccessChecker(FakePermissionService(alice=ALICES, bob=BOBS))
    return way.retriever(way.store(passages_of(*files(*range(6)))), checker, k=2)


def ask(retriever: Any) -> list[str]:
    return [document.metadata["object_id"] for document in retriever.invoke("q")]


async def ask_later(retriever: Any) -> list[str]:
    return [document.metadata["object_id"] for document in await retriever.ainvoke("q")]


class TestGraphs:
    @pytest.fixture
    def graph(self, retriever: PermissionAwareRetriever) -> Any:
        def search(_: State) -> dict[str, Any]:
            return {"found": ask(retriever)}

        async def search_later(_: State) -> dict[str, Any]:
            return {"found": await ask_later(retriever)}

        graph = StateGraph(State)
        graph.add_node("first", RunnableLambda(search, search_later))
        graph.add_node("second", RunnableLambda(search, search_later))
        graph.add_edge(START, "first")
        graph.add_edge("first", "second")
        graph.add_edge("second", END)
        return graph.compile()

    def test_a_stream_that_was_begun_leaves_nobody_behind(
        self, graph: Any, retriever: PermissionAwareRetriever
    ) -> None:
        def stream(user: str) -> Iterator[Any]:
            with acting_as(user):
                yield from graph.stream({"found": []})

        alices, bobs = stream(ALICE), stream(BOB)
        assert next(alices) == {"first": {"found": ALICES}}
        with pytest.raises(ConfigurationError):
            ask(retriever)
        assert next(bobs) == {"first": {"found": BOBS}}
        with pytest.raises(ConfigurationError):
            next(alices)
        assert list(bobs) == [{"second": {"found": BOBS}}]
        with pytest.raises(MissingSubjectError):
            ask(retriever)

    def test_streams_with_a_config_can_be_read_in_turns(self, graph: Any) -> None:
        def stream(user: str) -> Iterator[Any]:
            config: RunnableConfig = {"configurable": {"subject": user}}
            yield from graph.stream({"found": []}, config)

        async def stream_later(user: str) -> AsyncIterator[Any]:
            config: RunnableConfig = {"configurable": {"subject": user}}
            async for step in graph.astream({"found": []}, config):
                yield step

        async def read_in_turns() -> list[Any]:
            alices, bobs = stream_later(ALICE), stream_later(BOB)
            return [(await anext(alices), await anext(bobs)) for _ in range(2)]

        expected = [
            ({node: {"found": ALICES}}, {node: {"found": BOBS}}) for node in ("first", "second")
        ]
        assert list(zip(stream(ALICE), stream(BOB), strict=True)) == expected
        assert asyncio.run(read_in_turns()) == expected


class TestFastAPI:
    @pytest.fixture
    def client(self, retriever: PermissionAwareRetriever) -> TestClient:
        app = FastAPI()

        def logged_in(user: str = Header()) -> Iterator[None]:
            with acting_as(user):
                yield

        async def logged_in_later(user: str = Header()) -> AsyncIterator[None]:
            with acting_as(user):
                yield

        def bound(user: str = Header()) -> PermissionAwareRetriever:
            return retriever.for_subject(user)

        def found() -> list[str]:
            return ask(retriever)

        async def found_later() -> list[str]:
            return await ask_later(retriever)

        async def failing() -> None:
            raise KeyError("the real error")

        for name, dependency in (("sync", logged_in), ("async", logged_in_later)):
            for endpoint in (found, found_later, failing):
                path = f"/{name}/{endpoint.__name__}"
                app.get(path, dependencies=[Depends(dependency)])(endpoint)

        @app.get("/bound")
        def found_by_bound(own: PermissionAwareRetriever = Depends(bound)) -> list[str]:  # noqa: B008
            return ask(own)

        @app.get("/stream")
        def stream(user: str = Header()) -> StreamingResponse:
            def answers() -> Iterator[str]:
                with acting_as(user):
                    yield ",".join(ask(retriever))
                    yield ",".join(ask(retriever))

            return StreamingResponse(answers())

        @app.get("/stream/later")
        async def stream_later(user: str = Header()) -> StreamingResponse:
            async def answers() -> AsyncIterator[str]:
                with acting_as(user):
                    yield ",".join(await ask_later(retriever))
                    yield ",".join(await ask_later(retriever))

            return StreamingResponse(answers())

        @app.get("/stream/bound")
        def stream_bound(own: PermissionAwareRetriever = Depends(bound)) -> StreamingResponse:  # noqa: B008
            return StreamingResponse(",".join(ask(own)) for _ in range(2))

        return TestClient(app)

    @pytest.mark.parametrize("path", ["/async/found", "/async/found_later", "/bound"])
    def test_async_dependencies_and_bound_retrievers_name_the_user(
        self, client: TestClient, path: str
    ) -> None:
        assert client.get(path, headers={"user": ALICE}).json() == ALICES
        assert client.get(path, headers={"user": BOB}).json() == BOBS

    @pytest.mark.parametrize("path", ["/sync/found", "/sync/found_later"])
    def test_a_synchronous_dependency_runs_in_another_thread_and_names_nobody(
        self, client: TestClient, path: str
    ) -> None:
        with pytest.raises(MissingSubjectError, match="for_subject"):
            client.get(path, headers={"user": ALICE})

    @pytest.mark.parametrize("dependency", ["sync", "async"])
    def test_the_real_error_is_seen(self, client: TestClient, dependency: str) -> None:
        with pytest.raises(KeyError, match="the real error"):
            client.get(f"/{dependency}/failing", headers={"user": ALICE})

    @pytest.mark.parametrize("path", ["/stream/later", "/stream/bound"])
    def test_streams_in_a_task_and_bound_ones_name_the_user(
        self, client: TestClient, path: str
    ) -> None:
        for user, theirs in ((ALICE, ALICES), (BOB, BOBS)):
            assert client.get(path, headers={"user": user}).text == ",".join(theirs) * 2

    def test_a_stream_that_is_read_in_several_threads_raises(self, client: TestClient) -> None:
        with pytest.raises(ConfigurationError, match="another context"):
            client.get("/stream", headers={"user": ALICE})


class TestConnections:
    """A web server starts the next request of a connection in the context of the one before."""

    @pytest.fixture
    def address(self, retriever: PermissionAwareRetriever) -> Iterator[str]:
        app = FastAPI()

        async def named(user: str = Header()) -> AsyncIterator[None]:
            with acting_as(user):
                yield

        @app.post("/named", dependencies=[Depends(named)])
        async def upload(request: Request) -> list[str]:
            # Reading a large body resumes the connection from inside the block.
            async for _ in request.stream():
                pass
            return await ask_later(retriever)

        @app.get("/nobody")
        async def nobody() -> list[str]:
            try:
                return await ask_later(retriever)
            except MissingSubjectError:
                return ["nobody"]

        @app.get("/configured")
        async def configured(user: str = Header()) -> list[str]:
            config: RunnableConfig = {"configurable": {"subject": user}}
            found = await retriever.ainvoke("q", config)
            return [document.metadata["object_id"] for document in found]

        with served(app, loop="asyncio") as address:
            yield address

    @pytest.mark.parametrize("size", [10, 300_000])
    def test_the_next_request_of_a_connection_has_nobody_of_the_one_before(
        self, address: str, size: int
    ) -> None:
        with httpx.Client(base_url=address, limits=httpx.Limits(max_connections=1)) as client:
            for _ in range(3):
                first = client.post("/named", content=b"x" * size, headers={"user": ALICE})
                assert first.json() == ALICES
                assert client.get("/nobody").json() == ["nobody"]
                assert client.get("/configured", headers={"user": BOB}).json() == BOBS


class TestServerSentEvents:
    """Two users' streams take turns at every event, from one server: they never mix."""

    @pytest.fixture
    def address(self, retriever: PermissionAwareRetriever) -> Iterator[str]:
        app = FastAPI()
        # Nobody gets the next event before both have got this one.
        both, both_threads = asyncio.Barrier(2), Barrier(2)
        way = LlamaIndex(asynchronous=True)
        service = FakePermissionService(alice=ALICES, bob=BOBS)
        index = way.store(passages_of(*files(*range(6))))
        nodes = way.retriever(index, AccessChecker(service), k=2)

        def own(user: Annotated[str, Header()]) -> PermissionAwareRetriever:
            return retriever.for_subject(user)

        def own_nodes(user: Annotated[str, Header()]) -> Any:
            return nodes.for_subject(user)

        @app.get("/bound", response_class=EventSourceResponse)
        async def bound(
            own: PermissionAwareRetriever = Depends(own),  # noqa: B008
        ) -> AsyncIterable[list[str]]:
            for _ in range(3):
                await both.wait()
                yield await ask_later(own)

        @app.get("/chain", response_class=EventSourceResponse)
        async def chain(
            own: PermissionAwareRetriever = Depends(own),  # noqa: B008
        ) -> AsyncIterable[list[str]]:
            async def object_ids(found: list[Any]) -> AsyncIterator[list[str]]:
                for _ in range(3):
                    await both.wait()
                    yield [document.metadata["object_id"] for document in found]

            steps = own | RunnableLambda(object_ids)
            async for step in steps.astream("q"):
                yield step

        @app.get("/nodes", response_class=EventSourceResponse)
        async def found_nodes(
            own: Any = Depends(own_nodes),  # noqa: B008
        ) -> AsyncIterable[list[str]]:
            for _ in range(3):
                await both.wait()
                yield [each.node.metadata["object_id"] for each in await own.aretrieve("q")]

        @app.get("/threads", response_class=EventSourceResponse)
        def threads(
            own: PermissionAwareRetriever = Depends(own),  # noqa: B008
        ) -> Iterable[list[str]]:
            for _ in range(3):
                both_threads.wait(20)
                yield ask(own)

        @app.get("/block", response_class=EventSourceResponse)
        async def block(user: Annotated[str, Header()]) -> AsyncIterable[list[str]]:
            with acting_as(user):
                for _ in range(3):
                    await both.wait()
                    yield await ask_later(retriever)

        @app.get("/alone", response_class=EventSourceResponse)
        async def alone(
            own: PermissionAwareRetriever = Depends(own),  # noqa: B008
        ) -> AsyncIterable[list[str]]:
            while True:
                yield await ask_later(own)

        @app.get("/nobody")
        async def nobody() -> list[str]:
            try:
                return await ask_later(retriever)
            except MissingSubjectError:
                return ["nobody"]

        with served(app, loop="asyncio") as address:
            yield address

    @pytest.mark.parametrize("path", ["/bound", "/chain", "/nodes", "/threads", "/block"])
    def test_streams_that_take_turns_stay_their_users_own(self, address: str, path: str) -> None:
        async def read(client: httpx.AsyncClient, user: str) -> list[Any]:
            async with client.stream("GET", path, headers={"user": user}) as response:
                lines = [line async for line in response.aiter_lines() if line.startswith("data:")]
            return [json.loads(line.removeprefix("data:")) for line in lines]

        async def read_both() -> list[list[Any]]:
            async with httpx.AsyncClient(base_url=address, timeout=20) as client:
                return list(await asyncio.gather(read(client, ALICE), read(client, BOB)))

        assert asyncio.run(read_both()) == [[ALICES] * 3, [BOBS] * 3]
        assert httpx.get(f"{address}/nobody").json() == ["nobody"]

    def test_a_stream_that_its_reader_breaks_off_leaves_nobody_behind(self, address: str) -> None:
        with httpx.Client(base_url=address) as client:
            for user, theirs in ((ALICE, ALICES), (BOB, BOBS)):
                with client.stream("GET", "/alone", headers={"user": user}) as response:
                    first = next(line for line in response.iter_lines() if line)
                assert json.loads(first.removeprefix("data:")) == theirs
                assert client.get("/nobody").json() == ["nobody"]
