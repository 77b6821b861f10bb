"""The staging area of a sync: gathers its records and tuples, and publishes them at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.schema import CreateTable

from managed_sync.server.domain import RelationChanges, RelationTuple
from managed_sync.server.graph.schema import PARENT, follows_schema
from managed_sync.server.storage.dialects import Insert, rows_of, upsert
from managed_sync.server.storage.pipelines import StoredPipeline
from managed_sync.server.storage.tables import (
    records,
    relations,
    staged_records,
    staged_relations,
    staging_metadata,
)

__all__ = ["Staging", "staging_tables"]

_EDGE = ("object", "relation", "subject")
_KEYS = ("scope_id", *_EDGE)


@contextmanager
def staging_tables(connection: Connection) -> Iterator[None]:
    """Creates empty staging tables for the connection, and drops them at the end."""
    with connection.begin():
        _drop(connection)
        for statement in _creation(connection.dialect):
            connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        with connection.begin():
            _drop(connection)


def _drop(connection: Connection) -> None:
    for table in staging_metadata.tables:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")


@lru_cache(maxsize=4)
def _creation(dialect: Dialect) -> list[str]:
    # Compiled once: a sync of a few records would spend more time on this than on the records.
    tables = staging_metadata.sorted_tables
    return [str(CreateTable(table).compile(dialect=dialect)) for table in tables]


class Staging:
    """The staging tables of one sync: one pipeline or several of a scope, and its groups.

    Args:
        connection: A connection that has the tables.
        scope_id: The number of the scope.
    """

    def __init__(self, connection: Connection, scope_id: int) -> None:
        self._connection = connection
        self._scope_id = scope_id

    def add_records(self, pipeline: StoredPipeline, rows: Sequence[Mapping[str, Any]]) -> None:
        """Adds records that the source listed."""
        if rows:
            own = {"scope_id": self._scope_id, "pipeline_id": pipeline.id}
            self._connection.execute(insert(staged_records), [{**row, **own} for row in rows])

    def keep_records(self, pipeline: StoredPipeline, source_id: str) -> None:
        """Keeps the published records of a source id and of everything below it."""
        below = f"{source_id}/"
        old = select(*records.columns).where(
            records.c.pipeline_id == pipeline.id,
            or_(
                records.c.source_id == source_id,
                func.substr(records.c.source_id, 1, len(below)) == below,
            ),
        )
        self._insert(staged_records, old)

    def drop_new_records(self, pipeline: StoredPipeline) -> None:
        """Drops the records that are not published yet."""
        self._connection.execute(
            delete(staged_records).where(
                staged_records.c.pipeline_id == pipeline.id,
                ~exists().where(
                    records.c.pipeline_id == pipeline.id,
                    records.c.object == staged_records.c.object,
                ),
            )
        )

    def drop(self, pipeline: StoredPipeline) -> None:
        """Drops the gathered records of a pipeline."""
        self._connection.execute(
            delete(staged_records).where(staged_records.c.pipeline_id == pipeline.id)
        )

    def count_records(self, pipeline: StoredPipeline) -> int:
        """Returns the number of records in the sync."""
        return self._connection.execute(
            select(func.count())
            .select_from(staged_records)
            .where(staged_records.c.pipeline_id == pipeline.id)
        ).scalar_one()

    def objects(self, pipeline: StoredPipeline, source_ids: Sequence[str]) -> dict[str, str]:
        """Returns the object ids of those source ids that exist."""
        rows = self._connection.execute(
            select(staged_records.c.source_id, staged_records.c.object).where(
                staged_records.c.pipeline_id == pipeline.id,
                staged_records.c.source_id.in_(rows_of(self._connection, source_ids)),
            )
        )
        return {row.source_id: row.object for row in rows}

    def show_permissions(
        self, pipeline: StoredPipeline, source_id: str, permissions: Mapping[str, object]
    ) -> None:
        """Sets the direct grants that a record shows."""
        self._connection.execute(
            update(staged_records)
            .where(
                staged_records.c.pipeline_id == pipeline.id,
                staged_records.c.source_id == source_id,
            )
            .values(permissions=json.dumps(permissions))
        )

    def add_relations(
        self, pipeline: StoredPipeline | None, tuples: Sequence[RelationTuple]
    ) -> None:
        """Adds tuples of a pipeline's objects, or, without a pipeline, of the scope's groups.

        Raises:
            ValueError: The schema does not allow a tuple.
        """
        for one in tuples:
            if not follows_schema(one):
                raise ValueError(f"The permission graph's schema has no {' '.join(one)!r}.")
        rows = [
            {
                **one._asdict(),
                "scope_id": self._scope_id,
                "pipeline_id": None if pipeline is None else pipeline.id,
            }
            for one in tuples
        ]
        if rows:
            statement = upsert(self._connection, staged_relations).on_conflict_do_nothing()
            self._connection.execute(statement, rows)

    def add_parents(self, pipeline: StoredPipeline, *, except_for: Sequence[str]) -> None:
        """Lets every record inherit from its container, except these source ids."""
        self._insert(
            staged_relations,
            select(
                literal(self._scope_id),
                staged_records.c.object,
                literal(PARENT),
                staged_records.c.parent_object,
                literal(pipeline.id),
            ).where(
                staged_records.c.pipeline_id == pipeline.id,
                staged_records.c.parent_object.is_not(None),
                staged_records.c.source_id.not_in(rows_of(self._connection, except_for)),
            ),
        )

    def withdraw(self, objects: Sequence[str]) -> None:
        """Drops all tuples that give access to some objects."""
        self._connection.execute(
            delete(staged_relations).where(
                staged_relations.c.object.in_(rows_of(self._connection, objects))
            )
        )

    def keep_relations(self, pipeline: StoredPipeline, *, except_to: Sequence[str]) -> None:
        """Keeps a pipeline's published tuples, except those to some subjects."""
        self._insert(
            staged_relations,
            select(*relations.columns).where(
                relations.c.pipeline_id == pipeline.id,
                relations.c.subject.not_in(rows_of(self._connection, except_to)),
            ),
        )

    def relations(self) -> list[RelationTuple]:
        """Returns all gathered tuples."""
        return self._tuples(select(*(staged_relations.c[name] for name in _EDGE)))

    def published_relations(self) -> list[RelationTuple]:
        """Returns all published tuples of the scope."""
        return self._tuples(
            select(*(relations.c[name] for name in _EDGE)).where(
                relations.c.scope_id == self._scope_id
            )
        )

    def relation_changes(self, pipelines: Sequence[StoredPipeline]) -> RelationChanges:
        """Returns the tuples that publishing removes from the scope and adds to it."""
        return RelationChanges(
            removed=self._tuples(
                select(*(relations.c[name] for name in _EDGE)).where(self._are_outdated(pipelines))
            ),
            added=self._tuples(
                select(*(staged_relations.c[name] for name in _EDGE))
                .where(~exists().where(self._are_the_same()))
                .select_from(staged_relations)
            ),
        )

    def publish_records(self, pipeline: StoredPipeline, version: int) -> None:
        """Replaces the pipeline's records by the staged ones, and writes only rows that differ.

        Call it in the transaction that also saves the success and the version.
        """
        self._connection.execute(
            delete(records).where(
                records.c.pipeline_id == pipeline.id,
                records.c.id.not_in(select(staged_records.c.id)),
            )
        )
        staged = [column for column in staged_records.columns if column.name != "changed"]
        content = [
            column.name for column in staged if column.name not in {"id", "scope_id", "pipeline_id"}
        ]
        # Without a WHERE, SQLite parses ON CONFLICT as the ON of a join.
        new = upsert(self._connection, records).from_select(
            [*(column.name for column in staged), "changed"],
            select(*staged, literal(version)).where(staged_records.c.pipeline_id == pipeline.id),
        )
        shown = [name for name in content if name != "version"]
        self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["id"],
                set_={
                    **{name: new.excluded[name] for name in content},
                    "changed": case(
                        (_any_differs(shown, new), new.excluded["changed"]),
                        else_=records.c.changed,
                    ),
                },
                where=_any_differs(content, new),
            )
        )

    def publish_relations(self, pipelines: Sequence[StoredPipeline]) -> None:
        """Replaces the tuples of the pipelines and of the scope's groups by the staged ones."""
        self._connection.execute(delete(relations).where(self._are_outdated(pipelines)))
        self._connection.execute(
            upsert(self._connection, relations)
            .from_select(staged_relations.c.keys(), select(*staged_relations.columns).where(true()))
            .on_conflict_do_nothing()
        )

    def _are_outdated(self, pipelines: Sequence[StoredPipeline]) -> ColumnElement[bool]:
        return and_(
            relations.c.scope_id == self._scope_id,
            or_(
                relations.c.pipeline_id.in_([pipeline.id for pipeline in pipelines]),
                relations.c.pipeline_id.is_(null()),
            ),
            ~exists().where(self._are_the_same()),
        )

    def _are_the_same(self) -> ColumnElement[bool]:
        return and_(*(staged_relations.c[key] == relations.c[key] for key in _KEYS))

    def _tuples(self, statement: Select[Any]) -> list[RelationTuple]:
        return [RelationTuple(*row) for row in self._connection.execute(statement)]

    def _insert(self, table: Table, rows: Select[Any]) -> None:
        self._connection.execute(insert(table).from_select(table.c.keys(), rows))


def _any_differs(names: Sequence[str], new: Insert) -> ColumnElement[bool]:
    return or_(*(records.c[name].is_distinct_from(new.excluded[name]) for name in names))
