"""What the index target asks of a table of LanceDB beyond what LangChain offers.

Metadata is a column whose fields are those of the first chunks that were written. A chunk that
lacks one of them makes filtered searches of the whole table fail, and one that has another is
refused; so the table is made with all fields that chunks have, and every chunk is written with all
of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.indexing.targets.base import StoredChunk

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

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """The chunks that have this metadata."""
        equal = (f"{_METADATA}.{name} = {_literal(value)}" for name, value in metadata.items())
        return iter(self._ids_where(" AND ".join(equal)))

    def read(self, ids: Sequence[str]) -> list[StoredChunk]:
        """What is there under some ids, each row once."""
        table, store = self._store.get_table(), self._store
        if table is None or not ids:
            return []
        rows = table.search().where(self._is_one_of(ids)).limit(None).to_arrow().to_pylist()
        return [
            StoredChunk(
                row[store._id_key], row[store._text_key], row[_METADATA], row[store._vector_key]
            )
            for row in rows
        ]

    def places(self, ids: Collection[str]) -> list[int]:
        """Where the rows are that have some ids."""
        table = self._store.get_table()
        if table is None or not ids:
            return []
        key, wanted = self._store._id_key, set(ids)
        rows = table.search().where(self._is_one_of(ids)).select([key])
        found = rows.with_row_id(True).limit(None).to_arrow().to_pylist()
        return [row["_rowid"] for row in found if row[key] in wanted]

    def delete(self, places: Sequence[int]) -> None:
        """Removes rows by where they are."""
        if places:
            self._store.get_table().delete(f"_rowid IN ({', '.join(map(str, places))})")

    def dimensions(self) -> int | None:
        """How long the vectors are, once there is a table."""
        table = self._store.get_table()
        if table is None:
            return None
        # Where vectors may be of any length, -1.
        size = getattr(table.schema.field(self._store._vector_key).type, "list_size", -1)
        return size if size > 0 else None

    def with_all_fields(self, documents: Sequence[Document], dimensions: int) -> list[Document]:
        """Documents whose metadata has every field of the table, which is made if need be.

        Args:
            documents: What is to be written.
            dimensions: How long their vectors are.
        """
        table = self._store.get_table()
        # A table without rows is false.
        if table is None:
            table = self._made_for(documents, dimensions)
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

    def _made_for(self, documents: Sequence[Document], dimensions: int) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        store = self._store
        own = {key: value for one in documents for key, value in one.metadata.items()}
        types = {
            **{key: pa.scalar(value).type for key, value in own.items()},
            **dict.fromkeys(_TEXTS, pa.string()),
            **dict.fromkeys(_NUMBERS, pa.int64()),
        }
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
