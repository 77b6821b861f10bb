"""The adapter of LangChain's ``Milvus``."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import Add, LangChainAdapter
from managed_sync.stores.milvus import MilvusCollection

__all__ = ["MilvusAdapter"]


class MilvusAdapter(MilvusCollection, LangChainAdapter):
    """A collection, which the integration creates with the first write."""

    classes = frozenset({("langchain_milvus", "Milvus")})
    filter_argument = "expr"
    harmless = frozenset({"expr", "timeout"})
    further_arguments = frozenset({"partition_names", "consistency_level", "filter_params"})

    @property
    def is_known(self) -> bool:
        """Returns whether each metadata value has a field of its own, which filters need."""
        return self._store._metadata_field is None  # noqa: SLF001 - private in langchain-milvus 0.3

    @property
    def is_dense(self) -> bool:
        """Returns whether the store has one field of vectors, which are dense ones of its model."""
        only_embeds = self._store._is_embedding_only and not self._store._is_sparse  # noqa: SLF001 - private in langchain-milvus 0.3
        return bool(only_embeds and not self._store._is_multi_vector)  # noqa: SLF001 - private in langchain-milvus 0.3

    @property
    def exact(self) -> bool:
        """Returns whether the store searches dense vectors alone, with a flat index."""
        return self.is_dense and super().exact

    def refuse_unless_writable(self) -> None:
        """Refuses a store that makes ids of its own, or takes only the first chunk's metadata.

        Raises:
            ConfigurationError: It does.
        """
        if self._store.auto_id or not self._store.enable_dynamic_field:
            raise ConfigurationError(
                "A Milvus store must be made with enable_dynamic_field=True and auto_id=False. "
                "Otherwise it has fields for the metadata of the first chunk only, or makes other "
                "ids."
            )

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, in place of those that have the same ids."""
        if self._exists:
            ids = [str(document.id) for document in documents]
            self._store.upsert(ids=ids, documents=list(documents))
            replaced = {str(one.id): one.metadata for one in documents if one.id in present}
            self._replace_metadata(replaced, [self._text_key], if_stale=True)
        else:
            add(documents)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        return [
            StoredChunk(
                row.pop(self._key),
                row.pop(self._text_key),
                vector=list(map(float, row.pop(self._vector_key))),
                metadata=row,
            )
            for row in self._rows(ids)
        ]

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        metadata = {str(document.id): document.metadata for document in documents}
        self._replace_metadata(metadata, [self._text_key])

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids, once there is a collection to delete from."""
        return list(ids) if self._exists else []

    @property
    def _key(self) -> str:
        return str(self._store._primary_field)  # noqa: SLF001 - private in langchain-milvus 0.3

    @property
    def _text_key(self) -> str:
        return str(self._store._text_field)  # noqa: SLF001 - private in langchain-milvus 0.3

    @property
    def _vector_key(self) -> str:
        return str(self._store._vector_field)  # noqa: SLF001 - private in langchain-milvus 0.3

    @property
    def _search_parameters(self) -> Any:
        return self._store.search_params

    def _equal_to(self, condition: MetadataCondition) -> str:
        return self._equal(condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return f"({own}) and ({further})" if name == "expr" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"expr": self._of_objects(object_ids)}
