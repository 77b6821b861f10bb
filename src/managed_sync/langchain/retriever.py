"""A LangChain retriever that returns only what the asking user may read, now."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import StructuredTool
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SkipValidation,
    ValidationInfo,
    field_validator,
    model_validator,
)

from managed_sync.access.binding import Bindable, NotPickled
from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import ObjectIdSource
from managed_sync.access.subject import UNSET, Unset, acting_as
from managed_sync.arguments import check_integer
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.configured_subject import subject_of_call
from managed_sync.langchain.construction import AnySearch, search_and_engine
from managed_sync.langchain.refinement import refuse_other_stores, with_one_k
from managed_sync.langchain.searches.store import document_of
from managed_sync.langchain.tool import as_tool
from managed_sync.retrieval.effects import Strategy
from managed_sync.retrieval.engine import RetrievalEngine
from managed_sync.retrieval.hybrid.fusion import Fusion
from managed_sync.retrieval.hybrid.keyword_search import KeywordSource
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.report import RetrievalReport

__all__ = ["PermissionAwareRetriever"]


class PermissionAwareRetriever(NotPickled, Bindable, BaseRetriever):
    """Finds the best ``k`` passages among those a user may read.

    The Permissions API allowed every returned passage in this very call, unless the checker keeps
    decisions. A user who may read little still gets ``k`` passages if the store holds them. If
    there may be better passages than those found, the report says so.

    The subject comes, in this order, from ``for_subject``, ``subject=``,
    ``config={"configurable": {"subject": ...}}`` or the ``subject`` in LangGraph's ``context=``, or
    ``acting_as``. Without a subject, or with an empty one, the call raises ``MissingSubjectError``.
    It raises ``ConfigurationError`` if an argument, a config or a context names another user than
    ``for_subject``, if a config, a context and ``acting_as`` do not name the same, or if a
    component of LangChain drops its config on the way.

    Callbacks and tracing see the returned passages, never withheld ones. Everything a search does,
    including calls to other retrievers, models, embeddings and rerankers, is hidden from them.
    Anything the search logs itself is not: see ``from_retriever``.

    With ``keywords`` the rankings by vectors and by keywords are fused, each restricted to what the
    user may read. Without a vector store, keywords alone rank.

    Args:
        vectorstore: Any vector store whose documents carry the ids of their objects in their
            metadata. A document without one is never returned.
        checker: The access checker.
        k: The number of passages to return.
        strategy: ``"post_filter"`` searches, checks the hits, and searches further until there are
            enough. ``"pre_filter"`` lists the objects that the user may read, searches only those,
            and checks the hits. ``"auto"`` starts as the first and switches to the second when it
            estimates that to be cheaper.
        search_type: ``"similarity"``, ``"mmr"``, or ``"similarity_score_threshold"``, as in
            LangChain.
        search_kwargs: Arguments of the store's search; ``score_threshold``, ``fetch_k`` and
            ``lambda_mult`` as in LangChain.
        filter: A filter in the store's language, or a mapping of equal metadata for every known
            store and ``keywords``. It holds together with all other filters and permissions.
        object_id: The metadata field that holds the id of a document's source object, for a
            collection that another program filled. An ``ObjectIdField`` cuts and adds prefixes. A
            function of the metadata returns the id; no store can filter by it, so a user who may
            read little costs more checks.
        object_filter: A filter on object ids for a store that this package does not know.
        keywords: A ``KeywordIndex`` of the same passages, its path, or another ``KeywordSource``.
        fusion: The settings of the fusion; by default reciprocal rank fusion.
        reranker: A ``BaseDocumentCompressor``, or a cross-encoder: an object with
            ``predict(pairs)``, or a function of pairs of question and text that returns a score for
            each. It sees only passages that the user may read. It decides on the order and may
            leave passages out; what is returned are the passages that were checked.
        rerank_from: The number of passages that the reranker sees.
        expand: The number of passages before and after each result to join with it, from the same
            object. It needs ``chunk_index`` in the metadata, and the keyword index or a store that
            can be read back.
        max_per_object: The maximum number of passages of one object.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        raise_if_incomplete: Whether to raise ``IncompleteRetrievalError`` for a result that is not
            known to be the best (``complete=False`` in its report).

    Examples:
        ```python
        retriever = PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(client), k=6)
        retriever.invoke("What did we decide on pricing?", subject="alice@example.com")
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    vectorstore: VectorStore | None = None
    base_retriever: Runnable[str, list[Document]] | None = None
    # The checker's client holds credentials, so it is neither serialized nor printed.
    checker: AccessChecker = Field(exclude=True, repr=False)
    k: int = 6
    strategy: Strategy = "auto"
    search_type: Literal["similarity", "mmr", "similarity_score_threshold"] = "similarity"
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    filter: Any = Field(default=None, exclude=True)
    object_id: SkipValidation[ObjectIdSource] = Field(default="object_id", exclude=True)
    object_filter: ObjectFilter | None = Field(default=None, exclude=True)
    # The index holds passages, so it is neither serialized nor printed; a reranker may hold a key.
    keywords: KeywordSource | str | Path | None = Field(default=None, exclude=True, repr=False)
    fusion: Fusion = Fusion()
    reranker: Any = Field(default=None, exclude=True, repr=False)
    rerank_from: int = 50
    expand: int = 0
    max_per_object: int | None = None
    overfetch: int = 5
    max_candidates: int = 10_000
    raise_if_incomplete: bool = False

    _search: AnySearch = PrivateAttr()
    _engine: RetrievalEngine = PrivateAttr()

    @field_validator(
        "k",
        "rerank_from",
        "expand",
        "max_per_object",
        "overfetch",
        "max_candidates",
        mode="before",
    )
    @classmethod
    def _count(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        try:
            least = 0 if name == "expand" else 1
            return value if value is None else check_integer(name, value, at_least=least)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error  # for pydantic, which adds where it happened

    @model_validator(mode="before")
    @classmethod
    def _with_one_k(cls, values: Any) -> Any:
        refuse_other_stores(values)
        return with_one_k(values)

    def model_post_init(self, context: Any, /) -> None:
        """Prepares the search.

        Raises:
            ConfigurationError: There is not exactly one store or retriever, it does not support the
                strategy, or an argument would be ignored.
        """
        super().model_post_init(context)
        self._search, self._engine = search_and_engine(self)

    @classmethod
    def from_retriever(
        cls, retriever: Runnable[str, list[Document]], *, checker: AccessChecker, **fields: Any
    ) -> PermissionAwareRetriever:
        """Makes any retriever permission-aware.

        For a vector store's own retriever, the store and the settings are taken over. Any other
        retriever is asked for more hits if it has a ``k`` or ``search_kwargs``, and otherwise asked
        once. Its way of searching is unknown, so its results are never reported as complete. Of a
        retriever that is made of others, wrap these instead.

        Callbacks and tracing do not see its search, nor other retrievers that it calls. This does
        not cover handlers that are bound to a part of it, for example by ``with_config`` or
        ``with_listeners``; callbacks that it passes on itself; its logs, and the events it writes
        to a graph's stream; threads that it starts without the context; tools that trace by
        replacing LangChain's classes and ignore OpenTelemetry's suppression; and the message of an
        error that it raises.

        Args:
            retriever: The retriever, or another runnable that returns documents for a question,
                such as ``retriever.with_retry()``. The documents carry the ids of their objects.
            checker: The access checker.
            fields: Further arguments of this class.

        Raises:
            ConfigurationError: ``retriever`` is no runnable, or checks permissions itself.
        """
        if not isinstance(retriever, Runnable) or isinstance(retriever, cls):
            raise ConfigurationError(
                f"retriever must be a retriever or a runnable without permission checks, got "
                f"{type(retriever).__name__}. Pass a vector store as vectorstore=."
            )
        if type(retriever) is VectorStoreRetriever:
            settings = dict(retriever.search_kwargs)
            own = {
                "vectorstore": retriever.vectorstore,
                "search_type": retriever.search_type,
                "k": settings.pop("k", 4),
                "search_kwargs": settings,
                "tags": retriever.tags,
                "metadata": retriever.metadata,
            }
            return cls(checker=checker, **{**own, **fields})
        own = {"k": k} if isinstance(k := getattr(retriever, "k", None), int) else {}
        return cls(base_retriever=retriever, checker=checker, **{**own, **fields})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a copy over the same store, with changed settings if ``update`` names some."""
        bound = super().model_copy(update=update)
        if not update or update.keys() <= {"bound_subject"}:
            return bound
        return type(self)(**{name: getattr(bound, name) for name in type(self).model_fields})

    def configurable_fields(self, **fields: Any) -> Any:
        """Makes fields configurable, as in LangChain, except for the subject.

        Raises:
            ConfigurationError: ``bound_subject`` is among them.
        """
        if "bound_subject" in fields:
            advice = "Pass the user of a call in config={'configurable': {'subject': ...}}."
            raise ConfigurationError(f"bound_subject cannot be made configurable. {advice}")
        return super().configurable_fields(**fields)

    def as_tool(
        self,
        args_schema: type[BaseModel] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: dict[str, type] | None = None,
    ) -> StructuredTool:
        """Returns a tool that searches for a model, whose only argument is the question.

        Args:
            args_schema: Not supported.
            name: The name by which a model calls the tool.
            description: Tells a model when and how to use the tool.
            arg_types: Not supported.

        Raises:
            ConfigurationError: ``args_schema`` or ``arg_types`` is given.
        """
        if args_schema is not None or arg_types is not None:
            raise ConfigurationError(
                "The tool's only argument is the question, so that a model cannot choose for whom "
                "it searches; leave out args_schema and arg_types."
            )
        return as_tool(self, name=name, description=description)

    def invoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Retrieves for ``subject=``, the subject of the config or context, or of ``acting_as``."""
        return super().invoke(input, config, running=config, **kwargs)

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Like ``invoke``, without blocking the event loop."""
        return await super().ainvoke(input, config, running=config, **kwargs)

    def retrieve_with_report(
        self,
        query: str,
        *,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - as stores name it
    ) -> tuple[list[Document], RetrievalReport]:
        """Returns the passages, and a report of the searches and checks.

        Args:
            query: The question.
            subject: The user; by default the bound, the running config's, or ``acting_as``'s one.
            k: The number of passages, in place of the retriever's own.
            filter: A further filter, which holds together with the retriever's own.

        Raises:
            MissingSubjectError: There is no subject.
            ConfigurationError: The filters cannot be combined.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            IncompleteRetrievalError: The result may not be the best, and that is to raise.
        """
        return self._retrieve(query, subject, k, filter)

    async def aretrieve_with_report(
        self,
        query: str,
        *,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - as stores name it
    ) -> tuple[list[Document], RetrievalReport]:
        """Like ``retrieve_with_report``, without blocking the event loop."""
        return await self._aretrieve(query, subject, k, filter)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        running: RunnableConfig | None = None,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - as stores name it
    ) -> list[Document]:
        return self._retrieve(query, subject, k, filter, running)[0]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        running: RunnableConfig | None = None,
        subject: str | Unset = UNSET,
        k: int | None = None,
        filter: Any = None,  # noqa: A002 - as stores name it
    ) -> list[Document]:
        return (await self._aretrieve(query, subject, k, filter, running))[0]

    def _retrieve(
        self,
        query: str,
        subject: object,
        k: int | None,
        own: object,
        config: RunnableConfig | None = None,
    ) -> tuple[list[Document], RetrievalReport]:
        user = subject_of_call(self.bound_subject, subject, config)
        question = self._search.narrowed(own).question(query)
        with self._around_parts(user):
            hits, report = self._engine.retrieve(user, question, k)
        return [document_of(hit) for hit in hits], report

    async def _aretrieve(
        self,
        query: str,
        subject: object,
        k: int | None,
        own: object,
        config: RunnableConfig | None = None,
    ) -> tuple[list[Document], RetrievalReport]:
        user = subject_of_call(self.bound_subject, subject, config)
        question = self._search.narrowed(own).question(query)
        with self._around_parts(user):
            hits, report = await self._engine.aretrieve(user, question, k)
        return [document_of(hit) for hit in hits], report

    def _around_parts(self, user: str) -> AbstractContextManager[object]:
        # Another retriever may be made of permission-aware ones.
        return nullcontext() if self.base_retriever is None else acting_as(user)
