"""Reranks passages that were allowed in this retrieval.

Guarantees:

- A reranker sees only passages that were allowed, as copies.
- What it returns is only an order. The passages that are returned are those that were checked, each
  once, with the text and the metadata that they had.
- A passage that it was not given is never returned.
"""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Generic, TypeVar

from managed_sync.errors import ConfigurationError, RerankingError
from managed_sync.logs import get_logger
from managed_sync.retrieval.ranking import Hit

__all__ = ["FrameworkReranker", "PairReranker", "Reranker", "predictor_of", "titled_text"]

_logger = get_logger(__name__)
Kind = TypeVar("Kind")


class Reranker(ABC):
    """Orders hits that were allowed.

    Args:
        text_of: Returns the text of a hit.
        untraced: Hides the reranker's work from the framework's callbacks and tracers.
    """

    def __init__(
        self,
        text_of: Callable[[Hit], str],
        untraced: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._text_of = text_of
        self._untraced = untraced

    def rerank(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        """Returns the hits in the reranker's order; it may leave some out.

        Raises:
            RerankingError: The reranker returned something else.
        """
        with self._untraced():
            return _in_order_of(self._reranked(query, hits), hits, self._text_of)

    async def arerank(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        """Like ``rerank``, without blocking the event loop."""
        with self._untraced():
            return _in_order_of(await self._areranked(query, hits), hits, self._text_of)

    @abstractmethod
    def _reranked(self, query: Any, hits: Sequence[Hit]) -> Sequence[Hit]:
        """Returns the hits that the reranker returned."""

    @abstractmethod
    async def _areranked(self, query: Any, hits: Sequence[Hit]) -> Sequence[Hit]:
        """Like ``_reranked``, without blocking the event loop."""


class FrameworkReranker(Reranker, Generic[Kind]):
    """Orders hits by a reranker of a framework.

    Args:
        rerank: Returns the framework's passages in the reranker's order.
        arerank: Like ``rerank``, without blocking the event loop.
        kind: The class of the framework's passages.
        hits_of: Returns the hits for such passages.
        text_of: Returns the text of a hit.
        untraced: Hides the work from the framework's callbacks and tracers.
    """

    def __init__(
        self,
        rerank: Callable[[Any, Sequence[Hit]], Any],
        arerank: Callable[[Any, Sequence[Hit]], Awaitable[Any]],
        kind: type[Kind],
        hits_of: Callable[[Sequence[Kind]], list[Hit]],
        *,
        text_of: Callable[[Hit], str],
        untraced: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(text_of, untraced)
        self._rerank = rerank
        self._arerank = arerank
        self._kind = kind
        self._hits_of = hits_of

    def _reranked(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        return self._returned(self._rerank(query, hits))

    async def _areranked(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        return self._returned(await self._arerank(query, hits))

    def _returned(self, passages: Any) -> list[Hit]:
        listed = list(passages) if isinstance(passages, Sequence) else [passages]
        if not all(isinstance(each, self._kind) for each in listed):
            raise RerankingError(
                f"The reranker must return a list of {self._kind.__name__}, got "
                f"{type(passages).__name__} with something else in it."
            )
        return self._hits_of(listed)


class PairReranker(Reranker):
    """Orders hits by the scores of pairs of the question and a text, as cross-encoders give them.

    Args:
        predict: Returns one number for each pair; higher is better.
        text_of: Returns the text of a hit.
        question_of: Returns the text of a question.
        untraced: Hides the work from the framework's callbacks and tracers.
    """

    def __init__(
        self,
        predict: Callable[[list[tuple[str, str]]], Any],
        text_of: Callable[[Hit], str],
        question_of: Callable[[Any], str],
        untraced: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(text_of, untraced)
        self._predict = predict
        self._question_of = question_of

    def _reranked(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        question = self._question_of(query)
        scores = _numbers(self._predict([(question, self._text_of(hit)) for hit in hits]))
        if len(scores) != len(hits):
            raise RerankingError(
                f"The reranker must return one score for each of {len(hits)} pairs, got "
                f"{len(scores)}."
            )
        scored = [replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -(hit.score or 0.0))

    async def _areranked(self, query: Any, hits: Sequence[Hit]) -> list[Hit]:
        return await asyncio.to_thread(self._reranked, query, hits)


def predictor_of(reranker: object) -> Callable[[list[tuple[str, str]]], Any]:
    """Returns the function of a cross-encoder that scores pairs: its ``predict``, or itself.

    Raises:
        ConfigurationError: It has no such function.
    """
    for candidate in (getattr(reranker, "predict", None), getattr(reranker, "score", None)):
        if callable(candidate):
            predict: Callable[[list[tuple[str, str]]], Any] = candidate
            return predict
    if callable(reranker) and not isinstance(reranker, type):
        return reranker
    raise ConfigurationError(
        f"reranker must be a reranker of the framework, a cross-encoder with predict(pairs), or a "
        f"function of pairs, got {type(reranker).__name__}."
    )


def titled_text(text: str, metadata: Mapping[str, Any]) -> str:
    r"""Returns a passage's text after its title and headings, as far as they are known.

    A passage often does not name its subject, because its title or its heading does.

    Examples:
        >>> titled_text("At most EUR 140.", {"title": "Travel.pdf", "heading": "Hotels"})
        'Travel.pdf\nHotels\n\nAt most EUR 140.'
    """
    names = "\n".join(str(metadata[name]) for name in ("title", "heading") if metadata.get(name))
    return f"{names}\n\n{text}" if names else text


def _numbers(scores: Any) -> list[float]:
    """Returns scores as numbers.

    Raises:
        RerankingError: They are no sequence of finite numbers.
    """
    try:
        # Others have numbers in them as well, such as the keys of a dictionary, but no scores.
        is_other = isinstance(scores, str | bytes | bytearray | Mapping | Set)
        numbers = [math.nan] if is_other else [float(score) for score in scores]
    except (TypeError, ValueError, OverflowError):
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise RerankingError(
            f"The reranker must return a sequence of finite numbers, got {type(scores).__name__} "
            f"or something else in it."
        )
    return numbers


def _in_order_of(
    returned: Iterable[Hit], given: Sequence[Hit], text_of: Callable[[Hit], str]
) -> list[Hit]:
    """Returns those of the given hits that were returned, each once, in that order.

    Raises:
        RerankingError: None of those that were returned was given.
    """
    known = _by_identity(given, text_of)
    ordered: dict[int, Hit] = {}
    strangers = 0
    for hit in returned:
        candidates = (known[each] for each in _keys(hit, text_of) if each in known)
        own = next((each for each in candidates if _may_be(hit, each)), None)
        if own is None:
            strangers += 1
        elif id(own) not in ordered:
            ordered[id(own)] = replace(own, score=hit.score)
    if strangers and not ordered:
        raise RerankingError(
            "The reranker returned only passages that it was not given. It must return those that "
            "it was given, with their ids, their metadata or their texts."
        )
    if strangers:
        _logger.warning(
            "The reranker returned %d passages that it was not given; they were left out.",
            strangers,
        )
    return list(ordered.values())


def _may_be(returned: Hit, given: Hit) -> bool:
    """Returns whether the metadata that are left name no other object and no other project."""
    return returned.object_id in (None, given.object_id) and (
        returned.project_id in (None, given.project_id)
    )


def _by_identity(given: Sequence[Hit], text_of: Callable[[Hit], str]) -> dict[Hashable, Hit]:
    """Returns the hits by their identities, and by those parts of them that are unambiguous."""
    known: dict[Hashable, Hit] = {}
    ambiguous: set[Hashable] = set()
    for hit in given:
        for key in _keys(hit, text_of):
            if known.setdefault(key, hit) is not hit:
                ambiguous.add(key)
    return {key: hit for key, hit in known.items() if key not in ambiguous}


def _keys(hit: Hit, text_of: Callable[[Hit], str]) -> list[Hashable]:
    """Returns what tells a hit from others, the surest first.

    Rerankers shorten texts, add scores to metadata, or leave metadata out. What is returned is the
    passage that was given, so the ids that are left, or the text alone, are enough to tell which.
    """
    shortened: list[Hashable] = []
    ids: list[Hashable] = []
    for each in hit.identities:
        if isinstance(each, tuple) and len(each) > 2:
            kind, source, name, *_ = each
            shortened.append((kind, source, name))
            ids.append((kind, name))
    return [*hit.identities, *shortened, *ids, ("text", text_of(hit))]
