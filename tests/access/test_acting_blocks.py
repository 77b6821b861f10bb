"""A block of ``acting_as`` counts for the code inside it, and for nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
)
from contextvars import Context, copy_context
from typing import Any

import pytest

from managed_sync import acting_as
from managed_sync.access.subject import ActingAs, resolve_bound_subject, resolve_subject
from managed_sync.errors import ConfigurationError, ManagedSyncError, MissingSubjectError
from tests.support.acting_blocks import BLOCKS, logged_in

ALICE, BOB = "alice@x.example", "bob@x.example"


by_each_manager = pytest.mark.parametrize("manager", BLOCKS)


def answers(
    user: str, manager: Callable[[str], AbstractContextManager[Any]] = acting_as
) -> Iterator[str]:
    with manager(user):
        while True:
            yield resolve_subject()


async def async_answers(user: str) -> AsyncIterator[str]:
    with acting_as(user):
        while True:
            yield resolve_subject()


@pytest.fixture(autouse=True)
def _nobody_is_left_behind() -> Iterator[None]:
    yield
    with pytest.raises(MissingSubjectError):
        resolve_subject()


def in_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


class TestStreams:
    @by_each_manager
    def test_a_stream_is_for_its_user(
        self, manager: Callable[[str], AbstractContextManager[Any]]
    ) -> None:
        stream = answers(ALICE, manager)

        assert [next(stream) for _ in range(3)] == [ALICE] * 3
        stream.close()  # type: ignore[attr-defined]

    @by_each_manager
    def test_its_reader_is_nobody(
        self, manager: Callable[[str], AbstractContextManager[Any]]
    ) -> None:
        stream = answers(ALICE, manager)
        next(stream)

        with pytest.raises(ConfigurationError, match="yield"):
            resolve_subject()
        with pytest.raises(ConfigurationError, match="yield"):
            copy_context().run(resolve_subject)
        context = copy_context()
        with pytest.raises(ConfigurationError, match="yield"):
            in_thread(lambda: context.run(resolve_subject))
        stream.close()  # type: ignore[attr-defined]

    @by_each_manager
    def test_of_two_that_are_read_in_turns_none_gets_the_others_subject(
        self, manager: Callable[[str], AbstractContextManager[Any]]
    ) -> None:
        first, second = answers(ALICE, manager), answers(BOB, manager)

        assert (next(first), next(second)) == (ALICE, BOB)
        with pytest.raises(ConfigurationError):
            next(first)
        assert next(second) == BOB
        second.close()  # type: ignore[attr-defined]

    def test_async_ones_neither(self) -> None:
        async def read() -> None:
            first, second = async_answers(ALICE), async_answers(BOB)
            assert (await anext(first), await anext(second)) == (ALICE, BOB)
            with pytest.raises(ConfigurationError):
                await anext(first)
            with pytest.raises(ConfigurationError):
                await asyncio.create_task(asyncio.to_thread(resolve_subject))
            assert await anext(second) == BOB
            await second.aclose()  # type: ignore[attr-defined]
            with pytest.raises(MissingSubjectError):
                resolve_subject()

        asyncio.run(read())

    def test_one_with_an_async_helper_neither(self) -> None:
        @asynccontextmanager
        async def logged_in_later(user: str) -> AsyncIterator[None]:
            with acting_as(user):
                yield

        async def stream() -> AsyncIterator[str]:
            async with logged_in_later(ALICE):
                yield resolve_subject()

        async def read() -> None:
            begun = stream()
            assert await anext(begun) == ALICE
            with pytest.raises(ConfigurationError):
                resolve_subject()
            await begun.aclose()  # type: ignore[attr-defined]

        asyncio.run(read())

    def test_the_readers_own_block_is_the_readers(self) -> None:
        stream = answers(ALICE)
        with acting_as(BOB):
            next(stream)
            with pytest.raises(ConfigurationError):
                resolve_subject()
            with acting_as(BOB):
                assert resolve_subject() == BOB
                with pytest.raises(ConfigurationError):
                    next(stream)
            stream.close()  # type: ignore[attr-defined]

    def test_one_that_is_resumed_in_another_thread_raises_and_hides_no_error(self) -> None:
        stream = answers(ALICE)
        in_thread(lambda: next(stream))

        with pytest.raises(ConfigurationError, match="another context"):
            in_thread(lambda: next(stream))

        def failing() -> Iterator[None]:
            with acting_as(ALICE):
                yield
                raise KeyError("the real error")

        broken = failing()
        in_thread(lambda: next(broken))
        with pytest.raises(KeyError, match="the real error"):
            in_thread(lambda: next(broken))

    def test_what_it_starts_has_no_subject(self) -> None:
        async def stream() -> AsyncIterator[str]:
            with acting_as(ALICE):
                yield await asyncio.create_task(ask())

        async def ask() -> str:
            return resolve_subject()

        async def read() -> None:
            async for _ in stream():
                pass

        with pytest.raises(ConfigurationError, match="for_subject"):
            asyncio.run(read())

    def test_a_function_that_it_calls_has_a_block_for_what_it_starts(self) -> None:
        async def ask() -> str:
            return resolve_subject()

        async def both() -> list[str]:
            with acting_as(ALICE):
                return [*await asyncio.gather(ask(), asyncio.to_thread(resolve_subject))]

        async def stream() -> AsyncIterator[list[str]]:
            yield await both()

        async def read() -> list[list[str]]:
            return [found async for found in stream()]

        assert asyncio.run(read()) == [[ALICE, ALICE]]

    def test_in_threads_as_well(self) -> None:
        def ask_in_thread() -> str:
            with acting_as(ALICE):
                context = copy_context()
                answer: str = in_thread(lambda: context.run(resolve_subject))
                return answer

        def stream() -> Iterator[str]:
            yield ask_in_thread()

        assert list(stream()) == [ALICE]

    def test_a_block_that_a_function_leaves_open_in_it_is_not_the_readers(self) -> None:
        def log_in(user: str) -> ActingAs:
            block = acting_as(user)
            type(block).__enter__(block)
            return block

        def stream() -> Iterator[None]:
            block = log_in(ALICE)
            yield
            block.__exit__(None, None, None)

        begun = stream()
        next(begun)
        with pytest.raises(ConfigurationError):
            resolve_subject()
        list(begun)


class TestHelpers:
    @by_each_manager
    def test_its_body_is_inside(
        self, manager: Callable[[str], AbstractContextManager[Any]]
    ) -> None:
        with manager(ALICE):
            assert resolve_subject() == ALICE
            assert copy_context().run(resolve_subject) == ALICE
            context = copy_context()
            assert in_thread(lambda: context.run(resolve_subject)) == ALICE
            with manager(BOB):
                assert resolve_subject() == BOB
            assert resolve_subject() == ALICE

    def test_async_ones_too(self) -> None:
        @asynccontextmanager
        async def logged_in_later(user: str) -> AsyncIterator[None]:
            await asyncio.sleep(0)
            with acting_as(user):
                yield

        async def ask() -> list[str]:
            async with logged_in_later(ALICE), AsyncExitStack() as stack:
                found = [resolve_subject(), await asyncio.to_thread(resolve_subject)]
                await stack.enter_async_context(logged_in_later(BOB))
                return [*found, resolve_subject()]

        assert asyncio.run(ask()) == [ALICE, ALICE, BOB]

    def test_one_that_an_earlier_step_of_a_task_entered_counts_until_it_ends(self) -> None:
        """As a framework does with dependencies that yield."""

        async def enter(stack: ExitStack) -> None:
            stack.enter_context(logged_in(ALICE))

        async def serve() -> str:
            with ExitStack() as stack:
                await enter(stack)
                return resolve_subject()

        assert asyncio.run(serve()) == ALICE

    def test_one_that_a_worker_thread_entered_does_not_disturb_its_next_work(self) -> None:
        stack = ExitStack()
        with ThreadPoolExecutor(1) as pool, acting_as(BOB):
            pool.submit(Context().run, stack.enter_context, logged_in(ALICE)).result()
            assert pool.submit(copy_context().run, resolve_subject).result() == BOB
            with pytest.raises(MissingSubjectError):
                pool.submit(resolve_subject).result()
            pool.submit(stack.close).result()


class TestDisorder:
    def test_a_block_that_ends_before_an_inner_one_raises(self) -> None:
        outer, inner = ExitStack(), ExitStack()
        outer.enter_context(acting_as(ALICE))
        inner.enter_context(acting_as(BOB))

        with pytest.raises(ConfigurationError, match="ended before"):
            outer.close()
        inner.close()

    def test_a_stream_that_is_closed_inside_anothers_block_raises(self) -> None:
        stream = answers(ALICE)
        next(stream)

        with acting_as(BOB):
            with pytest.raises(ConfigurationError, match="ended before"):
                stream.close()  # type: ignore[attr-defined]
            assert resolve_subject() == BOB

    def test_the_error_that_ends_a_block_goes_before(self) -> None:
        streams = []

        def fail() -> None:
            with acting_as(ALICE):
                streams.append(answers(BOB))
                next(streams[0])
                raise KeyError("the real error")

        with pytest.raises(KeyError, match="the real error") as caught:
            fail()
        assert "ended before" in caught.value.__notes__[0]
        streams[0].close()  # type: ignore[attr-defined]

    def test_after_it_nobody_goes_on_as_somebody_else(self) -> None:
        """A task of Alice's stream reads that to its end, in whose context Bob's block was."""

        def stream() -> Iterator[None]:
            with acting_as(ALICE):
                tasks.append(asyncio.create_task(finish()))
                yield

        async def finish() -> str:
            list(begun)
            return resolve_subject()

        async def serve() -> None:
            with ExitStack() as bobs:
                bobs.enter_context(acting_as(BOB))
                alices = ExitStack()
                alices.enter_context(acting_as(ALICE))
                next(begun)
                with pytest.raises(ConfigurationError):
                    alices.close()
                with pytest.raises(ManagedSyncError):
                    await tasks[0]

        tasks: list[asyncio.Task[str]] = []
        begun = stream()
        asyncio.run(serve())

    def test_a_task_that_ends_its_streams_block_does_not_go_on_as_the_reader(self) -> None:
        def stream() -> Iterator[None]:
            with acting_as(ALICE):
                tasks.append(asyncio.create_task(finish()))
                yield

        async def finish() -> str:
            list(begun)
            return resolve_subject()

        async def serve() -> None:
            with acting_as(BOB):
                next(begun)
                with pytest.raises(ManagedSyncError):
                    await tasks[0]

        tasks: list[asyncio.Task[str]] = []
        begun = stream()
        asyncio.run(serve())

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_an_abandoned_stream_takes_nothing_from_whom_it_ends_with(self) -> None:
        stream = answers(ALICE)
        next(stream)
        abandoned = [stream]
        del stream

        def serve() -> str:
            with acting_as(BOB):
                abandoned.clear()
                return resolve_subject()

        assert in_thread(serve) == BOB

    def test_a_block_is_entered_once_and_ends_once(self) -> None:
        block = acting_as(ALICE)
        with pytest.raises(ConfigurationError, match="not begun"):
            block.__exit__(None, None, None)
        with block, pytest.raises(ConfigurationError, match="of its own"), block:
            pass
        with pytest.raises(ConfigurationError, match="has ended"):
            block.__exit__(None, None, None)


class TestWhatIsStartedInside:
    def test_a_task_has_nobody_after_the_block_that_it_was_started_in(self) -> None:
        """It may be the next request on a connection, which a server starts in that context."""

        async def ask(block_has_ended: asyncio.Event) -> str:
            await block_has_ended.wait()
            return resolve_subject()

        async def serve() -> str:
            ended = asyncio.Event()
            with acting_as(ALICE):
                task = asyncio.create_task(ask(ended))
            ended.set()
            with acting_as(BOB):
                return await task

        with pytest.raises(MissingSubjectError, match="has ended"):
            asyncio.run(serve())

    def test_a_task_that_outlives_a_block_can_name_its_user(self) -> None:
        async def ask(block_has_ended: asyncio.Event) -> tuple[str, str]:
            await block_has_ended.wait()
            configured = resolve_bound_subject(None, configured=BOB)
            with acting_as(BOB):
                return configured, resolve_subject()

        async def serve() -> tuple[str, str]:
            ended = asyncio.Event()
            with acting_as(ALICE):
                task = asyncio.create_task(ask(ended))
            ended.set()
            return await task

        assert asyncio.run(serve()) == (BOB, BOB)

    def test_a_loop_inside_a_block_serves_others_in_blocks_of_their_own(self) -> None:
        async def serve(user: str) -> str:
            with acting_as(user):
                return await asyncio.create_task(ask())

        async def ask() -> str:
            return resolve_subject()

        with acting_as(ALICE):
            assert asyncio.run(serve(BOB)) == BOB

    def test_a_context_from_elsewhere_is_not_run_inside_a_block(self) -> None:
        with acting_as(ALICE):
            alices = copy_context()
        with acting_as(BOB):
            with pytest.raises(MissingSubjectError, match="has ended"):
                alices.run(resolve_subject)
            with pytest.raises(MissingSubjectError):
                Context().run(resolve_subject)

    def test_a_plain_thread_has_nobody(self) -> None:
        found: list[BaseException] = []

        def ask() -> None:
            try:
                resolve_subject()
            except MissingSubjectError as error:
                found.append(error)

        with acting_as(ALICE):
            thread = threading.Thread(target=ask)
            thread.start()
            thread.join()
        assert len(found) == 1


class TestDecorator:
    def test_each_call_is_a_block(self) -> None:
        @acting_as(ALICE)
        def ask(times: int) -> list[str]:
            return [resolve_subject()] if times == 0 else [*ask(times - 1), resolve_subject()]

        assert ask(2) == [ALICE] * 3

    def test_a_function_whose_work_comes_later_is_refused(self) -> None:
        async def later() -> None: ...

        for function in (later, answers, async_answers):
            with pytest.raises(ConfigurationError, match="decorate"):
                acting_as(ALICE)(function)


class TestHelpersThatEnterForOthers:
    """A block may be entered by a function that has returned when the code inside it runs."""

    class OwnMethod:
        def __init__(self, user: str) -> None:
            self._block = acting_as(user)

        def begin(self) -> None:
            self._block.__enter__()

        def __enter__(self) -> None:
            self.begin()

        def __exit__(self, *error: Any) -> None:
            self._block.__exit__(*error)

    @staticmethod
    def entered(user: str) -> ExitStack:
        stack = ExitStack()
        stack.enter_context(acting_as(user))
        return stack

    @pytest.mark.parametrize("helper", [OwnMethod, entered])
    def test_a_stream_is_never_its_readers(self, helper: Callable[[str], Any]) -> None:
        def stream() -> Iterator[str]:
            with helper(ALICE):
                yield ""
                yield resolve_subject()

        answers = stream()
        copy_context().run(next, answers)

        def read() -> str:
            with acting_as(BOB):
                return next(answers)

        with pytest.raises(ConfigurationError, match="another subject holds"):
            Context().run(read)
