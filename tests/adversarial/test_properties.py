"""Whatever the permissions, the store, the questions and the faults: no passage comes back that its
reader was not allowed when it was checked; and what is called complete is the best there is.

The service answers from the permission graph as it is at that moment, found from the user down; the
oracle decides each object for itself, from the object up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from managed_sync import AccessCheck, AccessChecker
from managed_sync.errors import ManagedSyncError
from managed_sync.llama_index.stores import metadata_filters
from managed_sync.retrieval import CustomObjectFilter, Doubt
from managed_sync.retrieval.effects import Strategy
from managed_sync.retrieval.hybrid import Fusion
from tests.support.draws import draws
from tests.support.frameworks import STRATEGIES, WAYS, Found, LangChain, Way
from tests.support.fused_oracle import best_fused, named
from tests.support.keywords import FixedKeywords, KeywordPassage
from tests.support.passages import Passage, RankedStore, RankedVectorStore, Ranking

USERS = [f"u{n}@x.example" for n in range(3)]
GROUPS = [f"group:{n}" for n in range(4)]
FOLDERS = [f"folder:{n}" for n in range(4)]
OBJECTS = [f"file:{n}" for n in range(12)]


@dataclass
class Graph:
    """Groups in groups, files in folders in folders, in circles too, and grants on any of them."""

    members: list[tuple[str, str]]
    parents: list[str | None]
    grants: list[tuple[str, str]]

    def parent_of(self, target: str) -> str | None:
        if target.startswith("file:"):
            return FOLDERS[int(target.removeprefix("file:")) % len(FOLDERS)]
        return self.parents[FOLDERS.index(target)]

    def readable(self, user: str) -> list[str]:
        """From the user down to the files, as the service lists and checks."""
        holders, targets = [user], []
        for holder in holders:
            holders += [g for m, g in self.members if m == holder and g not in holders]
            targets += [target for h, target in self.grants if h == holder]
        for target in targets:
            below = [each for each in FOLDERS + OBJECTS if self.parent_of(each) == target]
            targets += [each for each in below if each not in targets]
        return [each for each in OBJECTS if each in targets]

    def may_read(self, user: str, object_id: str) -> bool:
        """From the file up to the user, as the oracle decides."""
        place: str | None = object_id if object_id in OBJECTS else None
        places: set[str] = set()
        while place is not None and place not in places:
            places.add(place)
            place = self.parent_of(place)
        return any(
            target in places and self._is_in(user, holder, frozenset())
            for holder, target in self.grants
        )

    def _is_in(self, user: str, holder: str, seen: frozenset[str]) -> bool:
        return user == holder or any(
            self._is_in(user, member, seen | {holder})
            for member, group in self.members
            if group == holder and member not in seen
        )


@dataclass
class Service:
    """Answers by a graph; at its ``fails_at``-th request, it fails as ``fault`` says."""

    graph: Graph
    list_cap: int | None
    needs_lists: bool = True
    fault: str = ""
    fails_at: int = 0
    requests: int = 0
    failed: bool = False
    is_owed_an_error: bool = False
    allowed: set[tuple[str, str]] = field(default_factory=set)

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Any:
        fault = self._begin()
        truths = [self.graph.may_read(check.subject, check.object) for check in checks]
        answer: list[Any] = [check.object in self.graph.readable(check.subject) for check in checks]
        assert answer == truths
        self.allowed |= {
            (check.subject, check.object)
            for check, is_allowed in zip(checks, truths, strict=True)
            if is_allowed
        }
        self._end(fault)
        self.is_owed_an_error |= fault in DECISION_FAULTS
        return DECISION_FAULTS.get(fault, list)(answer)

    def list_objects(self, subject: str, relation: str) -> Any:
        fault = self._begin(owing=self.needs_lists)
        answer: list[Any] = self.graph.readable(subject)[: self.list_cap]
        self._end(fault)
        is_no_list = fault in LIST_FAULTS.keys() - {"short", "long"}
        self.is_owed_an_error |= is_no_list and self.needs_lists
        return LIST_FAULTS.get(fault, list)(answer)

    def _begin(self, *, owing: bool = True) -> str:
        self.requests += 1
        if self.requests != self.fails_at:
            return ""
        self.failed = True
        if self.fault == "error":
            self.is_owed_an_error = owing
            raise TimeoutError
        if self.fault == "revoked before":
            self.graph.grants.clear()
        if self.fault == "granted before":
            self.graph.grants += zip(USERS, FOLDERS, strict=False)
        return self.fault

    def _end(self, fault: str) -> None:
        if fault == "revoked after":
            self.graph.grants.clear()
        if fault == "granted after":
            self.graph.grants += zip(USERS, FOLDERS, strict=False)


class AsyncService(Service):
    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> Any:
        return super().batch_check_access(checks)

    async def list_objects(self, subject: str, relation: str) -> Any:
        return super().list_objects(subject, relation)


Change = Callable[[list[Any]], Any]
DECISION_FAULTS: dict[str, Change] = {
    "short": lambda answer: answer[:-1],
    "long": lambda answer: [*answer, True],
    "string": lambda answer: ["true", *answer[1:]],
    "number": lambda answer: [1] * len(answer),
    "null": lambda answer: [None, *answer[1:]],
    "nothing": lambda _: None,
    "one true": lambda _: True,
}
LIST_FAULTS: dict[str, Change] = {
    "short": lambda answer: answer[: len(answer) // 2],
    "long": lambda answer: [*answer, *OBJECTS, "folder:1"],
    "string": lambda _: "file:1",
    "number": lambda answer: [1, *answer],
    "null": lambda answer: [*answer, None],
    "nothing": lambda _: None,
    "one true": lambda _: True,
}
FAULTS = [
    *("error", "revoked before", "revoked after", "granted before", "granted after"),
    *DECISION_FAULTS,
]

IsWanted = Callable[[Passage], bool]


class Exact(Ranking):
    """Filters first, and then gives the best."""


class Repeating(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        return [passage for passage in found for _ in range(2)][:limit]


class Ignoring(Ranking):
    """Takes no notice of filters."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(limit, lambda _: True)


class Approximate(Ranking):
    """Searches first, and filters what it found."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(2 * limit, lambda _: True)
        return [passage for passage in found if is_wanted(passage)][:limit]


class Capping(Ranking):
    """Never gives more than ten."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(min(limit, 10), is_wanted)


class Fusing(Ranking):
    """Ranks by places in two rankings, as hybrid searches do, and scores by the place."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        by_words = sorted(found, key=lambda passage: int(passage.text) % 7)
        both = [each for pair in zip(found, by_words, strict=True) for each in pair]
        fused = {each.text: each for each in both}.values()
        return [
            Passage(each.text, each.object_id, each.chunk_id, 1 / (60 + place))
            for place, each in enumerate(fused)
        ]


class Unscored(Ranking):
    """Gives no scores, or none that are numbers."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        return [Passage(each.text, each.object_id, each.chunk_id, math.nan) for each in found]


class Shortening(Ranking):
    """Leaves passages out of each search, and other ones each time."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        return [each for each in found if (int(each.text) + self.searches) % 4]


class Losing(Ranking):
    """Never gives more than three."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(min(limit, 3), is_wanted)


class Turning(Ranking):
    """Turns its order round with each search."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        self.passages.reverse()
        return super().search(limit, is_wanted)


class Swapping(Ranking):
    """Gives the chunk ids to other passages with each search."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        ids = [passage.chunk_id for passage in found]
        return [
            Passage(each.text, each.object_id, chunk_id, each.score)
            for each, chunk_id in zip(found, ids[1:] + ids[:1], strict=True)
        ]


# The kinds that search exhaustively, and say so.
EXHAUSTIVE: list[type[Ranking]] = [Exact, Repeating, Ignoring, Unscored]
# Those that do not, and of which nothing is known.
UNKNOWN: list[type[Ranking]] = [Approximate, Capping, Fusing, Shortening]
HONEST = EXHAUSTIVE + UNKNOWN
DISHONEST: list[type[Ranking]] = [Losing, Turning, Swapping]

graphs = st.builds(
    Graph,
    members=st.lists(
        st.tuples(st.sampled_from(USERS + GROUPS), st.sampled_from(GROUPS)), max_size=5
    ),
    parents=st.lists(st.none() | st.sampled_from(FOLDERS), min_size=4, max_size=4),
    grants=st.lists(
        st.tuples(st.sampled_from(USERS + GROUPS), st.sampled_from(FOLDERS + OBJECTS)),
        min_size=2,
        max_size=8,
    ),
)


@dataclass
class Setting:
    """The setup of a retriever, and its question."""

    chunks: list[int]
    users: list[str]
    strategy: Strategy
    k: int
    overfetch: int
    max_per_object: int | None
    max_objects: int | None
    list_cap: int | None
    is_cut_silently: bool
    ttls: tuple[float, float, float]
    way: Way
    asynchronous_client: bool
    # The passages with words of the question, best first; without them there is one ranking.
    by_keywords: list[int] | None
    window: int | None

    @property
    def keyword_passages(self) -> list[Passage]:
        passages = passages_of(self)
        return [passages[n] for n in self.by_keywords or () if n < len(passages)]


settings_of_retrievers = st.builds(
    Setting,
    chunks=st.lists(st.integers(0, len(OBJECTS)), min_size=10, max_size=25)
    | st.lists(st.integers(0, len(OBJECTS)), max_size=4),
    users=st.lists(st.sampled_from(USERS), min_size=1, max_size=3),
    strategy=st.sampled_from(STRATEGIES),
    k=st.integers(1, 5),
    overfetch=st.integers(1, 2),
    max_per_object=st.none() | st.integers(1, 2),
    max_objects=st.none() | st.integers(1, 4),
    list_cap=st.none() | st.integers(1, 5),
    is_cut_silently=st.booleans(),
    ttls=st.sampled_from([(0, 0, 0), (0, 0, 0), (60, 0, 0), (0, 60, 0), (0, 0, 60), (60, 60, 60)]),
    way=st.sampled_from(WAYS),
    asynchronous_client=st.booleans(),
    by_keywords=st.none() | st.lists(st.integers(0, 24), max_size=15, unique=True),
    window=st.none() | st.integers(1, 6),
)

many = settings(
    # Two tests share these; `make soak` runs a hundred thousand.
    max_examples=draws(100),
    deadline=None,
    # The same cases at every run.
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

# One store of each kind for all cases, since LlamaIndex's take long to make.
_LANGCHAIN, _LLAMA_INDEX = (WAYS[n].store_over(Ranking([])) for n in (0, 2))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module", autouse=True)
def _without_warnings() -> Iterator[None]:
    logger = logging.getLogger("managed_sync.retrieval.engine")
    before, logger.disabled = logger.disabled, True
    yield
    logger.disabled = before


def store_over(ranking: Ranking, way: Way) -> Any:
    size = dict.fromkeys(map(str, range(len(ranking.passages))))
    if isinstance(way, LangChain):
        assert isinstance(_LANGCHAIN, RankedStore)
        _LANGCHAIN.ranking, _LANGCHAIN.store = ranking, size  # type: ignore[assignment]
        return _LANGCHAIN
    store = _LLAMA_INDEX.vector_store
    assert isinstance(store, RankedVectorStore)
    store._ranking, store.data.embedding_dict = ranking, size  # type: ignore[assignment]
    return _LLAMA_INDEX


def object_filter(setting: Setting, kind: type[Ranking]) -> CustomObjectFilter:
    def for_langchain(object_ids: Sequence[str]) -> dict[str, Any]:
        wanted = set(object_ids)
        return {"filter": lambda document: document.metadata.get("object_id") in wanted}

    def for_llama_index(object_ids: Sequence[str]) -> dict[str, Any]:
        return {"filters": metadata_filters(object_ids)}

    of_framework = for_langchain if isinstance(setting.way, LangChain) else for_llama_index
    return CustomObjectFilter(of_framework, setting.max_objects, exact=kind not in UNKNOWN)


def passages_of(setting: Setting) -> list[Passage]:
    return [
        Passage(str(n), OBJECTS[number] if number < len(OBJECTS) else None, f"c{n}", 1 - n / 64)
        for n, number in enumerate(setting.chunks)
    ]


def answers(
    setting: Setting, service: Service, kind: type[Ranking], runner: asyncio.Runner
) -> Iterator[tuple[str, Found | ManagedSyncError]]:
    """Yields the results of one retriever for each user in turn."""
    allow_ttl, deny_ttl, scope_ttl = setting.ttls
    checker = AccessChecker(
        service,
        allow_ttl=allow_ttl,
        deny_ttl=deny_ttl,
        scope_ttl=scope_ttl,
        # A server that stops at a deadline cuts its lists off below the limit that it states.
        list_limit=1000 if setting.is_cut_silently else setting.list_cap,
        clock=lambda: 0.0,
    )
    retriever = setting.way.retriever(
        store_over(kind(passages_of(setting)), setting.way),
        checker,
        k=setting.k,
        strategy=setting.strategy,
        overfetch=setting.overfetch,
        max_per_object=setting.max_per_object,
        object_filter=object_filter(setting, kind),
        **with_keywords(setting),
    )
    for user in setting.users:
        if setting.ttls == (0, 0, 0):
            service.allowed.clear()
        try:
            if setting.way.asynchronous:
                yield user, runner.run(setting.way.ask_in_task(retriever, user))
            else:
                yield user, setting.way.ask(retriever, user)
        except ManagedSyncError as error:
            yield user, error


def with_keywords(setting: Setting) -> dict[str, Any]:
    if setting.by_keywords is None:
        return {}
    passages = [
        KeywordPassage(each.chunk_id, each.text, each.metadata) for each in setting.keyword_passages
    ]
    return {"keywords": FixedKeywords(passages), "fusion": Fusion(window=setting.window)}


def service_for(setting: Setting, graph: Graph, **fault: Any) -> Service:
    is_asynchronous = setting.way.asynchronous and setting.asynchronous_client
    # Where lists are only a shorter way, checking goes on without them.
    needs_lists = setting.strategy == "pre_filter"
    service = AsyncService if is_asynchronous else Service
    return service(graph, setting.list_cap, needs_lists, **fault)


def best_for(user: str, setting: Setting, graph: Graph) -> list[str]:
    if setting.by_keywords is not None:
        return best_fused(
            named(passages_of(setting)),
            named(setting.keyword_passages),
            lambda object_id: object_id is not None and graph.may_read(user, object_id),
            setting.k,
            fusion=Fusion(window=setting.window),
            max_per_object=setting.max_per_object,
        )
    taken: Counter[str] = Counter()
    best = []
    for passage in passages_of(setting):
        if passage.object_id is not None and graph.may_read(user, passage.object_id):
            taken[passage.object_id] += 1
            if taken[passage.object_id] <= (setting.max_per_object or len(OBJECTS) * 20):
                best.append(passage.text)
    return best[: setting.k]


def assert_allowed(user: str, found: Found, setting: Setting, service: Service) -> None:
    assert {(user, object_id) for object_id in found.object_ids} <= service.allowed
    assert len(found.texts) <= setting.k
    own = {passage.text: passage.object_id for passage in passages_of(setting)}
    assert [own[text] for text in found.texts] == found.object_ids


@many
@given(graph=graphs, setting=settings_of_retrievers, kind=st.sampled_from(HONEST))
def test_what_comes_back_is_allowed_and_what_is_complete_is_the_best(
    runner: asyncio.Runner, graph: Graph, setting: Setting, kind: type[Ranking]
) -> None:
    service = service_for(setting, graph)

    for user, found in answers(setting, service, kind, runner):
        assert isinstance(found, Found)
        assert_allowed(user, found, setting, service)
        assert len(found.texts) == len(set(found.texts))
        if found.report.complete:
            assert found.texts == best_for(user, setting, graph)
        event(f"complete: {found.report.complete}, found: {bool(found.texts)}")
        # A few hits with equal scores do not show which of several searches found the better one.
        is_single = setting.by_keywords is None
        if (
            is_single
            and kind in {Exact, Repeating, Ignoring}
            and Doubt.SCORES not in found.report.doubts
        ):
            assert found.texts == sorted(found.texts, key=int)
        if can_be_known(setting, kind):
            assert found.report.complete


def can_be_known(setting: Setting, kind: type[Ranking]) -> bool:
    """Returns whether a result is known to be the best, and must be called complete."""
    everything_has_an_id = len(OBJECTS) not in setting.chunks
    lists_are_whole = setting.list_cap is None and not setting.is_cut_silently
    nothing_is_kept = setting.ttls == (0, 0, 0)
    by_checking = setting.strategy == "post_filter" and kind in EXHAUSTIVE
    by_lists = kind is Exact and lists_are_whole
    return everything_has_an_id and nothing_is_kept and (by_checking or by_lists)


@many
@given(
    graph=graphs,
    setting=settings_of_retrievers,
    kind=st.sampled_from(HONEST + DISHONEST),
    fault=st.sampled_from(FAULTS),
    fails_at=st.integers(1, 4),
)
def test_with_faults_only_what_is_allowed_comes_back_or_an_error(
    runner: asyncio.Runner,
    graph: Graph,
    setting: Setting,
    kind: type[Ranking],
    fault: str,
    fails_at: int,
) -> None:
    service = service_for(setting, graph, fault=fault, fails_at=fails_at)

    for user, found in answers(setting, service, kind, runner):
        event(f"{fault}: {type(found).__name__ if service.failed else 'did not happen'}")
        if isinstance(found, ManagedSyncError):
            assert service.failed
            service.is_owed_an_error = False
            continue
        assert not service.is_owed_an_error
        assert_allowed(user, found, setting, service)
        if not service.failed and kind in HONEST and found.report.complete:
            assert found.texts == best_for(user, setting, graph)


def test_the_two_ways_to_read_a_graph_agree() -> None:
    """One that is written by hand: nested groups, folders in folders, and both in circles."""
    graph = Graph(
        members=[(USERS[0], GROUPS[0]), (GROUPS[0], GROUPS[1]), (GROUPS[1], GROUPS[0])],
        parents=[FOLDERS[1], FOLDERS[0], None, FOLDERS[2]],
        grants=[(GROUPS[1], FOLDERS[1]), (USERS[1], FOLDERS[2]), (USERS[2], OBJECTS[5])],
    )
    readable = {user: graph.readable(user) for user in USERS}

    assert readable[USERS[0]] == [each for n, each in enumerate(OBJECTS) if n % 4 in {0, 1}]
    assert readable[USERS[1]] == [each for n, each in enumerate(OBJECTS) if n % 4 in {2, 3}]
    assert readable[USERS[2]] == [OBJECTS[5]]
    for user, object_id in itertools.product(USERS, OBJECTS):
        assert graph.may_read(user, object_id) == (object_id in readable[user])
