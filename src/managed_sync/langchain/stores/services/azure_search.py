"""The adapter of LangChain's ``AzureSearch``.

The store keeps metadata as one text, and in fields of the same names if the index has them. Filters
need fields, so without one for the object ids the store is searched like an unknown one. They are
expressions of OData. Searches are approximate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import LangChainAdapter

__all__ = ["AzureSearchAdapter"]

# One of them stands between ids. Any letter may be in an id, but hardly all of these.
_DELIMITERS = "|;~^`\x1f\x1e"
_IDS_AT_ONCE = 1_000


class AzureSearchAdapter(LangChainAdapter):
    """An index whose keys are the ids of chunks."""

    classes = frozenset({("langchain_community", "AzureSearch")})
    filter_argument = "filters"
    further_arguments = frozenset({"filters"})
    can_update_metadata = True
    replaces_by_id = True

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        chunks = []
        for found in self._found_by_ids(ids, select=None):
            metadata, vector = found.get(self._name_of("METADATA")), found.get(self._vector_key)
            chunks.append(
                StoredChunk(
                    found[self._key],
                    found.get(self._name_of("CONTENT")) or "",
                    json.loads(metadata) if metadata else {},
                    vector and list(map(float, vector)),
                )
            )
        return chunks

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the index."""
        return {found[self._key] for found in self._found_by_ids(ids, select=[self._key])}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns the ids of the chunks with this metadata; ``None`` if one has no field."""
        if not all(map(self._takes_name, metadata)):
            return None
        condition = self._equal_to(metadata)
        found = self._store.client.search("*", filter=condition, select=[self._key])
        return (each[self._key] for each in found)

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks.

        Raises:
            RuntimeError: The index refused one that is there.
        """
        text = self._name_of("METADATA")
        own = self._fields - {self._key, self._vector_key, text, self._name_of("CONTENT")}
        changes = [
            {
                **{name: document.metadata.get(name) for name in own},
                text: json.dumps(document.metadata),
                self._key: document.id,
            }
            for document in documents
        ]
        results = self._store.client.merge_documents(documents=changes)
        # A chunk that is gone meanwhile has no metadata to replace.
        if lost := [each for each in results if not each.succeeded and each.status_code != 404]:
            raise RuntimeError(f"{len(lost)} chunks were not updated: {lost[0].error_message}")

    @property
    def _fields(self) -> set[str]:
        return {field.name for field in self._store.fields}

    @property
    def _key(self) -> str:
        return self._name_of("ID")

    @property
    def _vector_key(self) -> str:
        return self._name_of("CONTENT_VECTOR")

    def _name_of(self, field: str) -> str:
        # The environment may give them other names.
        module = sys.modules["langchain_community.vectorstores.azuresearch"]
        return str(getattr(module, f"FIELDS_{field}"))

    def _found_by_ids(self, ids: Sequence[str], select: Any) -> Iterator[dict[str, Any]]:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            part = list(ids[start : start + _IDS_AT_ONCE])
            condition = _is_one_of(self._key, part)
            yield from self._store.client.search("*", filter=condition, select=select)

    def _takes_name(self, name: str) -> bool:
        # Azure makes fields filterable by default.
        return any(
            each.name == name and each.filterable is not False for each in self._store.fields
        )

    def _equal_to(self, condition: MetadataCondition) -> str:
        if odd := [name for name in condition if not self._takes_name(name)]:
            raise ConfigurationError(
                f"AzureSearch cannot filter by the metadata {odd[0]!r}: the index has no such "
                f"field, or it is not filterable. Create it with fields=[...] that are filterable."
            )
        return " and ".join(f"{name} eq {_literal(value)}" for name, value in condition.items())

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return f"({own}) and ({further})" if name == "filters" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filters": _is_one_of(self._object_field.name, object_ids)}


def _is_one_of(field: str, values: Sequence[str]) -> str:
    """Returns the condition that a field has one of these texts.

    A list is one text with delimiters. Texts that are empty or begin or end with blanks, and all of
    them if each delimiter is in one, are compared one by one.
    """
    plain = [value for value in values if value and value.strip() == value]
    free = [each for each in _DELIMITERS if not any(each in value for value in plain)]
    listed = plain if free else []
    others = set(values).difference(listed)
    parts = [f"{field} eq {_literal(value)}" for value in values if value in others]
    if listed:
        parts.insert(0, f"search.in({field}, {_literal(free[0].join(listed))}, '{free[0]}')")
    return " or ".join(parts)


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
