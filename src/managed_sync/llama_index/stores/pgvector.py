"""The adapter of LlamaIndex's ``PGVectorStore``.

The store puts the values of filters into its SQL as they are: a quote ends them, and a colon may
begin a parameter. Object ids come from other systems, so here they become SQL expressions that
consist of digits and small letters only.

Guarantees:

- No value of a filter on objects, or of a mapping of equal metadata, can be read as SQL.
- A mapping's number is compared without converting the values of other rows. The database's error
  about one that is no number would show text that the subject may not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.documents.metadata_condition import is_metadata_condition
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import (
    HARMLESS_ARGUMENTS,
    LlamaIndexAdapter,
    stored_chunk,
)
from managed_sync.stores.postgres import IS_SEARCHED_EXHAUSTIVELY, as_vector

__all__ = ["PGVectorAdapter"]

# Neither PostgreSQL nor SQLAlchemy reads anything in them.
_PLAIN = re.compile(r"([A-Za-z0-9_]+:)?[A-Za-z0-9_.-]+")


class PGVectorAdapter(LlamaIndexAdapter):
    """A table of PostgreSQL. It counts no chunks, since PostgreSQL would read the whole table."""

    classes = frozenset({("llama_index.vector_stores.postgres", "PGVectorStore")})
    nests_filters = True
    harmless = HARMLESS_ARGUMENTS
    can_update_metadata = True
    replaces_by_id = True

    @property
    def exact(self) -> bool:
        """Returns whether the table has no vector index, and no code of the caller's a say."""
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        if self._store._customize_query_fn is not None:  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9
            return False
        name = f'"{self._store.schema_name}"."{self._table.__tablename__}"'
        with self._session() as session:
            return bool(session.scalar(text(IS_SEARCHED_EXHAUSTIVELY), {"name": name}))

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        """Adds nodes, in place of those that have the same ids, all or none."""
        from sqlalchemy import delete  # noqa: PLC0415 - an optional dependency

        rows = [self._store._node_to_table_row(node) for node in nodes]  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9
        before = delete(self._table).where(
            self._table.node_id.in_([each.node_id for each in nodes])
        )
        with self._session() as session, session.begin():
            session.execute(before)
            session.add_all(rows)

    def dimensions(self) -> int:
        """Returns the length of the vectors."""
        dimensions: int = self._store.embed_dim
        return dimensions

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids, each row once."""
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._table
        columns = [table.node_id, table.metadata_, table.text]
        if vectors:
            columns.append(table.embedding)
        with self._session() as session:
            rows = session.execute(select(*columns).where(table.node_id.in_(list(ids)))).all()
        return [
            stored_chunk(key, metadata or {}, text, as_vector(*vector))
            for key, metadata, text, *vector in rows
        ]

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the table."""
        return set(self._ids_where(self._table.node_id.in_(list(ids))))

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the nodes with this metadata."""
        yield from self._ids_where(
            *(self._table.metadata_[name].astext == value for name, value in metadata.items())
        )

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        from sqlalchemy import update  # noqa: PLC0415 - an optional dependency

        flat = self._store.flat_metadata
        with self._session() as session, session.begin():
            for node in nodes:
                metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=flat)
                change = update(self._table).where(self._table.node_id == node.node_id)
                session.execute(change.values(metadata_=metadata))

    def filter_of(self, own: object) -> MetadataFilters:
        """Returns the caller's filter as LlamaIndex's.

        Raises:
            ConfigurationError: It is not a filter, or names metadata with characters of SQL.
        """
        if not is_metadata_condition(own):
            return super().filter_of(own)
        if odd := [name for name in own if not self._takes_name(name)]:
            raise ConfigurationError(f"PGVectorStore cannot filter by the metadata {odd[0]!r}.")
        return MetadataFilters(
            filters=[
                self._is_one_of(name, [value])
                if isinstance(value, str)
                else self._is_number(name, value)
                for name, value in own.items()
            ]
        )

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        is_one = self._is_one_of(self._object_field.name, object_ids)
        return {"filters": MetadataFilters(filters=[is_one])}

    def _takes_name(self, name: str) -> bool:
        return _PLAIN.fullmatch(name) is not None

    def _is_one_of(self, name: str, values: Sequence[str]) -> MetadataFilter:
        literal = _expression if self._puts_values_into_sql else str
        written = [value if _PLAIN.fullmatch(value) else literal(value) for value in values]
        return MetadataFilter(key=name, operator=FilterOperator.IN, value=written)

    def _is_number(self, name: str, value: int) -> MetadataFilter:
        """Returns a filter on a number, which is compared as JSON's text for it.

        The store's own would convert the values of all rows, and fail for one that is a text.
        """
        written = str(value)
        if self._puts_values_into_sql:
            written = (
                f"' || CASE json_typeof(CAST(metadata_ AS json)->'{name}') "
                f"WHEN 'number' THEN '{value}' END || '"
            )
        return MetadataFilter(key=name, operator=FilterOperator.IN, value=[written])

    @property
    def _puts_values_into_sql(self) -> bool:
        """Returns whether the store does not quote values, in case that a newer one does."""
        probe = MetadataFilter(key="k", operator=FilterOperator.IN, value=["'"])
        return "(''')" in str(self._store._build_filter_clause(probe))  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9

    @property
    def _table(self) -> Any:
        return self._store._table_class  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9

    def _session(self) -> Any:
        self._store._initialize()  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9
        return self._store._session()  # noqa: SLF001 - private in llama-index-vector-stores-postgres 0.9

    def _ids_where(self, *conditions: Any) -> list[str]:
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        with self._session() as session:
            return list(session.scalars(select(self._table.node_id).where(*conditions)))


def _expression(value: str) -> str:
    """Returns SQL for a text, between the quotes that the store sets around it."""
    return f"' || convert_from(decode('{value.encode().hex()}', 'hex'), 'UTF8') || '"
