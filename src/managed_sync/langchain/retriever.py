"""A LangChain retriever that returns only what the asking user may read, now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import StructuredTool
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator

from managed_sync.access.binding import Bindable, NotPickled
from managed_sync.access.checker import AccessChecker
from managed_sync.access.subject import UNSET, Unset, resolve_bound_subject
from managed_sync.arguments import check_integer
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.configured_subject import configured_subject, is_certain
from managed_sync.langchain.search import (
    RetrieverSearch,
    StoreQuestion,
    StoreSearch,
    document_of,
)
from managed_sync.langchain.tool import as_tool
from managed_sync.retrieval.drivers import acarry_out, carry_out
from managed_sync.retrieval.effects import Strategy, Wanted
from managed_sync.retrieval.engine import Planning
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.report import RetrievalReport

__all__ = ["PermissionAwareRetriever"]


class PermissionAwareRetriever(NotPickled, Bindable, BaseRetriever):
    """Finds the best ``k`` passages among those a user may read.

    Every passage that is returned was allowed by the Permissions API in this very call, unless
    the checker keeps decisions. A user who may read little gets ``k`` passages all the same, where
    the store holds them; if there may be better ones than were found, the report says so.

    The subject is named, in this order, by ``for_subject``, by ``subject=``, by
    ``config={"configurable": {"subject": ...}}``, or by ``acting_as``. Without one, or with an
    empty one, the call raises ``MissingSubjectError``. An argument or a config with another user
    than ``for_subject``, a config with another than ``acting_as``, or a component of LangChain that
    drops its config on the way raises ``ConfigurationError``.

    Callbacks and tracing see what was returned, never what was withheld: all that a search does
    goes on unseen, calls of other retrievers, models and embeddings among it. What a search itself
    writes down stays its own affair: see ``from_retriever``.

    Args:
        vectorstore: Any vector store whose documents carry ``object_id`` in their metadata.
            A document without one is never returned.
        checker: Decides who may read what.
        k: Passages wanted.
        strategy: ``"post_filter"`` searches, checks what was found, and looks further until there
            is enough. ``"pre_filter"`` lists what the user may read, searches among that, and
            checks what comes back. ``"auto"`` begins as the first and goes over to the second when
            looking further would cost more.
        search_type: ``"similarity"``, ``"mmr"``, or ``"similarity_score_threshold"``, as in
            LangChain.
        search_kwargs: Passed on to the store's search; ``score_threshold``, ``fetch_k`` and
            ``lambda_mult`` as in LangChain. ``k`` is an argument of its own.
        object_filter: How the store filters on object ids, if it is one that this package does
            not know.
        max_per_object: Passages of one object at most.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        raise_if_incomplete: Whether a result that is not known to be the best, one with
            ``complete=False`` in its report, raises ``IncompleteRetrievalError``.

    Examples:
        ```python
        retriever = PermissionAwareRetriever(vectorstore=store, checker=AccessChecker(client), k=6)
        retriever.invoke("What did we decide on pricing?", subject="alice@example.com")
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", frozen=True)

    vectorstore: VectorStore | None = None
    base_retriever: BaseRetriever | None = None
    # The checker's client holds credentials, so it is not part of what is serialized or printed.
    checker: AccessChecker = Field(exclude=True, repr=False)
    k: int = 6
    strategy: Strategy = "auto"
    search_type: Literal["similarity", "mmr", "similarity_score_threshold"] = "similarity"
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    object_filter: ObjectFilter | None = Field(default=None, exclude=True)
    max_per_object: int | None = None
    overfetch: int = 5
    max_candidates: int = 10_000
    raise_if_incomplete: bool = False

    _search: StoreSearch | RetrieverSearch = PrivateAttr()
    _planning: Planning = PrivateAttr()

    @field_validator("k", "max_per_object", "overfetch", "max_candidates", mode="before")
    @classmethod
    def _count(cls, value: Any, info: ValidationInfo) -> Any:
        try:
            return value if value is None else check_integer(str(info.field_name), value)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error  # for pydantic, which adds where it happened

    def model_post_init(self, context: Any, /) -> None:
        """Finds out what the store can do.

        Raises:
            ConfigurationError: There is not one store or retriever, it does not support the
                strategy, or an argument would be ignored.
        """
        super().model_post_init(context)
        check_integer("k", self.k, at_most=self.max_candidates, limit="max_candidates")
        self._refuse_ignored_arguments()
        if (self.vectorstore is None) == (self.base_retriever is None):
            raise ConfigurationError(
                "Pass a vectorstore, or use from_retriever() for another retriever."
            )
        if self.vectorstore is not None:
            self._search = StoreSearch(
                self.vectorstore, self.search_type, self.search_kwargs, self.object_filter
            )
        elif self.base_retriever is not None:
            self._search = RetrieverSearch(self.base_retriever)
        self._planning = Planning(
            checker=self.checker,
            strategy=self.strategy,
            wanted=self._wanted(self.k),
            object_filter=self._search.object_filter,
            can_filter=self._search.can_filter,
            raise_if_incomplete=self.raise_if_incomplete,
            store=self._search.name,
        )

    @classmethod
    def from_retriever(
        cls, retriever: BaseRetriever, *, checker: AccessChecker, **fields: Any
    ) -> PermissionAwareRetriever:
        """Makes any retriever permission-aware.

        A vector store's own retriever gives its store and settings. Another one is asked for more
        where it has a ``k``, and once where it has not. How it searches is not known, so its
        results are never reported as complete.

        Callbacks and tracing do not see its search, nor other retrievers that it calls. What it
        does past them is its own affair: handlers that are bound to a part of it, as by
        ``with_config`` or ``with_listeners``, callbacks that it passes on itself, what it logs or
        writes to a graph's stream, threads that it starts without the context, tools that trace
        by replacing LangChain's classes and do not heed OpenTelemetry's suppression, and the
        message of an error that it raises.

        Args:
            retriever: The retriever; its documents carry ``object_id`` in their metadata.
            checker: Decides who may read what.
            fields: Further arguments of this class.

        Raises:
            ConfigurationError: ``retriever`` is not a ``BaseRetriever``, or checks permissions
                itself.
        """
        if not isinstance(retriever, BaseRetriever) or isinstance(retriever, cls):
            raise ConfigurationError(
                f"retriever must be a BaseRetriever without permission checks, got "
                f"{type(retriever).__name__}. Pass a vector store as vectorstore=, and call "
                f"with_config(), with_retry() and the like on the permission-aware retriever."
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
        """Makes fields configurable, as in LangChain, but for the subject.

        Raises:
            ConfigurationError: ``bound_subject`` is among them.
        """
        if "bound_subject" in fields:
            raise ConfigurationError(
                "bound_subject cannot be made configurable. Pass the user of a call in "
                "config={'configurable': {'subject': ...}}."
            )
        return super().configurable_fields(**fields)

    def as_tool(
        self,
        args_schema: type[BaseModel] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        arg_types: dict[str, type] | None = None,
    ) -> StructuredTool:
        """This retriever as a tool for a model, which can say what to look for and nothing else.

        Args:
            args_schema: Not supported: the tool's arguments are the question alone.
            name: The name by which a model calls the tool.
            description: When and how a model should use the tool.
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
        """Retrieves for ``subject=``, the config's subject, or that of ``acting_as``."""
        return super().invoke(input, config, running=config, **kwargs)

    async def ainvoke(
        self, input: str, config: RunnableConfig | None = None, **kwargs: Any
    ) -> list[Document]:
        """Like ``invoke``, without blocking the event loop."""
        return await super().ainvoke(input, config, running=config, **kwargs)

    def retrieve_with_report(
        self, query: str, *, subject: str | Unset = UNSET, k: int | None = None
    ) -> tuple[list[Document], RetrievalReport]:
        """Retrieves, and says what was searched, checked and withheld.

        Args:
            query: What to look for.
            subject: The user; without it, the bound one, or the one of the running config or of
                ``acting_as``.
            k: Passages wanted, in place of the retriever's own number.

        Raises:
            MissingSubjectError: There is no subject.
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            IncompleteRetrievalError: The result may not be the best, and that is to raise.
        """
        return self._retrieve(query, self._subject(subject), k)

    async def aretrieve_with_report(
        self, query: str, *, subject: str | Unset = UNSET, k: int | None = None
    ) -> tuple[list[Document], RetrievalReport]:
        """Like ``retrieve_with_report``, without blocking the event loop."""
        return await self._aretrieve(query, self._subject(subject), k)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        running: RunnableConfig | None = None,
        subject: str | Unset = UNSET,
        k: int | None = None,
    ) -> list[Document]:
        return self._retrieve(query, self._subject(subject, running), k)[0]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        running: RunnableConfig | None = None,
        subject: str | Unset = UNSET,
        k: int | None = None,
    ) -> list[Document]:
        return (await self._aretrieve(query, self._subject(subject, running), k))[0]

    def _refuse_ignored_arguments(self) -> None:
        if "k" in self.search_kwargs:
            raise ConfigurationError(
                f"Pass k={self.search_kwargs['k']!r} to the retriever itself, not in search_kwargs."
            )
        if self.base_retriever is None:
            return
        for name in ("search_type", "search_kwargs", "object_filter"):
            if getattr(self, name) != type(self).model_fields[name].get_default(
                call_default_factory=True
            ):
                raise ConfigurationError(
                    f"{name} is for a vector store. Set it on the retriever that is passed to "
                    f"from_retriever()."
                )

    def _subject(self, said: object, config: RunnableConfig | None = None) -> str:
        return resolve_bound_subject(
            self.bound_subject, said, configured_subject(config), is_certain=is_certain(config)
        )

    def _retrieve(
        self, query: str, subject: str, k: int | None
    ) -> tuple[list[Document], RetrievalReport]:
        wanted, question = self._number(k), self._search.asked(query)
        outcome = carry_out(
            self._planning.plan(subject, self._wanted(wanted)),
            subject=subject,
            checker=self.checker,
            searcher=question,
        )
        hits, report = self._planning.judged(outcome)
        if self.search_type == "mmr" and isinstance(question, StoreQuestion):
            hits = question.diverse(hits, wanted, self._lambda_mult())
        return _documents(hits, report)

    async def _aretrieve(
        self, query: str, subject: str, k: int | None
    ) -> tuple[list[Document], RetrievalReport]:
        wanted, question = self._number(k), self._search.asked(query)
        outcome = await acarry_out(
            self._planning.plan(subject, self._wanted(wanted)),
            subject=subject,
            checker=self.checker,
            searcher=question,
        )
        hits, report = self._planning.judged(outcome)
        if self.search_type == "mmr" and isinstance(question, StoreQuestion):
            hits = await question.adiverse(hits, wanted, self._lambda_mult())
        return _documents(hits, report)

    def _number(self, k: int | None) -> int:
        return check_integer(
            "k", self.k if k is None else k, at_most=self.max_candidates, limit="max_candidates"
        )

    def _wanted(self, k: int) -> Wanted:
        # Diversity needs something to choose from, all of which the user may read.
        fetch_k = self.search_kwargs.get("fetch_k") or 20
        enough = max(k, fetch_k) if self.search_type == "mmr" else k
        return Wanted(
            enough,
            overfetch=self.overfetch,
            max_candidates=self.max_candidates,
            max_per_object=self.max_per_object,
            widens=self._search.widens,
        )

    def _lambda_mult(self) -> float:
        given = self.search_kwargs.get("lambda_mult")
        return 0.5 if given is None else float(given)


def _documents(
    hits: Sequence[Hit], report: RetrievalReport
) -> tuple[list[Document], RetrievalReport]:
    """The documents, and the report with what is said of just these."""
    scores = tuple(hit.score for hit in hits)
    return [document_of(hit) for hit in hits], replace(report, returned=len(hits), scores=scores)
