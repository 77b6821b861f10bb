"""A LangChain document filter that keeps only what the asking user may read, now.

Guarantees:

- A document is kept only if a check in this very call allowed the object that it came from.
- All documents of an allowed object are kept, in their order; none without an object id is, and
  none of another project.
- Without a subject nothing is kept or lost silently: the call raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field

from managed_sync.access.binding import Bindable, NotPickled
from managed_sync.access.checker import AccessChecker
from managed_sync.access.subject import resolve_bound_subject
from managed_sync.langchain.configured_subject import configured_subject

__all__ = ["PermissionFilter"]


class PermissionFilter(NotPickled, Bindable, BaseDocumentCompressor):
    """Drops the documents that a user may not read, for ``ContextualCompressionRetriever``.

    It sees only what the retriever before it found, so a user who may read little may get little,
    and traces show all that was found. ``PermissionAwareRetriever`` searches wider and shows only
    what it returns; prefer it where you can. Put the filter last: what a step after it brings in
    was never checked.

    The subject is named by ``for_subject``, by ``acting_as``, or by the config of the chain or
    graph around the filter. LangChain hides two configs from a filter: the one that is given to
    ``ContextualCompressionRetriever`` itself, and those of a ``batch``. A subject that they name is
    lost, and inside a chain for another user that user's permissions count. Use ``for_subject``.

    Args:
        checker: Decides who may read what.
        bound_subject: The one user this filter is for; ``for_subject`` sets it.

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

    # The checker's client holds credentials, so it is not part of what is serialized or printed.
    checker: AccessChecker = Field(exclude=True, repr=False)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """The documents that the subject may read, in their order."""
        own = self._own(documents)
        return _of_objects(self.checker.allowed(self._subject(), _object_ids(own)), own)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """Like ``compress_documents``, without blocking the event loop."""
        own = self._own(documents)
        return _of_objects(await self.checker.aallowed(self._subject(), _object_ids(own)), own)

    def _own(self, documents: Iterable[Document]) -> list[Document]:
        """Returns the documents of the checker's project."""
        return self.checker.boundary().inside((one.metadata, one) for one in documents)

    def _subject(self) -> str:
        # The config of the retriever around the filter never arrives here; see the class.
        return resolve_bound_subject(self.bound_subject, configured=configured_subject())


def _object_ids(documents: Iterable[Document]) -> list[str]:
    return [object_id for document in documents if (object_id := _object_id(document))]


def _object_id(document: Document) -> str | None:
    object_id = document.metadata.get("object_id")
    return object_id if isinstance(object_id, str) else None


def _of_objects(allowed: set[str], documents: Iterable[Document]) -> list[Document]:
    return [
        document
        for document in documents
        if (object_id := _object_id(document)) and object_id in allowed
    ]
