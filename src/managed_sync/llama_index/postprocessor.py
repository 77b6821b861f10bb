"""A LlamaIndex postprocessor that keeps only what the asking user may read, now.

Guarantees:

- A node is kept only if a check in this very call allowed the object that it came from.
- All nodes of an allowed object are kept, in their order; none without an object id is, and none
  of another project.
- A node that is kept leads to no other: what an ``IndexNode`` stands for is taken off it.
- Without a subject nothing is kept or lost silently: the call raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import PrivateAttr

from managed_sync.access.binding import Bindable
from managed_sync.access.checker import AccessChecker
from managed_sync.access.subject import resolve_bound_subject
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.conversion import without_reference

__all__ = ["PermissionPostprocessor"]


class PermissionPostprocessor(Bindable, BaseNodePostprocessor):
    """Drops the nodes that a user may not read, for query and chat engines.

    It sees only what the retriever before it found, so a user who may read little may get little,
    and traces show all that was found; ``PermissionAwareRetriever`` searches wider, so prefer it
    where you can. Put the postprocessor last: what one after it brings in, such as neighbors, was
    never checked.

    The subject is named by ``for_subject`` or by ``acting_as``.

    Args:
        checker: Decides who may read what. It holds credentials, so it is not serialized:
            ``from_dict`` takes it anew, as ``checker=``.
        bound_subject: The one user this postprocessor is for; ``for_subject`` sets it.

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

    def __init__(
        self, *, checker: AccessChecker, bound_subject: str | None = None, **fields: Any
    ) -> None:
        super().__init__(bound_subject=bound_subject, **fields)
        self._checker = checker

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this postprocessor."""
        return "PermissionPostprocessor"

    @property
    def checker(self) -> AccessChecker:
        """Decides who may read what.

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
        own = self._own(nodes)
        return _of_objects(self.checker.allowed(subject, _object_ids(own)), own)

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        subject = resolve_bound_subject(self.bound_subject)
        own = self._own(nodes)
        return _of_objects(await self.checker.aallowed(subject, _object_ids(own)), own)

    def _own(self, nodes: Iterable[NodeWithScore]) -> list[NodeWithScore]:
        """Returns the nodes of the checker's project."""
        return self.checker.boundary().inside((one.node.metadata, one) for one in nodes)

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_checker": None}}


def _object_ids(nodes: Iterable[NodeWithScore]) -> list[str]:
    return [object_id for scored in nodes if (object_id := _object_id(scored))]


def _object_id(scored: NodeWithScore) -> str | None:
    object_id = scored.node.metadata.get("object_id")
    return object_id if isinstance(object_id, str) else None


def _of_objects(allowed: set[str], nodes: Iterable[NodeWithScore]) -> list[NodeWithScore]:
    return [
        without_reference(scored)
        for scored in nodes
        if (object_id := _object_id(scored)) and object_id in allowed
    ]
