"""Asks questions of retrievers, as users, and compares what they return with the truth."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from managed_sync.access import AccessChecker, acting_as
from managed_sync.effects import Program, arun, perform, run
from managed_sync.errors import ConfigurationError
from managed_sync.evaluation.outcomes import Outcome, outcome_of
from managed_sync.evaluation.passages import (
    AsyncSearch,
    Search,
    async_search_of,
    number_asked_for,
    passage_of,
    search_of,
)
from managed_sync.evaluation.questions import EvaluationQuestion
from managed_sync.evaluation.report import Evaluation

__all__ = ["aevaluate", "evaluate"]

_ONLY_SETTING = "retriever"
_Timed = tuple[Sequence[Any], float]
_TimedSearch = Callable[[str, str], _Timed | Awaitable[_Timed]]
_Check = Callable[[str, Collection[str]], Collection[str] | Awaitable[Collection[str]]]


def evaluate(
    retrievers: Any,
    questions: Sequence[EvaluationQuestion],
    *,
    checker: AccessChecker,
    objects: Mapping[str, str] | None = None,
    users: Sequence[str] = (),
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Evaluation:
    """Asks questions of a retriever, or of several to compare them.

    Each question is asked inside of ``acting_as(user)``. A retriever that does not check
    permissions can be measured as well: its leaks are counted.

    Args:
        retrievers: A retriever of LangChain or LlamaIndex, or a function of the question that
            returns documents or nodes; or a mapping from names of settings to retrievers.
        questions: The questions; see ``load_questions``.
        checker: Decides what a user may read, independently of the retriever.
        objects: The object id of each object that the questions name in another way.
        users: The users who ask every question, in place of those that the questions name.
        on_outcome: Called after each question.

    Raises:
        ConfigurationError: A question has no user, or there is no retriever.
        AccessCheckError: The Permissions API gives no trustworthy decision.

    Examples:
        ```python
        evaluation = evaluate(retriever, load_questions("questions.yaml"), checker=checker)
        print(evaluation.markdown(by="user"))
        ```
    """
    settings = _settings(retrievers)
    searches = {
        setting: partial(_timed, search_of(retriever)) for setting, retriever in settings.items()
    }
    plan = list(_plan(searches, questions, users))
    return run(_ask(plan, settings, checker.allowed, objects or {}, on_outcome))


async def aevaluate(
    retrievers: Any,
    questions: Sequence[EvaluationQuestion],
    *,
    checker: AccessChecker,
    objects: Mapping[str, str] | None = None,
    users: Sequence[str] = (),
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Evaluation:
    """Like ``evaluate``, without blocking the event loop."""
    settings = _settings(retrievers)
    searches = {
        setting: partial(_atimed, async_search_of(retriever))
        for setting, retriever in settings.items()
    }
    plan = list(_plan(searches, questions, users))
    return await arun(_ask(plan, settings, checker.aallowed, objects or {}, on_outcome))


def _settings(retrievers: Any) -> Mapping[str, Any]:
    settings = retrievers if isinstance(retrievers, Mapping) else {_ONLY_SETTING: retrievers}
    if not settings:
        raise ConfigurationError("retrievers must name at least one retriever, got none.")
    return settings


def _plan(
    searches: Mapping[str, _TimedSearch],
    questions: Sequence[EvaluationQuestion],
    users: Sequence[str],
) -> Iterator[tuple[str, _TimedSearch, EvaluationQuestion, str]]:
    """Yields each question with each of its users, one setting after another."""
    if not questions:
        raise ConfigurationError("questions must hold at least one question, got none.")
    for setting, search in searches.items():
        for question in questions:
            asking = users or question.asked_by
            if not asking:
                raise ConfigurationError(
                    f"Nobody asks {question.question!r}: name users in its asked_by, or pass users."
                )
            for user in asking:
                yield setting, search, question, user


def _ask(
    plan: Sequence[tuple[str, _TimedSearch, EvaluationQuestion, str]],
    settings: Mapping[str, Any],
    check: _Check,
    objects: Mapping[str, str],
    on_outcome: Callable[[Outcome], None] | None,
) -> Program[Evaluation]:
    outcomes = []
    for setting, search, question, user in plan:
        found, seconds = yield from perform(search, question.query, user)
        passages = [passage_of(result) for result in found]
        answers = {objects.get(answer.object, answer.object) for answer in question.answers}
        returned = {passage.object_id for passage in passages if passage.object_id}
        allowed = yield from perform(check, user, sorted(answers | returned))
        outcome = outcome_of(
            question,
            user,
            setting,
            passages,
            allowed=allowed,
            objects=objects,
            seconds=seconds,
            asked_for=number_asked_for(settings[setting]),
        )
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(outcome)
    return Evaluation(tuple(outcomes))


def _timed(search: Search, query: str, user: str) -> _Timed:
    with acting_as(user):
        started = time.perf_counter()
        found = search(query)
        return found, time.perf_counter() - started


async def _atimed(search: AsyncSearch, query: str, user: str) -> _Timed:
    with acting_as(user):
        started = time.perf_counter()
        found = await search(query)
        return found, time.perf_counter() - started
