"""The adapter of LangChain's ``LanceDB``.

Metadata is a column whose fields are those of the first chunks that were written. A chunk that
lacks one of them makes filtered searches of the whole table fail, and one that has another is
refused. So the table is made with all fields that chunks have, and every chunk is written with all
of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.documents.vectors import Vector
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import Add, LangChainAdapter

__all__ = ["LanceAdapter"]

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
    "parent_title",
    "part",
    "table_header",
)
_NUMBERS = ("chunk_index", "start_char", "end_char", "token_count", "page", "prefix_chars")
_METADATA = "metadata"


class LanceAdapter(LangChainAdapter):
    """A table of LanceDB, which its integration creates with the first write."""

    classes = frozenset({("langchain_community", "LanceDB")})
    harmless = frozenset({"filter", "prefilter"})
    further_arguments = frozenset({"prefilter", "query_type", "metrics"})
    can_update_metadata = True
    is_dense = True
    vector_search = "similarity_search_by_vector"
    vector_options = MappingProxyType({"score": True})

    @property
    def exact(self) -> bool:
        """Returns whether the table has no index of its vectors."""
        table = self._table
        return table is not None and not any(
            self._vector_key in index.columns for index in table.list_indices()
        )

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the caller's arguments, and ``prefilter`` if there is a filter among them."""
        return {"prefilter": True, **own} if own.get("filter") is not None else dict(own)

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """Returns the number of rows, of all objects or of these; ``None`` without a table."""
        table = self._table
        if table is None:
            return None
        return int(table.count_rows(None if object_ids is None else self._of_objects(object_ids)))

    def refuse_unless_writable(self) -> None:
        """Refuses a store that replaces its table with each write.

        Raises:
            ConfigurationError: The store is in another mode than ``append``.
        """
        if self._store.mode != "append":
            raise ConfigurationError(
                f"A LanceDB store must be made with mode='append', got mode="
                f"{self._store.mode!r}, which replaces the table with each write."
            )

    def prepared(self, documents: Sequence[Document], vector: Vector) -> list[Document]:
        """Returns documents with every metadata field of the table, which is made if need be.

        A table from before there was one of their fields gets it.
        """
        table = self._table
        # A table without rows is false.
        if table is None:
            table = self._made_for(documents, len(vector))
        self._add_fields(table, documents)
        names = [field.name for field in table.schema.field(_METADATA).type]
        return [
            document.model_copy(update={"metadata": {**dict.fromkeys(names), **document.metadata}})
            for document in documents
        ]

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, and then removes the rows that had the same ids.

        A run that is killed in between leaves both rows, and the next one replaces both.
        """
        before = self._row_ids(present)
        add(documents)
        if before:
            self._table.delete(f"_rowid IN ({', '.join(map(str, before))})")

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is a table."""
        table = self._table
        if table is None:
            return None
        # Where vectors may be of any length, -1.
        size = getattr(table.schema.field(self._vector_key).type, "list_size", -1)
        return size if size > 0 else None

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids, each row once."""
        table = self._table
        if table is None or not ids:
            return []
        rows = table.search().where(self._with_ids(ids)).limit(None).to_arrow().to_pylist()
        return [
            StoredChunk(
                row[self._id_key], row[self._text_key], row[_METADATA], row[self._vector_key]
            )
            for row in rows
        ]

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        table, key = self._table, self._id_key
        if table is None:
            return iter(())
        condition = " AND ".join(
            f"{_METADATA}.{name} = {_literal(value)}" for name, value in metadata.items()
        )
        found = table.search().where(condition).select([key]).limit(None).to_arrow()
        return iter(found[key].to_pylist())

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        metadata = {str(document.id): document.metadata for document in documents}
        rows = self._table.search().where(self._with_ids(metadata)).limit(None).to_arrow()
        field = rows.schema.field(_METADATA)
        values = [dict(metadata[key]) for key in rows[self._id_key].to_pylist()]
        column = rows.schema.get_field_index(_METADATA)
        changed = rows.set_column(column, field, pa.array(values, type=field.type))
        merge = self._table.merge_insert(self._id_key)
        merge.when_matched_update_all().execute(changed)

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids, once there is a table to delete from."""
        return list(ids) if self._table is not None else []

    @property
    def _table(self) -> Any:
        return self._store.get_table()

    @property
    def _id_key(self) -> str:
        return str(self._store._id_key)  # noqa: SLF001 - private in langchain-community 0.4

    @property
    def _text_key(self) -> str:
        return str(self._store._text_key)  # noqa: SLF001 - private in langchain-community 0.4

    @property
    def _vector_key(self) -> str:
        return str(self._store._vector_key)  # noqa: SLF001 - private in langchain-community 0.4

    @property
    def _table_name(self) -> str:
        return str(self._store._table_name)  # noqa: SLF001 - private in langchain-community 0.4

    @property
    def _connection(self) -> Any:
        return self._store._connection  # noqa: SLF001 - private in langchain-community 0.4

    def _equal_to(self, condition: MetadataCondition) -> str:
        if odd := [name for name in condition if not name.isidentifier()]:
            raise ConfigurationError(f"LanceDB cannot filter by the metadata {', '.join(odd)}.")
        return " AND ".join(
            f"{_METADATA}.{name} = {_literal(value) if isinstance(value, str) else value}"
            for name, value in condition.items()
        )

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name == "prefilter":
            return own or further
        return f"({own}) AND ({further})" if name == "filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        # Without prefilter the store filters only the k chunks that it has found.
        return {"filter": self._of_objects(object_ids), "prefilter": True}

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        filters_late = own.get("filter") is not None and not own.get("prefilter", True)
        return self.exact and not filters_late

    def _row_ids(self, ids: Collection[str]) -> list[int]:
        """Returns LanceDB's own ids of the rows of these chunks."""
        table = self._table
        if table is None or not ids:
            return []
        key, wanted = self._id_key, set(ids)
        rows = table.search().where(self._with_ids(ids)).select([key])
        found = rows.with_row_id(True).limit(None).to_arrow().to_pylist()
        return [row["_rowid"] for row in found if row[key] in wanted]

    @staticmethod
    def _add_fields(table: Any, documents: Sequence[Document]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        known = {field.name for field in table.schema.field(_METADATA).type}
        missing = {
            key: pa.scalar(value).type
            for document in documents
            for key, value in document.metadata.items()
            if key not in known
        }
        if missing:
            field = pa.field(_METADATA, pa.struct(missing.items()))
            table.add_columns(pa.schema([field]))

    def _made_for(self, documents: Sequence[Document], dimensions: int) -> Any:
        import pyarrow as pa  # noqa: PLC0415 - comes with LanceDB

        own = {key: value for one in documents for key, value in one.metadata.items()}
        types = {
            **{key: pa.scalar(value).type for key, value in own.items()},
            **dict.fromkeys(_TEXTS, pa.string()),
            **dict.fromkeys(_NUMBERS, pa.int64()),
        }
        schema = pa.schema(
            {
                self._vector_key: pa.list_(pa.float32(), dimensions),
                self._id_key: pa.string(),
                self._text_key: pa.string(),
                _METADATA: pa.struct(types.items()),
            }
        )
        return self._connection.create_table(self._table_name, schema=schema)

    def _takes_name(self, name: str) -> bool:
        # SQL reads names without quotes in lower case.
        return super()._takes_name(name) and name == name.lower()

    def _of_objects(self, object_ids: Collection[str]) -> str:
        field = f"{_METADATA}.{self._object_field.name}"
        return f"{field} IN ({', '.join(map(_literal, object_ids))})"

    def _with_ids(self, ids: Collection[str]) -> str:
        return f"{self._id_key} IN ({', '.join(map(_literal, ids))})"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
