"""What the index target asks of a table of LanceDB beyond what LangChain offers.

Metadata is a column whose fields are those of the first chunks that were written. A chunk that
lacks one of them makes filtered searches of the whole table fail, and one that has another is
refused; so the table is made with all fields that chunks have, and every chunk is written with all
of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

__all__ = ["LanceTable"]

_TEXTS = (
    "object_id",
    "record_id",
    "source_id",
    "integration",
    "sync_type",
    "project_id",
    "container_id",
    "title",
    "url",
    "mime_type",
    "updated_at",
    "chunk_id",
    "heading",
)
_NUMBERS = ("chunk_index", "start_char", "end_char", "token_count", "page")
_METADATA = "metadata"


class LanceTable:
    """The table of a store, which may not be there yet.

    Args:
        store: LangChain's ``LanceDB``.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    @property
    def exist(self) -> bool:
        """Whether anything was ever written."""
        return self._store.get_table() is not None

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of some chunks that are there."""
        return set(self._ids_where(self._is_one_of(ids)))

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """The chunks that have this metadata."""
        equal = (f"{_METADATA}.{name} = {_literal(value)}" for name, value in metadata.items())
        return iter(self._ids_where(" AND ".join(equal)))

    def with_all_fields(self, documents: Sequence[Document]) -> list[Document]:
        """Documents whose metadata has every field of the table, which is made if need be."""
        table = self._store.get_table() or self._made_for(documents)
        names = [field.name for field in table.schema.field(_METADATA).type]
        return [
            document.model_copy(update={"metadata": {**dict.fromkeys(names), **document.metadata}})
            for document in documents
        ]

    def set_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces the metadata of chunks, by their ids."""
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        table = self._store.get_table()
        rows = table.search().where(self._is_one_of(metadata)).limit(None).to_arrow()
        field = rows.schema.field(_METADATA)
        values = [dict(metadata[key]) for key in rows[self._store._id_key].to_pylist()]
        place = rows.schema.get_field_index(_METADATA)
        changed = rows.set_column(place, field, pa.array(values, type=field.type))
        table.merge_insert(self._store._id_key).when_matched_update_all().execute(changed)

    def _made_for(self, documents: Sequence[Document]) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        store = self._store
        own = {key: value for one in documents for key, value in one.metadata.items()}
        types = {
            **{key: pa.scalar(value).type for key, value in own.items()},
            **dict.fromkeys(_TEXTS, pa.string()),
            **dict.fromkeys(_NUMBERS, pa.int64()),
        }
        dimensions = len(store.embeddings.embed_query("dimensions"))
        schema = pa.schema(
            {
                store._vector_key: pa.list_(pa.float32(), dimensions),
                store._id_key: pa.string(),
                store._text_key: pa.string(),
                _METADATA: pa.struct(types.items()),
            }
        )
        return store._connection.create_table(store._table_name, schema=schema)

    def _ids_where(self, condition: str) -> list[str]:
        table, key = self._store.get_table(), self._store._id_key
        if table is None:
            return []
        found: list[str] = (
            table.search().where(condition).select([key]).limit(None).to_arrow()[key].to_pylist()
        )
        return found

    def _is_one_of(self, ids: Any) -> str:
        return f"{self._store._id_key} IN ({', '.join(map(_literal, ids))})"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
