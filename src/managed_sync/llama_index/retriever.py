"""A LlamaIndex retriever that returns only what the asking user may read, now."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self, get_args

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.base import BaseIndex
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import MetadataFilters

from managed_sync.access.binding import NotPickled
from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import OWN_FIELD, ObjectIdSource, object_ids_of
from managed_sync.access.subject import UNSET, Unset, acting_as, bound_to, resolve_bound_subject
from managed_sync.arguments import check_integer, did_you_mean
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.refinement import expansion, refuse_filters, searches_by_keywords
from managed_sync.llama_index.reranking import reranker_of
from managed_sync.llama_index.search import IndexQuestion, IndexSearch, RetrieverSearch
from managed_sync.llama_index.tool import SearchTool, as_tool
from managed_sync.retrieval.effects import RetrievalSpec, Strategy
from managed_sync.retrieval.engine import RetrievalEngine
from managed_sync.retrieval.hybrid.fusion import Fusion
from managed_sync.retrieval.hybrid.keyword_search import (
    KeywordQuestion,
    KeywordSearch,
    KeywordSource,
    keyword_source,
)
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.refinement import Refinement
from managed_sync.retrieval.report import RetrievalReport

__all__ = ["PermissionAwareRetriever"]

# LlamaIndex traces methods that override traced ones, so those below them must not be traced again.
_retrieve_in_span: Callable[[BaseRetriever, str | QueryBundle], list[NodeWithScore]]
_retrieve_in_span = inspect.unwrap(BaseRetriever.retrieve)
_aretrieve_in_span: Callable[[BaseRetriever, str | QueryBundle], Awaitable[list[NodeWithScore]]]
_aretrieve_in_span = inspect.unwrap(BaseRetriever.aretrieve)


class PermissionAwareRetriever(NotPickled, BaseRetriever):
    """Finds the best ``k`` nodes among those a user may read.

    The Permissions API allowed every returned node in this very call, unless the checker keeps
    decisions. A user who may read little still gets ``k`` nodes if the index holds them. If there
    may be better nodes than those found, the report says so.

    The subject comes from ``for_subject``, ``subject=``, or ``acting_as``. Without a subject, or
    with an empty one, the call raises ``MissingSubjectError``.

    Events, spans and callbacks see the returned nodes, never withheld ones. Everything a search
    does, including calls to other retrievers, models, embeddings and rerankers, is hidden from
    them. Anything the search logs itself is not: see ``from_retriever``.

    With ``keywords`` the result is the best of a fused ranking: of those by vectors and by
    keywords, each restricted to what the user may read. Without ``source``, it is the best of the
    ranking by keywords.

    Args:
        source: An index, or any other retriever, whose nodes carry the ids of their objects in
            their metadata. A node without one is never returned. A retriever is asked for more
            hits if it has a ``similarity_top_k``, and otherwise asked once. Only results of a
            vector index's own retriever can be complete.
        checker: The access checker.
        k: The number of nodes to return, 6 by default. ``similarity_top_k`` is the same.
        strategy: ``"post_filter"`` searches, checks the hits, and searches further until there are
            enough. ``"pre_filter"`` lists the objects that the user may read, searches only those,
            and checks the hits. ``"auto"`` starts as the first and switches to the second when it
            estimates that to be cheaper.
        filter: ``MetadataFilters``, or a mapping of equal metadata such as
            ``{"integration": "zendesk"}``, which works with ``keywords`` too. It holds together
            with ``filters`` of ``retriever_kwargs``, with the filter of a call, and with
            permissions.
        object_id: The metadata field that holds the id of a node's source object, for an index
            that another program filled. An ``ObjectIdField`` cuts and adds prefixes. A function of
            the metadata returns the id; no store can filter by it, so a user who may read little
            costs more checks.
        object_filter: A filter on object ids for a store that this package does not know.
        keywords: A ``KeywordIndex`` of the same passages, its path, or another ``KeywordSource``.
        fusion: The settings of the fusion; by default reciprocal rank fusion.
        reranker: A ``BaseNodePostprocessor``, or a cross-encoder: an object with
            ``predict(pairs)``, or a function of pairs of question and text that returns a score for
            each. It sees only nodes that the user may read. It decides on the order and may leave
            nodes out; what is returned are the nodes that were checked.
        rerank_from: The number of nodes that the reranker sees.
        expand: The number of passages before and after each result to join with it, from the same
            object. It needs ``chunk_index`` in the metadata, and the keyword index or a store that
            can be read back.
        max_per_object: The maximum number of nodes of one object.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        raise_if_incomplete: Whether to raise ``IncompleteRetrievalError`` for a result that is not
            known to be the best (``complete=False`` in its report).
        bound_subject: The only user to retrieve for; ``for_subject`` sets it.
        retriever_kwargs: Arguments of ``index.as_retriever``.

    Raises:
        ConfigurationError: A number is below 1, the store does not support the strategy, or an
            argument would be ignored.

    Examples:
        ```python
        retriever = PermissionAwareRetriever(index, checker=AccessChecker(client), k=6)
        with acting_as("alice@example.com"):
            nodes = retriever.retrieve("What did we decide on pricing?")
        ```
    """

    def __init__(
        self,
        source: BaseIndex[Any] | BaseRetriever | None = None,
        *,
        checker: AccessChecker,
        k: int | None = None,
        strategy: Strategy = "auto",
        filter: MetadataFilters | Mapping[str, str | int] | None = None,  # noqa: A002 - as stores name it
        object_id: ObjectIdSource = OWN_FIELD.name,
        object_filter: ObjectFilter | None = None,
        keywords: KeywordSource | str | Path | None = None,
        fusion: Fusion | None = None,
        reranker: object = None,
        rerank_from: int = 50,
        expand: int = 0,
        max_per_object: int | None = None,
        overfetch: int = 5,
        max_candidates: int = 10_000,
        raise_if_incomplete: bool = False,
        bound_subject: str | None = None,
        **retriever_kwargs: Any,
    ) -> None:
        check_integer("max_candidates", max_candidates)
        k = _number(k, retriever_kwargs.pop("similarity_top_k", None))
        check_integer("k", k, at_most=max_candidates, limit="max_candidates")
        check_integer("overfetch", overfetch)
        if max_per_object is not None:
            check_integer("max_per_object", max_per_object)
        check_integer("rerank_from", rerank_from)
        check_integer("expand", expand, at_least=0)
        _check_parts(source, checker, strategy, keywords)
        of_index = {} if filter is None or source is None else {"filters": None}
        _check_arguments(source, {**of_index, **retriever_kwargs}, object_filter)
        if fusion is not None and (keywords is None or source is None):
            raise ConfigurationError("fusion is for two rankings. Pass source and keywords too.")
        object_ids = object_ids_of(object_id)
        if source is None and object_ids != OWN_FIELD:
            raise ConfigurationError("object_id is for an index or a retriever. Pass it as source.")
        super().__init__()
        self._bound_subject = None if bound_subject is None else bound_to(bound_subject, None)
        word_index = keyword_source(keywords)
        by_keywords = searches_by_keywords(word_index, checker.project_id)
        self._search: IndexSearch | RetrieverSearch | KeywordSearch
        if isinstance(source, BaseRetriever):
            self._search = RetrieverSearch(source, object_ids).narrowed(filter)
        elif source is not None:
            filters = retriever_kwargs.pop("filters", None), filter
            search = IndexSearch(source, retriever_kwargs, object_filter, object_ids)
            self._search = search.narrowed(*filters)
        elif by_keywords is not None:
            self._search, by_keywords = by_keywords.narrowed(filter), None
        if by_keywords is not None:
            refuse_filters(source, retriever_kwargs)
            by_keywords.check_conditions(self._search.conditions)
        if reranker is not None and self._search.diversity is not None:
            raise ConfigurationError(
                "MMR and reranker= both decide on the order; leave one of them out."
            )
        self._is_scored = keywords is not None or reranker is not None
        self._engine = RetrievalEngine(
            self._search,
            checker,
            strategy=strategy,
            spec=RetrievalSpec(
                k,
                overfetch=overfetch,
                max_candidates=max_candidates,
                max_per_object=max_per_object,
                can_return_more=self._search.can_return_more,
            ),
            raise_if_incomplete=raise_if_incomplete,
            keywords=by_keywords,
            fusion=fusion,
            refinement=Refinement(
                None if reranker is None else reranker_of(reranker, object_ids),
                rerank_from,
                expansion(self._search, word_index, expand, checker.project_id),
            ),
        )

    @classmethod
    def from_retriever(
        cls, retriever: BaseRetriever, *, checker: AccessChecker, **arguments: Any
    ) -> PermissionAwareRetriever:
        """Makes any retriever permission-aware, with its own number of nodes if it has one.

        Events, spans and callbacks do not see its search, nor other retrievers that it calls. This
        does not cover its logs and prints; threads that it starts without the context; tools that
        trace by replacing LlamaIndex's classes and ignore OpenTelemetry's suppression; and the
        message of an error that it raises. A retriever without ``_aretrieve`` runs in a thread.
        """
        own = getattr(retriever, "similarity_top_k", None)
        return cls(retriever, checker=checker, **{"k": own or 6, **arguments})

    def for_subject(self, subject: str) -> PermissionAwareRetriever:
        """Returns this retriever for one user only, for example for a query or chat engine.

        Raises:
            MissingSubjectError: ``subject`` is empty.
            ConfigurationError: The retriever is bound to another subject.
        """
        bound = self.__copy__()
        bound._bound_subject = bound_to(subject, self._bound_subject)  # noqa: SLF001 - own class
        return bound

    def __copy__(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def as_tool(self, *, name: str | None = None, description: str | None = None) -> SearchTool:
        """Returns a tool that searches for a model, whose only argument is the question.

        Args:
            name: The name by which a model calls the tool.
            description: Tells a model when and how to use the tool.
        """
        return as_tool(self, name=name, description=description)

    def retrieve(
        self, str_or_query_bundle: str | QueryBundle, *, subject: str | Unset = UNSET
    ) -> list[NodeWithScore]:
        """Retrieves for ``subject=``, the bound subject, or the one of ``acting_as``."""
        return _retrieve_in_span(self._of_call(subject), str_or_query_bundle)

    async def aretrieve(
        self, str_or_query_bundle: str | QueryBundle, *, subject: str | Unset = UNSET
    ) -> list[NodeWithScore]:
        """Like ``retrieve``, without blocking the event loop."""
        return await _aretrieve_in_span(self._of_call(subject), str_or_query_bundle)

    def _of_call(self, subject: str | Unset) -> PermissionAwareRetriever:
        return self if isinstance(subject, Unset) else self.for_subject(subject)

    def retrieve_with_report(
        self,
        query: str | QueryBundle,
        *,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: MetadataFilters | Mapping[str, str | int] | None = None,  # noqa: A002 - as stores name it
    ) -> tuple[list[NodeWithScore], RetrievalReport]:
        """Returns the nodes, and a report of the searches and checks.

        Args:
            query: The question.
            subject: The user; by default the bound one, or the one of ``acting_as``.
            k: The number of nodes, in place of the retriever's own.
            filter: A further filter, which holds together with the retriever's own.

        Raises:
            MissingSubjectError: There is no subject.
            ConfigurationError: The filter cannot be combined with the retriever's own.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            IncompleteRetrievalError: The result may not be the best, and ``raise_if_incomplete`` is
                set.
        """
        bundle = QueryBundle(query) if isinstance(query, str) else query
        resolved = resolve_bound_subject(self._bound_subject, subject)
        question = self._question(bundle, filter)
        with self._around_parts(resolved):
            hits, report = self._engine.retrieve(resolved, question, k)
        return self._nodes(hits), report

    async def aretrieve_with_report(
        self,
        query: str | QueryBundle,
        *,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: MetadataFilters | Mapping[str, str | int] | None = None,  # noqa: A002 - as stores name it
    ) -> tuple[list[NodeWithScore], RetrievalReport]:
        """Like ``retrieve_with_report``, without blocking the event loop."""
        bundle = QueryBundle(query) if isinstance(query, str) else query
        resolved = resolve_bound_subject(self._bound_subject, subject)
        question = self._question(bundle, filter)
        with self._around_parts(resolved):
            hits, report = await self._engine.aretrieve(resolved, question, k)
        return self._nodes(hits), report

    def _around_parts(self, user: str) -> AbstractContextManager[object]:
        # Another retriever may be made of permission-aware ones.
        return acting_as(user) if isinstance(self._search, RetrieverSearch) else nullcontext()

    def _question(self, bundle: QueryBundle, own: object) -> IndexQuestion | KeywordQuestion:
        search = self._search.narrowed(own)
        if isinstance(search, KeywordSearch):
            return search.question(bundle.query_str)
        return search.question(bundle)

    def _nodes(self, hits: Sequence[Hit]) -> list[NodeWithScore]:
        if not self._is_scored:
            return [hit.passage for hit in hits]
        return [NodeWithScore(node=hit.passage.node, score=hit.score) for hit in hits]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.retrieve_with_report(query_bundle)[0]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return (await self.aretrieve_with_report(query_bundle))[0]

    # The base class follows nodes that stand for others, which were never checked.
    def _handle_recursive_retrieval(
        self, query_bundle: QueryBundle, nodes: list[NodeWithScore]
    ) -> list[NodeWithScore]:
        return nodes

    async def _ahandle_recursive_retrieval(
        self, query_bundle: QueryBundle, nodes: list[NodeWithScore]
    ) -> list[NodeWithScore]:
        return nodes


def _check_parts(source: object, checker: object, strategy: str, keywords: object) -> None:
    if not isinstance(source, BaseIndex | BaseRetriever) and (source or keywords is None):
        raise ConfigurationError(
            f"source must be an index or a retriever of LlamaIndex, got {type(source).__name__}. "
            f"Make an index of a vector store with VectorStoreIndex.from_vector_store()."
        )
    if isinstance(source, PermissionAwareRetriever):
        raise ConfigurationError("source checks permissions already: use it as it is.")
    if not isinstance(checker, AccessChecker):
        raise ConfigurationError(
            f"checker must be an AccessChecker, got {type(checker).__name__}. Pass "
            f"AccessChecker(client)."
        )
    if strategy not in get_args(Strategy):
        raise ConfigurationError(
            f"strategy must be one of {', '.join(get_args(Strategy))}, got {strategy!r}."
        )


def _number(k: int | None, similarity_top_k: int | None) -> int:
    if k is None:
        return 6 if similarity_top_k is None else similarity_top_k
    if similarity_top_k is not None and k != similarity_top_k:
        raise ConfigurationError(
            f"k={k!r} and similarity_top_k={similarity_top_k!r} differ. Pass only one of them."
        )
    return k


def _check_arguments(
    source: BaseIndex[Any] | BaseRetriever | None,
    retriever_kwargs: dict[str, Any],
    object_filter: ObjectFilter | None,
) -> None:
    """Refuses arguments that would be ignored."""
    if source is None or isinstance(source, BaseRetriever):
        ignored = {*retriever_kwargs, *(["object_filter"] if object_filter is not None else [])}
        reason = "Set them on an index or a retriever that is passed as source"
    else:
        ignored = retriever_kwargs.keys() - _used_by(source, retriever_kwargs)
        pronoun = "it" if len(ignored) == 1 else "them"
        reason = f"{type(source).__name__}.as_retriever() does not know {pronoun}"
    if ignored:
        own = inspect.signature(PermissionAwareRetriever).parameters
        raise ConfigurationError(
            f"{', '.join(sorted(ignored))} would be ignored. {reason}.{did_you_mean(ignored, own)}"
        )


def _used_by(index: BaseIndex[Any], retriever_kwargs: dict[str, Any]) -> set[str]:
    """Returns the arguments that the index and its retriever use; a vector index reads one more."""
    if not retriever_kwargs:
        return set()
    made = type(index.as_retriever(**retriever_kwargs))
    readers = [index.as_retriever, *(vars(each).get("__init__") for each in made.__mro__)]
    named = (inspect.signature(reader).parameters for reader in readers if reader)
    return {"vector_store_kwargs", *(name for names in named for name in names)}
