"""A LlamaIndex postprocessor that keeps only what the asking user may read, now.

Guarantees:

- A node is kept only if a check in this very call allowed the object that it came from.
- All nodes of an allowed object are kept, in their order. A node without an object id, or of
  another project, is never kept.
- A kept node leads to no other: the object that an ``IndexNode`` refers to is removed from it.
- Without a subject the call raises; it never returns an empty result instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from managed_sync.access.binding import Bindable
from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import (
    OWN_FIELD,
    ObjectIds,
    ObjectIdSource,
    object_ids_of,
)
from managed_sync.access.passages import areadable_passages, readable_passages
from managed_sync.access.subject import resolve_bound_subject
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.conversion import without_reference

__all__ = ["PermissionPostprocessor"]


class PermissionPostprocessor(Bindable, BaseNodePostprocessor):
    """Drops the nodes that a user may not read, for query and chat engines.

    It sees only the hits of the retriever before it. So a user who may read little may get few
    nodes, and traces show all hits. ``PermissionAwareRetriever`` searches further; prefer it where
    you can. Put the postprocessor last: nodes that a later one adds, such as neighbors, are not
    checked.

    The subject comes from ``for_subject`` or ``acting_as``.

    Args:
        checker: The access checker. It holds credentials, so it is not serialized: pass it to
            ``from_dict`` as ``checker=``.
        object_id: The metadata field that holds the id of a node's source object, an
            ``ObjectIdField`` with prefixes, or a function of the metadata that returns the id. It
            is not serialized either.
        bound_subject: The only user this postprocessor is for; ``for_subject`` sets it.

    Raises:
        MissingSubjectError: There is no subject, or an empty one.
        AccessCheckError: Some object has no trustworthy decision; nothing is returned.

    Examples:
        ```python
        engine = index.as_query_engine(
            similarity_top_k=50,
            node_postprocessors=[PermissionPostprocessor(checker=AccessChecker(client))],
        )
        with acting_as("alice@example.com"):
            engine.query("What did we decide on pricing?")
        ```
    """

    _checker: AccessChecker | None = PrivateAttr()
    _object_ids: ObjectIds = PrivateAttr()

    def __init__(
        self,
        *,
        checker: AccessChecker,
        object_id: ObjectIdSource = OWN_FIELD.name,
        bound_subject: str | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(bound_subject=bound_subject, **fields)
        self._checker = checker
        self._object_ids = object_ids_of(object_id)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which LlamaIndex serializes this postprocessor."""
        return "PermissionPostprocessor"

    @property
    def checker(self) -> AccessChecker:
        """Returns the access checker.

        Raises:
            ConfigurationError: This is an unpickled copy, which has none.
        """
        if self._checker is None:
            raise ConfigurationError(
                "This PermissionPostprocessor was pickled, which leaves out its checker; make a "
                "new one with PermissionPostprocessor(checker=...)."
            )
        return self._checker

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        subject = resolve_bound_subject(self.bound_subject)
        passages = _with_metadata(nodes)
        return readable_passages(self.checker, subject, passages, self._object_ids)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        subject = resolve_bound_subject(self.bound_subject)
        passages = _with_metadata(nodes)
        return await areadable_passages(self.checker, subject, passages, self._object_ids)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_checker": None}}


def _with_metadata(
    nodes: Iterable[NodeWithScore],
) -> Iterator[tuple[dict[str, Any], NodeWithScore]]:
    return ((scored.node.metadata, without_reference(scored)) for scored in nodes)
