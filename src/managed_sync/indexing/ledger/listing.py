"""What the API lists, compared with the ledger, in memory that does not grow with it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, and_, bindparam, func, literal, null, select

from managed_sync.documents.loading.record_metadata import record_title as title_of
from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.versions import Version, may_differ_unseen
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.indexing.ledger.model import Standing, State
from managed_sync.indexing.ledger.tables import listed, records, staging_metadata
from managed_sync.models import SyncedRecord

__all__ = ["Listing", "ListingCounts", "Missing", "title_of"]

_ROWS_AT_ONCE = 500


class ListingCounts(NamedTuple):
    """What there is to do with the records that the API listed.

    Attributes:
        to_do: Those to work on.
        new: Those among them that are new.
        unchanged: Those that are in the index as they are.
    """

    to_do: int
    new: int
    unchanged: int


class Missing(NamedTuple):
    """A known record that was not listed."""

    record_id: str
    title: str
    chunk_count: int


class Listing:
    """The records that the API listed in this run, and what is to be done with them.

    A record listed twice counts once, as it was listed last. Folders are left out, as if the API
    had not listed them.

    Args:
        ledger: What is known; the listing lives in the same database, until it is closed.
        version: Gives a record's version.
        anew: Whether there is something to do for every record, whatever its version is.
        again: Chooses records for which there is, besides those that changed.
        patient: Whether what failed waits until its time has come.
    """

    def __init__(
        self,
        ledger: PipelineLedger,
        version: Version,
        *,
        anew: bool = False,
        again: Selection | None = None,
        patient: bool = True,
    ) -> None:
        self._ledger = ledger
        self._version = version
        self._anew = anew
        self._again = again
        self._now = time.time() if patient else math.inf
        self._position = 0
        self._folders: set[str] = set()
        # Those for which there is nothing to do, and that are not in the index as they are.
        self._idle: set[str] = set()
        with ledger.database.reading() as connection:
            staging_metadata.create_all(connection, checkfirst=False)

    def add(self, found: Iterable[SyncedRecord]) -> Iterator[int]:
        """Adds records as they come; yields the number of records added so far."""
        indexable = (record for record in found if not self._is_folder(record))
        while batch := list(islice(indexable, _ROWS_AT_ONCE)):
            self._put({record.id: record for record in batch})
            yield self._position

    def keep(self, record_ids: Collection[str]) -> None:
        """Counts known records as listed, with nothing to do for them."""
        ids = list(record_ids)
        for start in range(0, len(ids), _ROWS_AT_ONCE):
            part = set(ids[start : start + _ROWS_AT_ONCE])
            statement = select(listed.c.record_id).where(listed.c.record_id.in_(part))
            with self._ledger.database.reading() as connection:
                part -= set(connection.execute(statement).scalars())
                self._copy(connection, list(part))
            self._idle |= part & set(self._ledger.standings(part))

    def total(self) -> int:
        """How many records there are in the listing, folders too."""
        with self._ledger.database.reading() as connection:
            count: int = connection.execute(select(func.count()).select_from(listed)).scalar_one()
        return count + len(self._folders)

    def counts(self) -> ListingCounts:
        """How many records there are of each kind."""
        statement = select(
            func.count(), func.count(listed.c.record), func.count().filter(listed.c.is_new)
        ).select_from(listed)
        with self._ledger.database.reading() as connection:
            listed_count, to_do, new = connection.execute(statement).one()
        return ListingCounts(to_do, new, listed_count - to_do - len(self._idle))

    def to_do(self) -> Iterator[tuple[SyncedRecord, bool]]:
        """The records to work on, in the API's order, and whether each one is new."""
        after = 0
        while True:
            statement = (
                select(listed)
                .where(listed.c.record.is_not(None), listed.c.position > after)
                .order_by(listed.c.position)
                .limit(_ROWS_AT_ONCE)
            )
            with self._ledger.database.reading() as connection:
                rows = connection.execute(statement).all()
            if not rows:
                return
            for row in rows:
                yield SyncedRecord.model_validate(json.loads(row.record)), row.is_new
            after = rows[-1].position

    def missing_count(self) -> tuple[int, int]:
        """How many records of the index the API did not list, and how many are in the index."""
        in_index = records.c.chunk_count > 0
        with self._ledger.database.reading() as connection:
            known = select(func.count()).where(self._is_own, in_index)
            missing = select(func.count()).select_from(self._joined)
            missing = missing.where(self._is_missing, in_index)
            return (
                connection.execute(missing).scalar_one(),
                connection.execute(known).scalar_one(),
            )

    def unlisted_count(self) -> int:
        """How many records that are in the index as they were the API did not list."""
        statement = select(func.count()).select_from(self._joined)
        statement = statement.where(self._is_missing, records.c.state == State.INDEXED)
        with self._ledger.database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def missing(self) -> Iterator[list[Missing]]:
        """The known records that the API did not list, some at a time."""
        after = ""
        while True:
            statement = (
                select(*(records.c[name] for name in Missing._fields))
                .select_from(self._joined)
                .where(self._is_missing, records.c.record_id > after)
                .order_by(records.c.record_id)
                .limit(_ROWS_AT_ONCE)
            )
            with self._ledger.database.reading() as connection:
                found = [Missing(*row) for row in connection.execute(statement)]
            if not found:
                return
            yield found
            after = found[-1].record_id

    @property
    def _is_known(self) -> Any:
        return records.c.pipeline_id == self._ledger.pipeline_id

    @property
    def _is_own(self) -> Any:
        return and_(self._is_known, records.c.state != State.FOUND)

    @property
    def _joined(self) -> Any:
        return records.outerjoin(listed, listed.c.record_id == records.c.record_id)

    @property
    def _is_missing(self) -> Any:
        # What another ledger may have written is not missing where this one's user cannot see it.
        return and_(self._is_own, listed.c.record_id.is_(None))

    def _put(self, found: Mapping[str, SyncedRecord]) -> None:
        known = self._ledger.standings(found)
        unchanged, rows = [], []
        for record in found.values():
            self._position += 1
            standing = known.get(record.id)
            self._idle.discard(record.id)
            if standing and not self._anew and not self._is_to_do(record, standing):
                unchanged.append(record.id)
                if standing.state != State.INDEXED:
                    self._idle.add(record.id)
                continue
            rows.append(
                {
                    "record_id": record.id,
                    "position": self._position,
                    "is_new": standing is None or standing.chunk_count == 0,
                    "record": _as_text(record),
                }
            )
        with self._ledger.database.reading() as connection:
            # Only a record that is listed twice is there already.
            connection.execute(listed.delete().where(listed.c.record_id.in_(found)))
            if unchanged:
                self._copy(connection, unchanged)
            if rows:
                statement = listed.insert().values({name: bindparam(name) for name in rows[0]})
                connection.execute(statement, rows)

    def _is_to_do(self, record: SyncedRecord, standing: Standing) -> bool:
        if self._again is not None and self._again.has(record):
            return True
        version = self._version(record)
        if standing.waits(version, self._now):
            return False
        return not standing.is_indexed(version) or may_differ_unseen(record)

    def _is_folder(self, record: SyncedRecord) -> bool:
        if not record.is_folder:
            return False
        self._folders.add(record.id)
        if self._again is not None:
            self._again.note_folder(record)
        return True

    def _copy(self, connection: Connection, record_ids: Sequence[str]) -> None:
        """Notes records that need nothing, without sending a row for each."""
        known = select(records.c.record_id, literal(0), literal(False), null()).where(
            self._is_known, records.c.record_id.in_(record_ids)
        )
        names = ["record_id", "position", "is_new", "record"]
        connection.execute(listed.insert().from_select(names, known))

    def close(self) -> None:
        """Forgets the listing."""
        with self._ledger.database.reading() as connection:
            staging_metadata.drop_all(connection, checkfirst=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _as_text(record: SyncedRecord) -> str:
    # Unlike pydantic, this takes half a character as well.
    return json.dumps(record.model_dump(mode="json"))
