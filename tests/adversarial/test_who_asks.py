"""Streams, tasks and threads of several users, mixed at random: a retrieval is for the user whose
code asks, or it raises.

Each piece of code in these plays knows whose it is. Whatever comes back to it must be that user's.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    suppress,
)
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import pytest

from managed_sync import AccessChecker
from managed_sync.access.subject import resolve_subject
from managed_sync.errors import ManagedSyncError
from tests.support.acting_blocks import BLOCKS
from tests.support.draws import draws
from tests.support.frameworks import QUESTION, LangChain, LlamaIndex
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService

USERS = ["u0@x.example", "u1@x.example", "u2@x.example"]
PLAYS = draws(100)
# A play's code may not run away, and need not: what goes wrong goes wrong in few steps.
STEPS = 60


@cache
def retrievers() -> tuple[Any, Any]:
    """One of each framework, over a passage of each user's own."""
    service = FakePermissionService(u0=files(0), u1=files(1), u2=files(2))
    passages = passages_of(*files(0, 1, 2))
    made = [
        way.retriever(way.store(passages), AccessChecker(service), k=3)
        for way in (LangChain(asynchronous=False), LlamaIndex(asynchronous=False))
    ]
    return made[0], made[1]


def owner_of(object_ids: Sequence[Any]) -> str:
    (object_id,) = object_ids
    return USERS[int(str(object_id).removeprefix("file:"))]


def ask_langchain() -> str:
    return owner_of([each.metadata["object_id"] for each in retrievers()[0].invoke(QUESTION)])


def ask_llama_index() -> str:
    return owner_of([e.node.metadata["object_id"] for e in retrievers()[1].retrieve(QUESTION)])


async def aask_langchain() -> str:
    found = await retrievers()[0].ainvoke(QUESTION)
    return owner_of([each.metadata["object_id"] for each in found])


async def aask_llama_index() -> str:
    found = await retrievers()[1].aretrieve(QUESTION)
    return owner_of([each.node.metadata["object_id"] for each in found])


async def aask() -> str:
    return resolve_subject()


# Most only resolve the subject: it is what can go wrong here, and it is quick.
ASKS: list[Callable[[], str]] = [resolve_subject] * 18 + [ask_langchain, ask_llama_index]
AASKS: Sequence[Callable[[], Awaitable[str]]] = [aask] * 18 + [aask_langchain, aask_llama_index]


@dataclass(frozen=True)
class Who:
    """Whose a piece of code is.

    Attributes:
        own: For whom its own calls may retrieve.
        started: For whom what it starts may retrieve. A generator runs in its reader's context, so
            for its tasks and threads that is its reader too.
    """

    own: frozenset[str]
    started: frozenset[str]

    @classmethod
    def of(cls, *users: str) -> Who:
        return cls(frozenset(users), frozenset(users))

    def stream_of(self, user: str) -> Who:
        return Who(frozenset({user}), self.started | {user})

    def start(self) -> Who:
        return Who(self.started, self.started)


NOBODY = Who.of()


@dataclass
class Stream:
    """A generator, and who reads from it at the moment."""

    reader: Who = NOBODY
    steps: Any = None


class Play:
    """A play that runs the code of several users in steps, in random order."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.steps = STEPS
        self.streams: list[Stream] = []
        self.async_streams: list[Stream] = []
        self.answers: Counter[str] = Counter()

    def goes_on(self) -> bool:
        self.steps -= 1
        return self.steps > 0

    def block(self) -> tuple[str, AbstractContextManager[Any]]:
        user = self.random.choice(USERS)
        return user, self.random.choice(BLOCKS)(user)

    def ask(self, who: Who) -> None:
        try:
            answer = self.random.choice(ASKS)()
        except ManagedSyncError as error:
            self.answers[type(error).__name__] += 1
        else:
            assert answer in who.own, f"{who} got what is for {answer}."
            self.answers["own"] += 1

    async def aask(self, who: Who) -> None:
        try:
            answer = await self.random.choice(AASKS)()
        except ManagedSyncError as error:
            self.answers[type(error).__name__] += 1
        else:
            assert answer in who.own, f"{who} got what is for {answer}."
            self.answers["own"] += 1

    # Synchronous code

    def act(self, who: Who) -> None:
        acts = [self.ask, self.ask, self.enter, self.begin, self.read, self.read, self.end]
        acts += [self.change_context, self.change_thread, self.collect]
        for _ in range(self.random.randint(1, 5)):
            if self.goes_on():
                self.random.choice(acts)(who)

    def enter(self, who: Who) -> None:
        user, block = self.block()
        with suppress(ManagedSyncError), block:
            self.act(Who.of(user))

    def stream(self, stream: Stream) -> Iterator[None]:
        user, block = self.block()
        with block:
            for _ in range(self.random.randint(1, 4)):
                self.act(stream.reader.stream_of(user))
                yield

    def begin(self, who: Who) -> None:
        stream = Stream()
        stream.steps = self.stream(stream)
        self.streams.append(stream)

    def read(self, who: Who) -> None:
        """Anybody may read from anybody's stream; its code stays its user's."""
        if not self.streams:
            return
        stream = self.streams.pop(self.random.randrange(len(self.streams)))
        with suppress(ManagedSyncError, StopIteration):
            stream.reader = who
            next(stream.steps)
            self.streams.append(stream)

    def end(self, who: Who) -> None:
        if self.streams and self.random.random() < 0.5:
            stream = self.streams.pop(self.random.randrange(len(self.streams)))
            with suppress(ManagedSyncError):
                stream.steps.close()

    def collect(self, who: Who) -> None:
        """Abandons a stream in a circle, so that the garbage collector ends it some time."""
        if self.streams and self.random.random() < 0.5:
            circle: list[Any] = [self.streams.pop()]
            circle.append(circle)
            del circle
            if self.random.random() < 0.5:
                gc.collect(0)

    def change_context(self, who: Who) -> None:
        copy_context().run(self.act, who)

    def change_thread(self, who: Who) -> None:
        """A thread with the context may be for this user; one without is for nobody."""
        with ThreadPoolExecutor(1) as pool:
            if self.random.random() < 0.5:
                pool.submit(copy_context().run, self.act, who.start()).result()
            else:
                pool.submit(self.act, NOBODY).result()

    # Asynchronous code

    async def aact(self, who: Who) -> None:
        acts = [self.aask, self.aask, self.aenter, self.abegin, self.aread, self.aread, self.aend]
        acts += [self.wait, self.spawn, self.in_thread, self.synchronously]
        for _ in range(self.random.randint(1, 5)):
            if self.goes_on():
                await self.random.choice(acts)(who)

    async def aenter(self, who: Who) -> None:
        user, block = self.block()
        with suppress(ManagedSyncError), block:
            await self.aact(Who.of(user))

    async def astream(self, stream: Stream) -> AsyncIterator[None]:
        user, block = self.block()
        with block:
            for _ in range(self.random.randint(1, 4)):
                await self.aact(stream.reader.stream_of(user))
                yield

    async def abegin(self, who: Who) -> None:
        stream = Stream()
        stream.steps = self.astream(stream)
        self.async_streams.append(stream)

    async def aread(self, who: Who) -> None:
        if not self.async_streams:
            return
        stream = self.async_streams.pop(self.random.randrange(len(self.async_streams)))
        with suppress(ManagedSyncError, StopAsyncIteration):
            stream.reader = who
            await anext(stream.steps)
            self.async_streams.append(stream)

    async def aend(self, who: Who) -> None:
        if self.async_streams and self.random.random() < 0.5:
            stream = self.async_streams.pop()
            with suppress(ManagedSyncError):
                await stream.steps.aclose()

    async def wait(self, who: Who) -> None:
        await asyncio.sleep(0)

    async def spawn(self, who: Who) -> None:
        """Tasks that are for the user who starts them, awaited or left to run."""
        tasks = [asyncio.create_task(self.aact(who.start())) for _ in range(2)]
        self.tasks += tasks
        if self.random.random() < 0.5:
            await asyncio.gather(*tasks)

    async def in_thread(self, who: Who) -> None:
        await asyncio.to_thread(self.act, who.start())

    async def synchronously(self, who: Who) -> None:
        self.act(who)

    async def everybody(self) -> None:
        self.tasks = [asyncio.create_task(self.aact(NOBODY)) for _ in range(3)]
        while running := [task for task in self.tasks if not task.done()]:
            await asyncio.gather(*running)
        for task in self.tasks:
            task.result()

    def finish(self) -> None:
        """After all streams have ended, nobody is left behind on the thread."""
        self.steps = 0
        for stream in self.streams:
            with suppress(ManagedSyncError):
                stream.steps.close()
        gc.collect(0)
        self.ask(NOBODY)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """A retrieval of one passage where three are wanted is not complete, and says so."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_users_code_gets_that_users_passages_or_an_error() -> None:
    answers: Counter[str] = Counter()
    for seed in range(PLAYS):
        play = Play(seed)
        context = copy_context()
        context.run(play.act, NOBODY)
        context.run(play.finish)
        answers += play.answers

    assert answers["own"] > PLAYS
    assert set(answers) == {"own", "MissingSubjectError", "ConfigurationError"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_users_tasks_get_that_users_passages_or_an_error() -> None:
    answers: Counter[str] = Counter()
    for seed in range(PLAYS):
        play = Play(seed)
        asyncio.run(play.everybody())
        play.finish()
        answers += play.answers

    assert answers["own"] > PLAYS
    assert set(answers) == {"own", "MissingSubjectError", "ConfigurationError"}
