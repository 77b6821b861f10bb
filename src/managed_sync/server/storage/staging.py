"""Where a sync gathers what it read, before all of it takes the place of the old state at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
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

from managed_sync.server.relations.graph import RelationChanges
from managed_sync.server.relations.schema import PARENT, RelationTuple, follows_schema
from managed_sync.server.storage.dialects import rows_of, upsert
from managed_sync.server.storage.pipelines import Pipeline
from managed_sync.server.storage.tables import (
    records,
    relations,
    staged_records,
    staged_relations,
    staging_metadata,
)

__all__ = ["Staging", "staging_tables"]

_KEYS = ("scope_id", "object", "relation", "subject")


@contextmanager
def staging_tables(connection: Connection) -> Iterator[None]:
    """Gives the connection empty staging tables, and takes them away again."""
    with connection.begin():
        staging_metadata.drop_all(connection)
        staging_metadata.create_all(connection)
    try:
        yield
    finally:
        with connection.begin():
            staging_metadata.drop_all(connection)


class Staging:
    """The staging tables of one sync.

    Args:
        connection: A connection that has the tables.
        pipeline: The pipeline that is synced.
    """

    def __init__(self, connection: Connection, pipeline: Pipeline) -> None:
        self._connection = connection
        self._pipeline = pipeline

    def add_records(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Takes records that the source listed."""
        if rows:
            own = {"scope_id": self._pipeline.scope_id, "pipeline_id": self._pipeline.id}
            self._connection.execute(insert(staged_records), [{**row, **own} for row in rows])

    def keep_records(self, source_id: str) -> None:
        """Takes over what an earlier sync brought from this place and from below it."""
        below = f"{source_id}/"
        old = select(*records.columns).where(
            records.c.pipeline_id == self._pipeline.id,
            or_(
                records.c.source_id == source_id,
                func.substr(records.c.source_id, 1, len(below)) == below,
            ),
        )
        self._insert(staged_records, old)

    def count_records(self) -> int:
        """How many records the sync has."""
        return self._connection.execute(
            select(func.count()).select_from(staged_records)
        ).scalar_one()

    def objects(self, source_ids: Sequence[str]) -> dict[str, str]:
        """The object ids of those source ids that exist."""
        rows = self._connection.execute(
            select(staged_records.c.source_id, staged_records.c.object).where(
                staged_records.c.source_id.in_(rows_of(self._connection, source_ids))
            )
        )
        return {row.source_id: row.object for row in rows}

    def show_permissions(self, source_id: str, permissions: Mapping[str, object]) -> None:
        """Sets what a record shows about its direct grants."""
        self._connection.execute(
            update(staged_records)
            .where(staged_records.c.source_id == source_id)
            .values(permissions=json.dumps(permissions))
        )

    def add_relations(self, tuples: Sequence[RelationTuple], *, of_groups: bool = False) -> None:
        """Takes tuples of this pipeline's objects, or of the scope's groups.

        Raises:
            ValueError: The schema has no such tuple.
        """
        for one in tuples:
            if not follows_schema(one):
                raise ValueError(f"The permission graph's schema has no {' '.join(one)!r}.")
        rows = [
            {
                **one._asdict(),
                "scope_id": self._pipeline.scope_id,
                "pipeline_id": None if of_groups else self._pipeline.id,
            }
            for one in tuples
        ]
        if rows:
            statement = upsert(self._connection, staged_relations).on_conflict_do_nothing()
            self._connection.execute(statement, rows)

    def add_parents(self, *, except_for: Sequence[str]) -> None:
        """Lets every record inherit from its container, apart from these source ids."""
        self._insert(
            staged_relations,
            select(
                literal(self._pipeline.scope_id),
                staged_records.c.object,
                literal(PARENT),
                staged_records.c.parent_object,
                literal(self._pipeline.id),
            ).where(
                staged_records.c.parent_object.is_not(None),
                staged_records.c.source_id.not_in(rows_of(self._connection, except_for)),
            ),
        )

    def relation_changes(self) -> RelationChanges:
        """What publishing will remove from the scope's tuples and add to them."""
        columns = (relations.c.object, relations.c.relation, relations.c.subject)
        staged = (staged_relations.c[column.name] for column in columns)
        return RelationChanges(
            removed=self._tuples(select(*columns).where(self._are_outdated())),
            added=self._tuples(
                select(*staged)
                .where(~exists().where(self._are_the_same()))
                .select_from(staged_relations)
            ),
        )

    def publish(self, version: int) -> None:
        """Makes the staged state the state of the pipeline, touching only what differs.

        To be called inside the transaction that also notes the success, and the version.
        """
        self._publish_records(version)
        self._publish_relations()

    def _publish_records(self, version: int) -> None:
        self._connection.execute(
            delete(records).where(
                records.c.pipeline_id == self._pipeline.id,
                records.c.id.not_in(select(staged_records.c.id)),
            )
        )
        staged = [column for column in staged_records.columns if column.name != "changed"]
        content = [
            column.name for column in staged if column.name not in {"id", "scope_id", "pipeline_id"}
        ]
        # "WHERE true": SQLite would else take ON CONFLICT for the ON of a join.
        new = upsert(self._connection, records).from_select(
            [*(column.name for column in staged), "changed"],
            select(*staged, literal(version)).where(true()),
        )
        self._connection.execute(
            new.on_conflict_do_update(
                index_elements=["id"],
                set_={name: new.excluded[name] for name in (*content, "changed")},
                where=or_(
                    *(records.c[name].is_distinct_from(new.excluded[name]) for name in content)
                ),
            )
        )

    def _publish_relations(self) -> None:
        self._connection.execute(delete(relations).where(self._are_outdated()))
        self._connection.execute(
            upsert(self._connection, relations)
            .from_select(staged_relations.c.keys(), select(*staged_relations.columns).where(true()))
            .on_conflict_do_nothing()
        )

    def _are_outdated(self) -> ColumnElement[bool]:
        return and_(
            relations.c.scope_id == self._pipeline.scope_id,
            or_(
                relations.c.pipeline_id == self._pipeline.id,
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
