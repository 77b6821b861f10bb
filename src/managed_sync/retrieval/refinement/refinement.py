"""The steps between the checked passages and the result.

Guarantees:

- Each step sees only passages that were allowed in this retrieval.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.effects import Program, perform
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion
from managed_sync.retrieval.refinement.reranking import Reranker

__all__ = ["Refinement", "RefiningEffects"]

Hits = Sequence[Hit]
Conditions = Sequence[MetadataCondition]


@dataclass(frozen=True, slots=True)
class RefiningEffects:
    """The effects of the steps; each returns hits or an awaitable of them.

    Attributes:
        diverse: Chooses by MMR.
        rerank: Orders by a reranker.
        expand: Joins hits with their neighbors.
    """

    diverse: Callable[[Hits, int, Diversity], Hits | Awaitable[Hits]]
    rerank: Callable[[Any, Hits], Hits | Awaitable[Hits]] | None
    expand: Callable[[Hits, Conditions], Hits | Awaitable[Hits]] | None

    def refined(
        self,
        query: object,
        hits: Hits,
        k: int,
        diversity: Diversity | None,
        conditions: Conditions = (),
    ) -> Program[Hits]:
        """Returns ``k`` of the hits, chosen, ordered and joined.

        Args:
            query: The question, as the framework passes it around.
            hits: The hits to choose from, best first; all were allowed.
            k: The number of passages.
            diversity: The settings of MMR, if it is wanted.
            conditions: The caller's filters, which neighbors must meet, too.
        """
        if diversity is not None:
            hits = yield from perform(self.diverse, hits, k, diversity)
        if self.rerank is not None and hits:
            hits = (yield from perform(self.rerank, query, hits))[:k]
        if self.expand is not None and hits:
            hits = yield from perform(self.expand, hits, conditions)
        return hits


@dataclass(frozen=True, slots=True)
class Refinement:
    """The settings of the steps.

    Attributes:
        reranker: The reranker, if one is wanted.
        rerank_from: The number of passages that it sees.
        expansion: Joins passages with their neighbors, if that is wanted.
    """

    reranker: Reranker | None = None
    rerank_from: int = 50
    expansion: Expansion | None = None

    @property
    def is_needed(self) -> bool:
        """Returns whether there is a step besides MMR."""
        return self.reranker is not None or self.expansion is not None

    def check_conditions(self, conditions: Conditions | None) -> None:
        """Refuses filters that neighbors could lie outside of.

        Raises:
            ConfigurationError: ``conditions`` is ``None``: there is such a filter.
        """
        if self.expansion is not None and conditions is None:
            raise ConfigurationError(
                "expand cannot be used with this filter, since neighbors could lie outside of it. "
                "Pass a mapping of equal texts and whole numbers, such as "
                "filter={'integration': 'zendesk'}, or leave expand out."
            )

    def candidates(self, k: int, diversity: Diversity | None) -> int:
        """Returns the number of passages to choose ``k`` from."""
        if diversity is not None:
            return diversity.candidates(k)
        return k if self.reranker is None else max(k, self.rerank_from)

    def blocking(self, diverse: Callable[[Hits, int, Diversity], Hits]) -> RefiningEffects:
        """Returns the effects of a synchronous retrieval."""
        rerank = self.reranker.rerank if self.reranker else None
        return RefiningEffects(diverse, rerank, self.expansion.expand if self.expansion else None)

    def awaiting(
        self, diverse: Callable[[Hits, int, Diversity], Awaitable[Hits]]
    ) -> RefiningEffects:
        """Returns the effects of an asynchronous retrieval."""
        rerank = self.reranker.arerank if self.reranker else None
        return RefiningEffects(diverse, rerank, self.expansion.aexpand if self.expansion else None)
