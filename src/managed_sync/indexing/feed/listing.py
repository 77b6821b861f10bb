"""The records that the API lists, compared with the ledger in a bounded amount of memory."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, literal, null, select

from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.versions import Version, may_differ_unseen
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import RecordState, RecordStatus
from managed_sync.indexing.ledger.queries import ROWS_AT_ONCE
from managed_sync.indexing.ledger.tables import listed, records, staging_metadata
from managed_sync.models import SyncedRecord

__all__ = ["ListingCounts", "MissingRecord", "StagedListing"]


class ListingCounts(NamedTuple):
    """The numbers of listed records.

    Attributes:
        total: All records, folders too.
        to_do: Records to work on.
        new: Records to work on that are new.
        unchanged: Records that are in the index as they are.
    """

    total: int
    to_do: int
    new: int
    unchanged: int


class MissingRecord(NamedTuple):
    """A record that the ledger knows and the API did not list."""

    record_id: str
    title: str
    chunk_count: int


class StagedListing:
    """The records that the API listed in this run, and whether there is something to do for each.

    A record listed twice counts once, with what was listed last. Folders are left out, as if the
    API had not listed them.

    Args:
        ledger: The pipeline's; the listing lives in the same database, until it is closed.
        version: Gives a record's version.
        everything: Whether there is something to do for every record, whatever its version is.
        again: Chooses records for which there is, besides those that changed.
        patient: Whether records that failed wait until their time has come.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        version: Version,
        *,
        everything: bool = False,
        again: Selection | None = None,
        patient: bool = True,
    ) -> None:
        self._ledger = ledger
        self._database = ledger.database
        self._version = version
        self._everything = everything
        self._again = again
        self._now = time.time() if patient else math.inf
        self._position = 0
        self._folders: set[str] = set()
        # Those for which there is nothing to do, and that are not in the index as they are.
        self._idle: set[str] = set()
        self._is_known = records.c.pipeline_id == ledger.pipeline_id
        self._joined = records.outerjoin(listed, listed.c.record_id == records.c.record_id)
        # Chunks that another ledger may have written are not missing where this ledger's user
        # cannot see their records.
        self._is_own = and_(self._is_known, records.c.state != RecordStatus.FOUND)
        self._is_missing = and_(self._is_own, listed.c.record_id.is_(None))
        with self._database.reading() as connection:
            staging_metadata.create_all(connection, checkfirst=False)

    def add(self, found: Iterable[SyncedRecord]) -> Iterator[int]:
        """Adds records as they come; yields the number of records added so far."""
        indexable = (record for record in found if not self._is_folder(record))
        while batch := list(islice(indexable, ROWS_AT_ONCE)):
            self._put({record.id: record for record in batch})
            yield self._position

    def keep(self, record_ids: Collection[str]) -> None:
        """Counts known records as listed, with nothing to do for them."""
        ids = list(record_ids)
        for start in range(0, len(ids), ROWS_AT_ONCE):
            part = set(ids[start : start + ROWS_AT_ONCE])
            statement = select(listed.c.record_id).where(listed.c.record_id.in_(part))
            with self._database.reading() as connection:
                part -= set(connection.execute(statement).scalars())
                self._copy(connection, list(part))
            self._idle |= part & set(self._ledger.states(part))

    def counts(self) -> ListingCounts:
        """Counts the listed records."""
        statement = select(
            func.count(), func.count(listed.c.record), func.count().filter(listed.c.is_new)
        ).select_from(listed)
        with self._database.reading() as connection:
            count, to_do, new = connection.execute(statement).one()
        return ListingCounts(
            count + len(self._folders), to_do, new, count - to_do - len(self._idle)
        )

    def to_do(self) -> Iterator[tuple[SyncedRecord, bool]]:
        """Yields the records to work on, in the API's order, and whether each one is new."""
        after = 0
        statement = select(listed).where(listed.c.record.is_not(None)).limit(ROWS_AT_ONCE)
        statement = statement.order_by(listed.c.position)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(statement.where(listed.c.position > after)).all()
            if not rows:
                return
            for row in rows:
                yield SyncedRecord.model_validate(json.loads(row.record)), row.is_new
            after = rows[-1].position

    def missing_count(self) -> tuple[int, int]:
        """Counts the records of the index that the API did not list, and all of the index."""
        in_index = records.c.chunk_count > 0
        missing = select(func.count()).select_from(self._joined).where(self._is_missing, in_index)
        known = select(func.count()).where(self._is_own, in_index)
        with self._database.reading() as connection:
            return (
                connection.execute(missing).scalar_one(),
                connection.execute(known).scalar_one(),
            )

    def unlisted_count(self) -> int:
        """Counts the records that the API did not list and the index holds as they were."""
        statement = select(func.count()).select_from(self._joined)
        statement = statement.where(self._is_missing, records.c.state == RecordStatus.INDEXED)
        with self._database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def missing(self) -> Iterator[list[MissingRecord]]:
        """Yields the known records that the API did not list, some at a time."""
        after = ""
        statement = select(*(records.c[name] for name in MissingRecord._fields))
        statement = statement.select_from(self._joined).where(self._is_missing)
        statement = statement.order_by(records.c.record_id).limit(ROWS_AT_ONCE)
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(statement.where(records.c.record_id > after)).all()
            if not rows:
                return
            yield [MissingRecord(*row) for row in rows]
            after = rows[-1].record_id

    def close(self) -> None:
        """Removes the listing from the database."""
        with self._database.reading() as connection:
            staging_metadata.drop_all(connection, checkfirst=False)

    def _put(self, found: Mapping[str, SyncedRecord]) -> None:
        known = self._ledger.states(found)
        unchanged, rows = [], []
        for record in found.values():
            self._position += 1
            state = known.get(record.id)
            self._idle.discard(record.id)
            if state and not self._everything and not self._is_to_do(record, state):
                unchanged.append(record.id)
                if state.state != RecordStatus.INDEXED:
                    self._idle.add(record.id)
                continue
            rows.append(
                {
                    "record_id": record.id,
                    "position": self._position,
                    "is_new": state is None or state.chunk_count == 0,
                    # Unlike pydantic, this takes half a character as well.
                    "record": json.dumps(record.model_dump(mode="json")),
                }
            )
        with self._database.reading() as connection:
            # Only a record that is listed twice is there already.
            connection.execute(listed.delete().where(listed.c.record_id.in_(found)))
            if unchanged:
                self._copy(connection, unchanged)
            if rows:
                statement = listed.insert().values({name: bindparam(name) for name in rows[0]})
                connection.execute(statement, rows)

    def _is_to_do(self, record: SyncedRecord, state: RecordState) -> bool:
        if self._again is not None and self._again.has(record):
            return True
        version = self._version(record)
        if state.is_waiting(version, self._now):
            return False
        return not state.is_indexed(version) or may_differ_unseen(record)

    def _is_folder(self, record: SyncedRecord) -> bool:
        if not record.is_folder:
            return False
        self._folders.add(record.id)
        if self._again is not None:
            self._again.note_folder(record)
        return True

    def _copy(self, connection: Connection, record_ids: Sequence[str]) -> None:
        """Adds known records that need nothing, without sending a row for each."""
        known = select(records.c.record_id, literal(0), literal(False), null()).where(
            self._is_known, records.c.record_id.in_(record_ids)
        )
        names = ["record_id", "position", "is_new", "record"]
        connection.execute(listed.insert().from_select(names, known))
