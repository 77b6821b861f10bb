"""A LangChain document filter that keeps only what the asking user may read, now.

Guarantees:

- A document is kept only if a check in this very call allowed the object that it came from.
- All documents of an allowed object are kept, in their order. A document without an object id, or
  of another project, is never kept.
- Without a subject the call raises; it never returns an empty result instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr, SkipValidation

from managed_sync.access.binding import Bindable, NotPickled
from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import ObjectIds, ObjectIdSource, object_ids_of
from managed_sync.access.passages import areadable_passages, readable_passages
from managed_sync.langchain.configured_subject import subject_of_call

__all__ = ["PermissionFilter"]


class PermissionFilter(NotPickled, Bindable, BaseDocumentCompressor):
    """Drops the documents that a user may not read, for ``ContextualCompressionRetriever``.

    The filter sees only the hits of the retriever before it. So a user who may read little may get
    few documents, and traces show all hits. ``PermissionAwareRetriever`` searches further and
    traces only the documents that it returns; prefer it where you can. Put the filter last:
    documents that a later step adds are not checked.

    The subject comes from ``for_subject``, from ``acting_as``, or from the config or the context of
    the chain or graph around the filter. LangChain hides two configs from a filter: the one passed
    to ``ContextualCompressionRetriever`` itself, and those of a ``batch``. The filter cannot see a
    subject in these; inside a chain for another user, that user's permissions count instead. Use
    ``for_subject`` there.

    Args:
        checker: The access checker.
        object_id: The metadata field that holds the id of a document's source object, an
            ``ObjectIdField`` with prefixes, or a function of the metadata that returns the id.
        bound_subject: The only user this filter is for; ``for_subject`` sets it.

    Raises:
        MissingSubjectError: There is no subject, or an empty one.
        ConfigurationError: Two subjects are named, and they differ.
        AccessCheckError: Some object has no trustworthy decision; nothing is returned.

    Examples:
        ```python
        retriever = ContextualCompressionRetriever(
            base_retriever=store.as_retriever(search_kwargs={"k": 50}),
            base_compressor=PermissionFilter(checker=AccessChecker(client)),
        )
        with acting_as("alice@example.com"):
            retriever.invoke("What did we decide on pricing?")
        ```
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    # The checker's client holds credentials, so it is neither serialized nor printed.
    checker: AccessChecker = Field(exclude=True, repr=False)
    object_id: SkipValidation[ObjectIdSource] = Field(default="object_id", exclude=True)

    _object_ids: ObjectIds = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Prepares the way to find ids of objects.

        Raises:
            ConfigurationError: ``object_id`` names no field and is no function.
        """
        super().model_post_init(context)
        self._object_ids = object_ids_of(self.object_id)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """Returns the documents that the subject may read, in their order."""
        passages = _with_metadata(documents)
        return readable_passages(self.checker, self._subject(), passages, self._object_ids)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """Like ``compress_documents``, without blocking the event loop."""
        passages = _with_metadata(documents)
        return await areadable_passages(self.checker, self._subject(), passages, self._object_ids)

    def _subject(self) -> str:
        # LangChain does not pass on the config of the retriever around the filter; see the class.
        return subject_of_call(self.bound_subject)


def _with_metadata(documents: Iterable[Document]) -> Iterator[tuple[dict[str, Any], Document]]:
    return ((document.metadata, document) for document in documents)
